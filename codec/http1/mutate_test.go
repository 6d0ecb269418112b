package http1

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// Every byte of a head in turn is made every other byte, left out, or doubled.
// Each of these must be judged alike whole and byte by byte, and what is accepted
// must be read alike by net/http.

func mutations(in string, judge func(string)) {
	for i := range len(in) {
		for c := range 256 {
			judge(in[:i] + string([]byte{byte(c)}) + in[i+1:])
		}
		judge(in[:i] + in[i+1:])
		judge(in[:i] + in[i:i+1] + in[i:])
	}
}

func TestMutatedRequests(t *testing.T) {
	in := head("POST /a%20b?c=d HTTP/1.1", "Host: a.b:80", "Content-Length: 10", "Connection: close", "X: y")
	accepted := 0
	mutations(in, func(s string) {
		var r, slow Request
		n, err := ParseRequest([]byte(s), &r, nil)
		m, slowErr := feed([]byte(s), pieces(1), func(b []byte) (int, error) { return ParseRequest(b, &slow, nil) })
		if n != m || (err == nil) != (slowErr == nil) {
			t.Fatalf("%q: whole %d, %v; byte by byte %d, %v", s, n, err, m, slowErr)
		}
		if n > 0 {
			accepted++
			requestDiffers(t, &r)
		}
	})
	if accepted < 1000 {
		t.Errorf("only %d mutations were accepted", accepted)
	}
}

func TestMutatedResponses(t *testing.T) {
	in := head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Connection: close", "X: y")
	accepted := 0
	mutations(in, func(s string) {
		var r, slow Response
		n, err := ParseResponse([]byte(s), &r, nil)
		m, slowErr := feed([]byte(s), pieces(1), func(b []byte) (int, error) { return ParseResponse(b, &slow, nil) })
		if n != m || (err == nil) != (slowErr == nil) {
			t.Fatalf("%q: whole %d, %v; byte by byte %d, %v", s, n, err, m, slowErr)
		}
		if n == 0 {
			return
		}
		accepted++
		if framing, err := r.Framing("GET"); err == nil {
			responseDiffers(t, &r, framing)
		}
	})
	if accepted < 1000 {
		t.Errorf("only %d mutations were accepted", accepted)
	}
}

func TestMutatedChunks(t *testing.T) {
	in := "5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n"
	mutations(in, func(s string) {
		want := drain(t, Framing{Kind: Chunked}, nil, s, whole())
		got := drain(t, Framing{Kind: Chunked}, nil, s, pieces(1))
		if want.err != nil && got.err != nil {
			got.used, got.err = want.used, want.err
		}
		if got != want {
			t.Fatalf("%q: whole %+v, byte by byte %+v", s, want, got)
		}
		if want.done {
			chunksReencode(t, want)
			chunksDiffer(t, []byte(s[:want.used]), want)
		}
	})
}

// TestWhatNetHTTPAcceptsAndWeDoNot lists where we are stricter, so that a change
// on either side is a decision.
func TestWhatNetHTTPAcceptsAndWeDoNot(t *testing.T) {
	var got []string
	for _, c := range badRequests {
		if _, err := http.ReadRequest(bufio.NewReader(strings.NewReader(c.in))); err == nil {
			got = append(got, c.name)
		}
	}
	equal(t, "accepted by net/http", strings.Join(got, "\n"), strings.Join(stricterThanNetHTTP, "\n"))
}

// stricterThanNetHTTP has names of badRequests. Its server refuses some of these
// itself, behind http.ReadRequest.
var stricterThanNetHTTP = []string{
	"2.2 bare LF behind the request line",
	"2.2 bare LF behind a field",
	"2.2 bare LF at the end",
	"2.3 HTTP/2.0",
	"2.3 HTTP/2.5",
	"2.3 HTTP/0.9",
	"RFC 9113 3.4 preface",
	"3.2 fragment",
	"3.2 quote",
	"3.2 angle bracket",
	"3.2 closing angle bracket",
	"3.2 UTF-8 in the target",
	"RFC 3986 3.3 bracket in the path",
	"RFC 3986 3.4 bracket in the query",
	"RFC 3986 3.3 bracket in the path of an absolute-form",
	"RFC 3986 3.4 bracket in the query of an absolute-form",
	"RFC 3986 2 backslash",
	"RFC 3986 2 caret",
	"RFC 3986 2 back quote",
	"RFC 3986 2 brace",
	"RFC 3986 2 pipe",
	"RFC 3986 2.1 escape in the query",
	"RFC 3986 2.1 escape in the query of an absolute-form",
	"3.2.2 other scheme",
	"3.2.2 no authority",
	"3.2.2 nothing behind the slashes",
	"3.2.2 only a port",
	"9110 4.2.4 userinfo",
	"9110 4.2.4 user",
	"3.2.3 CONNECT with a path",
	"3.2.3 CONNECT without port",
	"3.2.3 CONNECT with empty port",
	"3.2.3 CONNECT with port out of range",
	"3.2.3 CONNECT with a URI",
	"3.2.3 authority-form with GET",
	"3.2.4 asterisk-form with GET",
	"3.2 no Host",
	"3.2 no Host with absolute-form",
	"3.2 Host with a path",
	"3.2 Host with userinfo",
	"3.2 Host with a space",
	"3.2 Host with only a port",
	"3.2 Host with a bad port",
	"3.2 Host with a bad escape",
	"3.2 Host with an open bracket",
	"5.1 space before the colon",
	"9110 5.3 two Authorization",
	"9110 5.3 two Proxy-Authorization",
	"9110 5.3 two Range",
	"9110 5.3 two If-Range",
	"9110 5.3 two Content-Range",
	"9110 5.3 two If-Modified-Since",
	"9110 5.3 two If-Unmodified-Since",
	"5.2 obs-fold",
	"5.2 obs-fold with a tab",
	"5.2 line of white space only",
	"6.1 TE in 1.0",
	"6.1 CL then TE",
	"6.1 TE then CL",
	"6.3 two equal CL",
	"9110 10.1.1 other expectation",
	"9110 10.1.1 two expectations",
}

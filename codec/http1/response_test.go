package http1

import (
	"fmt"
	"strings"
	"testing"
)

func ok200(fields ...string) string {
	return head(append([]string{"HTTP/1.1 200 OK"}, fields...)...)
}

// describeResponse says everything a response knows.
func describeResponse(r *Response) string {
	up, ok := r.Upgrade()
	f, err := r.Framing("GET")
	return fmt.Sprintf("%d %q minor %d keep %v upgrade %q %v %v %v %s raw %q",
		r.Status(), r.Phrase(), r.Minor(), r.KeepAlive(), up, ok, f, err, describeHeader(r.Header()), r.Raw())
}

func parseResponse(t testing.TB, in string) *Response {
	t.Helper()
	r := new(Response)
	if n, err := ParseResponse([]byte(in), r, nil); n != len(in) || err != nil {
		t.Fatalf("ParseResponse(%q) = %d, %v, want %d", in, n, err, len(in))
	}
	return r
}

// goodResponses are heads that must be read, named by the rule of RFC 9112.
var goodResponses = []struct {
	name, in string
	status   int
	phrase   string
	minor    int
}{
	{"a server's head", serverHead, 200, "OK", 1},
	{"4 example", head("HTTP/1.1 404 Not Found"), 404, "Not Found", 1},
	{"4 empty phrase", head("HTTP/1.1 200 "), 200, "", 1},
	{"4 no phrase and no space", head("HTTP/1.1 200"), 200, "", 1},
	{"4 phrase of one space", head("HTTP/1.1 200  "), 200, " ", 1},
	{"4 phrase with tab and obs-text", head("HTTP/1.1 200 caf\xe9\tok"), 200, "caf\xe9\tok", 1},
	{"4 phrase with a colon", head("HTTP/1.1 200 a: b"), 200, "a: b", 1},
	{"4 lowest status", head("HTTP/1.1 100 Continue"), 100, "Continue", 1},
	{"4 highest status", head("HTTP/1.1 599 x"), 599, "x", 1},
	{"4 unknown status", head("HTTP/1.1 299 x"), 299, "x", 1},
	{"2.3 HTTP/1.0", head("HTTP/1.0 200 OK"), 200, "OK", 0},
	{"2.3 minor above 1", head("HTTP/1.7 200 OK"), 200, "OK", 1},
	{"15.2.2 switching", head("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"), 101, "Switching Protocols", 1},
	{"6.1 chunked", ok200("Transfer-Encoding: chunked"), 200, "OK", 1},
	{"6.1 unknown coding is for Framing to refuse", ok200("Transfer-Encoding: gzip"), 200, "OK", 1},
	{"3.2 Host means nothing", ok200("Host: /", "Host: /"), 200, "OK", 1},
	{"10.1.1 Expect means nothing", ok200("Expect: miracles"), 200, "OK", 1},
}

// badResponses are heads that must be refused. Early is how many of their bytes
// must suffice; 0 means the last line's end.
var badResponses = []struct {
	name, in string
	want     *Error
	early    int
}{
	{"2.2 bare LF", "HTTP/1.1 200 OK\n\n", ErrBareLF, 16},
	{"2.2 bare CR", "HTTP/1.1 200 O\rK\r\n\r\n", ErrBareCR, 16},
	{"2.2 empty line first", "\r\n" + ok200(), ErrStatusLine, 2},
	{"5.2 obs-fold", ok200("X: a", " b"), ErrFold, 0},
	{"5.1 space before the colon", ok200("X : a"), ErrFieldName, 0},
	{"5.5 NUL", ok200("X: \x00"), ErrControl, 0},
	{"4 NUL in the phrase", head("HTTP/1.1 200 \x00"), ErrControl, 14},
	{"2.3 HTTP/2", head("HTTP/2 200"), ErrVersion, 7},
	{"2.3 HTTP/2.0", head("HTTP/2.0 200 OK"), ErrUnsupportedVersion, 8},
	{"2.3 lower case", head("http/1.1 200 OK"), ErrVersion, 1},
	{"2.3 ICY", head("ICY 200 OK"), ErrVersion, 1},
	{"4 a request", get(), ErrVersion, 1},
	{"4 only the version", head("HTTP/1.1"), ErrStatusLine, 0},
	{"4 version and space", head("HTTP/1.1 "), ErrStatusLine, 0},
	{"4 two spaces", head("HTTP/1.1  200 OK"), ErrStatusLine, 10},
	{"4 tab", head("HTTP/1.1\t200 OK"), ErrStatusLine, 9},
	{"4 two digits", head("HTTP/1.1 20 OK"), ErrStatusLine, 12},
	{"4 two digits and no more", head("HTTP/1.1 20"), ErrStatusLine, 0},
	{"4 four digits", head("HTTP/1.1 2000 OK"), ErrStatusLine, 13},
	{"4 status 099", head("HTTP/1.1 099 x"), ErrStatusLine, 10},
	{"4 status 600", head("HTTP/1.1 600 x"), ErrStatusLine, 10},
	{"4 status 999", head("HTTP/1.1 999 x"), ErrStatusLine, 10},
	{"4 status with letters", head("HTTP/1.1 2x0 OK"), ErrStatusLine, 11},
	{"4 negative status", head("HTTP/1.1 -20 OK"), ErrStatusLine, 10},
	{"4 tab before the phrase", head("HTTP/1.1 200\tOK"), ErrStatusLine, 13},
	{"6.3 CL and TE", ok200("Content-Length: 5", "Transfer-Encoding: chunked"), ErrTwoLengths, 0},
	{"6.3 two equal CL", ok200("Content-Length: 5", "Content-Length: 5"), ErrContentLength, 0},
	{"6.3 list in CL", ok200("Content-Length: 5,5"), ErrContentLength, 0},
	{"6.3 minus in CL", ok200("Content-Length: -1"), ErrContentLength, 0},
	{"9110 6.5.1 trailers announced that frame", ok200("Trailer: Content-Length", "Transfer-Encoding: chunked"), ErrTrailer, 0},
	{"6.1 TE in 1.0", head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"), ErrTransferEncoding, 0},
	{"6.1 chunked twice", ok200("Transfer-Encoding: chunked, chunked"), ErrTransferEncoding, 0},
	{"6.1 chunked not last", ok200("Transfer-Encoding: chunked, gzip"), ErrTransferEncoding, 0},
	{"6.1 empty", ok200("Transfer-Encoding:"), ErrTransferEncoding, 0},
}

func TestGoodResponsesAreRead(t *testing.T) {
	for _, c := range goodResponses {
		t.Run(c.name, func(t *testing.T) {
			r := parseResponse(t, c.in)
			equal(t, "status", r.Status(), c.status)
			equal(t, "phrase", string(r.Phrase()), c.phrase)
			equal(t, "minor", r.Minor(), c.minor)
		})
	}
}

func TestGoodResponsesCutAnywhere(t *testing.T) {
	for _, c := range goodResponses {
		want := describeResponse(parseResponse(t, c.in))
		for cut := range len(c.in) {
			var r Response
			for _, part := range []int{cut, len(c.in)} {
				n, err := ParseResponse([]byte(c.in[:part]), &r, nil)
				if err != nil || part == cut && n != 0 {
					t.Fatalf("%s cut at %d: %d, %v", c.name, cut, n, err)
				}
			}
			equal(t, c.name, describeResponse(&r), want)
		}
	}
}

func TestBadResponsesAreRefused(t *testing.T) {
	for _, c := range badResponses {
		t.Run(c.name, func(t *testing.T) {
			n, err := ParseResponse([]byte(c.in), new(Response), nil)
			if n != 0 || err != c.want {
				t.Errorf("whole: %d, %v, want %v", n, err, c.want)
			}
			var r Response
			i := 0
			for err = nil; err == nil && i < len(c.in); {
				i++
				_, err = ParseResponse([]byte(c.in[:i]), &r, nil)
			}
			if err == nil {
				t.Fatal("never refused byte by byte")
			}
			if c.early != 0 && i != c.early {
				t.Errorf("refused after %d bytes, want %d", i, c.early)
			}
		})
	}
}

// TestBadStartIsRefusedWithoutALine: a flood that is no status line ends at once.
func TestBadStartIsRefusedWithoutALine(t *testing.T) {
	_, err := ParseResponse([]byte("SSH-2.0-OpenSSH_9.6 and no end of line"), new(Response), nil)
	equal(t, "response", err, error(ErrVersion))
	_, err = ParseRequest([]byte("{\"json\": 1} and no end of line"), new(Request), nil)
	equal(t, "request", err, error(ErrMethod))
}

func TestResponseLimits(t *testing.T) {
	line := "HTTP/1.1 200 " + strings.Repeat("x", 27) // 40 bytes
	for _, c := range []struct {
		name, in string
		lim      Limits
		want     error
	}{
		{"status line at the limit", head(line), Limits{RequestLine: 40}, nil},
		{"status line over the limit", head(line), Limits{RequestLine: 39}, ErrStatusLine},
		{"status line over the head's limit", head(line), Limits{Head: 30}, ErrStatusLine},
		{"head at the limit", head(line), Limits{Head: 44}, nil},
		{"head over the limit", head(line), Limits{Head: 43}, ErrHeadTooLarge},
		{"fields over the limit", ok200("A: b", "A: b"), Limits{Fields: 1}, ErrTooManyFields},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseResponse([]byte(c.in), new(Response), &c.lim)
			equal(t, "error", err, c.want)
		})
	}
}

func TestResponseKeepAliveAndUpgrade(t *testing.T) {
	equal(t, "1.1", parseResponse(t, ok200()).KeepAlive(), true)
	equal(t, "close", parseResponse(t, ok200("Connection: close")).KeepAlive(), false)
	equal(t, "1.0", parseResponse(t, head("HTTP/1.0 200 OK")).KeepAlive(), false)
	equal(t, "1.0 keep-alive", parseResponse(t, head("HTTP/1.0 200 OK", "Connection: keep-alive")).KeepAlive(), true)
	value, ok := parseResponse(t, head("HTTP/1.1 101 S", "Connection: upgrade", "Upgrade: websocket")).Upgrade()
	equal(t, "Upgrade", string(value), "websocket")
	equal(t, "upgraded", ok, true)
}

func TestResponseIsUsedAgain(t *testing.T) {
	var r, c Response
	first := []byte(head("HTTP/1.1 404 Not Found", "Content-Length: 1", "Connection: close"))
	if _, err := ParseResponse(first, &r, nil); err != nil {
		t.Fatal(err)
	}
	want := describeResponse(&r)
	r.CopyTo(&c)
	c.CopyTo(&c)
	if _, err := ParseResponse([]byte(ok200()), &r, nil); err != nil {
		t.Fatal(err)
	}
	clear(first)
	equal(t, "copy", describeResponse(&c), want)
	equal(t, "second", describeResponse(&r), describeResponse(parseResponse(t, ok200())))
	r.Reset()
	for _, n := range []int{15, 10} { // less the second time means more is to come
		if n, err := ParseResponse([]byte(ok200()[:n]), &r, nil); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	r.Reset()
	equal(t, "reset", describeResponse(&r), describeResponse(new(Response)))
	if _, err := ParseResponse([]byte("x"), &r, nil); err == nil {
		t.Fatal("accepted")
	}
	_, err := ParseResponse([]byte(ok200()), &r, nil)
	equal(t, "error stays", err, error(ErrVersion))
}

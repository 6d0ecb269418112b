package http1

import (
	"fmt"
	"strings"
	"testing"
)

// head turns lines into a head: each gets its CRLF, and an empty one follows.
func head(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// get is a GET request with a Host and the given field lines.
func get(fields ...string) string {
	return head(append([]string{"GET / HTTP/1.1", "Host: a"}, fields...)...)
}

// describe says everything a request knows, so that two can be compared.
func describe(r *Request) string {
	up, ok := r.Upgrade()
	return fmt.Sprintf("%q %q path %q query %q nil %v host %q minor %d keep %v upgrade %q %v expect %v %v %s raw %q",
		r.Method(), r.Target(), r.Path(), r.Query(), r.Query() == nil, r.Host(), r.Minor(), r.KeepAlive(),
		up, ok, r.ExpectContinue(), r.Framing(), describeHeader(r.Header()), r.Raw())
}

func describeHeader(h *Header) string {
	var b strings.Builder
	for i := range h.Len() {
		name, value := h.At(i)
		fmt.Fprintf(&b, "[%s=%s]", name, value)
	}
	return b.String()
}

// parse parses a whole valid head.
func parse(t testing.TB, in string) *Request {
	t.Helper()
	r := new(Request)
	if n, err := ParseRequest([]byte(in), r, nil); n != len(in) || err != nil {
		t.Fatalf("ParseRequest(%q) = %d, %v, want %d", in, n, err, len(in))
	}
	return r
}

// TestRequestTarget has the four forms of RFC 9112 3.2.
func TestRequestTarget(t *testing.T) {
	for _, c := range []struct{ name, line, path, query, host string }{
		{"3.2.1 origin-form", "GET /where?q=now HTTP/1.1", "/where", "q=now", "field"},
		{"3.2.1 no query", "GET /where HTTP/1.1", "/where", "<nil>", "field"},
		{"3.2.1 empty query", "GET /where? HTTP/1.1", "/where", "", "field"},
		{"3.2.1 question mark in the query", "GET /?a?b HTTP/1.1", "/", "a?b", "field"},
		{"3.2.1 escapes stay", "GET /a%2Fb%20?%3f HTTP/1.1", "/a%2Fb%20", "%3f", "field"},
		{"3.2.1 two slashes are a path", "GET //evil/x HTTP/1.1", "//evil/x", "<nil>", "field"},
		{"3.2.2 absolute-form wins over Host", "GET http://www.example.org/p?q HTTP/1.1", "/p", "q", "www.example.org"},
		{"3.2.2 absolute-form with port", "GET http://a.b:8080/ HTTP/1.1", "/", "<nil>", "a.b:8080"},
		{"3.2.2 absolute-form without path", "GET http://a.b HTTP/1.1", "/", "<nil>", "a.b"},
		{"3.2.2 absolute-form without path, with query", "GET http://a.b?x HTTP/1.1", "/", "x", "a.b"},
		{"3.2.2 scheme in any case", "GET HTTPS://a.b/ HTTP/1.1", "/", "<nil>", "a.b"},
		{"3.2.2 IPv6 host", "GET http://[::1]:80/ HTTP/1.1", "/", "<nil>", "[::1]:80"},
		{"3.2.2 at sign behind the authority", "GET http://a/@b HTTP/1.1", "/@b", "<nil>", "a"},
		{"3.2.3 authority-form", "CONNECT www.example.com:80 HTTP/1.1", "<nil>", "<nil>", "www.example.com:80"},
		{"3.2.3 authority-form, IPv6", "CONNECT [2001:db8::1]:443 HTTP/1.1", "<nil>", "<nil>", "[2001:db8::1]:443"},
		{"3.2.4 asterisk-form", "OPTIONS * HTTP/1.1", "*", "<nil>", "field"},
		{"3.2.4 OPTIONS with a path", "OPTIONS /x HTTP/1.1", "/x", "<nil>", "field"},
		{"3.2.4 OPTIONS through a proxy", "OPTIONS http://a:81 HTTP/1.1", "/", "<nil>", "a:81"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parse(t, head(c.line, "Host: field"))
			method, rest, _ := strings.Cut(c.line, " ")
			target, _, _ := strings.Cut(rest, " ")
			equal(t, "method", string(r.Method()), method)
			equal(t, "target", string(r.Target()), target)
			equal(t, "path", orNil(r.Path()), c.path)
			equal(t, "query", orNil(r.Query()), c.query)
			equal(t, "host", string(r.Host()), c.host)
		})
	}
}

func orNil(b []byte) string {
	if b == nil {
		return "<nil>"
	}
	return string(b)
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// goodRequests are heads that must be read, named by the rule that allows them.
var goodRequests = []struct{ name, in string }{
	{"RFC 9112 3 example", head("GET /hello.txt HTTP/1.1", "User-Agent: curl/7.64.1", "Host: www.example.com", "Accept-Language: en, mi")},
	{"a load generator's head", smallHead},
	{"a browser's head", browserHead},
	{"2.2 one empty line before", "\r\n" + get()},
	{"2.2 two empty lines before", "\r\n\r\n" + get()},
	{"2.3 HTTP/1.0", head("GET / HTTP/1.0")},
	{"2.3 minor version above 1", head("GET / HTTP/1.9", "Host: a")},
	{"3.1 unknown method", head("FOO / HTTP/1.1", "Host: a")},
	{"3.1 method with every token character", head("A!#$%&'*+-.^_`|~9z / HTTP/1.1", "Host: a")},
	{"3.2 empty Host", head("GET / HTTP/1.1", "Host:")},
	{"3.2 Host with port", head("GET / HTTP/1.1", "Host: a.b:80")},
	{"3.2 Host with empty port", head("GET / HTTP/1.1", "Host: a.b:")},
	{"3.2 Host IPv6", head("GET / HTTP/1.1", "Host: [::ffff:1.2.3.4]:8080")},
	{"3.2 Host with escape", head("GET / HTTP/1.1", "hOST: caf%C3%A9.example")},
	{"3.2 Host in HTTP/1.0", head("GET / HTTP/1.0", "Host: a")},
	{"3.2.2 absolute-form", head("GET http://b/p HTTP/1.1", "Host: a")},
	{"3.2.3 authority-form", head("CONNECT b:443 HTTP/1.1", "Host: b:443")},
	{"3.2.4 asterisk-form", head("OPTIONS * HTTP/1.1", "Host: a")},
	{"5 no space behind the colon", get("X:y")},
	{"5 white space around the value", get("X: \t y\tz \t")},
	{"5 empty value", get("X:", "Y: \t")},
	{"5.5 obs-text", get("X: caf\xe9 \xff\x80")},
	{"5.5 colons in the value", get("X: a:b: c")},
	{"9110 5.3 every field that may come once", get("Authorization: a", "Proxy-Authorization: a", "Range: a", "If-Range: a",
		"Content-Range: a", "If-Modified-Since: a", "If-Unmodified-Since: a")},
	{"9110 5.3 lists on two lines", get("If-Match: a", "If-Match: b", "If-None-Match: *", "If-None-Match: a", "Accept: b", "Accept: c")},
	{"9110 8.3 two Content-Types", get("Content-Type: a/b", "Content-Type: a/b")},
	{"6.1 chunked", get("Transfer-Encoding: chunked")},
	{"6.1 chunked in any case", get("transfer-ENCODING: ChUnKeD")},
	{"6.2 content-length", get("Content-Length: 42")},
	{"6.2 content-length 0", get("Content-Length: 0")},
	{"6.2 leading zeros are digits", get("Content-Length: 00042")},
	{"6.2 the largest", get("Content-Length: 9223372036854775807")},
	{"9.3 close", get("Connection: close")},
	{"9.3 keep-alive in 1.0", head("GET / HTTP/1.0", "Connection: Keep-Alive")},
	{"9.3 list over lines", get("Connection: foo", "Connection: , close,")},
	{"6.6.2 trailers announced", get("Transfer-Encoding: chunked", "Trailer: X, Content-Lengths")},
	{"6.6.2 trailers announced without chunks", get("Trailer: Content-Length")},
	{"7.8 upgrade", get("Connection: keep-alive, Upgrade", "Upgrade: websocket")},
	{"7.8 upgrade to something else", get("Connection: upgrade", "Upgrade: foo")},
	{"10.1.1 expect", get("Expect: 100-Continue", "Content-Length: 3")},
	{"10.1.1 expect nothing", get("Expect:")},
	{"10.1.1 expect ignored in 1.0", head("POST / HTTP/1.0", "Expect: miracles", "Content-Length: 3")},
}

// badRequests are heads that must be refused. Early is how many of their bytes
// must suffice for that; 0 means the last line's end.
var badRequests = []struct {
	name, in string
	want     *Error
	early    int
}{
	{"2.2 bare LF behind the request line", "GET / HTTP/1.1\nHost: a\n\n", ErrBareLF, 15},
	{"2.2 bare LF behind a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", ErrBareLF, 24},
	{"2.2 bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", ErrBareLF, 26},
	{"2.2 bare LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ErrBareLF, 1},
	{"2.2 bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", ErrBareCR, 7},
	{"2.2 bare CR in a value", get("X: a\rb"), ErrBareCR, 0},
	{"2.2 two CRs", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", ErrBareCR, 16},
	{"2.2 three empty lines", "\r\n\r\n\r\n" + get(), ErrEmptyLines, 6},
	{"2.2 white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", ErrFold, 17},
	{"2.2 white space before the request", " " + get(), ErrMethod, 1},
	{"TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", ErrControl, 1},
	{"2.3 HTTP/2.0", head("GET / HTTP/2.0", "Host: a"), ErrUnsupportedVersion, 14},
	{"2.3 HTTP/2.5", head("GET / HTTP/2.5", "Host: a"), ErrUnsupportedVersion, 14},
	{"2.3 HTTP/0.9", head("GET / HTTP/0.9", "Host: a"), ErrUnsupportedVersion, 14},
	{"RFC 9113 3.4 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ErrUnsupportedVersion, 14},
	{"2.3 lower case", head("GET / http/1.1", "Host: a"), ErrVersion, 7},
	{"2.3 two digits", head("GET / HTTP/1.10", "Host: a"), ErrVersion, 15},
	{"2.3 two digits before the dot", head("GET / HTTP/01.1", "Host: a"), ErrVersion, 13},
	{"2.3 no minor", head("GET / HTTP/1", "Host: a"), ErrVersion, 0},
	{"2.3 letters", head("GET / HTTP/1.x", "Host: a"), ErrVersion, 14},
	{"2.3 another protocol", head("GET / RTSP/1.0", "Host: a"), ErrVersion, 7},
	{"2.3 no version", head("GET /", "Host: a"), ErrVersion, 7},
	{"2.3 empty version", head("GET / ", "Host: a"), ErrVersion, 8},
	{"3 two spaces before the target", head("GET  / HTTP/1.1", "Host: a"), ErrTarget, 5},
	{"3 two spaces before the version", head("GET /  HTTP/1.1", "Host: a"), ErrVersion, 7},
	{"3 tab between the parts", head("GET\t/ HTTP/1.1", "Host: a"), ErrMethod, 4},
	{"3 space behind the version", head("GET / HTTP/1.1 ", "Host: a"), ErrVersion, 15},
	{"3 space in the target", head("GET /a b HTTP/1.1", "Host: a"), ErrVersion, 8},
	{"3.1 no method", head("/ HTTP/1.1", "Host: a"), ErrMethod, 1},
	{"3.1 only a method", head("GET", "Host: a"), ErrMethod, 0},
	{"3.1 method that is no token", head("G(T / HTTP/1.1", "Host: a"), ErrMethod, 2},
	{"3.1 obs-text in the method", head("G\xe9T / HTTP/1.1", "Host: a"), ErrMethod, 2},
	{"3.2 no target", head("GET HTTP/1.1", "Host: a"), ErrVersion, 0},
	{"3.2 relative target", head("GET index.html HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2 fragment", head("GET /#top HTTP/1.1", "Host: a"), ErrTarget, 6},
	{"3.2 quote", head("GET /\" HTTP/1.1", "Host: a"), ErrTarget, 6},
	{"3.2 angle bracket", head("GET /<script> HTTP/1.1", "Host: a"), ErrTarget, 6},
	{"3.2 closing angle bracket", head("GET /> HTTP/1.1", "Host: a"), ErrTarget, 6},
	{"3.2 UTF-8 in the target", head("GET /caf\xc3\xa9 HTTP/1.1", "Host: a"), ErrTarget, 9},
	{"RFC 3986 3.3 bracket in the path", head("GET /a[1] HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"RFC 3986 3.4 bracket in the query", head("GET /?a[]=1 HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"RFC 3986 3.3 bracket in the path of an absolute-form", head("GET http://[::1]/a] HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"RFC 3986 3.4 bracket in the query of an absolute-form", head("GET http://[::1]?a[ HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"RFC 3986 2 backslash", head("GET /a\\b HTTP/1.1", "Host: a"), ErrTarget, 7},
	{"RFC 3986 2 caret", head("GET /?^ HTTP/1.1", "Host: a"), ErrTarget, 7},
	{"RFC 3986 2 back quote", head("GET /` HTTP/1.1", "Host: a"), ErrTarget, 6},
	{"RFC 3986 2 brace", head("GET /{a} HTTP/1.1", "Host: a"), ErrTarget, 6},
	{"RFC 3986 2 pipe", head("GET http://a/| HTTP/1.1", "Host: a"), ErrTarget, 14},
	{"3.2 DEL in the target", head("GET /\x7f HTTP/1.1", "Host: a"), ErrControl, 6},
	{"3.2 tab in the target", head("GET /\t HTTP/1.1", "Host: a"), ErrTarget, 6},
	{"RFC 3986 2.1 short escape", head("GET /%4 HTTP/1.1", "Host: a"), ErrEscape, 0},
	{"RFC 3986 2.1 escape without hex", head("GET /%zz HTTP/1.1", "Host: a"), ErrEscape, 0},
	{"RFC 3986 2.1 escape in the query", head("GET /?a=100% HTTP/1.1", "Host: a"), ErrEscape, 0},
	{"RFC 3986 2.1 escape in the query of an absolute-form", head("GET http://a?%zz HTTP/1.1", "Host: a"), ErrEscape, 0},
	{"RFC 3986 2.1 escape in an absolute-form", head("GET http://a/% HTTP/1.1", "Host: a"), ErrEscape, 0},
	{"3.2.2 other scheme", head("GET ftp://a/ HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.2 no authority", head("GET http:///x HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.2 nothing behind the slashes", head("GET http:// HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.2 only a port", head("GET http://:80/ HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"9110 4.2.4 userinfo", head("GET http://u:p@a/ HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"9110 4.2.4 user", head("GET http://u@a/ HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.3 CONNECT with a path", head("CONNECT /x HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.3 CONNECT without port", head("CONNECT a HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.3 CONNECT with empty port", head("CONNECT a: HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.3 CONNECT with port out of range", head("CONNECT a:65536 HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.3 CONNECT with a URI", head("CONNECT http://a:80/ HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.3 authority-form with GET", head("GET a:80 HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.4 asterisk-form with GET", head("GET * HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2.4 more than the asterisk", head("OPTIONS *x HTTP/1.1", "Host: a"), ErrTarget, 0},
	{"3.2 no Host", head("GET / HTTP/1.1", "X: y"), ErrHost, 0},
	{"3.2 no Host with absolute-form", head("GET http://a/ HTTP/1.1"), ErrHost, 0},
	{"3.2 two Hosts", get("Host: b"), ErrHost, 0},
	{"3.2 two equal Hosts", get("Host: a"), ErrHost, 0},
	{"3.2 two Hosts in 1.0", head("GET / HTTP/1.0", "Host: a", "host: a"), ErrHost, 0},
	{"3.2 two empty Hosts", head("GET / HTTP/1.1", "Host:", "Host:"), ErrHost, 0},
	{"3.2 Host with a path", head("GET / HTTP/1.1", "Host: a/b"), ErrHost, 0},
	{"3.2 Host with userinfo", head("GET / HTTP/1.1", "Host: u@a"), ErrHost, 0},
	{"3.2 Host with a space", head("GET / HTTP/1.1", "Host: a b"), ErrHost, 0},
	{"3.2 Host with only a port", head("GET / HTTP/1.1", "Host: :80"), ErrHost, 0},
	{"3.2 Host with a bad port", head("GET / HTTP/1.1", "Host: a:8x"), ErrHost, 0},
	{"3.2 Host with a bad escape", head("GET / HTTP/1.1", "Host: a%4"), ErrHost, 0},
	{"3.2 Host with an open bracket", head("GET / HTTP/1.1", "Host: [::1"), ErrHost, 0},
	{"5.1 space before the colon", get("Foo : bar"), ErrFieldName, len("GET / HTTP/1.1\r\nHost: a\r\nFoo ")},
	{"5.1 tab before the colon", get("Foo\t: bar"), ErrFieldName, 0},
	{"5.1 no name", get(": bar"), ErrFieldName, len("GET / HTTP/1.1\r\nHost: a\r\n:")},
	{"5.1 no colon", get("Foo"), ErrFieldName, 0},
	{"5.1 name that is no token", get("F(o: bar"), ErrFieldName, 0},
	{"5.1 obs-text in the name", get("F\xe9: bar"), ErrFieldName, 0},
	{"9110 5.3 two Authorization", get("Authorization: a", "X: y", "authorization: a"), ErrRepeated, 0},
	{"9110 5.3 two Proxy-Authorization", get("Proxy-Authorization: a", "X: y", "proxy-authorization: a"), ErrRepeated, 0},
	{"9110 5.3 two Range", get("Range: a", "X: y", "range: a"), ErrRepeated, 0},
	{"9110 5.3 two If-Range", get("If-Range: a", "X: y", "if-range: a"), ErrRepeated, 0},
	{"9110 5.3 two Content-Range", get("Content-Range: a", "X: y", "content-range: a"), ErrRepeated, 0},
	{"9110 5.3 two If-Modified-Since", get("If-Modified-Since: a", "X: y", "if-modified-since: a"), ErrRepeated, 0},
	{"9110 5.3 two If-Unmodified-Since", get("If-Unmodified-Since: a", "X: y", "if-unmodified-since: a"), ErrRepeated, 0},
	{"5.2 obs-fold", get("X: a", " b"), ErrFold, len("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n ")},
	{"5.2 obs-fold with a tab", get("X: a", "\tb"), ErrFold, 0},
	{"5.2 line of white space only", get(" "), ErrFold, 0},
	{"5.5 NUL", get("X: a\x00b"), ErrControl, len("GET / HTTP/1.1\r\nHost: a\r\nX: a\x00")},
	{"5.5 control character", get("X: a\x0bb"), ErrControl, 0},
	{"5.5 DEL", get("X: a\x7fb"), ErrControl, 0},
	{"6.1 TE in 1.0", head("POST / HTTP/1.0", "Transfer-Encoding: chunked"), ErrTransferEncoding, 0},
	{"6.1 CL then TE", get("Content-Length: 5", "Transfer-Encoding: chunked"), ErrTwoLengths, 0},
	{"6.1 TE then CL", get("Transfer-Encoding: chunked", "Content-Length: 5"), ErrTwoLengths, 0},
	{"6.1 unknown TE and CL", get("Transfer-Encoding: gzip", "Content-Length: 5"), ErrTwoLengths, 0},
	{"6.1 chunked twice", get("Transfer-Encoding: chunked, chunked"), ErrTransferEncoding, 0},
	{"6.1 chunked twice on two lines", get("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), ErrTransferEncoding, 0},
	{"6.1 chunked not last", get("Transfer-Encoding: chunked, gzip"), ErrTransferEncoding, 0},
	{"6.1 chunked not last on two lines", get("Transfer-Encoding: chunked", "Transfer-Encoding: gzip"), ErrTransferEncoding, 0},
	{"6.1 gzip, chunked", get("Transfer-Encoding: gzip, chunked"), ErrCoding, 0},
	{"6.1 gzip, chunked on two lines", get("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), ErrCoding, 0},
	{"6.1 gzip, chunked, chunked", get("Transfer-Encoding: gzip, chunked, chunked"), ErrTransferEncoding, 0},
	{"6.1 gzip with a parameter", get("Transfer-Encoding: gzip;q=1, chunked"), ErrCoding, 0},
	{"6.1 xchunked", get("Transfer-Encoding: xchunked"), ErrCoding, 0},
	{"6.1 identity", get("Transfer-Encoding: identity"), ErrCoding, 0},
	{"6.1 empty", get("Transfer-Encoding:"), ErrTransferEncoding, 0},
	{"6.1 empty element", get("Transfer-Encoding: , chunked"), ErrTransferEncoding, 0},
	{"6.1 two words", get("Transfer-Encoding: chunked x"), ErrTransferEncoding, 0},
	{"6.1 quoted", get("Transfer-Encoding: \"chunked\""), ErrTransferEncoding, 0},
	{"7.1 chunked with a parameter", get("Transfer-Encoding: chunked;x=1"), ErrTransferEncoding, 0},
	{"6.3 two different CL", get("Content-Length: 5", "Content-Length: 6"), ErrContentLength, 0},
	{"9110 6.5.1 trailers announced that frame", get("Transfer-Encoding: chunked", "Trailer: X, content-length"), ErrTrailer, 0},
	{"9110 6.5.1 ... before the chunks are", get("Trailer: Transfer-Encoding", "Trailer: X", "Transfer-Encoding: chunked"), ErrTrailer, 0},
	{"9110 6.5.1 trailers that announce others", get("Transfer-Encoding: chunked", "Trailer: trailer"), ErrTrailer, 0},
	{"6.3 two equal CL", get("Content-Length: 5", "Content-Length: 5"), ErrContentLength, 0},
	{"6.3 list in CL", get("Content-Length: 5, 5"), ErrContentLength, 0},
	{"6.3 letters in CL", get("Content-Length: 5abc"), ErrContentLength, 0},
	{"6.3 plus in CL", get("Content-Length: +3"), ErrContentLength, 0},
	{"6.3 minus in CL", get("Content-Length: -5"), ErrContentLength, 0},
	{"6.3 hex in CL", get("Content-Length: 0x5"), ErrContentLength, 0},
	{"6.3 empty CL", get("Content-Length:"), ErrContentLength, 0},
	{"6.3 space in CL", get("Content-Length: 1 0"), ErrContentLength, 0},
	{"6.3 CL over int64", get("Content-Length: 9223372036854775808"), ErrContentLength, 0},
	{"6.3 CL over uint64", get("Content-Length: 18446744073709551621"), ErrContentLength, 0},
	{"9110 10.1.1 other expectation", get("Expect: miracles"), ErrExpectation, 0},
	{"9110 10.1.1 two expectations", get("Expect: 100-continue, x"), ErrExpectation, 0},
}

func TestGoodRequestsAreRead(t *testing.T) {
	for _, c := range goodRequests {
		t.Run(c.name, func(t *testing.T) { parse(t, c.in) })
	}
}

var strict = &Limits{StrictTarget: true}

func TestBadRequestsAreRefused(t *testing.T) {
	for _, c := range badRequests {
		t.Run(c.name, func(t *testing.T) {
			n, err := ParseRequest([]byte(c.in), new(Request), strict)
			if n != 0 || err != c.want {
				t.Errorf("ParseRequest(%q) = %d, %v, want %v", c.in, n, err, c.want)
			}
			if !c.want.Remote || c.want.Status < 400 {
				t.Errorf("%v blames %v with status %d", c.want, c.want.Remote, c.want.Status)
			}
		})
	}
}

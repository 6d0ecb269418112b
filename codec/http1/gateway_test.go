package http1

import (
	"fmt"
	"strings"
	"testing"
)

// What a gateway gets from its upstreams: whole connections, as a client reads them,
// with the strictness without which an upstream could answer for another one.

// heard tells every response that in begins with, and what stops the reading: the
// first error, or that of the end if it comes inside of one.
func heard(t *testing.T, in, method string, size func() int) (told string, err error) {
	a := &arrival{in: []byte(in), size: size}
	for {
		var r Response
		ok, err := a.head(func(b []byte) (int, error) { return ParseResponse(b, &r, nil) })
		switch {
		case err != nil:
			return told, err
		case !ok && a.at == len(in):
			return told, nil
		case !ok:
			return told, ErrUnexpectedEOF
		}
		framing, err := r.Framing(method)
		if err != nil {
			return told, err
		}
		data, trailer, ok, err := a.body(t, framing)
		if err != nil {
			return told, err
		}
		told += fmt.Sprintf("[%d %s %q", r.Status(), framing.Kind, data)
		for name := range trailer {
			told += " " + name
		}
		if !ok {
			return told, ErrUnexpectedEOF
		}
		told += "]"
	}
}

const chunkedOK = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

// upstreams are connections, named by their rule. Method is GET if it is empty.
var upstreams = []struct {
	name, method, in string
	want             string // the last one without its bracket if the input ends inside of it
	err              error
}{
	{"6.3 a length", "", ok200("Content-Length: 2") + "hi", `[200 content length "hi"]`, nil},
	{"6.3 two responses", "", ok200("Content-Length: 2") + "hi" + ok200("Content-Length: 1") + "x", `[200 content length "hi"][200 content length "x"]`, nil},
	{"6.3 chunks", "", chunkedOK + "2\r\nhi\r\n0\r\n\r\n" + ok200("Content-Length: 0"), `[200 chunked "hi"][200 content length ""]`, nil},
	{"6.3 until the connection's end", "", ok200() + "hi\r\n", `[200 until close "hi\r\n"]`, nil},
	{"6.3 until the end, with nothing", "", ok200(), `[200 until close ""]`, nil},
	{"6.3 until the end in HTTP/1.0 with keep-alive", "", head("HTTP/1.0 200 OK", "Connection: keep-alive") + "hi", `[200 until close "hi"]`, nil},
	{"6.3 HEAD has no body, whatever the length", "HEAD", ok200("Content-Length: 5") + ok200("Transfer-Encoding: chunked"), `[200 no body ""][200 no body ""]`, nil},
	{"6.3 HEAD without a length has none either", "HEAD", ok200() + ok200(), `[200 no body ""][200 no body ""]`, nil},
	{"6.3 a body of HEAD is the next response's beginning", "HEAD", ok200("Content-Length: 5") + "hello", `[200 no body ""]`, ErrVersion},
	{"6.3 204", "", head("HTTP/1.1 204 No Content") + ok200("Content-Length: 0"), `[204 no body ""][200 content length ""]`, nil},
	{"6.3 204 with a length", "", head("HTTP/1.1 204 No Content", "Content-Length: 5") + ok200("Content-Length: 0"), `[204 no body ""][200 content length ""]`, nil},
	{"6.3 204 with chunks has none", "", head("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked") + "0;extension\r\n\r\n", `[204 no body ""]`, ErrVersion},
	{"6.3 304 with a length", "", head("HTTP/1.1 304 Not Modified", "Content-Length: 5") + ok200("Content-Length: 0"), `[304 no body ""][200 content length ""]`, nil},
	{"6.3 2xx to CONNECT ends the HTTP", "CONNECT", ok200("Content-Length: 5"), `[200 no body ""]`, nil},
	{"6.3 CONNECT refused has a body", "CONNECT", head("HTTP/1.1 403 Forbidden", "Content-Length: 2") + "no", `[403 content length "no"]`, nil},
	{"15.2 100 and the answer", "", head("HTTP/1.1 100 Continue") + ok200("Content-Length: 0"), `[100 no body ""][200 content length ""]`, nil},
	{"15.2 a length in 1xx means nothing", "", head("HTTP/1.1 103 Early Hints", "Content-Length: 5") + ok200("Content-Length: 0"), `[103 no body ""][200 content length ""]`, nil},
	{"15.2 many interim responses", "", strings.Repeat(head("HTTP/1.1 102 Processing"), 20) + ok200("Content-Length: 0"), strings.Repeat(`[102 no body ""]`, 20) + `[200 content length ""]`, nil},
	{"15.2 101 ends the HTTP", "", head("HTTP/1.1 101 Switching Protocols", "Upgrade: x", "Connection: upgrade"), `[101 no body ""]`, nil},
	{"15 an unknown status is one of its class", "", head("HTTP/1.1 499 x", "Content-Length: 0"), `[499 content length ""]`, nil},
	{"7.1.2 trailers", "", chunkedOK + "0\r\nX-Sum: 5\r\n\r\n", `[200 chunked "" X-Sum]`, nil},
	{"7.1.1 extensions", "", chunkedOK + "2;a=\"b\"\r\nhi\r\n0;c\r\n\r\n", `[200 chunked "hi"]`, nil},
	{"9.6 nothing behind a response", "", ok200("Content-Length: 2") + "hi\r\n", `[200 content length "hi"]`, ErrStatusLine},
	{"9.2 more data than the length", "", ok200("Content-Length: 2") + "hi!", `[200 content length "hi"]`, ErrVersion},
	{"8 the end inside a length", "", ok200("Content-Length: 5") + "hi", `[200 content length "hi"`, ErrUnexpectedEOF},
	{"8 the end inside a chunk", "", chunkedOK + "5\r\nhi", `[200 chunked "hi"`, ErrUnexpectedEOF},
	{"8 the end before the last chunk", "", chunkedOK + "2\r\nhi\r\n", `[200 chunked "hi"`, ErrUnexpectedEOF},
	{"8 the end inside the last chunk", "", chunkedOK + "2\r\nhi\r\n0\r\n", `[200 chunked "hi"`, ErrUnexpectedEOF},
	{"8 the end inside trailers", "", chunkedOK + "0\r\nX: y\r\n", `[200 chunked ""`, ErrUnexpectedEOF},
	{"8 the end inside a head", "", "HTTP/1.1 200 OK\r\nContent-Len", "", ErrUnexpectedEOF},
	{"8 the end inside a status line", "", "HTTP/1.1 2", "", ErrUnexpectedEOF},
	{"8 the end behind an interim response", "", head("HTTP/1.1 100 Continue") + "HTTP", `[100 no body ""]`, ErrUnexpectedEOF},

	{"2.2 bare LF behind the status line", "", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "", ErrBareLF},
	{"2.2 bare LF behind a field", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", "", ErrBareLF},
	{"2.2 bare LF at the end", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n", "", ErrBareLF},
	{"2.2 bare LFs only", "", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", "", ErrBareLF},
	{"2.2 bare CR in a value", "", ok200("X: a\rContent-Length: 5"), "", ErrBareCR},
	{"2.2 CR CR LF", "", "HTTP/1.1 200 OK\r\r\n\r\n", "", ErrBareCR},
	{"2.2 an empty line before the status line", "", "\r\n" + ok200(), "", ErrStatusLine},
	{"2.2 white space before the first field", "", "HTTP/1.1 200 OK\r\n X: y\r\n\r\n", "", ErrFold},
	{"2.3 HTTP/0.9", "", "<html>hello</html>", "", ErrVersion},
	{"2.3 HTTP/2.0", "", head("HTTP/2.0 200 OK"), "", ErrUnsupportedVersion},
	{"2.3 HTTP/1.10", "", head("HTTP/1.10 200 OK"), "", ErrStatusLine},
	{"2.3 HTTP/1,1", "", head("HTTP/1,1 200 OK"), "", ErrVersion},
	{"2.3 a space before the version", "", " " + ok200(), "", ErrVersion},
	{"2.3 frames of HTTP/2", "", "\x00\x00\x12\x04\x00\x00\x00\x00\x00", "", ErrControl},
	{"2.3 an alert of TLS", "", "\x15\x03\x01\x00\x02\x02\x46", "", ErrControl},
	{"4 no status", "", head("HTTP/1.1 OK"), "", ErrStatusLine},
	{"4 status 0", "", head("HTTP/1.1 000 OK"), "", ErrStatusLine},
	{"4 status 600", "", head("HTTP/1.1 600 OK"), "", ErrStatusLine},
	{"4 status of four digits", "", head("HTTP/1.1 2000 OK"), "", ErrStatusLine},
	{"4 signed status", "", head("HTTP/1.1 +20 OK"), "", ErrStatusLine},
	{"4 status with a point", "", head("HTTP/1.1 403.7 No"), "", ErrStatusLine},
	{"4 hexadecimal status", "", head("HTTP/1.1 0xC OK"), "", ErrStatusLine},
	{"4 two spaces before the status", "", head("HTTP/1.1  200 OK"), "", ErrStatusLine},
	{"4 an endless phrase", "", "HTTP/1.1 200 " + strings.Repeat("x", 20_000), "", ErrStatusLine},
	{"4 control characters in the phrase", "", head("HTTP/1.1 200 \x1b[31m"), "", ErrControl},
	{"5 no colon", "", ok200("X"), "", ErrFieldName},
	{"5 no name", "", ok200(": y"), "", ErrFieldName},
	{"5.1 a space before the colon", "", ok200("Content-Length : 2") + "hi", "", ErrFieldName},
	{"5.1 a space in the name", "", ok200("Content Length: 2") + "hi", "", ErrFieldName},
	{"5.1 obs-text in the name", "", ok200("X\xe9: y"), "", ErrFieldName},
	{"5.2 a folded value", "", ok200("X: a", " b"), "", ErrFold},
	{"5.2 a folded length", "", ok200("Content-Length: 1", " 0") + "0123456789", "", ErrFold},
	{"5.5 NUL in a value", "", ok200("X: a\x00b"), "", ErrControl},
	{"5.5 DEL in a value", "", ok200("X: \x7f"), "", ErrControl},
	{"6585 5 an endless value", "", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 20_000), "", ErrHeadTooLarge},
	{"6585 5 too many fields", "", ok200(strings.TrimSuffix(strings.Repeat("X: y\r\n", 101), "\r\n")), "", ErrTooManyFields},

	{"6.3 two different lengths", "", ok200("Content-Length: 2", "Content-Length: 3") + "hi!", "", ErrContentLength},
	{"6.3 two equal lengths", "", ok200("Content-Length: 2", "Content-Length: 2") + "hi", "", ErrContentLength},
	{"6.3 a list of lengths", "", ok200("Content-Length: 2, 2") + "hi", "", ErrContentLength},
	{"6.3 a negative length", "", ok200("Content-Length: -2") + "hi", "", ErrContentLength},
	{"6.3 a signed length", "", ok200("Content-Length: +2") + "hi", "", ErrContentLength},
	{"6.3 an empty length", "", ok200("Content-Length:") + "hi", "", ErrContentLength},
	{"6.3 a hexadecimal length", "", ok200("Content-Length: 0x2") + "hi", "", ErrContentLength},
	{"6.3 a length and a word", "", ok200("Content-Length: 2 bytes") + "hi", "", ErrContentLength},
	{"6.3 2^63", "", ok200("Content-Length: 9223372036854775808"), "", ErrContentLength},
	{"6.3 2^64 + 2", "", ok200("Content-Length: 18446744073709551618") + "hi", "", ErrContentLength},
	{"6.3 a bad length in a response to HEAD", "HEAD", ok200("Content-Length: x"), "", ErrContentLength},
	{"6.3 a bad length in 204", "", head("HTTP/1.1 204 No Content", "Content-Length: x"), "", ErrContentLength},
	{"6.3 a length and chunks", "", ok200("Content-Length: 2", "Transfer-Encoding: chunked") + "2\r\nhi\r\n0\r\n\r\n", "", ErrTwoLengths},
	{"6.3 chunks and a length", "", ok200("Transfer-Encoding: chunked", "Content-Length: 2") + "2\r\nhi\r\n0\r\n\r\n", "", ErrTwoLengths},
	{"6.3 both in a response to HEAD", "HEAD", ok200("Transfer-Encoding: chunked", "Content-Length: 2"), "", ErrTwoLengths},
	{"6.1 chunks in HTTP/1.0", "", head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked") + "0\r\n\r\n", "", ErrTransferEncoding},
	{"6.1 chunked twice", "", ok200("Transfer-Encoding: chunked, chunked"), "", ErrTransferEncoding},
	{"6.1 chunked and then gzip", "", ok200("Transfer-Encoding: chunked, gzip"), "", ErrTransferEncoding},
	{"6.1 gzip and then chunked", "", ok200("Transfer-Encoding: gzip, chunked"), "", ErrCoding},
	{"6.1 gzip", "", ok200("Transfer-Encoding: gzip"), "", ErrCoding},
	{"6.1 identity", "", ok200("Transfer-Encoding: identity") + "hi", "", ErrCoding},
	{"6.1 identity and a length", "", ok200("Transfer-Encoding: identity", "Content-Length: 2") + "hi", "", ErrTwoLengths},
	{"6.1 xchunked", "", ok200("Transfer-Encoding: xchunked"), "", ErrCoding},
	{"6.1 an empty coding", "", ok200("Transfer-Encoding:"), "", ErrTransferEncoding},
	{"6.1 a vertical tab before chunked", "", ok200("Transfer-Encoding: \x0bchunked"), "", ErrControl},
	{"7.1 no size", "", chunkedOK + "\r\nhi\r\n", "", ErrChunk},
	{"7.1 a size of letters", "", chunkedOK + "zz\r\n", "", ErrChunk},
	{"7.1 0x", "", chunkedOK + "0x2\r\nhi\r\n", "", ErrChunk},
	{"7.1 a space behind the size", "", chunkedOK + "2 \r\nhi\r\n", "", ErrChunk},
	{"7.1 2^64 + 2", "", chunkedOK + "10000000000000002\r\nhi\r\n", "", ErrChunk},
	{"7.1 bare LF behind the size", "", chunkedOK + "2\nhi\r\n", "", ErrChunk},
	{"7.1 bare LF behind the data", "", chunkedOK + "2\r\nhi\n0\r\n\r\n", "", ErrChunk},
	{"7.1 bare LF at the end", "", chunkedOK + "0\r\n\n", "", ErrBareLF},
	{"7.1 more data than the size", "", chunkedOK + "2\r\nhi!\r\n", "", ErrChunk},
	{"7.1 the next response for a chunk", "", chunkedOK + ok200(), "", ErrChunk},
	{"7.1 the next response for a trailer", "", chunkedOK + "0\r\n" + ok200(), "", ErrFieldName},
	{"7.1.1 an endless extension", "", chunkedOK + "2;" + strings.Repeat("x", 20_000), "", ErrChunkOverhead},
	{"6.5.1 a length for a trailer", "", chunkedOK + "0\r\nContent-Length: 2\r\n\r\n", "", ErrTrailer},
	{"6.5.1 a cookie for a trailer", "", chunkedOK + "0\r\nSet-Cookie: a=b\r\n\r\n", "", ErrTrailer},
	{"6.5.1 Trailer announces a length", "", ok200("Transfer-Encoding: chunked", "Trailer: content-length"), "", ErrTrailer},
	{"6585 5 endless trailers", "", chunkedOK + "0\r\n" + strings.Repeat("X: y\r\n", 5000), "", ErrTrailerTooLarge},
}

func TestUpstreams(t *testing.T) {
	for _, c := range upstreams {
		t.Run(c.name, func(t *testing.T) {
			method := c.method
			if method == "" {
				method = "GET"
			}
			for _, n := range []int{1 << 30, 1, 2, 7, 100} {
				told, err := heard(t, c.in, method, pieces(n))
				equal(t, fmt.Sprintf("in pieces of %d", n), told, c.want)
				equal(t, fmt.Sprintf("error in pieces of %d", n), err, c.err)
			}
		})
	}
}

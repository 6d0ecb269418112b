package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestRequestsOfNetHTTPAreRead takes what the standard client writes.
func TestRequestsOfNetHTTPAreRead(t *testing.T) {
	for _, c := range []struct {
		name, method, url, body string
		known                   bool // the body's length
		want                    Framing
	}{
		{"GET", "GET", "http://a.b:81/p/q?x=y#frag", "", true, Framing{}},
		{"GET of a path that needs escapes", "GET", "http://a/two words/é", "", true, Framing{}},
		{"HEAD", "HEAD", "http://a/", "", true, Framing{}},
		{"POST", "POST", "http://a/", "hello", true, Framing{ContentLength, 5}},
		{"POST of nothing", "POST", "http://a/", "", true, Framing{ContentLength, 0}},
		{"POST of unknown length", "POST", "http://a/", "hello", false, Framing{Kind: Chunked}},
		{"OPTIONS", "OPTIONS", "http://[::1]/x", "", true, Framing{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var body io.Reader = strings.NewReader(c.body)
			if !c.known {
				body = io.MultiReader(body)
			}
			theirs, err := http.NewRequest(c.method, c.url, body)
			if err != nil {
				t.Fatal(err)
			}
			var wire bytes.Buffer
			if err := theirs.Write(&wire); err != nil {
				t.Fatal(err)
			}
			var r Request
			n, err := ParseRequest(wire.Bytes(), &r, nil)
			if n == 0 || err != nil {
				t.Fatalf("%d, %v for %q", n, err, wire.String())
			}
			equal(t, "method", string(r.Method()), c.method)
			equal(t, "host", string(r.Host()), theirs.URL.Host)
			equal(t, "target", string(r.Target()), theirs.URL.RequestURI())
			equal(t, "framing", r.Framing(), c.want)
			got := drain(t, r.Framing(), nil, wire.String()[n:], pieces(3))
			equal(t, "body", got, outcome{data: c.body, used: wire.Len() - n, done: true})
		})
	}
}

// TestResponsesOfNetHTTPAreRead takes what the standard server side writes.
func TestResponsesOfNetHTTPAreRead(t *testing.T) {
	for _, c := range []struct {
		name    string
		status  int
		length  int64
		chunked bool
		body    string
		want    Framing
	}{
		{"length", 200, 5, false, "hello", Framing{ContentLength, 5}},
		{"length 0", 200, 0, false, "", Framing{ContentLength, 0}},
		{"chunked", 404, -1, true, "hello", Framing{Kind: Chunked}},
		{"until close", 200, -1, false, "hello", Framing{Kind: UntilClose}},
		{"no content", 204, 0, false, "", Framing{}},
		{"unknown status", 299, 5, false, "hello", Framing{ContentLength, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			theirs := &http.Response{
				StatusCode: c.status, ProtoMajor: 1, ProtoMinor: 1, ContentLength: c.length,
				Header: http.Header{"X-A": {"1", "2"}}, Body: io.NopCloser(strings.NewReader(c.body)),
			}
			if c.chunked {
				theirs.TransferEncoding = []string{"chunked"}
			}
			var wire bytes.Buffer
			if err := theirs.Write(&wire); err != nil {
				t.Fatal(err)
			}
			var r Response
			n, err := ParseResponse(wire.Bytes(), &r, nil)
			if n == 0 || err != nil {
				t.Fatalf("%d, %v for %q", n, err, wire.String())
			}
			framing, err := r.Framing("GET")
			equal(t, "framing", framing, c.want)
			equal(t, "error", err, nil)
			equal(t, "status", r.Status(), c.status)
			equal(t, "fields", r.Header().Count("x-a"), 2)
			got := drain(t, framing, nil, wire.String()[n:], pieces(3))
			equal(t, "body", got.data, c.body)
			equal(t, "used", got.used, wire.Len()-n)
		})
	}
}

// TestNetHTTPReadsOurResponses sends the other way.
func TestNetHTTPReadsOurResponses(t *testing.T) {
	for status := 100; status < 600; status++ {
		b := AppendStatusLine(nil, status)
		b = AppendField(b, "Transfer-Encoding", "chunked")
		b = AppendField(b, "Trailer", "X-Sum")
		b = AppendEnd(b)
		b = AppendChunk(b, []byte("hello"))
		b = AppendTrailer(b, Field{"X-Sum", "5"})
		theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(theirs.Body)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "status", theirs.StatusCode, status)
		equal(t, "phrase", strings.TrimPrefix(theirs.Status, theirs.Status[:4]), StatusText(status))
		f, err := parseResponse(t, string(b[:bytes.Index(b, []byte("\r\n\r\n"))+4])).Framing("GET")
		equal(t, "error", err, nil)
		equal(t, "body", string(data), map[bool]string{true: "hello"}[f.Kind == Chunked])
		if f.Kind == Chunked {
			equal(t, "trailer", theirs.Trailer.Get("X-Sum"), "5")
		}
	}
}

// TestHeadsFromTheWild are requests and responses as programs send them.
func TestHeadsFromTheWild(t *testing.T) {
	for name, in := range map[string]string{
		"curl":     head("GET / HTTP/1.1", "Host: localhost:7681", "User-Agent: curl/8.5.0", "Accept: */*"),
		"curl h2c": head("GET / HTTP/1.1", "Host: localhost", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
		"ab":       head("GET / HTTP/1.0", "Connection: Keep-Alive", "Host: 127.0.0.1:80", "User-Agent: ApacheBench/2.3", "Accept: */*"),
		"wget":     head("GET /x HTTP/1.1", "Host: a", "User-Agent: Wget/1.21.4", "Accept: */*", "Accept-Encoding: identity", "Connection: Keep-Alive"),
		"Chrome to ws": head("GET /chat HTTP/1.1", "Host: a:7681", "Connection: Upgrade", "Pragma: no-cache", "Cache-Control: no-cache",
			"User-Agent: Mozilla/5.0", "Upgrade: websocket", "Origin: http://a:7681", "Sec-WebSocket-Version: 13",
			"Accept-Encoding: gzip, deflate, br", "Accept-Language: en", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
			"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "Sec-WebSocket-Protocol: chat, superchat"),
		"health check":  head("GET /healthz HTTP/1.0"),
		"proxy CONNECT": head("CONNECT a.example:443 HTTP/1.1", "Host: a.example:443", "Proxy-Connection: Keep-Alive"),
		"python":        head("POST /u HTTP/1.1", "Host: a", "Accept-Encoding: identity", "Content-Length: 3", "User-Agent: Python-urllib/3.12", "Connection: close"),
	} {
		t.Run(name, func(t *testing.T) { parse(t, in) })
	}
	for name, in := range map[string]string{
		"nginx":      ok200("Server: nginx/1.24.0", "Date: Sun, 06 Nov 1994 08:49:37 GMT", "Content-Type: text/html", "Content-Length: 615", "ETag: \"65a1\"", "Accept-Ranges: bytes"),
		"IIS":        ok200("Cache-Control: private", "Transfer-Encoding: chunked", "Server: Microsoft-IIS/10.0", "X-AspNet-Version: 4.0.30319", "P3P: CP=\"NOI CUR\""),
		"no phrase":  head("HTTP/1.1 200", "Content-Length: 0"),
		"old server": head("HTTP/1.0 200 OK", "Server: SimpleHTTP/0.6 Python/3.12", "Content-type: text/html; charset=utf-8"),
		"cookies":    ok200("Set-Cookie: a=b; Path=/; HttpOnly", "Set-Cookie: c=d; Expires=Wed, 09 Jun 2021 10:18:14 GMT"),
		"hints":      head("HTTP/1.1 103 Early Hints", "Link: </style.css>; rel=preload; as=style"),
	} {
		t.Run(name, func(t *testing.T) { parseResponse(t, in) })
	}
}

package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// ask sends request and returns the response to it, whole.
func ask(t *testing.T, c *wstest.Conn, request string) (*http.Response, string) {
	t.Helper()
	c.Send(request)
	method, _, _ := strings.Cut(request, " ")
	return c.Body(method)
}

func TestPage(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	resp, body := ask(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if body != string(page) || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%d bytes, %v", len(body), resp.Header)
	}
	resp, body = ask(t, c, "GET /?a=b HTTP/1.1\r\nHost: h\r\n\r\n")
	if body != string(page) {
		t.Errorf("with a query: %s, %d bytes", resp.Status, len(body))
	}
}

var date = regexp.MustCompile(`\r\nDate: (\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT)\r\n`)

func TestPlainIsExact(t *testing.T) {
	plainIsExact(t, wstest.Connect(t, wstest.Serve(t, run).Addr))
}

func plainIsExact(t *testing.T, c *wstest.Conn) {
	t.Helper()
	for range 2 { // the connection goes on
		c.Send("GET /plain HTTP/1.1\r\nHost: h\r\n\r\n")
		head := ""
		for !strings.HasSuffix(head, "\r\n\r\n") {
			b, err := c.R.ReadByte()
			if err != nil {
				t.Fatal(err)
			}
			head += string(b)
		}
		c.Expect("Hello, World!")
		want := "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
		if got := date.ReplaceAllString(head, "\r\nDate: x\r\n"); got != want {
			t.Errorf("got %q", head)
		}
		if _, err := http.ParseTime(date.FindStringSubmatch(head)[1]); err != nil {
			t.Error(err)
		}
	}
}

func TestHead(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	for path, length := range map[string]int{"/": len(page), "/plain": 13, "/other": 0} {
		resp, body := ask(t, c, "HEAD "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		if resp.StatusCode != 200 || body != "" || resp.ContentLength != int64(length) {
			t.Errorf("%s: %s, length %d", path, resp.Status, resp.ContentLength)
		}
	}
	if _, body := ask(t, c, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"); body != "Hello, World!" {
		t.Errorf("the next answer is %q", body)
	}
}

func TestHeadWithBody(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	for _, body := range []string{"Content-Length: 5\r\n\r\nabcde", "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"} {
		if resp, got := ask(t, c, "HEAD /echo HTTP/1.1\r\nHost: h\r\n"+body); resp.StatusCode != 200 || got != "" {
			t.Errorf("%s %q", resp.Status, got)
		}
	}
	if _, body := ask(t, c, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"); body != "Hello, World!" {
		t.Errorf("the next answer is %q", body)
	}
}

func TestAllMethodsEcho(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET"} {
		for _, path := range []string{"/echo", "/plain", "/"} {
			request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody", method, path)
			resp, body := ask(t, c, request)
			if body != "body" || resp.ContentLength != 4 || resp.Header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("%s %s: %s %q", method, path, resp.Status, body)
			}
		}
	}
}

func TestNoBodyEchoesNothing(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	for _, line := range []string{"GET /other", "POST /echo", "PUT /x", "DELETE /x", "OPTIONS *"} {
		for _, length := range []string{"", "Content-Length: 0\r\n"} {
			resp, body := ask(t, c, line+" HTTP/1.1\r\nHost: h\r\n"+length+"\r\n")
			if resp.StatusCode != 200 || body != "" || resp.ContentLength != 0 {
				t.Errorf("%s %q: %s %q", line, length, resp.Status, body)
			}
			if strings.HasPrefix(line, "OPTIONS") != strings.Contains(resp.Header.Get("Allow"), "OPTIONS") {
				t.Errorf("%s: Allow is %q", line, resp.Header.Get("Allow"))
			}
		}
	}
}

// A tunnel would lead nowhere, and what follows is not for HTTP.
func TestMethodsThatAreNotAllowed(t *testing.T) {
	p := wstest.Serve(t, run)
	for _, line := range []string{"CONNECT h:443", "TRACE /plain"} {
		c := wstest.Connect(t, p.Addr)
		resp, _ := ask(t, c, line+" HTTP/1.1\r\nHost: h\r\n\r\n")
		if resp.StatusCode != 405 || !strings.Contains(resp.Header.Get("Allow"), "GET") || !resp.Close {
			t.Errorf("%s: %s, %v", line, resp.Status, resp.Header)
		}
		c.ExpectEOF()
	}
}

// Each piece comes back before the next one is sent.
func TestEchoStreams(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	c.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
	resp := c.Response("POST")
	for _, piece := range []string{"a", "bcd", "efghij"} {
		c.Send(piece)
		if got := piecesOf(t, resp, len(piece)); got != piece {
			t.Errorf("got %q for %q", got, piece)
		}
	}
	if resp.ContentLength != 10 {
		t.Errorf("Content-Length %d", resp.ContentLength)
	}
}

func TestEchoStreamsChunked(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	c.Send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
	resp := c.Response("POST")
	for _, piece := range []string{"a", "bcd", strings.Repeat("x", 100_000)} {
		c.Send(fmt.Sprintf("%x;ext=1\r\n%s\r\n", len(piece), piece))
		if got := piecesOf(t, resp, len(piece)); got != piece {
			t.Errorf("got %d bytes for %d", len(got), len(piece))
		}
	}
	c.Send("0\r\nX-Checksum: of-no-interest\r\n\r\n")
	if rest := piecesOf(t, resp, -1); rest != "" || len(resp.TransferEncoding) != 1 {
		t.Errorf("behind the end: %q", rest)
	}
	if _, body := ask(t, c, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"); body != "Hello, World!" {
		t.Errorf("the next answer is %q", body)
	}
}

// piecesOf reads n bytes of the body, or all of it.
func piecesOf(t *testing.T, resp *http.Response, n int) string {
	t.Helper()
	if n < 0 {
		rest, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(rest)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(resp.Body, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLargeBody(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	const size = 32 << 20
	want := strings.Repeat("0123456789abcdef", size/16)
	sent := make(chan error, 1)
	go func() {
		_, err := fmt.Fprintf(c.Conn, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", size, want)
		sent <- err
	}()
	if _, body := c.Body("POST"); body != want {
		t.Errorf("got %d bytes, or others", len(body))
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestPipelined(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	c.Send("GET /plain HTTP/1.1\r\nHost: h\r\n\r\n" +
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none" +
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n" +
		"HEAD /plain HTTP/1.1\r\nHost: h\r\n\r\n" +
		"GET /plain HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" +
		"GET /plain HTTP/1.1\r\nHost: h\r\n\r\n")
	for _, want := range []struct{ method, body string }{
		{"GET", "Hello, World!"}, {"POST", "one"}, {"POST", "two"}, {"HEAD", ""}, {"GET", "Hello, World!"},
	} {
		if _, body := c.Body(want.method); body != want.body {
			t.Errorf("got %q, want %q", body, want.body)
		}
	}
	c.ExpectEOF()
}

func TestExpectContinue(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	c.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	c.Expect("HTTP/1.1 100 Continue\r\n\r\n")
	resp, body := ask(t, c, "hello")
	if resp.StatusCode != 200 || body != "hello" {
		t.Errorf("%s %q", resp.Status, body)
	}
}

func TestHTTP10(t *testing.T) {
	p := wstest.Serve(t, run)
	for _, test := range []struct{ name, request, body, connection string }{
		{"get", "GET /plain HTTP/1.0\r\n\r\n", "Hello, World!", "close"},
		{"post", "POST /echo HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody", "body", "close"},
		{"keep-alive", "GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Hello, World!", "keep-alive"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := wstest.Connect(t, p.Addr)
			resp, body := ask(t, c, test.request)
			if body != test.body || resp.Close != (test.connection == "close") || resp.Header.Get("Connection") == "" && !resp.Close {
				t.Errorf("%q, %v", body, resp.Header)
			}
			if test.connection == "close" {
				c.ExpectEOF()
				return
			}
			if _, body := ask(t, c, "GET /plain HTTP/1.0\r\n\r\n"); body != "Hello, World!" {
				t.Errorf("the next answer is %q", body)
			}
		})
	}
}

// What lws answers with silence, a wrong answer or a hang-up.
func TestRefusals(t *testing.T) {
	p := wstest.Serve(t, run)
	for _, test := range []struct {
		name, request string
		status        int
	}{
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"space before the colon", "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400},
		{"length and chunks", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
		{"length with a tail", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5abc\r\n\r\n", 400},
		{"negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400},
		{"obs-fold", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400},
		{"long header", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 100_000) + "\r\n\r\n", 431},
		{"long target", "GET /" + strings.Repeat("y", 100_000) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{"version", "GET / HTTP/2.5\r\nHost: a\r\n\r\n", 505},
		{"ws version 7", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 7\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 426},
		{"ws key", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\n\r\n", 400},
		{"ws by post", "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 405},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := wstest.Connect(t, p.Addr)
			resp, _ := ask(t, c, test.request)
			if resp.StatusCode != test.status {
				t.Errorf("%s, want %d", resp.Status, test.status)
			}
			if test.status == 426 && resp.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("426 names version %q", resp.Header.Get("Sec-WebSocket-Version"))
			}
			c.ExpectEOF()
		})
	}
}

// A body that ends before its length cannot become a whole answer.
func TestTruncatedBody(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	c.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nfirst")
	resp := c.Response("POST")
	if piecesOf(t, resp, 5) != "first" {
		t.Error("the first half did not come back")
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the answer ended well, with %q", rest)
	}
}

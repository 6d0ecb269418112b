package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// post sends request, wants the document, once, and the end of the connection.
func post(t *testing.T, p *wstest.Program, request string) {
	t.Helper()
	c := wstest.Connect(t, p.Addr)
	c.Send(request)
	resp, body := c.Body("POST")
	if resp.StatusCode != 200 || body != responseJSON || resp.Header.Get("Content-Type") != "application/json" || !resp.Close {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
	c.ExpectEOF()
	_ = c.Close()
}

func TestPost(t *testing.T) {
	wstest.NoLeaks(t)
	p := wstest.Serve(t, run)
	post(t, p, "POST /form HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
	p.Interrupt()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	want := "listening on http://" + p.Addr + "/\npath: /form\nrecv body: hello\nresponse: " + responseJSON + "\n"
	if p.Output() != want {
		t.Errorf("printed:\n%swant:\n%s", p.Output(), want)
	}
}

func TestPostInOtherForms(t *testing.T) {
	p := wstest.Serve(t, run)
	for name, request := range map[string]string{
		"no body":      "POST / HTTP/1.1\r\nHost: h\r\n\r\n",
		"empty body":   "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		"chunked":      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n",
		"no chunks":    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.0":     "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
		"PUT":          "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
		"GET with one": "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
		"large":        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 1_000_000),
	} {
		t.Run(name, func(t *testing.T) { post(t, p, request) })
	}
}

// The answer says that the connection closes, so what comes behind is not served.
func TestNothingBehindTheAnswer(t *testing.T) {
	p := wstest.Serve(t, run)
	post(t, p, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
	if strings.Contains(p.Output(), "path: /b") {
		t.Error("the second request was served")
	}
}

// The body is what its length says, whatever comes in the same segment.
func TestBodyEndsAtItsLength(t *testing.T) {
	p := wstest.Serve(t, run)
	post(t, p, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: h\r\n\r\n")
	p.Prints("recv body: hello\n", 1)
}

func TestGetIsNotFoundAndGoesOn(t *testing.T) {
	p := wstest.Serve(t, run)
	c := wstest.Connect(t, p.Addr)
	for _, method := range []string{"GET", "HEAD", "DELETE", "GET"} {
		c.Send(method + " /where HTTP/1.1\r\nHost: h\r\n\r\n")
		resp, body := c.Body(method)
		if resp.StatusCode != 404 || resp.Close || (body == "") != (method == "HEAD") || resp.ContentLength == 0 {
			t.Errorf("%s: %s %v %q", method, resp.Status, resp.Header, body)
		}
	}
	p.Prints("path: /where\n", 4)
}

func TestExpectContinue(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	c.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	c.Expect("HTTP/1.1 100 Continue\r\n\r\n")
	c.Send("hello")
	if _, body := c.Body("POST"); body != responseJSON {
		t.Errorf("answered %q", body)
	}
	c.ExpectEOF()
}

func TestStandardClient(t *testing.T) {
	p := wstest.Serve(t, run)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range 3 { // each on a connection of its own
		resp, err := client.Post("http://"+p.Addr+"/", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("status %s", resp.Status)
		}
	}
}

func TestBadFlag(t *testing.T) {
	if err := wstest.Run(t, run, "-nonsense").Wait(); err == nil {
		t.Error("no error")
	}
}

package engine_test

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// pages starts a server with error pages: of 404, of 503 from a file, and for all others.
func pages(t *testing.T, f callbacks.Callback, lim engine.Limits) *server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "503.html")
	if err := os.WriteFile(file, []byte("<p>later"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := engine.Config{Loops: 1, Limits: lim, Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: f})}
	cfg.Vhosts[0].Header = []http1.Field{{Name: "X-Page", Value: "yes"}}
	cfg.Vhosts[0].ErrorPages = map[int]engine.ErrorPage{
		404: {ContentType: "text/x-missing", Body: []byte("nothing here")}, 503: {File: file}, 0: {Body: []byte("<p>oh no")}}
	return start(t, cfg)
}

const pageType = "text/html; charset=utf-8"

func TestErrorPages(t *testing.T) {
	v := pages(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.HTTP && string(in) == "/own":
			return s.Respond(404, "text/plain", []byte("mine"))
		case r == callbacks.HTTP && string(in) == "/busy":
			return http1.NewError(503, "busy")
		case r == callbacks.HTTP && string(in) == "/wrong":
			return errors.New("wrong")
		case r == callbacks.CheckAccessRights && string(in) == "/no":
			return errors.New("no")
		case r == callbacks.HTTP && string(in) == "/upgrade":
			return http1.NewError(426, "x")
		}
		return nil
	}, engine.Limits{DrainTimeout: quick.DrainTimeout, Body: 5})
	for _, c := range []struct {
		name, send  string
		status      int
		close       bool
		contentType string
		body        string
	}{
		{"not found", get("/"), 404, false, "text/x-missing", "nothing here"},
		{"the program's own", get("/own"), 404, false, "text/plain", "mine"},
		{"an error with a status", get("/busy"), 503, true, pageType, "<p>later"},
		{"another error", get("/wrong"), 500, true, pageType, "<p>oh no"},
		{"no access", get("/no"), 401, true, pageType, "<p>oh no"},
		{"malformed", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400, true, pageType, "<p>oh no"},
		{"no head at all", "\x16\x03\x01", 400, true, pageType, "<p>oh no"},
		{"a body over the limit", request("POST", "/", "Content-Length: 6"), 413, true, pageType, "<p>oh no"},
		{"a method that nobody knows", request("BREW", "/"), 501, false, pageType, "<p>oh no"},
		{"a bad upgrade", request("GET", "/", "Upgrade: websocket", "Connection: Upgrade"), 426, true, pageType, "<p>oh no"},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 404, true, "text/x-missing", "nothing here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := v.dial(t).send(c.send)
			r := p.want(c.status, c.body)
			if r.Header.Get("Content-Type") != c.contentType || r.Close != c.close || r.Header.Get("X-Page") != "yes" {
				t.Errorf("%v, close %v", r.Header, r.Close)
			}
			if c.close {
				p.wantEOF()
			}
		})
	}
}

// TestErrorPagesOfHead: the length is there, the page is not, and the next answer is in its
// place.
func TestErrorPagesOfHead(t *testing.T) {
	v := pages(t, nothing, quick)
	p := v.dial(t).send(request("HEAD", "/"))
	if r, body := p.response("HEAD"); r.StatusCode != 404 || r.ContentLength != int64(len("nothing here")) || body != "" {
		t.Errorf("%v %q", r, body)
	}
	p.send(get("/")).want(404, "nothing here")
}

// TestErrorPageOfAFullServer: a connection over the limit gets the page for 503.
func TestErrorPageOfAFullServer(t *testing.T) {
	lim := quick
	lim.Connections = 1
	v := pages(t, echoHTTP, lim)
	v.dial(t).send(get("/")).want(200, "GET /")
	c, err := net.Dial("tcp", v.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := &peer{c, t, bufio.NewReader(c)}
	r := p.want(503, "<p>later")
	if r.Header.Get("Content-Type") != pageType || !r.Close || r.Header.Get("X-Page") != "yes" {
		t.Errorf("%v", r)
	}
	p.send("GET / HTTP/1.1\r\n")
	p.wantEOF()
}

// TestErrorPageTakesTheAnswerBack: one that was begun and has not left is replaced whole.
func TestErrorPageTakesTheAnswerBack(t *testing.T) {
	v := pages(t, func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.HTTP {
			if err := s.StartResponse(200, "text/plain", 100); err != nil {
				return err
			}
			return http1.NewError(404, "changed my mind")
		}
		return nil
	}, quick)
	p := v.dial(t).send(get("/"))
	p.want(404, "nothing here")
	p.wantEOF()
}

func TestErrorPagesThatCannotBe(t *testing.T) {
	for name, list := range map[string]map[int]engine.ErrorPage{
		"a good status":       {200: {}},
		"no status":           {600: {}},
		"a bad type":          {404: {ContentType: "a\r\nb"}},
		"a file and a body":   {404: {File: "x", Body: []byte("y")}},
		"a file that is gone": {404: {File: filepath.Join(t.TempDir(), "gone")}},
	} {
		cfg := engine.Config{Vhosts: vhost(callbacks.Protocol{Callback: nothing})}
		cfg.Vhosts[0].ErrorPages = list
		if _, err := engine.New(cfg); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

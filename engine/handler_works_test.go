package engine_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"expvar"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/http/pprof"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// browse is an http.Client for v.
func (v *server) browse(t *testing.T) (c *http.Client, base string) {
	tr := &http.Transport{TLSClientConfig: trust()}
	t.Cleanup(tr.CloseIdleConnections)
	c = &http.Client{Transport: tr, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, v.addr)
	}
	if x := over(t); x != overTCP {
		tr.TLSClientConfig = &tls.Config{RootCAs: trust().RootCAs, ServerName: "localhost"}
		x.version(tr.TLSClientConfig)
		return c, "https://localhost"
	}
	return c, "http://localhost"
}

// answered is what a client gets of a URL.
func answered(t *testing.T, c *http.Client, method, url string, fields ...string) (status int, body string, header http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		if fields[i] != "" {
			r.Header.Set(fields[i], fields[i+1])
		}
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// TestHandlersOfTheLibrary: what the standard library has of handlers works behind the
// engine.
func TestHandlersOfTheLibrary(t *testing.T) {
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/p/cut":
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/p/trailer":
			w.Header().Set("Trailer", "X-End")
			fmt.Fprint(w, r.Host)
			w.Header().Set("X-End", "1")
			return
		}
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Behind", r.Header.Get("X-Forwarded-For"))
		fmt.Fprintf(w, "%s %s", r.URL, b)
	}))
	defer behind.Close()
	target, _ := url.Parse(behind.URL)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /item/{id}/{rest...}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.PathValue("id"), " ", r.PathValue("rest"), " ", r.Pattern)
	})
	mux.HandleFunc("/tree/", http.NotFound)
	files := fstest.MapFS{"a.txt": {Data: []byte("0123456789"), ModTime: time.Unix(1e9, 0)}, "big.bin": {Data: make([]byte, 3<<20)}}
	mux.Handle("/files/", http.StripPrefix("/files/", http.FileServerFS(files)))
	mux.Handle("/p/", &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() }})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.Handle("/debug/vars", expvar.Handler())
	v := serveHandler(t, mux, engine.Limits{})
	c, base := v.browse(t)

	for _, w := range []struct {
		method, path, field, value string
		status                     int
		body                       string
	}{
		{"GET", "/item/7/a/b", "", "", 200, "7 a/b GET /item/{id}/{rest...}"},
		{"POST", "/item/7/a/b", "", "", 405, "Method Not Allowed\n"},
		{"GET", "/tree", "", "", 307, ""},
		{"GET", "/nothing", "", "", 404, "404 page not found\n"},
		{"GET", "/files/a.txt", "", "", 200, "0123456789"},
		{"HEAD", "/files/a.txt", "", "", 200, ""},
		{"GET", "/files/a.txt", "Range", "bytes=2-4", 206, "234"},
		{"GET", "/files/a.txt", "If-Modified-Since", "Mon, 10 Sep 2001 00:00:00 GMT", 304, ""},
		{"GET", "/p/x?y", "", "", 200, "/p/x?y "},
	} {
		status, body, _ := answered(t, c, w.method, base+w.path, w.field, w.value)
		if w.status/100 == 3 {
			body = ""
		}
		if status != w.status || body != w.body {
			t.Errorf("%s %s: %d %q; want %d %q", w.method, w.path, status, body, w.status, w.body)
		}
	}
	if _, body, _ := answered(t, c, "GET", base+"/files/big.bin"); len(body) != 3<<20 {
		t.Errorf("%d bytes of a file", len(body))
	}
	if _, body, _ := answered(t, c, "GET", base+"/debug/pprof/goroutine?debug=2"); !strings.Contains(body, "goroutine") {
		t.Error("no stacks")
	}
	_, body, _ := answered(t, c, "GET", base+"/debug/vars")
	if !json.Valid([]byte(body)) {
		t.Errorf("no JSON: %.100q", body)
	}
	if _, _, h := answered(t, c, "GET", base+"/p/x"); h.Get("X-Behind") != "127.0.0.1" {
		t.Errorf("the proxy says %v", h)
	}
	proxied(t, c, base)
}

// proxied looks at what only a proxy's handler does: trailers that are passed on, and an
// answer that must not look whole.
func proxied(t *testing.T, c *http.Client, base string) {
	r, err := c.Post(base+"/p/trailer", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(r.Body)
	r.Body.Close()
	if r.Trailer.Get("X-End") != "1" {
		t.Errorf("trailers %v", r.Trailer)
	}
	r, err = c.Get(base + "/p/cut")
	if err != nil {
		return // not even its head has come
	}
	defer r.Body.Close()
	if _, err := io.ReadAll(r.Body); err == nil {
		t.Error("an answer that was cut off behind the proxy looks whole")
	}
}

// TestHandlerMounts: a handler sees the whole path, and only what its mount gets.
func TestHandlerMounts(t *testing.T) {
	path := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	v := vhost(callbacks.Protocol{Name: "program", Callback: answerWith("program")})
	v[0].Mounts = []engine.Mount{engine.Handler("/api/", path), engine.Handler("/api/v2", http.NotFoundHandler())}
	s := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: v})
	p := s.dial(t)
	p.send(get("/api/x")).want(200, "/api/x")
	p.send(get("/api")).want(200, "/api")
	p.send(get("/apix")).want(200, "program /apix")
	p.send(get("/api/v2/x")).want(404, "404 page not found\n")
}

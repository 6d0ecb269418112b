package engine_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// tripper is an http.Client on an engine, and the engine.
func tripper(t *testing.T, loops int, lim engine.Limits, cfg engine.RoundTripperConfig) (*http.Client, *server) {
	t.Helper()
	lim.DrainTimeout = quick.DrainTimeout
	c := engine.Config{Loops: loops, Limits: lim, Vhosts: vhost(callbacks.Protocol{Name: "none", Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if s.ID() != 0 {
			t.Errorf("the program hears %v", r)
		}
		return nil
	}})}
	c.Vhosts[0].Listen = []string{}
	v := start(t, c)
	return &http.Client{Transport: v.RoundTripper(cfg)}, v
}

// urlOf is that of a server on the test's transport.
func urlOf(t *testing.T, addr string) string {
	return strings.Replace(over(t).scheme(), "ws", "http", 1) + addr
}

// all reads a response's body, and closes it.
func all(t *testing.T, r *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("the body: %v after %d bytes", err, len(b))
	}
	if err := r.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// slow is a reader of so many bytes, in pieces of odd sizes.
type slow struct {
	n      int
	closed atomic.Bool
}

func (s *slow) Read(p []byte) (int, error) {
	if s.n == 0 {
		return 0, io.EOF
	}
	n := min(len(p), s.n, 1+s.n%9000)
	for i := range n {
		p[i] = byte(s.n - i)
	}
	s.n -= n
	return n, nil
}

func (s *slow) Close() error {
	s.closed.Store(true)
	return nil
}

func TestRoundTripGet(t *testing.T) {
	n := countConns(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Agent", r.UserAgent())
		w.Header()["X-Two"] = []string{"a", "b"}
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI+" "+r.Host+" "+r.Header.Get("X-Mine"))
	})
	client, v := tripper(t, 2, engine.Limits{}, engine.RoundTripperConfig{})
	for range 5 {
		req, _ := http.NewRequest("GET", urlOf(t, n.addr)+"/a%20b?c", nil)
		req.Header.Set("X-Mine", "yes")
		r, err := client.Do(req)
		if got := all(t, r, err); got != "GET /a%20b?c "+n.addr+" yes" {
			t.Fatalf("got %q", got)
		}
		if r.StatusCode != 200 || r.Status != "200 OK" || r.Proto != "HTTP/1.1" || r.ProtoMinor != 1 || r.Request != req || r.Close ||
			r.ContentLength < 0 || len(r.Header["X-Two"]) != 2 || r.Header.Get("X-Agent") != "penstock" || (r.TLS != nil) != (over(t) != overTCP) {
			t.Errorf("%+v", r)
		}
		if len(req.Header) != 1 {
			t.Errorf("the request's header became %v", req.Header)
		}
	}
	if made := n.made.Load(); made != 1 {
		t.Errorf("%d connections", made)
	}
	client.CloseIdleConnections()
	eventually(t, "none is idle", func() bool { return v.Stats().ClientIdle == 0 && n.now.Load() == 0 })
}

// TestRoundTripBodies: what goes up comes down, of any length, known or not.
func TestRoundTripBodies(t *testing.T) {
	n := countConns(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("X-Length", fmt.Sprint(r.ContentLength, r.TransferEncoding))
		_, _ = io.Copy(w, r.Body)
	})
	client, _ := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	for _, c := range []struct {
		method string
		size   int
		known  bool
		seen   string
	}{
		{"POST", 0, false, "-1 [chunked]"}, {"POST", 1, true, "1 []"}, {"PUT", 100_000, true, "100000 []"}, {"POST", 3_000_000, true, "3000000 []"},
		{"PUT", 3_000_000, false, "-1 [chunked]"}, {"GET", 0, false, "0 []"}, {"GET", 10, false, "-1 [chunked]"}, {"DELETE", 10, true, "10 []"},
	} {
		t.Run(fmt.Sprint(c.method, c.size, c.known), func(t *testing.T) {
			body := &slow{n: c.size}
			req, _ := http.NewRequest(c.method, urlOf(t, n.addr), body)
			if c.known {
				req.ContentLength = int64(c.size)
			}
			r, err := client.Do(req)
			got := all(t, r, err)
			want, _ := io.ReadAll(&slow{n: c.size})
			if got != string(want) || r.Header.Get("X-Length") != c.seen {
				t.Errorf("%d bytes, the server saw %s", len(got), r.Header.Get("X-Length"))
			}
			eventually(t, "the body is closed", body.closed.Load)
		})
	}
}

// TestRoundTripWrongBodies: a body that breaks, or is not as long as it says, is an
// error, and never half a request.
func TestRoundTripWrongBodies(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			t.Error("the server got a whole request")
		}
	})
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		body   io.Reader
		length int64
		want   string
	}{
		"broken":    {io.MultiReader(strings.NewReader("some"), &failingReader{broken}), -1, "broken"},
		"too short": {strings.NewReader("some"), 5, "not as long"},
		"too long":  {strings.NewReader("some"), 3, "not as long"},
	} {
		t.Run(name, func(t *testing.T) {
			body := &closable{Reader: c.body}
			req, _ := http.NewRequest("POST", urlOf(t, addr), body)
			req.ContentLength = c.length
			if _, err := client.Do(req); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			eventually(t, "the body is closed, and the session gone", func() bool { return body.closed.Load() && v.Stats().Sessions == 0 })
		})
	}
}

type failingReader struct{ err error }

func (f *failingReader) Read([]byte) (int, error) { return 0, f.err }

// closable notes that it was closed.
type closable struct {
	io.Reader
	closed atomic.Bool
}

func (c *closable) Close() error {
	c.closed.Store(true)
	return nil
}

func TestRoundTripRefuses(t *testing.T) {
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	for name, change := range map[string]func(r *http.Request){
		"scheme":  func(r *http.Request) { r.URL.Scheme = "ftp" },
		"no host": func(r *http.Request) { r.URL.Host = "" },
		"no URL":  func(r *http.Request) { r.URL = nil },
		"unix":    func(r *http.Request) { r.URL.Host = "+a" },
		"method":  func(r *http.Request) { r.Method = "GE T" },
		"CONNECT": func(r *http.Request) { r.Method = "CONNECT" },
		"name":    func(r *http.Request) { r.Header["a b"] = []string{"c"} },
		"value":   func(r *http.Request) { r.Header["A"] = []string{"b\r\nC: d"} },
		"host":    func(r *http.Request) { r.Host = "a\r\nb: c" },
		"port":    func(r *http.Request) { r.URL.Host = "127.0.0.1:99999" },
		"target":  func(r *http.Request) { r.URL.Opaque = "//x/a b" },
		"idn":     func(r *http.Request) { r.URL.Host = "bücher.example" },
	} {
		body := &closable{Reader: strings.NewReader("x")}
		req, _ := http.NewRequest("POST", "http://127.0.0.1:1/", body)
		change(req)
		if _, err := client.Transport.RoundTrip(req); err == nil {
			t.Errorf("%s was not refused", name)
		}
		if !body.closed.Load() {
			t.Errorf("%s: the body was not closed", name)
		}
	}
	req, _ := http.NewRequest("GET", "http://127.0.0.1:1/", nil)
	if _, err := v.RoundTripper(engine.RoundTripperConfig{Vhost: "x"}).RoundTrip(req); !errors.Is(err, engine.ErrConfig) {
		t.Errorf("no vhost: %v", err)
	}
}

// TestRoundTripContext: a context that ends is noticed at every stage.
func TestRoundTripContext(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/body":
			_, _ = io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
		case "/upload":
			_, _ = io.CopyN(io.Discard, r.Body, 1)
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	silent, _ := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	defer silent.Close()
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	why := errors.New("why")
	pipe := func() io.Reader { r, w := io.Pipe(); go func() { _, _ = w.Write([]byte("x")) }(); return r }
	for name, url := range map[string]string{"head": urlOf(t, addr), "body": urlOf(t, addr) + "/body", "upload": urlOf(t, addr) + "/upload",
		"TLS": "https://" + silent.Addr().String(), "before": urlOf(t, addr)} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			var up io.Reader
			if name == "upload" {
				up = pipe()
			}
			req, _ := http.NewRequestWithContext(ctx, "POST", url, up)
			switch name {
			case "before":
				cancel(why)
			case "body":
			default:
				eventually(t, "nobody is there", func() bool { return v.Stats().Sessions == 0 })
				go func() {
					eventually(t, "the session is there", func() bool { return v.Stats().Sessions == 1 })
					cancel(why)
				}()
			}
			r, err := client.Transport.RoundTrip(req)
			if name == "body" {
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.ReadFull(r.Body, make([]byte, 5))
				cancel(why)
				_, err = io.ReadAll(r.Body)
			}
			if !errors.Is(err, why) {
				t.Errorf("got %v", err)
			}
			eventually(t, "the session ends", func() bool { return v.Stats().Sessions == 0 })
			cancel(nil)
		})
	}
}

// TestRoundTripTimeouts: Client.Timeout, and the engine's own, are timeouts for
// everybody who asks.
func TestRoundTripTimeouts(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
		}
		<-release
	})
	silent, _ := net.Listen("tcp", "127.0.0.1:0")
	defer silent.Close()
	lim := engine.Limits{ResponseTimeout: 30 * time.Millisecond, ResponseBodyTimeout: 30 * time.Millisecond, TLSHandshakeTimeout: 30 * time.Millisecond}
	for name, c := range map[string]struct {
		url    string
		client time.Duration
		lim    engine.Limits
		is     error
	}{
		"client":   {urlOf(t, addr), 30 * time.Millisecond, engine.Limits{}, context.DeadlineExceeded},
		"body":     {urlOf(t, addr) + "/body", 30 * time.Millisecond, engine.Limits{}, context.DeadlineExceeded},
		"response": {urlOf(t, addr), 0, lim, engine.ErrResponseTimeout},
		"gap":      {urlOf(t, addr) + "/body", 0, lim, engine.ErrResponseBodyTimeout},
		"TLS":      {"https://" + silent.Addr().String(), 0, lim, engine.ErrTLSTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := tripper(t, 1, c.lim, engine.RoundTripperConfig{})
			client.Timeout = c.client
			r, err := client.Get(c.url)
			if err == nil {
				_, err = io.ReadAll(r.Body)
			}
			var timeout interface{ Timeout() bool }
			if !errors.Is(err, c.is) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("got %v", err)
			}
			if c.client == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v is no os.ErrDeadlineExceeded", err)
			}
		})
	}
}

func TestRoundTripErrors(t *testing.T) {
	closed, _ := net.Listen("tcp", "127.0.0.1:0")
	closed.Close()
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	var op *net.OpError
	if _, err := client.Get("http://" + closed.Addr().String()); !errors.As(err, &op) || op.Op != "dial" {
		t.Errorf("refused: %v", err)
	}
	unknown := httptest.NewUnstartedServer(http.NotFoundHandler())
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0)
	unknown.StartTLS()
	defer unknown.Close()
	var cert *tls.CertificateVerificationError
	if _, err := client.Get(unknown.URL); !errors.As(err, &cert) {
		t.Errorf("certificate: %v", err)
	}
	relaxed := http.Client{Transport: v.RoundTripper(engine.RoundTripperConfig{Flags: engine.AllowInsecure})}
	if r, err := relaxed.Get(unknown.URL); err != nil || r.StatusCode != 404 {
		t.Errorf("relaxed: %v", err)
	}
	cut := scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
	r, err := client.Get(urlOf(t, cut))
	if err != nil {
		t.Fatal(err)
	}
	var bad *engine.ResponseError
	if b, err := io.ReadAll(r.Body); string(b) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &bad) {
		t.Errorf("cut short: %q, %v", b, err)
	}
	v.stop()
	eventually(t, "the engine has ended", func() bool {
		_, err := client.Get("http://" + closed.Addr().String())
		return errors.Is(err, net.ErrClosed)
	})
}

// TestRoundTripResponses: the fields of a Response for each framing.
func TestRoundTripResponses(t *testing.T) {
	client, _ := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	for name, c := range map[string]struct {
		method, answer, body string
		length               int64
		chunked, close       bool
	}{
		"length":      {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", "body", 4, false, false},
		"chunked":     {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "body", -1, true, false},
		"until close": {"GET", "HTTP/1.1 200 OK\r\n\r\nbody", "body", -1, false, true},
		"close":       {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody", "body", 4, false, true},
		"HEAD":        {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "", 4, false, false},
		"HEAD, none":  {"HEAD", "HTTP/1.1 200 OK\r\n\r\n", "", -1, false, false},
		"204":         {"GET", "HTTP/1.1 204 No Content\r\n\r\n", "", 0, false, false},
		"304":         {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", "", 0, false, false},
		"empty":       {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			req, _ := http.NewRequest(c.method, urlOf(t, scripted(t, c.answer)), nil)
			r, err := client.Do(req)
			body := all(t, r, err)
			if body != c.body || r.ContentLength != c.length || (len(r.TransferEncoding) == 1) != c.chunked || r.Close != c.close {
				t.Errorf("%q %+v", body, r)
			}
		})
	}
}

func TestRoundTripTrailers(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Trailer == nil {
			t.Error("no trailers were announced")
		}
		w.Header().Set("Trailer", "X-Down")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("X-Down", r.Trailer.Get("X-Up"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	})
	client, _ := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	req, _ := http.NewRequest("POST", urlOf(t, addr), nil)
	req.Trailer = http.Header{"X-Up": nil}
	req.Body = io.NopCloser(io.MultiReader(strings.NewReader("body"), readerFunc(func([]byte) (int, error) {
		req.Trailer.Set("X-Up", "sum")
		return 0, io.EOF
	})))
	r, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Trailer["X-Down"]; !ok || r.Header.Get("Trailer") != "" {
		t.Errorf("announced: %v", r.Trailer)
	}
	if got := all(t, r, err); got != "body" || r.Trailer.Get("X-Down") != "sum" || r.Trailer.Get("X-Late") != "late" {
		t.Errorf("%q, %v", got, r.Trailer)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestRoundTripGzip(t *testing.T) {
	text := strings.Repeat("some text ", 100_000)
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Asked", r.Header.Get("Accept-Encoding"))
		if r.URL.Path == "/plain" {
			_, _ = io.WriteString(w, text)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, text)
		_ = z.Close()
	})
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	r, err := client.Get(urlOf(t, addr))
	if got := all(t, r, err); got != text || !r.Uncompressed || r.ContentLength != -1 || r.Header.Get("Content-Encoding") != "" || r.Header.Get("X-Asked") != "gzip" {
		t.Errorf("%d bytes, %+v", len(got), r)
	}
	r, err = client.Get(urlOf(t, addr) + "/plain")
	if got := all(t, r, err); got != text || r.Uncompressed {
		t.Errorf("plain: %d bytes, %+v", len(got), r)
	}
	req, _ := http.NewRequest("GET", urlOf(t, addr), nil)
	req.Header.Set("Accept-Encoding", "gzip")
	r, err = client.Do(req)
	if got := all(t, r, err); got == text || r.Uncompressed {
		t.Error("what the program has asked for was decompressed")
	}
	plain := http.Client{Transport: v.RoundTripper(engine.RoundTripperConfig{DisableCompression: true})}
	if r, err = plain.Get(urlOf(t, addr)); err != nil || r.Header.Get("X-Asked") != "" {
		t.Errorf("disabled: %v", err)
	} else {
		all(t, r, err)
	}
	v.eventuallyIdle(t)
}

// eventuallyIdle waits until no session is left.
func (v *server) eventuallyIdle(t *testing.T) {
	t.Helper()
	eventually(t, "the sessions end", func() bool { return v.Stats().Sessions == 0 })
}

// TestRoundTripThroughHTTPClient: redirects and cookies are http.Client's.
func TestRoundTripThroughHTTPClient(t *testing.T) {
	n := countConns(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a":
			http.SetCookie(w, &http.Cookie{Name: "c", Value: "v"})
			http.Redirect(w, r, "/b", http.StatusTemporaryRedirect)
		default:
			body, _ := io.ReadAll(r.Body)
			c, _ := r.Cookie("c")
			_, _ = fmt.Fprint(w, r.Method, " ", string(body), " ", c)
		}
	})
	client, _ := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	client.Jar, _ = cookiejar.New(nil)
	r, err := client.Post(urlOf(t, n.addr)+"/a", "text/plain", strings.NewReader("body"))
	if got := all(t, r, err); got != "POST body c=v" {
		t.Errorf("got %q", got)
	}
	if n.made.Load() != 1 {
		t.Errorf("%d connections", n.made.Load())
	}
}

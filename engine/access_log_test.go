package engine_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// logging is a server that logs, with a mount that asks for a password, and what its log has.
func logging(t *testing.T, lim engine.Limits, f callbacks.Callback) (*server, chan string) {
	t.Helper()
	in := engine.Callback("/in", "test")
	in.BasicAuth = &engine.BasicAuth{Users: map[string]string{"ann": "secret"}}
	in.Body = 5
	log := make(chan string, 100)
	cfg := engine.Config{Loops: 1, Limits: lim, Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: f})}
	cfg.Vhosts[0].Mounts = []engine.Mount{in, engine.Redirect("/old", 301, "/new")}
	cfg.Vhosts[0].Name = "Site.test"
	cfg.Vhosts[0].AccessLog = func(e *engine.AccessEntry) {
		log <- fmt.Sprintf("%s %s 1.%d %d %d user=%s host=%s ref=%s ua=%s", e.Method, e.Target, e.Minor, e.Status, e.Bytes, e.User, e.Host, e.Referer, e.UserAgent)
		if e.Vhost != "site.test" || e.Session == 0 {
			t.Errorf("%+v", e)
		}
	}
	return start(t, cfg), log
}

// wantLog takes the next entries; what is not given behind the status is empty.
func wantLog(t *testing.T, log chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		for _, field := range []string{"user", "host", "ref", "ua"} {
			if !strings.Contains(w, " "+field+"=") {
				value := ""
				if field == "host" && !strings.HasPrefix(w, " ") {
					value = "test"
				}
				w += " " + field + "=" + value
			}
		}
		select {
		case got := <-log:
			words, want := strings.Fields(got), strings.Fields(w)
			slices.Sort(words)
			slices.Sort(want)
			if !slices.Equal(words, want) {
				t.Fatalf("\n got %q\nwant %q", got, w)
			}
		case <-time.After(patience):
			t.Fatalf("no entry %q", w)
		}
	}
}

// manyAnswers answers in the ways there are.
func manyAnswers(s callbacks.Session, r callbacks.Reason, in []byte) error {
	if r != callbacks.HTTP {
		return nil
	}
	write := func(kind callbacks.Kind, text string) error { return s.Write([]byte(text), kind) }
	switch string(in) {
	case "/hello":
		return s.Respond(200, "", []byte("hello"))
	case "/chunks":
		_ = s.StartResponse(200, "", -1)
		_ = write(callbacks.WriteHTTP, "abc")
		return write(callbacks.WriteHTTPFinal, "defg")
	case "/counted":
		_ = s.Interim(103)
		_ = s.StartResponse(201, "", 6)
		_ = write(callbacks.WriteHTTP, "abc")
		return write(callbacks.WriteHTTPFinal, "def")
	case "/raw":
		return write(callbacks.WriteHTTP, "HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\nbody")
	case "/304":
		return s.Respond(304, "", []byte("not sent"))
	case "/error":
		return http1.NewError(402, "")
	case "/back":
		_ = s.StartResponse(200, "", 6)
		_ = write(callbacks.WriteHTTP, "abc")
		return http1.NewError(402, "")
	case "/large":
		return s.Respond(200, "", make([]byte, 100<<10))
	case "/close":
		return callbacks.ErrClose
	}
	return nil
}

func TestAccessLog(t *testing.T) {
	v, log := logging(t, quick, manyAnswers)
	upgrade := []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}
	for _, c := range []struct{ name, send, want string }{
		{"answered", request("GET", "/hello?a=b", "Referer: http://r/", "User-Agent: x/1"), "GET /hello?a=b 1.1 200 5 ref=http://r/ ua=x/1"},
		{"HEAD", request("HEAD", "/hello"), "HEAD /hello 1.1 200 0"},
		{"HTTP/1.0", "GET /hello HTTP/1.0\r\n\r\n", "GET /hello 1.0 200 5 host="},
		{"absolute target", "GET http://other:1/hello HTTP/1.1\r\nHost: test\r\n\r\n", "GET http://other:1/hello 1.1 200 5 host=other:1"},
		{"streamed in chunks", request("GET", "/chunks"), "GET /chunks 1.1 200 7"},
		{"streamed with a length", request("GET", "/counted"), "GET /counted 1.1 201 6"},
		{"HEAD of a stream", request("HEAD", "/counted"), "HEAD /counted 1.1 201 0"},
		{"raw", request("GET", "/raw"), "GET /raw 1.1 202 4"},
		{"without a body", request("GET", "/304"), "GET /304 1.1 304 0"},
		{"large", request("GET", "/large"), "GET /large 1.1 200 102400"},
		{"nobody answers", request("GET", "/x"), "GET /x 1.1 404 10"},
		{"nobody answers a POST", request("POST", "/x", "Content-Length: 1") + "x", "POST /x 1.1 500 22"},
		{"by an error", request("GET", "/error"), "GET /error 1.1 402 17"},
		{"taken back", request("GET", "/back"), "GET /back 1.1 402 17"},
		{"closed without an answer", request("GET", "/close"), "GET /close 1.1 499 0"},
		{"redirected", request("GET", "/old/x"), "GET /old/x 1.1 301 0"},
		{"a user", request("GET", "/in/hello", as("ann:secret")), "GET /in/hello 1.1 200 5 user=ann"},
		{"a user who may not", request("GET", "/in/hello", as("ann:wrong")), "GET /in/hello 1.1 401 13"},
		{"a user where nobody asks", request("GET", "/hello", as("ann:secret")), "GET /hello 1.1 200 5"},
		{"too long by its length", request("POST", "/in", "Content-Length: 6", as("ann:secret")), "POST /in 1.1 413 18"},
		{"too long by chunks", request("POST", "/in", "Transfer-Encoding: chunked", as("ann:secret")) + "6\r\nabcdef\r\n0\r\n\r\n", "POST /in 1.1 413 18 user=ann"},
		{"a broken body", request("POST", "/x", "Transfer-Encoding: chunked") + "x\r\n", "POST /x 1.1 400 12"},
		{"a broken body, answered before", request("POST", "/hello", "Transfer-Encoding: chunked") + "x\r\n", "POST /hello 1.1 200 5"},
		{"upgraded", request("GET", "/chat", upgrade...), "GET /chat 1.1 101 0"},
		{"a bad upgrade", request("GET", "/chat", upgrade[:2]...), "GET /chat 1.1 426 17"},
		{"malformed in a field", "GET /a?b HTTP/1.1\r\nHost : a\r\n\r\n", "GET /a?b 1.0 400 12 host="},
		{"malformed in a field, in two parts", "GET /a?b HTTP/1.1\r\n|Host : a\r\n\r\n", "GET /a?b 1.0 400 12 host="},
		{"malformed in its line", "GET /a b HTTP/1.1\r\n\r\n", "  1.0 400 12"},
		{"no HTTP", "\x16\x03\x01\r\n", "  1.0 400 12"},
		{"a long head", "GET /a HTTP/1.1\r\nX: " + strings.Repeat("x", 17<<10), "GET /a 1.0 431 32 host="},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, second, two := strings.Cut(c.send, "|")
			p := v.dial(t)
			read := v.Stats().BytesIn + int64(len(first))
			p.send(first)
			if two {
				eventually(t, "the first part is read", func() bool { return v.Stats().BytesIn >= read })
				p.send(second)
			}
			wantLog(t, log, c.want)
			_ = p.Close()
		})
	}
	v.stop()
	eventually(t, "the sessions end", func() bool { return v.Stats().Sessions == 0 })
	select {
	case more := <-log:
		t.Errorf("and then %q", more)
	default:
	}
}

// TestAccessLogOfAPipeline: entries come in the order of the answers, each with what is its
// own.
func TestAccessLogOfAPipeline(t *testing.T) {
	v, log := logging(t, quick, manyAnswers)
	v.dial(t).send(request("GET", "/in/hello", as("ann:secret"), "User-Agent: x"), request("GET", "/raw"), request("HEAD", "/hello"), get("/close"))
	wantLog(t, log, "GET /in/hello 1.1 200 5 user=ann ua=x", "GET /raw 1.1 202 4", "HEAD /hello 1.1 200 0", "GET /close 1.1 499 0")
}

// TestAccessLogOfWhoLeaves: before the answer it is 499, and then what was begun.
func TestAccessLogOfWhoLeaves(t *testing.T) {
	held := make(chan struct{}, 1)
	v, log := logging(t, quick, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP {
			s.Hold()
			if string(in) == "/begun" {
				_ = s.StartResponse(200, "", 100)
				_ = s.Write([]byte("abc"), callbacks.WriteHTTP)
			}
			held <- struct{}{}
		}
		return nil
	})
	for path, want := range map[string]string{"/held": "GET /held 1.1 499 0", "/begun": "GET /begun 1.1 200 3"} {
		p := v.dial(t).send(get(path))
		<-held
		_ = p.Conn.(wire).SetLinger(0)
		_ = p.Close()
		wantLog(t, log, want)
	}
}

// TestAccessLogOfTimeouts: a request that does not end is one, too.
func TestAccessLogOfTimeouts(t *testing.T) {
	lim := quick
	lim.HeaderTimeout, lim.BodyTimeout = 50*time.Millisecond, 50*time.Millisecond
	v, log := logging(t, lim, nothing)
	v.dial(t).send("GET /slow HTTP/1.1\r\n").want(408, "Request Timeout\n")
	wantLog(t, log, "  1.0 408 16")
	v.dial(t).send(request("POST", "/slow", "Content-Length: 3"), "x").want(408, "Request Timeout\n")
	wantLog(t, log, "POST /slow 1.1 408 16")
}

// TestAccessEntry is about what differs from request to request.
func TestAccessEntry(t *testing.T) {
	entries := make(chan engine.AccessEntry, 1)
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		switch r {
		case callbacks.HTTP:
			s.Hold()
			s.SetTimer(20 * time.Millisecond)
		case callbacks.Timer:
			return s.Respond(200, "", nil)
		}
		return nil
	}})}
	cfg.Vhosts[0].AccessLog = func(e *engine.AccessEntry) { entries <- *e }
	v := start(t, cfg)
	p := v.dial(t)
	for range 2 { // the second time TLS has been asked before
		before := time.Now()
		p.send(get("/")).want(200, "")
		e, after := <-entries, time.Now()
		if e.Time.Before(before.Add(-time.Millisecond)) || e.Time.After(after) || e.Duration < 15*time.Millisecond || e.Duration > after.Sub(before)+time.Millisecond {
			t.Errorf("at %v for %v, between %v and %v", e.Time, e.Duration, before, after)
		}
		if e.Remote.String() != p.LocalAddr().String() {
			t.Errorf("it is from %v, and not %v", e.Remote, p.LocalAddr())
		}
		if want := uint16(over(t)); e.TLS != want {
			t.Errorf("TLS is %s, and not %s", tls.VersionName(e.TLS), tls.VersionName(want))
		}
	}
}

// TestAccessLogThatPanics: the request has its answer, the session goes on.
func TestAccessLogThatPanics(t *testing.T) {
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: echoHTTP})}
	cfg.Vhosts[0].AccessLog = func(*engine.AccessEntry) { panic("!") }
	v := start(t, cfg)
	v.dial(t).send(get("/1")+get("/2")).want(200, "GET /1")
	p := v.dial(t)
	p.send(get("/1")).want(200, "GET /1")
	p.send(get("/2")).want(200, "GET /2")
}

// TestSlowLogStallsNobody: what the log's file does not take is dropped, and requests are
// answered.
func TestSlowLogStallsNobody(t *testing.T) {
	release := make(chan struct{})
	var written strings.Builder
	w := engine.NewLogWriter(writerFunc(func(p []byte) (int, error) {
		<-release
		return written.Write(p)
	}), 2000)
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: echoHTTP})}
	cfg.Vhosts[0].AccessLog = engine.CombinedLog(w)
	v := start(t, cfg)
	p := v.dial(t)
	for range 200 {
		p.send(get("/")).want(200, "GET /")
	}
	dropped := w.Dropped()
	close(release)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	lines := strings.Count(written.String(), "\n")
	if lines == 0 || dropped < 100 || lines+int(dropped) < 200 || written.Len() > 2000 {
		t.Errorf("%d lines of %d bytes were written, %d dropped", lines, written.Len(), dropped)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestAccessLogAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector makes pools allocate")
	}
	hello := []byte("Hello, World!")
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.HTTP {
			return s.Respond(200, "text/plain", hello)
		}
		return nil
	}})}
	cfg.Vhosts[0].AccessLog = engine.CombinedLog(io.Discard)
	cfg.Vhosts[0].Header = engine.SecurityHeader()
	p := start(t, cfg).dial(t)
	request, reply := []byte(request("GET", "/plain", "User-Agent: test", "Referer: http://test/")), make([]byte, 4096)
	if n := allocations(t, func() {
		if _, err := p.Conn.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Conn.Read(reply); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("%v allocations a request", n)
	}
}

// TestAccessLogOfUnixSockets: there is no address, and no empty field.
func TestAccessLogOfUnixSockets(t *testing.T) {
	var line strings.Builder
	w := engine.NewLogWriter(&line, 0)
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: echoHTTP})}
	cfg.Vhosts[0].Listen = []string{"unix://" + t.TempDir() + "/s"}
	cfg.Vhosts[0].AccessLog = engine.CombinedLog(w)
	v := start(t, cfg)
	c, err := net.Dial("unix", v.addr)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, get("/"))
	_, _ = c.Read(make([]byte, 100))
	_ = c.Close()
	v.stop()
	eventually(t, "the session ends", func() bool { return v.Stats().Sessions == 0 })
	if err := w.Close(); err != nil || !strings.HasPrefix(line.String(), "- - - [") {
		t.Errorf("%v %q", err, line.String())
	}
}

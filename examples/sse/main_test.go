package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// source is a stream as a browser reads it.
type source struct {
	t *testing.T
	*wstest.Conn
	r *bufio.Reader // of the body
}

// event is one that was dispatched.
type event struct {
	id         uint64
	name, data string
}

func open(t *testing.T, c *wstest.Conn, fields ...string) *source {
	t.Helper()
	c.Send("GET /events HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n" + strings.Join(append(fields, ""), "\r\n") + "\r\n")
	resp := c.Response("GET")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return &source{t, c, bufio.NewReader(resp.Body)}
}

// line reads a line, false if that was all.
func (s *source) line() (string, bool) {
	s.t.Helper()
	line, err := s.r.ReadString('\n')
	if err == io.EOF && line == "" {
		return "", false
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSuffix(line, "\n"), true
}

// next reads up to the next event that is dispatched, false if there is none.
func (s *source) next() (e event, ok bool) {
	s.t.Helper()
	some := false
	for {
		line, ok := s.line()
		if !ok {
			return e, false
		}
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "id":
			e.id, _ = strconv.ParseUint(value, 10, 64)
		case "event":
			e.name = value
		case "data":
			e.data, some = value, true
		case "":
			if some {
				return e, true
			}
		}
	}
}

// want reads the next event.
func (s *source) want(name, data string) event {
	s.t.Helper()
	e, ok := s.next()
	if !ok || e.name != name || data != "" && e.data != data {
		s.t.Fatalf("got %+v, want %s %s", e, name, data)
	}
	return e
}

func TestEveryoneIsTold(t *testing.T) {
	wstest.NoLeaks(t)
	p := wstest.Serve(t, run, "-loops", "2", "-tick", "1h")
	a := open(t, wstest.Connect(t, p.Addr))
	first := a.want("clients", "1")
	b := open(t, wstest.Connect(t, p.Addr))
	if e := a.want("clients", "2"); e.id != first.id+1 {
		t.Errorf("event %d behind %d", e.id, first.id)
	}
	b.want("clients", "2")
	_ = b.SetLinger(0)
	_ = b.Close()
	a.want("clients", "1")
	p.Interrupt()
	if _, more := a.next(); more {
		t.Error("an event behind the end")
	}
	_ = a.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestClock(t *testing.T) {
	p := wstest.Serve(t, run, "-tick", "1ms")
	s := open(t, wstest.Connect(t, p.Addr))
	before := s.want("clients", "1").id
	for range 20 {
		e := s.want("clock", "")
		if _, err := time.Parse(time.TimeOnly, e.data); err != nil || e.id != before+1 {
			t.Fatalf("%+v behind %d: %v", e, before, err)
		}
		before = e.id
	}
}

// TestLastEventID: who comes back is told what it has missed, as far as that is known.
func TestLastEventID(t *testing.T) {
	for name, c := range map[string]struct {
		seen string
		want uint64 // 151 is the event that its own coming makes
	}{
		"the newest":            {"150", 151},
		"one before":            {"140", 141},
		"the oldest":            {"51", 52}, // its own coming has displaced 51
		"forgotten":             {"3", 52},
		"of another life":       {"100000", 151},
		"none":                  {"", 151},
		"not one of ours":       {"abc", 151},
		"longer than a number":  {strings.Repeat("9", 30), 151},
		"negative, and so none": {"-1", 151},
	} {
		t.Run(name, func(t *testing.T) {
			v, addr := serve(t)
			for n := range 150 { // events 1 to 150, of which 51 to 150 are remembered
				v.feed.publish("n", strconv.Itoa(n+1))
			}
			var fields []string
			if c.seen != "" {
				fields = []string{"Last-Event-ID: " + c.seen}
			}
			s := open(t, wstest.Connect(t, addr), fields...)
			for n := c.want; n <= 151; n++ {
				if got, _ := s.next(); got.id != n || (got.name == "clients") != (n == 151) {
					t.Fatalf("%+v, want event %d", got, n)
				}
			}
		})
	}
}

// serve runs a server that tells only what the test does.
func serve(t *testing.T) (v *server, addr string) {
	t.Helper()
	v = newServer(time.Hour)
	e, err := engine.New(v.config("127.0.0.1:0", 1, nil))
	if err == nil {
		err = e.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- e.Run(ctx) }()
	t.Cleanup(func() {
		v.feed.end()
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return v, e.Addrs()[0].String()
}

func TestQuietStreamsAreKeptAlive(t *testing.T) {
	p := wstest.Serve(t, run, "-tick", "1h", "-alive", "5ms")
	s := open(t, wstest.Connect(t, p.Addr))
	s.want("clients", "1")
	for comments := 0; comments < 3; {
		if line, ok := s.line(); !ok {
			t.Fatal("the stream has ended")
		} else if line == ": still here" {
			comments++
		}
	}
}

// TestSlowListeners cost their queue, miss events in the middle and none at the end, and
// hold up nobody.
func TestSlowListeners(t *testing.T) {
	v, addr := serve(t)
	slow, quick := open(t, wstest.Connect(t, addr)), open(t, wstest.Connect(t, addr))
	const many, size = 60_000, 200 // more than the kernel takes
	id := quick.want("clients", "2").id
	for n := range many {
		v.feed.publish("n", fmt.Sprintf("%0*d", size, n))
		for n%50 == 49 && id < uint64(n+3) { // behind the two that came and 0
			id++
			if e, ok := quick.next(); !ok || e.id != id {
				t.Fatalf("event %d, %v, want %d", e.id, ok, id)
			}
		}
	}
	until := fmt.Sprintf("%0*d", size, many-1)
	most := make(chan int, 2)
	v.feed.mu.Lock()
	for h := range v.feed.here {
		_ = h.Post(func(s callbacks.Session) error { most <- s.Buffered(); return nil })
	}
	v.feed.mu.Unlock()
	if n := max(<-most, <-most); n < behind || n > 4*behind {
		t.Errorf("%d bytes wait for who does not read, want %d to %d", n, behind, 4*behind)
	}
	got := 0
	for e := (event{}); e.data != until; got++ {
		var ok bool
		before := e.id
		if e, ok = slow.next(); !ok || e.id <= before {
			t.Fatalf("event %d behind %d", e.id, before)
		}
	}
	if got == many+2 {
		t.Errorf("the slow listener got %d events: it was not slow", got)
	}
}

func TestOtherRequests(t *testing.T) {
	p := wstest.Serve(t, run, "-tick", "1h")
	c := wstest.Connect(t, p.Addr)
	for _, x := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"}, {"HEAD", "/", 200, "text/html; charset=utf-8"}, {"GET", "/x", 404, "text/plain"},
		{"HEAD", "/events", 200, "text/event-stream"}, {"POST", "/events", 405, "text/plain"}, {"DELETE", "/", 405, "text/plain"},
	} {
		c.Send(x.method + " " + x.path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		resp, body := c.Body(x.method)
		if resp.StatusCode != x.status || resp.Header.Get("Content-Type") != x.kind || (x.path == "/" && x.method == "GET") != (body == string(page)) {
			t.Errorf("%s %s: %s %v %.40q", x.method, x.path, resp.Status, resp.Header, body)
		}
	}
	c.Send("GET /events HTTP/1.0\r\n\r\n")
	if line, err := bufio.NewReader(c.Response("GET").Body).ReadString('\n'); line != "retry: 2000\n" || err != nil {
		t.Errorf("HTTP/1.0 got %q, %v", line, err)
	}
}

func TestByTLSAndAStandardClient(t *testing.T) {
	cert := wstest.MakeCertificate(t)
	p := wstest.Serve(t, run, "-cert", cert.Cert, "-key", cert.Key)
	transport := &http.Transport{TLSClientConfig: cert.Trust}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: wstest.Patience}).Get("https://" + p.Addr + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	s := &source{t, nil, bufio.NewReader(resp.Body)}
	s.want("clients", "1")
	if !slices.Contains(resp.TransferEncoding, "chunked") {
		t.Errorf("it came as %v", resp.TransferEncoding)
	}
}

package engine_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// TestHandlerWritesWait: a handler that writes to a client who does not read waits, with
// a bounded queue, and goes on with it; every byte comes in its place.
func TestHandlerWritesWait(t *testing.T) {
	const total = 64 << 20
	var written atomic.Int64
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		piece := make([]byte, 100_001)
		for at := 0; at < total; at += len(piece) {
			piece = piece[:min(len(piece), total-at)]
			for i := range piece {
				piece[i] = byte((at + i) % 251)
			}
			if _, err := w.Write(piece); err != nil {
				return
			}
			written.Add(int64(len(piece)))
		}
	}), engine.Limits{})
	p := v.dial(t).send(get("/"))
	r, err := http.ReadResponse(p.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	standsStill(t, "the writes", &written)
	if still := written.Load(); still > total/2 {
		t.Fatalf("%d bytes were written to a client who reads nothing", still)
	}
	_ = p.SetDeadline(time.Now().Add(3 * patience))
	b, at := make([]byte, 1<<16), 0
	for {
		n, err := r.Body.Read(b)
		for i, c := range b[:n] {
			if c != byte((at+i)%251) {
				t.Fatalf("byte %d is %d", at+i, c)
			}
		}
		at += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if at != total {
		t.Fatalf("%d bytes came", at)
	}
	p.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
}

// TestHandlerInterimsWait: interim responses wait for the client like what is written, and
// all of them come.
func TestHandlerInterimsWait(t *testing.T) {
	const many = 4096
	var told atomic.Int64
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", strings.Repeat("x", 16<<10))
		for range many {
			w.WriteHeader(http.StatusEarlyHints)
			told.Add(1)
		}
	}), engine.Limits{})
	p := v.dial(t).send(get("/"))
	eventually(t, "it tells", func() bool { return told.Load() > 0 })
	standsStill(t, "the responses", &told)
	if still := told.Load(); still > many/2 {
		t.Fatalf("%d of %d were sent to a client who reads nothing", still, many)
	}
	for i := range many + 1 {
		r, err := http.ReadResponse(p.r, nil)
		if want := http.StatusEarlyHints; err != nil || r.StatusCode != want && i < many || r.StatusCode == want && i == many {
			t.Fatalf("response %d: %v, %v", i, r, err)
		}
	}
}

// TestHandlerWriteFails: writing ends with an error when the client has gone, and when
// the deadline has passed.
func TestHandlerWriteFails(t *testing.T) {
	seen := make(outcomes, 1)
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/deadline" {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		}
		piece, err := make([]byte, 1<<20), error(nil)
		for err == nil {
			_, err = w.Write(piece)
		}
		_, again := w.Write(piece[:1])
		seen.tell("late %v, gone %v, still %v", errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed), again != nil)
	}), engine.Limits{})
	p := v.dial(t).send(get("/deadline"))
	seen.want(t, "late true, gone false, still true")
	if r, err := http.ReadResponse(p.r, nil); err != nil || r.StatusCode != 200 {
		t.Errorf("%v, %v", r, err)
	} else if _, err := io.Copy(io.Discard, r.Body); err == nil {
		t.Error("the answer ends as if it were whole")
	}
	q := v.dial(t).send(get("/gone"))
	if _, err := http.ReadResponse(q.r, nil); err != nil {
		t.Fatal(err)
	}
	_ = q.Conn.(wire).SetLinger(0)
	_ = q.Close()
	seen.want(t, "late false, gone true, still true")
}

// TestHandlerFlushes: what was flushed is with the client while the handler goes on.
func TestHandlerFlushes(t *testing.T) {
	goOn := make(chan struct{})
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, _ = io.WriteString(w, "piece")
			_ = http.NewResponseController(w).Flush()
			<-goOn
		}
	}), engine.Limits{})
	p := v.dial(t).send(get("/"))
	r, err := http.ReadResponse(p.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	for range 3 {
		if _, err := io.ReadFull(r.Body, b); err != nil || string(b) != "piece" {
			t.Fatalf("%q, %v", b, err)
		}
		goOn <- struct{}{}
	}
	if n, err := r.Body.Read(b); err != io.EOF {
		t.Errorf("%d bytes more, %v", n, err)
	}
}

// TestHandlerBothWaysAtOnce: a goroutine reads while another writes.
func TestHandlerBothWaysAtOnce(t *testing.T) {
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(w, r.Body)
	}), engine.Limits{})
	p := v.dial(t)
	const total = 8 << 20
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.WriteString(p, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 8388608\r\n\r\n")
		_, _ = io.Copy(p, io.LimitReader(new(counter), total))
	})
	r, err := http.ReadResponse(p.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r.Body)
	wg.Wait()
	want, _ := io.ReadAll(io.LimitReader(new(counter), total))
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
	p.send(get("/")).want(200, "")
}

// counter reads as a pattern without an end.
type counter struct{ at int }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c.at % 251)
		c.at++
	}
	return len(p), nil
}

// TestHandlerPanics: nothing but a handler's own connection ends with it, the log has the
// stack, and 500 is the answer if there was none.
func TestHandlerPanics(t *testing.T) {
	var log lockedBuffer
	v := vhost(callbacks.Protocol{Callback: nothing})
	v[0].Mounts = []engine.Mount{engine.Handler("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			_, _ = io.WriteString(w, "never sent")
			panic("a handler's own")
		case "/abort":
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(200)
		w.WriteHeader(201)
	}))}
	s := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: v, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	p := s.dial(t).send(get("/panic"))
	if r, body := p.response("GET"); r.StatusCode != 500 || !r.Close || strings.Contains(body, "never sent") {
		t.Errorf("%s %q, close %v", r.Status, body, r.Close)
	}
	p.wantEOF()
	if text := log.String(); !strings.Contains(text, "a handler's own") || !strings.Contains(text, "handler_write_test.go") {
		t.Errorf("the log says %q", text)
	}
	log.Reset()
	s.dial(t).send(get("/abort")).wantEOF()
	if text := log.String(); text != "" {
		t.Errorf("the log says %q", text)
	}
	s.dial(t).send(get("/")).want(200, "")
	if text := log.String(); !strings.Contains(text, "superfluous WriteHeader") || !strings.Contains(text, "TestHandlerPanics") {
		t.Errorf("the log says %q", text)
	}
}

// lockedBuffer is a log that is read while it may be written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// TestHandlersAreBounded: with all workers at work and the queue full a request is turned
// away with 503, and a later one is served again.
func TestHandlersAreBounded(t *testing.T) {
	gate, inside := make(chan struct{}), make(outcomes, 4)
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside.tell("in")
		<-gate
	}), engine.Limits{Workers: 2, WorkQueue: 1})
	var waiting []*peer
	for i := range 3 {
		waiting = append(waiting, v.dial(t).send(get("/")))
		eventually(t, "it is taken", func() bool { return v.Stats().Requests == int64(i+1) })
	}
	inside.want(t, "in")
	inside.want(t, "in")
	p := v.dial(t).send(get("/"))
	if r, _ := p.response("GET"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || r.Close {
		t.Errorf("%s %v, close %v", r.Status, r.Header, r.Close)
	}
	close(gate)
	for _, w := range waiting {
		w.want(200, "")
	}
	p.send(get("/")).want(200, "")
}

// TestHandlersAnswerInOrder: pipelined requests are handled one after the other.
func TestHandlersAnswerInOrder(t *testing.T) {
	var running atomic.Int32
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if running.Add(1) != 1 {
			t.Error("two at once")
		}
		defer running.Add(-1)
		b, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.URL.Path+string(b))
	}), engine.Limits{})
	p := v.dial(t)
	var all strings.Builder
	for i := range 200 {
		all.WriteString(strings.Replace(post(strings.Repeat("x", i)), "@", "/"+strings.Repeat("y", i%7), 1))
	}
	p.send(all.String())
	for i := range 200 {
		p.want(200, "/"+strings.Repeat("y", i%7)+strings.Repeat("x", i))
	}
}

// TestHandlersAreWaitedFor: Run returns when the handlers have, though the connections
// have ended before.
func TestHandlersAreWaitedFor(t *testing.T) {
	entered, release := make(outcomes, 1), make(chan struct{})
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered.tell("in")
		<-r.Context().Done()
		entered.tell("cancelled")
		<-release
	}), engine.Limits{DrainTimeout: time.Second})
	p := v.dial(t).send(get("/"))
	entered.want(t, "in")
	_ = p.Conn.(wire).SetLinger(0)
	_ = p.Close()
	v.stop()
	entered.want(t, "cancelled")
	eventually(t, "the connection has ended", func() bool { return v.Stats().Sessions == 0 })
	select {
	case err := <-v.done:
		t.Fatal("Run has left a handler behind", err)
	default:
	}
	close(release)
	err := <-v.done
	if err != nil {
		t.Error(err)
	}
	v.done <- err
}

// TestHandlersThatStay: Run does not wait for ever, and says so.
func TestHandlersThatStay(t *testing.T) {
	release, left := make(chan struct{}), make(chan struct{})
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		<-r.Context().Done()
		<-release
		_, _ = w.Write(make([]byte, 1<<20)) // to nobody
		_, _ = r.Body.Read(make([]byte, 1))
	}), engine.Limits{})
	v.dial(t).send(get("/"))
	eventually(t, "it is taken", func() bool { return v.Stats().Requests == 1 })
	v.stop()
	err := <-v.done
	if !errors.Is(err, engine.ErrWork) || !errors.Is(err, engine.ErrDrain) {
		t.Error(err)
	}
	v.done <- engine.ErrDrain
	close(release)
	<-left
}

// TestHandlersLeaveNothing: of handlers that end in every way no goroutine is left.
func TestHandlersLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hijack":
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return // the client was faster
			}
			_ = c.SetDeadline(time.Now().Add(time.Hour))
			_, _ = io.Copy(c, c)
			_ = c.Close()
		case "/wait":
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Hour))
			<-r.Context().Done()
		case "/write":
			_, err := w.Write(make([]byte, 1<<20))
			for err == nil {
				_, err = w.Write(make([]byte, 1<<20))
			}
		case "/panic":
			panic("help")
		case "/exit":
			runtime.Goexit()
		default:
			_, _ = io.Copy(w, r.Body)
		}
	}), engine.Limits{})
	for i := range 10 * 6 {
		path := []string{"/", "/hijack", "/wait", "/write", "/panic", "/exit"}[i%6]
		p := v.dial(t).send(strings.Replace(post("hello"), "@", path, 1))
		if i%2 == 0 {
			_ = p.Conn.(wire).SetLinger(0)
		}
		_ = p.Close()
	}
	eventually(t, "all have gone", func() bool { return v.Stats().Sessions == 0 })
	v.stop()
	err := <-v.done
	if err != nil {
		t.Error(err)
	}
	v.done <- err
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

// TestHandlersGoroutinesAreLate: what a goroutine writes that its handler has left behind
// goes nowhere, above all not into the next response.
func TestHandlersGoroutinesAreLate(t *testing.T) {
	late := make(outcomes, 1)
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "in time")
		go func() {
			<-r.Context().Done()
			n, err := w.Write(make([]byte, 1<<20))
			_, _, herr := w.(http.Hijacker).Hijack()
			_, _ = r.Body.Read(make([]byte, 1))
			late.tell("%v %v", n < 1<<20 && err != nil, herr != nil)
		}()
	}), engine.Limits{})
	p := v.dial(t)
	for range 20 {
		p.send(postRoot("hello")).want(200, "in time")
		late.want(t, "true true")
	}
}

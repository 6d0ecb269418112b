package engine_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// hijacking runs f with every connection that asks for something.
func hijacking(t *testing.T, lim engine.Limits, f func(c net.Conn, rw *bufio.ReadWriter)) *server {
	t.Helper()
	return serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		f(c, rw)
	}), lim)
}

// TestHijackedConnsAreConns: bytes go both ways, those too that came with the request,
// and the addresses are right.
func TestHijackedConnsAreConns(t *testing.T) {
	v := hijacking(t, engine.Limits{}, func(c net.Conn, rw *bufio.ReadWriter) {
		fmt.Fprintf(rw, "%v %v\n", c.RemoteAddr(), c.LocalAddr())
		_ = rw.Flush()
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				fmt.Fprintf(c, "end %v", err)
				return
			}
			_, _ = io.WriteString(c, strings.ToUpper(line))
		}
	})
	p := v.dial(t).send(get("/"), "early\nmore")
	wantLine(t, p, fmt.Sprintf("%v %v\n", p.LocalAddr(), p.RemoteAddr()))
	wantLine(t, p, "EARLY\n")
	p.send(" of it\n")
	wantLine(t, p, "MORE OF IT\n")
	_ = p.Conn.(wire).CloseWrite()
	if b, err := io.ReadAll(p.r); string(b) != "end EOF" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func wantLine(t *testing.T, p *peer, want string) {
	t.Helper()
	if got, err := p.r.ReadString('\n'); got != want || err != nil {
		t.Fatalf("%q, %v; want %q", got, err, want)
	}
}

// TestHijackTakesTheUnreadBody: what the handler has not read of the body is on the
// connection.
func TestHijackTakesTheUnreadBody(t *testing.T) {
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 3)
		_, _ = io.ReadFull(r.Body, b)
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		rest, _ := rw.ReadString('.')
		_, _ = io.WriteString(c, string(b)+"|"+rest)
	}), engine.Limits{})
	p := v.dial(t).send(postRoot("abcdef"), "ghi.")
	if b, err := io.ReadAll(p.r); string(b) != "abc|defghi." || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// TestHijackAfterTheHead: what was answered before Hijack goes first; afterwards the
// http.ResponseWriter is of no use, and neither is a second Hijack.
func TestHijackAfterTheHead(t *testing.T) {
	seen := make(outcomes, 1)
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "thing")
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, again, err2 := w.(http.Hijacker).Hijack()
		_, werr := io.WriteString(w, "x")
		_, rerr := r.Body.Read(make([]byte, 1))
		w.WriteHeader(200)
		seen.tell("%v %v %v %v %v", again == nil, err2 == http.ErrHijacked, werr == http.ErrHijacked, rerr != nil, r.Context().Err())
		_, _ = io.Copy(c, c)
	}), engine.Limits{})
	p := v.dial(t).send(get("/"))
	r, err := http.ReadResponse(p.r, nil)
	if err != nil || r.StatusCode != 101 || r.Header.Get("Upgrade") != "thing" || r.Header.Get("Connection") != "Upgrade" || r.Header.Get("Content-Length") != "" {
		t.Fatalf("%v, %v", r, err)
	}
	seen.want(t, "true true true true <nil>")
	p.send("echo\n")
	wantLine(t, p, "echo\n")
}

// TestHijackedDeadlines: they end what waits, may be moved, and do not end the
// connection.
func TestHijackedDeadlines(t *testing.T) {
	written := make(chan int, 1)
	v := hijacking(t, engine.Limits{}, func(c net.Conn, _ *bufio.ReadWriter) {
		b := make([]byte, 5)
		_ = c.SetDeadline(time.Now().Add(10 * time.Millisecond))
		_, err := c.Read(b)
		var n net.Error
		timeout := errors.As(err, &n) && n.Timeout() && errors.Is(err, os.ErrDeadlineExceeded)
		_ = c.SetDeadline(time.Time{})
		fmt.Fprintf(c, "%v\n", timeout)
		_, err = io.ReadFull(c, b)
		fmt.Fprintf(c, "%s %v\n", b, err)
		_ = c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		total := 0
		for err == nil {
			var n int
			n, err = c.Write(make([]byte, 1<<20))
			total += n
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		written <- total
		_ = c.SetWriteDeadline(time.Time{})
		_, _ = io.WriteString(c, "and on")
	})
	p := v.dial(t).send(get("/"))
	wantLine(t, p, "true\n")
	p.send("hello")
	wantLine(t, p, "hello <nil>\n")
	total := receive(t, "what could be written", written)
	b, err := io.ReadAll(p.r)
	if err != nil || len(b) != total+len("and on") || !strings.HasSuffix(string(b), "\x00and on") {
		t.Errorf("%d bytes, %v; want %d and more", len(b), err, total)
	}
}

// TestHijackedWritesAreWhole: what several write at once comes one behind the other.
func TestHijackedWritesAreWhole(t *testing.T) {
	const long, writers, times = 300_000, 4, 10
	v := hijacking(t, engine.Limits{}, func(c net.Conn, _ *bufio.ReadWriter) {
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				for range times {
					if _, err := c.Write(bytes.Repeat([]byte{'a' + byte(i)}, long)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
	p := v.dial(t).send(get("/"))
	b := make([]byte, long)
	for range writers * times {
		if _, err := io.ReadFull(p.r, b); err != nil || !bytes.Equal(b, bytes.Repeat(b[:1], long)) {
			t.Fatalf("a write was taken apart, or %v", err)
		}
	}
}

// TestHijackedHalfClose: the client sees the end of what is sent, and may go on sending.
func TestHijackedHalfClose(t *testing.T) {
	const much = 4 << 20
	v := hijacking(t, engine.Limits{}, func(c net.Conn, _ *bufio.ReadWriter) {
		_, _ = c.Write(make([]byte, much))
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if b, err := io.ReadAll(c); string(b) != "still here" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
	p := v.dial(t).send(get("/"))
	if n, err := io.Copy(io.Discard, p.r); n != much || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	p.send("still here")
	_ = p.Conn.(wire).CloseWrite()
	eventually(t, "it has ended", func() bool { return v.Stats().Sessions == 0 })
}

// TestHijackedHalfCloseWaits: FIN goes behind all that was written, however long the
// client takes for it within Limits.StallTimeout, and nothing is lost.
func TestHijackedHalfCloseWaits(t *testing.T) {
	const stall = 4 * time.Second // far more than anything here takes
	var written atomic.Int64
	shut := make(chan struct{})
	v := hijacking(t, engine.Limits{StallTimeout: stall}, func(c net.Conn, _ *bufio.ReadWriter) {
		var writer sync.WaitGroup
		writer.Go(func() {
			for {
				n, err := c.Write(make([]byte, 16<<10))
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		standsStill(t, "the writes", &written)
		still := time.Now()
		eventually(t, "the client has been looked at", func() bool { return time.Since(still) > stall })
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
		writer.Wait()
		close(shut)
		if b, err := io.ReadAll(c); string(b) != "still here" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
	p := v.dial(t).send(get("/"))
	<-shut
	standsStill(t, "the client", new(atomic.Int64))
	if n, err := io.Copy(io.Discard, p.r); n != written.Load() || err != nil {
		t.Fatalf("%d bytes of %d, %v", n, written.Load(), err)
	}
	p.send("still here")
	_ = p.Conn.(wire).CloseWrite()
	eventually(t, "it has ended", func() bool { return v.Stats().Sessions == 0 })
}

// TestHijackedPressure: neither side can make the other keep more than it wants to.
func TestHijackedPressure(t *testing.T) {
	const total = 64 << 20
	var written atomic.Int64
	drain := make(chan struct{})
	v := hijacking(t, engine.Limits{}, func(c net.Conn, _ *bufio.ReadWriter) {
		for written.Load() < total {
			n, err := c.Write(make([]byte, 1<<16))
			if err != nil {
				t.Error(err)
				return
			}
			written.Add(int64(n))
		}
		<-drain
		n, err := io.Copy(io.Discard, c)
		fmt.Fprintf(c, "%d %v\n", n, err)
	})
	p := v.dial(t).send(get("/"))
	eventually(t, "it writes", func() bool { return written.Load() > 0 })
	standsStill(t, "the writes", &written)
	if still := written.Load(); still > total/2 {
		t.Fatalf("%d bytes were written to a client who reads nothing", still)
	}
	_ = p.SetDeadline(time.Now().Add(3 * patience))
	if _, err := io.CopyN(io.Discard, p.r, total); err != nil {
		t.Fatal(err)
	}
	sent, piece := 0, make([]byte, 1<<20)
	_ = p.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	for sent < total {
		n, err := p.Write(piece)
		if sent += n; err != nil {
			break
		}
	}
	if sent > total/2 {
		t.Fatalf("%d bytes were taken while nobody read", sent)
	}
	close(drain)
	if over(t) != overTCP {
		return // half a record was sent: its client cannot go on
	}
	_ = p.SetDeadline(time.Now().Add(patience))
	_ = p.Conn.(wire).CloseWrite()
	wantLine(t, p, fmt.Sprintf("%d <nil>\n", sent))
}

// TestHijackedConnsNeedNoWorker: handlers that have hijacked do not keep others out.
func TestHijackedConnsNeedNoWorker(t *testing.T) {
	v := hijacking(t, engine.Limits{Workers: 1, WorkQueue: 1}, func(c net.Conn, _ *bufio.ReadWriter) {
		_, _ = io.WriteString(c, "here\n")
		_, _ = io.Copy(c, c)
	})
	var all []*peer
	for range 5 {
		p := v.dial(t).send(get("/"))
		wantLine(t, p, "here\n")
		all = append(all, p)
	}
	for _, p := range all {
		p.send("hello\n")
		wantLine(t, p, "hello\n")
	}
}

// TestHijackedConnsEndInOrder: a Shutdown is the end of what can be read; who goes
// then, goes in order.
func TestHijackedConnsEndInOrder(t *testing.T) {
	v := hijacking(t, engine.Limits{DrainTimeout: patience}, func(c net.Conn, _ *bufio.ReadWriter) {
		_, _ = io.WriteString(c, "here\n")
		_, err := io.Copy(io.Discard, c)
		fmt.Fprintf(c, "bye %v\n", err)
	})
	p := v.dial(t).send(get("/"))
	wantLine(t, p, "here\n")
	v.stop()
	wantLine(t, p, "bye <nil>\n")
	p.wantEOF()
	p.Close()
	err := <-v.done
	if err != nil {
		t.Error(err)
	}
	v.done <- err
}

// TestHijackedConnsAreCutOff: Run does not wait for those who stay.
func TestHijackedConnsAreCutOff(t *testing.T) {
	var ended sync.WaitGroup
	ended.Add(1)
	v := hijacking(t, engine.Limits{}, func(c net.Conn, _ *bufio.ReadWriter) {
		defer ended.Done()
		_, _ = io.WriteString(c, "here\n")
		for {
			if _, err := c.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	p := v.dial(t).send(get("/"))
	wantLine(t, p, "here\n")
	v.stop()
	ended.Wait()
	err := <-v.done
	if !errors.Is(err, engine.ErrDrain) {
		t.Error(err)
	}
	v.done <- err
}

// TestHijackEndsTheTransaction: the program hears that the request is over, and later of
// the end of the connection.
func TestHijackEndsTheTransaction(t *testing.T) {
	reasons := make(chan callbacks.Reason, 100)
	v := vhost(callbacks.Protocol{Name: "test", Callback: func(_ callbacks.Session, r callbacks.Reason, _ []byte) error {
		reasons <- r
		return nil
	}})
	v[0].Mounts = []engine.Mount{engine.Handler("/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, _ := w.(http.Hijacker).Hijack()
		_ = c.Close()
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}))}
	s := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: v})
	p := s.dial(t).send(get("/"))
	p.wantEOF()
	p.Close()
	for _, want := range []callbacks.Reason{callbacks.HTTPBindProtocol, callbacks.HTTPDropProtocol, callbacks.ClosedHTTP, callbacks.WSIDestroy} {
		for receive(t, want.String(), reasons) != want {
		}
	}
}

// TestHijackThenPanic: what nobody else would close is closed.
func TestHijackThenPanic(t *testing.T) {
	v := hijacking(t, engine.Limits{}, func(net.Conn, *bufio.ReadWriter) { panic("after hijacking") })
	v.dial(t).send(get("/")).wantEOF()
	eventually(t, "the session ends", func() bool { return v.Stats().Sessions == 0 })
}

package engine_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// soon is a policy that is not worth waiting for, for ever.
func soon(p engine.RetryPolicy) *engine.RetryPolicy {
	p.Table, p.Conceal, p.Jitter = []time.Duration{10 * time.Millisecond}, -1, -1
	return &p
}

// never is a policy that waits for longer than any test.
func never(p engine.RetryPolicy) *engine.RetryPolicy {
	p.Table = []time.Duration{time.Hour}
	return &p
}

// retryingClient tells what happens to a client of its engine.
func retryingClient(t *testing.T, info engine.ClientConnectInfo) (*server, callbacks.Handle, <-chan string) {
	t.Helper()
	heard := make(chan string, 1000)
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.ClientReceive, callbacks.RawRX:
			heard <- string(in)
		case callbacks.ClientEstablished, callbacks.ClientClosed, callbacks.ClientConnectionError, callbacks.ClientRetrying,
			callbacks.Connecting, callbacks.RawConnected, callbacks.RawClose:
			heard <- r.String()
		case callbacks.WSIDestroy:
			if s.Handle() == nil {
				t.Error("a session without a Handle")
			}
		}
		return nil
	})
	h, err := v.Connect(info)
	if err != nil {
		t.Fatal(err)
	}
	return v, h, heard
}

// until reads on to a text, over what else is heard.
func until(t *testing.T, heard <-chan string, want string) {
	t.Helper()
	for got := ""; got != want; {
		got = receive(t, want, heard)
	}
}

// TestServerThatComesBack: what was written to the Handle while there was no server
// arrives.
func TestServerThatComesBack(t *testing.T) {
	l := over(t).listen(t)
	first := answers(t, l, func(c *farConn, _ int) { c.upgrade(""); c.frame() })
	info := clientInfo(t, first.addr())
	info.Retry = soon(engine.RetryPolicy{Reconnect: true})
	_, h, heard := retryingClient(t, info)
	until(t, heard, "ClientEstablished")
	l.Close()
	if err := h.Write([]byte("go away"), callbacks.WriteText); err != nil {
		t.Fatal(err)
	}
	until(t, heard, "ClientClosed")
	until(t, heard, "ClientRetrying")
	for _, text := range []string{"hel", "lo"} {
		if err := h.Write([]byte(text), callbacks.WriteText); err != nil {
			t.Fatal(err)
		}
	}
	again, err := net.Listen("tcp", first.addr())
	if err != nil {
		t.Skip("another process has taken the port: ", err)
	}
	answers(t, over(t).wrap(again), func(c *farConn, _ int) {
		c.upgrade("")
		for range 2 {
			p := c.frame()
			_, _ = c.Write(append([]byte{0x81, byte(len(p))}, p...))
		}
		_, _ = io.Copy(io.Discard, c.r)
	})
	until(t, heard, "ClientEstablished")
	if a, b := receive(t, "an echo", heard), receive(t, "an echo", heard); a != "hel" || b != "lo" {
		t.Errorf("heard %q and %q", a, b)
	}
}

// TestRetryBeginsAtTheBeginning: an attempt that fails behind a redirect is followed by
// one that may be redirected again.
func TestRetryBeginsAtTheBeginning(t *testing.T) {
	const rounds = 6
	f := answers(t, over(t).listen(t), func(c *farConn, n int) {
		switch {
		case c.asked.URL.Path != "/b":
			c.say("HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n")
		case n < 2*rounds:
			c.say("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
		default:
			c.upgrade("")
			c.echo()
		}
	})
	info := clientInfo(t, f.addr())
	info.Retry = soon(engine.RetryPolicy{})
	fateOf(t, info, nil).wantEcho(t)
	for i, r := range f.requests() {
		if want := []string{"/chat?x=y", "/b"}[i%2]; r.URL.RequestURI() != want {
			t.Errorf("request %d is for %s", i, r.URL)
		}
	}
	if n := len(f.requests()); n != 2*rounds {
		t.Errorf("%d requests", n)
	}
}

// TestCloseEndsTheRetrying, wherever it stands.
func TestCloseEndsTheRetrying(t *testing.T) {
	closed, _ := net.Listen("tcp", "127.0.0.1:0")
	closed.Close()
	deaf := over(t).listen(t)
	open := answers(t, over(t).listen(t), func(c *farConn, _ int) { c.upgrade(""); c.echo() })
	for name, c := range map[string]struct {
		addr string
		at   string // after which it is closed
		end  string
	}{
		"while it waits":  {closed.Addr().String(), "ClientRetrying", "ClientConnectionError"},
		"while it asks":   {deaf.Addr().String(), "Connecting", "ClientConnectionError"},
		"when it is open": {open.addr(), "ClientEstablished", "ClientClosed"},
	} {
		for _, how := range []string{"Close", "an error", "Shutdown"} {
			t.Run(name+" by "+how, func(t *testing.T) {
				info := clientInfo(t, c.addr)
				info.Retry = never(engine.RetryPolicy{Reconnect: true})
				v, h, heard := retryingClient(t, info)
				until(t, heard, c.at)
				switch how {
				case "Close":
					_ = h.Close(1000, "")
				case "an error":
					_ = h.Post(func(callbacks.Session) error { return callbacks.ErrClose })
				default:
					go func() { _ = v.Shutdown(context.Background()) }()
				}
				until(t, heard, c.end)
				eventually(t, "nothing is left", func() bool { return v.Stats().Sessions == 0 })
				if len(heard) > 0 {
					t.Errorf("then came %s", <-heard)
				}
				eventually(t, "the Handle is over", func() bool {
					return errors.Is(h.Write(nil, callbacks.WriteText), callbacks.ErrClosed) &&
						errors.Is(h.Close(0, ""), callbacks.ErrClosed) && errors.Is(h.RequestWriteable(), callbacks.ErrClosed)
				})
			})
		}
	}
}

// TestHandleOfReconnectingClients is one, and refuses what no session could send.
func TestHandleOfReconnectingClients(t *testing.T) {
	f := answers(t, over(t).listen(t), func(c *farConn, _ int) { c.upgrade("") })
	info := clientInfo(t, f.addr())
	info.Retry = soon(engine.RetryPolicy{Reconnect: true})
	_, h, heard := retryingClient(t, info)
	ids := make(chan uint64, 100)
	for range 3 {
		until(t, heard, "ClientRetrying")
		err := h.Post(func(s callbacks.Session) error {
			if s.Handle() != h {
				return errors.New("another Handle")
			}
			ids <- s.ID()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	a := []uint64{<-ids, <-ids, <-ids}
	if b := slices.Compact(slices.Clone(a)); len(b) != 3 {
		t.Errorf("sessions %v", a)
	}
	if err := h.Close(1, ""); err == nil || errors.Is(err, callbacks.ErrClosed) {
		t.Errorf("a code that must not be sent: %v", err)
	}
	until(t, heard, "ClientRetrying") // and it goes on
}

// TestRawClientsReconnect, too.
func TestRawClientsReconnect(t *testing.T) {
	l := over(t).listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hi")
			_ = c.Close()
		}
	}()
	info := clientInfo(t, l.Addr().String())
	info.Method, info.Retry = "RAW", soon(engine.RetryPolicy{Reconnect: true})
	_, _, heard := retryingClient(t, info)
	for range 3 {
		for _, want := range strings.Fields("Connecting RawConnected hi RawClose ClientRetrying") {
			if got := receive(t, want, heard); got != want {
				t.Fatalf("heard %s, want %s", got, want)
			}
		}
	}
}

// TestWritesWhileItWaitsAreBounded by Limits.SendQueue: what there is no room for is
// dropped, and the client goes on trying.
func TestWritesWhileItWaitsAreBounded(t *testing.T) {
	closed, _ := net.Listen("tcp", "127.0.0.1:0")
	closed.Close()
	failed := make(chan error, 1)
	v := start(t, engine.Config{Loops: 1, Limits: engine.Limits{SendQueue: 1000, SendHigh: 100, DrainTimeout: quick.DrainTimeout},
		Vhosts: vhost(callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
			if r == callbacks.ClientConnectionError {
				failed <- s.Err()
			}
			return nil
		}})})
	info := clientInfo(t, closed.Addr().String())
	info.Retry = never(engine.RetryPolicy{})
	h, err := v.Connect(info)
	if err != nil {
		t.Fatal(err)
	}
	for range 11 {
		_ = h.Write(make([]byte, 100), callbacks.WriteBinary)
	}
	eventually(t, "four fit with their letters", func() bool { return v.Stats().Dropped == 7 })
	if err := h.Close(0, ""); err != nil {
		t.Errorf("it has ended: %v", err)
	}
	if err := receive(t, "the end", failed); !errors.Is(err, callbacks.ErrClosed) {
		t.Errorf("failed by %v", err)
	}
}

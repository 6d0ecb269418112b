package engine_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// held is a client's connection that reads nothing until it is let: a handshake
// over it stalls behind the ClientHello.
type held struct {
	net.Conn
	gate  chan struct{}
	asked sync.Once
	reads chan struct{} // closed when the client wants to read
}

func (h *held) Read(b []byte) (int, error) {
	h.asked.Do(func() { close(h.reads) })
	<-h.gate
	return h.Conn.Read(b)
}

// stalling is a client in the middle of its handshake.
type stalling struct {
	*tlsPeer
	on   chan struct{} // closed to go on
	done chan error
}

// stall begins a handshake that stops when the ClientHello is sent.
func (v *server) stall(t *testing.T, from string) *stalling {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", v.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	h := &held{Conn: c, gate: make(chan struct{}), reads: make(chan struct{})}
	p := (&peer{c, t, nil}).over(c.(*net.TCPConn), tls.Client(h, trust()))
	s := &stalling{p, h.gate, make(chan error, 1)}
	t.Cleanup(func() {
		c.Close()
		select {
		case <-h.gate:
		default:
			close(h.gate)
		}
		<-s.done
	})
	go func() {
		s.done <- p.tls.Handshake()
		close(s.done)
	}()
	<-h.reads
	return s
}

func (s *stalling) goOn() {
	s.t.Helper()
	close(s.on)
	if err := <-s.done; err != nil {
		s.t.Fatal(err)
	}
}

// serveStalling is a server with narrow gates and all the time in the world.
func serveStalling(t *testing.T, lim engine.Limits) *server {
	lim.TLSHandshakeTimeout = time.Hour
	return startTLS(t, lim, engine.Vhost{TLS: with(engine.ServerTLS{}), Protocols: []callbacks.Protocol{{Name: "test", Callback: tellTLS}}})
}

// TestTLSHandshakesWaitForRoom: one at a time, and all of them in the end.
func TestTLSHandshakesWaitForRoom(t *testing.T) {
	const n = 8
	v := serveStalling(t, engine.Limits{TLSHandshakes: 1})
	first := v.stall(t, "127.0.0.1")
	eventually(t, "the first has begun", func() bool { return v.Stats().TLSPending == 1 })
	var others []*stalling
	for range n {
		others = append(others, v.stall(t, "127.0.0.1"))
	}
	eventually(t, "the others wait", func() bool { return v.Stats().TLSWaiting == n })
	if st := v.Stats(); st.TLSPending != 1 || st.TLSHandshakes != 0 {
		t.Errorf("%+v", st)
	}
	for _, o := range others {
		close(o.on) // they would go on, if they could
	}
	first.goOn()
	first.wantTold("- localhost - -")
	for _, o := range others {
		if err := <-o.done; err != nil {
			t.Fatal(err)
		}
		o.wantTold("- localhost - -")
	}
	eventually(t, "all are counted, and none is left", func() bool {
		st := v.Stats()
		return st.TLSHandshakes == n+1 && st.TLSPending == 0 && st.TLSWaiting == 0 && st.TLSFailed == 0
	})
}

// TestTLSHandshakesWaitPerAddress: one address takes no more than its share.
func TestTLSHandshakesWaitPerAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127/8 without asking")
	}
	v := serveStalling(t, engine.Limits{TLSHandshakes: 8, TLSHandshakesPerIP: 1})
	greedy := v.stall(t, "127.0.0.1")
	second := v.stall(t, "127.0.0.1")
	eventually(t, "the second waits", func() bool { return v.Stats().TLSWaiting == 1 && v.Stats().TLSPending == 1 })
	other := v.stall(t, "127.0.0.2")
	other.goOn()
	other.wantTold("- localhost - -")
	if st := v.Stats(); st.TLSWaiting != 1 {
		t.Errorf("%+v", st)
	}
	_ = greedy.tcp.Close() // one that leaves makes room, too
	second.goOn()
	second.wantTold("- localhost - -")
}

// TestTLSHandshakeLimits: what zero and negative numbers come to for clients of one
// address.
func TestTLSHandshakeLimits(t *testing.T) {
	for name, c := range map[string]struct {
		lim  engine.Limits
		most int
	}{
		"a quarter for one address":      {engine.Limits{TLSHandshakes: 8}, 2},
		"at least one for one address":   {engine.Limits{TLSHandshakes: 3}, 1},
		"its own limit":                  {engine.Limits{TLSHandshakes: 8, TLSHandshakesPerIP: 3}, 3},
		"no limit for one address":       {engine.Limits{TLSHandshakes: 4, TLSHandshakesPerIP: -1}, 4},
		"no limit but for one address":   {engine.Limits{TLSHandshakes: -1, TLSHandshakesPerIP: 3}, 3},
		"no limit by that of the others": {engine.Limits{TLSHandshakes: -1}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			const clients = 5
			v := serveStalling(t, c.lim)
			for range clients {
				v.stall(t, "127.0.0.1")
			}
			eventually(t, "all have begun, or wait", func() bool { return v.Stats().TLSPending+v.Stats().TLSWaiting == clients })
			if st := v.Stats(); st.TLSPending != int64(c.most) {
				t.Errorf("%d have begun, want %d", st.TLSPending, c.most)
			}
		})
	}
}

// TestTLSWaitingClientsLeave: those that go while they wait are forgotten.
func TestTLSWaitingClientsLeave(t *testing.T) {
	v := serveStalling(t, engine.Limits{TLSHandshakes: 1})
	first := v.stall(t, "127.0.0.1")
	eventually(t, "the first has begun", func() bool { return v.Stats().TLSPending == 1 })
	waiting := []*stalling{v.stall(t, "127.0.0.1"), v.stall(t, "127.0.0.1")}
	eventually(t, "the others wait", func() bool { return v.Stats().TLSWaiting == 2 })
	_ = waiting[0].tcp.Close()
	eventually(t, "one has left", func() bool { return v.Stats().TLSWaiting == 1 })
	_ = first.tcp.Close()
	waiting[1].goOn()
	waiting[1].wantTold("- localhost - -")
}

// TestTLSHandshakeTimeout: for every place where a client can stop.
func TestTLSHandshakeTimeout(t *testing.T) {
	f, ends := sessionEnds(tellTLS)
	v := startTLS(t, engine.Limits{TLSHandshakeTimeout: 20 * time.Millisecond, TLSHandshakes: 1},
		engine.Vhost{TLS: with(engine.ServerTLS{}), Protocols: []callbacks.Protocol{{Name: "test", Callback: f}}})
	hello := clientHello(t)
	stops := map[string]func() net.Conn{
		"silent":               func() net.Conn { return v.dial(t) },
		"one byte":             func() net.Conn { return v.dial(t).send(hello[:1]) },
		"half a ClientHello":   func() net.Conn { return v.dial(t).send(hello[:len(hello)/2]) },
		"all but its end":      func() net.Conn { return v.dial(t).send(hello[:len(hello)-1]) },
		"the server's flight":  func() net.Conn { return v.dial(t).send(hello) },
		"and half a record":    func() net.Conn { return v.dial(t).send(hello + "\x14\x03\x03\x00\x01") },
		"one client of a lib.": func() net.Conn { return v.stall(t, "127.0.0.1") },
	}
	for name, stop := range stops {
		c := stop()
		if err := receive(t, "the session ends", ends); !errors.Is(err, engine.ErrTLSTimeout) {
			t.Errorf("%s: the session ended with %v", name, err)
		}
		_ = c.Close()
	}
	eventually(t, "nobody holds a place", func() bool { return v.Stats().TLSPending == 0 && v.Stats().Sessions == 0 })
	if st := v.Stats(); st.TLSTimeouts != int64(len(stops)) || st.TLSFailed != 0 || st.TLSHandshakes != 0 {
		t.Errorf("of %d clients: %+v", len(stops), st)
	}
}

// clientHello is one of crypto/tls, as a record.
func clientHello(t *testing.T) string {
	t.Helper()
	a, b := net.Pipe()
	defer b.Close()
	go func() {
		_ = tls.Client(a, trust()).Handshake()
		a.Close()
	}()
	head := make([]byte, 5)
	if _, err := io.ReadFull(b, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(b, body); err != nil {
		t.Fatal(err)
	}
	return string(head) + string(body)
}

// TestTLSSilentClientsCostNoGoroutine, nor do those that stop inside the ClientHello.
func TestTLSSilentClientsCostNoGoroutine(t *testing.T) {
	const n = 200
	v := serveStalling(t, engine.Limits{})
	v.dialTLS(t, trust()).wantTold("- localhost - -") // what is made on first use is made
	hello := clientHello(t)
	eventually(t, "the workers rest", func() bool { return v.Stats().TLSSteps == 0 })
	before := runtime.NumGoroutine()
	for i := range n {
		v.dial(t).send(hello[:i%len(hello)])
	}
	eventually(t, "all are there", func() bool { return v.Stats().Sessions == n+1 })
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines for %d silent clients", after-before, n)
	}
	if st := v.Stats(); st.TLSPending != 0 || st.TLSWaiting != 0 {
		t.Errorf("%+v", st)
	}
	v.dialTLS(t, trust()).wantTold("- localhost - -")
}

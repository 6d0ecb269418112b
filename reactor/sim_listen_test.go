package reactor

import (
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-go/penstock/internal/simnet"
)

// A listener that rests hears stale events, and the poller may refuse to take it
// back. Nobody may wait in its backlog for ever.
func TestSimListenerComesBack(t *testing.T) {
	const seeds, callers = 200, 5
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(simnet.Config{Seed: seed, Moves: seed%2 == 0,
				Faults: simnet.Faults{Accept: 0.7, Poll: 0.5, Spurious: 0.5, Again: 0.3}})
			r, port := echoing(t, n)
			var all []*simCaller
			for range callers {
				c := &simCaller{n: n, port: port}
				all = append(all, c)
				n.Add(c)
			}
			r.Start()
			<-n.Done()
			r.StopListening()
			if err := r.Stop(); err != nil || n.Err() != nil {
				t.Errorf("seed %d: %v, %v", seed, err, n.Err())
			}
			for i, c := range all {
				if c.gaveUp {
					t.Errorf("seed %d: caller %d was not heard", seed, i)
				}
			}
			l := r.loops[0]
			if fds := n.Open(); len(fds) > 0 || l.wheel.Len() > 0 || l.conns.n > 0 || r.Stats().Connections > 0 {
				t.Errorf("seed %d: left: descriptors %v, %d timers, %d connections", seed, fds, l.wheel.Len(), l.conns.n)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// echoing makes a reactor that echoes.
func echoing(t *testing.T, n *simnet.Net) (*Reactor, int) {
	t.Helper()
	r, err := New(Config{Loops: 1, Kernel: n, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := r.Listen("tcp", "127.0.0.1:0", ListenConfig{}, func(*Conn) Handler { return simEcho{} })
	if err != nil {
		t.Fatal(err)
	}
	return r, addr.(*net.TCPAddr).Port
}

type simEcho struct{}

func (simEcho) Data(c *Conn, b []byte) int { _ = c.Write(b); return len(b) }
func (simEcho) EOF(c *Conn)                { c.Close() }
func (simEcho) Writable(*Conn)             {}
func (simEcho) Timeout(*Conn, int64)       {}
func (simEcho) Closed(*Conn, error)        {}

// simCaller connects, says something, and waits for its echo or a reset.
type simCaller struct {
	n      *simnet.Net
	port   int
	end    *simnet.End
	got    []byte
	since  int64
	gaveUp bool
}

func (c *simCaller) Step() simnet.Next {
	const patience = time.Minute
	if c.end == nil {
		c.end, c.since = c.n.Dial(c.port), c.n.Now()
		c.end.Send([]byte("hello"))
	}
	c.got = c.end.Recv(c.got, 100)
	switch {
	case len(c.got) > 0 || c.end.Over():
		c.end.Close()
		return simnet.Next{}
	case c.n.Now()-c.since >= int64(patience):
		c.gaveUp = true
		return simnet.Next{}
	}
	return c.n.Until(c.end.Readable, patience)
}

package handshakes

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// conn is a waiter that some goroutine of the stress test owns, as a loop owns connections.
type conn struct {
	Ticket
	told atomic.Int64
	news chan struct{}
}

func (c *conn) Admitted() {
	if c.told.Add(1) == 1 {
		close(c.news)
	}
}

// stress counts what has begun from outside the gate: after an admission and before the Leave, so never too much.
type stress struct {
	g             *Gate
	most, perIP   int64
	pending       atomic.Int64
	per           [4]atomic.Int64
	over          atomic.Int64
	atOnce, later atomic.Int64
	gone, late    atomic.Int64
	wrong         atomic.Int64
}

func (s *stress) hold(c *conn, ip int) {
	if s.pending.Add(1) > s.most || s.per[ip].Add(1) > s.perIP {
		s.over.Add(1)
	}
	runtime.Gosched()
	s.per[ip].Add(-1)
	s.pending.Add(-1)
	s.g.Leave(&c.Ticket)
}

// handshake is one connection, from its arrival to its end.
func (s *stress) handshake(rng *rand.Rand) {
	ip := rng.IntN(len(s.per))
	c := &conn{news: make(chan struct{})}
	want := int64(1)
	switch {
	case s.g.Enter(&c.Ticket, host(byte('a'+ip)), c):
		s.atOnce.Add(1)
		want = 0
		s.hold(c, ip)
	case rng.IntN(2) == 0:
		<-c.news
		s.later.Add(1)
		s.hold(c, ip)
	default:
		for range rng.IntN(8) {
			runtime.Gosched()
		}
		if s.g.Forget(&c.Ticket) {
			s.late.Add(1)
			s.hold(c, ip)
			<-c.news
		} else {
			s.gone.Add(1)
			want = 0
		}
	}
	if s.g.Forget(&c.Ticket) || c.told.Load() != want {
		s.wrong.Add(1)
	}
}

func TestGateUnderManyLoops(t *testing.T) {
	const loops, each = 32, 500
	s := &stress{g: NewGate(4, 2), most: 4, perIP: 2}
	var wg sync.WaitGroup
	for i := range loops {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for range each {
				s.handshake(rng)
			}
		})
	}
	wg.Wait()
	t.Logf("%d at once, %d later, %d gone, %d gone too late", s.atOnce.Load(), s.later.Load(), s.gone.Load(), s.late.Load())
	if sum := s.atOnce.Load() + s.later.Load() + s.gone.Load() + s.late.Load(); sum != loops*each {
		t.Errorf("%d handshakes of %d", sum, loops*each)
	}
	if s.over.Load() != 0 || s.wrong.Load() != 0 {
		t.Errorf("%d times over a limit, %d told a wrong number of times", s.over.Load(), s.wrong.Load())
	}
	if p, w := s.g.Stats(); p != 0 || w != 0 || len(s.g.sources.by) != 0 || !s.g.ready.empty() {
		t.Errorf("left: %d pending, %d waiting, %d addresses", p, w, len(s.g.sources.by))
	}
}

// stepped is a handshake of the picture in doc.go: its steps run in a pool when the gate has admitted it.
type stepped struct {
	Ticket
	p    *Pool
	g    *Gate
	left int
	done *sync.WaitGroup
}

func (h *stepped) Admitted() { h.p.Begin(h) }

func (h *stepped) Run() {
	if h.left--; h.left > 0 {
		h.p.Continue(h)
		return
	}
	h.g.Leave(&h.Ticket)
	h.done.Done()
}

func TestGateAndPoolTogether(t *testing.T) {
	p, g := NewPool(3), NewGate(10, 4)
	var all, done sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				done.Add(1)
				h := &stepped{p: p, g: g, left: 1 + j%4, done: &done}
				if g.Enter(&h.Ticket, host(byte('a'+i%3)), h) {
					p.Begin(h)
				}
			}
		})
	}
	all.Wait()
	done.Wait()
	p.Wait()
	pending, waiting := g.Stats()
	if pending != 0 || waiting != 0 || p.Running() != 0 || p.Queued() != 0 {
		t.Errorf("left: %d pending, %d waiting, %d running, %d queued", pending, waiting, p.Running(), p.Queued())
	}
}

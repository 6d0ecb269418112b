package simnet

import (
	"fmt"
	"math"
	"runtime/debug"
	"sync/atomic"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// poller is the scheduler; see Run.
type poller struct {
	n       *Net
	wake    chan struct{}
	woken   atomic.Bool
	wakeAt  int64 // 0 = not asked for
	running bool
	stopped bool
	menu    []choice
}

// choice is something that could happen now.
type choice struct {
	kind choiceKind
	i    int // a descriptor, or an index
}

type choiceKind uint8

const (
	chooseWoken choiceKind = iota
	chooseReady
	chooseActor
	chooseEvent
)

// Run does one thing after the other until Stop.
func (p *poller) Run(h kernel.Handler) error {
	defer p.explain()
	p.running = true
	for !p.stopped {
		if p.n.steps++; p.n.steps > p.n.cfg.MaxSteps {
			p.n.fail("no end after %d steps", p.n.cfg.MaxSteps)
			return p.n.err
		}
		synctest.Wait()
		p.list()
		switch f := &p.n.cfg.Faults; {
		case len(p.menu) == 0:
			p.rest(p.next())
		case p.n.Chance(f.Creep):
			p.creep()
		case p.n.Chance(f.Spurious):
			p.spurious(h)
		default:
			p.do(h, p.menu[p.n.rng.IntN(len(p.menu))])
		}
	}
	return nil
}

// explain adds the seed to a panic, which ends the process.
func (p *poller) explain() {
	if v := recover(); v != nil {
		panic(fmt.Sprintf("simnet: seed %d: %v\n%s", p.n.cfg.Seed, v, debug.Stack()))
	}
}

// list finds what could happen now.
func (p *poller) list() {
	n, now := p.n, p.n.Now()
	p.menu = p.menu[:0]
	if p.woken.Load() || p.wakeAt != 0 && p.wakeAt <= now {
		p.menu = append(p.menu, choice{chooseWoken, 0})
	}
	for i, s := range n.socks {
		if s != nil && s.due() != 0 {
			p.menu = append(p.menu, choice{chooseReady, i + firstFD})
		}
	}
	for i := range n.actors {
		if n.actors[i].runnable(now) {
			p.menu = append(p.menu, choice{chooseActor, i})
		}
	}
	for i := range n.events {
		if n.events[i].at <= now {
			p.menu = append(p.menu, choice{chooseEvent, i})
		}
	}
}

// due is what the poller would report of a descriptor. An error or hang-up is
// reported whatever it is watched for; to WatchEnd once.
func (s *socket) due() kernel.Event {
	switch {
	case s.watch == 0:
		return 0
	case s.listens:
		if len(s.backlog) > 0 {
			return kernel.Readable
		}
		return 0
	}
	ev := s.w.events()
	if ev&kernel.HungUp != 0 && (s.watch != kernel.WatchEnd || s.told < s.w.ending()) {
		return ev
	}
	var want kernel.Event
	if s.watch&kernel.WatchRead != 0 {
		want |= kernel.Readable
	}
	if s.watch&kernel.WatchWrite != 0 {
		want |= kernel.Writable
	}
	return ev & want
}

func (p *poller) do(h kernel.Handler, c choice) {
	n := p.n
	switch c.kind {
	case chooseWoken:
		p.clearWake()
		h.Woken()
	case chooseReady:
		s := n.at(c.i)
		ev := s.due()
		if s.watch == kernel.WatchEnd {
			s.told = s.w.ending()
		}
		n.trace("event %d: %v", c.i, ev)
		h.Ready(c.i, ev)
	case chooseActor:
		n.step(c.i)
	case chooseEvent:
		do := n.events[c.i].do
		n.events = append(n.events[:c.i], n.events[c.i+1:]...)
		do()
	}
}

// spurious reports what is not so.
func (p *poller) spurious(h kernel.Handler) {
	n := p.n
	fd := firstFD + n.rng.IntN(len(n.socks)+2)
	if n.rng.IntN(8) == 0 {
		h.Woken()
		return
	}
	ev := kernel.Event(1 + n.rng.IntN(7))
	n.trace("stale event %d: %v", fd, ev)
	h.Ready(fd, ev)
}

func (p *poller) clearWake() {
	p.woken.Store(false)
	select {
	case <-p.wake:
	default:
	}
	if p.wakeAt != 0 && p.wakeAt <= p.n.Now() {
		p.wakeAt = 0
	}
}

// creep lets time pass though there is work.
func (p *poller) creep() {
	d := time.Duration(p.n.rng.Int64N(int64(50 * time.Millisecond)))
	if p.n.rng.IntN(20) == 0 {
		d *= 40
	}
	<-time.After(d)
}

// next is the next time that anybody asked for, or the end of time.
func (p *poller) next() int64 {
	at := int64(math.MaxInt64)
	if p.wakeAt != 0 {
		at = p.wakeAt
	}
	for i := range p.n.actors {
		at = min(at, p.n.actors[i].next.at)
	}
	for i := range p.n.events {
		at = min(at, p.n.events[i].at)
	}
	return at
}

// rest waits until then, or for another goroutine.
func (p *poller) rest(until int64) {
	if until == math.MaxInt64 {
		<-p.wake
		return
	}
	alarm := time.NewTimer(time.Duration(until - p.n.Now()))
	defer alarm.Stop()
	select {
	case <-p.wake:
	case <-alarm.C:
	}
}

// Set implements kernel.Poller.
func (p *poller) Set(fd int, from, to kernel.Interest) (int, kernel.Errno) {
	n := p.n
	s := n.at(fd)
	if s.watch != from {
		panic(fmt.Sprintf("simnet: descriptor %d is watched for %d, not %d", fd, s.watch, from))
	}
	if p.running && to&^from != 0 && n.Chance(n.cfg.Faults.Poll) {
		return fd, unix.ENOMEM
	}
	s.watch, s.told = to, goesOn
	if n.cfg.Moves && from&kernel.WatchRead != 0 && to&kernel.WatchRead == 0 {
		moved := n.open(s)
		n.socks[fd-firstFD] = nil
		n.trace("descriptor %d is now %d", fd, moved)
		fd = moved
	}
	return fd, 0
}

// Wake implements kernel.Poller.
func (p *poller) Wake() {
	if !p.woken.Swap(true) {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// WakeAt implements kernel.Poller.
func (p *poller) WakeAt(at int64) {
	if p.wakeAt == 0 || at < p.wakeAt {
		p.wakeAt = at
	}
}

// Stop implements kernel.Poller.
func (p *poller) Stop() { p.stopped = true }

// Close implements kernel.Poller.
func (p *poller) Close() {}

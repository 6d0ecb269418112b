package reactor

import (
	"cmp"
	"maps"
	"slices"

	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/wheel"
)

// settleRounds bounds how often settle starts again because handlers asked for
// more; what is left then waits for the next turn, behind the other sockets.
const settleRounds = 16

// Loop is one goroutine with a poller and the connections that it owns.
// Everything but Post belongs to that goroutine.
type Loop struct {
	r     *Reactor
	k     kernel.Kernel
	p     kernel.Poller
	id    int
	now   int64 // of the event in hand
	conns table
	wheel wheel.Wheel
	mail  mailbox

	// Shared is the owner's per-loop state; the reactor does not look at it.
	Shared any
	// AfterEvent runs after every event, before connections are freed: the
	// owner flushes what it has gathered.
	AfterEvent func()

	buf       []byte                 // what a read is made into
	deferred  []func()               // for the next turn
	doing     []func()               // the other half of deferred, while it is walked
	wishes    []wish                 // of connections, for settle
	spare     []wish                 // the other half of wishes, while it is walked
	zones     map[*Conn]string       // of link-local peers
	limits    map[*Conn]*WriteLimits // of SetWriteLimits
	listeners []*listener
	dials     map[*Dialing]struct{}
	dialed    uint64          // counts dials
	drained   []chan struct{} // closed when nothing is left; see Reactor.Drain
	counters  counters
}

func newLoop(r *Reactor, p kernel.Poller, id int) *Loop {
	return &Loop{r: r, k: r.k, p: p, id: id, now: r.k.Now(), buf: make([]byte, readSize), dials: make(map[*Dialing]struct{}),
		zones: make(map[*Conn]string), limits: make(map[*Conn]*WriteLimits)}
}

// ID numbers the loops from 0.
func (l *Loop) ID() int { return l.id }

// Now is the time of the event in hand, in nanoseconds of a monotonic clock.
func (l *Loop) Now() int64 { return l.now }

// Each calls f for every connection of the loop, in no order. f may close it.
func (l *Loop) Each(f func(*Conn)) { l.conns.each(f) }

// Timer is an alarm that belongs to no connection: set its Owner and Arm it.
type Timer = wheel.Timer

// Arm makes t's owner expire at the given time of Now, or up to a tick later.
func (l *Loop) Arm(t *Timer, at int64) { l.arm(t, at) }

// Disarm takes the alarm back.
func (l *Loop) Disarm(t *Timer) { l.wheel.Disarm(t) }

func (l *Loop) arm(t *Timer, at int64) {
	l.wheel.Arm(t, at)
	l.p.WakeAt(at)
}

// Ready handles one event of the poller.
func (l *Loop) Ready(fd int, ev kernel.Event) {
	l.now = l.k.Now()
	c := l.conns.get(fd)
	switch {
	case c == nil:
		l.acceptOn(fd)
	case c.state == stateConnecting:
		c.h.Writable(c) // a *Dialing
	default:
		if ev&kernel.Writable != 0 {
			l.flush(c)
		}
		if ev&kernel.Readable != 0 {
			l.read(c)
		}
		if ev&kernel.HungUp != 0 {
			c.hungUp()
		}
	}
	l.settle()
}

// Woken delivers mail and expires timers.
func (l *Loop) Woken() {
	l.now = l.k.Now()
	if l.mail.deliver(l.settleWishes) {
		l.p.Wake() // more than the budget: let the sockets have their turn
	}
	l.runDeferred()
	l.wheel.Advance(l.now)
	l.settle()
	if at, ok := l.wheel.Next(); ok {
		l.p.WakeAt(at)
	}
}

// Defer runs f in the loop's next turn, behind the sockets that are ready by
// then. It belongs to the loop's goroutine.
func (l *Loop) Defer(f func()) {
	l.deferred = append(l.deferred, f)
	l.p.Wake()
}

func (l *Loop) runDeferred() {
	list := l.deferred
	l.deferred = l.doing[:0] // what these defer waits for the turn after
	l.doing = nil
	for i, f := range list {
		list[i] = nil
		f()
		l.settleWishes()
	}
	l.doing = list[:0]
}

// settleWishes is settle behind a letter: what was written waits for the end of
// the batch, so that many letters to one connection leave in one write.
func (l *Loop) settleWishes() {
	if len(l.wishes) > 0 {
		l.settle()
	}
}

// wish is what a connection wants when no handler is running.
type wish struct {
	c     *Conn
	free  bool // otherwise: to be fed again
	reset bool // free with an RST
	err   error
}

// wishFeed puts c on the list, once.
func (l *Loop) wishFeed(c *Conn) {
	if c.flags&flagFeed == 0 {
		c.flags |= flagFeed
		l.wishes = append(l.wishes, wish{c: c})
	}
}

// settle does what was asked for during an event, when no handler is running.
func (l *Loop) settle() {
	l.afterEvent()
	for round := 0; len(l.wishes) > 0; round++ {
		if round == settleRounds {
			l.p.Wake()
			return
		}
		list := l.wishes
		l.wishes = l.spare[:0]
		for i := range list {
			w := list[i]
			list[i] = wish{}
			l.grant(w)
		}
		l.spare = list
	}
	if l.drained != nil && l.conns.n == 0 && len(l.dials) == 0 {
		for _, done := range l.drained {
			close(done)
		}
		l.drained = nil
	}
}

func (l *Loop) grant(w wish) {
	if w.free {
		l.free(w.c, w.reset, w.err)
	} else {
		w.c.flags &^= flagFeed
		l.feed(w.c)
	}
	l.afterEvent()
}

func (l *Loop) afterEvent() {
	if l.AfterEvent != nil {
		l.AfterEvent()
	}
}

// run is the loop's goroutine.
func (l *Loop) run() error {
	l.p.Wake() // mail may have been posted before the loop was there
	err := l.p.Run(l)
	l.end()
	l.mail.close(l.end) // the last letters may bring a connection
	l.p.Close()
	return err
}

// stop ends the loop after the current event.
func (l *Loop) stop() {
	l.end()
	l.p.Stop()
}

// end lets nothing survive that the loop owns. Handlers may begin something new
// meanwhile; one that never stops to is not told of the end of its last dial.
func (l *Loop) end() {
	l.stopListening()
	for round := 0; round < settleRounds && l.conns.n+len(l.dials) > 0; round++ {
		byAge := func(a, b *Dialing) int { return cmp.Compare(a.number, b.number) }
		for _, d := range slices.SortedFunc(maps.Keys(l.dials), byAge) {
			d.fail(ErrStopped)
		}
		l.conns.each(func(c *Conn) { c.Abort(ErrStopped) })
		l.settle()
	}
	l.settle()
}

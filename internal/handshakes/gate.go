package handshakes

import (
	"net/netip"
	"sync"

	"github.com/penstock-go/penstock/internal/invariant"
)

// Waiter is told when its turn has come.
type Waiter interface {
	// Admitted is called once for every Enter that returned false, unless Forget came in time. It runs on the
	// goroutine that called Leave for another ticket, without the gate's lock, so it hands the news to
	// its own loop and returns. It can arrive after Forget or even Leave, if they come between the admission
	// and the call: a Waiter is not reused for another ticket before that.
	Admitted()
}

// Ticket is one handshake's place at a gate, embedded by what the handshake belongs to. Its zero value is idle.
//
//	                 ┌────────────── Enter, true ──────────────┐
//	                 │                                         v
//	idle ────────────┴─ Enter, false ─> waiting ─ Admitted ─> admitted
//	  ^ ^                                  │                   │
//	  │ └──────── Forget, false ───────────┘                   │
//	  └──────────────────────── Leave ─────────────────────────┘
//
// Any other move is a mistake, which panics in a build with the tag invariants and does nothing in others; only
// Forget may always be called. A ticket that is not idle must not be copied, and nothing in it may be touched but
// by the gate it is at, whose lock guards it.
type Ticket struct {
	place link[Ticket] // in the waiting of its source, while it waits
	from  *source      // nil while idle
	owner Waiter       // nil if it never waited
}

// Gate bounds how many handshakes have begun and not ended, in total and per address. Those over a bound wait. Room
// goes round the addresses that wait and are below their own bound, in the order in which they came to be so;
// within an address the first to enter is the first admitted. So nobody is delayed by how many wait from another
// address, only by how many addresses wait.
type Gate struct {
	most, mostPerIP int

	mu      sync.Mutex
	pending int
	waiting int
	sources sources
	ready   list[source] // whose turn comes next; while there is room in total, it is empty
}

// NewGate returns a gate that admits most tickets at once, and mostPerIP of one address; 0 or less means no limit.
// IPv6 counts by /64, within which a host takes as many addresses as it likes (RFC 8981); a zone is ignored, so all
// link-local peers are one. IPv4 mapped to IPv6 is IPv4. What has no address, as the peers of a unix socket, has only the limit in total, and takes
// its turn as if all of it were one address.
func NewGate(most, mostPerIP int) *Gate {
	return &Gate{most: most, mostPerIP: mostPerIP}
}

// Enter brings an idle ticket to the gate. True means that it has been admitted; false that it waits, and w is told
// when it has been: never by Enter itself, but another goroutine may do so before Enter has returned. The gate
// keeps t until Leave, or until Forget returns false.
func (g *Gate) Enter(t *Ticket, ip netip.Addr, w Waiter) (admitted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.legal(t.from == nil, "handshakes: Enter with a ticket in use") {
		return false
	}
	s := g.sources.at(ip)
	t.from = s
	// With room in both nobody is there to be overtaken: a source that waits and has room is ready, and there is
	// none while there is room in total.
	if g.room() && g.roomFor(s) {
		g.admit(s)
		return true
	}
	t.owner = w
	s.waiting.push(&t.place, t)
	g.waiting++
	g.queue(s)
	return false
}

// Leave ends an admitted ticket, which is idle then, and admits the next one whose turn it is.
func (g *Gate) Leave(t *Ticket) {
	if w := g.leave(t); w != nil {
		w.Admitted()
	}
}

// Forget ends a ticket that waits, and does nothing to others. True means that it has been admitted, whether or not
// Admitted has been called by now: the caller owes a Leave. False means that the ticket is idle, and that Admitted is
// not called for it any more.
func (g *Gate) Forget(t *Ticket) (admitted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !t.place.linked() {
		return t.from != nil
	}
	s := t.from
	s.waiting.remove(&t.place)
	g.waiting--
	*t = Ticket{}
	if s.waiting.empty() && s.turn.linked() {
		g.ready.remove(&s.turn)
	}
	g.sources.drop(s)
	return false
}

// Stats returns how many tickets are admitted and how many wait, now.
func (g *Gate) Stats() (pending, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pending, g.waiting
}

// leave returns whom to tell, because that must happen without the lock.
func (g *Gate) leave(t *Ticket) Waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.legal(t.from != nil && !t.place.linked(), "handshakes: Leave with a ticket that is not admitted") {
		return nil
	}
	s := t.from
	*t = Ticket{}
	g.pending--
	s.pending--
	g.queue(s)
	w := g.next()
	g.sources.drop(s)
	return w
}

// next admits the ticket whose turn it is, into the room that another has just made: that is room for one.
func (g *Gate) next() Waiter {
	if g.ready.empty() {
		return nil
	}
	s := g.ready.pop()
	t := s.waiting.pop()
	g.waiting--
	g.admit(s)
	g.queue(s)
	return t.owner
}

func (g *Gate) admit(s *source) {
	g.pending++
	s.pending++
}

// queue gives s its turn, behind all others, if it wants one, may have one, and is not in line already.
func (g *Gate) queue(s *source) {
	if !s.turn.linked() && !s.waiting.empty() && g.roomFor(s) {
		g.ready.push(&s.turn, s)
	}
}

func (g *Gate) room() bool { return g.most <= 0 || g.pending < g.most }

func (g *Gate) roomFor(s *source) bool {
	return g.mostPerIP <= 0 || !s.ip.IsValid() || s.pending < g.mostPerIP
}

func (g *Gate) legal(ok bool, msg string) bool {
	invariant.Check(ok, msg)
	return ok
}

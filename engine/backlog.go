package engine

import (
	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/invariant"
)

const (
	// waitingKeep bounds the loop's free list: a message for each of ten thousand
	// subscribers costs no allocation, and what a burst needed beyond that is not kept.
	waitingKeep = 16 << 10

	// waitingCost is what one message counts in SendQueue beside its frame, for as long
	// as it is a reference in a backlog: the memory of a waiting. Otherwise very short
	// messages would take much more of it than the limit says.
	waitingCost = 48
)

// backlog is what was published to a subscriber and not written yet: references to
// messages that are shared with all others. It is where the messages for a slow
// subscriber are, who gets no copy of his own before he can take it, and where those
// for everybody are until the loop's next turn.
//
// Each message is in two lists, both in the order of publishing: the subscriber's,
// and that of its place, for OverflowDropOldest. Everything here takes the same time
// however long they are.
type backlog struct {
	first, last *waiting
	count       int
	bytes       int    // of their frames, uncompressed
	dirty       bool   // on the loop's list for fanOut
	farewell    []byte // our close frame, if it waits for all that
}

// waiting is one message of a backlog.
type waiting struct {
	m          *callbacks.Message
	p          *place
	prev, next *waiting // in the backlog
	newer      *waiting // in the place
}

// sendingPieces tells whether a message of the program's has been begun, inside of
// which no other may be sent (RFC 6455 5.4).
func (w *wsRole) sendingPieces() bool { return w.flags&(wsSending|wsDropping) == wsSending }

// held tells whether the backlog has to wait. Whoever holds it calls resume.
func (b *subscriber) held() bool { return b.s.link.High() || b.w.sendingPieces() }

// weight is what the backlog counts in SendQueue.
func (b *backlog) weight() int { return b.bytes + b.count*waitingCost }

// size is how long m becomes as a frame, at most.
func (w *wsRole) size(m *callbacks.Message) int {
	if w.reader.Side == ws.Client {
		return len(m.Frame()) + ws.MaxHeaderSize
	}
	return len(m.Frame())
}

// fits tells whether n bytes may come behind the backlog. If it had room for itself,
// then each of its messages alone has room in an empty queue.
func (b *subscriber) fits(n int) bool {
	return b.s.link.Fits(b.weight() + n + closeRoom + b.s.corked())
}

// add puts m behind what waits, if there is room for it or room can be made.
func (b *subscriber) add(p *place, m *callbacks.Message) {
	if b.w.flags&wsClosed != 0 || b.s.state != stateOpen {
		return
	}
	n := b.w.size(m)
	if !b.fits(n+waitingCost) && !b.makeRoom(p, n+waitingCost) {
		b.s.l.counters.dropped++
		return
	}
	x := b.s.l.takeWaiting()
	*x = waiting{m: m, p: p, prev: b.last}
	if b.last == nil {
		b.first = x
	} else {
		b.last.next = x
	}
	if p.oldest == nil {
		p.oldest = x
	} else {
		p.newest.newer = x
	}
	b.last, p.newest = x, x
	b.count++
	b.bytes += n
	b.wake()
}

// makeRoom does what it takes to have room for n bytes, of a message that comes by p.
func (b *subscriber) makeRoom(p *place, n int) bool {
	if !b.held() { // more than the limit in one turn, and the socket has not been asked
		b.drain(false)
		if b.fits(n) {
			return true
		}
	}
	switch b.s.proto.Overflow {
	case callbacks.OverflowDropOldest:
		for p.oldest != nil {
			b.drop(p.oldest)
			if b.fits(n) {
				return true
			}
		}
	case callbacks.OverflowClose:
		b.w.tooSlow(b.s)
	}
	return false
}

// take removes x, the oldest of its place, from the backlog.
func (b *subscriber) take(x *waiting) *callbacks.Message {
	invariant.Check(x.p.oldest == x, "engine: a published message was taken before an older one of its topic")
	if x.p.oldest = x.newer; x.newer == nil {
		x.p.newest = nil
	}
	if x.prev == nil {
		b.first = x.next
	} else {
		x.prev.next = x.next
	}
	if x.next == nil {
		b.last = x.prev
	} else {
		x.next.prev = x.prev
	}
	m := x.m
	b.count--
	b.bytes -= b.w.size(m)
	b.s.l.giveWaiting(x)
	if b.first == nil && b.s.flags&flagWriteable != 0 {
		b.s.l.wantWriteable(b.s) // nothing else may come to an end that it could follow
	}
	return m
}

func (b *subscriber) drop(x *waiting) {
	b.take(x)
	b.s.l.counters.dropped++
}

func (b *subscriber) dropAll() {
	for b.first != nil {
		b.drop(b.first)
	}
	invariant.Check(b.count == 0 && b.bytes == 0, "engine: an empty backlog has a size")
}

// drain writes what waits, in its order, until the queue is long enough or, if all,
// until it is full.
func (b *subscriber) drain(all bool) {
	s, mark := b.s, b.s.link.HighMark()
	for b.first != nil && s.state == stateOpen && (all || !s.link.High()) {
		if !all && s.corked() > 0 && s.link.Pending()+s.corked() >= mark {
			s.flush() // to see whether the peer takes it; otherwise the rest stays here
			continue
		}
		if !s.link.Fits(b.w.size(b.first.m) + closeRoom + s.corked()) {
			if s.corked() == 0 {
				return
			}
			s.flush()
			continue
		}
		b.deliver(b.take(b.first), false)
	}
}

func (b *subscriber) deliver(m *callbacks.Message, alone bool) {
	b.s.l.counters.delivered++
	b.w.prepared(b.s, m, alone)
}

// catchUp writes the whole backlog, so that something else can follow it, and tells
// whether there was room.
func (b *subscriber) catchUp() bool {
	b.drain(true)
	return b.first == nil
}

func (l *loop) takeWaiting() *waiting {
	invariant.Count(ledgerWaiting, 1)
	x := l.waitings
	if x == nil {
		return new(waiting)
	}
	l.waitings = x.next
	l.spareWaitings--
	return x
}

func (l *loop) giveWaiting(x *waiting) {
	invariant.Count(ledgerWaiting, -1)
	*x = waiting{}
	if l.spareWaitings < waitingKeep {
		x.next = l.waitings
		l.waitings = x
		l.spareWaitings++
	}
}

package engine

import (
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/invariant"
)

// When a backlog is written:
//
//	wake       something was published: the subscriber is on the loop's list
//	fanOut     the loop's next turn walks the list, as far as a turn goes
//	flush      all of one backlog, or what the peer takes
//	resume     the peer has taken more, or the program's message has come to its end
//	closeWaits the program closes: our frame goes behind the backlog
//	curtail    the peer has closed: what there is room for, and no more

const (
	// fanSubscribers is how many subscribers are written to in one turn. A write(2)
	// takes 2 to 5 us, so the sockets wait for about a millisecond.
	fanSubscribers = 256

	// fanBytes is how much is written to subscribers in one turn, for long backlogs; it
	// is what the reactor allows one connection.
	fanBytes = 1 << 20
)

// wake puts b on the list for fanOut, unless something holds it.
func (b *subscriber) wake() {
	l := b.s.l
	if b.dirty || b.held() {
		return
	}
	b.dirty = true
	if len(l.dirty) == 0 {
		l.r.Defer(l.fan)
	}
	l.dirty = append(l.dirty, b)
}

// fanOut is the turn's share of writing to subscribers.
func (l *loop) fanOut() {
	from, before := 0, l.fanned
	for from < len(l.dirty) && from < fanSubscribers && l.fanned-before < fanBytes {
		b := l.dirty[from]
		from++
		b.dirty = false
		if b.s.state == stateOpen {
			b.flush()
		}
	}
	n := copy(l.dirty, l.dirty[from:])
	clear(l.dirty[n:])
	l.dirty = l.dirty[:n]
	switch {
	case n > 0:
		l.r.Defer(l.fan)
	case cap(l.dirty) > waitingKeep:
		l.dirty = nil
	}
}

// flush is b's share of a turn. A message that is alone goes out without being
// copied.
func (b *subscriber) flush() {
	s := b.s
	switch {
	case b.first == nil:
		return
	case b.held():
		b.stall()
		return
	case b.first == b.last && b.w.reader.Side == ws.Server && s.corked() == 0 && s.link.Fits(b.w.size(b.first.m)+closeRoom):
		b.deliver(b.take(b.first), true)
	default:
		b.drain(false)
		invariant.Check(b.first == nil || s.link.High() || s.state != stateOpen, "engine: a backlog waits for nothing")
	}
	b.stall()
	switch {
	case s.state != stateOpen:
	case b.w.flags&wsClosed != 0:
		b.closing()
	}
}

// stall starts the clock of a peer that has not taken all, if it is for the peer that
// the backlog waits.
func (b *subscriber) stall() {
	if b.first != nil && b.s.state == stateOpen && b.s.link.High() {
		b.s.stall()
	}
}

// resume goes on with the backlog when nothing holds it any more: in the next turn,
// behind the socket's own events. What a slow subscriber sends, perhaps that it wants
// to hear less, is read in between, however much is published meanwhile.
func (w *wsRole) resume() {
	if b := w.subscriber(); b != nil && b.first != nil {
		b.wake()
	}
}

// backed tells whether a backlog comes before whatever is written next. A Writeable
// waits for that, unless it is for the end of the message that the backlog waits for.
func (s *session) backed() bool {
	w, ok := s.role.(*wsRole)
	if !ok {
		return false
	}
	b := w.subscriber()
	return b != nil && b.first != nil && !w.sendingPieces()
}

// closeWaits tells whether our close frame has to wait behind the backlog of a slow
// subscriber, as a reference like the rest: at a shutdown there may be thousands of
// them. Inside of a message that will never be finished nothing else can be sent.
func (w *wsRole) closeWaits() bool {
	b := w.subscriber()
	if b == nil || b.first == nil {
		return false
	}
	if w.sendingPieces() {
		b.dropAll()
	}
	b.drain(false)
	return b.first != nil
}

// closing follows a flush of what our close frame waits for. The peer has read, so
// its time begins anew; the frame's own begins when it is sent.
func (b *subscriber) closing() {
	b.bid()
	b.s.flush() // which may find the queue long, and set a deadline for that
	switch {
	case b.s.state != stateOpen:
	case b.first == nil:
		b.s.deadlineIn(b.s.closeTimeout())
	default:
		b.s.deadlineIn(b.s.l.e.limits.StallTimeout)
	}
}

// curtail gives up what a session that is about to end has no room for now: its peer
// has closed already, or has broken the protocol.
func (w *wsRole) curtail() {
	b := w.subscriber()
	if b == nil {
		return
	}
	if !b.held() {
		b.drain(false)
	}
	b.dropAll()
	b.bid()
}

// bid sends the close frame that has waited for the backlog.
func (b *subscriber) bid() {
	if b.farewell != nil && b.first == nil {
		b.s.commit(append(b.s.begin(), b.farewell...))
		b.farewell = nil
	}
}

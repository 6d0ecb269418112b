package engine

import (
	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/invariant"
)

const (
	// fanSubscribers is how many subscribers are written to in one turn. A write(2)
	// takes 2 to 5 us, so the sockets wait for about a millisecond.
	fanSubscribers = 256

	// fanBytes is how much is written to subscribers in one turn, for long backlogs; it
	// is what the reactor allows one connection.
	fanBytes = 1 << 20

	// waitingKeep bounds the loop's free list: a message for each of ten thousand
	// subscribers costs no allocation, and what a burst needed beyond that is not kept.
	waitingKeep = 16 << 10

	// waitingCost is what one message counts in SendQueue beside its frame, for as long
	// as it is a reference in a backlog: the size of waiting. Otherwise very short
	// messages would take much more memory than the limit says.
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
	case b.first == b.last && b.w.reader.Side == ws.Server && s.corked() == 0:
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
	case b.first == nil && s.flags&flagWriteable != 0 && !s.link.High():
		s.l.wantWriteable(s)
	}
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

// stall starts the clock of a peer that has not taken all, if it is for the peer that
// the backlog waits.
func (b *subscriber) stall() {
	if b.first != nil && b.s.state == stateOpen && b.s.link.High() {
		b.s.stall()
	}
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

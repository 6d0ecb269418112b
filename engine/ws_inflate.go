package engine

import (
	"iter"
	"slices"

	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/internal/bufpool"
)

// The way of a compressed message in:
//
//	inflated   when it is whole, or as far as it can be told
//	           short: at once, by the loop's Inflater
//	           long:  by a turn, of which the loop's next turns each do a slice
//	inflate    the plaintext, and whether it is text
//	deliver    to the program
//
// A byte on the wire can cost a fifth of a microsecond to inflate, so 16 MiB would
// keep a loop from all its other sessions for seconds. A session that has used up its
// share of an event, or has a turn under way, does not read; what comes behind the
// message, a close frame and FIN too, waits in its place.

// turnsMost is how many long messages a loop inflates at a time; others wait. Each
// has an Inflater of its own, of about 50 KB, and the stack of a coroutine.
const turnsMost = 64

// turnsBytes is how long all of them together may become, by their limits; one may
// always.
const turnsBytes = 256 << 20

// checkMost is how much text is checked for UTF-8 in one turn of the loop: that takes
// a millisecond at most.
const checkMost = 1 << 20

// inflating is something to inflate: a whole message, or what a Stream holds of one.
type inflating struct {
	s         *session
	w         *wsRole
	msg       []byte // the whole message
	whole     bool   // ... if it is one
	op        ws.OpCode
	final     bool
	remaining uint64
	limit     int64
}

// turn is a long message while it is inflated, or waits for that, or for its program
// to read on.
type turn struct {
	inflating
	copied *bufpool.Buffer // of a message that was in the loop's buffer
	out    *bufpool.Buffer
	err    error
	with   *deflate.Inflater // nil before and behind
	next   func() (struct{}, bool)
	stop   func()
	done   bool
}

// turns are a loop's.
type turns struct {
	active  []*turn // in the order in which they get their slices
	waiting []*turn
	idle    []*deflate.Inflater
	resting []*session // have used up an event's share, or can be delivered to
	set     bool       // takeTurns will be called
}

// inflated delivers what ev is a piece of, when there is something to deliver.
func (w *wsRole) inflated(s *session, ev *ws.Event, limit int64) error {
	j := inflating{s: s, w: w, op: ev.Op, final: ev.Final, remaining: ev.Remaining, limit: limit}
	size := 0
	if s.proto.RxBufferSize <= 0 || ev.First && ev.Final {
		var err error
		if j.msg, j.whole, err = w.more.msg.Add(ev, noLimit); !j.whole || err != nil { // the Reader has counted
			return err
		}
		size = len(j.msg)
	} else {
		d := w.deflating()
		if ev.First {
			d.text, d.begun = ws.Validator{}, false
		}
		d.receiving = !ev.Final
		ready, err := d.stream.Add(ev.Payload, ev.Final, limit)
		if err != nil {
			w.breach(s, err)
		}
		if !ready {
			return nil
		}
		size = d.stream.Held()
	}
	if size > deflate.Slice {
		s.l.takeTurn(j, ev)
		return nil
	}
	return w.inflatedNow(j)
}

// inflatedNow is for what is short.
func (w *wsRole) inflatedNow(j inflating) error {
	s, l := j.s, j.s.l
	out, err := j.inflate(&l.inflater, l.inflated[:0], nil)
	w.more.msg.Release()
	if l.inflateWork += l.inflater.Work(); l.inflateWork >= deflate.Slice {
		s.pause(pauseInflate)
		l.rest(s)
	}
	if err != nil {
		w.breach(s, err)
		return nil
	}
	l.inflated = scratch(out)
	return j.deliver(out)
}

// inflate appends the plaintext to dst. If pause is set, it is called now and then.
func (j *inflating) inflate(f *deflate.Inflater, dst []byte, pause func() bool) (out []byte, err error) {
	a, start := j.w.more.agreed, len(dst)
	var whole ws.Validator
	text := &whole
	if j.whole {
		out, err = f.Append(dst, j.msg, a.in, j.w.received(a), j.limit)
	} else {
		d := j.w.more.deflating
		text = &d.text
		out, err = d.stream.Inflate(f, dst, a.in, &d.received, j.limit)
	}
	if err == nil && j.op == ws.OpText && !validText(text, out[start:], j.final, pause) {
		err = ws.ErrInvalidUTF8
	}
	return out, err
}

// validText checks the next p of a text, with pauses.
func validText(v *ws.Validator, p []byte, final bool, pause func() bool) bool {
	for len(p) > checkMost {
		if !v.Write(p[:checkMost]) || pause != nil && !pause() {
			return false
		}
		p = p[checkMost:]
	}
	return v.Write(p) && (!final || v.Complete())
}

// deliver gives out to the program.
func (j *inflating) deliver(out []byte) error {
	w, s := j.w, j.s
	if s.proto.RxBufferSize <= 0 {
		return w.message(s, out)
	}
	if len(out) == 0 && !j.final {
		return nil
	}
	all := piece{s: s, first: true, final: j.final, remaining: j.remaining}
	if !j.whole {
		all.first = !w.more.deflating.begun
		w.more.deflating.begun = true
	}
	err := w.pieces(s, all, out)
	w.rest(w.more.agreed)
	return err
}

// takeTurn stops s from reading and puts j behind the others who wait for their turn.
func (l *loop) takeTurn(j inflating, ev *ws.Event) {
	t := &turn{inflating: j}
	if j.whole && ev.First { // it is in the loop's buffer
		t.copied = bufpool.Get()
		t.copied.B = append(t.copied.B, j.msg...)
		t.msg = t.copied.B
	}
	j.w.deflating().turn = t
	j.s.pause(pauseInflate)
	l.turns.waiting = append(l.turns.waiting, t)
	l.admitTurns()
}

// admitTurns begins what waits, as far as there is room.
func (l *loop) admitTurns() {
	q := &l.turns
	for len(q.waiting) > 0 && len(q.active) < turnsMost && q.room(q.waiting[0]) {
		t := q.waiting[0]
		q.waiting = slices.Delete(q.waiting, 0, 1)
		q.active = append(q.active, t)
		t.begin()
	}
	l.setTurns()
}

// room tells whether t may begin: whether what all turns may inflate to is bounded.
func (q *turns) room(t *turn) bool {
	sum := min(t.limit, turnsBytes)
	for _, other := range q.active {
		sum += min(other.limit, turnsBytes)
	}
	return len(q.active) == 0 || sum <= turnsBytes
}

// setTurns has takeTurns called, if there is anything for it to do.
func (l *loop) setTurns() {
	q := &l.turns
	if !q.set && len(q.active)+len(q.resting) > 0 {
		q.set = true
		l.r.Defer(l.takeTurns)
	}
}

// takeTurns is a loop's turn: who rests goes on, and one turn has its slice.
func (l *loop) takeTurns() {
	q := &l.turns
	q.set = false
	list := q.resting
	q.resting = nil
	for _, s := range list {
		if s.state != stateOpen || s.paused&pauseInflate == 0 {
			continue
		}
		switch r := s.role.(type) {
		case *wsRole:
			r.goOn(s)
		case *clientRole:
			r.goOn(s)
		}
	}
	if len(q.active) > 0 {
		t := q.active[0]
		copy(q.active, q.active[1:])
		q.active[len(q.active)-1] = t
		if _, more := t.next(); !more {
			t.finish()
		}
	}
	l.setTurns()
}

// rest has s go on in the loop's next turn.
func (l *loop) rest(s *session) {
	l.turns.resting = append(l.turns.resting, s)
	l.setTurns()
}

// goOn reads on, or delivers what has been inflated while the program did not read.
func (w *wsRole) goOn(s *session) {
	d := w.more.deflating
	switch {
	case d == nil || d.turn == nil:
		s.unpause(pauseInflate)
	case d.turn.done && s.paused == pauseInflate:
		d.turn.deliver()
	}
}

// begin lends t an Inflater, and makes the coroutine.
func (t *turn) begin() {
	q := &t.s.l.turns
	if n := len(q.idle); n > 0 {
		t.with = q.idle[n-1]
		q.idle = q.idle[:n-1]
	} else {
		t.with = new(deflate.Inflater)
	}
	t.out = bufpool.Get()
	t.next, t.stop = iter.Pull(t.run)
}

// run inflates all of it, and pauses behind each slice.
func (t *turn) run(yield func(struct{}) bool) {
	pause := func() bool { return yield(struct{}{}) }
	t.with.Yield = pause
	t.out.B, t.err = t.inflate(t.with, t.out.B, pause)
}

// end gives back what only inflating needs.
func (t *turn) end() {
	q := &t.s.l.turns
	if i := slices.Index(q.waiting, t); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	if i := slices.Index(q.active, t); i >= 0 {
		t.stop()
		q.active = slices.Delete(q.active, i, i+1)
		t.with.Yield = nil
		t.with.Work()
		q.idle = append(q.idle, t.with)
		t.with = nil
	}
	if t.copied != nil {
		bufpool.Put(t.copied)
		t.copied = nil
	}
	t.s.l.admitTurns()
}

// finish says that all of it is inflated.
func (t *turn) finish() {
	t.end()
	t.w.more.msg.Release()
	t.done = true
	switch {
	case t.err != nil:
		t.w.breach(t.s, t.err)
	case t.s.paused == pauseInflate:
		t.deliver()
	} // else the program does not read, and goOn delivers
}

// deliver gives the message to the program, and has the session read on.
func (t *turn) deliver() {
	w, s := t.w, t.s
	w.more.deflating.turn = nil
	w.moved(s)
	s.seen = s.l.r.Now() // it was not the peer who was silent
	s.l.event = ws.Event{Op: t.op}
	s.l.piece = piece{s: s, first: true, final: true}
	err := t.inflating.deliver(t.out.B)
	s.l.piece.s = nil
	bufpool.Put(t.out)
	if err != nil {
		s.fail(err)
	}
	s.unpause(pauseInflate)
	if s.state == stateOpen {
		w.rest(w.more.agreed)
	}
}

// giveUp is for a session that ends, or has no use for the message any more.
func (t *turn) giveUp() {
	t.w.more.deflating.turn = nil
	t.end()
	if t.out != nil {
		bufpool.Put(t.out)
	}
	t.s.unpause(pauseInflate)
}

// release gives back what a message in hand holds.
func (d *deflating) release() {
	if d.turn != nil {
		d.turn.giveUp()
	}
	d.stream.Release()
}

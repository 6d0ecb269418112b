package engine

import (
	"errors"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/reactor"
)

// The way out, in order:
//
//	begin    the loop's cork, with what this session has put there already
//	commit   the same slice with more behind it
//	flush    one write to the link, when the event is over or the cork is full
//
// One session is corked at a time: when another begins, the first is flushed.

const (
	// corkSize is where a cork is flushed without waiting for the end of the event.
	// It holds the answers to a full read of small messages, and a TLS record.
	corkSize = 64 << 10

	// corkKeep is the largest cork that stays allocated after one huge message.
	corkKeep = 4 * corkSize

	// largeWrite is the payload from which on it is written from where it is,
	// behind its header, instead of being copied into the cork. It is where
	// copying begins to cost more than the longer system call, and what
	// uWebSockets uses.
	largeWrite = 16 << 10
)

type cork struct {
	owner *session
	buf   []byte
	epoch uint32 // counts flushes
}

// begin returns the slice to append to; commit takes it back.
func (s *session) begin() []byte {
	k := &s.l.cork
	if k.owner != s {
		k.flush()
		k.owner = s
	}
	return k.buf
}

func (s *session) commit(b []byte) {
	k := &s.l.cork
	k.buf = b
	if len(b) >= corkSize {
		k.flush()
	}
}

// commitWith sends b, what was begun, and body behind it, without copying body
// if the socket takes it.
func (s *session) commitWith(b, body []byte) {
	k := &s.l.cork
	k.owner = nil
	k.keep(b)
	switch {
	case s.link == nil:
	case len(b) == 0:
		s.sent(s.link.Write(body))
	default:
		s.sent(s.link.WriteTwo(b, body))
	}
}

func (k *cork) flush() {
	s := k.owner
	if s == nil {
		return
	}
	k.owner = nil
	b := k.buf
	k.keep(b)
	if len(b) > 0 && s.link != nil {
		s.sent(s.link.Write(b))
	}
}

func (k *cork) keep(b []byte) {
	k.epoch++
	k.buf = b[:0]
	if cap(b) > corkKeep {
		k.buf = nil
	}
}

// corked returns how many bytes of the session's wait in the cork.
func (s *session) corked() int {
	if s.l.cork.owner != s {
		return 0
	}
	return len(s.l.cork.buf)
}

// room answers a write of n bytes: nil if the limits allow it.
func (s *session) room(n int) error {
	switch {
	case s.state != stateOpen || s.link == nil:
		return callbacks.ErrClosed
	case !s.link.Fits(n + s.corked()):
		return callbacks.ErrSendQueueFull
	}
	return nil
}

// stall stops reading and starts the clock of a peer that does not read either.
func (s *session) stall() {
	if x := s.dialogue(); x != nil {
		x.stall(s)
		return
	}
	if s.paused&pauseQueue == 0 {
		s.pause(pauseQueue)
		s.link.Progressed()                     // from here on
		s.deadlineIn(s.l.e.limits.StallTimeout) // the role sets its own again when that has passed
	}
}

// sent looks at what became of a write: a queue that has grown too long stops
// the session from reading, so that its peer cannot make it grow further.
func (s *session) sent(err error) {
	if err == nil {
		if s.link.High() {
			s.stall()
		}
		return
	}
	if errors.Is(err, reactor.ErrQueueFull) {
		s.abort(callbacks.ErrSendQueueFull)
	}
	// Anything else is the end of the link, which says so itself.
}

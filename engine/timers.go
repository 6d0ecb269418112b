package engine

import (
	"errors"
	"time"

	"github.com/penstock-go/penstock/callbacks"
)

// A session has two times: its role's deadline and the program's timer. The link
// has one alarm. Arming is lazy: activity only stamps session.seen, the alarm
// goes off at the old time, and the role then looks how long it really has been
// quiet. So traffic costs no timer work.

// deadlineIn sets the role's deadline d from now; noTimeLimit sets none.
func (s *session) deadlineIn(d time.Duration) {
	if d == noTimeLimit {
		s.deadline = 0
		return
	}
	s.deadlineAt(s.l.r.Now() + int64(d))
}

// deadlineAt sets the role's deadline; 0 sets none.
func (s *session) deadlineAt(at int64) {
	if at >= int64(noTimeLimit) {
		at = 0
	}
	s.deadline = at
	s.arm()
}

// arm brings the alarm forward if it is set too late.
func (s *session) arm() {
	next := s.deadline
	if s.timerAt != 0 && (next == 0 || s.timerAt < next) {
		next = s.timerAt
	}
	if next == 0 || next >= int64(noTimeLimit) || s.armed != 0 && s.armed <= next {
		return
	}
	switch {
	case s.link != nil && s.state == stateOpen:
		s.armed = next
		s.link.Arm(next)
	case s.state == stateOpening:
		if d, ok := s.role.(*dialRole); ok {
			d.arm(s, next)
		}
	}
}

// ErrStalled ends a session whose peer has read nothing for Limits.StallTimeout
// while its send queue was over Limits.SendHigh.
var ErrStalled = errors.New("engine: the peer stopped reading")

// stalled judges a peer that is not read from because it does not read.
func (s *session) stalled(now int64) {
	if !s.link.Progressed() {
		s.abort(ErrStalled)
		return
	}
	s.seen = now
	s.deadlineIn(s.l.e.limits.StallTimeout)
}

// expired says that the alarm has gone off.
func (s *session) expired(now int64) {
	s.armed = 0
	if s.timerAt != 0 && s.timerAt <= now {
		s.timerAt = 0
		s.tellOrFail(callbacks.Timer, nil)
	}
	if s.deadline != 0 && s.deadline <= now && s.state <= stateOpen {
		s.deadline = 0
		s.role.timeout(s, now)
	}
	s.arm()
}

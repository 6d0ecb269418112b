package engine

import (
	"github.com/penstock-go/penstock/codec/http1"
)

func (h *httpRole) timeout(s *session, now int64) {
	lim := &s.l.e.limits
	if s.paused&pauseQueue != 0 {
		s.stalled(now)
		return
	}
	switch h.phase {
	case phaseHead:
		h.headTimeout(s, now)
	case phaseBody:
		switch due := s.seen + int64(lim.BodyTimeout); {
		case s.paused != 0:
			s.seen = now
			s.deadlineIn(lim.BodyTimeout)
		case due > now:
			s.deadlineAt(due)
		default:
			h.refuse(s, errBodyTimeout, 408)
		}
	}
}

var (
	errHeadTimeout = http1.NewError(408, "the head took too long")
	errBodyTimeout = http1.NewError(408, "the body took too long")
)

// headTimeout ends a connection that has been idle, and answers one that has sent
// half a head.
func (h *httpRole) headTimeout(s *session, now int64) {
	lim := &s.l.e.limits
	if h.own != nil {
		if due := h.since + int64(lim.HeaderTimeout); due > now {
			s.deadlineAt(due)
		} else {
			h.refuse(s, errHeadTimeout, 408)
		}
		return
	}
	wait := lim.IdleTimeout
	if h.flags&httpServed == 0 {
		wait = lim.HeaderTimeout
	}
	if due := h.since + int64(wait); due > now { // not from what came last: with TLS that may be half a record
		s.deadlineAt(due)
	} else {
		s.shut(nil)
	}
}

package engine

import (
	"time"

	"github.com/penstock-go/penstock/codec/http1"
)

// What a client may take, and from when on it counts:
//
//	head      Limits.HeaderTimeout, from the connection or from its first byte
//	body      Limits.BodyTimeout between two pieces, and on the whole Limits.BodyRate,
//	          if it waits for 100 (Continue), from that on, or from when it cannot come
//	request   Limits.RequestTimeout, from the head's first byte to the body's last
//	idle      Limits.IdleTimeout, from the end of the answer before
//
// While this side does not read, no time of the client's passes; see rested. What it
// takes to read an answer is judged by Limits.StallTimeout, see session.stall.

var (
	errHeadTimeout    = http1.NewError(408, "the head took too long")
	errBodyTimeout    = http1.NewError(408, "the body took too long")
	errBodyRate       = http1.NewError(408, "the body came too slowly")
	errRequestTimeout = http1.NewError(408, "the request took too long")
)

// due is when the client's time is up, 0 if nothing is awaited of it, and what it is
// refused with then, nil if it is only idle.
func (h *httpRole) due(s *session) (at int64, err error) {
	lim := &s.l.e.limits
	switch {
	case h.phase == phaseHead && h.own == nil:
		if h.flags&httpServed == 0 {
			return h.since + int64(lim.HeaderTimeout), nil
		}
		return h.since + int64(lim.IdleTimeout), nil // not from what came last: with TLS that may be half a record
	case h.phase == phaseHead:
		at, err = h.since+int64(lim.HeaderTimeout), errHeadTimeout
	case h.phase == phaseBody && h.flags&httpUndue != 0:
		at = int64(noTimeLimit) // or what the whole request may take
	case h.phase == phaseBody:
		at, err = s.seen+int64(lim.BodyTimeout), errBodyTimeout
		if rate := h.rateDue(s, lim); rate < at {
			at, err = rate, errBodyRate
		}
	default:
		return 0, nil
	}
	if whole := h.since + int64(lim.RequestTimeout); whole < at {
		at, err = whole, errRequestTimeout
	}
	return at, err
}

// rateDue is when the body falls behind Limits.BodyRate: it may be late by a
// BodyTimeout. What there is of a TLS record counts: a long one that comes at the rate
// takes longer than that.
func (h *httpRole) rateDue(s *session, lim *Limits) int64 {
	if lim.BodyRate == noLimit || lim.BodyTimeout == noTimeLimit {
		return int64(noTimeLimit)
	}
	came := h.taken
	if t, ok := s.link.(*secured); ok {
		came += int64(t.c.Kept())
	}
	earned := float64(came) / float64(lim.BodyRate) * float64(time.Second)
	return h.fed + int64(lim.BodyTimeout) + int64(min(earned, float64(noTimeLimit/2)))
}

// await sets the deadline for what is awaited now.
func (h *httpRole) await(s *session) {
	at, _ := h.due(s)
	s.deadlineAt(at)
}

func (h *httpRole) timeout(s *session, now int64) {
	if s.paused&pauseQueue != 0 {
		s.stalled(now)
		return
	}
	switch due, err := h.due(s); {
	case due == 0 || s.paused != 0: // rested sets the deadline anew
	case due > now:
		s.deadlineAt(due)
	case err == nil:
		s.shut(nil)
	default:
		h.refuse(s, err, 408)
	}
}

// rested follows a time in which the connection was not read from, and gives it back
// to the client.
func (h *httpRole) rested(s *session) {
	now := s.l.r.Now()
	s.seen = now
	h.since += now - max(h.halted, h.since)
	h.fed += now - max(h.halted, h.fed)
	h.await(s)
}

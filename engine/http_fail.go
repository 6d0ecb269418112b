package engine

import (
	"errors"
	"io"

	"github.com/penstock-go/penstock/callbacks"
)

// refuse answers err and closes; other is the status of an error that has none.
func (h *httpRole) refuse(s *session, err error, other int) {
	s.because(err)
	if w := h.work; w != nil { // it need not wait until the link is gone
		h.work = nil
		w.dropped(s)
	}
	if h.flags&httpStarted != 0 && h.flags&httpDone == 0 && !h.takeBack(s) {
		h.cutOff(s, err) // half a response is on its way
		return
	}
	h.flags &^= httpReusable
	if h.flags&(httpStarted|httpRaw) == httpRaw { // half a head, of which nothing has left
		h.raw, h.flags = nil, h.flags&^httpRaw
	}
	if h.flags&httpDone == 0 {
		h.status(s, s.statusFor(err, other))
	}
	h.phase = phaseAnswer
	h.log(s)
	s.shut(err)
}

// takeBack undoes a response that has begun, if all of it is still in the cork:
// a body that turns out to be broken in the segment that brought it gets its
// error answer though the program has begun to stream.
func (h *httpRole) takeBack(s *session) bool {
	k := &s.l.cork
	if k.owner != s || k.epoch != h.epoch {
		return false
	}
	k.buf = k.buf[:h.head]
	h.flags &^= httpStarted | httpChunked | httpBodyless | httpRaw
	h.extra, h.behind, h.raw = h.extra[:0], h.behind[:0], nil
	return true
}

// cutOff ends a connection inside a response. Where its framing shows that, what
// was answered before still goes out; where only the end of the connection ends
// the body, a reset must tell that this is not it.
func (h *httpRole) cutOff(s *session, err error) {
	h.log(s)
	if h.flags&httpChunked != 0 || h.left > 0 || h.raw != nil && h.raw.body.EOF() != nil {
		s.shut(err)
		return
	}
	s.abort(err)
}

// fail answers a callback's error.
func (h *httpRole) fail(s *session, err error) {
	if errors.Is(err, callbacks.ErrClose) {
		h.flags &^= httpReusable
		if h.req != nil {
			h.log(s)
		}
		if h.req == nil || h.flags&httpDone != 0 {
			s.shut(nil)
		} else if h.flags&httpStarted == 0 || h.left < 0 && h.flags&httpChunked == 0 || h.raw != nil && h.raw.body.EOF() == nil {
			s.shut(nil) // a response may end by closing
		} else {
			h.cutOff(s, err)
		}
		return
	}
	if h.req == nil { // a Timer or a Handle between requests: there is nothing to answer
		s.unexpected(err)
		s.shut(err)
		return
	}
	h.refuse(s, err, 500)
}

func (h *httpRole) eof(s *session) {
	switch h.phase {
	case phaseBody:
		h.refuse(s, h.body.EOF(), 400)
	case phaseHead:
		if h.own != nil { // half a head
			h.refuse(s, io.ErrUnexpectedEOF, 400)
			return
		}
		s.shut(nil)
	case phaseAnswer: // it has said all it wanted, and gets its answer
		h.flags |= httpLast
		if h.up != nil { // but it cannot want a WebSocket any more
			s.shut(io.ErrUnexpectedEOF)
		} else if h.work != nil {
			h.work.left(h, s)
		}
	}
}

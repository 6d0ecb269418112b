package engine

import (
	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// drainMost is how much of a body that nobody wants is read, to keep the
// connection; a longer one costs the client the connection.
const drainMost = 256 << 10

var errBodyTooLong = http1.NewError(413, "the body is too long")

// receiveBody gives the program a piece of the body.
func (h *httpRole) receiveBody(s *session, b []byte) (int, error) {
	n, data, done, err := h.body.Next(h.portion(b))
	if err != nil {
		h.refuse(s, err, 400)
		return n, nil
	}
	h.taken += int64(len(data))
	if h.taken > h.mount.bodyMost(&s.l.e.limits) {
		h.refuse(s, errBodyTooLong, 413)
		return n, nil
	}
	h.flags |= httpCalling
	if len(data) > 0 {
		h.bodyPiece(s, data)
	}
	if done && s.state == stateOpen {
		h.phase = phaseAnswer
		h.bodyEnd(s)
	}
	h.flags &^= httpCalling
	h.proceed(s)
	return n, nil
}

func (h *httpRole) wantsBody() bool { return h.flags&(httpDone|httpOffered) == httpOffered }

func (h *httpRole) bodyPiece(s *session, data []byte) {
	switch {
	case !h.wantsBody():
	case h.work != nil:
		h.work.body(h, s, data)
		return
	case h.mount.service() == nil:
		h.called(s, s.lend(callbacks.HTTPBody, data))
		return
	}
	// The answer is complete, or was given before HTTP: nobody wants the rest.
	if h.taken-h.wanted > drainMost {
		s.shut(nil)
	}
}

func (h *httpRole) bodyEnd(s *session) {
	switch {
	case !h.wantsBody():
	case h.work != nil:
		h.work.bodyEnd(h, s)
	case h.mount.service() == nil:
		h.called(s, s.tell(callbacks.HTTPBodyCompletion, nil))
	}
}

// wantBody goes on to the body, which the client may be holding back.
func (h *httpRole) wantBody(s *session) {
	switch {
	case h.flags&(httpAwaited|httpDone) == httpAwaited|httpDone:
		s.shut(nil) // answered without it: the client will not send it
		return
	case h.flags&httpAwaited == 0:
		h.bodyDue(s)
	case h.flags&httpLazy != 0: // the client is right to hold it back
	case h.flags&httpStarted != 0: // 100 will not come any more: it is the client's turn
		h.bodyDue(s)
	default:
		h.sendContinue(s)
	}
	h.await(s)
}

// bodyDue begins the time of a body that the client was right to hold back.
func (h *httpRole) bodyDue(s *session) {
	if h.flags&httpUndue != 0 {
		h.flags &^= httpUndue
		h.fed, s.seen = s.l.r.Now(), s.l.r.Now()
	}
}

// sendContinue lets the client go on with its body (RFC 9110 10.1.1).
func (h *httpRole) sendContinue(s *session) {
	h.continued(s)
	s.commit(append(s.begin(), "HTTP/1.1 100 Continue\r\n\r\n"...))
}

// continued notes that the client hears 100, for which it waits once.
func (h *httpRole) continued(s *session) {
	h.flags &^= httpAwaited
	h.bodyDue(s)
}

// continueFor sends 100 in front of an answer that may depend on the body: one that
// goes well and has a body of its own to stream.
func (h *httpRole) continueFor(s *session, status int, length int64) {
	if h.flags&httpAwaited != 0 && h.phase == phaseBody && status < 300 && length != 0 {
		h.sendContinue(s)
	}
}

package engine

import (
	"errors"
	"io"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
)

// clientRole is an HTTP client from the response's head on. The session is one
// transaction: it ends with it, and leaves the connection to the next.
//
//	responded --> receive: a piece, a piece --> complete --> settle --> closed
//	                 +--> cut short, too slow, no HTTP --------------> closed, with an error
type clientRole struct{ d *dialRole }

// receiveHead waits for the final response, and goes past those before it: 100 lets
// the body go, the others are of no use to a client that does not ask for them.
func (d *dialRole) receiveHead(s *session, b []byte) (int, error) {
	if d.x.facts&dialogueHeard == 0 {
		d.x.facts |= dialogueHeard
		d.traced(s, 0)
	}
	if d.hop != nil { // what has redirected goes on
		d.x.facts &^= dialogueReusable
		return len(b), nil
	}
	n, err := http1.ParseResponse(b, &d.resp, &s.l.e.limits.HTTP)
	if err != nil {
		s.abort(&ResponseError{Text: "the answer is no HTTP response", Err: err})
		return 0, nil
	}
	if n == 0 {
		return 0, nil
	}
	if !d.resp.KeepAlive() {
		d.x.facts &^= dialogueReusable
	}
	status := d.resp.Status()
	if status >= 200 || status == 101 {
		return n, d.responded(s)
	}
	d.traced(s, status)
	d.resp.Reset()
	if d.interim++; d.interim > interimMost {
		s.abort(&ResponseError{Status: status, Text: "too many interim responses"})
	} else if status == 100 && d.x.facts&dialogueHeld != 0 {
		d.goAhead(s)
	}
	return n, nil
}

// responded has the head of the final response.
func (d *dialRole) responded(s *session) error {
	x, status := d.x, d.resp.Status()
	if err := d.keep(s); err != nil {
		return err
	}
	framing, err := d.resp.Framing(d.info.Method)
	switch {
	case err != nil:
		s.abort(&ResponseError{Status: status, Text: "a body without an end", Err: err})
		return nil
	case status == 101 && (d.info.upgrade == "" || x.facts&dialogueSent == 0):
		s.abort(&ResponseError{Status: status, Text: "the server switched to a protocol that nobody had asked for"})
		return nil
	case d.follows():
		if err := d.redirect(s); err != nil {
			s.shut(err)
		} else if framing.Empty() {
			x.facts |= dialogueDone
		}
		return nil
	}
	d.resp.CopyTo(&x.resp)
	if err := d.tellOf(s, &x.resp, callbacks.ClientFilterPreEstablish, ""); err != nil || s.state != stateOpen {
		return err
	}
	if status >= 300 || x.facts&dialogueHeld != 0 { // RFC 9112 9.5: it does not want the body, or had none wanted
		x.stop()
	}
	c := &clientRole{d}
	s.become(c)
	if status == 101 { // RFC 9110 7.8
		framing = http1.Framing{Kind: http1.UntilClose}
		x.facts = x.facts&^(dialogueSent|dialogueReusable) | dialogueTunnel
		x.left = -1
	}
	x.body.Start(framing, &s.l.e.limits.HTTP)
	if d.asksForGzip() && gzipped(x.resp.Header()) && !framing.Empty() {
		x.zip = newGunzipper()
	}
	c.await(s)
	if err := s.tell(callbacks.EstablishedClientHTTP, nil); err != nil || s.state != stateOpen {
		return err
	}
	if framing.Empty() {
		return c.complete(s)
	}
	return nil
}

// await begins the time for the next piece of the body. Another protocol takes its own.
func (c *clientRole) await(s *session) {
	if c.d.x.facts&dialogueTunnel != 0 {
		s.deadlineAt(0)
		return
	}
	s.deadlineIn(s.l.e.limits.ResponseBodyTimeout)
}

// receive gives the program what has come of the body.
func (c *clientRole) receive(s *session, b []byte) (used int, err error) {
	x := c.d.x
	if x.facts&dialogueDone != 0 { // nobody has asked for more
		x.facts &^= dialogueReusable
		return len(b), nil
	}
	if err := s.tell(callbacks.ReceiveClientHTTP, nil); err != nil {
		return 0, err
	}
	for used < len(b) && s.paused == 0 && s.state == stateOpen {
		n, data, done, err := x.body.Next(b[used:])
		used += n
		if err != nil {
			s.abort(c.broken(err))
			return used, nil
		}
		if all, err := c.piece(s, data, done); err != nil || !all {
			return used, err
		}
		if done && s.state == stateOpen {
			return used, c.complete(s)
		}
	}
	return used, nil
}

// piece gives data to the program, and tells whether it has got all of that.
func (c *clientRole) piece(s *session, data []byte, done bool) (all bool, err error) {
	if z := c.d.x.zip; z != nil {
		z.done = done
		return c.inflate(s, data)
	}
	if len(data) > 0 {
		err = s.lend(callbacks.ReceiveClientHTTPRead, data)
	}
	return true, err
}

// broken is the error of a body that is none, or not all of one.
func (c *clientRole) broken(err error) error {
	if errors.Is(err, http1.ErrUnexpectedEOF) {
		err = io.ErrUnexpectedEOF
	}
	return &ResponseError{Status: c.d.x.resp.Status(), Text: "the body is broken", Err: err}
}

// complete says that all of the response is there. The session ends behind the event.
func (c *clientRole) complete(s *session) error {
	c.d.x.facts |= dialogueDone
	c.d.x.stop()
	s.later()
	return s.tell(callbacks.CompletedClientHTTP, nil)
}

// eof is the end of a body that has no other, or of one that is not complete.
func (c *clientRole) eof(s *session) {
	x := c.d.x
	err := x.body.EOF()
	switch {
	case x.facts&dialogueDone != 0:
		x.facts &^= dialogueReusable
	case err != nil:
		s.abort(c.broken(err))
	case s.flags&flagCutShort != 0:
		s.abort(c.broken(ErrCutShort))
	default:
		x.facts &^= dialogueReusable
		all, err := c.piece(s, nil, true)
		if err == nil && all {
			err = c.complete(s)
		}
		if err != nil {
			s.fail(err)
		}
	}
}

// settle ends the session behind the event that has completed it.
func (c *clientRole) settle(s *session) {
	if c.d.x.facts&dialogueDone != 0 {
		c.d.leave(s)
	}
}

func (c *clientRole) writeable(s *session) { c.d.x.pump(s) }

func (c *clientRole) timeout(s *session, now int64) {
	gap := s.l.e.limits.ResponseBodyTimeout
	switch {
	case c.d.x.open() && c.d.x.stalls(s):
	case s.paused != 0 || c.d.x.facts&dialogueTunnel != 0:
		s.seen = now
		c.await(s)
	case s.seen+int64(gap) > now:
		s.deadlineAt(s.seen + int64(gap))
	default:
		s.abort(ErrResponseBodyTimeout)
	}
}

func (c *clientRole) write(s *session, p []byte, kind callbacks.Kind) error {
	return c.d.x.write(s, p, kind)
}

// fail breaks the connection off: that is the one way to refuse the rest of a
// response.
func (c *clientRole) fail(s *session, err error) {
	if errors.Is(err, callbacks.ErrClose) {
		err = callbacks.ErrClosed
	} else if !errors.Is(err, callbacks.ErrClosed) {
		s.unexpected(err)
	}
	s.abort(err)
}

func (c *clientRole) close(s *session, _ ws.StatusCode, _ string) error {
	s.abort(callbacks.ErrClosed)
	return nil
}

// goodbye lets the transaction end by itself.
func (c *clientRole) goodbye(*session) {}

func (c *clientRole) closed(s *session) {
	if z := c.d.x.zip; z != nil {
		z.stop()
	}
	c.d.unbind(s)
	_ = s.tell(callbacks.ClosedClientHTTP, nil)
}

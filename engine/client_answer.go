package engine

import (
	"errors"
	"slices"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
)

// interimMost is how many 1xx responses a server may send before the real one.
const interimMost = 16

// receive waits for the proxy's answer, and the server's.
func (d *dialRole) receive(s *session, b []byte) (int, error) {
	switch {
	case d.refusing != nil:
		return d.refused(s, b), nil
	case d.tunnel != nil:
		return d.tunnelled(s, b), nil
	case s.handshaking() != nil: // what the proxy has sent on is TLS's
		return 0, nil
	case d.x != nil:
		return d.receiveHead(s, b)
	}
	n, err := http1.ParseResponse(b, &d.resp, &s.l.e.limits.HTTP)
	if err != nil {
		s.abort(&HandshakeError{Text: "the answer is no HTTP response", Err: err})
		return 0, nil
	}
	if n == 0 {
		return 0, nil
	}
	if st := d.resp.Status(); st < 200 && st != 101 {
		if d.interim++; d.interim > interimMost {
			s.abort(&HandshakeError{Status: st, Text: "too many interim responses"})
		}
		d.resp.Reset()
		return n, nil
	}
	return n, d.answered(s)
}

// answered opens the WebSocket, or ends the attempt.
func (d *dialRole) answered(s *session) error {
	if err := d.keep(s); err != nil {
		return err
	}
	name, err := d.checkResponse()
	var a *agreement
	if err == nil {
		a, err = d.extension(s)
	}
	if err != nil {
		d.badAnswer(s, err)
		return nil
	}
	return d.establish(s, name, a)
}

// badAnswer deals with a response that does not open a WebSocket.
func (d *dialRole) badAnswer(s *session, err error) {
	var h *HandshakeError
	switch {
	case !errors.As(err, &h):
		s.shut(err)
		return
	case h.Status != 101 && d.info.Flags&HTTPNoFollowRedirect == 0 && isRedirect(&d.resp):
		if err = d.redirect(s); err == nil {
			return
		}
		h = err.(*HandshakeError)
	}
	d.refusal = new(http1.Response)
	d.resp.CopyTo(d.refusal)
	d.refuse(s, &d.resp, "GET", h, &h.Body)
}

// checkResponse holds the answer against RFC 6455 4.1 and returns the subprotocol.
func (d *dialRole) checkResponse() (protocol string, err error) {
	f := d.resp.Header()
	accept, _ := f.Get("Sec-WebSocket-Accept")
	name, chosen := f.Get("Sec-WebSocket-Protocol")
	fail := func(text string) (string, error) {
		return "", &HandshakeError{Status: d.resp.Status(), Text: text}
	}
	switch {
	case d.resp.Status() != 101:
		return fail("the server did not upgrade")
	case !f.HasToken("Upgrade", "websocket") || !f.HasToken("Connection", "upgrade"):
		return fail("the server upgraded to something else")
	case f.Count("Sec-WebSocket-Accept") != 1 || !ws.CheckAccept(accept, d.key):
		return fail("Sec-WebSocket-Accept does not answer the key")
	case d.resp.Minor() != 1 || f.Count("Sec-WebSocket-Protocol") > 1:
		return fail("the response is not that of RFC 6455 4.2.2")
	case chosen && !slices.Contains(d.info.protocols(), string(name)):
		return fail("the server chose a subprotocol that was not offered")
	}
	return string(name), nil
}

// establish opens the WebSocket.
func (d *dialRole) establish(s *session, name string, a *agreement) error {
	if err := d.rebind(s, name); err != nil {
		return err
	}
	s.l.handshake = handshake{s: s, response: &d.resp}
	defer func() { s.l.handshake = handshake{} }()
	if err := s.tell(callbacks.ClientFilterPreEstablish, nil); err != nil {
		return err
	}
	if s.state != stateOpen {
		return nil
	}
	s.setWriteLimits()
	s.openWS(a)
	if n := d.line; n != nil {
		s.SetLiveness(n.policy.PingInterval, n.policy.HangupTimeout)
	}
	s.tellOrFail(callbacks.ClientEstablished, nil)
	d.early.deliver()
	if s.l.draining && s.state == stateOpen {
		s.role.goodbye(s)
	}
	return nil
}

// rebind moves the session to the protocol that the server chose, if it is
// another one that is known here.
func (d *dialRole) rebind(s *session, name string) error {
	p := s.vh.protocol(name)
	if d.info.LocalProtocolName != "" || name == "" || p == nil || p == s.proto {
		return nil
	}
	_ = s.tell(callbacks.WSClientDropProtocol, nil)
	s.proto = p
	return s.tell(callbacks.WSClientBindProtocol, nil)
}

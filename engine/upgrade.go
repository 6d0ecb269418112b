package engine

import (
	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// upgrade answers a request for a WebSocket (RFC 6455 4.2). It is the one place
// where an HTTP connection turns into something else on the server's side. It
// reports whether that has happened.
func (h *httpRole) upgrade(s *session) bool {
	h.flags &^= httpReusable // whatever is answered but 101 closes
	if err := h.checkUpgrade(); err != nil {
		if err == errUpgradeVersion { // name the one that is spoken (RFC 6455 4.4)
			h.extra = append(h.extra[:0], "Upgrade: websocket\r\nSec-WebSocket-Version: "+ws.Version+"\r\n"...)
		} else if err == errUpgradeMethod {
			h.extra = append(h.extra[:0], "Allow: GET\r\n"...)
		}
		h.refuse(s, err, 400)
		return false
	}
	if m, _ := s.vh.mounted(h.req.Path()); m != nil && m.status != 0 {
		h.redirect(s, m)
		return false
	}
	if !h.ask(s, callbacks.HTTPConfirmUpgrade, websocketName[:], 403) {
		return false
	}
	name, err := h.subprotocol(s)
	if err != nil {
		h.refuse(s, err, 400)
		return false
	}
	s.proto = h.wsProtocol(s, name)
	a, ok := h.bind(s, name)
	if !ok {
		_ = s.tell(callbacks.WSServerDropProtocol, nil)
		s.proto = nil
		return false
	}
	h.accept(s, name, a)
	return true
}

// bind asks the program, in libwebsockets' order, and agrees on compression.
func (h *httpRole) bind(s *session, name string) (a *agreement, ok bool) {
	if !h.ask(s, callbacks.WSServerBindProtocol, nil, 500) || !h.ask(s, callbacks.FilterProtocolConnection, []byte(name), 403) {
		return nil, false
	}
	a, err := h.extension(s)
	if err != nil {
		h.refuse(s, err, 400)
		return nil, false
	}
	return a, h.ask(s, callbacks.AddHeaders, nil, 500)
}

var (
	errUpgradeMethod  = &http1.Error{Status: 405, Text: "an upgrade to WebSocket must be a GET", Remote: true}
	errUpgradeBody    = &http1.Error{Status: 400, Text: "an upgrade to WebSocket must have no body", Remote: true}
	errUpgradeVersion = &http1.Error{Status: 426, Text: "only version 13 of WebSocket is known", Remote: true}
	errUpgradeKey     = &http1.Error{Status: 400, Text: "Sec-WebSocket-Key is missing, repeated or malformed", Remote: true}
)

// checkUpgrade holds the request against RFC 6455 4.2.1.
func (h *httpRole) checkUpgrade() *http1.Error {
	f := h.req.Header()
	version, _ := f.Get("Sec-WebSocket-Version")
	key, _ := f.Get("Sec-WebSocket-Key")
	switch {
	case string(h.req.Method()) != "GET":
		return errUpgradeMethod
	case !h.req.Framing().Empty():
		return errUpgradeBody
	case string(version) != ws.Version || f.Count("Sec-WebSocket-Version") != 1:
		return errUpgradeVersion
	case f.Count("Sec-WebSocket-Key") != 1 || !ws.ValidKey(key):
		return errUpgradeKey
	}
	return nil
}

var websocketName = [...]byte{'w', 'e', 'b', 's', 'o', 'c', 'k', 'e', 't'}

// subprotocol chooses among what the client offers, which is mostly nothing.
func (h *httpRole) subprotocol(s *session) (string, error) {
	f := h.req.Header()
	if f.Count("Sec-WebSocket-Protocol") == 0 {
		return "", nil
	}
	return ws.SelectProtocol(f.Values("Sec-WebSocket-Protocol"), s.vh.names)
}

// wsProtocol is what the WebSocket is bound to: the subprotocol it asked for, the
// mount it came by, the vhost's first.
func (h *httpRole) wsProtocol(s *session, name string) *callbacks.Protocol {
	if name != "" {
		return s.vh.protocol(name)
	}
	if m, _ := s.vh.mounted(h.req.Path()); m != nil && m.protocol != nil {
		return m.protocol
	}
	return s.vh.first()
}

// accept answers 101 and changes the role. The head stays readable while
// Established runs, and for good if the protocol wants that.
func (h *httpRole) accept(s *session, name string, a *agreement) {
	key, _ := h.req.Header().Get("Sec-WebSocket-Key")
	b := http1.AppendStatusLine(s.begin(), 101)
	b = append(b, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = append(ws.AppendAccept(b, key), "\r\n"...)
	if name != "" {
		b = http1.AppendField(b, "Sec-WebSocket-Protocol", name)
	}
	if a != nil {
		b = http1.AppendField(b, "Sec-WebSocket-Extensions", a.text)
	}
	b = append(b, h.extra...)
	s.commit(http1.AppendEnd(b))

	if s.proto.RetainHead {
		s.extend().head = new(http1.Request)
		h.req.CopyTo(s.ext.head)
	}
	s.setWriteLimits()
	s.openWS(a)
	s.l.handshake = handshake{s: s, request: h.req}
	s.tellOrFail(callbacks.Established, nil)
	s.l.handshake = handshake{}
	if s.l.draining && s.state == stateOpen {
		s.role.goodbye(s)
	}
	if h.own != nil {
		s.l.giveRequest(h.own)
	}
	s.l.giveHTTPRole(h)
}

// handshake is the head of the upgrade in hand.
type handshake struct {
	s        *session
	request  *http1.Request
	response *http1.Response
	deflate  *deflate.Config // in WSExtDefaults
}

package engine

import (
	"strconv"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// The server's side of RFC 6455 4.2, which is the one place where an HTTP connection
// turns into something else:
//
//	upgrade      what decides without the program: the request's form, the limits
//	climb        upgradeSteps, of which each may end it or hold it
//	Proceed      climb goes on behind the step that was held
//	accept       101, and the new role

// upgrading is an upgrade in hand.
type upgrading struct {
	step   int    // the next of upgradeSteps
	name   string // the subprotocol, "" for none
	chosen bool   // by SelectProtocol
	agreed *agreement
}

// upgradeSteps are what an upgrade goes through, in libwebsockets' order. A step
// returns false if it has refused the upgrade, or if the program has: by an error, an
// answer, or closing. It also does if the program wants to decide later.
var upgradeSteps = [...]func(h *httpRole, s *session) (goOn bool){
	(*httpRole).confirm, (*httpRole).choose, (*httpRole).filter, (*httpRole).negotiate, (*httpRole).addHeaders}

// upgrade begins to answer a request for a WebSocket, and reports whether that is what
// s has become.
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
	if !s.admitWebSocket() {
		_ = h.addHeader("Retry-After", strconv.Itoa(int(tooManyWait/time.Second)))
		h.refuse(s, errTooMany, 429)
		return false
	}
	h.up = new(upgrading)
	return h.climb(s)
}

// tooManyWait is when a client may try again that has too many WebSockets (RFC 6585 4).
// Nobody knows when one of them will end; this is long enough to keep it from asking
// all the time.
const tooManyWait = 10 * time.Second

var errTooMany = &http1.Error{Status: 429, Text: "too many WebSockets from this address", Remote: true}

// climb takes the upgrade through the steps that are left.
func (h *httpRole) climb(s *session) (upgraded bool) {
	u := h.up
	for u.step < len(upgradeSteps) {
		step := upgradeSteps[u.step]
		u.step++
		if step(h, s) {
			continue
		}
		if !h.held(s) {
			h.unbind(s)
		}
		return false
	}
	h.accept(s)
	return true
}

// held tells whether the upgrade waits for the program's word.
func (h *httpRole) held(s *session) bool {
	return s.state == stateOpen && h.flags&(httpStarted|httpRaw|httpHeld) == httpHeld
}

// unbind ends an upgrade that came to nothing.
func (h *httpRole) unbind(s *session) {
	h.up = nil
	if s.proto != nil {
		_ = s.tell(callbacks.WSServerDropProtocol, nil)
		s.proto = nil
	}
}

// goOn resumes an upgrade that the program has held.
func (h *httpRole) goOn(s *session) error {
	switch {
	case h.flags&(httpStarted|httpRaw) != 0:
		return callbacks.ErrAnswered
	case h.up == nil || h.flags&httpHeld == 0:
		return callbacks.ErrRole
	}
	h.flags &^= httpHeld
	if h.flags&httpCalling != 0 {
		return nil // the callback in hand had held it
	}
	h.flags |= httpCalling
	if h.climb(s) {
		return nil // h is not the session's role any more
	}
	h.flags &^= httpCalling
	h.proceed(s)
	return nil
}

// Proceed implements callbacks.Session, and so does SelectProtocol.
func (s *session) Proceed() error {
	h, err := s.inHand()
	if err != nil {
		return err
	}
	return h.goOn(s)
}

func (s *session) SelectProtocol(name string) error {
	h, err := s.inHand()
	if err != nil {
		return err
	}
	if h.up == nil || h.up.step != 1 { // the first, which is confirm, has begun
		return callbacks.ErrRole
	}
	if name != "" {
		if s.vh.protocol(name) == nil {
			return callbacks.ErrProtocol
		}
		found, err := ws.SelectProtocol(h.req.Header().Values("Sec-WebSocket-Protocol"), []string{name})
		if err != nil || found != name {
			return callbacks.ErrProtocol
		}
	}
	h.up.name, h.up.chosen = name, true
	return nil
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

func (h *httpRole) confirm(s *session) bool {
	return h.ask(s, callbacks.HTTPConfirmUpgrade, websocketName[:], 403)
}

// choose settles the subprotocol, looks at where the page comes from that asks for it,
// and binds the session.
func (h *httpRole) choose(s *session) bool {
	offered := h.req.Header().Values("Sec-WebSocket-Protocol")
	name, err := ws.SelectProtocol(offered, s.vh.names)
	if err != nil {
		h.refuse(s, err, 400)
		return false
	}
	if !h.up.chosen {
		h.up.name = name
	}
	p := h.wsProtocol(s, h.up.name)
	if err := h.checkOrigin(s, s.vh.origins[p]); err != nil {
		h.refuse(s, err, 403)
		return false
	}
	s.proto = p
	return h.ask(s, callbacks.WSServerBindProtocol, nil, 403)
}

// wsProtocol is what the WebSocket is bound to: the subprotocol it asked for, the
// mount it came by, the vhost's first.
func (h *httpRole) wsProtocol(s *session, name string) *callbacks.Protocol {
	if name != "" {
		return s.vh.protocol(name)
	}
	return h.protocol(s)
}

func (h *httpRole) filter(s *session) bool {
	return h.ask(s, callbacks.FilterProtocolConnection, []byte(h.up.name), 403)
}

// negotiate agrees on compression.
func (h *httpRole) negotiate(s *session) bool {
	a, err := h.extension(s)
	if err != nil {
		h.refuse(s, err, 400)
		return false
	}
	h.up.agreed = a
	return s.state == stateOpen && h.flags&(httpStarted|httpRaw|httpHeld) == 0 // the program may have done anything there
}

func (h *httpRole) addHeaders(s *session) bool { return h.ask(s, callbacks.AddHeaders, nil, 500) }

// accept answers 101 and changes the role. The head stays readable while
// Established runs, and for good if the protocol wants that.
func (h *httpRole) accept(s *session) {
	key, _ := h.req.Header().Get("Sec-WebSocket-Key")
	b := http1.AppendStatusLine(s.begin(), 101)
	b = append(b, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = append(ws.AppendAccept(b, key), "\r\n"...)
	if h.up.name != "" {
		b = http1.AppendField(b, "Sec-WebSocket-Protocol", h.up.name)
	}
	if h.up.agreed != nil {
		b = http1.AppendField(b, "Sec-WebSocket-Extensions", h.up.agreed.text)
	}
	b = append(b, h.extra...)
	s.commit(http1.AppendEnd(b))
	h.answer = 101
	h.log(s)

	if s.proto.RetainHead {
		s.extend().head = new(http1.Request)
		h.req.CopyTo(s.ext.head)
	}
	s.setWriteLimits()
	s.openWS(h.up.agreed)
	s.unpause(pauseAnswer) // what came while the program held the upgrade
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

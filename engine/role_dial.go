package engine

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/reactor"
	"github.com/penstock-go/penstock/tlsbridge"
)

// ErrHandshakeTimeout ends a client whose server did not answer the handshake
// within Limits.HandshakeTimeout.
var ErrHandshakeTimeout = errors.New("engine: the server did not answer the handshake")

// interimMost is how many 1xx responses a server may send before the real one.
const interimMost = 16

// dialRole is a client that is not established: it has no link at first, and then
// waits for the server's answer.
//
//	start --> dial --> Dialed --> dig, through --> TLS --> connected --> receive --101--> wsRole
//	  |        | ^       |         (a proxy)        |         |            |
//	  |        | |       +------------+-------------+---------+------------+
//	  |        | |                            ended
//	  |        | +--now: redirected-------------+
//	  |        | +--timeout: wait, by a policy--+
//	  +--------+--------------------------------+--> closed: ClientConnectionError
type dialRole struct {
	attempt
	info  ClientConnectInfo // of this attempt, which may be a redirect's
	line  *line             // nil without a RetryPolicy
	hops  int               // redirects followed
	bound bool              // WSClientBindProtocol has been raised
	early early
	alarm reactor.Timer
}

// attempt is what is forgotten before the next one.
type attempt struct {
	dialing  *reactor.Dialing
	tunnel   *tunnel // while a proxy is asked
	key      string
	extra    []byte
	cookies  []string // of AddHeader
	resp     http1.Response
	interim  int
	offered  *deflate.Config // nil if compression was not
	refusal  *http1.Response // a copy of a response that was no good
	refusing *refusing       // while the body of a refusal is awaited
	asked    time.Duration   // by Retry-After
	hop      *ClientConnectInfo
}

// localProtocol is the protocol that hears of the session before the server has
// chosen.
func (d *dialRole) localProtocol(v *vhost) *callbacks.Protocol {
	if name := d.info.LocalProtocolName; name != "" {
		return v.protocol(name)
	}
	for _, name := range d.info.protocols() {
		if p := v.protocol(name); p != nil {
			return p
		}
	}
	return v.first()
}

// start is the session's first event.
func (d *dialRole) start(s *session) {
	d.introduce(s)
	if s.l.draining {
		s.ended(ErrClosed)
		return
	}
	d.dial(s)
}

// introduce raises the first reason. The beginning is the first protocol's, as the end
// will be.
func (d *dialRole) introduce(s *session) {
	proto := s.proto
	s.proto = nil
	s.begun()
	s.proto = proto
}

// dial begins an attempt.
func (d *dialRole) dial(s *session) {
	delete(s.l.clients, s)
	d.attempt = attempt{}
	if d.info.Method != "RAW" && !d.bound {
		d.bound = true
		if err := s.tell(callbacks.WSClientBindProtocol, nil); err != nil {
			s.forgo()
			s.ended(err)
			return
		}
	}
	if err := s.tell(callbacks.Connecting, nil); err != nil {
		s.forgo()
		s.ended(err)
		return
	}
	s.l.clients[s] = struct{}{}
	d.dialing = s.l.r.Dial(d.info.dialConfig(d.info.via(), &s.l.e.limits), (*dialer)(s))
}

// begun counts a client's session and introduces it.
func (s *session) begun() {
	s.count()
	s.flags |= flagCreated
	_ = s.tell(callbacks.WSICreate, nil)
}

// dialer is a client's session as the reactor's Dialer.
type dialer session

func (p *dialer) Dialed(c *reactor.Conn) reactor.Handler {
	s := (*session)(p)
	delete(s.l.clients, s)
	d := s.role.(*dialRole)
	d.dialing = nil
	s.l.r.Disarm(&d.alarm)
	s.link, s.state, s.seen, s.armed = c, stateOpen, s.l.r.Now(), 0
	var h reactor.Handler = (*plainHandler)(s)
	switch via := d.info.via(); {
	case s.l.draining:
		s.abort(ErrClosed)
	case via != nil:
		d.dig(s, via)
	default:
		h = d.reached(s, c)
	}
	s.arm()
	return h
}

// reached begins to talk to the server, and returns who listens.
func (d *dialRole) reached(s *session, c *reactor.Conn) reactor.Handler {
	if d.info.Flags&UseSSL == 0 {
		d.connected(s)
		return (*plainHandler)(s)
	}
	t := &secured{s: s, c: c}
	cfg := d.info.clientTLS(s.vh)
	verifying(cfg, &t.tls, d.info.Flags)
	t.shake(tlsbridge.Client, cfg, nil, func() { d.connected(s) })
	return t
}

func (p *dialer) DialFailed(err error) {
	s := (*session)(p)
	delete(s.l.clients, s)
	d := s.role.(*dialRole)
	d.dialing = nil
	if d.info.Proxy != "" {
		err = &ProxyError{Err: err}
	}
	s.ended(err)
}

// connected sends the handshake (RFC 6455 4.1).
func (d *dialRole) connected(s *session) {
	if d.info.Method == "RAW" {
		s.openRaw(s.proto, callbacks.RawConnected)
		d.early.deliver()
		return
	}
	if err := s.tell(callbacks.ClientAppendHandshakeHeader, nil); err != nil {
		s.fail(err)
		return
	}
	d.key = ws.NewKey()
	extension, err := d.offer(s, nil)
	if err != nil {
		s.fail(err)
		return
	}
	cookies, err := d.appendCookies(nil, s)
	if err != nil {
		s.fail(err)
		return
	}
	s.commit(d.appendRequest(s.begin(), append(cookies, extension...)))
	s.deadlineIn(s.l.e.limits.HandshakeTimeout)
}

func (d *dialRole) appendRequest(b, more []byte) []byte {
	b = http1.AppendRequestLine(b, "GET", d.info.target())
	b = http1.AppendField(b, "Host", d.info.host())
	b = append(b, "Upgrade: websocket\r\nConnection: Upgrade\r\n"...)
	b = http1.AppendField(b, "Sec-WebSocket-Key", d.key)
	b = http1.AppendField(b, "Sec-WebSocket-Version", ws.Version)
	if d.info.Origin != "" {
		b = http1.AppendField(b, "Origin", d.info.Origin)
	}
	for i, name := range d.info.protocols() {
		if i == 0 {
			b = append(b, "Sec-WebSocket-Protocol: "...)
		} else {
			b = append(b, ", "...)
		}
		b = append(b, name...)
	}
	if len(d.info.protocols()) > 0 {
		b = append(b, "\r\n"...)
	}
	for _, f := range d.info.Header {
		if !strings.EqualFold(f.Name, "Cookie") {
			b = http1.AppendField(b, f.Name, f.Value)
		}
	}
	return http1.AppendEnd(append(append(b, more...), d.extra...))
}

func (d *dialRole) addHeader(name, value string) error {
	if err := checkField(name, value); err != nil {
		return err
	}
	if strings.EqualFold(name, "Cookie") {
		d.cookies = append(d.cookies, value)
		return nil
	}
	d.extra = http1.AppendField(d.extra, name, value)
	return nil
}

// receive waits for the proxy's answer, and the server's.
func (d *dialRole) receive(s *session, b []byte) (int, error) {
	switch {
	case d.refusing != nil:
		return d.refused(s, b), nil
	case d.tunnel != nil:
		return d.tunnelled(s, b), nil
	case s.handshaking() != nil: // what the proxy has sent on is TLS's
		return 0, nil
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

// arm is the alarm of a session that has no link yet.
func (d *dialRole) arm(s *session, at int64) {
	d.alarm.Owner = (*dialer)(s)
	s.armed = at
	s.l.r.Arm(&d.alarm, at)
}

// Expire is that alarm; it is for the wheel only.
func (p *dialer) Expire(now int64) { (*session)(p).expired(now) }

func (d *dialRole) eof(s *session) { s.abort(d.unanswered(io.ErrUnexpectedEOF)) }

func (d *dialRole) timeout(s *session, _ int64) {
	switch {
	case s.link == nil: // it has waited
		d.dial(s)
	case !s.secureTimeout():
		s.abort(d.unanswered(ErrHandshakeTimeout))
	}
}

func (d *dialRole) writeable(*session) {}

func (d *dialRole) settle(*session) {}

func (d *dialRole) write(*session, []byte, callbacks.Kind) error { return callbacks.ErrRole }

// fail gives up: before there is a link by ending the search for one.
func (d *dialRole) fail(s *session, err error) {
	s.because(err)
	if s.link != nil {
		s.abort(err)
		return
	}
	// Not from inside the callback that may have asked for it.
	_ = s.l.r.Post(reactor.Func(func() {
		switch {
		case s.state != stateOpening: // it was connected meanwhile, or has ended
			s.abort(err)
		case d.dialing != nil:
			d.dialing.Cancel(err)
		default: // it waits
			s.ended(err)
		}
	}))
}

func (d *dialRole) close(s *session, _ ws.StatusCode, _ string) error {
	d.fail(s, callbacks.ErrClosed)
	return nil
}

func (d *dialRole) goodbye(s *session) { d.fail(s, ErrClosed) }

// closed is the one terminal callback of a client that was not established.
func (d *dialRole) closed(s *session) {
	delete(s.l.clients, s)
	s.l.r.Disarm(&d.alarm)
	d.early.drop()
	if d.bound {
		_ = s.tell(callbacks.WSClientDropProtocol, nil)
	}
	_ = d.tellOf(s, d.refusal, callbacks.ClientConnectionError, s.cause().Error())
}

// tellOf calls the program, which may look at a response.
func (d *dialRole) tellOf(s *session, r *http1.Response, why callbacks.Reason, in string) error {
	s.l.handshake = handshake{s: s, response: r}
	err := s.tell(why, []byte(in))
	s.l.handshake = handshake{}
	return err
}

package engine

import (
	"errors"
	"io"
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
	bound bool              // WSClientBindProtocol or ClientHTTPBindProtocol has been raised
	fresh bool              // no connection of before is good enough
	slot  *upstream         // where the connection counts, of an HTTP client
	early early
	alarm reactor.Timer
	whole reactor.Timer // for ClientConnectInfo.Timeout
}

// attempt is what is forgotten before the next one.
type attempt struct {
	dialing  *reactor.Dialing
	x        *dialogue // of an HTTP client, once its request is on its way
	tunnel   *tunnel   // while a proxy is asked
	key      string
	extra    []byte
	plain    bool     // AddHeader has said something that speaks against gzip
	cookies  []string // of AddHeader
	resp     http1.Response
	interim  int
	queued   bool            // waits for Limits.OriginConnections
	reused   bool            // the connection is one of before
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
	d.hurry(s)
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
		if err := s.tell(d.info.bind(), nil); err != nil {
			s.forgo()
			s.ended(err)
			return
		}
	}
	if d.info.http() && !d.find(s) {
		return
	}
	d.connect(s)
}

// find looks for a connection of before, or for room to make another.
func (d *dialRole) find(s *session) (room bool) {
	key := d.info.key(s.vh)
	if d.info.Flags&Pipeline != 0 && !d.fresh {
		if p := s.l.takeIdle(key); p != nil {
			s.l.inherit(s, p)
			return false
		}
	}
	if d.slot = s.l.admit(s, key); d.slot != nil {
		return true
	}
	d.queued = true
	s.l.clients[s] = struct{}{}
	return false
}

// admitted says that s, which has waited, may connect.
func (s *session) admitted(x *upstream) {
	d, ok := s.role.(*dialRole)
	if !ok || !d.queued { // it has given up
		s.l.release(x)
		return
	}
	d.queued, d.slot = false, x
	d.connect(s)
}

// connect makes a connection.
func (d *dialRole) connect(s *session) {
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
	case via != nil && !d.info.direct():
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

// arm is the alarm of a session that has no link yet.
func (d *dialRole) arm(s *session, at int64) {
	d.alarm.Owner = (*dialer)(s)
	s.armed = at
	s.l.r.Arm(&d.alarm, at)
}

// Expire is that alarm; it is for the wheel only.
func (p *dialer) Expire(now int64) { (*session)(p).expired(now) }

func (d *dialRole) eof(s *session) {
	if d.x != nil {
		d.x.facts |= dialogueLost
		s.abort(&ResponseError{Text: "the server closed without a response", Err: io.ErrUnexpectedEOF})
		return
	}
	s.abort(d.unanswered(io.ErrUnexpectedEOF))
}

func (d *dialRole) timeout(s *session, _ int64) {
	switch {
	case d.line != nil && d.line.over: // closed meanwhile, and about to hear of it
	case s.link == nil: // it has waited
		d.dial(s)
	case d.x != nil:
		d.requestTimeout(s)
	case !s.secureTimeout():
		s.abort(d.unanswered(ErrHandshakeTimeout))
	}
}

func (d *dialRole) writeable(s *session) { d.x.pump(s) }

// settle follows a redirect of an HTTP client's.
func (d *dialRole) settle(s *session) {
	if d.hop != nil {
		s.because(errRedirected)
		d.leave(s)
	}
}

func (d *dialRole) write(s *session, p []byte, kind callbacks.Kind) error {
	if d.x == nil {
		return callbacks.ErrRole
	}
	return d.x.write(s, p, kind)
}

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

func (d *dialRole) goodbye(s *session) {
	if d.x == nil { // a request in hand is answered: somebody here may need that to answer another
		d.fail(s, ErrClosed)
	}
}

// closed is the one terminal callback of a client that was not established.
func (d *dialRole) closed(s *session) {
	d.unbind(s)
	_ = d.tellOf(s, d.refusal, callbacks.ClientConnectionError, s.cause().Error())
}

// unbind is what the ends of clients have in common.
func (d *dialRole) unbind(s *session) {
	delete(s.l.clients, s)
	s.l.r.Disarm(&d.alarm)
	s.l.r.Disarm(&d.whole)
	d.early.drop()
	d.letGo(s)
	if d.bound {
		_ = s.tell(d.info.drop(), nil)
	}
}

// letGo gives up the place that the connection has among others to its origin.
func (d *dialRole) letGo(s *session) {
	if x := d.slot; x != nil {
		d.slot = nil
		s.l.release(x)
	}
	if d.queued {
		d.queued = false
		s.l.quit(s, d.info.key(s.vh))
	}
}

// tellOf calls the program, which may look at a response.
func (d *dialRole) tellOf(s *session, r *http1.Response, why callbacks.Reason, in string) error {
	s.l.handshake = handshake{s: s, response: r}
	err := s.tell(why, []byte(in))
	s.l.handshake = handshake{}
	return err
}

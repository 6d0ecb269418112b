package engine

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math"
	"net"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
)

// This file is callbacks.Session, whose comments are not repeated. A session's
// role answers for what differs between roles.

// writer is the part of a role that Session.Write and Session.Close end in.
type writer interface {
	write(s *session, p []byte, kind callbacks.Kind) error
	close(s *session, code ws.StatusCode, reason string) error
}

var _ callbacks.Session = (*session)(nil)

// ID implements callbacks.Session, and so do the methods below.
func (s *session) ID() uint64 { return s.id }

func (s *session) Handle() callbacks.Handle {
	if h, ok := s.role.(*httpRole); ok && h.req != nil {
		return transaction{(*handle)(s), h.number}
	}
	return s.outside()
}

func (s *session) Protocol() *callbacks.Protocol {
	if s.proto == nil {
		return s.vh.first()
	}
	return s.proto
}

func (s *session) Vhost() string { return s.vh.name }

func (s *session) Client() bool { return s.isClient() }

func (s *session) isClient() bool { return s.flags&flagClient != 0 }

func (s *session) RemoteAddr() net.Addr {
	if s.link == nil {
		return nil
	}
	if p := s.link.Peer(); p.IsValid() {
		return net.TCPAddrFromAddrPort(p)
	}
	return s.link.PeerAddr()
}

func (s *session) LocalAddr() net.Addr {
	if s.link == nil {
		return nil
	}
	return s.link.LocalAddr()
}

func (s *session) PeerSimple() string {
	if s.link == nil || !s.link.Peer().IsValid() {
		return ""
	}
	return s.link.Peer().Addr().String()
}

func (s *session) TLS() *tls.ConnectionState {
	if t, ok := s.link.(*secured); ok {
		return t.tlsState()
	}
	return nil
}

func (s *session) VerifyCerts() *x509.CertPool {
	if s.l.roots == nil {
		return nil
	}
	return s.l.roots()
}

func (s *session) UserData() any { return s.user }

func (s *session) SetUserData(v any) { s.user = v }

func (s *session) Write(p []byte, kind callbacks.Kind) error {
	s.l.assertHere()
	if s.state != stateOpen {
		return callbacks.ErrClosed
	}
	return s.role.write(s, p, kind)
}

func (s *session) RequestWriteable() {
	s.l.assertHere()
	if s.state != stateOpen || s.flags&flagWriteable != 0 {
		return
	}
	s.flags |= flagWriteable
	if !s.link.High() {
		s.l.wantWriteable(s)
	} // else drained calls
}

func (s *session) Buffered() int {
	if s.link == nil {
		return 0
	}
	n := s.link.Pending() + s.corked()
	if w, ok := s.role.(*wsRole); ok {
		if b := w.subscriber(); b != nil {
			n += b.bytes
		}
	}
	return n
}

func (s *session) PauseReading() {
	s.l.assertHere()
	if _, ok := s.role.(*dialRole); ok {
		return // there is nothing of the program's to read yet
	}
	s.pause(pauseUser)
}

func (s *session) ResumeReading() {
	s.l.assertHere()
	s.unpause(pauseUser)
}

func (s *session) SetTimer(d time.Duration) {
	s.l.assertHere()
	s.timerAt = 0
	if d >= 0 && s.state <= stateOpen {
		s.timerAt = max(1, s.l.r.Now()+int64(min(d, noTimeLimit)))
		s.arm()
	}
}

func (s *session) Close(code ws.StatusCode, reason string) error {
	s.l.assertHere()
	err := checkCloseCode(code)
	switch {
	case s.state > stateOpen:
		err = callbacks.ErrClosed
	case err == nil:
		err = s.role.close(s, code, reason)
	}
	if err == nil || errors.Is(err, callbacks.ErrClosed) {
		s.forgo()
	}
	return err
}

// checkCloseCode refuses what must not stand in a close frame; 0 stands for none.
func checkCloseCode(code ws.StatusCode) error {
	if code != 0 && !ws.ValidCloseCode(code) {
		return &ws.CloseError{Code: code, Reason: "not allowed on the wire"}
	}
	return nil
}

func (s *session) CloseStatus() (ws.StatusCode, string) {
	if w, ok := s.role.(*wsRole); ok {
		return w.code, s.closeReason()
	}
	return 0, ""
}

func (s *session) Err() error {
	if s.ext == nil {
		return nil
	}
	return s.ext.err
}

func (s *session) Kind() callbacks.Kind {
	p := &s.l.piece
	if p.s != s {
		return callbacks.WriteText
	}
	kind := callbacks.WriteBinary
	switch {
	case !p.first:
		kind = callbacks.WriteContinuation
	case s.l.event.Op == ws.OpText:
		kind = callbacks.WriteText
	}
	if !p.final {
		kind |= callbacks.NoFin
	}
	return kind
}

func (s *session) IsFirstFragment() bool { return s.l.piece.s == s && s.l.piece.first }

func (s *session) IsFinalFragment() bool { return s.l.piece.s == s && s.l.piece.final }

func (s *session) RemainingPacketPayload() uint64 {
	if s.l.piece.s != s {
		return 0
	}
	return s.l.piece.remaining
}

func (s *session) Request() *http1.Request {
	if h, ok := s.role.(*httpRole); ok {
		return h.req
	}
	if s.l.handshake.s == s {
		return s.l.handshake.request
	}
	if s.ext != nil {
		return s.ext.head
	}
	return nil
}

func (s *session) Response() *http1.Response {
	if s.l.handshake.s == s {
		return s.l.handshake.response
	}
	if c, ok := s.role.(*clientRole); ok {
		return &c.d.x.resp
	}
	return nil
}

func (s *session) AddHeader(name, value string) error {
	s.l.assertHere()
	switch r := s.role.(type) {
	case *httpRole:
		if r.req == nil {
			return callbacks.ErrRole
		}
		if r.flags&httpStarted != 0 || r.raw != nil {
			return callbacks.ErrAnswered
		}
		return r.addHeader(name, value)
	case *dialRole:
		return r.addHeader(name, value)
	}
	return callbacks.ErrRole
}

func (s *session) AddTrailer(name, value string) error {
	if x := s.dialogue(); x != nil {
		s.l.assertHere()
		return x.addTrailer(name, value)
	}
	h, err := s.inHand()
	switch {
	case err != nil:
		return err
	case h.flags&httpDone != 0:
		return callbacks.ErrAnswered
	}
	return h.addTrailer(name, value)
}

func (s *session) Trailer() *http1.Header {
	if c, ok := s.role.(*clientRole); ok {
		return c.d.x.body.Trailer()
	}
	if h, ok := s.role.(*httpRole); ok && h.req != nil && h.phase == phaseAnswer && !h.req.Framing().Empty() {
		return h.body.Trailer()
	}
	return nil
}

func (s *session) Interim(status int, fields ...http1.Field) error {
	h, err := s.inHand()
	if err != nil {
		return err
	}
	return h.interim(s, status, fields)
}

func (s *session) Respond(status int, contentType string, body []byte) error {
	h, err := s.inHand()
	if err != nil {
		return err
	}
	return h.respond(s, status, contentType, body)
}

func (s *session) StartResponse(status int, contentType string, length int64) error {
	h, err := s.inHand()
	if err != nil {
		return err
	}
	return h.start(s, status, contentType, length)
}

// inHand is the HTTP transaction in hand.
func (s *session) inHand() (*httpRole, error) {
	s.l.assertHere()
	if s.state != stateOpen {
		return nil, callbacks.ErrClosed
	}
	h, ok := s.role.(*httpRole)
	if !ok || h.req == nil {
		return nil, callbacks.ErrRole
	}
	return h, nil
}

func (s *session) Answered() bool {
	h, ok := s.role.(*httpRole)
	return ok && h.flags&(httpStarted|httpRaw|httpHeld) != 0
}

func (s *session) Hold() {
	if h, ok := s.role.(*httpRole); ok && h.req != nil {
		h.flags |= httpHeld
	}
}

// ext is what few sessions need.
type ext struct {
	head   *http1.Request // of the handshake, for Protocol.RetainHead
	parent *session
	line   *line  // of a client with a RetryPolicy
	err    error  // why the session ended
	reason string // of the close frame that ended it
}

func (s *session) extend() *ext {
	if s.ext == nil {
		s.ext = new(ext)
	}
	return s.ext
}

func (s *session) closeReason() string {
	if s.ext == nil {
		return ""
	}
	return s.ext.reason
}

// setWriteLimits applies the protocol's TxPacketSize and SendQueue.
func (s *session) setWriteLimits() {
	if own := (sendLimits{max(s.proto.TxPacketSize, 0), s.proto.SendQueue}); own != (sendLimits{}) {
		s.link.SetWriteLimits(s.l.e.writeLimits(own))
	}
}

// sendMost is how much may wait to be sent.
func (s *session) sendMost() int {
	switch n := s.Protocol().SendQueue; {
	case n > 0:
		return n
	case n < 0:
		return math.MaxInt
	}
	return s.l.e.limits.write().Hard
}

// tellParent raises ChildClosing.
func (s *session) tellParent() {
	if s.ext == nil || s.ext.parent == nil {
		return
	}
	_ = (*handle)(s.ext.parent).Post(func(p callbacks.Session) error {
		_ = p.(*session).tell(callbacks.ChildClosing, nil)
		return nil
	})
}

package engine

import (
	"crypto/tls"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/bufpool"
	"github.com/penstock-go/penstock/internal/handshakes"
	"github.com/penstock-go/penstock/tlsbridge"
)

// ErrTLSTimeout ends a session whose peer did not complete the TLS handshake
// within Limits.TLSHandshakeTimeout.
var ErrTLSTimeout = errors.New("engine: the TLS handshake took too long")

// errNoHello ends a session that sent much and no ClientHello, errEager one that sent
// much behind it without an answer.
var (
	errNoHello = errors.New("engine: the ClientHello is too long")
	errEager   = errors.New("engine: the client says too much behind its ClientHello")
)

const (
	// helloMost is how long a ClientHello may be, in records of any size. That of a
	// browser has two KiB, which are eleven in records of one byte. It bounds also
	// what looking for its end costs when it comes byte by byte.
	helloMost = 16 << 10

	// waitRounds is for how many TLSHandshakeTimeouts a handshake may wait for room:
	// as often may those who stall in front of it be timed out.
	waitRounds = 6

	// securingMost is how much may arrive while a worker is at the handshake or has
	// not begun, before reading pauses.
	securingMost = 64 << 10
)

// securingPhase is where a TLS handshake stands on the loop:
//
//	hello --whole--> waits --room--> steps --+--> reads --records--> steps ...
//	                                   ^     +--> asks --verdict---> steps ...
//	client: ---------------------------+     +--> over: secured, or failed
//
// Only in steps does the tlsbridge.Conn belong to a worker.
type securingPhase uint8

const (
	securingHello securingPhase = iota
	securingWaits
	securingSteps
	securingReads
	securingAsks
	securingOver
)

// securing is what a secured connection has for as long as its handshake lasts.
type securing struct {
	t      *secured
	port   *port             // nil for a client
	opened func()            // what follows
	place  handshakes.Ticket // in the gate
	in     *bufpool.Buffer   // what the worker has been given
	result tlsbridge.Result
	phase  securingPhase
	begun  bool // there has been a step
	paused bool
	gone   atomic.Bool // the connection is closed
	eof    bool        // the peer's FIN has come
	left   int64       // of the peer's time, while a step is in hand; 0 for no limit
	cfg    *tls.Config
	early  early
}

// shake makes t its session's link and begins the handshake. opened is called
// when that is done.
func (t *secured) shake(role tlsbridge.Role, cfg *tls.Config, p *port, opened func()) {
	s := t.s
	t.hs = &securing{t: t, port: p, cfg: cfg, opened: opened}
	s.link = t
	t.c.ResumeRead() // a pause is about the program's bytes, which are yet to come
	s.deadlineIn(s.l.e.limits.TLSHandshakeTimeout)
	if role == tlsbridge.Client {
		t.hs.step(nil)
	}
}

// received takes what the peer sends during the handshake. What a step has been
// given stays with the reactor until the step has said how much of it it used.
func (h *securing) received(b []byte) (used int) {
	switch h.phase {
	case securingHello:
		if len(b) > 0 {
			return h.hello(b)
		}
	case securingWaits:
		return h.waits(b)
	case securingReads:
		switch n := tlsbridge.Whole(b); {
		case n > 0:
			h.step(b[:n])
		case h.eof:
			h.t.s.abort(io.ErrUnexpectedEOF)
		}
	case securingOver:
		return len(b)
	}
	if len(b) > securingMost && !h.paused {
		h.paused = true
		h.t.c.PauseRead()
	}
	return 0
}

// ended says that nothing more comes. What a worker is given, and what is kept
// behind it, may be all that the handshake needs, and a request with it.
func (h *securing) ended() {
	h.eof = true
	switch h.phase {
	case securingHello: // as a probe of the port does, which is no reason for an RST
		h.t.s.shut(io.ErrUnexpectedEOF)
	case securingSteps:
	default:
		h.t.s.abort(io.ErrUnexpectedEOF)
	}
}

// hello waits for all of a ClientHello, so that a client that says nothing, or
// stops in the middle, costs no more than its bytes.
func (h *securing) hello(b []byte) (used int) {
	switch {
	case !tlsbridge.IsTLS(b):
		return h.t.plaintext(b)
	case tlsbridge.HelloWhole(b):
		h.phase = securingWaits
		h.t.s.deadlineIn(min(h.t.s.l.e.limits.TLSHandshakeTimeout, noTimeLimit/waitRounds) * waitRounds)
		if h.t.s.l.e.gate.Enter(&h.place, h.t.c.Peer().Addr(), h) {
			h.admitted()
			return 0
		}
		return h.waits(b)
	case len(b) > helloMost:
		h.t.s.abort(errNoHello)
		return len(b)
	}
	return 0
}

// waits keeps b for when there is room. A client has nothing to say before it has an
// answer.
func (h *securing) waits(b []byte) (used int) {
	if len(b) <= securingMost {
		return 0
	}
	h.t.s.abort(errEager)
	return len(b)
}

// Admitted implements handshakes.Waiter; it may be called on another loop.
func (h *securing) Admitted() {
	_ = h.t.s.l.r.Post((*roomLetter)(h)) // a loop that has ended has closed everything
}

// roomLetter says that there is room in the gate.
type roomLetter securing

func (a *roomLetter) Deliver() {
	if h := (*securing)(a); !h.gone.Load() {
		h.admitted()
	}
}

func (h *securing) admitted() {
	s := h.t.s
	h.phase = securingReads
	s.deadlineIn(s.l.e.limits.TLSHandshakeTimeout)
	h.resume()
}

// step hands a copy of b to a worker.
func (h *securing) step(b []byte) {
	h.phase = securingSteps
	h.stopClock()
	h.in = bufpool.Get()
	h.in.B = append(h.in.B, b...)
	pool := h.t.s.l.e.steps
	if h.begun {
		pool.Continue(h)
		return
	}
	h.begun = true
	role := tlsbridge.Server
	if h.port == nil {
		role = tlsbridge.Client
	}
	h.t.tls.Init(role, h.cfg, h.t.c.LocalAddr(), h.t.c.PeerAddr())
	pool.Begin(h)
}

// stopClock keeps the peer from being charged for the time that a worker takes.
func (h *securing) stopClock() {
	s := h.t.s
	h.left = 0
	if s.deadline != 0 {
		h.left = max(s.deadline-s.l.r.Now(), 1)
		s.deadlineAt(0)
	}
}

// Run is the worker's part. Nobody needs the steps of a connection that has gone
// while they were queued.
func (h *securing) Run() {
	defer h.stepped() // also when a callback of the program's ends the goroutine
	if !h.gone.Load() {
		h.result = h.t.tls.Step(h.in.B)
	}
}

func (h *securing) stepped() {
	bufpool.Put(h.in)
	h.in = nil
	if h.t.s.l.r.Post(h) != nil { // the loop has ended, and with it the connection
		h.giveUp()
	}
}

// Deliver goes on with what the worker has found, on the loop.
func (h *securing) Deliver() {
	t, s := h.t, h.t.s
	if h.gone.Load() {
		h.giveUp()
		return
	}
	r := h.result
	h.result = tlsbridge.Result{}
	h.phase = securingReads
	if h.left != 0 {
		s.deadlineIn(time.Duration(h.left))
	}
	t.skip += r.Used // behind what an Asking has used, which was not fed again
	if len(r.Output) > 0 {
		s.sent(t.c.Write(r.Output))
	}
	if s.state != stateOpen {
		return
	}
	switch r.Status {
	case tlsbridge.Asking:
		h.ask()
		return
	case tlsbridge.Done:
		h.done()
	case tlsbridge.Failed:
		h.failed(r.Err)
	}
	h.resume()
}

// resume reads on, and begins with what is there.
func (h *securing) resume() {
	if c := h.t.c; h.t.s.paused == 0 || h.t.hs != nil {
		h.paused = false
		c.ResumeRead()
		c.Refeed()
		if h.eof {
			c.Redeliver()
		}
	} else {
		c.PauseRead()
	}
}

// ask shows the peer's certificate to the program, while the handshake waits for
// its verdict.
func (h *securing) ask() {
	t, s := h.t, h.t.s
	h.phase = securingAsks
	state := t.tls.State()
	reason := callbacks.OpenSSLPerformServerCertVerification
	if h.port != nil {
		reason = callbacks.OpenSSLPerformClientCertVerification
		s.vh = h.port.byName(state.ServerName)
	}
	err := s.tell(reason, state.PeerCertificates[0].Raw)
	if err != nil {
		s.forgo()
	}
	if s.state == stateOpen {
		t.tls.Answer(err)
		h.step(nil)
	}
}

// done opens the session.
func (h *securing) done() {
	t, l := h.t, h.t.s.l
	h.phase = securingOver
	l.counters.tlsHandshakes++
	if t.tls.State().DidResume {
		l.counters.tlsResumed++
	}
	t.hs = nil
	if h.eof {
		t.flags |= securedFIN
	}
	h.leave()
	t.s.seen = l.r.Now()
	h.opened()
	h.catchUp()
}

// catchUp does for Handles what had to wait for the session's opening.
func (h *securing) catchUp() {
	h.early.deliver()
	if s := h.t.s; s.flags&flagWriteable != 0 && s.state == stateOpen {
		s.l.wantWriteable(s)
	}
}

// failed closes; the alert that tells the peer has been sent.
func (h *securing) failed(err error) {
	s := h.t.s
	s.l.counters.tlsFailed++
	var p *tlsbridge.PanicError
	if errors.As(err, &p) {
		s.l.e.log.Error("engine: a callback of a tls.Config panicked", "panic", p.Value, "stack", string(p.Stack))
		err = &PanicError{Value: p.Value, Stack: p.Stack}
	}
	s.l.e.log.Debug("engine: a TLS handshake failed", "peer", s.PeerSimple(), "err", err)
	h.phase = securingOver
	h.leave()
	s.shut(err)
}

// closed gives back what an unfinished handshake holds: at once, or when the worker
// that is at it is done.
func (h *securing) closed() {
	h.gone.Store(true)
	if h.phase != securingSteps {
		h.giveUp()
	}
}

func (h *securing) giveUp() {
	h.phase = securingOver
	h.early.drop()
	h.t.tls.Cancel()
	h.leave()
}

// leave makes room in the gate, or takes the handshake out of the queue there.
func (h *securing) leave() {
	if g := h.t.s.l.e.gate; g.Forget(&h.place) {
		g.Leave(&h.place)
	}
}

// secure tells whether there is TLS under the session.
func (s *session) secure() bool {
	_, ok := s.link.(*secured)
	return ok
}

// handshaking returns the session's TLS handshake, if it is in one.
func (s *session) handshaking() *securing {
	if t, ok := s.link.(*secured); ok {
		return t.hs
	}
	return nil
}

// secureTimeout ends a handshake that the peer does not go on with; there is no
// deadline while it is the engine that it waits for. It reports whether the session
// is in one.
func (s *session) secureTimeout() bool {
	if s.handshaking() == nil {
		return false
	}
	s.l.counters.tlsTimeouts++
	s.abort(ErrTLSTimeout)
	return true
}

// shakingRole is that of a server's session during the handshake: there is
// nobody to talk to yet.
type shakingRole struct{ deadRole }

var shaking shakingRole

func (*shakingRole) timeout(s *session, _ int64) { s.secureTimeout() }
func (*shakingRole) fail(s *session, err error)  { s.abort(err) }
func (*shakingRole) goodbye(s *session)          { s.abort(ErrClosed) }

func (*shakingRole) close(s *session, _ ws.StatusCode, _ string) error {
	s.abort(nil)
	return nil
}

package engine

import (
	"sync/atomic"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/invariant"
	"github.com/penstock-go/penstock/reactor"
)

// state is where a session stands. Its role, HTTP or WebSocket or another, is
// something else: an upgrade changes the role and never the state.
//
//	accepted ----------------------------+
//	                                     v
//	Connect --> opening --connected--> open --shut: flush, FIN--> closing --link gone--> ended
//	               |                    |  ^                         ^                     ^
//	               |                    +--+ become(role)            |                     |
//	               |                    +------ abort: RST ----------+                     |
//	               +----- refused, timeout, Close -----------------------------------------+
type state uint8

const (
	stateOpening state = iota
	stateOpen
	stateClosing
	stateEnded
)

// The reasons why a session does not read; it reads when there is none.
const (
	pauseUser    uint8 = 1 << iota // Session.PauseReading
	pauseQueue                     // the send queue is too long
	pauseAnswer                    // a request waits for its answer
	pauseInflate                   // what has come compressed waits for its turn
	pausePublish                   // what it has published waits to be delivered
	pauseService                   // what answers its request cannot take more of the body
	pauseTurn                      // the other sockets have their turn
)

// Facts about a session.
const (
	flagClient    uint8 = 1 << iota // Connect made it
	flagAdmitted                    // counted in Limits.Connections
	flagLater                       // on the loop's list for settle
	flagWriteable                   // on the loop's list for a Writeable callback, or owed one by drained
	flagCreated                     // WSICreate has been raised
	flagCutShort                    // the peer's FIN came without TLS's close_notify
	flagWebSocket                   // counted in Limits.WebSocketsPerIP
)

// session is one connection of the engine's. It sits in memory once for every
// idle WebSocket, so what few of them need is in ext.
type session struct {
	l        *loop
	link     link // nil while a client is not connected
	role     role
	vh       *vhost
	proto    *callbacks.Protocol // nil while bound to none
	user     any
	ext      *ext
	id       uint64
	seen     int64 // when bytes came last
	deadline int64 // the role's, 0 for none
	timerAt  int64 // the program's, 0 for none
	armed    int64 // what the link's alarm is set to, 0 for nothing
	state    state
	paused   uint8
	flags    uint8
	gone     atomic.Bool // ended, for Handles
}

// ledger counts sessions in the invariants build.
const ledger = "engine.sessions"

func (l *loop) newSession(v *vhost) *session {
	s := &session{l: l, vh: v, role: &filtered, id: l.e.lastID.Add(1), seen: l.r.Now()}
	s.count()
	return s
}

func (s *session) count() {
	invariant.Count(ledger, 1)
	s.l.counters.sessions++
}

func (s *session) uncount() {
	invariant.Count(ledger, -1)
	s.l.counters.sessions--
}

// received is the pump: it gives b to the current role until b is used up, the
// role wants more, or the session stops reading. A role may replace itself; the
// rest of b then goes to its successor.
func (s *session) received(b []byte) (used int) {
	s.seen = s.l.r.Now()
	s.l.inflateWork, s.l.pipelined = 0, 0
	for used < len(b) && s.paused == 0 && s.state == stateOpen {
		was := s.role
		n, err := was.receive(s, b[used:])
		used += n
		if err != nil {
			s.fail(err)
			break
		}
		if n == 0 && s.role == was {
			break
		}
	}
	if s.state != stateOpen {
		return len(b)
	}
	return used
}

// peerClosed says that the peer has shut down its sending side.
func (s *session) peerClosed() {
	if s.state == stateOpen {
		s.role.eof(s)
	}
}

// drained says that the send queue is short again.
func (s *session) drained() {
	if s.paused&pauseQueue != 0 {
		s.seen = s.l.r.Now() // it was not the peer who was silent
		s.unpause(pauseQueue)
	}
	if w, ok := s.role.(*wsRole); ok && s.state == stateOpen {
		w.resume()
	}
	if s.flags&flagWriteable != 0 && s.handshaking() == nil && !s.backed() {
		s.flags &^= flagWriteable
		s.writeable()
	}
}

func (s *session) writeable() {
	if s.state == stateOpen {
		s.role.writeable(s)
	}
}

// fail ends the session for err, which is the program's, with the wire answer that the
// role has for it.
func (s *session) fail(err error) {
	if s.state == stateOpen || s.state == stateOpening {
		s.forgo()
		s.role.fail(s, err)
	}
}

// because notes why the session ends. The first reason stays.
func (s *session) because(err error) {
	if err != nil && s.Err() == nil {
		s.extend().err = err
	}
}

// shut delivers what was written, closes in good order, and ends the session.
func (s *session) shut(err error) {
	if s.state != stateOpen {
		return
	}
	s.because(err)
	s.flush()
	if s.state != stateOpen { // flushing found the link broken
		return
	}
	s.state = stateClosing
	s.link.Close()
	switch s.role.(type) {
	case *dialRole, *clientRole, *idleRole:
		s.part()
	}
}

// part leaves the link of a client that was not established, or has all of its
// response, to end in good order, which may take a while, and does not wait for that.
func (s *session) part() {
	if c, ok := s.link.(*reactor.Conn); ok {
		c.SetHandler(nobody{})
	} // else secured.Closed sees that nobody waits
	s.ended(nil)
}

// abort drops what was not sent, resets the link, and ends the session.
func (s *session) abort(err error) {
	if s.state != stateOpen {
		return
	}
	s.because(err)
	if s.l.cork.owner == s {
		s.l.cork.owner = nil
		s.l.cork.keep(s.l.cork.buf)
	}
	s.state = stateClosing
	s.link.Abort(err)
}

func (s *session) flush() {
	if s.l.cork.owner == s {
		s.l.cork.flush()
	}
}

// ended says that the link is gone. It is the one place where sessions die.
func (s *session) ended(err error) {
	if s.state == stateEnded {
		return
	}
	if d, ok := s.role.(*dialRole); ok && d.again(s, err) {
		return
	}
	if w, ok := s.role.(*wsRole); !ok || !w.onlyWaits() {
		s.because(err)
	}
	s.state = stateEnded
	s.gone.Store(true)
	s.role.closed(s)
	s.proto = nil
	s.tellParent()
	if s.flags&flagCreated != 0 {
		_ = s.tell(callbacks.WSIDestroy, nil)
	}
	was, user := s.role, s.user
	s.role, s.user = &filtered, nil
	s.uncount()
	if s.flags&flagAdmitted != 0 {
		s.l.e.admission.release(s.link.Peer().Addr())
	}
	if s.flags&flagWebSocket != 0 {
		s.l.e.webSockets.perIP.release(s.link.Peer().Addr())
	}
	if n := s.line(); n != nil {
		n.follow(s, was, user)
	}
}

// pause stops reading for one more reason.
func (s *session) pause(why uint8) {
	was := s.paused
	s.paused |= why
	if was != 0 || s.link == nil {
		return
	}
	if h, ok := s.role.(*httpRole); ok {
		h.halted = s.l.r.Now()
	}
	s.link.PauseRead()
}

// unpause takes a reason away; reading goes on when it was the last.
func (s *session) unpause(why uint8) {
	was := s.paused
	s.paused &^= why
	switch {
	case was == s.paused:
	case s.paused == pauseInflate: // what has been inflated meanwhile may come now
		s.l.rest(s)
	case s.paused == 0 && s.link != nil:
		if h, ok := s.role.(*httpRole); ok {
			h.rested(s)
		}
		s.link.ResumeRead()
	}
}

// later asks for role.settle when the event in hand is over.
func (s *session) later() {
	if s.flags&flagLater == 0 {
		s.flags |= flagLater
		s.l.laters = append(s.l.laters, s)
	}
}

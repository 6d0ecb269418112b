package engine

import (
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/reactor"
)

// accepted makes a session of a connection; nil turns it away.
func (p *port) accepted(c *reactor.Conn) reactor.Handler {
	l := c.Loop().Shared.(*loop)
	if !l.e.admission.admit(c.Peer().Addr()) {
		return p.turnAway(l, c)
	}
	s := l.newSession(p.vhosts[0])
	s.link, s.state = c, stateOpen
	s.flags |= flagAdmitted
	if s.tell(callbacks.FilterNetworkConnection, nil) != nil {
		s.role = &filtered
		return (*plainHandler)(s).drop()
	}
	s.flags |= flagCreated
	_ = s.tell(callbacks.WSICreate, nil)
	_ = s.tell(callbacks.ServerNewClientInstantiated, nil)
	if p.tls != nil {
		return p.secure(s, c)
	}
	p.open(s, s.vh.raw)
	return (*plainHandler)(s)
}

// open gives an accepted session its first role: raw, if it is not nil, or HTTP.
func (p *port) open(s *session, raw *callbacks.Protocol) {
	if raw != nil {
		s.openRaw(raw, callbacks.RawAdopt)
		return
	}
	h := s.l.takeHTTPRole(p)
	h.since = s.l.r.Now()
	s.role = h
	s.deadlineIn(s.l.e.limits.HeaderTimeout)
	if s.l.draining {
		s.role.goodbye(s)
	}
}

// drop ends a session that the program filtered out.
func (p *plainHandler) drop() reactor.Handler {
	(*session)(p).abort(nil)
	return p
}

// filtered is the role of a session that never had one.
var filtered deadRole

const (
	// refusingMost is how many connections are told 503 at once; more are reset, so
	// that a flood cannot hold the descriptors that the limit protects, 64 of them.
	refusingMost = 32

	// refusingTime is how long one of them may take to read the answer.
	refusingTime = time.Second
)

// turnAway answers a connection over the limit, if that is cheap: with TLS it is not.
func (p *port) turnAway(l *loop, c *reactor.Conn) reactor.Handler {
	if p.vhosts[0].raw != nil || p.tls != nil {
		return nil
	}
	if l.e.refusing.Add(1) > refusingMost {
		l.e.refusing.Add(-1)
		return nil
	}
	c.Arm(l.r.Now() + int64(refusingTime))
	_ = c.Write(p.vhosts[0].busy)
	return &turnedAway{l}
}

// turnedAway waits until the peer has said something or closed, so that the
// answer is not lost in a reset, and not for long.
type turnedAway struct{ l *loop }

func (t *turnedAway) Data(c *reactor.Conn, b []byte) int { c.Close(); return len(b) }
func (t *turnedAway) EOF(c *reactor.Conn)                { c.Close() }
func (t *turnedAway) Writable(*reactor.Conn)             {}
func (t *turnedAway) Timeout(c *reactor.Conn, _ int64)   { c.Close() }
func (t *turnedAway) Closed(*reactor.Conn, error)        { t.l.e.refusing.Add(-1) }

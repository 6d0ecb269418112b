package engine

import (
	"errors"
	"slices"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/reactor"
)

// idleRole is a client's connection between two transactions. Its session is one that
// no program hears of: it has a link to listen to, so that a server that closes, or
// says what nobody has asked for, is noticed when that happens.
type idleRole struct {
	upstream *upstream
	until    int64
}

// errIdle ends an idle connection on which something has come.
var errIdle = errors.New("engine: a server has sent something that nobody had asked for")

// idle gives the link of s, whose transaction is over, to whoever waits for one, or
// keeps it.
func (d *dialRole) idle(s *session) {
	l, x := s.l, d.slot
	d.slot = nil
	p := &session{l: l, vh: s.vh, role: &idleRole{upstream: x}, link: s.link, flags: flagClient, state: stateOpen, seen: l.r.Now()}
	p.count()
	if s.paused != 0 {
		s.link.ResumeRead()
	}
	p.listen()
	if h := l.heir(x); h != nil {
		l.inherit(h, p)
		return
	}
	if !l.mayIdle(x) {
		p.shut(nil)
		return
	}
	l.counters.idle++
	r := p.role.(*idleRole)
	r.until = l.r.Now() + int64(min(l.e.limits.ClientIdleTimeout, noTimeLimit-time.Hour))
	l.idles[x.key] = append(l.idles[x.key], p)
	p.deadlineAt(r.until)
}

// listen makes s the one who hears its link.
func (s *session) listen() {
	if t, ok := s.link.(*secured); ok {
		t.s = s
		return
	}
	s.link.(*reactor.Conn).SetHandler((*plainHandler)(s))
}

// takeIdle returns the idle connection that was used last, or nil.
func (l *loop) takeIdle(key upstreamKey) *session {
	list := l.idles[key]
	for i := len(list) - 1; i >= 0; i-- {
		if p := list[i]; p.state == stateOpen { // else it is being closed
			l.dropIdle(p)
			return p
		}
	}
	return nil
}

// closeIdle closes the idle connections that match.
func (e *Engine) closeIdle(match func(upstreamKey) bool) {
	e.mu.Lock()
	loops := e.loops
	e.mu.Unlock()
	for _, l := range loops {
		_ = l.r.Post(reactor.Func(func() {
			for key, list := range l.idles {
				if !match(key) {
					continue
				}
				for _, p := range slices.Clone(list) {
					p.shut(nil)
				}
			}
		}))
	}
}

// dropIdle takes p out of the list.
func (l *loop) dropIdle(p *session) {
	x := p.role.(*idleRole).upstream
	list := l.idles[x.key]
	i := slices.Index(list, p)
	if i < 0 {
		return
	}
	if list = slices.Delete(list, i, i+1); len(list) > 0 {
		l.idles[x.key] = list
	} else {
		delete(l.idles, x.key)
	}
	l.counters.idle--
	l.unidle(x)
}

// inherit gives p's link to s, and begins its request.
func (l *loop) inherit(s, p *session) {
	d := s.role.(*dialRole)
	d.slot, d.reused, d.queued = p.role.(*idleRole).upstream, true, false
	delete(l.clients, s)
	s.link, s.state, s.seen, s.armed = p.link, stateOpen, l.r.Now(), 0
	p.state, p.link, p.role = stateEnded, nil, &filtered
	p.uncount()
	s.listen()
	s.link.SetWriteLimits(l.e.writeLimits(sendLimits{})) // those of whom it served may have been others
	s.arm()
	d.connected(s)
}

// receive, like eof, means that the connection is good for nothing any more.
func (r *idleRole) receive(s *session, b []byte) (int, error) {
	s.abort(errIdle)
	return len(b), nil
}

func (r *idleRole) eof(s *session)             { s.shut(nil) }
func (r *idleRole) goodbye(s *session)         { s.shut(nil) }
func (r *idleRole) fail(s *session, err error) { s.abort(err) }
func (r *idleRole) writeable(*session)         {}
func (r *idleRole) settle(*session)            {}

func (r *idleRole) timeout(s *session, now int64) {
	if r.until > now {
		s.deadlineAt(r.until)
		return
	}
	s.shut(nil)
}

func (r *idleRole) closed(s *session) {
	s.l.dropIdle(s)
	s.l.release(r.upstream)
}

func (r *idleRole) write(*session, []byte, callbacks.Kind) error { return callbacks.ErrRole }

func (r *idleRole) close(*session, ws.StatusCode, string) error { return callbacks.ErrRole }

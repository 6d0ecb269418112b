package engine

import (
	"io"
	"sync/atomic"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
)

// line is a client with a RetryPolicy: what outlasts its attempts and, with
// Reconnect, its sessions. It is a Handle then.
//
//	session --attempt fails--> the same session waits, and dials again
//	session --lost-----------> ends; the next one begins, waits, and dials
//	        --anything else--> ends, and the line with it
type line struct {
	l        *loop
	info     ClientConnectInfo // as Connect was given it
	policy   *RetryPolicy      // settled
	failures int               // in a row
	over     bool              // the program wants no more
	current  *session
	gone     atomic.Bool // there is no session any more
}

// newLine returns nil for a client without a policy.
func newLine(l *loop, info *ClientConnectInfo) *line {
	if info.Retry == nil {
		return nil
	}
	return &line{l: l, info: *info, policy: info.Retry}
}

// line returns the session's, or nil.
func (s *session) line() *line {
	if s.ext == nil {
		return nil
	}
	return s.ext.line
}

// outside is the session's Handle.
func (s *session) outside() callbacks.Handle {
	if n := s.line(); n != nil && n.policy.Reconnect {
		return n
	}
	return (*handle)(s)
}

// forgo says that the program ends the session, in whatever state that is: there is
// no other.
func (s *session) forgo() {
	if n := s.line(); n != nil {
		n.over = true
	}
}

// follow looks what is behind the end of a session, which had a role and a user:
// perhaps another one.
func (n *line) follow(s *session, was role, user any) {
	if !n.lost(s, was) {
		n.gone.Store(true)
		return
	}
	next := s.l.newClient(s.vh, n.info, n, user)
	next.ext.parent = s.ext.parent
	n.failures = 1
	next.role.(*dialRole).resume(next, s.why(was))
}

// lost tells whether s was established and it is not this side that has ended it.
func (n *line) lost(s *session, was role) bool {
	if !n.policy.Reconnect || n.over || s.l.draining || lasting(s.Err()) {
		return false
	}
	if raw, ok := was.(*rawRole); ok {
		return raw.opened
	}
	_, ok := was.(*wsRole)
	return ok
}

// why is how a session with that role has ended, in one error.
func (s *session) why(was role) error {
	if err := s.Err(); err != nil {
		return err
	}
	if w, ok := was.(*wsRole); ok {
		return &ws.CloseError{Code: w.code, Reason: s.closeReason(), Remote: true}
	}
	return io.EOF
}

// resume is the first event of a session that follows a lost one.
func (d *dialRole) resume(s *session, cause error) {
	d.introduce(s)
	s.because(cause)
	if n := d.line; n.over || !d.wait(s, n.policy.delay(n.failures, 0, s.l.jitter)) {
		s.ended(nil)
	}
}

// Post implements callbacks.Handle, and so do the methods below.
func (n *line) Post(f func(callbacks.Session) error) error {
	return n.post(&letter{do: letterCall, f: f})
}

func (n *line) Write(p []byte, kind callbacks.Kind) error {
	if n.gone.Load() {
		return callbacks.ErrClosed
	}
	return n.post(writeLetter(p, kind))
}

func (n *line) RequestWriteable() error { return n.post(&letter{do: letterWriteable}) }

func (n *line) Close(code ws.StatusCode, reason string) error {
	m, err := closeLetter(code, reason)
	if err != nil {
		return err
	}
	return n.post(m)
}

func (n *line) post(m *letter) error {
	if n.gone.Load() || n.l.r.Post(lineLetter{n, m}) != nil {
		m.release()
		return callbacks.ErrClosed
	}
	return nil
}

// lineLetter is for the session that is current when it arrives.
type lineLetter struct {
	n *line
	m *letter
}

func (a lineLetter) Deliver() {
	a.m.s = a.n.current
	a.m.Deliver()
}

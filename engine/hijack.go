package engine

import (
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/bufpool"
)

// hijackedConn is the net.Conn of a connection that a handler has hijacked. The socket
// stays with its loop, as does TLS: both ways lead through a conduit.
type hijackedConn struct {
	conduit
	local, remote net.Addr
	writing       sync.Mutex // so that what is written at once by several leaves one after the other
}

var _ net.Conn = (*hijackedConn)(nil)

// takeConn is Hijack on the worker's side.
func (x *handling) takeConn() (*hijackedConn, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.outErr == nil {
		x.wants |= wantHijack
		x.post()
	}
	for x.conn == nil && x.outErr == nil {
		x.canWrite.Wait()
	}
	if x.conn == nil {
		return nil, x.outErr
	}
	x.s.l.e.workers.Leave()
	return x.conn, nil
}

// hijack is Hijack on the loop's: the transaction ends without an answer of the
// engine's, and the bytes are somebody else's from here on.
func (x *handling) hijack(h *httpRole) {
	s := x.s
	c := &hijackedConn{local: s.LocalAddr(), remote: s.RemoteAddr()}
	c.init(s, c)
	if h.flags&httpLast != 0 {
		c.inErr = io.EOF
	}
	x.mu.Lock()
	c.in, x.in = x.in, stream{}
	x.conn = c
	x.mu.Unlock()
	x.over(http.ErrHijacked, http.ErrHijacked)
	h.work = nil
	h.drop(s)
	s.become(&hijackedRole{c: c})
	s.deadlineAt(0)
	s.unpause(pauseAnswer | pauseService)
	if s.l.draining {
		s.role.goodbye(s)
	}
	s.l.r.Defer(func() { s.l.giveHTTPRole(h) }) // not yet: what called this may look at h once more
}

// Read implements net.Conn, and so do the methods below. What had come before Hijack is
// read first, also by the bufio.Reader beside it.
func (c *hijackedConn) Read(p []byte) (int, error) { return c.read(p) }

// Write returns when p is on its way, and waits while Limits.SendHigh wait to be sent.
func (c *hijackedConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	return deposit(&c.conduit, p)
}

// Close delivers what was written.
func (c *hijackedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wants&wantEnd != 0 || c.deaf {
		return net.ErrClosed
	}
	c.deaf = true
	c.in.drop()
	c.inErr = net.ErrClosed
	c.outErr = firstError(c.outErr, net.ErrClosed)
	c.readBy.stop()
	c.writeBy.stop()
	c.wants |= wantEnd
	c.post()
	c.wake()
	return nil
}

// CloseWrite shuts the sending side down behind what was written, as *net.TCPConn and
// *tls.Conn have it.
func (c *hijackedConn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outErr != nil {
		return c.outErr
	}
	c.outErr = net.ErrClosed
	c.wants |= wantFIN
	c.post()
	c.canWrite.Broadcast()
	return nil
}

func (c *hijackedConn) LocalAddr() net.Addr                { return c.local }
func (c *hijackedConn) RemoteAddr() net.Addr               { return c.remote }
func (c *hijackedConn) SetReadDeadline(t time.Time) error  { return c.setReadDeadline(t) }
func (c *hijackedConn) SetWriteDeadline(t time.Time) error { return c.setWriteDeadline(t) }

func (c *hijackedConn) SetDeadline(t time.Time) error {
	_ = c.setReadDeadline(t)
	return c.setWriteDeadline(t)
}

// Deliver implements reactor.Letter.
func (c *hijackedConn) Deliver() {
	s := c.s
	r, ok := s.role.(*hijackedRole)
	if !ok || s.state != stateOpen {
		return
	}
	c.mu.Lock()
	c.posted = false
	if s.link.Pending() > 0 && s.room(c.needs()) != nil {
		c.full = true
		c.mu.Unlock()
		s.RequestWriteable()
		return
	}
	wants, out := c.wants, c.out
	c.wants, c.out = c.wants&wantEnd, nil
	c.mu.Unlock()
	if out != nil {
		s.appendBytes(out.B)
		bufpool.Put(out)
		c.sent()
	}
	if s.state == stateOpen {
		r.act(s, wants)
	}
}

// needs is the room in the send queue that what waits for the loop takes. Under mu.
func (c *hijackedConn) needs() (n int) {
	if c.out != nil {
		n = len(c.out.B)
	}
	if c.wants&wantFIN != 0 {
		n += finRoom
	}
	return n
}

// hijackedRole is the role of a session whose connection a handler has hijacked.
type hijackedRole struct{ c *hijackedConn }

func (r *hijackedRole) act(s *session, w wants) {
	if w&wantMore != 0 {
		s.unpause(pauseService)
	}
	if w&wantFIN != 0 {
		s.flush()
		s.link.CloseWrite()
	}
	if w&wantEnd != 0 {
		s.shut(nil)
	}
}

func (r *hijackedRole) receive(s *session, b []byte) (int, error) {
	n, pause := r.c.bring(b)
	if pause {
		s.pause(pauseService)
	}
	return n, nil
}

func (r *hijackedRole) eof(s *session) {
	if s.flags&flagCutShort != 0 {
		r.c.end(ErrCutShort)
		return
	}
	r.c.end(io.EOF)
}

func (r *hijackedRole) writeable(s *session) {
	c := r.c
	c.mu.Lock()
	c.full = false
	pending := !c.posted && (c.out != nil || c.wants != 0)
	c.canWrite.Broadcast()
	c.mu.Unlock()
	if pending {
		c.Deliver()
	}
}

func (r *hijackedRole) timeout(s *session, now int64) {
	if s.paused&pauseQueue != 0 {
		s.stalled(now)
	}
}

// goodbye ends the reading: whoever reads until the end finds it, and may say goodbye in
// its own protocol.
func (r *hijackedRole) goodbye(*session) { r.c.end(io.EOF) }

func (r *hijackedRole) closed(s *session) {
	err := firstError(s.Err(), io.EOF)
	r.c.over(err, firstError(s.Err(), net.ErrClosed))
	_ = s.tell(callbacks.ClosedHTTP, nil)
}

func (r *hijackedRole) settle(*session) {}

func (r *hijackedRole) fail(s *session, err error) {
	s.unexpected(err)
	s.shut(err)
}

func (r *hijackedRole) write(*session, []byte, callbacks.Kind) error { return callbacks.ErrRole }

func (r *hijackedRole) close(s *session, _ ws.StatusCode, _ string) error {
	s.shut(nil)
	return nil
}

package reactor

import (
	"os"
	"time"

	"github.com/penstock-go/penstock/internal/invariant"
)

// The ways out of a connection's life:
//
//	Close   flush, FIN, read on until the peer's FIN or the deadline, close(2);
//	        CloseWrite is no way out, it only puts the FIN behind the queue
//	Abort   RST, now
//	end     an error, or the end of either of the above: mark only
//	free    Loop.settle, after the event: the one place that closes descriptors

// lingerTimeout is how long a connection that has sent everything and its FIN
// waits for the peer's. Closing earlier with unread bytes in the kernel would
// send an RST, and that destroys what the peer has not read yet. Five seconds
// is nginx's lingering_timeout.
const lingerTimeout = 5 * time.Second

// Close delivers what is queued, sends FIN, waits for the peer's and frees the
// connection; Handler.Closed says when. A peer that takes nothing for
// WriteLimits.Stall is cut off. Nothing can be written after Close, and what
// arrives is thrown away.
func (c *Conn) Close() {
	switch c.state {
	case stateConnecting:
		c.end(nil, false)
	case stateOpen:
		c.state = stateDraining
		c.dropKeptUnlessReading()
		if c.out == nil {
			c.finish()
			return
		}
		c.out.left = 0
		c.Progressed()
		c.loop.arm(&c.timer, c.loop.now+int64(c.limits().Stall))
		c.rewatch()
	}
}

// Abort drops what is queued and resets the connection. err is what
// Handler.Closed is told; nil means ErrAborted.
func (c *Conn) Abort(err error) {
	if err == nil {
		err = ErrAborted
	}
	c.end(err, true)
}

// CloseWrite sends FIN behind what is queued and goes on reading. Nothing may be
// written after it.
func (c *Conn) CloseWrite() {
	switch {
	case c.state != stateOpen:
	case c.out != nil:
		c.out.fin = true
	default:
		c.sendFIN()
	}
}

// sendFIN is CloseWrite with an empty queue. A socket that refuses it has been reset.
func (c *Conn) sendFIN() {
	if e := c.loop.k.CloseWrite(int(c.fd)); e != 0 {
		c.end(os.NewSyscallError("shutdown", e), true)
	}
}

// drainExpired looks whether the peer has read anything since the last look.
func (c *Conn) drainExpired(now int64) {
	if c.out == nil || !c.Progressed() {
		c.end(ErrStalled, true)
		return
	}
	c.loop.arm(&c.timer, now+int64(c.limits().Stall))
}

// finish follows the last byte with FIN.
func (c *Conn) finish() {
	if e := c.loop.k.CloseWrite(int(c.fd)); e != 0 || c.flags&flagEOF != 0 {
		c.end(nil, false)
		return
	}
	c.state = stateLingering
	c.loop.arm(&c.timer, c.loop.now+int64(lingerTimeout))
	c.rewatch()
}

// end marks c for settle. The first reason stays.
func (c *Conn) end(err error, reset bool) {
	if c.state == stateClosed {
		return
	}
	c.state = stateClosed
	c.loop.wishes = append(c.loop.wishes, wish{c: c, free: true, reset: reset, err: err})
}

// dropKeptUnlessReading leaves the buffer that Data is looking at to deliver.
func (c *Conn) dropKeptUnlessReading() {
	if c.flags&flagReading == 0 {
		c.dropKept()
	}
}

// free gives everything back and says goodbye.
func (l *Loop) free(c *Conn, reset bool, err error) {
	invariant.Check(c.flags&flagReading == 0, "reactor: free inside Data")
	invariant.Count(ledger, -1)
	l.wheel.Disarm(&c.timer)
	c.dropKept()
	c.dropQueue(err)
	l.conns.set(int(c.fd), nil)
	l.counters.conns.add(-1)
	c.flags &^= flagLimits
	delete(l.limits, c)
	delete(l.zones, c)
	if reset {
		l.k.Reset(int(c.fd))
	} else {
		l.k.Close(int(c.fd))
	}
	c.h.Closed(c, err)
}

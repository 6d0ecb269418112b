package reactor

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/bufpool"
)

// The way in, in order:
//
//	read     one read(2), behind the kept bytes, into the loop's buffer
//	deliver  Handler.Data; what it did not use is kept
//	keep     in a pooled buffer of the connection's own, of which feed and
//	         readInPlace give what is behind front
//	readEOF  the peer's FIN

const (
	// readSize is the loop's buffer: what one connection may take in one turn.
	// It is uWebSockets' figure: a pipelining peer fills it rarely, and one full
	// buffer of small messages keeps the others waiting for about a millisecond.
	readSize = 512 << 10

	// keptInPlace is the size of kept bytes from which on they are not copied in
	// front of new ones any more; the connection reads behind them in a buffer of
	// its own instead. Below it the copy is cheap beside the read(2) it goes with;
	// above it a large message that arrives in small pieces would cost the square
	// of its length.
	keptInPlace = 16 << 10
)

// read takes what the socket has, once. Level triggering tells of more. What a
// feed will present goes first: a FIN must not overtake it.
func (l *Loop) read(c *Conn) {
	if c.state == stateDraining || c.state == stateLingering {
		c.discard()
		return
	}
	if c.state != stateOpen || c.flags&(flagPaused|flagEOF|flagFeed) != 0 {
		return
	}
	if c.Kept() >= keptInPlace {
		l.readInPlace(c)
		return
	}
	kept := 0
	if c.kept != nil {
		kept = copy(l.buf, c.kept.B[c.front:])
	}
	n, e := l.k.Read(int(c.fd), l.buf[kept:])
	switch {
	case e == unix.EAGAIN:
	case e != 0:
		c.end(os.NewSyscallError("read", e), true)
	case n == 0:
		c.readEOF()
	default:
		l.counters.bytesIn.add(n)
		b := l.buf[:kept+n]
		c.keep(b[c.deliver(b):])
	}
}

// readInPlace reads behind the kept bytes in their own buffer, which grows by
// doubling.
func (l *Loop) readInPlace(c *Conn) {
	b := c.kept.B
	if cap(b)-len(b) < keptInPlace {
		b = append(make([]byte, 0, 2*c.Kept()+2*keptInPlace), b[c.front:]...)
		c.kept.B, c.front = b, 0
	}
	n, e := l.k.Read(int(c.fd), b[len(b):cap(b)])
	switch {
	case e == unix.EAGAIN:
	case e != 0:
		c.end(os.NewSyscallError("read", e), true)
	case n == 0:
		c.readEOF()
	default:
		l.counters.bytesIn.add(n)
		c.kept.B = b[:len(b)+n]
		c.deliverKept()
	}
}

// deliver gives b to the handler and returns how much of it was used.
func (c *Conn) deliver(b []byte) (used int) {
	c.flags |= flagReading
	used = c.h.Data(c, b)
	c.flags &^= flagReading
	if c.state != stateOpen {
		used = len(b)
	}
	return used
}

// deliverKept gives the handler what is kept, where it lies.
func (c *Conn) deliverKept() {
	used := c.deliver(c.kept.B[c.front:])
	var front int
	c.kept, front = bufpool.Consume(c.kept, int(c.front), used)
	c.front = uint32(front)
}

// keep saves rest, which is the loop's, until the next read. A connection that keeps
// nothing holds no buffer.
func (c *Conn) keep(rest []byte) {
	if len(rest) == 0 {
		c.dropKept()
		return
	}
	if c.kept == nil {
		c.kept = bufpool.Get()
	}
	c.kept.B, c.front = append(c.kept.B[:0], rest...), 0
}

func (c *Conn) dropKept() {
	if c.kept != nil {
		bufpool.Put(c.kept)
		c.kept, c.front = nil, 0
	}
}

// feed gives the kept bytes to the handler again; see Refeed.
func (l *Loop) feed(c *Conn) {
	if c.state != stateOpen || c.flags&flagPaused != 0 || c.kept == nil && c.flags&flagEmpty == 0 {
		return
	}
	c.flags &^= flagEmpty
	if c.kept == nil {
		c.deliver(nil)
	} else {
		c.deliverKept()
	}
}

// readEOF notes the peer's FIN. Bytes that are kept by then can never be
// completed; the owner is told and decides.
func (c *Conn) readEOF() {
	c.flags |= flagEOF
	c.rewatch()
	if c.state == stateOpen {
		c.h.EOF(c)
	}
}

// hungUp ends a connection that has been reset while nobody reads from it; whoever
// reads is told by read(2), behind the last bytes. What has not been read is lost, as
// it may be by any reset. Where both sides have sent FIN there is no error, and what
// the peer has sent can still be read.
func (c *Conn) hungUp() {
	if c.state != stateOpen || c.flags&(flagPaused|flagEOF) == 0 {
		return
	}
	if e := c.loop.k.TakeError(int(c.fd)); e != 0 {
		c.end(os.NewSyscallError("read", e), true)
	}
}

// EOFSeen tells whether the peer has shut down its sending side.
func (c *Conn) EOFSeen() bool { return c.flags&flagEOF != 0 }

// Kept returns how many received bytes wait to be used.
func (c *Conn) Kept() int {
	if c.kept == nil {
		return 0
	}
	return len(c.kept.B) - int(c.front)
}

// discard reads and forgets while the last bytes are on their way, so that the
// kernel has no reason to answer the peer's with an RST that would destroy ours.
func (c *Conn) discard() {
	n, e := c.loop.k.Read(int(c.fd), c.loop.buf)
	switch {
	case e == unix.EAGAIN || e == 0 && n > 0:
	case c.state == stateLingering:
		c.end(nil, false) // all was sent; how the peer leaves does not matter
	case e != 0:
		c.end(os.NewSyscallError("read", e), true)
	default:
		c.flags |= flagEOF
		c.rewatch()
	}
}

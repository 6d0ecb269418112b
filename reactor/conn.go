package reactor

import (
	"errors"
	"net"
	"net/netip"
	"os"

	"github.com/penstock-go/penstock/internal/bufpool"
	"github.com/penstock-go/penstock/internal/invariant"
	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/wheel"
)

// Handler is what a connection tells its owner. All calls come on the loop's
// goroutine; none of them comes from inside a call to the Conn.
type Handler interface {
	// Data gives bytes that arrived, behind those that the last call left, and
	// returns how many were used. The rest is kept and comes again in front of
	// new bytes, so what is not used must be the beginning of something
	// incomplete, or reading must have been paused. b is the loop's: it dies when
	// Data returns. It is empty only after Redeliver.
	Data(c *Conn, b []byte) (used int)
	// EOF says that the peer has shut down its sending side. The connection stays
	// open for writing until somebody closes it.
	EOF(c *Conn)
	// Writable says that the send queue has drained after it had reached the high
	// water mark or refused a write.
	Writable(c *Conn)
	// Timeout follows Arm.
	Timeout(c *Conn, now int64)
	// Closed is the last call, when the descriptor is gone. err is nil after an
	// orderly Close and the reason otherwise.
	Closed(c *Conn, err error)
}

// state is where a connection stands.
//
//	Dial --> connecting --connected--+
//	             |                   v
//	             |     Accept ---> open --Close--> draining --queue empty: FIN--> lingering
//	             |                   |                |                               |
//	             +---refused, Abort--+--Abort, error--+------ stalled, error ---------+--FIN seen,
//	                                 v                                                v   deadline
//	                               closed <-------------------------------------------+
//
// A call that ends a connection only marks it; Loop.settle frees it, in one place,
// after the current event.
type state uint8

const (
	stateConnecting state = iota
	stateOpen
	stateDraining
	stateLingering
	stateClosed
)

// flag is a set of facts about a connection.
type flag uint8

const (
	flagPaused  flag = 1 << iota // the owner does not want to read
	flagEOF                      // the peer's FIN has been seen
	flagHigh                     // the queue has been too long for a writer, Writable is owed
	flagFeed                     // settle shall feed what was kept
	flagReading                  // inside Data
	flagLimits                   // SetWriteLimits was called, the loop has them
	flagPeer                     // the peer has an IP address
	flagEmpty                    // the feed is wanted even if nothing was kept
)

// ErrQueueFull is the answer to a write that would take the send queue past
// WriteLimits.Hard. Nothing of it was sent or queued. Unless the queue is empty,
// Handler.Writable says when to try again.
var ErrQueueFull = errors.New("reactor: the send queue is full")

// ErrStalled ends a connection whose peer took nothing for too long while the
// last bytes were to be delivered.
var ErrStalled = errors.New("reactor: the peer stopped reading")

// ErrAborted ends a connection that this side aborted.
var ErrAborted = errors.New("reactor: aborted")

// Conn is one stream socket. All of it belongs to the loop's goroutine. There is
// one for every idle connection, in a size class of 112 bytes: what few of them
// need is with the loop.
type Conn struct {
	loop  *Loop
	h     Handler
	out   *queue          // nil while nothing is queued
	kept  *bufpool.Buffer // what Data did not use; nil while there is nothing
	timer wheel.Timer
	ip    [16]byte // the peer's, an IPv4 address as its IPv6-mapped form
	fd    int32
	front uint32 // what of kept has been used
	port  uint16
	state state
	watch kernel.Interest
	flags flag
}

// newConn makes the Conn of a connected or connecting descriptor. The caller
// watches it.
func (l *Loop) newConn(fd int, peer netip.AddrPort, st state) *Conn {
	invariant.Count(ledger, 1)
	c := &Conn{loop: l, fd: int32(fd), state: st}
	c.timer.Owner = c
	if peer.IsValid() {
		c.flags |= flagPeer
		c.ip, c.port = peer.Addr().As16(), peer.Port()
	}
	if zone := peer.Addr().Zone(); zone != "" {
		l.zones[c] = zone
	}
	l.conns.set(fd, c)
	l.counters.conns.add(1)
	return c
}

// ledger counts Conns in the invariants build.
const ledger = "reactor.conns"

// Loop returns the loop that owns c.
func (c *Conn) Loop() *Loop { return c.loop }

// SetHandler changes who is told, from the next event on.
func (c *Conn) SetHandler(h Handler) { c.h = h }

// Handler returns who is told.
func (c *Conn) Handler() Handler { return c.h }

// Peer returns the remote address, the zero value for a unix socket. It stays
// known after the end, but for the zone of a link-local one.
func (c *Conn) Peer() netip.AddrPort {
	if c.flags&flagPeer == 0 {
		return netip.AddrPort{}
	}
	a := netip.AddrFrom16(c.ip).Unmap()
	if a.Is6() && a.IsLinkLocalUnicast() {
		a = a.WithZone(c.loop.zones[c])
	}
	return netip.AddrPortFrom(a, c.port)
}

// LocalAddr returns this end's address, or nil once the connection is closed.
func (c *Conn) LocalAddr() net.Addr {
	if c.state == stateClosed {
		return nil
	}
	return c.loop.k.LocalAddr(int(c.fd))
}

// PeerAddr returns the remote address as the kernel knows it, or nil once the
// connection is closed. Unlike Peer it knows unix sockets.
func (c *Conn) PeerAddr() net.Addr {
	if c.state == stateClosed {
		return nil
	}
	return c.loop.k.PeerAddr(int(c.fd))
}

// SetOptions applies socket options; see Options.
func (c *Conn) SetOptions(o Options) {
	if c.state != stateClosed && c.flags&flagPeer != 0 {
		c.loop.k.SetOptions(int(c.fd), o)
	}
}

// Arm asks for Handler.Timeout at the given time of Loop.Now, or up to a tick
// (4.2 ms) later. There is one alarm: arming again moves it.
func (c *Conn) Arm(at int64) {
	if c.state <= stateOpen {
		c.loop.arm(&c.timer, at)
	}
}

// Disarm takes the alarm back.
func (c *Conn) Disarm() {
	if c.state <= stateOpen {
		c.loop.wheel.Disarm(&c.timer)
	}
}

// Expire is the alarm; it is for the wheel only.
func (c *Conn) Expire(now int64) {
	switch c.state {
	case stateDraining:
		c.drainExpired(now)
	case stateLingering:
		c.end(nil, false)
	case stateOpen, stateConnecting:
		c.h.Timeout(c, now)
	}
}

// PauseRead leaves arriving bytes in the kernel, so that TCP holds the peer
// back. What Data leaves unused from now on is kept for ResumeRead.
func (c *Conn) PauseRead() {
	if c.state != stateOpen || c.flags&flagPaused != 0 {
		return
	}
	c.flags |= flagPaused
	c.rewatch()
}

// ResumeRead undoes PauseRead. What was kept is given to Data again, after the
// current event, without waiting for new bytes.
func (c *Conn) ResumeRead() {
	if c.state != stateOpen || c.flags&flagPaused == 0 {
		return
	}
	c.flags &^= flagPaused
	c.rewatch()
	if c.flags&flagEmpty != 0 {
		c.Redeliver()
	}
	c.Refeed()
}

// Refeed gives what was kept to Data again after the current event.
func (c *Conn) Refeed() {
	if c.state == stateOpen && (c.kept != nil || c.flags&flagReading != 0) {
		c.loop.wishFeed(c)
	}
}

// Redeliver calls Data after the current event, with nothing if nothing was
// kept: it is for a Handler that keeps bytes of its own. It waits for ResumeRead
// if reading is paused.
func (c *Conn) Redeliver() {
	if c.state == stateOpen {
		c.flags |= flagEmpty
		c.loop.wishFeed(c)
	}
}

// Paused tells whether reading is paused.
func (c *Conn) Paused() bool { return c.flags&flagPaused != 0 }

// rewatch brings the poller in line with what c wants now. A connection whose
// peer has sent its FIN is readable for ever, so it is not watched for that. One that
// neither reads nor has anything to send is still told when its peer has reset it.
func (c *Conn) rewatch() {
	var want kernel.Interest
	switch c.state {
	case stateConnecting:
		want = kernel.WatchWrite
	case stateOpen, stateDraining, stateLingering:
		if c.flags&flagEOF == 0 && (c.flags&flagPaused == 0 || c.state != stateOpen) {
			want = kernel.WatchRead
		}
		if c.out != nil {
			want |= kernel.WatchWrite
		}
		if want == 0 {
			want = kernel.WatchEnd
		}
	}
	if want == c.watch {
		return
	}
	fd, e := c.loop.p.Set(int(c.fd), c.watch, want)
	if fd != int(c.fd) {
		c.loop.conns.set(int(c.fd), nil)
		c.loop.conns.set(fd, c)
		c.fd = int32(fd)
	}
	if e != 0 {
		c.end(os.NewSyscallError("poll", e), true)
		return
	}
	c.watch = want
}

// Package kernel is the operating system as the reactor sees it: sockets,
// a readiness poller, a clock and a resolver. The reactor's own implementation
// makes system calls; internal/simnet replaces it with a seeded simulation, so
// that the code above this seam is the same in tests and in production.
package kernel

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Errno is why a call was refused; zero is success.
type Errno = syscall.Errno

// Event says what a descriptor may be ready for. It is a hint: the call that
// follows decides (a stale event for a reused descriptor is harmless).
type Event uint8

// The bits of an Event. An error or hang-up is reported as all of them.
const (
	Readable Event = 1 << iota
	Writable
	HungUp // reset, or shut in both directions: TakeError says
)

// Interest is what a descriptor is watched for; zero is nothing at all.
type Interest uint8

// The bits of an Interest.
const (
	WatchRead Interest = 1 << iota
	WatchWrite
	// WatchEnd, which goes with neither of the others, is for HungUp alone. That comes
	// once, and is all that is sure to come: what has arrived does not hide it, a FIN is
	// none, and an event for nothing may come before it. The others report HungUp too.
	WatchEnd
)

// Kernel is everything the reactor asks of the system. Except for Lookup, and SendFile
// where a disk is slow, no call blocks.
type Kernel interface {
	// Now is a monotonic clock in nanoseconds.
	Now() int64
	// OpenPoller makes the poller of one loop.
	OpenPoller() (Poller, error)

	// Listen opens a listening socket. Bound is its address with the real port.
	Listen(network, address string, o ListenOptions) (fd int, bound net.Addr, err error)
	// Accept takes the next connection; EAGAIN means there is none.
	Accept(fd int) (conn int, peer netip.AddrPort, e Errno)
	// Connect starts a connection. Its outcome is known when the descriptor
	// becomes writable, from ConnectResult.
	Connect(to Target) (fd int, e Errno)
	// ConnectResult is zero once fd is connected.
	ConnectResult(fd int) Errno
	// TakeError is why the connection is no more, ECONNRESET or another, or zero; who
	// asks again is not told again. What has not been read by then may be lost.
	TakeError(fd int) Errno
	// Lookup resolves a host name. It blocks and is called off the loops.
	Lookup(ctx context.Context, network, host string) ([]netip.Addr, error)

	// Read fills b; 0 with no error is the peer's FIN.
	Read(fd int, b []byte) (int, Errno)
	// Write sends a prefix of b.
	Write(fd int, b []byte) (int, Errno)
	// WriteTwo sends a prefix of a followed by b, in one call.
	WriteTwo(fd int, a, b []byte) (int, Errno)
	// WriteMore is Write of b when more follows at once: the kernel may wait for it
	// before it sends a packet.
	WriteMore(fd int, b []byte) (int, Errno)
	// SendFile sends a prefix of the n > 0 bytes at off of file, a descriptor of the
	// operating system's for a regular file, whose own offset it neither uses nor
	// changes. 0 with no error says that the file ends there. It may wait for a disk.
	SendFile(fd, file int, off int64, n int) (int, Errno)
	// Unread returns how many bytes the kernel has taken and the peer has not
	// acknowledged; 0 where it does not tell.
	Unread(fd int) int
	// CloseWrite sends a FIN; reading goes on.
	CloseWrite(fd int) Errno
	// Close gives the descriptor back. What the kernel took is still delivered.
	Close(fd int)
	// Reset closes with an RST and drops what the kernel still holds.
	Reset(fd int)

	// SetOptions applies o to a connected TCP socket; on others it does nothing.
	SetOptions(fd int, o Options)
	// LocalAddr and PeerAddr are nil when the socket has none.
	LocalAddr(fd int) net.Addr
	// PeerAddr is the remote end as the kernel knows it.
	PeerAddr(fd int) net.Addr
}

// Poller watches the descriptors of one loop. All calls but Wake belong to the
// loop's goroutine.
type Poller interface {
	// Run calls h until Stop, blocking while nothing is ready.
	Run(h Handler) error
	// Set changes what fd is watched for. The descriptor may be replaced by
	// another for the same socket (kqueue has no way to pause one), so the
	// caller goes on with the one returned.
	Set(fd int, from, to Interest) (int, Errno)
	// Wake makes Run call h.Woken once more, soon; calls in between coalesce.
	// Any goroutine may call it.
	Wake()
	// WakeAt asks for a Wake at the given time; the earliest request wins.
	WakeAt(at int64)
	// Stop makes Run return after the current event.
	Stop()
	// Close gives the poller's descriptors back, after Run has returned.
	Close()
}

// Handler receives the poller's events on the loop's goroutine.
type Handler interface {
	// Ready reports that fd may be ready for ev.
	Ready(fd int, ev Event)
	// Woken follows a Wake or a WakeAt.
	Woken()
}

// ListenOptions are the choices that must be made before bind.
type ListenOptions struct {
	// ReusePort lets every loop bind the same address.
	ReusePort bool
	// V6Only keeps an IPv6 socket from taking IPv4 connections.
	V6Only bool
}

// Options are the choices for a connected socket.
type Options struct {
	// Delay turns Nagle's algorithm back on (TCP_NODELAY off).
	Delay bool
	// KeepAlive is the idle time before the first TCP keep-alive probe;
	// zero leaves probes off.
	KeepAlive time.Duration
}

// Target is where a connection goes: an IP address and port, or, when Path is
// set, a unix socket ("@name" is abstract on Linux).
type Target struct {
	// Addr is where a TCP connection goes.
	Addr netip.AddrPort
	// Path is where a unix connection goes.
	Path string
	// Local is the source address; the zero value lets the kernel choose.
	Local netip.Addr
}

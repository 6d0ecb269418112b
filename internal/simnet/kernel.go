package simnet

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// readMost is what one read takes at most: less than any buffer of the code
// under test, whose pooled buffers have sizes that no seed decides.
const readMost = 16 << 10

// sendMost is what one call takes of a file at most, for the same reason.
const sendMost = 48 << 10

var localhost = netip.MustParseAddr("127.0.0.1")

// Listen implements kernel.Kernel, and so do the methods below.
func (n *Net) Listen(_, address string, _ kernel.ListenOptions) (int, net.Addr, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return -1, nil, err
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return -1, nil, err
	}
	if p == 0 {
		n.port++
		p = uint64(n.port)
	}
	at := netip.AddrPortFrom(localhost, uint16(p))
	fd := n.open(&socket{listens: true, addr: at})
	return fd, net.TCPAddrFromAddrPort(at), nil
}

// Accept takes from the backlog.
func (n *Net) Accept(fd int) (int, netip.AddrPort, kernel.Errno) {
	s := n.at(fd)
	if len(s.backlog) == 0 {
		return -1, netip.AddrPort{}, errAgain
	}
	if n.Chance(n.cfg.Faults.Accept) {
		full := [...]kernel.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM}
		return -1, netip.AddrPort{}, full[n.rng.IntN(len(full))]
	}
	w := s.backlog[0]
	s.backlog = s.backlog[1:]
	if n.Chance(n.cfg.Faults.Aborted) {
		w.breakDown(0)
		return -1, netip.AddrPort{}, unix.ECONNABORTED
	}
	n.port++
	peer := netip.AddrPortFrom(localhost, n.port)
	conn := n.open(&socket{w: w, addr: peer})
	n.trace("accept %d", conn)
	return conn, peer, 0
}

// Connect starts what Config.Connect decides.
func (n *Net) Connect(to kernel.Target) (int, kernel.Errno) {
	a := Answer{Now: unix.ECONNREFUSED}
	if n.cfg.Connect != nil {
		a = n.cfg.Connect(to)
	}
	if a.Now != 0 {
		return -1, a.Now
	}
	w := n.newWire()
	w.connecting = true
	if a.After >= 0 {
		n.later(a.After, func() { w.connected(a) })
	}
	fd := n.open(&socket{w: w, addr: to.Addr})
	n.trace("connect %d to %v", fd, to.Addr)
	return fd, 0
}

func (w *wire) connected(a Answer) {
	if w.nearClosed {
		return
	}
	w.connecting = false
	w.failed, w.err = a.Err != 0, a.Err
	if !w.failed && a.Accepted != nil {
		a.Accepted(&End{w})
	}
}

// ConnectResult tells an error once, as SO_ERROR does.
func (n *Net) ConnectResult(fd int) kernel.Errno {
	w := n.at(fd).w
	switch {
	case w.connecting:
		return unix.ENOTCONN
	case w.err != 0:
		return w.takeErr()
	case w.failed:
		return unix.ENOTCONN
	}
	return 0
}

// TakeError implements kernel.Kernel.
func (n *Net) TakeError(fd int) kernel.Errno { return n.at(fd).w.takeErr() }

func (w *wire) takeErr() kernel.Errno {
	e := w.err
	w.err = 0
	return e
}

// Read takes what has come, or less.
func (n *Net) Read(fd int, b []byte) (int, kernel.Errno) {
	w := n.at(fd).w
	switch {
	case len(b) == 0:
		panic("simnet: read into an empty buffer: the 0 would look like FIN")
	case w.connecting:
		return 0, unix.ENOTCONN
	case w.up.len() > 0:
		if n.Chance(n.cfg.Faults.Again) {
			return 0, errAgain
		}
		most := n.part(min(w.up.len(), readMost), n.cfg.Faults.ShortRead)
		got := w.up.take(b[:min(len(b), most)])
		n.trace("read %d: %d bytes", fd, got)
		return got, 0
	case w.err != 0:
		return 0, w.takeErr()
	case w.broken || w.failed || w.up.fin:
		n.trace("read %d: end", fd)
		return 0, 0
	}
	return 0, errAgain
}

// part picks a length of 1 to most, most unless there is a fault.
func (n *Net) part(most int, chance float64) int {
	if most > 1 && n.Chance(chance) {
		return 1 + n.rng.IntN(most-1)
	}
	return most
}

// Write implements kernel.Kernel.
func (n *Net) Write(fd int, b []byte) (int, kernel.Errno) { return n.WriteTwo(fd, b, nil) }

// WriteMore implements kernel.Kernel.
func (n *Net) WriteMore(fd int, b []byte) (int, kernel.Errno) { return n.WriteTwo(fd, b, nil) }

// SendFile implements kernel.Kernel. The file is a real one.
func (n *Net) SendFile(fd, file int, off int64, most int) (int, kernel.Errno) {
	if most <= 0 {
		panic("simnet: nothing of a file to send")
	}
	b := make([]byte, min(most, sendMost))
	got, err := unix.Pread(file, b, off)
	switch {
	case err != nil:
		return 0, unix.EIO
	case got == 0:
		return 0, 0
	}
	return n.WriteTwo(fd, b[:got], nil)
}

// WriteTwo implements kernel.Kernel.
func (n *Net) WriteTwo(fd int, a, b []byte) (int, kernel.Errno) {
	w := n.at(fd).w
	size := len(a) + len(b)
	switch {
	case size == 0:
		panic("simnet: an empty write")
	case w.connecting:
		return 0, unix.ENOTCONN
	case w.err != 0:
		return 0, w.takeErr()
	case w.broken || w.failed || w.down.fin:
		return 0, unix.EPIPE
	case w.farClosed: // taken, and answered with an RST
		n.later(0, func() { w.breakDown(unix.ECONNRESET) })
		return size, 0
	case w.down.room() <= 0 || n.Chance(n.cfg.Faults.Again):
		return 0, errAgain
	}
	took := n.part(min(size, w.down.room()), n.cfg.Faults.ShortWrite)
	w.down.put(a[:min(took, len(a))])
	w.down.put(b[:max(took-len(a), 0)])
	n.trace("write %d: %d of %d bytes", fd, took, size)
	return took, 0
}

// Unread implements kernel.Kernel.
func (n *Net) Unread(fd int) int { return n.at(fd).w.down.len() }

// CloseWrite implements kernel.Kernel.
func (n *Net) CloseWrite(fd int) kernel.Errno {
	w := n.at(fd).w
	if w.broken || w.failed || w.connecting {
		return unix.ENOTCONN
	}
	n.trace("fin %d", fd)
	w.down.fin = true
	return 0
}

// Close implements kernel.Kernel. What was not read becomes an RST.
func (n *Net) Close(fd int) {
	n.trace("close %d", fd)
	if w := n.free(fd); w != nil && !w.broken {
		w.down.fin = true
		if w.up.len() > 0 {
			w.breakDown(0)
		}
	}
}

// Reset implements kernel.Kernel.
func (n *Net) Reset(fd int) {
	n.trace("reset %d", fd)
	if w := n.free(fd); w != nil {
		w.breakDown(0)
	}
}

// free closes a descriptor; a listener's backlog is reset.
func (n *Net) free(fd int) *wire {
	s := n.at(fd)
	n.socks[fd-firstFD] = nil
	for _, w := range s.backlog {
		w.breakDown(0)
	}
	if s.w != nil {
		s.w.nearClosed = true
	}
	return s.w
}

// SetOptions implements kernel.Kernel; there is nothing to set.
func (n *Net) SetOptions(fd int, _ kernel.Options) { n.at(fd) }

// LocalAddr implements kernel.Kernel.
func (n *Net) LocalAddr(fd int) net.Addr {
	n.at(fd)
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(localhost, 80))
}

// PeerAddr implements kernel.Kernel.
func (n *Net) PeerAddr(fd int) net.Addr { return net.TCPAddrFromAddrPort(n.at(fd).addr) }

// OpenPoller implements kernel.Kernel. There is one.
func (n *Net) OpenPoller() (kernel.Poller, error) {
	if n.poller != nil {
		return nil, fmt.Errorf("simnet: one loop only")
	}
	n.poller = &poller{n: n, wake: make(chan struct{}, 1)}
	return n.poller, nil
}

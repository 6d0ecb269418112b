//go:build unix && !linux

package reactor

import (
	"net/netip"

	"github.com/panjf2000/gnet/v2/pkg/socket"
	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

func (k *systemKernel) Accept(fd int) (int, netip.AddrPort, kernel.Errno) {
	conn, sa, err := socket.Accept(fd)
	if err != nil {
		return -1, netip.AddrPort{}, errnoOf(err)
	}
	return conn, addrPortOf(sa), 0
}

func addrPortOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		a := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 && a.Is6() {
			a = a.WithZone(zoneName(sa.ZoneId))
		}
		return netip.AddrPortFrom(a, uint16(sa.Port))
	}
	return netip.AddrPort{}
}

func (k *systemKernel) Read(fd int, b []byte) (int, kernel.Errno) {
	return retry(func() (int, error) { return unix.Read(fd, b) })
}

func (k *systemKernel) Write(fd int, b []byte) (int, kernel.Errno) {
	return retry(func() (int, error) { return unix.Write(fd, b) })
}

// WriteMore is Write: the BSDs' way to say that more follows is a socket option, two
// calls for one.
func (k *systemKernel) WriteMore(fd int, b []byte) (int, kernel.Errno) { return k.Write(fd, b) }

// SendFile copies: sendfile(2) is another call on each of the BSDs, and none on two.
func (k *systemKernel) SendFile(fd, file int, off int64, n int) (int, kernel.Errno) {
	return k.copyFile(fd, file, off, n)
}

// WriteTwo sends a and leaves b for the next call: x/sys has no writev on all
// of the BSDs, and the caller copes with a short write anyway.
func (k *systemKernel) WriteTwo(fd int, a, b []byte) (int, kernel.Errno) {
	n, e := k.Write(fd, a)
	if e != 0 || n < len(a) {
		return n, e
	}
	m, e := k.Write(fd, b)
	if e == unix.EAGAIN {
		e = 0
	}
	return n + m, e
}

func retry(call func() (int, error)) (int, kernel.Errno) {
	for {
		n, err := call()
		if err == nil {
			return n, 0
		}
		if err != unix.EINTR {
			return 0, errnoOf(err)
		}
	}
}

package reactor

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// On Linux, calls on non-blocking sockets skip the scheduler: they cannot block,
// so handing the processor over around them is only cost (about 50 ns a call,
// twice a message).

// Accept reads the peer's address where the kernel puts it: package unix would
// allocate one for every connection.
func (k *systemKernel) Accept(fd int) (int, netip.AddrPort, kernel.Errno) {
	var sa unix.RawSockaddrAny
	for {
		size := uint32(unix.SizeofSockaddrAny)
		conn, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&sa)),
			uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch e {
		case 0:
			return int(conn), addrPortOfRaw(&sa), 0
		case unix.EINTR:
		default:
			return -1, netip.AddrPort{}, e
		}
	}
}

// addrPortOfRaw is the zero value for a unix socket.
func addrPortOfRaw(sa *unix.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), networkOrder(&in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		a := netip.AddrFrom16(in.Addr).Unmap()
		if in.Scope_id != 0 && a.Is6() {
			a = a.WithZone(zoneName(in.Scope_id))
		}
		return netip.AddrPortFrom(a, networkOrder(&in.Port))
	}
	return netip.AddrPort{}
}

func networkOrder(port *uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(port))[:])
}

// Read is recv(2): the kernel gets to the socket on a shorter way than by read(2),
// which is worth 2 % of an echoed message at either end.
func (k *systemKernel) Read(fd int, b []byte) (int, kernel.Errno) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
		if e != unix.EINTR {
			return count(n, e), e
		}
	}
}

// Write is send(2), for the same reason.
func (k *systemKernel) Write(fd int, b []byte) (int, kernel.Errno) {
	return sendFlags(fd, b, unix.MSG_NOSIGNAL)
}

func (k *systemKernel) WriteMore(fd int, b []byte) (int, kernel.Errno) {
	return sendFlags(fd, b, unix.MSG_NOSIGNAL|unix.MSG_MORE)
}

func sendFlags(fd int, b []byte, flags uintptr) (int, kernel.Errno) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
		if e != unix.EINTR {
			return count(n, e), e
		}
	}
}

func (k *systemKernel) WriteTwo(fd int, a, b []byte) (int, kernel.Errno) {
	var iov [2]unix.Iovec
	iov[0].Base = unsafe.SliceData(a)
	iov[0].SetLen(len(a))
	iov[1].Base = unsafe.SliceData(b)
	iov[1].SetLen(len(b))
	for {
		n, _, e := unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), 2)
		if e != unix.EINTR {
			return count(n, e), e
		}
	}
}

// SendFile is sendfile(2). It may wait for a disk, so the scheduler is told, which
// costs little beside as many bytes. Where a file system has no way to splice, the
// bytes are copied.
func (k *systemKernel) SendFile(fd, file int, off int64, n int) (int, kernel.Errno) {
	for {
		sent, err := unix.Sendfile(fd, file, &off, n)
		switch {
		case err == nil:
			return sent, 0
		case err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOPNOTSUPP:
			return k.copyFile(fd, file, off, n)
		case err != unix.EINTR:
			return 0, errnoOf(err)
		}
	}
}

func count(n uintptr, e kernel.Errno) int {
	if e != 0 {
		return 0
	}
	return int(n)
}

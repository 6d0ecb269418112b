//go:build unix

package reactor

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/socket"
	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// systemKernel is the operating system; see kernel.Kernel for the contracts.
type systemKernel struct{ start time.Time }

func newSystemKernel() kernel.Kernel { return &systemKernel{start: time.Now()} }

func (k *systemKernel) Now() int64 { return int64(time.Since(k.start)) }

func (k *systemKernel) OpenPoller() (kernel.Poller, error) { return openPoller(k) }

func (k *systemKernel) Connect(to kernel.Target) (int, kernel.Errno) {
	sa, family := sockaddrOf(to)
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, errnoOf(err)
	}
	unix.CloseOnExec(fd)
	if err = unix.SetNonblock(fd, true); err == nil && to.Local.IsValid() {
		local, _ := sockaddrOf(kernel.Target{Addr: netip.AddrPortFrom(to.Local, 0)})
		err = unix.Bind(fd, local)
	}
	if err == nil {
		err = unix.Connect(fd, sa)
	}
	if err != nil && err != unix.EINPROGRESS && err != unix.EINTR {
		_ = unix.Close(fd)
		return -1, errnoOf(err)
	}
	return fd, 0
}

func (k *systemKernel) ConnectResult(fd int) kernel.Errno {
	if e := k.TakeError(fd); e != 0 {
		return e
	}
	// SO_ERROR is zero also while the connection is still under way.
	_, err := unix.Getpeername(fd)
	return errnoOf(err)
}

func (k *systemKernel) TakeError(fd int) kernel.Errno {
	e, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return errnoOf(err)
	}
	return kernel.Errno(e)
}

func (k *systemKernel) Lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, network, host)
}

func (k *systemKernel) Unread(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

func (k *systemKernel) CloseWrite(fd int) kernel.Errno {
	return errnoOf(unix.Shutdown(fd, unix.SHUT_WR))
}

func (k *systemKernel) Close(fd int) { _ = unix.Close(fd) }

func (k *systemKernel) Reset(fd int) {
	_ = socket.SetLinger(fd, 0)
	_ = unix.Close(fd)
}

func (k *systemKernel) SetOptions(fd int, o kernel.Options) {
	if !o.Delay {
		_ = socket.SetNoDelay(fd, 1)
	}
	if o.KeepAlive > 0 {
		_ = socket.SetKeepAlivePeriod(fd, max(1, int(o.KeepAlive/time.Second)))
	}
}

func (k *systemKernel) LocalAddr(fd int) net.Addr {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil
	}
	return socket.SockaddrToTCPOrUnixAddr(sa)
}

func (k *systemKernel) PeerAddr(fd int) net.Addr {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return nil
	}
	return socket.SockaddrToTCPOrUnixAddr(sa)
}

// errnoOf turns the errors of x/sys and gnet, all of which are or wrap an
// errno, into one.
func errnoOf(err error) kernel.Errno {
	for err != nil {
		if e, ok := err.(syscall.Errno); ok {
			return e
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return unix.EIO
		}
		err = u.Unwrap()
	}
	return 0
}

func sockaddrOf(to kernel.Target) (unix.Sockaddr, int) {
	if to.Path != "" {
		return &unix.SockaddrUnix{Name: to.Path}, unix.AF_UNIX
	}
	a, port := to.Addr.Addr(), int(to.Addr.Port())
	if a.Is4() || a.Is4In6() {
		return &unix.SockaddrInet4{Addr: a.Unmap().As4(), Port: port}, unix.AF_INET
	}
	return &unix.SockaddrInet6{Addr: a.As16(), Port: port, ZoneId: zoneIndex(a.Zone())}, unix.AF_INET6
}

// zoneName and zoneIndex translate the zone of a link-local IPv6 address; a
// zone that is not an interface here stays a number.
func zoneName(id uint32) string {
	if ifi, err := net.InterfaceByIndex(int(id)); err == nil {
		return ifi.Name
	}
	return strconv.Itoa(int(id))
}

func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return uint32(ifi.Index)
	}
	n, _ := strconv.Atoi(zone)
	return uint32(n)
}

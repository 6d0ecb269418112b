//go:build unix

package reactor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/panjf2000/gnet/v2/pkg/socket"
	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// Listen lets package net parse, resolve and bind, and takes a duplicate of the
// descriptor: one way in for listeners of our own and for adopted ones.
func (k *systemKernel) Listen(network, address string, o kernel.ListenOptions) (int, net.Addr, error) {
	lc := net.ListenConfig{KeepAlive: -1, Control: func(network, _ string, rc syscall.RawConn) error {
		return controlListener(rc, network, o)
	}}
	lc.SetMultipathTCP(false)
	if network == "unix" {
		removeStaleSocket(address)
	}
	l, err := lc.Listen(context.Background(), network, address)
	if err != nil {
		return -1, nil, err
	}
	defer l.Close()
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // the duplicate lives on; the path goes with the last listener
	}
	fd, err := dupListener(l)
	return fd, l.Addr(), err
}

func controlListener(rc syscall.RawConn, network string, o kernel.ListenOptions) error {
	var err error
	cerr := rc.Control(func(fd uintptr) {
		if o.ReusePort {
			err = socket.SetReuseport(int(fd), 1)
		}
		if err == nil && o.V6Only && network == "tcp6" {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
		}
	})
	return errors.Join(cerr, err)
}

// dupListener returns a non-blocking duplicate of l's descriptor.
func dupListener(l any) (int, error) {
	sc, ok := l.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("reactor: a %T has no descriptor to adopt", l)
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	cerr := rc.Control(func(raw uintptr) { fd, err = socket.Dup(int(raw)) })
	if err = errors.Join(cerr, err); err != nil {
		return -1, err
	}
	return fd, unix.SetNonblock(fd, true)
}

// removeStaleSocket deletes the path of a unix socket that nobody listens on
// any more, left by a process that died; a file of any other kind, and a
// socket that still answers, stay.
func removeStaleSocket(path string) {
	if strings.HasPrefix(path, "@") {
		return
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
		return
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		_ = os.Remove(path)
	}
}

//go:build linux

// Command floor is the least that a server on epoll can do, and so the least that
// a message can cost: one thread, one read(2) and one write(2) for what a
// connection has ready, no parsing, no allocation.
//
//	floor -addr A        sends back what it reads
//	floor -addr A -http  answers every empty line with a fixed response
//	floor -addr A -fan   sends what it reads to all connections that have sent
//	                     something, but back the first that each of them sends
package main

import (
	"bytes"
	"flag"
	"log"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	maxFD      = 1 << 16
	readBuffer = 512 << 10 // as much as Penstock reads at once
	maxEvents  = 1024

	response = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n" +
		"Content-Length: 13\r\n\r\nHello, World!"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7681", "`address` to listen on")
	http := flag.Bool("http", false, "answer requests")
	fan := flag.Bool("fan", false, "send to all")
	flag.Parse()
	to, err := netip.ParseAddrPort(*addr)
	if err != nil {
		log.Fatal(err)
	}
	f := &floor{buf: make([]byte, readBuffer), fan: *fan}
	if *http {
		f.answers = bytes.Repeat([]byte(response), readBuffer/len("GET / HTTP/1.1\r\n\r\n"))
	}
	log.Fatal(f.run(to))
}

type floor struct {
	epoll, listener int
	events          [maxEvents]unix.EpollEvent
	buf             []byte
	answers         []byte       // the response as often as one read can ask for it; nil to echo
	matched         [maxFD]uint8 // by descriptor, how much of an empty line has come
	fan             bool
	all             []int       // who gets what is read, if all do
	joined          [maxFD]bool // by descriptor, whether it is one of them
}

func (f *floor) run(addr netip.AddrPort) (err error) {
	runtime.LockOSThread()
	if f.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if f.listener, err = listen(addr); err != nil {
		return err
	}
	if err := f.watch(f.listener); err != nil {
		return err
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(f.epoll), uintptr(unsafe.Pointer(&f.events)), maxEvents, ^uintptr(0), 0, 0)
		if errno != 0 {
			continue // EINTR: the runtime signals its threads
		}
		for i := range f.events[:n] {
			f.ready(int(f.events[i].Fd))
		}
	}
}

func listen(addr netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}); err != nil {
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, os.NewSyscallError("listen", unix.Listen(fd, unix.SOMAXCONN))
}

func (f *floor) watch(fd int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(f.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

func (f *floor) ready(fd int) {
	if fd == f.listener {
		f.accept()
		return
	}
	n, errno := transfer(unix.SYS_READ, fd, f.buf)
	switch {
	case errno == unix.EAGAIN:
	case errno != 0 || n == 0:
		f.all = slices.DeleteFunc(f.all, func(other int) bool { return other == fd })
		_ = unix.Close(fd)
	case f.fan:
		f.publish(fd, f.buf[:n])
	case f.answers == nil:
		send(fd, f.buf[:n])
	default:
		send(fd, f.answers[:f.requests(fd, f.buf[:n])*len(response)])
	}
}

func (f *floor) accept() {
	fd, _, err := unix.Accept4(f.listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return
	}
	if fd >= maxFD || f.watch(fd) != nil {
		_ = unix.Close(fd)
		return
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	f.matched[fd], f.joined[fd] = 0, false
}

// publish is for all, once fd is one of them.
func (f *floor) publish(fd int, b []byte) {
	if !f.joined[fd] {
		f.joined[fd] = true
		f.all = append(f.all, fd)
		send(fd, b)
		return
	}
	for _, to := range f.all {
		send(to, b)
	}
}

const emptyLine = "\r\n\r\n"

// requests counts the ends of heads in b, the first of which may have begun in an
// earlier read.
func (f *floor) requests(fd int, b []byte) (n int) {
	if m := f.matched[fd]; m > 0 {
		if rest := emptyLine[m:]; len(b) >= len(rest) && string(b[:len(rest)]) == rest {
			b, n = b[len(rest):], 1
		}
	}
	n += bytes.Count(b, []byte(emptyLine))
	f.matched[fd] = 0
	for m := len(emptyLine) - 1; m > 0; m-- {
		if bytes.HasSuffix(b, []byte(emptyLine[:m])) {
			f.matched[fd] = uint8(m)
			break
		}
	}
	return n
}

// send waits for a peer that is slow to read: whoever loads this program reads
// always.
func send(fd int, b []byte) {
	for len(b) > 0 {
		n, errno := transfer(unix.SYS_WRITE, fd, b)
		switch errno {
		case 0:
			b = b[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
		default:
			return // the next read finds the connection broken
		}
	}
}

func transfer(trap uintptr, fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

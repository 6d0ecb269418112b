//go:build linux

package load

import (
	"errors"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// link is a connection while it is being opened: its calls wait, at most for
// patience.
type link interface {
	io.ReadWriter
	// wire ends that.
	wire() (wire, error)
}

// wire is a connection that is open: its calls do not wait.
type wire interface {
	// read takes what has come, which may be nothing. more says that there may be
	// bytes which have left the socket already, so that epoll will not tell of them.
	read(b []byte) (n int, more bool, err error)
	// write takes as much of b as it can.
	write(b []byte) (n int, err error)
	// flush sends on what write has taken; sent says that nothing is left of it.
	flush() (sent bool, err error)
}

var errClosed = errors.New("the server closed")

// patient is a socket that blocks.
type patient int

func (p patient) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(p), b)
		switch {
		case err == unix.EINTR: // Linux does not restart a read(2) with a timeout
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, errClosed
		default:
			return n, nil
		}
	}
}

func (p patient) Write(b []byte) (done int, err error) {
	for done < len(b) {
		n, err := unix.Write(int(p), b[done:])
		if err != nil && err != unix.EINTR {
			return done, os.NewSyscallError("write", err)
		}
		done += max(n, 0)
	}
	return done, nil
}

func (p patient) wire() (wire, error) {
	return socket(p), os.NewSyscallError("fcntl", unix.SetNonblock(int(p), true))
}

// socket is a wire without anything on it.
type socket int

func (s socket) read(b []byte) (n int, more bool, err error) {
	n, errno := s.transfer(unix.SYS_READ, b)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, false, nil
	case errno != 0:
		return 0, false, os.NewSyscallError("read", errno)
	case n == 0:
		return 0, false, errClosed
	}
	return n, false, nil
}

func (s socket) write(b []byte) (int, error) {
	for {
		n, errno := s.transfer(unix.SYS_WRITE, b)
		switch errno {
		case 0:
			return n, nil
		case unix.EAGAIN:
			return 0, nil
		case unix.EINTR:
		default:
			return 0, os.NewSyscallError("write", errno)
		}
	}
}

func (s socket) flush() (bool, error) { return true, nil }

// transfer skips the scheduler: the descriptor does not block.
func (s socket) transfer(trap uintptr, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(trap, uintptr(s), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

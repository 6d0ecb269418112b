//go:build linux

package load

import (
	"os"

	"golang.org/x/sys/unix"
)

// skimmed is fixed for answers so long that reading them would be most of the work: of
// all but every sampleEvery-th the body leaves the socket without being copied.
type skimmed struct {
	fixed
	head int // bytes of the answer that are always read
}

// unseen is how much may leave the socket now, of answer k.
func (s *skimmed) unseen(k int) int {
	if k%sampleEvery == 0 || s.at < s.head {
		return 0
	}
	return len(s.reply) - s.at
}

// pass counts n bytes that have gone; done says that the answer ends with them.
func (s *skimmed) pass(n int) (done bool) {
	if s.at += n; s.at < len(s.reply) {
		return false
	}
	s.at = 0
	return true
}

// discard takes n bytes at most off a socket. It does not copy them.
func discard(fd, n int) (int, error) {
	// With MSG_TRUNC TCP looks at the length and not at the address (tcp(7)).
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), 0, uintptr(n), unix.MSG_TRUNC|unix.MSG_DONTWAIT, 0, 0)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno != 0:
		return 0, os.NewSyscallError("recvfrom", errno)
	case got == 0:
		return 0, errClosed
	}
	return int(got), nil
}

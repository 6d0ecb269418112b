package reactor

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// On Linux, reads and writes on non-blocking sockets skip the scheduler: they
// cannot block, so handing the processor over around them is only cost (about
// 50 ns a call, twice a message).

func (k *systemKernel) Read(fd int, b []byte) (int, kernel.Errno) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if e != unix.EINTR {
			return count(n, e), e
		}
	}
}

func (k *systemKernel) Write(fd int, b []byte) (int, kernel.Errno) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
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

func count(n uintptr, e kernel.Errno) int {
	if e != 0 {
		return 0
	}
	return int(n)
}

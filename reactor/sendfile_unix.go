//go:build unix

package reactor

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// copySize is how much of a file is read at once where it has to be copied. What the
// socket refuses of it has been read in vain, so it is not more than a socket takes.
const copySize = 64 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// copyFile is SendFile by read and write.
func (k *systemKernel) copyFile(fd, file int, off int64, n int) (sent int, e kernel.Errno) {
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	for sent < n {
		b := buf[:min(n-sent, copySize)]
		got, e := retryRead(file, b, off+int64(sent))
		if e != 0 || got == 0 {
			return sent, late(sent, e)
		}
		m, e := k.Write(fd, b[:got])
		sent += m
		if e != 0 || m < got {
			return sent, late(sent, e)
		}
	}
	return sent, 0
}

// late keeps an error for the next call if this one has done something.
func late(done int, e kernel.Errno) kernel.Errno {
	if done > 0 {
		return 0
	}
	return e
}

func retryRead(file int, b []byte, off int64) (int, kernel.Errno) {
	for {
		n, err := unix.Pread(file, b, off)
		if err == nil {
			return n, 0
		}
		if err != unix.EINTR {
			return 0, errnoOf(err)
		}
	}
}

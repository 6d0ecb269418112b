package engine

import "golang.org/x/sys/unix"

// probeStep is how far apart the pages are that inMemory asks for. What the kernel has
// dropped was read in pieces of fetchStep, and goes in such pieces or larger ones.
const probeStep = 256 << 10

// inMemory tells whether the kernel seems to have the n bytes at off in memory, so that
// sending them waits for no disk. It asks for some of them: what it misses between those,
// the loop waits for. Where a file system does not tell, they are taken to be.
func inMemory(fd int, off, n int64) bool {
	var b [1]byte
	bufs := [1][]byte{b[:]}
	for at, last := off, off+n-1; ; at = min(at+probeStep, last) {
		if _, err := unix.Preadv2(fd, bufs[:], at, unix.RWF_NOWAIT); err == unix.EAGAIN {
			return false
		}
		if at >= last {
			return true
		}
	}
}

// fetchStep is how much the kernel reads at once as a rule (read_ahead_kb).
const fetchStep = 128 << 10

// fetchFile reads n bytes at off into the kernel's memory, and waits for them.
func fetchFile(fd int, off, n int64) {
	_ = unix.Fadvise(fd, off, n, unix.FADV_WILLNEED)
	var b [1]byte
	for end := off + n; off < end; off += fetchStep {
		_, _ = unix.Pread(fd, b[:], min(off+fetchStep, end)-1)
	}
}

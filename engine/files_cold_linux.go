package engine

import "golang.org/x/sys/unix"

// inMemory tells whether the kernel has what lies at off in memory, so that sending it
// waits for no disk. Where a file system does not tell, it is taken to be.
func inMemory(fd int, off int64) bool {
	var b [1]byte
	_, err := unix.Preadv2(fd, [][]byte{b[:]}, off, unix.RWF_NOWAIT)
	return err != unix.EAGAIN
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

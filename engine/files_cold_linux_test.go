package engine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestColdPartsAreNoticed: wherever in a window they are; and what was fetched is there.
func TestColdPartsAreNoticed(t *testing.T) {
	const size = 2<<20 + 100
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string][2]int64{"the beginning": {0, 4 << 10}, "the middle": {1 << 20, 512 << 10}, "the end": {2 << 20, 4 << 10}} {
		t.Run(name, func(t *testing.T) {
			p := &representation{fd: fd, size: size}
			whole, first, later, valid := false, false, false, false
			for try := 0; try < 100 && !valid; try++ { // what is on its way from the disk may fill the hole
				digHole(t, fd, size, part[0], part[1])
				p.warm.Store(0)
				whole, first = inMemory(fd, 0, size), p.inMemory(0, size, 0)
				p.warm.Store(10)
				later = p.inMemory(0, size, 10)
				valid = !inMemory(fd, part[0], 1)
			}
			if !valid {
				t.Skip("this file system does not tell, or keeps everything")
			}
			if whole || first || later || !p.inMemory(0, size, 9) {
				t.Errorf("taken to be in memory: %v, by a representation %v, and when that is known no more %v", whole, first, later)
			}
			fetchAll(t, fd, size)
			if !p.inMemory(0, 1, 10) || p.warm.Load() != 10 || !p.inMemory(0, size, 10) || p.warm.Load() != 10+int64(warmFor) {
				t.Errorf("it is good until %d", p.warm.Load())
			}
		})
	}
}

// digHole drops all of a file and fetches all but n bytes at off.
func digHole(t *testing.T, fd int, size, off, n int64) {
	t.Helper()
	fetchAll(t, fd, size)
	for _, advice := range []int{unix.FADV_DONTNEED, unix.FADV_RANDOM} { // read nothing ahead
		if err := unix.Fadvise(fd, 0, 0, advice); err != nil {
			t.Fatal(err)
		}
	}
	if off > 0 { // 0 bytes are all there are
		fetchFile(fd, 0, off)
	}
	fetchFile(fd, off+n, size-off-n)
}

// fetchAll fetches until all of a file is there: a disk may still be at it, and the kernel
// drop what it likes.
func fetchAll(t *testing.T, fd int, size int64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !inMemory(fd, 0, size); {
		if time.Now().After(end) {
			t.Fatal("what was fetched is not there")
		}
		fetchFile(fd, 0, size)
	}
}

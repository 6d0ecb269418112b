package engine

import (
	"os"
	"path/filepath"
	"testing"

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
			fetchFile(fd, 0, size)
			if !inMemory(fd, 0, size) || !inMemory(fd, size-1, 1) {
				t.Fatal("what was fetched is not there")
			}
			for _, advice := range []int{unix.FADV_DONTNEED, unix.FADV_RANDOM} { // drop it all, and read nothing ahead
				if err := unix.Fadvise(fd, 0, 0, advice); err != nil {
					t.Fatal(err)
				}
			}
			if part[0] > 0 { // 0 bytes are all there are
				fetchFile(fd, 0, part[0])
			}
			fetchFile(fd, part[0]+part[1], size-part[0]-part[1])
			if inMemory(fd, part[0], 1) {
				t.Skip("this file system does not tell, or keeps everything")
			}
			if inMemory(fd, 0, size) {
				t.Error("the whole of it is taken to be in memory")
			}
			p := &representation{fd: fd, size: size}
			if p.inMemory(0, size, 0) || p.inMemory(part[0], 1, 0) {
				t.Error("it was never in memory")
			}
			p.warm.Store(10)
			if !p.inMemory(0, size, 9) || p.inMemory(0, size, 10) {
				t.Error("that it was in memory is good for another time")
			}
			fetchFile(fd, 0, size)
			if !p.inMemory(0, 1, 10) || p.warm.Load() != 10 || !p.inMemory(0, size, 10) || p.warm.Load() != 10+int64(warmFor) {
				t.Errorf("it is good until %d", p.warm.Load())
			}
		})
	}
}

package engine

import (
	"fmt"
	"io/fs"
	"math"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/penstock-go/penstock/callbacks"
)

// fullFS has descriptors for so many open files, and needs one for a look.
type fullFS struct {
	fs.FS
	left int
}

func (f *fullFS) Open(name string) (fs.File, error) {
	if f.left == 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
	}
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	f.left--
	return &fullFile{file.(mapFile), f}, nil
}

// mapFile is what a MapFS opens.
type mapFile interface {
	fs.File
	ReadAt(b []byte, off int64) (int, error)
}

type fullFile struct {
	mapFile
	of *fullFS
}

func (f *fullFile) Close() error { f.of.left++; return f.mapFile.Close() }

// largeFiles are files, each with a neighbour, that do not stay in memory.
func largeFiles(n int) fstest.MapFS {
	files := fstest.MapFS{}
	for i := range n {
		f := &fstest.MapFile{Data: make([]byte, readFile+1), ModTime: time.Now().Add(-time.Hour)}
		files[fmt.Sprint(i)], files[fmt.Sprint(i, ".gz")] = f, f
	}
	return files
}

// TestDescriptorsAreTakenFromTheCache: when there are none left for a file that is asked
// for, those go that are only kept; when all are in use the answer is 503.
func TestDescriptorsAreTakenFromTheCache(t *testing.T) {
	fsys := &fullFS{largeFiles(20), 11}
	m := (&fileMount{fsys: fsys}).use(&Mount{}).(*fileMount)
	var held []*resource
	find := func(i int) int {
		r, err := m.find(filePath{name: fmt.Sprint(i)}, nil, 0)
		if err != nil {
			return statusOfFile(err)
		}
		if r.plan.status != 0 {
			return r.plan.status
		}
		if len(r.reps) != 2 {
			t.Errorf("file %d has %d representations", i, len(r.reps))
		}
		held = append(held, r)
		return 200
	}
	release := func() {
		for _, r := range held {
			r.release()
		}
		held = nil
	}
	for i := range 20 {
		if status := find(i); status != 200 {
			t.Fatalf("file %d: %d", i, status)
		}
		release()
	}
	for i := range 5 {
		if status := find(i); status != 200 {
			t.Fatalf("file %d: %d", i, status)
		}
	}
	if status := find(5); status != 503 {
		t.Errorf("with all in use: %d", status)
	}
	release()
	if status := find(5); status != 200 {
		t.Errorf("then: %d", status)
	}
	release()
	m.close()
	if fsys.left != 11 {
		t.Errorf("%d of 11 descriptors are left in the end", fsys.left)
	}
}

// TestOpenFilesCountsNeighbours: the bound is one of descriptors.
func TestOpenFilesCountsNeighbours(t *testing.T) {
	fsys := &fullFS{largeFiles(20), 100}
	m := (&fileMount{fsys: fsys}).use(&Mount{Files: FileOptions{OpenFiles: 7}}).(*fileMount)
	for i := range 20 {
		r, err := m.find(filePath{name: fmt.Sprint(i)}, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.release()
		if open := 100 - fsys.left; open > 7 || i > 5 && open != 6 {
			t.Fatalf("%d are open", open)
		}
	}
}

// TestConnectionsLeaveRoomForFiles: what the mounts may keep open is not for connections
// as well, as far as there is room.
func TestConnectionsLeaveRoomForFiles(t *testing.T) {
	for _, c := range []struct{ descriptors, files, want int }{
		{20_000, 0, 19_936}, {20_000, 1000, 18_936}, {1024, 256, 704}, {1024, 600, 512}, {100, 10, 50}, {1 << 30, math.MaxInt32, 1 << 29},
	} {
		if got := connectionsWithin(c.descriptors, c.files); got != c.want {
			t.Errorf("%d descriptors, %d of them for files: %d, want %d", c.descriptors, c.files, got, c.want)
		}
	}
	cfg := Config{Limits: Limits{FileWorkers: 10}, Vhosts: []Vhost{{Protocols: []callbacks.Protocol{{Callback: func(callbacks.Session, callbacks.Reason, []byte) error { return nil }}},
		Mounts: []Mount{Files("/a", fstest.MapFS{}), Files("/b", fstest.MapFS{}), Files("/c", fstest.MapFS{})}}}}
	cfg.Vhosts[0].Mounts[1].Files.OpenFiles, cfg.Vhosts[0].Mounts[2].Files.OpenFiles = 30, -1
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if want := connectionsWithin(descriptorLimit(), 256+30+10); e.limits.Connections != want || e.admission.most != want {
		t.Errorf("%d connections, %d are let in, want %d", e.limits.Connections, e.admission.most, want)
	}
	cfg.Limits.Connections = 5
	if e, err = New(cfg); err != nil || e.admission.most != 5 {
		t.Errorf("%d are let in, %v", e.admission.most, err)
	}
}

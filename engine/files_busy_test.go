package engine_test

import (
	"io"
	"io/fs"
	"net/http"
	"testing"
	"testing/fstest"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// stuckFS has files that are read when the gate is open, one by one.
type stuckFS struct {
	fs.FS
	gate, reached chan struct{}
}

// newStuckFS is what it is with one file of 1 MiB, "stuck.bin".
func newStuckFS() *stuckFS {
	return &stuckFS{fstest.MapFS{"stuck.bin": {Data: make([]byte, 1<<20), ModTime: siteTime}}, make(chan struct{}), make(chan struct{}, 100)}
}

func (s *stuckFS) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return stuckFile{f, s}, nil
}

type stuckFile struct {
	fs.File
	of *stuckFS
}

func (f stuckFile) ReadAt(b []byte, off int64) (int, error) {
	f.of.reached <- struct{}{}
	<-f.of.gate
	return f.File.(io.ReaderAt).ReadAt(b, off)
}

// withLimits serves mounts within limits.
func withLimits(t *testing.T, lim engine.Limits, mounts ...engine.Mount) *server {
	t.Helper()
	return start(t, engine.Config{Loops: 1, Limits: lim,
		Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{{Callback: nothing}}, Mounts: mounts}}})
}

// TestFilesBesideBusyHandlers: handlers that wait for something keep no file back, be it
// asked for now or half sent.
func TestFilesBesideBusyHandlers(t *testing.T) {
	gate := make(chan struct{})
	defer close(gate)
	lim := quick
	lim.Workers, lim.WorkQueue = 1, 1
	data := noise(8 << 20)
	files := fstest.MapFS{"large.bin": {Data: []byte(data), ModTime: siteTime}}
	busy := make(chan struct{}, 1)
	v := withLimits(t, lim, engine.Files("/files", files), engine.Handler("/busy", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		busy <- struct{}{}
		<-gate
	})))
	half := v.dial(t).send(get("/files/large.bin"))
	if _, err := half.r.Peek(100); err != nil {
		t.Fatal(err)
	}
	v.dial(t).send(get("/busy"))
	<-busy
	half.want(200, data)
	v.dial(t).send(get("/files/large.bin")).want(200, data)
}

// TestFilesWithoutAWorker: a request that begins is answered 503, and told when to try
// again; a download that has begun goes on when there is one.
func TestFilesWithoutAWorker(t *testing.T) {
	lim := quick
	lim.FileWorkers, lim.WorkQueue = 1, 1
	stuck, data := newStuckFS(), noise(8<<20)
	v := withLimits(t, lim, engine.Files("/stuck", stuck), engine.Files("/files", fstest.MapFS{"large.bin": {Data: []byte(data), ModTime: siteTime}}))
	half := v.dial(t).send(get("/files/large.bin"))
	if _, err := half.r.Peek(100); err != nil {
		t.Fatal(err)
	}
	first := v.dial(t).send(get("/stuck/stuck.bin"))
	<-stuck.reached
	second := v.dial(t).send(get("/stuck/other.bin"))
	eventually(t, "it is taken", func() bool { return v.Stats().Requests == 3 })
	p := v.dial(t)
	if r, _ := p.ask("GET", "/stuck/third.bin"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("%s, %v", r.Status, r.Header)
	}
	close(stuck.gate)
	half.want(200, data)
	first.want(200, string(make([]byte, 1<<20)))
	second.want(404, "Not Found\n")
	p.send(get("/files/large.bin")).want(200, data)
}

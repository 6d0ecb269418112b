package engine_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// stuckFS has files that are read when the gate is open, and counts.
type stuckFS struct {
	fs.FS
	gate, reached chan struct{}
	door          chan struct{} // in front of Open, unless nil
	opens, read   atomic.Int64
	looks         atomic.Int64
}

// newStuckFS is what it is with one file of 1 MiB, "stuck.bin".
func newStuckFS() *stuckFS {
	return &stuckFS{FS: fstest.MapFS{"stuck.bin": {Data: make([]byte, 1<<20), ModTime: siteTime}}, gate: make(chan struct{}), reached: make(chan struct{}, 1000)}
}

func (s *stuckFS) Open(name string) (fs.File, error) {
	if s.door != nil {
		<-s.door
	}
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	s.opens.Add(1)
	return stuckFile{f, s}, nil
}

func (s *stuckFS) Stat(name string) (fs.FileInfo, error) {
	s.looks.Add(1)
	return fs.Stat(s.FS, name)
}

type stuckFile struct {
	fs.File
	of *stuckFS
}

func (f stuckFile) ReadAt(b []byte, off int64) (int, error) {
	f.of.reached <- struct{}{}
	<-f.of.gate
	n, err := f.File.(io.ReaderAt).ReadAt(b, off)
	f.of.read.Add(int64(n))
	return n, err
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

// TestFilesAreOpenedOnceForMany: those who ask for a file while it is being opened, or
// compressed, wait for that.
func TestFilesAreOpenedOnceForMany(t *testing.T) {
	stuck := newStuckFS()
	text := prose(300_000)
	stuck.door = stuck.gate
	stuck.FS = fstest.MapFS{"f.txt": {Data: []byte(text), ModTime: siteTime}}
	v := withLimits(t, quick, engine.Files("/", stuck))
	var peers []*peer
	for range 10 {
		peers = append(peers, v.dial(t).send("GET /f.txt HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n\r\n"))
	}
	eventually(t, "all have asked", func() bool { return v.Stats().Requests == 10 })
	close(stuck.gate)
	for _, p := range peers {
		r, body := p.response("GET")
		in, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", r.Status, err)
		}
		if plain, err := io.ReadAll(in); err != nil || string(plain) != text {
			t.Errorf("%s, %d bytes, %v", r.Status, len(plain), err)
		}
	}
	if n := stuck.read.Load(); n != int64(len(text)) {
		t.Errorf("%d bytes were read of %d", n, len(text))
	}
	if n := stuck.opens.Load(); n != 1 {
		t.Errorf("it was opened %d times", n)
	}
}

// TestCompressingIsBounded: it leaves the loops a processor, and files their workers.
func TestCompressingIsBounded(t *testing.T) {
	stuck := newStuckFS()
	files := stuck.FS.(fstest.MapFS)
	most := max(runtime.GOMAXPROCS(0)-1, 1)
	for i := range most + 5 {
		files[fmt.Sprint(i, ".txt")] = &fstest.MapFile{Data: []byte(prose(100_000)), ModTime: siteTime}
	}
	v := withLimits(t, quick, engine.Files("/", stuck))
	var peers []*peer
	for i := range most + 5 {
		peers = append(peers, v.dial(t).send(fmt.Sprintf("GET /%d.txt HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n\r\n", i)))
	}
	for range most {
		<-stuck.reached
	}
	eventually(t, "all are open", func() bool { return stuck.opens.Load() == int64(most+5) })
	last := v.dial(t).send(get("/stuck.bin"))
	<-stuck.reached // behind all else that workers of files were given
	if n := len(stuck.reached); n != 0 {
		t.Errorf("%d more are compressed than %d", n, most)
	}
	close(stuck.gate)
	for _, p := range append(peers, last) {
		if r, _ := p.response("GET"); r.StatusCode != 200 {
			t.Error(r.Status)
		}
	}
}

// TestWhatIsNotThereIsKnown: within Recheck nobody looks again, be it a file that is
// missing, a folder without its slash or a page that the index stands for; behind it one
// looks, and a file that is there then is served.
func TestWhatIsNotThereIsKnown(t *testing.T) {
	dir := site(t, map[string]string{"index.html": "home", "folder/index.html": "folder"})
	for name, recheck := range map[string]time.Duration{"for long": time.Hour, "not for long": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			stuck := newStuckFS()
			stuck.FS = os.DirFS(dir)
			close(stuck.gate)
			m := engine.Files("/", stuck)
			m.Files.Fallback, m.Files.Recheck = true, recheck
			p := withLimits(t, quick, m).dial(t)
			ask := func() {
				for path, want := range map[string]int{"/missing.js": 404, "/folder": 301, "/some/page": 200} {
					if r, body := p.ask("GET", path); r.StatusCode != want || want == 200 && body != "home" {
						t.Errorf("%s: %s, %q", path, r.Status, body)
					}
				}
			}
			ask()
			looks := stuck.looks.Load()
			for range 5 {
				ask()
			}
			if n := stuck.looks.Load(); recheck == time.Hour && n != looks {
				t.Errorf("%d looks more", n-looks)
			}
			if recheck == time.Hour {
				return
			}
			later := filepath.Join(dir, "missing.js")
			if err := os.WriteFile(later, []byte("js"), 0o600); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the file is seen", func() bool { r, _ := p.ask("GET", "/missing.js"); return r.StatusCode == 200 })
			if err := os.Remove(later); err != nil {
				t.Fatal(err)
			}
			eventually(t, "its end is seen", func() bool { r, _ := p.ask("GET", "/missing.js"); return r.StatusCode == 404 })
		})
	}
}

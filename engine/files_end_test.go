package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// opened counts the files that are open.
type opened struct {
	fs.FS
	n atomic.Int64
}

func (o *opened) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if err != nil {
		return nil, err
	}
	o.n.Add(1)
	return &openedFile{f, o}, nil
}

type openedFile struct {
	fs.File
	of *opened
}

func (f *openedFile) Close() error { f.of.n.Add(-1); return f.File.Close() }

func (f *openedFile) ReadAt(b []byte, off int64) (int, error) {
	return f.File.(io.ReaderAt).ReadAt(b, off)
}

// TestFilesAreClosed: when nobody wants them any more, whoever left, and with the engine.
func TestFilesAreClosed(t *testing.T) {
	large := fstest.MapFS{}
	data := []byte(noise(8 << 20))
	for i := range 10 {
		large[fmt.Sprint(i)] = &fstest.MapFile{Data: data, ModTime: siteTime}
	}
	fsys := &opened{FS: large}
	m := engine.Files("/", fsys)
	m.Files.OpenFiles = 3
	v := withFiles(t, m)
	var peers []*peer
	for i := range 10 {
		p := v.dial(t).send(get(fmt.Sprint("/", i)))
		if _, err := io.ReadFull(p.r, make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
		peers = append(peers, p)
	}
	if n := fsys.n.Load(); n != 10 {
		t.Errorf("%d files are open for 10 clients", n)
	}
	for _, p := range peers[:8] {
		_ = p.Close()
	}
	eventually(t, "what is not used is closed", func() bool { return fsys.n.Load() <= 5 })
	_, _ = io.Copy(io.Discard, io.LimitReader(peers[9].r, 1<<20))
	v.stop()
	if err := <-v.done; err != nil && !errors.Is(err, engine.ErrDrain) {
		t.Error(err)
	}
	v.done <- nil
	if n := fsys.n.Load(); n != 0 {
		t.Errorf("%d files are open behind the engine's end", n)
	}
}

// TestDownloadsAreDrained: who is reading gets all of it, and the connection closes then.
func TestDownloadsAreDrained(t *testing.T) {
	data := noise(20 << 20)
	v := start(t, engine.Config{Loops: 1, Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{{Callback: nothing}},
		Mounts: []engine.Mount{engine.Files("/", os.DirFS(site(t, map[string]string{"f.bin": data})))}}}})
	p := v.dial(t).send(get("/f.bin"))
	first := make([]byte, 1000)
	if _, err := io.ReadFull(p.r, first); err != nil {
		t.Fatal(err)
	}
	v.stop()
	rest, err := io.ReadAll(p.r)
	if err != nil || !strings.HasSuffix(string(first)+string(rest), "\r\n\r\n"+data) {
		t.Errorf("%d bytes, %v", len(first)+len(rest), err)
	}
}

// TestStalledDownloads are given up.
func TestStalledDownloads(t *testing.T) {
	lim := quick
	lim.StallTimeout = 50 * time.Millisecond
	ended := make(chan error, 1)
	f := func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.ClosedHTTP {
			ended <- s.Err()
		}
		return nil
	}
	v := start(t, engine.Config{Loops: 1, Limits: lim, Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{{Callback: f}},
		Mounts: []engine.Mount{engine.Files("/", os.DirFS(site(t, map[string]string{"f.bin": noise(20 << 20)})))}}}})
	v.dial(t).send(get("/f.bin"))
	select {
	case err := <-ended:
		if err != engine.ErrStalled {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("it waits for ever")
	}
}

// brokenFS has files that fail in some way.
type brokenFS struct{}

func (brokenFS) Open(name string) (fs.File, error) {
	switch name {
	case "panic":
		panic("as requested")
	case "forbidden":
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	case "odd":
		return nil, errors.New("odd")
	}
	if !strings.HasSuffix(name, ".txt") {
		return nil, fs.ErrNotExist
	}
	f, err := fstest.MapFS{name: {Data: []byte(prose(200_000)), ModTime: siteTime}}.Open(name)
	return brokenFile{f, name}, err
}

type brokenFile struct {
	fs.File
	name string
}

func (b brokenFile) ReadAt(p []byte, off int64) (int, error) {
	if b.name == "short.txt" && off >= 100_000 {
		return 0, io.EOF
	}
	return b.File.(io.ReaderAt).ReadAt(p, off)
}

// TestBrokenFiles are an answer before there is one, and the end of the connection inside
// of it.
func TestBrokenFiles(t *testing.T) {
	m := engine.Files("/", brokenFS{})
	v := withFiles(t, m)
	p := v.dial(t)
	for name, want := range map[string]int{"/panic": 500, "/forbidden": 403, "/odd": 500, "/good.txt": 200} {
		if r, _ := p.ask("GET", name); r.StatusCode != want {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
	p.send(get("/short.txt"))
	r, err := http.ReadResponse(p.r, nil)
	if err != nil || r.ContentLength != 200_000 {
		t.Fatalf("%v, %+v", err, r)
	}
	if body, err := io.ReadAll(r.Body); err == nil || len(body) >= 200_000 {
		t.Errorf("%d bytes of a file that ends before, and %v", len(body), err)
	}
	p = v.dial(t)
	if r, _ := p.ask("GET", "/short.txt", "Accept-Encoding: gzip"); r.StatusCode != 500 || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("compressing: %s, %v", r.Status, r.Header)
	}
}

// TestCompletionMayEnd: what HTTPFileCompletion returns.
func TestCompletionMayEnd(t *testing.T) {
	for name, result := range map[string]error{"ErrClose": callbacks.ErrClose, "another error": errors.New("enough")} {
		t.Run(name, func(t *testing.T) {
			f := func(_ callbacks.Session, r callbacks.Reason, _ []byte) error {
				if r == callbacks.HTTPFileCompletion {
					return result
				}
				return nil
			}
			large := noise(6 << 20)
			files := os.DirFS(site(t, map[string]string{"small.txt": "small", "large.bin": large}))
			v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{{Callback: f}}, Mounts: []engine.Mount{engine.Files("/", files)}}}})
			for path, want := range map[string]string{"/small.txt": "small", "/large.bin": large} {
				p := v.dial(t).send(get(path))
				p.want(200, want)
				p.wantEOF()
			}
		})
	}
}

// TestFilesForMany: clients of several loops get one of the versions of a file that
// changes all the time, whole, and never a mixture that its tag does not show.
func TestFilesForMany(t *testing.T) {
	dir := site(t, map[string]string{"f.txt": strings.Repeat("0", 40_000)})
	m := engine.Files("/", os.DirFS(dir))
	m.Files.Recheck = time.Millisecond
	v := start(t, engine.Config{Loops: 2, Limits: quick, Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{{Callback: nothing}}, Mounts: []engine.Mount{m}}}})
	var clients sync.WaitGroup
	for i := range 6 {
		clients.Go(func() {
			p := v.dial(t)
			for range 100 {
				lines := []string{"X: y"}
				if i%2 == 0 {
					lines[0] = "Accept-Encoding: identity"
				}
				r, body := p.ask("GET", "/f.txt", lines...)
				if r.StatusCode != 200 || len(body) != 40_000 || strings.Trim(body, body[:1]) != "" {
					t.Errorf("%s, %d bytes", r.Status, len(body))
					return
				}
			}
		})
	}
	stop := make(chan struct{})
	var editor sync.WaitGroup
	editor.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			next := filepath.Join(dir, "next")
			if err := os.WriteFile(next, bytes.Repeat([]byte{'0' + byte(i%10)}, 40_000), 0o600); err != nil {
				t.Error(err)
			}
			if err := os.Rename(next, filepath.Join(dir, "f.txt")); err != nil { // as one should
				t.Error(err)
			}
		}
	})
	clients.Wait()
	close(stop)
	editor.Wait()
}

// TestFilesInTheAccessLog: what was sent is counted, whatever the way.
func TestFilesInTheAccessLog(t *testing.T) {
	const size = 9 << 20 // several windows
	counts := make(chan int64, 10)
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{{Callback: nothing}},
		AccessLog: func(e *engine.AccessEntry) { counts <- e.Bytes },
		Mounts:    []engine.Mount{engine.Files("/", os.DirFS(site(t, map[string]string{"large.bin": noise(size), "small.txt": "small"})))}}}})
	p := v.dial(t)
	for _, c := range []struct {
		path, ranges string
		want         int64
	}{{"/large.bin", "", size}, {"/large.bin", "Range: bytes=100-", size - 100}, {"/small.txt", "", 5}, {"/large.bin", "Range: bytes=0-0,1000-1999", 0}} {
		lines := []string{"X: y"}
		if c.ranges != "" {
			lines[0] = c.ranges
		}
		r, body := p.ask("GET", c.path, lines...)
		if c.want == 0 {
			c.want = int64(len(body))
		}
		if got := <-counts; got != c.want || int64(len(body)) != c.want {
			t.Errorf("%s, %q: %s, %d bytes came and %d were counted, want %d", c.path, c.ranges, r.Status, len(body), got, c.want)
		}
	}
}

package engine

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/simnet"
)

// simFiles are the files of the simulations: real ones, as the simulated kernel sends
// from a descriptor.
type simFiles struct {
	dir  string
	data map[string]string
}

func newSimFiles(t *testing.T) *simFiles {
	f := &simFiles{t.TempDir(), map[string]string{}}
	for name, size := range map[string]int{"empty": 0, "small": 700, "memory": 15_000, "large": 30_000, "larger": 90_000} {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(i*7 + i>>8*13)
		}
		f.data[name] = string(b)
		f.write(t, name)
	}
	return f
}

// write makes the file what it is at first.
func (f *simFiles) write(t *testing.T, name string) {
	path := filepath.Join(f.dir, name)
	long := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC) // before the simulated time
	if err := os.WriteFile(path, []byte(f.data[name]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
}

// config mounts them in one of the ways in which files are sent.
func (f *simFiles) config(w *world, cfg *Config) {
	fsys := os.DirFS(f.dir)
	if w.rng.IntN(4) == 0 {
		fsys = plainFS{fsys}
	}
	m := Files("/files", fsys)
	if w.rng.IntN(3) == 0 {
		m.Files.OpenFiles = 1 + w.rng.IntN(3)
	}
	if w.rng.IntN(3) == 0 {
		m.Files.Recheck = -1
	}
	cfg.Vhosts[0].Mounts = append(cfg.Vhosts[0].Mounts, m)
}

// plainFS has files that can only be read.
type plainFS struct{ fs.FS }

func (p plainFS) Open(name string) (fs.File, error) {
	f, err := p.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return struct{ fs.File }{f}, nil
}

// exchange asks for a file, or a part of it.
func (f *simFiles) exchange(w *world) exchange {
	names := [...]string{"empty", "small", "memory", "large", "larger", "large"}
	name := names[w.rng.IntN(len(names))]
	data := f.data[name]
	x := exchange{method: "GET", path: "/files/" + name, version: "1.1", status: 200, answer: data}
	switch from := 0; w.rng.IntN(8) {
	case 0:
		x.method = "HEAD"
	case 1, 2:
		if len(data) > 0 {
			from = w.rng.IntN(len(data))
			to := from + w.rng.IntN(len(data)-from)
			x.fields, x.status, x.answer = fmt.Sprintf("Range: bytes=%d-%d\r\n", from, to), 206, data[from:to+1]
		}
	case 3:
		x.path, x.status, x.answer = "/files/missing", 404, "Not Found\n"
	case 4:
		x.fields, x.status, x.answer = "If-None-Match: *\r\n", 304, ""
	case 5:
		x = w.newExchange() // what is no file, in between
	}
	return x
}

// addFileClient adds a client that asks for several, pipelined now and then.
func (f *simFiles) addClient(w *world, name string) *peer {
	c := &httpClient{w: w}
	ops := []op{rest(time.Second), dial(httpPort)}
	for range 1 + w.rng.IntN(5) {
		x := f.exchange(w)
		if x.expect {
			continue
		}
		c.exchanges = append(c.exchanges, x)
		head, body := x.wire(w)
		ops = append(ops, send(append(head, body...)))
		if w.rng.IntN(2) == 0 {
			ops = append(ops, rest(time.Second))
		}
	}
	c.p = w.add(name, append(ops, c.ending()...)...)
	c.p.readMost = max(c.p.readMost, 1000)
	w.checks = append(w.checks, c.check)
	return c.p
}

// TestSimFiles: everybody gets the files asked for, in order, by whatever way they are
// sent and through whatever the network does.
func TestSimFiles(t *testing.T) {
	files := newSimFiles(t)
	runSeeds(t, scenario{name: "files", config: func(w *world, _ *simnet.Config, cfg *Config) { files.config(w, cfg) },
		play: func(w *world) {
			for i := range 1 + w.rng.IntN(4) {
				files.addClient(w, fmt.Sprintf("client %d", i))
			}
		}}, simCount/8)
	files.closed(t)
}

// TestSimFilesThatShrink: files get shorter, and longer, while they are sent, clients
// leave, and the engine shuts down. Nothing is left open.
func TestSimFilesThatShrink(t *testing.T) {
	files := newSimFiles(t)
	runSeeds(t, scenario{name: "shrinking files", config: func(w *world, nc *simnet.Config, cfg *Config) {
		files.config(w, cfg)
		nc.Faults.Poll = w.rng.Float64() * 0.01
		cfg.Limits.StallTimeout = time.Duration(1 + w.rng.Int64N(int64(20*time.Second)))
	}, play: func(w *world) {
		w.cut, w.spoils = true, true
		for i := range 2 + w.rng.IntN(3) {
			p := files.addClient(w, fmt.Sprintf("client %d", i))
			if w.rng.IntN(2) == 0 {
				w.spoil(p, 2)
			}
		}
		w.checks = nil
		var ops []op
		for range w.rng.IntN(6) {
			name := [...]string{"large", "larger"}[w.rng.IntN(2)]
			size := w.rng.Int64N(100_000)
			ops = append(ops, rest(2*time.Second), do(func(*peer) { _ = os.Truncate(filepath.Join(files.dir, name), size) }))
		}
		w.add("editor", ops...)
		if w.rng.IntN(3) == 0 {
			w.shutdownWithin(5 * time.Second)
		}
		w.checks = append(w.checks, func() { files.write(t, "large"); files.write(t, "larger") })
	}}, simCount/8)
	files.closed(t)
}

// closed looks for files that were left open.
func (f *simFiles) closed(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(to, f.dir) {
			t.Errorf("left open: %s", to)
		}
	}
}

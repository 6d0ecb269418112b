package engine

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// closeCounter is a file that counts how often it is closed.
type closeCounter struct {
	fs.File
	closed *int
}

func (c closeCounter) Close() error { *c.closed++; return nil }

// counted is a resource with one open file.
func counted(key string, bytes int) (*resource, *int) {
	closed := new(int)
	r := &resource{key: key, reps: []*representation{{data: make([]byte, bytes), ready: closeCounter{nil, closed}}}}
	r.refs.Store(1)
	return r, closed
}

// TestFileCacheKeepsWhatIsUsed: the ones that were not asked for the longest go first,
// when there are too many or too many bytes; what is in use is closed by its last user.
func TestFileCacheKeepsWhatIsUsed(t *testing.T) {
	var c fileCache
	c.init(3, 1000)
	closed := map[string]*int{}
	put := func(key string, bytes int) {
		r, n := counted(key, bytes)
		closed[key] = n
		c.put(r)
		r.release()
	}
	there := func(keys ...string) {
		t.Helper()
		if len(c.by) != len(keys) {
			t.Errorf("%d are kept, want %v", len(c.by), keys)
		}
		for _, key := range keys {
			if c.by[key] == nil || *closed[key] != 0 {
				t.Errorf("%s is not kept, or closed", key)
			}
		}
	}
	put("a", 1)
	put("b", 1)
	put("c", 1)
	a := c.get("a")
	put("d", 1)
	there("a", "c", "d")
	put("e", 1)
	put("f", 1)
	there("d", "e", "f")
	if *closed["a"] != 0 || *closed["b"] != 1 || *closed["c"] != 1 {
		t.Errorf("closed: a %d, b %d, c %d times", *closed["a"], *closed["b"], *closed["c"])
	}
	a.release()
	if *closed["a"] != 1 {
		t.Error("the last user did not close a")
	}
	put("g", 998)
	there("e", "f", "g")
	f := c.get("f")
	c.grown(f, 2) // was used last, so that e and g go
	f.release()
	there("f")
	put("h", 1001) // is more than everything
	there()
	put("i", 1)
	was := closed["i"]
	put("i", 2)
	if *was != 1 || c.bytes != 2 {
		t.Errorf("replaced: closed %d times, %d bytes are kept", *was, c.bytes)
	}
	i := c.get("i")
	c.forget(i)
	c.forget(i)
	there()
	c.close()
	put("j", 1)
	i.release()
	for key, n := range closed {
		if *n != 1 {
			t.Errorf("%s was closed %d times", key, *n)
		}
	}
	if c.bytes != 0 || len(c.by) != 0 {
		t.Errorf("left: %d bytes, %d files", c.bytes, len(c.by))
	}
}

// TestFileCacheAgainstAModel: whatever happens in whatever order, bytes and files are
// counted right, and each is closed once.
func TestFileCacheAgainstAModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var c fileCache
	c.init(5, 500)
	var all []*int
	var held []*resource
	for range 20_000 {
		key := fmt.Sprint(rng.IntN(12))
		switch rng.IntN(5) {
		case 0, 1:
			r, n := counted(key, rng.IntN(150))
			all = append(all, n)
			c.put(r)
			held = append(held, r)
		case 2:
			if r := c.get(key); r != nil {
				held = append(held, r)
			}
		case 3:
			if len(held) > 0 {
				c.grown(held[rng.IntN(len(held))], rng.IntN(50))
			}
		case 4:
			for len(held) > rng.IntN(10) {
				i := rng.IntN(len(held))
				held[i].release()
				held = append(held[:i], held[i+1:]...)
			}
		}
		sum, listed := int64(0), 0
		for r := c.ring.newer; r != &c.ring; r = r.newer {
			sum += r.bytes
			listed++
		}
		if c.open != listed || len(c.by) > 5 || c.bytes > 500 || c.bytes != sum || listed != len(c.by) {
			t.Fatalf("%d files of %d in the list, %d bytes of %d", len(c.by), listed, c.bytes, sum)
		}
	}
	for _, r := range held {
		r.release()
	}
	c.close()
	for i, n := range all {
		if *n != 1 {
			t.Fatalf("file %d was closed %d times", i, *n)
		}
	}
}

// FuzzPathOfFile: whatever the path, its name is one that package fs takes, in its only
// spelling, and hidden only if that is allowed; it leads back to itself.
func FuzzPathOfFile(f *testing.F) {
	for _, seed := range []string{"", "/", "/a/b", "/a//b/", "/../x", "/%2e%2e/x", "/a%2fb", "/.git/x", "/.well-known/x", "/a/./b", `/a%5cb`, "/%00", "/%", "/%ff", "/a:b"} {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, p string, dotfiles bool) {
		w, status := pathOfFile([]byte(p), dotfiles)
		if status != 0 {
			if status != 400 && status != 404 {
				t.Fatalf("status %d", status)
			}
			return
		}
		if !fs.ValidPath(w.name) || path.Clean(w.name) != w.name || strings.Contains(w.name, `\`) {
			t.Fatalf("%q is the name %q", p, w.name)
		}
		for i, element := range strings.Split(w.name, "/") {
			if hidden := element[0] == '.' && w.name != "."; hidden && !dotfiles && (i > 0 || element != ".well-known") {
				t.Fatalf("%q is the hidden name %q", p, w.name)
			}
		}
		back := w.location("", nil)
		if strings.HasPrefix(back, "//") || back[0] != '/' || back[len(back)-1] != '/' {
			t.Fatalf("%q is redirected to %q", p, back)
		}
		if again, status := pathOfFile([]byte(back), dotfiles); status != 0 || again.name != w.name || !again.slash {
			t.Fatalf("%q is redirected to %q, which is %q, %d", p, back, again.name, status)
		}
	})
}

// TestTagsOfFreshFiles are weak: the next change may come within the same tick of the
// file system's clock (RFC 9110 8.8.1).
func TestTagsOfFreshFiles(t *testing.T) {
	fsys := fstest.MapFS{"f.txt": {Data: []byte("one"), ModTime: time.Now()}}
	m := (&fileMount{fsys: fsys}).use(&Mount{}).(*fileMount)
	tag := func(was *resource) (*resource, string) {
		r, err := m.find(filePath{name: "f.txt"}, was, 0)
		if err != nil {
			t.Fatal(err)
		}
		return r, r.reps[0].v.ETag
	}
	fresh, weak := tag(nil)
	fsys["f.txt"].ModTime = fsys["f.txt"].ModTime.Add(-time.Hour)
	settled, strong := tag(fresh)
	if !strings.HasPrefix(weak, `W/"`) || !strings.HasPrefix(strong, `"`) {
		t.Errorf("fresh %s, settled %s", weak, strong)
	}
	if again, _ := tag(settled); again != settled {
		t.Error("what had not changed was opened again")
	}
}

// lateFS is looked at before its file is written, and opened behind that.
type lateFS struct{ before, behind fstest.MapFS }

func (l lateFS) Stat(name string) (fs.FileInfo, error) { return l.before.Stat(name) }

func (l lateFS) Open(name string) (fs.File, error) { return l.behind.Open(name) }

// TestTagsAreOfWhatIsOpen: a file that was written between the look and the opening is a
// fresh one, whatever the look said.
func TestTagsAreOfWhatIsOpen(t *testing.T) {
	old := fstest.MapFS{"f.txt": {Data: []byte("one"), ModTime: time.Now().Add(-time.Hour)}}
	m := (&fileMount{fsys: lateFS{old, fstest.MapFS{"f.txt": {Data: []byte("two"), ModTime: time.Now()}}}}).use(&Mount{}).(*fileMount)
	r, err := m.find(filePath{name: "f.txt"}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if tag := r.reps[0].v.ETag; !strings.HasPrefix(tag, `W/"`) || string(r.reps[0].data) != "two" {
		t.Errorf("%s for %q, which was just written", tag, r.reps[0].data)
	}
}

// restless is a file whose time changes while it is read.
type restless struct {
	fs.File
	*fstest.MapFile
}

func (r restless) Read(b []byte) (int, error) {
	r.MapFile.ModTime = r.MapFile.ModTime.Add(time.Second)
	return r.File.Read(b)
}

type restlessFS struct{ fstest.MapFS }

func (r restlessFS) Open(name string) (fs.File, error) {
	f, err := r.MapFS.Open(name)
	return restless{f, r.MapFS[name]}, err
}

// TestFilesThatChangeWhileTheyAreReadAreNotKept: the tag would be another version's.
func TestFilesThatChangeWhileTheyAreReadAreNotKept(t *testing.T) {
	m := (&fileMount{fsys: restlessFS{fstest.MapFS{"f.txt": {Data: []byte("one"), ModTime: time.Now().Add(-time.Hour)}}}}).use(&Mount{}).(*fileMount)
	r, err := m.find(filePath{name: "f.txt"}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if r.reps[0].data != nil {
		t.Errorf("%q is kept", r.reps[0].data)
	}
}

// TestPathsWithoutAFileAreBounded: whoever tries all paths there are drives out no file.
func TestPathsWithoutAFileAreBounded(t *testing.T) {
	m := (&fileMount{fsys: fstest.MapFS{"f.txt": {Data: []byte("one")}}}).use(&Mount{}).(*fileMount)
	for i := range 3 * absentMost {
		w := filePath{name: fmt.Sprint("none", i)}
		if i == 0 {
			w.name = "f.txt"
		} else if i%2 == 0 {
			w.name += strings.Repeat("x", 100)
		}
		r, err := m.find(w, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.release()
	}
	if _, fresh := m.known(filePath{name: "f.txt"}, 0); !fresh {
		t.Error("the file is not kept")
	}
	if n := len(m.absent.by); n > absentMost || n < absentMost/4 || m.absent.bytes > absentBytes {
		t.Errorf("%d paths and %d bytes are kept", n, m.absent.bytes)
	}
}

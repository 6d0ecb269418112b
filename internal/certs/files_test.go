package certs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// folder is a certificate and its key on disk.
type folder struct {
	t         *testing.T
	cert, key string
	writes    time.Duration // makes the time of each write another, however fast the test is
}

func newFolder(t *testing.T) *folder {
	dir := t.TempDir()
	return &folder{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
}

func (d *folder) write(path string, b []byte) {
	d.t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.touch(path)
}

func (d *folder) touch(path string) {
	d.t.Helper()
	d.writes += time.Second
	if err := os.Chtimes(path, time.Time{}, clock.Add(d.writes)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *folder) writePair(c *certstest.Issued) {
	d.t.Helper()
	d.write(d.cert, c.Chain)
	d.write(d.key, c.Key)
}

func (d *folder) open() *Files {
	d.t.Helper()
	f, err := OpenFiles(d.cert, d.key)
	if err != nil {
		d.t.Fatal(err)
	}
	return f
}

// want calls Changed, and wants its answer and then a certificate.
func want(t *testing.T, f *Files, changed bool, is error, current *certstest.Issued) {
	t.Helper()
	got, err := f.Changed()
	if got != changed || !errors.Is(err, is) {
		t.Errorf("Changed: %v, %v; want %v, %v", got, err, changed, is)
	}
	if !f.Certificate().Leaf.Equal(current.TLS.Leaf) || !holds(*f.Certificate()) {
		t.Error("another certificate is in place")
	}
}

func newLeaf() *certstest.Issued { return certstest.Must(stranger.Issue(inDate())) }

func TestOpenFiles(t *testing.T) {
	d, a := newFolder(t), newLeaf()
	d.writePair(a)
	f := d.open()
	want(t, f, false, nil, a)
	want(t, f, false, nil, a)
}

func TestOpenFilesWithTheKeyInTheSameFile(t *testing.T) {
	d, a, b := newFolder(t), newLeaf(), newLeaf()
	d.write(d.cert, slices.Concat(a.Chain, a.Key))
	f, err := OpenFiles(d.cert, "")
	if err != nil {
		t.Fatal(err)
	}
	want(t, f, false, nil, a)
	d.write(d.cert, slices.Concat(b.Key, b.Chain))
	want(t, f, true, nil, b)
	want(t, f, false, nil, b)
}

func TestOpenFilesRefuses(t *testing.T) {
	d, a, b := newFolder(t), newLeaf(), newLeaf()
	refuse := func(name string, is error) {
		t.Helper()
		f, err := OpenFiles(d.cert, d.key)
		if f != nil || !errors.Is(err, is) || !strings.HasPrefix(err.Error(), "certs: ") || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %v that names %s", err, is, name)
		}
	}
	refuse(d.cert, fs.ErrNotExist)
	d.write(d.cert, a.Chain)
	refuse(d.key, fs.ErrNotExist)
	d.write(d.key, b.Key)
	refuse(d.key, ErrMismatch)
	d.write(d.key, nil)
	refuse(d.key, ErrNoKey)
}

func TestFilesAreReadAgainWhenEitherChanged(t *testing.T) {
	a, b := newLeaf(), newLeaf()
	for name, replace := range map[string]func(d *folder){
		"written in place": func(d *folder) { d.writePair(b) },
		"the key first":    func(d *folder) { d.write(d.key, b.Key); d.write(d.cert, b.Chain) },
		"renamed into place, with the same time": func(d *folder) {
			now := d.writes
			for path, text := range map[string][]byte{d.cert: b.Chain, d.key: b.Key} {
				d.writes = now - time.Second
				d.write(path+".new", text)
				if err := os.Rename(path+".new", path); err != nil {
					d.t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newFolder(t)
			d.writePair(a)
			f := d.open()
			replace(d)
			want(t, f, true, nil, b)
			want(t, f, false, nil, b)
		})
	}
}

// TestFilesBehindALink is how Kubernetes mounts secrets: one link to a folder is turned.
func TestFilesBehindALink(t *testing.T) {
	a, b := newLeaf(), newLeaf()
	dir := t.TempDir()
	link := filepath.Join(dir, "data")
	turn := func(to string, c *certstest.Issued) {
		d := &folder{t: t, cert: filepath.Join(dir, to, "tls.crt"), key: filepath.Join(dir, to, "tls.key")}
		if err := errors.Join(os.Mkdir(filepath.Join(dir, to), 0o700), os.RemoveAll(link), os.Symlink(to, link)); err != nil {
			t.Fatal(err)
		}
		d.writePair(c)
	}
	turn("1", a)
	f, err := OpenFiles(filepath.Join(link, "tls.crt"), filepath.Join(link, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	turn("2", b)
	want(t, f, true, nil, b)
}

func TestFilesThatAreTouchedAreNotChanged(t *testing.T) {
	d, a := newFolder(t), newLeaf()
	d.writePair(a)
	f := d.open()
	before := f.Certificate()
	d.touch(d.cert)
	want(t, f, false, nil, a)
	if f.Certificate() != before {
		t.Error("the same certificate was put in place again")
	}
}

func TestFilesLeaveAGoodPairInPlace(t *testing.T) {
	d, a, b := newFolder(t), newLeaf(), newLeaf()
	d.writePair(a)
	f := d.open()

	d.write(d.cert, b.Chain) // of two files, the first is replaced
	want(t, f, false, ErrMismatch, a)
	want(t, f, false, nil, a) // told once
	want(t, f, false, nil, a)
	d.touch(d.cert)
	want(t, f, false, ErrMismatch, a) // a change that is no better
	want(t, f, false, nil, a)
	d.write(d.key, b.Key)
	want(t, f, true, nil, b)
	want(t, f, false, nil, b)
}

func TestFilesThatGoAndComeBack(t *testing.T) {
	d, a, b := newFolder(t), newLeaf(), newLeaf()
	d.writePair(a)
	f := d.open()
	if err := os.Remove(d.key); err != nil {
		t.Fatal(err)
	}
	want(t, f, false, fs.ErrNotExist, a)
	want(t, f, false, nil, a)
	d.write(d.key, []byte("half a k"))
	if _, err := f.Changed(); err == nil {
		t.Error("another error than before was not told")
	}
	want(t, f, false, nil, a)
	d.write(d.key, a.Key)
	want(t, f, false, nil, a)
	d.writePair(b)
	want(t, f, true, nil, b)
}

// TestFilesTryAgainThoughNothingShows mends a file so that size, time and inode are those of the bad one.
func TestFilesTryAgainThoughNothingShows(t *testing.T) {
	d, a, b := newFolder(t), newLeaf(), newLeaf()
	d.writePair(a)
	f := d.open()
	d.write(d.key, b.Key)
	d.write(d.cert, bytes.Repeat([]byte("x"), len(b.Chain)))
	if _, err := f.Changed(); err == nil {
		t.Fatal("accepted a file of x")
	}
	want(t, f, false, nil, a)
	d.writes -= time.Second
	d.write(d.cert, make([]byte, len(b.Chain)))
	want(t, f, false, ErrNoCertificate, a) // as what is wrong is another thing now
	d.writes -= time.Second
	d.write(d.cert, b.Chain)
	want(t, f, true, nil, b)
}

// TestFilesFromManyGoroutines is for the race detector, and wants one of them to be told of the change.
func TestFilesFromManyGoroutines(t *testing.T) {
	d, a, b := newFolder(t), newLeaf(), newLeaf()
	d.writePair(a)
	f := d.open()
	d.writePair(b)
	var all sync.WaitGroup
	told := make(chan bool, 8)
	for range cap(told) {
		all.Go(func() {
			changed, err := f.Changed()
			if err != nil || !holds(*f.Certificate()) {
				t.Error(err)
			}
			told <- changed
		})
	}
	all.Wait()
	close(told)
	n := 0
	for changed := range told {
		if changed {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d were told of one change", n)
	}
}

//go:build linux

package engine_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/engine"
)

// sparse is a file of n bytes that takes no room, with marks at its beginning and its end.
func sparse(t *testing.T, n int64) (dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "sparse.bin")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(n); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	for _, at := range []int64{0, n - 4} {
		if _, err := f.WriteAt([]byte("mark"), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, siteTime, siteTime); err != nil {
		t.Fatal(err)
	}
	return dir
}

// residentBytes is the process's resident memory in bytes; what is mapped of files does not
// count.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	var kB int64
	_, rest, _ := strings.Cut(string(b), "RssAnon:")
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		t.Fatal(err)
	}
	return kB << 10
}

// TestHugeFile: 10 GiB are not more work than what is asked of them.
func TestHugeFile(t *testing.T) {
	const size = 10 << 30
	dir := sparse(t, size)
	p := withFiles(t, engine.Files("/", os.DirFS(dir))).dial(t)
	if r, _ := p.ask("HEAD", "/sparse.bin"); r.ContentLength != size {
		t.Fatalf("HEAD: %v", r.Header)
	}
	if r, body := p.ask("GET", "/sparse.bin", "Range: bytes=-8"); r.StatusCode != 206 || body != "\x00\x00\x00\x00mark" ||
		r.Header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", int64(size-8), int64(size-1), int64(size)) {
		t.Fatalf("the end: %s %q, %v", r.Status, body, r.Header)
	}
	const most = 300 << 20
	before := residentBytes(t)
	p.send(fmt.Sprintf("GET /sparse.bin HTTP/1.1\r\nHost: test\r\nRange: bytes=%d-\r\n\r\n", int64(size-most)))
	r, err := http.ReadResponse(p.r, nil)
	if err != nil || r.StatusCode != 206 || r.ContentLength != most {
		t.Fatalf("%v, %+v", err, r)
	}
	_ = p.SetDeadline(time.Now().Add(10 * patience))
	tail := &lastBytes{}
	if n, err := io.Copy(tail, r.Body); err != nil || n != most || string(tail.b) != "mark" {
		t.Fatalf("%d bytes, %v, and %q in the end", n, err, tail.b)
	}
	if grown := residentBytes(t) - before; grown > 32<<20 {
		t.Errorf("300 MiB were sent with %d kB more of memory", grown>>10)
	}
}

// lastBytes keeps the last four.
type lastBytes struct{ b []byte }

func (l *lastBytes) Write(p []byte) (int, error) {
	l.b = bytes.Clone(append(l.b, p[max(0, len(p)-4):]...))
	l.b = l.b[max(0, len(l.b)-4):]
	return len(p), nil
}

// TestSlowDownloads: a hundred clients ask for 1 GiB each and hardly read. What that
// costs in memory is what is under way to them. PENSTOCK_HUGE lets them have it all.
func TestSlowDownloads(t *testing.T) {
	const size, clients = 1 << 30, 100
	many := clients / over(t).stride()
	v := withFiles(t, engine.Files("/", os.DirFS(sparse(t, size))))
	runtime.GC()
	before := residentBytes(t)
	var peers []*peer
	for range many {
		p := v.dial(t)
		_ = p.Conn.(wire).SetReadBuffer(64 << 10)
		peers = append(peers, p.send(get("/sparse.bin")))
	}
	eventually(t, "all have their head", func() bool { return v.Stats().Requests == int64(many) })
	total := 0
	buf := make([]byte, 256<<10)
	for round := range 4 { // each reads some, and then the next
		for i, p := range peers {
			n, err := io.ReadAtLeast(p.r, buf, len(buf)/2)
			if err != nil {
				t.Fatalf("client %d, round %d: %v", i, round, err)
			}
			total += n
		}
	}
	grown := residentBytes(t) - before
	t.Logf("%d clients with %d bytes read: %d kB more of memory, %d kB each", many, total, grown>>10, grown>>10/int64(many))
	// A client of this test has a buffered reader and crypto/tls; over TLS the server has
	// up to two pieces of 128 KiB for each beside, and what the queue's marks allow.
	if most := int64(many) * (64 << 10); grown > most+16<<20 && over(t) == overTCP {
		t.Errorf("%d kB more of memory", grown>>10)
	}
	if most := int64(many) * (1 << 20); grown > most+16<<20 {
		t.Errorf("%d kB more of memory", grown>>10)
	}
	if os.Getenv("PENSTOCK_HUGE") == "" {
		return // half of a gigabyte each is on its way, and is dropped
	}
	for i, p := range peers {
		_ = p.SetDeadline(time.Now().Add(10 * time.Minute))
		if n, err := io.CopyN(io.Discard, p.r, size-8<<20); err != nil {
			t.Fatalf("client %d: %d bytes, then %v", i, n, err)
		}
	}
}

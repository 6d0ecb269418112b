package reactor

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// fileKernel bends sending files.
type fileKernel struct {
	*bentKernel
	sendFile func(fd, file int, off int64, n int) (int, kernel.Errno)
}

func (k *fileKernel) SendFile(fd, file int, off int64, n int) (int, kernel.Errno) {
	if k.sendFile != nil {
		return k.sendFile(fd, file, off, n)
	}
	return k.Kernel.SendFile(fd, file, off, n)
}

// temporary is a file with the given bytes.
func temporary(t *testing.T, b []byte) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err == nil {
		_, err = f.Write(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// fates is told what becomes of files.
type fates struct{ errs []error }

func (f *fates) FileSent(_ *File, err error) { f.errs = append(f.errs, err) }

func TestFilesKeepTheirPlaceAmongBytes(t *testing.T) {
	content := pattern(1 << 20)
	file := temporary(t, content)
	for name, most := range map[string]int{"the socket takes what it can": 1 << 30, "little at a time": 5000, "hardly anything": 300} {
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(9, uint64(most)))
			k := &fileKernel{bentKernel: bent()}
			k.sendFile = func(fd, file int, off int64, n int) (int, kernel.Errno) {
				if rnd.IntN(3) == 0 {
					return 0, unix.EAGAIN
				}
				return k.Kernel.SendFile(fd, file, off, min(n, 1+rnd.IntN(most)))
			}
			g, c, peer := pair(t, Config{Kernel: k}, newEar(t))
			var want []byte
			told, queued := new(fates), 0
			g.on(c.Loop(), func() {
				for range 40 {
					from := rnd.IntN(len(content) - 1)
					n := 1 + rnd.IntN(min(len(content)-from, 30*most))
					head := bytes.Repeat([]byte{'h'}, rnd.IntN(3000))
					want = append(append(want, head...), content[from:from+n]...)
					done, err := c.SendFile(head, &File{FD: int(file.Fd()), Offset: int64(from), Length: int64(n), Sent: told})
					if err != nil {
						t.Error(err)
					}
					if !done {
						queued++
					}
					want = append(want, "between"...)
					if err := c.WriteTwo([]byte("bet"), []byte("ween")); err != nil {
						t.Error(err)
					}
				}
				c.Close()
			})
			if got := receiveAll(t, peer); !bytes.Equal(got, want) {
				t.Errorf("received %d bytes, want %d, or in another order", len(got), len(want))
			}
			g.stop()
			if len(told.errs) != queued || errors.Join(told.errs...) != nil {
				t.Errorf("%d files were queued, and the ends told are %v", queued, told.errs)
			}
			if out := g.Stats().BytesOut; out != int64(len(want)) {
				t.Errorf("Stats has %d bytes out, want %d", out, len(want))
			}
		})
	}
}

// TestFileIsNoMemory: only bytes count for the limits, and Writable comes when the file
// has gone.
func TestFileIsNoMemory(t *testing.T) {
	content := pattern(8 << 20)
	file := temporary(t, content)
	e, told := newEar(t), new(fates)
	writable := make(chan int, 10)
	e.writable = func(c *Conn) { writable <- len(told.errs) }
	g, c, peer := pair(t, Config{Write: WriteLimits{High: 1000, Hard: 2000}}, e)
	g.on(c.Loop(), func() {
		if done, err := c.SendFile(make([]byte, 2001), &File{FD: int(file.Fd()), Length: 1, Sent: told}); done || err != ErrQueueFull {
			t.Errorf("a head over the limit: %v, %v", done, err)
		}
		done, err := c.SendFile(nil, &File{FD: int(file.Fd()), Length: int64(len(content)), Sent: told})
		if done || err != nil || c.Pending() != 0 || !c.High() || !c.Fits(2000) {
			t.Errorf("done %v, %v; %d bytes pending, high %v", done, err, c.Pending(), c.High())
		}
		if err := c.Write([]byte("behind")); err != nil || c.Pending() != len("behind") {
			t.Errorf("%v, %d bytes pending", err, c.Pending())
		}
	})
	got := receive(t, peer, len(content)+len("behind"))
	if !bytes.Equal(got, append(content, "behind"...)) {
		t.Error("received something else")
	}
	if n := await(t, "Writable", writable); n != 1 {
		t.Errorf("Writable came when %d files had been sent", n)
	}
}

// TestFileThatIsShorter: what was announced cannot be sent, and nobody may take what
// came for all of it.
func TestFileThatIsShorter(t *testing.T) {
	file := temporary(t, make([]byte, 64<<10))
	e, told := newEar(t), new(fates)
	g, c, peer := pair(t, Config{}, e)
	f := &File{FD: int(file.Fd()), Length: 64<<10 + 1, Sent: told}
	g.on(c.Loop(), func() {
		if done, err := c.SendFile([]byte("head"), f); done || err != nil {
			t.Errorf("done %v, %v", done, err)
		}
	})
	if _, err := io.ReadAll(peer); err == nil {
		t.Error("the connection ended in good order")
	}
	if err := await(t, "Closed", e.ended); err != ErrFileShort {
		t.Errorf("Closed with %v", err)
	}
	g.stop()
	if len(told.errs) != 1 || told.errs[0] != ErrFileShort {
		t.Errorf("told %v", told.errs)
	}
}

// TestFileOfAConnectionThatEnds is told, so that somebody closes it.
func TestFileOfAConnectionThatEnds(t *testing.T) {
	file := temporary(t, pattern(16<<20))
	for name, end := range map[string]func(g *rig, c *Conn, peer io.Closer){
		"by this side":  func(g *rig, c *Conn, _ io.Closer) { g.on(c.Loop(), func() { c.Abort(nil) }) },
		"by the peer":   func(_ *rig, _ *Conn, peer io.Closer) { _ = peer.Close() },
		"with the loop": func(g *rig, _ *Conn, _ io.Closer) { g.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			e, told := newEar(t), new(fates)
			g, c, peer := pair(t, Config{}, e)
			g.on(c.Loop(), func() {
				for range 2 {
					if done, err := c.SendFile(nil, &File{FD: int(file.Fd()), Length: 16 << 20, Sent: told}); done || err != nil {
						t.Errorf("done %v, %v", done, err)
					}
				}
			})
			end(g, c, peer)
			_ = await(t, "Closed", e.ended)
			g.stop()
			if len(told.errs) != 2 || told.errs[0] == nil || told.errs[1] == nil {
				t.Errorf("told %v", told.errs)
			}
		})
	}
}

// TestCopiedFiles: where the system cannot splice, or only now and then.
func TestCopiedFiles(t *testing.T) {
	content := pattern(3 << 20)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	k := &fileKernel{bentKernel: bent()}
	k.sendFile = func(fd, file int, off int64, n int) (int, kernel.Errno) {
		return k.Kernel.(*systemKernel).copyFile(fd, file, off, n)
	}
	g, c, peer := pair(t, Config{Kernel: k, Write: WriteLimits{Chunk: 100_000}}, newEar(t))
	g.on(c.Loop(), func() {
		_, err := c.SendFile([]byte("head"), &File{FD: int(file.Fd()), Offset: 7, Length: int64(len(content)) - 7, Sent: new(fates)})
		if err != nil {
			t.Error(err)
		}
		c.Close()
	})
	if got := receiveAll(t, peer); !bytes.Equal(got, append([]byte("head"), content[7:]...)) {
		t.Errorf("received %d bytes", len(got))
	}
}

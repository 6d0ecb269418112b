package reactor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func socketPath(t *testing.T) string { return filepath.Join(t.TempDir(), "s") }

func TestAUnixSocketServesAllLoopsAndGoesOnStop(t *testing.T) {
	g := newRig(t, Config{Loops: 2})
	path := socketPath(t)
	accept, counts := countByLoop(2)
	a := g.listen("unix", path, ListenConfig{}, accept)
	g.start()
	for range 4 {
		checkEcho(t, dialTo(t, a))
	}
	if counts[0].Load() != 2 || counts[1].Load() != 2 {
		t.Errorf("connections per loop: %d %d, want 2 2", counts[0].Load(), counts[1].Load())
	}
	g.stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the path after Stop: %v", err)
	}
}

func TestAUnixSocketGoesWithStopListening(t *testing.T) {
	g := newRig(t, Config{})
	path := socketPath(t)
	g.listen("unix", path, ListenConfig{}, echo)
	g.start()
	g.StopListening()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the path after StopListening: %v", err)
	}
}

func TestADiscardedReactorTakesItsUnixSocketAway(t *testing.T) {
	g := newRig(t, Config{})
	path := socketPath(t)
	g.listen("unix", path, ListenConfig{}, echo)
	g.stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the path after Discard: %v", err)
	}
}

func TestAStaleUnixSocketIsReplaced(t *testing.T) {
	path := socketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as a process that died
	_ = l.Close()
	g := newRig(t, Config{})
	a := g.listen("unix", path, ListenConfig{}, echo)
	g.start()
	checkEcho(t, dialTo(t, a))
}

func TestALiveUnixSocketIsNotTaken(t *testing.T) {
	path := socketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := newRig(t, Config{})
	if _, err := g.Listen("unix", path, ListenConfig{}, echo); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("error is %v", err)
	}
	dialTo(t, l.Addr())
}

// A server so busy that its backlog is full does not answer either, but lives.
func TestABusyUnixSocketIsNotTaken(t *testing.T) {
	path := socketPath(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		c, err := net.Dial("unix", path)
		if err != nil {
			break
		}
		defer c.Close()
		if n == 1000 {
			t.Skip("this kernel's backlog of a unix socket has no end")
		}
	}
	g := newRig(t, Config{})
	if _, err := g.Listen("unix", path, ListenConfig{}, echo); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("error is %v", err)
	}
}

func TestOtherFilesAreNotReplacedByASocket(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	g := newRig(t, Config{})
	for _, path := range []string{file, link, dir} {
		if _, err := g.Listen("unix", path, ListenConfig{}, echo); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("%s: error is %v", path, err)
		}
	}
	if b, err := os.ReadFile(link); string(b) != "precious" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

func TestAUnixSocketNeedsItsFolder(t *testing.T) {
	g := newRig(t, Config{})
	if _, err := g.Listen("unix", filepath.Join(t.TempDir(), "none", "s"), ListenConfig{}, echo); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestAUnixPeerHasNoAddressPort(t *testing.T) {
	g := newRig(t, Config{})
	got := make(chan *Conn, 1)
	a := g.listen("unix", socketPath(t), ListenConfig{}, func(c *Conn) Handler { got <- c; return &ear{} })
	g.start()
	peer := dialTo(t, a)
	c := await(t, "accept", got)
	g.on(c.Loop(), func() {
		if c.Peer().IsValid() || c.LocalAddr().String() != a.String() || c.PeerAddr() == nil {
			t.Errorf("peer %v %v, local %v", c.Peer(), c.PeerAddr(), c.LocalAddr())
		}
	})
	_ = peer.Close()
}

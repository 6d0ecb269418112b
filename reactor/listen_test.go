package reactor

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

func TestListensOnEveryNetwork(t *testing.T) {
	for _, c := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:0"}, {"tcp4", "127.0.0.1:0"}, {"tcp4", ":0"}, {"tcp6", "[::1]:0"}, {"tcp", "[::1]:0"},
	} {
		t.Run(c.network+" "+c.address, func(t *testing.T) {
			if strings.Contains(c.address, "::1") {
				needsIPv6(t)
			}
			g := newRig(t, Config{Loops: 2})
			a := g.listen(c.network, c.address, ListenConfig{}, echo)
			g.start()
			if port(a) == 0 {
				t.Fatalf("bound to %v", a)
			}
			if c.address == ":0" {
				a = on4(a)
			}
			checkEcho(t, dialTo(t, a))
		})
	}
}

func TestAWildcardTakesBothFamilies(t *testing.T) {
	needsIPv6(t)
	g := newRig(t, Config{Loops: 2})
	a := g.listen("tcp", ":0", ListenConfig{}, echo)
	g.start()
	checkEcho(t, dialTo(t, on4(a)))
	checkEcho(t, dialTo(t, on6(a)))
}

func TestV6OnlyKeepsIPv4Out(t *testing.T) {
	needsIPv6(t)
	g := newRig(t, Config{})
	a := g.listen("tcp", "[::]:0", ListenConfig{V6Only: true}, echo)
	g.start()
	checkEcho(t, dialTo(t, on6(a)))
	if c, err := net.Dial("tcp4", on4(a).String()); err == nil {
		_ = c.Close()
		t.Error("an IPv4 connection was taken")
	}
}

func TestV6OnlyMeansNothingToIPv4(t *testing.T) {
	g := newRig(t, Config{})
	a := g.listen("tcp", "127.0.0.1:0", ListenConfig{V6Only: true}, echo)
	g.start()
	checkEcho(t, dialTo(t, a))
}

func TestSeveralListenersKeepTheirHandlers(t *testing.T) {
	g := newRig(t, Config{Loops: 2})
	greet := func(word string) Accept {
		return func(c *Conn) Handler {
			_ = c.Write([]byte(word))
			c.Close()
			return &ear{}
		}
	}
	first := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, greet("first"))
	second := g.listen("tcp4", "127.0.0.1:0", ListenConfig{OneLoop: true}, greet("second"))
	g.start()
	for want, a := range map[string]net.Addr{"first": first, "second": second} {
		c := dialTo(t, a)
		got := make([]byte, len(want))
		copy(got, receive(t, c, len(want)))
		_ = c.Close()
		if string(got) != want {
			t.Errorf("%v says %q, want %q", a, got, want)
		}
	}
}

func TestThePeersAddressesAreKnown(t *testing.T) {
	g, c, peer := pair(t, Config{}, newEar(t))
	g.on(c.Loop(), func() {
		if c.Peer().String() != peer.LocalAddr().String() || c.PeerAddr().String() != peer.LocalAddr().String() {
			t.Errorf("peer is %v and %v, want %v", c.Peer(), c.PeerAddr(), peer.LocalAddr())
		}
		if c.LocalAddr().String() != peer.RemoteAddr().String() {
			t.Errorf("local is %v, want %v", c.LocalAddr(), peer.RemoteAddr())
		}
	})
}

// countByLoop makes an Accept that counts.
func countByLoop(n int) (Accept, []atomic.Int32) {
	counts := make([]atomic.Int32, n)
	return func(c *Conn) Handler {
		counts[c.Loop().ID()].Add(1)
		return echo(c)
	}, counts
}

func TestTheKernelSpreadsConnectionsOverLoops(t *testing.T) {
	if !kernelBalances() {
		t.Skip("this kernel does not balance between sockets that share a port")
	}
	g := newRig(t, Config{Loops: 3})
	accept, counts := countByLoop(3)
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, accept)
	g.start()
	reached := func() bool {
		return counts[0].Load() > 0 && counts[1].Load() > 0 && counts[2].Load() > 0
	}
	for n := 0; n < 200 && !reached(); n++ { // 200 misses of one in three: 1e-35
		c := dialTo(t, a)
		checkEcho(t, c)
		_ = c.Close()
	}
	if !reached() {
		t.Errorf("connections per loop: %d %d %d", counts[0].Load(), counts[1].Load(), counts[2].Load())
	}
}

func TestOneLoopDealsInTurn(t *testing.T) {
	g := newRig(t, Config{Loops: 4})
	accept, counts := countByLoop(4)
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{OneLoop: true}, accept)
	g.start()
	for range 8 {
		checkEcho(t, dialTo(t, a))
	}
	for i := range counts {
		if n := counts[i].Load(); n != 2 {
			t.Errorf("loop %d got %d connections, want 2", i, n)
		}
	}
}

func TestAPortInUseIsAnError(t *testing.T) {
	other, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	sharing := newRig(t, Config{Loops: 2})
	shared := sharing.listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
	for name, address := range map[string]string{
		"a plain listener's":       other.Addr().String(),
		"one shared between loops": shared.String(),
		"one of the same reactor":  shared.String(),
	} {
		for _, loops := range []int{1, 2} {
			g := sharing
			if name != "one of the same reactor" {
				g = newRig(t, Config{Loops: loops})
			}
			if a, err := g.Listen("tcp4", address, ListenConfig{}, echo); !errors.Is(err, unix.EADDRINUSE) {
				t.Errorf("%s, %d loops: listening on %v, error %v", name, loops, a, err)
			}
		}
	}
}

func TestABadAddressIsAnError(t *testing.T) {
	g := newRig(t, Config{Loops: 2})
	for _, c := range []struct{ network, address string }{
		{"tcp", "no port"}, {"udp", "127.0.0.1:0"}, {"tcp4", "[::1]:0"}, {"", "127.0.0.1:0"},
	} {
		if a, err := g.Listen(c.network, c.address, ListenConfig{}, echo); err == nil {
			t.Errorf("%s %s: listening on %v", c.network, c.address, a)
		}
	}
}

// A Listen that failed half-way must not leave sockets that take connections.
func TestAFailedListenLeavesNoSocket(t *testing.T) {
	if !kernelBalances() {
		t.Skip("there is only one socket per listener on this system")
	}
	k := bent()
	calls := 0
	var bound net.Addr
	k.listen = func(network, address string, o kernel.ListenOptions) (int, net.Addr, error) {
		if calls++; calls == 3 {
			return -1, nil, unix.EMFILE
		}
		fd, a, err := k.Kernel.Listen(network, address, o)
		bound = a
		return fd, a, err
	}
	g := newRig(t, Config{Loops: 3, Kernel: k})
	if _, err := g.Listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo); !errors.Is(err, unix.EMFILE) {
		t.Fatalf("error is %v", err)
	}
	if c, err := net.Dial("tcp4", bound.String()); err == nil {
		_ = c.Close()
		t.Error("something still listens")
	}
}

func TestANilHandlerRefuses(t *testing.T) {
	g := newRig(t, Config{})
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, func(*Conn) Handler { return nil })
	g.start()
	c, err := net.Dial("tcp4", a.String()) // the RST may be as quick as that
	if err == nil {
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the refused peer's error is %v", err)
	}
	eventually(t, "the connection is freed", func() bool { return g.Stats().Connections == 0 })
}

func TestAcceptMayWriteAndClose(t *testing.T) {
	g := newRig(t, Config{})
	e := newEar(t)
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, func(c *Conn) Handler {
		_ = c.Write([]byte("full up\n"))
		c.Close()
		return e
	})
	g.start()
	c := dialTo(t, a)
	if got := receiveAll(t, c); string(got) != "full up\n" {
		t.Errorf("received %q", got)
	}
	_ = c.Close()
	if err := await(t, "Closed", e.ended); err != nil {
		t.Errorf("closed with %v", err)
	}
}

func TestStopListeningKeepsConnections(t *testing.T) {
	g := newRig(t, Config{Loops: 2})
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
	g.start()
	c := dialTo(t, a)
	checkEcho(t, c)
	g.StopListening()
	if late, err := net.Dial("tcp4", a.String()); err == nil {
		_ = late.Close()
		t.Error("a connection was taken after StopListening")
	}
	checkEcho(t, c)
	g.StopListening() // of nothing
}

func TestAnAdoptedListenerOutlivesItsOwner(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		t.Run(network, func(t *testing.T) {
			l := ownListener(t, network)
			g := newRig(t, Config{Loops: 2})
			a, err := g.AdoptListener(l, ListenConfig{}, echo)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			g.start()
			checkEcho(t, dialTo(t, a))
			checkEcho(t, dialTo(t, a))
		})
	}
}

func TestAnAdoptedFileOutlivesItsOwner(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		t.Run(network, func(t *testing.T) {
			l := ownListener(t, network)
			if u, ok := l.(*net.UnixListener); ok {
				u.SetUnlinkOnClose(false)
			}
			f, err := l.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			g := newRig(t, Config{Loops: 2})
			a, err := g.AdoptListener(f, ListenConfig{}, echo)
			if err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
			_ = l.Close()
			g.start()
			checkEcho(t, dialTo(t, a))
			checkEcho(t, dialTo(t, a))
		})
	}
}

// ownListener is one that package net made.
func ownListener(t *testing.T, network string) net.Listener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/s"
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

type noDescriptor struct{ net.Listener }

func TestWhatIsNoListenerIsNotAdopted(t *testing.T) {
	g := newRig(t, Config{})
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, from := range []any{file, 42, nil, noDescriptor{ownListener(t, "tcp4")}} {
		if a, err := g.AdoptListener(from, ListenConfig{}, echo); err == nil || !strings.HasPrefix(err.Error(), "reactor: ") {
			t.Errorf("adopting a %T: address %v, error %v", from, a, err)
		}
	}
}

func TestAListenerThatCannotBeWatchedIsClosed(t *testing.T) {
	k := bent()
	k.open = func() (kernel.Poller, error) {
		p, err := k.Kernel.OpenPoller()
		refuse := func(fd int, _, _ kernel.Interest) (int, kernel.Errno) { return fd, unix.ENOSPC }
		return &bentPoller{Poller: p, set: refuse}, err
	}
	g := newRig(t, Config{Kernel: k})
	path := socketPath(t)
	if _, err := g.Listen("unix", path, ListenConfig{}, echo); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the path: %v", err)
	}
	if _, err := g.AdoptListener(ownListener(t, "tcp4"), ListenConfig{}, echo); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("adopting: error is %v", err)
	}
}

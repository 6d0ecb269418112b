package reactor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// caller is a Dialer that tells how the Dial ended.
type caller struct {
	ear    *ear
	dialed chan *Conn
	failed chan error
}

// newCaller makes the Dialer of one Dial, one of whose methods must be called once.
func newCaller(t *testing.T) *caller {
	d := &caller{ear: newEar(t), dialed: make(chan *Conn, 4), failed: make(chan error, 4)}
	t.Cleanup(func() {
		if n := len(d.dialed) + len(d.failed); n > 0 {
			t.Errorf("the Dialer was called %d times too often", n)
		}
	})
	return d
}

func (d *caller) Dialed(c *Conn) Handler {
	d.dialed <- c
	return d.ear
}

func (d *caller) DialFailed(err error) { d.failed <- err }

// dial calls Dial on the first loop.
func (g *rig) dial(cfg DialConfig) (*caller, *Dialing) {
	g.t.Helper()
	d := newCaller(g.t)
	var ding *Dialing
	g.on(g.loops[0], func() {
		ding = g.loops[0].Dial(cfg, d)
		if len(d.dialed)+len(d.failed) > 0 {
			g.t.Error("the Dialer was called from inside Dial")
		}
	})
	return d, ding
}

func to(a net.Addr) DialConfig {
	if a.Network() == "unix" {
		return DialConfig{Network: "unix", Host: a.String()}
	}
	return DialConfig{Network: "tcp", Host: a.(*net.TCPAddr).IP.String(), Port: port(a)}
}

// answering is a reactor of one loop that listens for itself and greets, and the address.
func answering(t *testing.T, cfg Config) (*rig, net.Addr) {
	g := newRig(t, cfg)
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, func(c *Conn) Handler {
		_ = c.Write([]byte("hello"))
		return &ear{}
	})
	return g.start(), a
}

// deafAddr is that of a listener whose backlog is full: a connection to it stays under way.
func deafAddr(t *testing.T) net.Addr {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	err = errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0))
	sa, errName := unix.Getsockname(fd)
	if err = errors.Join(err, errName); err != nil {
		t.Fatal(err)
	}
	a := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: sa.(*unix.SockaddrInet4).Port}
	for range 10 {
		c, err := net.DialTimeout("tcp4", a.String(), 50*time.Millisecond)
		if err != nil {
			return a
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Skip("this kernel takes connections beyond the backlog")
	return nil
}

// refusingAddr is one where nobody listens.
func refusingAddr(t *testing.T) net.Addr {
	t.Helper()
	l := ownListener(t, "tcp4")
	_ = l.Close()
	return l.Addr()
}

func TestDialConnects(t *testing.T) {
	g, a := answering(t, Config{})
	d, _ := g.dial(to(a))
	c := await(t, "Dialed", d.dialed)
	g.on(c.Loop(), func() {
		if c.Peer().String() != a.String() || c.PeerAddr().String() != a.String() {
			t.Errorf("peer is %v, %v, want %v", c.Peer(), c.PeerAddr(), a)
		}
		if err := c.Write([]byte("x")); err != nil {
			t.Errorf("write: %v", err)
		}
		c.Close()
	})
	if err := await(t, "Closed", d.ear.ended); err != nil {
		t.Errorf("closed with %v", err)
	}
}

func TestADialedConnectionReceives(t *testing.T) {
	g, a := answering(t, Config{})
	d := newCaller(t)
	got := make(chan string, 8)
	d.ear.data = func(_ *Conn, b []byte) int { got <- string(b); return len(b) }
	g.on(g.loops[0], func() { g.loops[0].Dial(to(a), d) })
	if s := await(t, "Data", got); s != "hello" {
		t.Errorf("received %q", s)
	}
	await(t, "Dialed", d.dialed)
	if n := g.Stats().Dialed; n != 1 {
		t.Errorf("Stats has %d dialed", n)
	}
}

func TestDialToAUnixSocket(t *testing.T) {
	l := ownListener(t, "unix")
	g := newRig(t, Config{}).start()
	d, _ := g.dial(to(l.Addr()))
	c := await(t, "Dialed", d.dialed)
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	g.on(c.Loop(), func() {
		if c.PeerAddr().String() != l.Addr().String() {
			t.Errorf("peer is %v", c.PeerAddr())
		}
		_ = c.Write([]byte("over the file"))
		c.Close()
	})
	if got := receiveAll(t, peer); string(got) != "over the file" {
		t.Errorf("received %q", got)
	}
}

func TestDialRefused(t *testing.T) {
	g := newRig(t, Config{}).start()
	a := refusingAddr(t)
	for _, target := range []DialConfig{to(a), {Network: "unix", Host: socketPath(t)}} {
		d, _ := g.dial(target)
		err := await(t, "DialFailed", d.failed)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || op.Net != target.Network || op.Addr.String() != target.hostPort() {
			t.Errorf("error is %#v: %v", err, err)
		}
		want := unix.ECONNREFUSED
		if target.Network == "unix" {
			want = unix.ENOENT
		}
		if !errors.Is(err, want) {
			t.Errorf("error is %v, want %v", err, want)
		}
	}
	if s := g.Stats(); s.Connections != 0 || s.Dialed != 0 {
		t.Errorf("stats are %+v", s)
	}
}

func TestDialTimesOut(t *testing.T) {
	k := handMadeClock()
	g := newRig(t, Config{Kernel: k}).start()
	cfg := to(deafAddr(t))
	cfg.Timeout = time.Second
	d, _ := g.dial(cfg)
	g.advance(k, time.Second-1)
	if len(d.failed) > 0 {
		t.Fatal("too early")
	}
	g.advance(k, 10*time.Millisecond)
	err := await(t, "DialFailed", d.failed)
	var op *net.OpError
	if !errors.As(err, &op) || !op.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	eventually(t, "the attempt is freed", func() bool { return g.Stats().Connections == 0 })
}

func TestDialHasADefaultTimeout(t *testing.T) {
	k := handMadeClock()
	g := newRig(t, Config{Kernel: k}).start()
	d, _ := g.dial(to(deafAddr(t)))
	g.advance(k, defaultDialTimeout-1)
	if len(d.failed) > 0 {
		t.Fatal("too early")
	}
	g.advance(k, 10*time.Millisecond)
	await(t, "DialFailed", d.failed)
}

func TestTheTimeoutIncludesResolving(t *testing.T) {
	k := handMadeClock()
	ended := make(chan struct{})
	k.lookup = func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
		defer close(ended)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	g := newRig(t, Config{Kernel: k}).start()
	d, _ := g.dial(DialConfig{Network: "tcp", Host: "slow.example", Port: 1, Timeout: time.Second})
	g.advance(k, time.Second+10*time.Millisecond)
	if err := await(t, "DialFailed", d.failed); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	await(t, "the resolver's end", ended)
}

func TestCancelEndsADialWithItsError(t *testing.T) {
	errEnough := errors.New("enough")
	g := newRig(t, Config{}).start()
	d, ding := g.dial(to(deafAddr(t)))
	g.on(g.loops[0], func() {
		ding.Cancel(errEnough)
		ding.Cancel(errors.New("again"))
	})
	if err := await(t, "DialFailed", d.failed); err != errEnough {
		t.Errorf("error is %v", err)
	}
	if n := g.Stats().Connections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestCancelBeforeTheFirstAttempt(t *testing.T) {
	k := bent()
	g := newRig(t, Config{Kernel: k}).start()
	d := newCaller(t)
	g.on(g.loops[0], func() { g.loops[0].Dial(to(refusingAddr(t)), d).Cancel(ErrAborted) })
	if err := await(t, "DialFailed", d.failed); err != ErrAborted {
		t.Errorf("error is %v", err)
	}
	if n := len(k.targets()); n != 0 {
		t.Errorf("%d attempts", n)
	}
}

func TestCancelAfterTheEndDoesNothing(t *testing.T) {
	g, a := answering(t, Config{})
	d, ding := g.dial(to(a))
	c := await(t, "Dialed", d.dialed)
	g.on(g.loops[0], func() { ding.Cancel(ErrAborted) })
	g.on(g.loops[0], func() {
		if err := c.Write([]byte("still here")); err != nil {
			t.Errorf("write: %v", err)
		}
	})
}

func TestResolverErrorsArePassedOn(t *testing.T) {
	k := bent()
	noSuchHost := &net.DNSError{Err: "no such host", Name: "nowhere.example", IsNotFound: true}
	k.lookup = func(context.Context, string, string) ([]netip.Addr, error) { return nil, noSuchHost }
	g := newRig(t, Config{Kernel: k}).start()
	d, _ := g.dial(DialConfig{Network: "tcp", Host: "nowhere.example", Port: 1})
	var dns *net.DNSError
	if err := await(t, "DialFailed", d.failed); !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("error is %v", err)
	}
}

func TestANameWithoutAddressesIsAnError(t *testing.T) {
	k := bent()
	k.lookup = func(context.Context, string, string) ([]netip.Addr, error) { return nil, nil }
	g := newRig(t, Config{Kernel: k}).start()
	d, _ := g.dial(DialConfig{Network: "tcp", Host: "empty.example", Port: 1})
	if err := await(t, "DialFailed", d.failed); !errors.Is(err, errNoAddress) {
		t.Errorf("error is %v", err)
	}
}

func TestTheNetworkChoosesTheFamily(t *testing.T) {
	for network, want := range map[string]string{"tcp": "ip", "tcp4": "ip4", "tcp6": "ip6"} {
		k := bent()
		asked := make(chan string, 1)
		k.lookup = func(_ context.Context, network, host string) ([]netip.Addr, error) {
			asked <- network + " " + host
			return nil, nil
		}
		g := newRig(t, Config{Kernel: k}).start()
		d, _ := g.dial(DialConfig{Network: network, Host: "name.example", Port: 1})
		if got := await(t, "Lookup", asked); got != want+" name.example" {
			t.Errorf("%s: asked for %s", network, got)
		}
		await(t, "DialFailed", d.failed)
	}
}

func TestAnAddressOfTheOtherFamilyIsNotDialed(t *testing.T) {
	for network, host := range map[string]string{"tcp4": "::1", "tcp6": "127.0.0.1"} {
		k := bent()
		g := newRig(t, Config{Kernel: k}).start()
		d, _ := g.dial(DialConfig{Network: network, Host: host, Port: 1})
		if err := await(t, "DialFailed", d.failed); !errors.Is(err, errNoAddress) {
			t.Errorf("%s to %s: %v", network, host, err)
		}
		if n := len(k.targets()); n != 0 {
			t.Errorf("%s to %s: %d attempts", network, host, n)
		}
	}
}

func TestLocalhostResolves(t *testing.T) {
	g, a := answering(t, Config{})
	d, _ := g.dial(DialConfig{Network: "tcp4", Host: "localhost", Port: port(a)})
	await(t, "Dialed", d.dialed)
}

func TestTheSourceAddressIsUsed(t *testing.T) {
	g, a := answering(t, Config{})
	cfg := to(a)
	cfg.Local = netip.MustParseAddr("127.0.0.9")
	d := newCaller(t)
	g.on(g.loops[0], func() { g.loops[0].Dial(cfg, d) })
	select {
	case c := <-d.dialed:
		g.on(c.Loop(), func() {
			if got := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr(); got != cfg.Local {
				t.Errorf("dialed from %v", got)
			}
		})
	case err := <-d.failed:
		if !errors.Is(err, unix.EADDRNOTAVAIL) {
			t.Fatal(err)
		}
		t.Skip("this system has one loopback address only")
	}
}

func TestAForeignSourceAddressIsAnError(t *testing.T) {
	g, a := answering(t, Config{})
	cfg := to(a)
	cfg.Local = netip.MustParseAddr("192.0.2.1") // TEST-NET-1
	d, _ := g.dial(cfg)
	if err := await(t, "DialFailed", d.failed); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("error is %v", err)
	}
}

func TestWithoutDescriptorsADialFails(t *testing.T) {
	k := bent()
	k.connect = func(kernel.Target) (int, kernel.Errno) { return -1, unix.EMFILE }
	g := newRig(t, Config{Kernel: k}).start()
	d, _ := g.dial(to(refusingAddr(t)))
	if err := await(t, "DialFailed", d.failed); !errors.Is(err, unix.EMFILE) {
		t.Errorf("error is %v", err)
	}
}

package reactor

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/invariant"
)

// rig is a reactor under test.
type rig struct {
	*Reactor
	t       *testing.T
	started bool
	stopped bool
}

// newRig makes a reactor of one loop, unless cfg says otherwise. When the test ends it is stopped, and must have
// given back every descriptor by then.
func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	fds, conns := descriptors(), invariant.Counts()[ledger]
	t.Cleanup(func() { checkGivenBack(t, fds, conns) })
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{Reactor: r, t: t}
	t.Cleanup(g.stop)
	return g
}

func checkGivenBack(t *testing.T, fds int, conns int64) {
	t.Helper()
	if !waitFor(func() bool { return descriptors() <= fds }) {
		t.Errorf("%d descriptors, were %d before the reactor", descriptors(), fds)
	}
	if n := invariant.Counts()[ledger] - conns; n != 0 {
		t.Errorf("%d connections were not freed", n)
	}
}

func (g *rig) start() *rig {
	g.Start()
	g.started = true
	return g
}

func (g *rig) stop() {
	g.t.Helper()
	if !g.started {
		g.Discard()
		return
	}
	if g.stopped {
		return
	}
	g.stopped = true
	done := make(chan struct{})
	go func() { defer close(done); _ = g.Stop() }()
	await(g.t, "Stop", done)
}

// listen is Listen that must succeed.
func (g *rig) listen(network, address string, cfg ListenConfig, accept Accept) net.Addr {
	g.t.Helper()
	a, err := g.Listen(network, address, cfg, accept)
	if err != nil {
		g.t.Fatal(err)
	}
	return a
}

// on runs f on the loop and waits until what it asked for has been settled.
func (g *rig) on(l *Loop, f func()) {
	g.t.Helper()
	ran, settled := make(chan struct{}), make(chan struct{})
	if err := l.Post(Func(func() { f(); close(ran) })); err != nil {
		g.t.Fatal(err)
	}
	await(g.t, "letter", ran)
	if l.Post(Func(func() { close(settled) })) == nil {
		await(g.t, "settling", settled)
	}
}

// await fails the test when c does not tell anything in time.
func await[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s: nothing within %v", what, patience)
	}
	return v
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	if !waitFor(cond) {
		t.Fatalf("%s: not within %v", what, patience)
	}
}

// ear is a Handler made of functions. Without them it uses all bytes, and closes on EOF.
type ear struct {
	data     func(c *Conn, b []byte) int
	eof      func(c *Conn)
	writable func(c *Conn)
	timeout  func(c *Conn, now int64)
	ended    chan error
	closed   atomic.Int32
}

// newEar makes the handler of one connection, which must be told of its end at most once.
func newEar(t *testing.T) *ear {
	e := &ear{ended: make(chan error, 8)}
	t.Cleanup(func() {
		if n := e.closed.Load(); n > 1 {
			t.Errorf("Closed was called %d times", n)
		}
	})
	return e
}

func (e *ear) Data(c *Conn, b []byte) int {
	if e.data == nil {
		return len(b)
	}
	return e.data(c, b)
}

func (e *ear) EOF(c *Conn) {
	if e.eof == nil {
		c.Close()
		return
	}
	e.eof(c)
}

func (e *ear) Writable(c *Conn) {
	if e.writable != nil {
		e.writable(c)
	}
}

func (e *ear) Timeout(c *Conn, now int64) {
	if e.timeout != nil {
		e.timeout(c, now)
	}
}

func (e *ear) Closed(_ *Conn, err error) {
	e.closed.Add(1)
	if e.ended != nil {
		e.ended <- err
	}
}

// echo is the handler of any number of connections; it sends back what it gets.
func echo(*Conn) Handler {
	return &ear{data: func(c *Conn, b []byte) int {
		_ = c.Write(b)
		return len(b)
	}}
}

// dialTo connects a client of package net.
func dialTo(t *testing.T, a net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// pair connects a client to a reactor whose end is told to e.
func pair(t *testing.T, cfg Config, e *ear) (*rig, *Conn, *net.TCPConn) {
	t.Helper()
	g := newRig(t, cfg)
	got := make(chan *Conn, 1)
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, func(c *Conn) Handler { got <- c; return e })
	g.start()
	peer := dialTo(t, a).(*net.TCPConn)
	return g, await(t, "accept", got), peer
}

// checkEcho sends a line and wants it back.
func checkEcho(t *testing.T, c net.Conn) {
	t.Helper()
	const line = "out and home\n"
	send(t, c, []byte(line))
	if got := receive(t, c, len(line)); string(got) != line {
		t.Errorf("echo is %q", got)
	}
}

func send(t *testing.T, c io.Writer, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func receive(t *testing.T, c io.Reader, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if n, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("received %d of %d bytes: %v", n, len(b), err)
	}
	return b
}

// receiveAll reads to the peer's FIN.
func receiveAll(t *testing.T, c io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("received %d bytes, then: %v", len(b), err)
	}
	return b
}

// pattern is n bytes of which each place can be told from its neighbours and from the same place of the next lap.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = patternAt(i)
	}
	return b
}

func patternAt(i int) byte { return byte(i ^ i>>8*7 ^ i>>16*13) }

func port(a net.Addr) uint16 { return a.(*net.TCPAddr).AddrPort().Port() }

// on4 is the IPv4 loopback address with a's port; on6 the IPv6 one.
func on4(a net.Addr) net.Addr { return loopback(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a) }
func on6(a net.Addr) net.Addr { return loopback(netip.IPv6Loopback(), a) }

func loopback(ip netip.Addr, a net.Addr) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, port(a)))
}

// needsIPv6 skips where the machine has no ::1.
func needsIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6 loopback address")
	}
	_ = l.Close()
}

package reactor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// town is a name with several addresses, each of which leads where the test wants.
type town struct {
	k     *bentKernel
	leads map[netip.Addr]net.Addr // nil means that connect(2) itself fails
	addrs []netip.Addr
}

// newTown makes a name with the given addresses; they are from documentation ranges and are never really dialed.
func newTown(k *bentKernel, addrs ...string) *town {
	w := &town{k: k, leads: make(map[netip.Addr]net.Addr)}
	for _, a := range addrs {
		w.addrs = append(w.addrs, netip.MustParseAddr(a))
	}
	k.lookup = func(context.Context, string, string) ([]netip.Addr, error) { return w.addrs, nil }
	k.connect = func(to kernel.Target) (int, kernel.Errno) {
		real, ok := w.leads[to.Addr.Addr()]
		if !ok {
			return -1, unix.ENETUNREACH
		}
		to.Addr = real.(*net.TCPAddr).AddrPort()
		return k.Kernel.Connect(to)
	}
	return w
}

func (w *town) lead(from string, to net.Addr) { w.leads[netip.MustParseAddr(from)] = to }

// tried lists the addresses of the attempts so far.
func (w *town) tried() (out []string) {
	for _, to := range w.k.targets() {
		out = append(out, to.Addr.Addr().String())
	}
	return out
}

var someTown = DialConfig{Network: "tcp", Host: "town.example", Port: 80}

func TestTheFamiliesTakeTurns(t *testing.T) {
	for _, c := range []struct{ name, want []string }{
		{[]string{"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"}, []string{"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"}},
		{[]string{"192.0.2.1", "192.0.2.2", "2001:db8::1"}, []string{"192.0.2.1", "2001:db8::1", "192.0.2.2"}},
		{[]string{"::ffff:192.0.2.1", "2001:db8::1", "192.0.2.2"}, []string{"192.0.2.1", "2001:db8::1", "192.0.2.2"}},
		{[]string{"2001:db8::1"}, []string{"2001:db8::1"}},
	} {
		k := handMadeClock()
		w := newTown(k, c.name...)
		g := newRig(t, Config{Kernel: k}).start()
		d, _ := g.dial(someTown)
		if err := await(t, "DialFailed", d.failed); !errors.Is(err, unix.ENETUNREACH) {
			t.Errorf("error is %v", err)
		}
		if got := w.tried(); !slices.Equal(got, c.want) {
			t.Errorf("%v: tried %v, want %v", c.name, got, c.want)
		}
	}
}

func TestASlowAttemptGetsASecondBesideIt(t *testing.T) {
	k := handMadeClock()
	g, a := answering(t, Config{Kernel: k})
	w := newTown(k, "2001:db8::1", "192.0.2.1", "192.0.2.2")
	w.lead("2001:db8::1", deafAddr(t))
	w.lead("192.0.2.1", a)
	before := descriptors()
	d, _ := g.dial(someTown)
	eventually(t, "the first attempt", func() bool { return len(w.tried()) == 1 })
	g.advance(k, attemptDelay-1)
	if got := w.tried(); len(got) != 1 {
		t.Fatalf("tried %v before the delay was over", got)
	}
	g.advance(k, 10*time.Millisecond)
	c := await(t, "Dialed", d.dialed)
	if got := w.tried(); !slices.Equal(got, []string{"2001:db8::1", "192.0.2.1"}) {
		t.Errorf("tried %v", got)
	}
	g.on(c.Loop(), func() {
		if c.Peer().Addr().String() != "192.0.2.1" {
			t.Errorf("connected to %v", c.Peer())
		}
	})
	const twoEnds = 2
	eventually(t, "the loser's socket is closed", func() bool { return g.Stats().Connections == twoEnds })
	if before > 0 && descriptors() != before+twoEnds {
		t.Errorf("%d descriptors more, want %d", descriptors()-before, twoEnds)
	}
}

func TestAFailedAttemptIsFollowedAtOnce(t *testing.T) {
	k := handMadeClock()
	g, a := answering(t, Config{Kernel: k})
	w := newTown(k, "2001:db8::1", "192.0.2.1", "2001:db8::2")
	w.lead("2001:db8::1", refusingAddr(t))
	w.lead("2001:db8::2", a)
	d, _ := g.dial(someTown)
	await(t, "Dialed", d.dialed)
	if got := w.tried(); !slices.Equal(got, []string{"2001:db8::1", "192.0.2.1", "2001:db8::2"}) {
		t.Errorf("tried %v", got)
	}
}

func TestTheLastErrorIsTold(t *testing.T) {
	k := handMadeClock()
	w := newTown(k, "2001:db8::1", "192.0.2.1")
	w.lead("192.0.2.1", refusingAddr(t))
	g := newRig(t, Config{Kernel: k}).start()
	d, _ := g.dial(someTown)
	err := await(t, "DialFailed", d.failed)
	var op *net.OpError
	if !errors.Is(err, unix.ECONNREFUSED) || !errors.As(err, &op) || op.Addr.String() != "192.0.2.1:80" {
		t.Errorf("error is %v", err)
	}
}

func TestAllAttemptsEndWithTheTimeout(t *testing.T) {
	k := handMadeClock()
	g := newRig(t, Config{Kernel: k}).start()
	deaf := deafAddr(t)
	w := newTown(k, "2001:db8::1", "192.0.2.1")
	w.lead("2001:db8::1", deaf)
	w.lead("192.0.2.1", deaf)
	cfg := someTown
	cfg.Timeout = time.Second
	d, _ := g.dial(cfg)
	eventually(t, "the first attempt", func() bool { return len(w.tried()) == 1 })
	g.advance(k, attemptDelay+10*time.Millisecond)
	if n := g.Stats().Connections; n != 2 {
		t.Errorf("%d attempts are under way", n)
	}
	g.advance(k, time.Second)
	await(t, "DialFailed", d.failed)
	if n := g.Stats().Connections; n != 0 {
		t.Errorf("%d attempts are left", n)
	}
}

func TestTheSourceAddressIsThatOfEveryAttempt(t *testing.T) {
	k := handMadeClock()
	newTown(k, "192.0.2.1", "192.0.2.2")
	g := newRig(t, Config{Kernel: k}).start()
	cfg := someTown
	cfg.Local = netip.MustParseAddr("127.0.0.9")
	d, _ := g.dial(cfg)
	await(t, "DialFailed", d.failed)
	for _, to := range k.targets() {
		if to.Local != cfg.Local || to.Addr.Port() != 80 {
			t.Errorf("target %+v", to)
		}
	}
}

func TestResolvingIsBoundedAndOffTheLoop(t *testing.T) {
	k := bent()
	enter, leave := make(chan struct{}, 2*resolversMost), make(chan struct{})
	k.lookup = func(context.Context, string, string) ([]netip.Addr, error) {
		enter <- struct{}{}
		<-leave
		return nil, nil
	}
	g := newRig(t, Config{Kernel: k}).start()
	callers := make([]*caller, resolversMost+5)
	for i := range callers {
		callers[i], _ = g.dial(someTown) // each goes through the loop, which is not held up
	}
	for range resolversMost {
		await(t, "Lookup", enter)
	}
	g.on(g.loops[0], func() {})
	if n := len(enter); n != 0 {
		t.Errorf("%d names more than %d are being resolved", n, resolversMost)
	}
	close(leave)
	for _, d := range callers {
		await(t, "DialFailed", d.failed)
	}
}

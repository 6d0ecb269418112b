package handshakes

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
)

// A gate that scanned the crowd would take hours here, and the test's timeout would tell.
func TestACrowdOfOneAddressCostsOthersNothing(t *testing.T) {
	const crowded = 100_000
	b := newBench(t, 100, 1)
	b.enter("first", host('a'))
	many := make([]peer, crowded)
	for i := range many {
		many[i] = peer{name: fmt.Sprint(i), at: b}
		if b.g.Enter(&many[i].Ticket, host('a'), &many[i]) {
			t.Fatal("admitted over the limit of its address")
		}
	}
	for range crowded {
		if !b.enter("b", host('b')) {
			t.Fatal("another address has to wait")
		}
		b.g.Leave(&b.peers["b"].Ticket)
	}
	for i := crowded / 2; i < crowded; i++ {
		b.g.Forget(&many[i].Ticket)
	}
	b.g.Leave(&b.peers["first"].Ticket)
	for i := range crowded / 2 {
		b.g.Leave(&many[i].Ticket)
	}
	if len(b.admitted) != crowded/2 || b.admitted[crowded/2-1] != fmt.Sprint(crowded/2-1) {
		t.Errorf("%d admitted, want %d", len(b.admitted), crowded/2)
	}
	b.check(0, 0, 0)
}

func TestMemoryOfManyAddressesIsReleased(t *testing.T) {
	const addresses = 100_000
	g, stay := NewGate(0, 1), new(Ticket)
	g.Enter(stay, netip.AddrFrom4([4]byte{192, 0, 2, 1}), nil)
	before := heap()
	all := make([]Ticket, addresses)
	for i := range all {
		g.Enter(&all[i], netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), nil)
	}
	for i := range all {
		g.Leave(&all[i])
	}
	all = nil
	if kept := heap() - before; kept > 256<<10 {
		t.Errorf("%d bytes are kept for one address", kept)
	}
	if p, _ := g.Stats(); p != 1 || len(g.sources.by) != 1 {
		t.Errorf("%d pending, %d addresses, want 1 and 1", p, len(g.sources.by))
	}
	runtime.KeepAlive(g)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestGateAllocatesOnlyForANewAddress(t *testing.T) {
	g, w := NewGate(2, 0), new(silent)
	first, second, third := new(Ticket), new(Ticket), new(Ticket)
	g.Enter(new(Ticket), host('z'), w) // stays, so that z is known
	for _, c := range []struct {
		name string
		pass func()
		want float64
	}{
		{"a new address", func() { g.Enter(first, host('a'), w); g.Leave(first) }, 1},
		{"a known one", func() { g.Enter(second, host('z'), w); g.Leave(second) }, 0},
		{"one that waits", func() {
			g.Enter(second, host('z'), w)
			g.Enter(third, host('z'), w)
			g.Leave(second)
			g.Leave(third)
		}, 0},
		{"one that is forgotten", func() {
			g.Enter(second, host('z'), w)
			g.Enter(third, host('z'), w)
			g.Forget(third)
			g.Leave(second)
		}, 0},
	} {
		if got := testing.AllocsPerRun(1000, c.pass); got > c.want {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.want)
		}
	}
}

type silent struct{}

func (*silent) Admitted() {}

// BenchmarkEnterLeave is a handshake that is admitted at once. Budget: 250 ns, its lock included.
func BenchmarkEnterLeave(b *testing.B) {
	g, t, w := NewGate(100, 10), new(Ticket), new(silent)
	b.ReportAllocs()
	for b.Loop() {
		g.Enter(t, host('a'), w)
		g.Leave(t)
	}
}

// BenchmarkTurn admits one of 100,000 that wait from as many addresses, and queues it again. Budget: 2 µs, which
// is the misses of so large a map.
func BenchmarkTurn(b *testing.B) {
	g, w := NewGate(1, 1), new(silent)
	all := make([]Ticket, 100_000)
	ip := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range all {
		g.Enter(&all[i], ip(i), w)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		g.Leave(&all[i])
		g.Enter(&all[i], ip(i), w)
		i = (i + 1) % len(all)
	}
}

func TestPoolThatKeepsUpAllocatesNothing(t *testing.T) {
	p := NewPool(2)
	h := new(counter)
	allocs := testing.AllocsPerRun(1000, func() {
		p.Begin(h)
		p.Continue(h)
		p.Wait()
	})
	if allocs != 0 {
		t.Errorf("two jobs allocate %v times", allocs)
	}
}

type counter struct{ n atomic.Int64 }

func (c *counter) Run() { c.n.Add(1) }

// BenchmarkJob queues a job and runs it. Budget: 1 µs, a thousandth of a signature.
func BenchmarkJob(b *testing.B) {
	p := NewPool(1)
	c := new(counter)
	b.ReportAllocs()
	for b.Loop() {
		p.Continue(c)
		p.Wait()
	}
}

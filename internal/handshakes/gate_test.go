package handshakes

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/invariant"
)

func newRNG(t *testing.T, seed uint64) *rand.Rand {
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// peer is a ticket with a name, which it writes to the log of its bench when it is admitted.
type peer struct {
	Ticket
	name string
	at   *bench
	then func()
}

func (p *peer) Admitted() {
	if p.at.inEnter {
		p.at.t.Errorf("%s: Admitted inside Enter", p.name)
	}
	// Whoever holds the gate's lock here would never return.
	p.at.g.Stats()
	p.at.admitted = append(p.at.admitted, p.name)
	if p.then != nil {
		p.then()
	}
}

// bench is a gate and its peers by name.
type bench struct {
	t        *testing.T
	g        *Gate
	peers    map[string]*peer
	admitted []string
	inEnter  bool
}

func newBench(t *testing.T, most, mostPerIP int) *bench {
	return &bench{t: t, g: NewGate(most, mostPerIP), peers: make(map[string]*peer)}
}

func (b *bench) enter(name string, ip netip.Addr) bool {
	p := b.peers[name]
	if p == nil {
		p = &peer{name: name, at: b}
		b.peers[name] = p
	}
	b.inEnter = true
	defer func() { b.inEnter = false }()
	return b.g.Enter(&p.Ticket, ip, p)
}

// took returns who has been told since the last call.
func (b *bench) took() string {
	s := strings.Join(b.admitted, " ")
	b.admitted = nil
	return s
}

// check compares what Stats says, and that no address is remembered beyond those that are counted.
func (b *bench) check(pending, waiting, addresses int) {
	b.t.Helper()
	if p, w := b.g.Stats(); p != pending || w != waiting {
		b.t.Errorf("%d pending and %d waiting, want %d and %d", p, w, pending, waiting)
	}
	if n := len(b.g.sources.by); n != addresses {
		b.t.Errorf("%d addresses are kept, want %d", n, addresses)
	}
}

// host is the address of a one-letter group: 192.0.2.97 for a. The group "-" has none.
func host(group byte) netip.Addr {
	if group == '-' {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, group})
}

// play runs a script of words: "+a1" peer a1 of address a enters, "a1" it leaves, "?a1" it is forgotten. What it
// returns has, behind each word, "!" for an Enter that waits or a Forget that came too late, and ">" with who was told;
// a script may have them too, so that it can be what is wanted.
func (b *bench) play(script string) string {
	var out []string
	for _, word := range strings.Fields(script) {
		word, _, _ = strings.Cut(word, ">")
		word = strings.TrimSuffix(word, "!")
		var late bool
		switch name := strings.TrimLeft(word, "+?"); word[0] {
		case '+':
			late = !b.enter(name, host(name[0]))
		case '?':
			late = b.g.Forget(&b.peers[name].Ticket)
		default:
			b.g.Leave(&b.peers[name].Ticket)
		}
		if late {
			word += "!"
		}
		if who := b.took(); who != "" {
			word += ">" + who
		}
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

func TestGate(t *testing.T) {
	table := []struct {
		name              string
		most, perIP       int
		want              string
		pending, wait, ip int
	}{
		{"no limits", 0, 0, "+a1 +a2 +b1 +b2 +-1 a1", 4, 0, 3},
		{"negative is no limit", -1, -5, "+a1 +a2 +b1 +b2", 4, 0, 2},
		{"a limit in total", 2, 0, "+a1 +b1 +c1! +d1!", 2, 2, 4},
		{"a limit per address", 0, 2, "+a1 +a2 +a3! +b1 +b2 +b3!", 4, 2, 2},
		{"one that leaves lets one in", 1, 0, "+a1 +a2! +a3! a1>a2 a2>a3 a3", 0, 0, 0},
		{"room in total does not help an address at its limit", 9, 1, "+a1 +a2! +b1 b1 +c1 c1", 1, 1, 1},
		{"room of its own does", 9, 1, "+a1 +a2! +b1 a1>a2", 2, 0, 2},
		{"room of its own is nothing without room in total", 2, 1, "+a1 +b1 +a2! +c1! b1>c1 a1>a2", 2, 0, 2},
		{"addresses take turns", 1, 0, "+z1 +a1! +a2! +a3! +b1! +b2! +c1! z1>a1 a1>b1 b1>c1 c1>a2 a2>b2 b2>a3 a3", 0, 0, 0},
		{"a newcomer waits one turn", 1, 0, "+z1 +a1! +a2! +a3! z1>a1 +b1! a1>a2 a2>b1 b1>a3", 1, 0, 1},
		{"an address at its limit is passed over", 2, 1, "+a1 +z1 +a2! +a3! +b1! z1>b1 b1 +c1 c1", 1, 2, 1},
		{"and takes its turn behind those that waited meanwhile", 2, 1, "+a1 +z1 +a2! +b1! +c1! a1>b1 z1>c1 b1>a2", 2, 0, 2},
		{"nobody overtakes by entering when one leaves", 1, 0, "+a1 +b1! a1>b1 +a1! b1>a1", 1, 0, 1},
		{"no address: only the limit in total", 3, 1, "+-1 +-2 +-3 +-4! -1>-4", 3, 0, 1},
		{"no address: one turn for all", 1, 1, "+z1 +-1! +-2! +a1! z1>-1 -1>a1 a1>-2", 1, 0, 1},
		{"forgotten in the middle", 1, 0, "+z1 +a1! +a2! +a3! ?a2 z1>a1 a1>a3", 1, 0, 1},
		{"forgotten at the head", 1, 0, "+z1 +a1! +a2! +a3! ?a1 z1>a2 a2>a3", 1, 0, 1},
		{"forgotten at the end", 1, 0, "+z1 +a1! +a2! +a3! ?a3 +a4! z1>a1 a1>a2 a2>a4", 1, 0, 1},
		{"the last one forgotten gives up the turn", 1, 0, "+z1 +a1! +b1! ?a1 z1>b1 b1", 0, 0, 0},
		{"and who comes back queues again", 1, 0, "+z1 +a1! +b1! ?a1 +a1! z1>b1 b1>a1", 1, 0, 1},
		{"forgotten at its limit", 5, 1, "+a1 +a2! ?a2 a1 +a2", 1, 0, 1},
		{"forgetting twice, or what is idle, is nothing", 1, 0, "+z1 +a1! ?a1 ?a1 z1 ?z1", 0, 0, 0},
		{"too late to forget", 1, 0, "+z1 +a1! z1>a1 ?a1! ?a1! a1 ?a1", 0, 0, 0},
		{"forgetting who was admitted at once", 1, 0, "+a1 ?a1! a1", 0, 0, 0},
		{"a ticket is used again", 1, 0, "+a1 a1 +a1 +b1! a1>b1 +a1! b1>a1 a1", 0, 0, 0},
	}
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.most, c.perIP)
			if got := b.play(c.want); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			b.check(c.pending, c.wait, c.ip)
		})
	}
}

func TestWhatIsOneAddress(t *testing.T) {
	table := []struct {
		name, a, b string
		same       bool
	}{
		{"IPv4", "192.0.2.1", "192.0.2.1", true},
		{"neighbours of IPv4", "192.0.2.1", "192.0.2.2", false},
		{"IPv4 mapped to IPv6", "::ffff:192.0.2.1", "192.0.2.1", true},
		{"neighbours, mapped", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"mapped with a zone", "::ffff:192.0.2.1%eth0", "192.0.2.1", true},
		{"one /64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"neighbours of /64", "2001:db8::1", "2001:db8:0:1::1", false},
		{"zones", "fe80::1%eth0", "fe80::2%eth1", true},
		{"IPv4 and the /64 of zeros", "0.0.0.0", "::", false},
		{"no address and the /64 of zeros", "", "::1", false},
		{"no address and 0.0.0.0", "", "0.0.0.0", false},
	}
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			a, _ := netip.ParseAddr(c.a)
			b := newBench(t, 0, 1)
			b.enter("a", a)
			if waits := !b.enter("b", netip.MustParseAddr(c.b)); waits != c.same {
				t.Errorf("%q and %q: same %v, want %v", c.a, c.b, waits, c.same)
			}
		})
	}
}

func TestAdmittedMayCallTheGate(t *testing.T) {
	b := newBench(t, 1, 1)
	b.play("+a1 +a2! +b1! +c1!")
	for _, name := range []string{"a2", "b1", "c1"} {
		p := b.peers[name]
		p.then = func() { b.g.Leave(&p.Ticket) }
	}
	b.g.Leave(&b.peers["a1"].Ticket)
	if got := b.took(); got != "b1 c1 a2" {
		t.Errorf("admitted %s", got)
	}
	b.check(0, 0, 0)
}

// The admission is the gate's, the news of it is only on its way: a connection that closes in between still learns
// from Forget that it owes a Leave.
func TestForgetBetweenAdmissionAndItsNews(t *testing.T) {
	b := newBench(t, 1, 0)
	b.play("+a1 +b1 +c1")
	w := b.g.leave(&b.peers["a1"].Ticket)
	if w != Waiter(b.peers["b1"]) {
		t.Fatalf("%v is admitted, want b1", w)
	}
	if got := b.play("?b1 b1"); got != "?b1! b1>c1" {
		t.Errorf("got %s", got)
	}
	w.Admitted()
	b.check(1, 0, 1)
}

func TestIllegalMoves(t *testing.T) {
	table := []struct{ name, before, move, after string }{
		{"Enter while admitted", "+a1", "+a1", "a1"},
		{"Enter while waiting", "+z1 +a1!", "+a1", "?a1 z1"},
		{"Leave of what never entered", "+a1 a1", "a1", ""},
		{"Leave of what waits", "+z1 +a1", "a1", "?a1 z1"},
		{"Leave of what was forgotten", "+z1 +a1 ?a1", "a1", "z1"},
	}
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 1, 0)
			b.play(c.before)
			pending, waiting := b.g.Stats()
			func() {
				defer func() {
					if r := recover(); (r != nil) != invariant.Enabled {
						t.Errorf("recovered %v", r)
					}
				}()
				b.play(c.move)
			}()
			if p, w := b.g.Stats(); p != pending || w != waiting || b.took() != "" {
				t.Errorf("it changed %d/%d to %d/%d", pending, waiting, p, w)
			}
			b.play(c.after)
			b.check(0, 0, 0)
		})
	}
}

package engine

import (
	"net/netip"
	"sync"
	"testing"
)

// Addresses that one host can have all of are one, and those of several hosts are
// several.
func TestSourcesAreCounted(t *testing.T) {
	for _, c := range []struct {
		rule, a, b string
		same       bool
	}{
		{"the same address", "192.0.2.1", "192.0.2.1", true},
		{"another address", "192.0.2.1", "192.0.2.2", false},
		{"IPv4 by IPv6", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"IPv4 by IPv6, another", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"one network of IPv6", "2001:db8::1", "2001:db8::ffff:1:2:3", true},
		{"a zone changes nothing", "fe80::1%eth0", "fe80::2", true},
		{"another network of IPv6", "2001:db8::1", "2001:db8:0:1::1", false},
	} {
		var p perIP
		p.most = 1
		a, b := netip.MustParseAddr(c.a), netip.MustParseAddr(c.b)
		if !p.admit(a) || p.admit(b) == c.same {
			t.Errorf("%s: taken for the same: %v", c.rule, !c.same)
		}
		p.release(a)
		if !c.same {
			p.release(b)
		}
		if len(p.of) != 0 {
			t.Errorf("%s: left %v", c.rule, p.of)
		}
	}
}

func TestNoLimitCountsNothing(t *testing.T) {
	var p perIP
	for range 3 {
		if !p.admit(netip.MustParseAddr("192.0.2.1")) {
			t.Error("refused")
		}
	}
	p.most = 1
	for range 3 {
		if !p.admit(netip.Addr{}) {
			t.Error("an address that is none was refused")
		}
	}
	p.release(netip.Addr{})
	if len(p.of) != 0 {
		t.Errorf("counted %v", p.of)
	}
}

// A connection that is refused for its address does not count in all.
func TestRefusedConnectionsDoNotCount(t *testing.T) {
	a := admission{most: 3, perIP: perIP{most: 1}}
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i, c := range []struct {
		ip netip.Addr
		ok bool
	}{{one, true}, {one, false}, {one, false}, {two, true}, {netip.Addr{}, true}, {netip.Addr{}, false}} {
		if a.admit(c.ip) != c.ok {
			t.Errorf("%d: %v", i, !c.ok)
		}
	}
	if a.open.Load() != 3 || a.refused.Load() != 3 {
		t.Errorf("%d open, %d refused", a.open.Load(), a.refused.Load())
	}
}

// Loops count at once.
func TestAdmissionOfManyLoops(t *testing.T) {
	p := perIP{most: 5}
	ip := netip.MustParseAddr("2001:db8::1")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if p.admit(ip) {
					p.release(ip)
				}
			}
		})
	}
	wg.Wait()
	if len(p.of) != 0 {
		t.Errorf("left %v", p.of)
	}
}

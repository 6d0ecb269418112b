package engine

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// admission counts accepted connections against the limits, for all loops.
type admission struct {
	most, mostPerIP int // negative or zero: no limit
	open            atomic.Int64
	refused         atomic.Int64
	mu              sync.Mutex
	perIP           map[netip.Addr]int // only with mostPerIP
}

// admit counts a connection in, or says no.
func (a *admission) admit(ip netip.Addr) bool {
	if n := a.open.Add(1); a.most > 0 && n > int64(a.most) {
		a.open.Add(-1)
		a.refused.Add(1)
		return false
	}
	if a.mostPerIP <= 0 || !ip.IsValid() {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.perIP[ip] >= a.mostPerIP {
		a.open.Add(-1)
		a.refused.Add(1)
		return false
	}
	if a.perIP == nil {
		a.perIP = make(map[netip.Addr]int)
	}
	a.perIP[ip]++
	return true
}

// release counts it out.
func (a *admission) release(ip netip.Addr) {
	a.open.Add(-1)
	if a.mostPerIP <= 0 || !ip.IsValid() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.perIP[ip]--; a.perIP[ip] == 0 {
		delete(a.perIP, ip)
	}
}

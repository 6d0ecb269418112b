package engine

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// admission counts accepted connections against the limits, for all loops.
type admission struct {
	most    int // negative or zero: no limit
	open    atomic.Int64
	refused atomic.Int64
	perIP   perIP
}

// admit counts a connection in, or says no.
func (a *admission) admit(ip netip.Addr) bool {
	if n := a.open.Add(1); a.most > 0 && n > int64(a.most) || !a.perIP.admit(ip) {
		a.open.Add(-1)
		a.refused.Add(1)
		return false
	}
	return true
}

// release counts it out.
func (a *admission) release(ip netip.Addr) {
	a.open.Add(-1)
	a.perIP.release(ip)
}

// perIP counts what one source has. An address that is none, of a unix socket, is no
// source and not counted.
type perIP struct {
	most int // negative or zero: no limit, and nothing is counted
	mu   sync.Mutex
	of   map[netip.Addr]int
}

// source is what counts as one address: of IPv6 a network of 64 bits, of which any
// host has all.
func source(ip netip.Addr) netip.Addr {
	ip = ip.Unmap()
	if !ip.Is6() {
		return ip
	}
	p, _ := ip.Prefix(64) // which fails for no IPv6 address
	return p.Addr()
}

func (c *perIP) admit(ip netip.Addr) bool {
	if c.most <= 0 || !ip.IsValid() {
		return true
	}
	ip = source(ip)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[ip] >= c.most {
		return false
	}
	if c.of == nil {
		c.of = make(map[netip.Addr]int)
	}
	c.of[ip]++
	return true
}

func (c *perIP) release(ip netip.Addr) {
	if c.most <= 0 || !ip.IsValid() {
		return
	}
	ip = source(ip)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[ip]--; c.of[ip] == 0 {
		delete(c.of, ip)
	}
}

// webSockets counts those that were accepted, from the request on.
type webSockets struct {
	refused atomic.Int64
	perIP   perIP
}

// admitWebSocket counts the session as a WebSocket until its connection ends, or says
// no.
func (s *session) admitWebSocket() bool {
	w := &s.l.e.webSockets
	if w.perIP.most <= 0 {
		return true
	}
	if !w.perIP.admit(s.link.Peer().Addr()) {
		w.refused.Add(1)
		return false
	}
	s.flags |= flagWebSocket
	return true
}

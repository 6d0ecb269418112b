package handshakes

import (
	"maps"
	"net/netip"
)

// crowd is how many sources a map must have held before it is worth a smaller one.
const crowd = 1024

// source is where tickets come from: an address, or all that have none. It exists while one of them is pending
// or waits.
type source struct {
	turn    link[source] // in the gate's ready, while one waits and may be admitted
	ip      netip.Addr   // as reduced by network
	pending int
	waiting list[Ticket]
}

// sources finds a source by its address. Its zero value is empty.
type sources struct {
	by   map[netip.Addr]*source
	peak int // the most that by has held
}

// at returns the source of ip, a new one if there is none.
func (m *sources) at(ip netip.Addr) *source {
	ip = network(ip)
	s := m.by[ip]
	if s == nil {
		s = &source{ip: ip}
		if m.by == nil {
			m.by = make(map[netip.Addr]*source)
		}
		m.by[ip] = s
		m.peak = max(m.peak, len(m.by))
	}
	return s
}

// drop removes s if nothing is left of it.
func (m *sources) drop(s *source) {
	if s.pending > 0 || !s.waiting.empty() {
		return
	}
	delete(m.by, s.ip)
	if m.peak > crowd && len(m.by) < m.peak/8 {
		m.shrink()
	}
}

// shrink copies what is left: a map keeps the memory of all it ever held. The seven that were deleted for
// each that is copied have paid for it.
func (m *sources) shrink() {
	by := make(map[netip.Addr]*source, len(m.by))
	maps.Copy(by, m.by)
	m.by, m.peak = by, len(by)
}

// network is what counts as one address: see NewGate.
func network(ip netip.Addr) netip.Addr {
	ip = ip.Unmap()
	if !ip.Is6() {
		return ip
	}
	p, _ := ip.Prefix(64) // which fails for no IPv6 address
	return p.Addr()
}

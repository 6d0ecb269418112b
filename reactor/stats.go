package reactor

import "sync/atomic"

// Stats is a snapshot of a Reactor's counters, summed over its loops.
type Stats struct {
	// Connections is how many are open now, in any state.
	Connections int64
	// Accepted and Dialed count connections since the start.
	Accepted, Dialed int64
	// AcceptErrors counts calls to accept(2) that failed for a lasting reason, as
	// want of descriptors or memory; each is followed by a pause.
	AcceptErrors int64
	// BytesIn and BytesOut count what went through sockets, TLS included.
	BytesIn, BytesOut int64
}

// counters are written by one loop and read by anyone.
type counters struct {
	conns, accepted, dialed, acceptErrors, bytesIn, bytesOut counter
}

// counter has one writer, so adding needs no locked instruction but the store.
type counter struct{ v atomic.Int64 }

func (c *counter) add(n int) { c.v.Store(c.v.Load() + int64(n)) }

// Stats may be called from any goroutine.
func (r *Reactor) Stats() Stats {
	var s Stats
	for _, l := range r.loops {
		c := &l.counters
		s.Connections += c.conns.v.Load()
		s.Accepted += c.accepted.v.Load()
		s.Dialed += c.dialed.v.Load()
		s.AcceptErrors += c.acceptErrors.v.Load()
		s.BytesIn += c.bytesIn.v.Load()
		s.BytesOut += c.bytesOut.v.Load()
	}
	return s
}

package engine

import (
	"sync/atomic"

	"github.com/penstock-go/penstock/reactor"
)

// Stats is a snapshot of what the engine counts.
type Stats struct {
	// Stats are the sockets'.
	reactor.Stats
	// Sessions and WebSockets are how many are open now.
	Sessions, WebSockets int64
	// ClientIdle is how many connections of HTTP clients wait for their next request.
	// They are no sessions.
	ClientIdle int64
	// Requests is how many HTTP requests have been received, upgrades included.
	Requests int64
	// MessagesIn and MessagesOut are how many WebSocket messages were received and
	// sent, whole.
	MessagesIn, MessagesOut int64
	// Published is how many messages the program has published, Delivered how many of
	// their copies were given to a subscriber's connection, and Dropped how many were
	// not, nor what the program wrote to one session: for want of room
	// (Protocol.Overflow), or because a session ended first.
	Published, Delivered, Dropped int64
	// Subscriptions is how many there are now, each session counted once for each of
	// its topics.
	Subscriptions int64
	// Refused is how many connections Limits.Connections and ConnectionsPerIP have
	// turned away.
	Refused int64
	// WebSocketsRefused is how many upgrades Limits.WebSocketsPerIP has refused.
	WebSocketsRefused int64
	// TLSHandshakes is how many TLS handshakes were completed, TLSResumed how many of
	// them by resuming an earlier session, TLSFailed how many ended in an error of
	// TLS, and TLSTimeouts how many took too long. Both sides count.
	TLSHandshakes, TLSResumed, TLSFailed, TLSTimeouts int64
	// TLSPending is how many servers' handshakes have begun and not ended, TLSWaiting
	// how many wait for Limits.TLSHandshakes or TLSHandshakesPerIP.
	TLSPending, TLSWaiting int64
	// TLSSteps is how many steps of handshakes are being worked at, and
	// TLSStepsQueued how many wait for that.
	TLSSteps, TLSStepsQueued int64
}

// counters are plain numbers that a loop counts in; after each event it publishes
// what has changed, so that counting costs next to nothing.
type counters struct {
	tally
	published tally
	shared    [tallies]atomic.Int64
}

type tally struct {
	sessions, websockets, requests, messagesIn, messagesOut int64

	tlsHandshakes, tlsResumed, tlsFailed, tlsTimeouts int64

	publications, delivered, dropped, subscriptions int64

	idle int64 // HTTP clients' connections, each of which counts as a session
}

const tallies = 14

func (t *tally) list() [tallies]int64 {
	return [tallies]int64{t.sessions, t.websockets, t.requests, t.messagesIn, t.messagesOut,
		t.tlsHandshakes, t.tlsResumed, t.tlsFailed, t.tlsTimeouts,
		t.publications, t.delivered, t.dropped, t.subscriptions,
		t.idle}
}

func (c *counters) publish() {
	if c.tally == c.published {
		return
	}
	was := c.published.list()
	for i, n := range c.tally.list() {
		if n != was[i] {
			c.shared[i].Store(n)
		}
	}
	c.published = c.tally
}

// Stats may be called from any goroutine, at any time.
func (e *Engine) Stats() Stats {
	var s Stats
	e.mu.Lock()
	r, loops := e.r, e.loops
	e.mu.Unlock()
	if r != nil {
		s.Stats = r.Stats()
	}
	for _, l := range loops {
		c := &l.counters.shared
		s.Sessions += c[0].Load()
		s.WebSockets += c[1].Load()
		s.Requests += c[2].Load()
		s.MessagesIn += c[3].Load()
		s.MessagesOut += c[4].Load()
		s.TLSHandshakes += c[5].Load()
		s.TLSResumed += c[6].Load()
		s.TLSFailed += c[7].Load()
		s.TLSTimeouts += c[8].Load()
		s.Published += c[9].Load()
		s.Delivered += c[10].Load()
		s.Dropped += c[11].Load()
		s.Subscriptions += c[12].Load()
		s.ClientIdle += c[13].Load()
	}
	s.Sessions -= s.ClientIdle
	s.Published += e.published.Load()
	s.Refused, s.WebSocketsRefused = e.admission.refused.Load(), e.webSockets.refused.Load()
	pending, waiting := e.gate.Stats()
	s.TLSPending, s.TLSWaiting = int64(pending), int64(waiting)
	s.TLSSteps, s.TLSStepsQueued = int64(e.steps.Running()), int64(e.steps.Queued())
	return s
}

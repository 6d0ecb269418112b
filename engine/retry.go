package engine

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// RetryPolicy says how a client goes on when it could not be connected, or was
// connected and is no longer: libwebsockets' lws_retry_bo_t.
//
// An attempt that fails is tried again by the same session, after a time that
// ClientRetrying announces; Connecting follows. Handles write and close meanwhile as
// they do before the first attempt, and timers go on; writes that SendQueue has no room
// for are dropped, and counted in Stats. What would come to the same end
// again is not tried again: an error that a callback returns, a response 3xx or 4xx
// other than 408 (request timeout), 425 (too early) and 429 (too many requests), and a
// proxy that does not want this client. When the engine shuts down nothing is.
type RetryPolicy struct {
	// Table is how long to wait after the first, second, third failure in a row; behind
	// its end the last one counts. nil is libwebsockets' 1 s, 3 s, 9 s, 17 s.
	Table []time.Duration
	// Conceal is after how many failures in a row there is another attempt: the next one
	// ends the session with ClientConnectionError. The loss of an established connection
	// is the first in its row. 0 means 4, as in libwebsockets, a negative value that
	// there always is another.
	Conceal int
	// Jitter is how many percent of the time to wait may be added to it, at random, so
	// that the clients of a server that comes back do not come back all at once. At most
	// 100; 0 means 20, a negative value none.
	Jitter int
	// MaxRetryAfter is how long a server may have the client wait by Retry-After, in a
	// redirect or a response that is tried again; it never makes the wait shorter. 0
	// means 5 minutes, a negative value that Retry-After is not heeded.
	MaxRetryAfter time.Duration
	// Reconnect begins a new session when one that was established has ended, and it was
	// not this program that ended it: by Close, by an error, or by Shutdown. It follows
	// WSIDestroy, with the same ClientConnectInfo and the UserData that the old one had at
	// its end; behind WSICreate it raises ClientRetrying for the first time of the Table.
	// Session.Handle of all of them is one and the same Handle; what is written to it
	// while a session is ending is lost, like what was on its way.
	Reconnect bool
	// PingInterval and HangupTimeout replace the Protocol's for these WebSockets; see
	// Session.SetLiveness. 0 leaves one as it is, a negative value is none.
	PingInterval, HangupTimeout time.Duration
}

const (
	defaultConceal       = 4
	defaultJitter        = 20
	defaultMaxRetryAfter = 5 * time.Minute
)

// defaultTable is libwebsockets'.
var defaultTable = []time.Duration{time.Second, 3 * time.Second, 9 * time.Second, 17 * time.Second}

// check looks at p, which may be nil.
func (p *RetryPolicy) check() error {
	switch {
	case p == nil:
	case p.Jitter > 100:
		return configErrorf("Retry.Jitter %d", p.Jitter)
	case slices.ContainsFunc(p.Table, func(d time.Duration) bool { return d < 0 || d > noTimeLimit/4 }):
		return configErrorf("Retry.Table %v", p.Table)
	}
	return nil
}

// withDefaults returns a copy of p with every zero settled: a negative Jitter and
// MaxRetryAfter become 0.
func (p *RetryPolicy) withDefaults() *RetryPolicy {
	q := *p
	q.Table = slices.Clone(p.Table)
	if len(q.Table) == 0 {
		q.Table = defaultTable
	}
	if q.Conceal == 0 {
		q.Conceal = defaultConceal
	}
	if q.Jitter == 0 {
		q.Jitter = defaultJitter
	}
	q.Jitter = max(q.Jitter, 0)
	if q.MaxRetryAfter == 0 {
		q.MaxRetryAfter = defaultMaxRetryAfter
	}
	q.MaxRetryAfter = min(max(q.MaxRetryAfter, 0), noTimeLimit/4)
	return &q
}

// delay is how long to wait after so many failures, one at least, when the server
// has asked for a time, or for none, which is 0.
func (p *RetryPolicy) delay(failures int, asked time.Duration, rng *rand.Rand) time.Duration {
	d := p.Table[min(failures, len(p.Table))-1]
	return p.spread(max(d, min(asked, p.MaxRetryAfter)), rng)
}

// spread adds the jitter.
func (p *RetryPolicy) spread(d time.Duration, rng *rand.Rand) time.Duration {
	return d + time.Duration(rng.Int64N(int64(d/100)*int64(p.Jitter)+1))
}

// retryAfter is what a response asks for (RFC 9110 10.2.3), 0 for nothing. A date is
// held against the server's own clock, if it tells: now may be wrong.
func retryAfter(r *http1.Response, now time.Time) time.Duration {
	value, ok := r.Header().Get("Retry-After")
	if !ok {
		return 0
	}
	if n, err := strconv.ParseUint(string(value), 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(n, uint64(noTimeLimit/time.Second))) * time.Second
	}
	until, ok := http1.ParseDate(string(value))
	if !ok {
		return 0
	}
	if value, ok := r.Header().Get("Date"); ok {
		if t, ok := http1.ParseDate(string(value)); ok {
			now = t
		}
	}
	return max(until.Sub(now), 0)
}

// again is asked by the one place where sessions die, when the attempt has ended by
// err: whether there is another. The session has lost its link and has another state
// then.
func (d *dialRole) again(s *session, err error) bool {
	s.because(d.unanswered(err))
	d.letGo(s)
	hop := d.hop
	d.hop = nil
	n := d.line
	switch {
	case s.l.draining || n != nil && n.over:
		return false
	case hop != nil:
		return d.redirected(s, hop)
	case d.stale(s):
		d.fresh = true
		d.unlink(s)
		s.ext.err = nil
		d.dial(s)
		return true
	case n == nil || lasting(s.Err()) || !d.repeatable() || n.policy.Conceal >= 0 && n.failures >= n.policy.Conceal:
		return false
	}
	n.failures++
	d.unlink(s)
	d.info, d.hops = n.info, 0
	return d.wait(s, n.policy.delay(n.failures, d.asked, s.l.jitter))
}

// unlink makes s a session that is not connected, as it was before the attempt. The
// link is gone, or goes without it.
func (d *dialRole) unlink(s *session) {
	d.attempt = attempt{refusal: d.refusal, asked: d.asked}
	s.link, s.state = nil, stateOpening
	s.deadline, s.armed = 0, 0
	s.paused &= pauseUser
	s.flags &^= flagWriteable | flagCutShort
	s.arm()
}

// wait announces the next attempt, with the cause, and begins to wait for its time.
// It reports whether the program agrees.
func (d *dialRole) wait(s *session, delay time.Duration) bool {
	in := delay.Round(time.Millisecond).String() + ": " + s.cause().Error()
	if err := d.tellOf(s, d.refusal, callbacks.ClientRetrying, in); err != nil {
		d.line.over = true
		if !errors.Is(err, callbacks.ErrClose) {
			s.ext.err = err
		}
		return false
	}
	s.ext.err = nil
	s.l.clients[s] = struct{}{}
	s.deadlineIn(delay)
	return true
}

// cause is Session.Err, which now has to be something.
func (s *session) cause() error {
	s.because(callbacks.ErrClosed)
	return s.ext.err
}

package engine

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/penstock-go/penstock/codec/ws"
)

// What keeps a WebSocket honest about time and about control frames:
//
//	begin      the first deadline, when it opens
//	timeout    the deadline has passed: who is closing, stalled, paused, or silent?
//	judge      the silent: hang up, end the idle, send a ping
//	answers    a pong that belongs to such a ping is the round-trip time
//	allowed    pings and pongs come out of an allowance

// ErrHangup ends a WebSocket whose peer has been silent for its HangupTimeout, also
// after a ping.
var ErrHangup = errors.New("engine: the peer does not answer")

// ErrIdle ends a WebSocket on which no message has come or gone for
// Protocol.IdleTimeout.
var ErrIdle = errors.New("engine: no message for too long")

// ErrControlFrames ends a WebSocket whose peer sends more pings and pongs than
// Limits.ControlFrames. It must not be changed.
var ErrControlFrames = &ws.CloseError{Code: ws.StatusPolicyViolation, Reason: "too many pings or pongs"}

// begin starts the clocks of a WebSocket that has just opened.
func (w *wsRole) begin(s *session) {
	if s.proto.IdleTimeout > 0 {
		w.flags |= wsIdles
	}
	s.seen = s.l.r.Now() // the program may have held the upgrade for long
	w.moved(s)
	w.watch(s, s.seen)
}

// moved says that a message, or some of one, has come or gone.
func (w *wsRole) moved(s *session) {
	if w.flags&wsIdles != 0 {
		w.extend().moved = s.l.r.Now()
	}
}

// either returns the first of the times that is set; a negative one is none.
func either(times ...time.Duration) time.Duration {
	for _, d := range times {
		if d < 0 {
			return noTimeLimit
		}
		if d > 0 {
			return min(d, noTimeLimit)
		}
	}
	return noTimeLimit
}

// silence is how long the peer may be silent: until it is sent a ping, and until it
// is given up.
func (w *wsRole) silence(s *session) (ping, hangup time.Duration) {
	lim := &s.l.e.limits
	if m := w.more; m != nil {
		ping, hangup = m.ping, m.hangup
	}
	ping = either(ping, s.proto.PingInterval, lim.PingInterval)
	hangup = either(hangup, s.proto.HangupTimeout, afterPing(ping, lim))
	if ping != noTimeLimit {
		ping -= ping / jitterShare / 1024 * time.Duration(s.id*jitterSpread>>54)
	}
	return ping, hangup
}

// afterPing is the engine's HangupTimeout, unless a longer interval than its own was
// chosen: who has had no ping for so long is not dead.
func afterPing(ping time.Duration, lim *Limits) time.Duration {
	if ping <= lim.PingInterval || lim.HangupTimeout == noTimeLimit {
		return lim.HangupTimeout
	}
	return min(ping, noTimeLimit-lim.HangupTimeout) + max(lim.HangupTimeout-lim.PingInterval, 0)
}

// Sessions that were connected in the same moment, after a restart say, must not be
// pinged in the same moment for ever. Each takes up to a tenth off its interval. How
// much comes from its number, which makes a simulated run repeatable; the factor, of
// Fibonacci hashing, puts neighbours far apart.
const (
	jitterShare  = 10
	jitterSpread = 0x9E3779B97F4A7C15
)

// closeTimeout is how long the peer may take to answer a close frame.
func (s *session) closeTimeout() time.Duration {
	return either(s.proto.CloseTimeout, s.l.e.limits.CloseTimeout)
}

// setSilence is Session.SetLiveness.
func (w *wsRole) setSilence(s *session, ping, hangup time.Duration) {
	if ping != 0 {
		w.extend().ping = ping
	}
	if hangup != 0 {
		w.extend().hangup = hangup
	}
	if w.flags&wsClosed == 0 && s.paused&pauseQueue == 0 { // else the deadline is about something else
		w.watch(s, s.l.r.Now())
	}
}

// watch sets the deadline to what comes next: the ping, giving up, or the end of
// idleness. now tells how late it is: a peer that has had its ping gets another one
// after the same time.
func (w *wsRole) watch(s *session, now int64) {
	ping, hangup := w.silence(s)
	at := s.seen + int64(ping)
	if at <= now {
		at = now + int64(ping)
	}
	s.deadlineAt(min(at, s.seen+int64(hangup), w.idleAt(s)))
}

// idleAt is when the session will have been idle for too long.
func (w *wsRole) idleAt(s *session) int64 {
	if w.flags&wsIdles == 0 {
		return math.MaxInt64
	}
	return w.more.moved + int64(s.proto.IdleTimeout)
}

func (w *wsRole) timeout(s *session, now int64) {
	switch {
	case w.flags&wsClosed != 0 && w.flags&wsPeerDone != 0:
		s.shut(nil)
	case w.flags&wsClosed != 0:
		w.closing(s)
	case s.paused&pauseQueue != 0:
		w.moved(s) // stalled decides what is too long here
		s.stalled(now)
	case s.paused != 0:
		s.seen = now // it is we who do not listen
		w.moved(s)
		w.watch(s, now)
	default:
		w.judge(s, now)
	}
}

// judge looks at how long a peer has been silent, or the session idle.
func (w *wsRole) judge(s *session, now int64) {
	ping, hangup := w.silence(s)
	if w.idleAt(s) <= now {
		w.leaves(s)
	}
	quiet := time.Duration(now - s.seen)
	switch {
	case quiet >= hangup:
		w.code = ws.StatusAbnormalClosure
		s.abort(ErrHangup)
		return
	case w.idleAt(s) <= now:
		s.because(ErrIdle)
		w.closeWith(s, ws.StatusGoingAway, "idle")
		return
	case quiet >= ping:
		w.ping(s, now)
		w.forget()
	}
	w.watch(s, now)
}

// leaves looks for what was written long ago and is still leaving, which is no
// idleness, nor is what has left since this was last asked.
func (w *wsRole) leaves(s *session) {
	m, pending := w.more, s.link.Pending() > 0
	was := m.leaving
	m.leaving = pending && s.link.Progressed()
	if m.leaving || was && !pending {
		w.moved(s)
	}
}

// ping sends a ping of the engine's own. Its payload tells it from the program's, and
// when the first one that has not been answered left: a peer may answer the last of
// several only (RFC 6455 5.5.3), and the answer to any is one to the first.
func (w *wsRole) ping(s *session, now int64) {
	stamp := w.pinged
	if stamp == 0 {
		stamp = max(micros(now), 1)
	}
	var p [pingSize]byte
	binary.BigEndian.PutUint32(p[copy(p[:], s.l.pingMark[:]):], stamp)
	if w.control(s, ws.OpPing, p[:]) {
		w.pinged = stamp
	}
}

// pingSize is the payload of the engine's own pings: the loop's mark and the time.
const pingSize = 8

// micros is a time in microseconds, as it fits; it comes round every 71 minutes.
func micros(now int64) uint32 { return uint32(uint64(now) / 1000) }

// answers tells whether p is the answer to a ping of the engine's own, and takes the
// time if it is the first.
func (w *wsRole) answers(s *session, p []byte) bool {
	mark := len(s.l.pingMark)
	if len(p) != pingSize || string(p[:mark]) != string(s.l.pingMark[:]) {
		return false
	}
	if w.pinged != 0 && binary.BigEndian.Uint32(p[mark:]) == w.pinged {
		w.rtt = max(micros(s.l.r.Now())-w.pinged, 1)
		w.pinged = 0
	}
	return true
}

// controlBurst is for how many seconds a peer's allowance of control frames adds up: a
// test suite or a page that wakes up sends some at once.
const controlBurst = 10

// allowed takes a ping or pong out of the peer's allowance and reports whether it was
// in it. The bucket is one number, the time at which it is full again, counted in
// frames: at the limit's rate one frame is one tick. So it needs no work while nothing
// comes, and it comes round only after weeks.
func (w *wsRole) allowed(s *session) bool {
	rate := s.l.e.limits.ControlFrames
	if rate > math.MaxInt32/controlBurst {
		return true
	}
	now := s.l.r.Now()
	tick := uint32(now/int64(time.Second)*int64(rate) + now%int64(time.Second)*int64(rate)/int64(time.Second))
	used, most := w.allowance-tick, uint32(rate*controlBurst)
	if w.allowance == 0 || used > most { // it has been full for long
		used = 0
	}
	w.allowance = max(tick+used+1, 1)
	return used < most
}

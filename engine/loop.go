package engine

import (
	"crypto/x509"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/internal/invariant"
	"github.com/penstock-go/penstock/reactor"
)

// loop is the engine's share of a reactor.Loop: what its sessions use one after
// the other.
type loop struct {
	e    *Engine
	r    *reactor.Loop
	cork cork

	// Scratch of the session in hand.
	request *http1.Request
	event   ws.Event
	piece   piece

	// Scratch of TLS: what a read was decrypted to, a head and the body that it is
	// sealed with, and the records. The first may be in hand when the others are used.
	plain, joined, sealed []byte

	// Compression's, see ws_deflate.go.
	agreements         map[terms]*agreement
	compressors        [10]*deflate.Compressor // by level
	inflater           deflate.Inflater
	inflated, deflated []byte
	inflateWork        int // of the event in hand
	turns              turns

	// Of topics; see topics.go.
	topics        map[string]*topic
	mailed        atomic.Int32 // publications that were posted to it and not delivered yet
	pace          pace
	dirty         []*subscriber // have something in their backlog for fanOut
	fan           func()        // fanOut, made a function once
	fanned        int           // bytes of prepared messages, ever
	waitings      *waiting      // free, linked by next
	spareWaitings int           // how many

	laters     []*session            // want role.settle
	pipelines  []*session            // have had their turn; see pipeline.go
	pipelined  int                   // requests of the event in hand
	writeables []*session            // want a Writeable callback
	spare      []*session            // the other half of each list while it is walked
	clients    map[*session]struct{} // not connected yet
	idles      map[upstreamKey][]*session
	httpRoles  []*httpRole      // free
	requests   []*http1.Request // free
	keys       *ws.MaskKeys
	pingMark   [4]byte // begins the payload of the engine's own pings
	date       date
	handshake  handshake
	access     AccessEntry           // lent to AccessLog
	user       []byte                // ... of it
	refused    []byte                // the head that is being refused
	roots      func() *x509.CertPool // Session.VerifyCerts; nil but in the callbacks that have it
	recurring  []*recurring          // alarms of the engine's own
	jitter     *rand.Rand            // of RetryPolicy
	here       uint64                // the goroutine, in the invariants build
	draining   bool
	counters   counters
}

func newLoop(e *Engine, r *reactor.Loop) *loop {
	l := &loop{e: e, r: r, request: new(http1.Request), keys: ws.NewMaskKeys(),
		clients: make(map[*session]struct{}), idles: make(map[upstreamKey][]*session), agreements: make(map[terms]*agreement), topics: make(map[string]*topic)}
	l.fan = l.fanOut
	l.pingMark = l.keys.Next()
	l.jitter = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	r.Shared = l
	r.AfterEvent = l.afterEvent
	return l
}

// afterEvent does what sessions asked for during an event, and sends what they
// wrote.
func (l *loop) afterEvent() {
	if invariant.Enabled && l.here == 0 {
		l.here = invariant.Goroutine()
	}
	for len(l.laters) > 0 {
		l.runLaters()
	}
	l.cork.flush()
	l.counters.publish()
}

func (l *loop) runLaters() {
	list := l.laters
	l.laters = l.spare[:0]
	l.spare = nil
	for i, s := range list {
		list[i] = nil
		s.flags &^= flagLater
		if s.state == stateOpen {
			s.role.settle(s)
		}
	}
	l.spare = list[:0]
}

// wantWriteable puts s on the list for the next turn, behind the sockets: a
// session that always asks again must not keep the others waiting.
func (l *loop) wantWriteable(s *session) {
	if len(l.writeables) == 0 {
		l.r.Defer(l.runWriteables)
	}
	l.writeables = append(l.writeables, s)
}

func (l *loop) runWriteables() {
	list := l.writeables
	l.writeables = nil
	for _, s := range list {
		if s.flags&flagWriteable != 0 && s.state == stateOpen && !s.link.High() && !s.backed() && s.handshaking() == nil { // else drained calls, or flush, or done
			s.flags &^= flagWriteable
			s.role.writeable(s)
		}
	}
}

// assertHere holds the caller to the rule that a session belongs to its loop, in
// the invariants build.
func (l *loop) assertHere() {
	if invariant.Enabled && l.here != 0 {
		invariant.Check(l.here == invariant.Goroutine(), "engine: a Session was used outside its loop")
	}
}

// date is the value of Date, made anew when the second changes.
type date struct {
	text  []byte
	until int64 // of the loop's clock
}

// appendDate appends the field line.
func (l *loop) appendDate(dst []byte) []byte {
	if now := l.r.Now(); now >= l.date.until {
		wall := time.Now()
		l.date.text = append(http1.AppendDate(append(l.date.text[:0], "Date: "...), wall), "\r\n"...)
		l.date.until = now + int64(time.Second) - int64(wall.Nanosecond())
	}
	return append(dst, l.date.text...)
}

// takeRequest lends a Request for a head that outlives its buffer.
func (l *loop) takeRequest() *http1.Request {
	if n := len(l.requests); n > 0 {
		r := l.requests[n-1]
		l.requests = l.requests[:n-1]
		return r
	}
	return new(http1.Request)
}

// freeKeep bounds the free lists: what a burst needed is not kept for ever.
const freeKeep = 1024

func (l *loop) giveRequest(r *http1.Request) {
	if len(l.requests) < freeKeep {
		r.Reset()
		l.requests = append(l.requests, r)
	}
}

func (l *loop) takeHTTPRole(p *port) *httpRole {
	if n := len(l.httpRoles); n > 0 {
		h := l.httpRoles[n-1]
		l.httpRoles = l.httpRoles[:n-1]
		*h = httpRole{port: p}
		return h
	}
	return &httpRole{port: p}
}

func (l *loop) giveHTTPRole(h *httpRole) {
	*h = httpRole{}
	if len(l.httpRoles) < freeKeep {
		l.httpRoles = append(l.httpRoles, h)
	}
}

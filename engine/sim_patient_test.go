package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/tlsbridge"
)

// patient is a client with a policy, and the server that it looks for, which fails in
// many ways before it is there.
type patient struct {
	w       *world
	name    string
	policy  RetryPolicy
	fails   int // of the first attempts
	wanted  int // how often it is to be established, with Reconnect
	handle  callbacks.Handle
	begun   bool
	tries   int
	opened  int
	failed  error
	retries int
	sent    bool // elsewhere, by the last answer
}

// firstPatient is the port of the first one's server.
const firstPatient = 6000

// TestSimRetry has clients that get through in the end, if they are to.
func TestSimRetry(t *testing.T) {
	runSeeds(t, scenario{name: "retry", config: withPatients, play: addPatients}, simCount)
}

// TestSimRetryChaos has programs that do what they like at every stage of it, and a
// shutdown in the middle.
func TestSimRetryChaos(t *testing.T) {
	runSeeds(t, scenario{name: "impatience", config: func(w *world, nc *simnet.Config, cfg *Config) {
		withPatients(w, nc, cfg)
		cfg.Limits = w.tightLimits()
		w.mad, w.cut, w.spoils = 0.3*w.rng.Float64(), true, true
	}, play: func(w *world) {
		addPatients(w)
		w.shutdownWithin(time.Minute)
	}}, simCount)
}

func withPatients(w *world, nc *simnet.Config, _ *Config) {
	nc.Connect = w.dialling
	w.custom = w.impatience
}

func addPatients(w *world) {
	w.e.loops[0].jitter = w.rng
	for i := range 1 + w.rng.IntN(4) {
		w.addPatient(i)
	}
}

// addPatient adds a client, and somebody who waits until it is over.
func (w *world) addPatient(i int) {
	p := &patient{w: w, name: fmt.Sprintf("patient %d", i), fails: w.rng.IntN(5), wanted: 1}
	for range w.rng.IntN(4) {
		p.policy.Table = append(p.policy.Table, time.Duration(w.rng.IntN(3000))*time.Millisecond)
	}
	p.policy.Conceal = w.rng.IntN(8) - 2
	p.policy.Jitter = w.rng.IntN(102) - 1
	if p.policy.Reconnect = w.rng.IntN(2) == 0; p.policy.Reconnect {
		p.wanted = 1 + w.rng.IntN(3)
	}
	w.patients = append(w.patients, p)
	info := ClientConnectInfo{Address: "192.0.2.1", Port: firstPatient + i, Protocol: "echo", Retry: &p.policy, UserData: p}
	if w.tls != nil {
		info.Flags = UseSSL
	}
	w.add(p.name, rest(time.Second), do(func(*peer) {
		var err error
		if p.handle, err = w.e.Connect(info); err != nil && !w.cut {
			w.failf("%s: %v", p.name, err)
		}
		p.begun = true
	}), until(p.over))
	w.checks = append(w.checks, p.check)
}

// over tells whether there will be no other session.
func (p *patient) over() bool {
	switch h := p.handle.(type) {
	case *line:
		return h.gone.Load()
	case *handle:
		return h.gone.Load()
	}
	return p.begun
}

// dialling decides about an attempt.
func (w *world) dialling(to kernel.Target) simnet.Answer {
	p := w.patients[int(to.Addr.Port())-firstPatient]
	if to.Addr.Addr() != netip.MustParseAddr("192.0.2.1") {
		w.failf("%s dials %v", p.name, to)
	}
	p.tries++
	after := time.Duration(w.rng.IntN(400)) * time.Millisecond
	if p.tries > p.fails {
		return simnet.Answer{After: after, Accepted: func(end *simnet.End) { p.serve(end, p.well()) }}
	}
	return [...]simnet.Answer{{Now: unix.ENETUNREACH}, {After: after, Err: unix.ECONNREFUSED}, {After: -1}, {After: after, Err: unix.ETIMEDOUT},
		{After: after, Accepted: func(end *simnet.End) { p.serve(end, p.badly()) }},
		{After: after, Accepted: func(end *simnet.End) { p.serve(end, p.badly()) }}}[w.rng.IntN(6)]
}

func (p *patient) serve(end *simnet.End, ops []op) {
	far := p.w.add(p.name+"'s server", append([]op{shaken()}, ops...)...)
	far.frames.masked, far.scan = true, scanFrames
	far.met(end, tlsbridge.Server)
	p.w.spoil(far, 0)
}

// badly is a server whose fault may pass.
func (p *patient) badly() []op {
	w := p.w
	texts := [...]string{"garbage\r\n\r\n", "HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 100\r\n\r\nsome",
		"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 429 Slow down\r\n\r\nuntil the end",
		"HTTP/1.1 101 Switching", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 101 Yes\r\n\r\n"}
	ops := []op{rest(time.Second), send([]byte(texts[w.rng.IntN(len(texts))])), [...]func() op{closeWrite, closeBoth, reset, vanish}[w.rng.IntN(4)]()}
	if w.rng.IntN(2) == 0 {
		ops = append([]op{await("the request", func(p *peer) bool { return p.frames.head != nil })}, ops...)
	}
	return ops
}

// well is a server that redirects now and then, opens the WebSocket, and then closes or
// is closed.
func (p *patient) well() []op {
	w := p.w
	request := await("the request", func(p *peer) bool { return p.frames.head != nil })
	if p.sent = !p.sent && w.rng.IntN(4) == 0; p.sent {
		return []op{request, send([]byte("HTTP/1.1 307 Elsewhere\r\nLocation: /b\r\nContent-Length: 2\r\n\r\nhi")), ended()}
	}
	before := p.opened
	return []op{request, sendLate(func(p *peer) []byte { return switching(p.frames.head) }),
		await("the client's opening", func(*peer) bool { return p.opened > before }), rest(5 * time.Second),
		[...]func() op{closeBoth, reset, ended}[w.rng.IntN(3)]()}
}

// impatience is the program: it counts, and ends what it has wanted.
func (w *world) impatience(s callbacks.Session, why callbacks.Reason, _ []byte) error {
	p := s.UserData().(*patient)
	if w.net.Chance(w.mad) {
		if err := w.madness(s, why); err != nil {
			return err
		}
	}
	switch why {
	case callbacks.ClientEstablished:
		if p.opened++; p.opened == p.wanted {
			return [...]func() error{func() error { return s.Close(1000, "") }, func() error { return callbacks.ErrClose },
				func() error { return p.handle.Close(1000, "") }}[w.rng.IntN(3)]()
		}
		s.SetTimer(20 * time.Second)
	case callbacks.Timer:
		_ = p.handle.Write([]byte("hello"), callbacks.WriteText)
		return s.Close(ws.StatusGoingAway, "") // nobody else has
	case callbacks.ClientConnectionError:
		p.failed = s.Err()
		if s.Err() == nil {
			w.failf("%s: ClientConnectionError without an error", p.name)
		}
	case callbacks.ClientRetrying:
		p.retries++
		if s.Err() == nil && w.mad == 0 {
			w.failf("%s: ClientRetrying without a cause", p.name)
		}
	}
	return nil
}

// check compares how it went with how it should have.
func (p *patient) check() {
	if p.w.cut {
		return
	}
	conceal := p.policy.withDefaults().Conceal
	reached := conceal < 0 || p.fails <= conceal
	if reached != (p.opened > 0) || reached == (p.opened == 0 && p.failed != nil) {
		p.w.failf("%s: %d failures, conceal %d: opened %d times, failed by %v", p.name, p.fails, conceal, p.opened, p.failed)
	}
	if p.retries < min(p.fails, max(conceal, 0)) {
		p.w.failf("%s: %d failures, retried %d times", p.name, p.fails, p.retries)
	}
}

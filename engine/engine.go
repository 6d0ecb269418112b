package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/handshakes"
	"github.com/penstock-go/penstock/internal/workers"
	"github.com/penstock-go/penstock/reactor"
)

// ErrClosed is the answer of an Engine that has been shut down. It unwraps to
// net.ErrClosed.
var ErrClosed = fmt.Errorf("engine: shut down: %w", net.ErrClosed)

// Engine serves the vhosts of its Config and connects as a client. Its methods
// may be called from any goroutine.
type Engine struct {
	cfg        Config
	limits     Limits
	log        *slog.Logger
	vhosts     []*vhost
	admission  admission
	webSockets webSockets
	lastID     atomic.Uint64
	refusing   atomic.Int32 // connections that are being told 503
	tx         sync.Map     // sendLimits to *reactor.WriteLimits
	gate       *handshakes.Gate
	steps      stepper
	upstreams  upstreams // of HTTP clients

	workers     *workers.Pool // for the program's work, which may block for long
	fileWorkers *workers.Pool // for files, which must not wait for that
	compressors *workers.Pool // for compressing files, which leaves the loops a processor

	broker     Broker
	audiences  *audiences
	published  atomic.Int64 // by Publish
	publishing atomic.Bool  // the broker has been started, and not stopped
	stopping   sync.RWMutex // held by Engine.Publish, so that none is late

	mu        sync.Mutex
	stage     stage
	r         *reactor.Reactor
	loops     []*loop
	addrs     []net.Addr
	reloading chan struct{}   // holds a token while certificates are read
	turn      int             // of Connect, over the loops
	stop      chan struct{}   // closed by Shutdown
	until     context.Context // Shutdown's, nil before
	ended     chan struct{}   // closed when Run returns
}

// stepper runs the steps of TLS handshakes: a handshakes.Pool.
type stepper interface {
	Begin(j handshakes.Job)
	Continue(j handshakes.Job)
	Running() int
	Queued() int
	Wait()
}

// stage is how far an Engine has come:
//
//	made --Listen--> listening --Run--> running --ctx, Shutdown--> over
type stage uint8

const (
	stageMade stage = iota
	stageListening
	stageRunning
	stageOver
)

// New checks cfg, reads the files it names, and makes an Engine of it. It touches
// no socket. Its errors are ErrConfig.
func New(cfg Config) (*Engine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, limits: cfg.Limits.withDefaults(), log: cfg.Logger,
		stop: make(chan struct{}), ended: make(chan struct{}), reloading: make(chan struct{}, 1)}
	if e.log == nil {
		e.log = slog.Default()
	}
	e.audiences = newAudiences()
	if e.broker = cfg.Broker; e.broker == nil {
		e.broker = inProcess{}
	}
	e.admission.perIP.most = e.limits.ConnectionsPerIP
	e.webSockets.perIP.most = e.limits.WebSocketsPerIP
	for _, v := range cfg.Vhosts {
		use, err := newVhost(v, cfg.ServerString)
		if err != nil {
			return nil, fmt.Errorf("%w (vhost %q)", err, v.Name)
		}
		e.vhosts = append(e.vhosts, use)
		e.warnOfAge(use)
	}
	if e.limits.Connections == 0 {
		e.limits.Connections = connectionsWithin(descriptorLimit(), e.filesKept())
	}
	e.admission.most = e.limits.Connections
	e.gate = handshakes.NewGate(e.limits.TLSHandshakes, e.limits.TLSHandshakesPerIP)
	e.steps = handshakes.NewPool(e.limits.TLSHandshakeSteps)
	e.workers = workers.New(e.limits.Workers, e.limits.WorkQueue)
	e.fileWorkers = workers.New(e.limits.FileWorkers, e.limits.WorkQueue)
	processors := max(runtime.GOMAXPROCS(0)-1, 1)
	e.compressors = workers.New(processors, compressQueue*processors)
	return e, nil
}

// Listen binds the vhosts' addresses. Run does it if it was not done before; call
// it to learn about a port in use early, or to ask for Addrs.
func (e *Engine) Listen() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch e.stage {
	case stageListening, stageRunning:
		return nil
	case stageOver:
		return ErrClosed
	}
	r, err := reactor.New(reactor.Config{Loops: e.cfg.Loops, Write: e.limits.write(), Logger: e.log, Kernel: e.cfg.kernel})
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	for _, l := range r.Loops() {
		e.loops = append(e.loops, newLoop(e, l))
	}
	if err := e.listenAll(r); err != nil {
		r.Discard()
		e.loops, e.addrs = nil, nil
		return err
	}
	e.r, e.stage = r, stageListening
	return nil
}

// listenAll opens one listener for each address, whichever vhosts share it.
func (e *Engine) listenAll(r *reactor.Reactor) error {
	ports := map[string]*port{}
	for i, v := range e.cfg.Vhosts {
		cfg := reactor.ListenConfig{V6Only: v.V6Only, Options: reactor.Options{Delay: v.Delay, KeepAlive: v.KeepAlive}}
		for _, a := range v.Listen {
			network, address, _ := splitListen(a) // New has checked it
			key := network + "://" + address
			if p := ports[key]; p != nil {
				p.vhosts = append(p.vhosts, e.vhosts[i])
				continue
			}
			p := newPort(e.vhosts[i])
			ports[key] = p
			addr, err := r.Listen(network, address, cfg, p.accepted)
			if err != nil {
				return err
			}
			e.addrs = append(e.addrs, addr)
		}
		for _, from := range v.Listeners {
			p := newPort(e.vhosts[i])
			addr, err := r.AdoptListener(from, cfg, p.accepted)
			if err != nil {
				return err
			}
			e.addrs = append(e.addrs, addr)
		}
	}
	return nil
}

// Addrs returns the addresses that Listen has bound, in the order of the vhosts'
// Listen and Listeners, an address that several share once.
func (e *Engine) Addrs() []net.Addr {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]net.Addr(nil), e.addrs...)
}

// Run serves until ctx ends or Shutdown is called, then drains: it accepts no
// more, answers the requests in hand, says 1001 (going away) to every WebSocket,
// waits for Limits.DrainTimeout at most, or for the context of Shutdown, and
// resets what is left. When it returns no goroutine, descriptor or timer of the
// engine's is left. It returns nil after a drain that was complete.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.Listen(); err != nil {
		return err
	}
	e.mu.Lock()
	if e.stage != stageListening {
		e.mu.Unlock()
		return ErrClosed
	}
	e.stage = stageRunning
	r := e.r
	e.mu.Unlock()
	defer close(e.ended)
	if err := e.prepare(); err != nil {
		e.over()
		e.discard()
		return err
	}
	e.watchCertificates()
	r.Start()
	select {
	case <-ctx.Done():
	case <-e.stop:
	}
	err := e.drain(r)
	e.over()
	err = errors.Join(err, r.Stop())
	e.endWaiting()
	e.steps.Wait()
	err = errors.Join(err, e.endWork())
	e.closeMounts()
	e.stopWatching()
	e.destroyProtocols()
	e.stopBroker()
	return err
}

// prepare is what comes before the first session.
func (e *Engine) prepare() error {
	if err := e.loadExtraCAs(); err != nil {
		return err
	}
	if err := e.startBroker(); err != nil {
		return err
	}
	err := e.initProtocols()
	if err != nil {
		e.stopBroker()
	}
	return err
}

func (e *Engine) over() {
	e.mu.Lock()
	e.stage = stageOver
	e.mu.Unlock()
}

// ErrDrain is what Run returns when sessions had to be cut off.
var ErrDrain = errors.New("engine: not every session had ended when time was up")

// ErrWork is what Run returns when work of the program's, a handler's, Session.Go's or
// that of its files, had not come to its end when time was up. Its goroutines are left.
var ErrWork = errors.New("engine: not every worker had ended when time was up")

// endWork waits for the workers, whose sessions have ended: as long again as those were
// given.
func (e *Engine) endWork() error {
	ctx, cancel := e.time()
	defer cancel()
	for _, p := range []*workers.Pool{e.workers, e.fileWorkers, e.compressors} {
		if p.Wait(ctx) != nil {
			return ErrWork
		}
	}
	return nil
}

// time is how long Run may take to end something: Shutdown's, or its own.
func (e *Engine) time() (context.Context, context.CancelFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.until != nil {
		return e.until, func() {}
	}
	return context.WithTimeout(context.Background(), e.limits.DrainTimeout)
}

// drain lets the sessions end.
func (e *Engine) drain(r *reactor.Reactor) error {
	ctx, cancel := e.time()
	defer cancel()
	if r.Drain(ctx, func(l *reactor.Loop) { l.Shared.(*loop).goodbye() }) != nil {
		return ErrDrain
	}
	return nil
}

// goodbye begins to end every session of the loop.
func (l *loop) goodbye() {
	l.draining = true
	for _, s := range l.waiting() {
		s.role.goodbye(s)
	}
	l.r.Each(func(c *reactor.Conn) {
		if h, ok := c.Handler().(interface{ session() *session }); ok && h.session().state == stateOpen {
			s := h.session()
			s.role.goodbye(s)
		}
	})
}

// endWaiting ends the clients of loops that died while they waited to try again; the
// loops have ended all others.
func (e *Engine) endWaiting() {
	for _, l := range e.loops {
		l.here = 0 // its goroutine has ended, and this one may stand in for it
		l.draining = true
		for _, s := range l.waiting() {
			s.ended(ErrClosed)
		}
		l.counters.publish()
	}
}

// waiting are the clients that have no link, in an order that does not change from run
// to run, as a map's would.
func (l *loop) waiting() []*session {
	byAge := func(a, b *session) int { return cmp.Compare(a.id, b.id) }
	return slices.SortedFunc(maps.Keys(l.clients), byAge)
}

// Shutdown makes Run drain and waits until it has returned, or for ctx, which is
// also how long the sessions may take; called from a callback it can only wait
// for ctx. An Engine that does not run is closed at once.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	stage := e.stage
	if e.until == nil {
		e.until = ctx
		close(e.stop)
	}
	if stage < stageRunning {
		e.stage = stageOver
		close(e.ended)
	}
	e.mu.Unlock()
	if stage == stageListening {
		e.discard()
	}
	select {
	case <-e.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// discard ends what has been begun without a Run: clients hear of their end on
// the calling goroutine.
func (e *Engine) discard() {
	for _, l := range e.loops {
		l.draining = true
	}
	e.r.Discard()
}

// CancelService raises EventWaitCancelled for every protocol of every vhost on
// each loop, libwebsockets' lws_cancel_service. A Handle is the better way to
// reach one session.
func (e *Engine) CancelService() error {
	e.mu.Lock()
	loops := e.loops
	e.mu.Unlock()
	for _, l := range loops {
		if err := l.r.Post(reactor.Func(func() { l.tellAll(callbacks.EventWaitCancelled) })); err != nil {
			return ErrClosed
		}
	}
	return nil
}

// tellAll raises a reason that belongs to no session.
func (l *loop) tellAll(r callbacks.Reason) {
	for _, v := range l.e.vhosts {
		for _, p := range v.protocols {
			_ = l.tellNobody(v, p, r, nil)
		}
	}
}

func (l *loop) tellNobody(v *vhost, p *callbacks.Protocol, r callbacks.Reason, in []byte) error {
	s := &session{l: l, vh: v, proto: p, role: &deadRole{}, state: stateEnded}
	s.gone.Store(true)
	return l.invoke(p, s, r, in)
}

// initProtocols raises ProtocolInit; the first error stops it.
func (e *Engine) initProtocols() error {
	l := e.loops[0]
	for _, v := range e.vhosts {
		for _, p := range v.protocols {
			if err := l.tellNobody(v, p, callbacks.ProtocolInit, nil); err != nil {
				return fmt.Errorf("engine: protocol %q: %w", p.Name, err)
			}
		}
	}
	return nil
}

func (e *Engine) destroyProtocols() {
	l := e.loops[0]
	l.here = 0 // its goroutine has ended, and this one may stand in for it
	l.tellAll(callbacks.ProtocolDestroy)
}

// sendLimits are what a Protocol says about its sessions' way out; 0 is the engine's.
type sendLimits struct{ chunk, queue int }

// writeLimits are the engine's with a protocol's, one object for all sessions that
// have the same. A queue that is shorter than the engine's marks has marks of its own:
// beyond the high one published messages wait where they can still be dropped.
func (e *Engine) writeLimits(own sendLimits) *reactor.WriteLimits {
	if v, ok := e.tx.Load(own); ok {
		return v.(*reactor.WriteLimits)
	}
	lim := e.limits.write()
	lim.Chunk = own.chunk
	if own.queue != 0 {
		lim.Hard = own.queue
		length(&lim.Hard, 0)
		lim.High = min(lim.High, max(lim.Hard/4, 1))
		lim.Low = min(lim.Low, lim.High/4)
	}
	v, _ := e.tx.LoadOrStore(own, &lim)
	return v.(*reactor.WriteLimits)
}

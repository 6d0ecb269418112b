package reactor

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penstock-go/penstock/internal/kernel"
)

// Config is what a Reactor is made with. The zero value works.
type Config struct {
	// Loops is how many event loops run; 0 means GOMAXPROCS.
	Loops int
	// Write bounds every connection's send queue, unless SetWriteLimits says
	// otherwise.
	Write WriteLimits
	// Logger takes what the reactor and the poller have to say; nil means
	// slog.Default().
	Logger *slog.Logger
	// Kernel replaces the operating system in tests; nil means the real one.
	Kernel kernel.Kernel
}

// WriteLimits bound a connection's send queue. In all of them zero means the
// default.
type WriteLimits struct {
	// High is the size of the queue, in bytes, from which on Conn.High is true
	// until it has drained to Low. Default 256 KiB.
	High int
	// Low is where Handler.Writable is called. Default High/4.
	Low int
	// Hard is what the queue never exceeds: a write that would is refused with
	// ErrQueueFull. Default 16 MiB.
	Hard int
	// Chunk caps one write(2), in bytes; 0 means no cap.
	Chunk int
	// Stall ends a closing connection whose peer reads nothing for so long.
	// Default 30 s.
	Stall time.Duration
}

// WithDefaults returns w with its zero fields filled in.
func (w WriteLimits) WithDefaults() WriteLimits {
	if w.Hard <= 0 {
		w.Hard = 16 << 20
	}
	if w.High <= 0 {
		w.High = min(256<<10, w.Hard)
	}
	if w.Low <= 0 {
		w.Low = w.High / 4
	}
	if w.Stall <= 0 {
		w.Stall = 30 * time.Second
	}
	return w
}

// Options are the choices for a connected TCP socket.
type Options = kernel.Options

// Reactor is a set of loops. Its methods may be called from any goroutine, but
// not from a loop's.
type Reactor struct {
	cfg   Config
	k     kernel.Kernel
	loops []*Loop
	wg    sync.WaitGroup
	// resolving holds a token for each host name being looked up.
	resolving chan struct{}
	mu        sync.Mutex
	errs      error // of loops that died
}

// New makes the loops, which do not run yet.
func New(cfg Config) (*Reactor, error) {
	if cfg.Loops <= 0 {
		cfg.Loops = runtime.GOMAXPROCS(0)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Write = cfg.Write.WithDefaults()
	r := &Reactor{cfg: cfg, k: cfg.Kernel, resolving: make(chan struct{}, resolversMost)}
	if r.k == nil {
		r.k = newSystemKernel()
	}
	redirectPollerLog(cfg.Logger)
	for i := range cfg.Loops {
		p, err := r.k.OpenPoller()
		if err != nil {
			r.closePollers()
			return nil, err
		}
		r.loops = append(r.loops, newLoop(r, p, i))
	}
	return r, nil
}

// Loops returns the loops, in the order of their ID.
func (r *Reactor) Loops() []*Loop { return r.loops }

// Start runs every loop on a goroutine of its own.
func (r *Reactor) Start() {
	for _, l := range r.loops {
		r.wg.Go(func() {
			if err := l.run(); err != nil {
				r.cfg.Logger.Error("reactor: a loop died", "loop", l.id, "err", err)
				r.mu.Lock()
				r.errs = errors.Join(r.errs, err)
				r.mu.Unlock()
			}
		})
	}
}

// StopListening closes every listener. Connections stay.
func (r *Reactor) StopListening() {
	done := make(chan struct{})
	r.stopListening(func() { close(done) })
	<-done
}

// stopListening has every loop close its listeners. Whoever closes the last one calls
// then.
func (r *Reactor) stopListening(then func()) {
	var open atomic.Int32
	open.Store(int32(len(r.loops)))
	closed := func() {
		if open.Add(-1) == 0 {
			then()
		}
	}
	for _, l := range r.loops {
		if l.Post(Func(func() { l.stopListening(); closed() })) != nil {
			closed()
		}
	}
}

// Drain closes every listener, calls goodbye on each loop when the last one is closed,
// and waits until no connection and no dial attempt is left, or for ctx. goodbye may be
// nil.
func (r *Reactor) Drain(ctx context.Context, goodbye func(*Loop)) error {
	done := make([]chan struct{}, len(r.loops))
	for i := range done {
		done[i] = make(chan struct{})
	}
	r.stopListening(func() {
		for i, l := range r.loops {
			if l.Post(Func(func() { l.drain(goodbye, done[i]) })) != nil {
				close(done[i])
			}
		}
	})
	for _, d := range done {
		select {
		case <-d:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// drain calls goodbye and closes done when nothing is left.
func (l *Loop) drain(goodbye func(*Loop), done chan struct{}) {
	if goodbye != nil {
		goodbye(l)
	}
	l.drained = append(l.drained, done)
}

// Stop ends the loops: what is still connected is reset with ErrStopped. It
// returns when every loop's goroutine has ended and every descriptor is closed,
// with the errors of loops that had died.
func (r *Reactor) Stop() error {
	for _, l := range r.loops {
		_ = l.Post(Func(l.stop)) // refused by a loop that has ended already
	}
	r.wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errs
}

// Discard gives back what New took, of a reactor that was never started.
func (r *Reactor) Discard() {
	for _, l := range r.loops {
		l.stopListening()
		l.mail.close(l.end) // who was promised an answer gets it
	}
	r.closePollers()
}

func (r *Reactor) closePollers() {
	for _, l := range r.loops {
		l.p.Close()
	}
}

package engine

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/invariant"
	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/simnet"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "run this seed of the simulations only, and say what happens")
	simSeeds = flag.Int("sim.seeds", 0, "run so many seeds of each simulation")
)

// world is one simulated run: an engine, its network and the peers.
type world struct {
	seed     uint64
	rng      *rand.Rand // the scenario's; the network has its own
	net      *simnet.Net
	e        *Engine
	rec      *recorder
	peers    []*peer
	echoes   map[uint64]*echo
	answers  map[uint64]*answer
	servers  map[int]*server
	patients []*patient
	checks   []func()
	trace    func(string, ...any)
	wrong    []string
	stop     chan struct{} // closed to shut down in the middle
	big      bool          // long messages and large pieces, or the other way round
	cut      bool          // a shutdown, or faults beyond repair, may take away what peers should get
	port     map[string]int
	mad      float64                   // how often the program does anything at all
	plainly  float64                   // how often it sends what it could compress as it is
	hesitant float64                   // how often it holds an upgrade
	holding  map[uint64]bool           // sessions whose upgrade is, until the timer
	spoils   bool                      // peers leave in the middle
	calm     bool                      // peers send without pauses
	silent   bool                      // no log in the trace: it has stacks
	custom   callbacks.Callback        // instead of the usual program
	farm     *farm                     // of TestSimClientHTTP
	writes   func(fd int, a, b []byte) // is told of each, if set
	tls      *simTLS                   // nil without
}

// scenario is what a run is about: it may change the configuration, and then
// adds peers.
type scenario struct {
	name   string
	over   transport
	config func(w *world, net *simnet.Config, cfg *Config)
	play   func(w *world)
}

// simulate runs one seed of sc.
func simulate(t *testing.T, sc scenario, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(sc, seed)
		if *simSeed != 0 {
			w.trace = t.Logf
		}
		w.run(sc)
		for _, wrong := range w.wrong {
			t.Errorf("%s over %s, -sim.seed=%d: %s", sc.name, sc.over, seed, wrong)
		}
	})
}

func newWorld(sc scenario, seed uint64) *world {
	w := &world{seed: seed, rng: rand.New(rand.NewPCG(seed, uint64(len(sc.name)))), stop: make(chan struct{}),
		holding: make(map[uint64]bool), echoes: make(map[uint64]*echo), answers: make(map[uint64]*answer), servers: make(map[int]*server), port: make(map[string]int)}
	w.hesitant = 0.5 * float64(seed%4) / 3
	w.rec = newRecorder(w.failf, w.tracef)
	if sc.over == overTLS {
		w.tls = newSimTLS()
	}
	return w
}

func (w *world) tracef(format string, args ...any) {
	if w.trace != nil {
		w.trace(format, args...)
	}
}

func (w *world) failf(format string, args ...any) {
	w.tracef("WRONG: "+format, args...)
	if len(w.wrong) < 4 {
		w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	}
}

// run sets the world up, lets it play, shuts it down and looks at what is left.
func (w *world) run(sc scenario) {
	w.big = w.rng.IntN(10) == 0
	nc := simnet.Config{Seed: w.seed, Faults: w.faults(), Moves: w.rng.IntN(3) == 0, Trace: w.trace}
	if w.big {
		w.grow(&nc)
	}
	cfg := w.config()
	if sc.config != nil {
		sc.config(w, &nc, &cfg)
	}
	if w.tls != nil {
		w.secure(&cfg)
	}
	w.net = simnet.New(nc)
	cfg.kernel = watchedKernel{w.net, w}
	if n := cfg.Limits.SendQueue; n > 0 {
		w.rec.most = n + headRoom // a handshake or close frame in the cork is not asked
	}
	e, err := New(cfg)
	if err == nil {
		e.steps = lateWorkers{e.steps, w.rng}
		err = e.Listen()
	}
	if err != nil {
		w.failf("setting up: %v", err)
		return
	}
	w.e = e
	for i, a := range e.Addrs() {
		w.port[cfg.Vhosts[i].Name] = a.(*net.TCPAddr).Port
	}
	sc.play(w)
	w.serveUntilDone()
	w.look()
}

// watchedKernel tells of writes.
type watchedKernel struct {
	kernel.Kernel
	w *world
}

func (k watchedKernel) Write(fd int, b []byte) (int, kernel.Errno) { return k.WriteTwo(fd, b, nil) }

func (k watchedKernel) WriteTwo(fd int, a, b []byte) (int, kernel.Errno) {
	if k.w.writes != nil {
		k.w.writes(fd, a, b)
	}
	return k.Kernel.WriteTwo(fd, a, b)
}

// grow makes a network fit for long messages.
func (w *world) grow(nc *simnet.Config) {
	nc.Buffer = 4096 << w.rng.IntN(6)
	nc.Faults.ShortRead /= 5
	nc.Faults.ShortWrite /= 5
}

// config has a vhost for each role, and limits that no well-behaved peer meets.
func (w *world) config() Config {
	program := callbacks.Protocol{Name: "echo", Callback: w.rec.wrap(w.program)}
	line := callbacks.Protocol{Name: "line", Callback: w.rec.wrap(w.program), Codec: lineCodec{}}
	pieces := callbacks.Protocol{Name: "pieces", Callback: w.rec.wrap(w.program), RxBufferSize: 1 + w.rng.IntN(300)}
	small := callbacks.Protocol{Name: "small", Callback: w.rec.wrap(w.program), TxPacketSize: 1 + w.rng.IntN(100), MaxMessage: 4000}
	vhost := func(name, raw string) Vhost {
		return Vhost{Name: name, Listen: []string{"tcp://127.0.0.1:" + map[string]string{"http": "80", "raw": "81", "line": "82"}[name]},
			Protocols: []callbacks.Protocol{program, pieces, small, line}, RawProtocol: raw,
			Mounts: []Mount{Redirect("/moved", 302, "/elsewhere")}}
	}
	long := 20 * time.Minute
	return Config{
		Vhosts: []Vhost{vhost("http", ""), vhost("raw", "echo"), vhost("line", "line")},
		Loops:  1,
		Logger: w.logger(),
		Limits: Limits{Connections: 1000, HeaderTimeout: long, BodyTimeout: long, IdleTimeout: long, PingInterval: long,
			HangupTimeout: 2 * long, SendHigh: 1 + w.rng.IntN(100_000), SendQueue: 8 << 20, Body: 2 << 20, HandshakeTimeout: long},
	}
}

func (w *world) logger() *slog.Logger {
	if w.trace == nil || w.silent {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(traceWriter{w}, nil))
}

type traceWriter struct{ w *world }

func (t traceWriter) Write(b []byte) (int, error) {
	t.w.trace("%.400s", b)
	return len(b), nil
}

// faults are mild ones, that do not change what a peer gets.
func (w *world) faults() simnet.Faults {
	chance := func(p float64) float64 {
		if w.rng.IntN(3) == 0 {
			return 0
		}
		return p * w.rng.Float64()
	}
	return simnet.Faults{ShortRead: chance(1), ShortWrite: chance(1), Again: chance(0.4), Spurious: chance(0.3),
		Accept: chance(0.5), Creep: chance(0.02)}
}

// size is how long a message or body may be.
func (w *world) size() int {
	if w.big {
		return w.rng.IntN(1 << w.rng.IntN(19))
	}
	return w.rng.IntN(1 << w.rng.IntN(10))
}

// serveUntilDone runs the engine until the peers are done, or are to be cut off,
// and shuts it down.
func (w *world) serveUntilDone() {
	ran := make(chan error, 1)
	go func() { ran <- w.e.Run(context.Background()) }()
	select {
	case <-w.net.Done():
	case <-w.stop:
	case <-time.After(100 * time.Hour):
		w.failf("no end in sight")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = w.e.Shutdown(ctx)
	<-ran
}

// look checks that nothing is left and that everybody got what they should.
func (w *world) look() {
	if err := w.net.Err(); err != nil {
		w.failf("%v", err)
	}
	if fds := w.net.Open(); len(fds) > 0 {
		w.failf("descriptors left: %v", fds)
	}
	if s := w.e.Stats(); s.Connections != 0 || s.Sessions != 0 || s.WebSockets != 0 {
		w.failf("left: %d connections, %d sessions, %d WebSockets", s.Connections, s.Sessions, s.WebSockets)
	}
	if w.tls != nil {
		w.lookAtTLS()
	}
	// The wheel is the reactor's own; reflection may read it.
	wheel := reflect.ValueOf(w.e.loops[0].r).Elem().FieldByName("wheel")
	if armed := wheel.FieldByName("n").Int(); armed != 0 {
		w.failf("left: %d armed timers", armed)
	}
	if counts := invariant.Counts(); len(counts) > 0 {
		w.failf("left: %v", counts)
	}
	w.rec.finish()
	for _, check := range w.checks {
		check()
	}
}

// runSeeds runs sc over both transports with many seeds, or with the one of the
// flag.
func runSeeds(t *testing.T, sc scenario, count int) {
	overBoth(t, func(t *testing.T, over transport) {
		sc.over = over
		if over == overTLS {
			count /= tlsShare
		}
		sc.runSeeds(t, count)
	})
}

func (sc scenario) runSeeds(t *testing.T, count int) {
	if *simSeed != 0 {
		simulate(t, sc, *simSeed)
		return
	}
	if *simSeeds > 0 {
		count = *simSeeds
	} else if testing.Short() {
		count /= 10
	}
	for seed := uint64(1); seed <= uint64(count) && !t.Failed(); seed++ {
		simulate(t, sc, seed)
	}
}

package reactor

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/penstock-go/penstock/internal/kernel"
)

func TestStopResetsWhatIsConnected(t *testing.T) {
	e := newEar(t)
	g, _, peer := pair(t, Config{}, e)
	g.stop()
	if err := await(t, "Closed", e.ended); err != ErrStopped {
		t.Errorf("closed with %v", err)
	}
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer reads %v", err)
	}
	if n := g.Stats().Connections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestStopTwiceIsOnce(t *testing.T) {
	g := newRig(t, Config{Loops: 2}).start()
	g.stop()
	if err := g.Stop(); err != nil {
		t.Errorf("error is %v", err)
	}
	g.StopListening()
	if err := g.Drain(context.Background(), nil); err != nil {
		t.Errorf("drain: %v", err)
	}
}

func TestStopEndsDials(t *testing.T) {
	k := bent()
	looking := make(chan struct{}, 1)
	k.lookup = func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
		looking <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	g := newRig(t, Config{Kernel: k}).start()
	resolving, _ := g.dial(someTown)
	await(t, "Lookup", looking)
	connecting, _ := g.dial(to(deafAddr(t)))
	waiting := newCaller(t)
	g.on(g.loops[0], func() {
		g.loops[0].Dial(to(refusingAddr(t)), waiting) // its first attempt is in the mail, behind Stop
		g.loops[0].stop()
	})
	for _, d := range []*caller{resolving, connecting, waiting} {
		if err := await(t, "DialFailed", d.failed); err != ErrStopped {
			t.Errorf("error is %v", err)
		}
	}
}

// hold keeps a loop inside a letter until release is called; then it runs f.
func (g *rig) hold(l *Loop, f func()) (release func()) {
	g.t.Helper()
	held, released := make(chan struct{}), make(chan struct{})
	if err := l.Post(Func(func() { close(held); <-released; f() })); err != nil {
		g.t.Fatal(err)
	}
	await(g.t, "letter", held)
	return func() { close(released) }
}

func TestAConnectionDealtToALoopThatStopsIsEnded(t *testing.T) {
	e := newEar(t)
	g := newRig(t, Config{Loops: 2})
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{OneLoop: true}, func(*Conn) Handler { return e })
	g.start()
	release := g.hold(g.loops[1], g.loops[1].stop)
	peer := dialTo(t, a)
	eventually(t, "the connection is in the mail", func() bool {
		g.loops[1].mail.mu.Lock()
		defer g.loops[1].mail.mu.Unlock()
		return len(g.loops[1].mail.box) > 0
	})
	release()
	if err := await(t, "Closed", e.ended); err != ErrStopped {
		t.Errorf("closed with %v", err)
	}
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer reads %v", err)
	}
}

func TestADialByALoopThatStopsIsEnded(t *testing.T) {
	l := ownListener(t, "tcp4")
	g := newRig(t, Config{}).start()
	d := newCaller(t)
	release := g.hold(g.loops[0], g.loops[0].stop)
	_ = g.loops[0].Post(Func(func() { g.loops[0].Dial(to(l.Addr()), d) }))
	release()
	if err := await(t, "DialFailed", d.failed); err != ErrStopped {
		t.Errorf("error is %v", err)
	}
}

func TestADialerThatDialsAgainDoesNotHoldStop(t *testing.T) {
	g := newRig(t, Config{}).start()
	again := &stubborn{l: g.loops[0], cfg: to(deafAddr(t))}
	g.on(g.loops[0], func() { again.l.Dial(again.cfg, again) })
	g.stop()
	if again.failures == 0 {
		t.Error("DialFailed was not called")
	}
}

// stubborn dials again at once, whatever the error.
type stubborn struct {
	l        *Loop
	cfg      DialConfig
	failures int
}

func (s *stubborn) Dialed(*Conn) Handler { return &ear{} }

func (s *stubborn) DialFailed(error) {
	s.failures++
	s.l.Dial(s.cfg, s)
}

func TestALetterThatPostsItselfDoesNotHoldStop(t *testing.T) {
	g := newRig(t, Config{}).start()
	var last error
	var again func()
	again = func() { last = g.loops[0].Post(Func(again)) }
	g.on(g.loops[0], again)
	g.stop()
	if last != ErrStopped {
		t.Errorf("the last Post's error is %v", last)
	}
}

func TestPostAfterStopIsRefused(t *testing.T) {
	g := newRig(t, Config{}).start()
	g.stop()
	if err := g.loops[0].Post(Func(func() { t.Error("delivered") })); err != ErrStopped {
		t.Errorf("error is %v", err)
	}
}

func TestALetterThatWasTakenIsDelivered(t *testing.T) {
	for range 10 {
		g := newRig(t, Config{}).start()
		var delivered atomic.Int64
		taken := make(chan int64)
		for range 4 {
			go func() {
				n := int64(0)
				for g.loops[0].Post(Func(func() { delivered.Add(1) })) == nil {
					n++
				}
				taken <- n
			}()
		}
		eventually(t, "letters", func() bool { return delivered.Load() > 10 })
		g.stop()
		want := int64(0)
		for range 4 {
			want += await(t, "sender", taken)
		}
		if n := delivered.Load(); n != want {
			t.Fatalf("%d letters were delivered of %d that were taken", n, want)
		}
	}
}

var errPoller = errors.New("the poller broke")

// dyingLoops is a reactor whose loops' pollers fail when told to.
func dyingLoops(t *testing.T, loops int) (*rig, *logBook, func()) {
	k, book := bent(), new(logBook)
	var dead atomic.Bool
	k.open = func() (kernel.Poller, error) {
		p, err := k.Kernel.OpenPoller()
		run := func(h kernel.Handler) error {
			if err := p.Run(h); err != nil || !dead.Load() {
				return err
			}
			return errPoller
		}
		return &bentPoller{Poller: p, run: run}, err
	}
	g := newRig(t, Config{Loops: loops, Kernel: k, Logger: slog.New(slog.NewTextHandler(book, nil))})
	return g, book, func() {
		dead.Store(true)
		for _, l := range g.loops {
			_ = l.Post(Func(func() { l.p.Stop() }))
		}
	}
}

func TestALoopThatDiesLeavesNothing(t *testing.T) {
	g, book, die := dyingLoops(t, 2)
	e := newEar(t)
	accepted := make(chan struct{}, 1)
	path := socketPath(t)
	a := g.listen("unix", path, ListenConfig{}, func(*Conn) Handler { accepted <- struct{}{}; return e })
	g.start()
	peer := dialTo(t, a)
	await(t, "accept", accepted)
	d, _ := g.dial(to(deafAddr(t)))
	die()
	if err := await(t, "Closed", e.ended); err != ErrStopped {
		t.Errorf("closed with %v", err)
	}
	await(t, "DialFailed", d.failed)
	if _, err := peer.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the peer reads %v", err)
	}
	if err := g.Stop(); !errors.Is(err, errPoller) {
		t.Errorf("Stop's error is %v", err)
	}
	if n := book.count("a loop died"); n != 2 {
		t.Errorf("%d deaths in the log", n)
	}
}

func TestNewGivesBackWhatItTookWhenItFails(t *testing.T) {
	before := descriptors()
	k := bent()
	opened := 0
	k.open = func() (kernel.Poller, error) {
		if opened++; opened == 3 {
			return nil, errPoller
		}
		return k.Kernel.OpenPoller()
	}
	if r, err := New(Config{Loops: 4, Kernel: k}); r != nil || !errors.Is(err, errPoller) {
		t.Errorf("reactor %v, error %v", r, err)
	}
	if n := descriptors(); n != before {
		t.Errorf("%d descriptors, were %d", n, before)
	}
}

func TestDrainWaitsForConnections(t *testing.T) {
	e := newEar(t)
	g, c, peer := pair(t, Config{Loops: 2}, e)
	g.StopListening()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := g.Drain(ctx, nil); err != context.Canceled {
		t.Errorf("with a connection open: %v", err)
	}
	drained := make(chan error, 2)
	for range cap(drained) {
		go func() { drained <- g.Drain(context.Background(), nil) }()
	}
	g.on(c.Loop(), func() {
		_ = c.Write([]byte("bye"))
		c.Close()
	})
	if got := receiveAll(t, peer); string(got) != "bye" {
		t.Errorf("received %q", got)
	}
	if len(drained) > 0 {
		t.Error("drained before the peer has closed")
	}
	_ = peer.Close()
	for range cap(drained) {
		if err := await(t, "Drain", drained); err != nil {
			t.Errorf("drain: %v", err)
		}
	}
	if err := await(t, "Closed", e.ended); err != nil {
		t.Errorf("closed with %v", err)
	}
}

func TestDrainWaitsForDials(t *testing.T) {
	g := newRig(t, Config{}).start()
	d, ding := g.dial(to(deafAddr(t)))
	drained := make(chan error, 1)
	go func() { drained <- g.Drain(context.Background(), nil) }()
	g.on(g.loops[0], func() {
		if len(drained) > 0 {
			t.Error("drained with a dial under way")
		}
		ding.Cancel(io.EOF)
	})
	await(t, "DialFailed", d.failed)
	if err := await(t, "Drain", drained); err != nil {
		t.Errorf("drain: %v", err)
	}
}

func TestStopEndsADrain(t *testing.T) {
	g, _, _ := pair(t, Config{}, newEar(t))
	drained := make(chan error, 1)
	go func() { drained <- g.Drain(context.Background(), nil) }()
	g.stop()
	await(t, "Drain", drained)
}

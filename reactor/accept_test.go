package reactor

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/wheel"
)

// logBook is what a logger writes to.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// failingAccepts makes accept(2) answer e while on is set.
func failingAccepts(k *bentKernel, e kernel.Errno) (on *atomic.Bool) {
	on = new(atomic.Bool)
	k.accept = func(fd int) (int, netip.AddrPort, kernel.Errno) {
		if on.Load() {
			return -1, netip.AddrPort{}, e
		}
		return k.Kernel.Accept(fd)
	}
	return on
}

func TestWithoutResourcesAcceptingRestsAndGoesOn(t *testing.T) {
	for _, e := range []kernel.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		t.Run(e.Error(), func(t *testing.T) {
			k, book := handMadeClock(), new(logBook)
			on := failingAccepts(k, e)
			g := newRig(t, Config{Kernel: k, Logger: slog.New(slog.NewTextHandler(book, nil))})
			a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
			g.start()
			for episode := range 2 {
				on.Store(true)
				c := dialTo(t, a)
				errs := func() bool { return g.Stats().AcceptErrors == int64(episode*3+1) }
				eventually(t, "accept fails", errs)
				g.advance(k, acceptPause-1)
				if !errs() {
					t.Fatalf("%d accept errors before the pause was over", g.Stats().AcceptErrors)
				}
				for range 2 {
					before := k.accepts.Load()
					g.advance(k, acceptPause+wheel.Tick)
					eventually(t, "another try", func() bool { return k.accepts.Load() > before })
				}
				on.Store(false)
				g.advance(k, acceptPause+wheel.Tick)
				checkEcho(t, c)
				if n := book.count("cannot accept"); n != episode+1 {
					t.Errorf("%d lines in the log after episode %d", n, episode)
				}
			}
		})
	}
}

// A descriptor that will never accept, because somebody who shares it has shut it down, stays readable for ever.
func TestADeadListenerDoesNotSpin(t *testing.T) {
	for _, e := range []kernel.Errno{unix.EINVAL, unix.EBADF, unix.ENOTSOCK} {
		t.Run(e.Error(), func(t *testing.T) {
			k := handMadeClock()
			failingAccepts(k, e).Store(true)
			g := newRig(t, Config{Kernel: k})
			a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
			g.start()
			dialTo(t, a)
			eventually(t, "accept fails", func() bool { return k.accepts.Load() > 0 })
			for range 10 {
				g.on(g.loops[0], func() {})
			}
			if n := k.accepts.Load(); n != 1 {
				t.Errorf("%d calls to accept", n)
			}
		})
	}
}

func TestOneBadConnectionDoesNotStopAccepting(t *testing.T) {
	for _, e := range []kernel.Errno{unix.ECONNABORTED, unix.EINTR, unix.EPROTO, unix.EPERM} {
		t.Run(e.Error(), func(t *testing.T) {
			k := handMadeClock()
			var calls atomic.Int32
			k.accept = func(fd int) (int, netip.AddrPort, kernel.Errno) {
				if calls.Add(1) == 1 {
					return -1, netip.AddrPort{}, e
				}
				return k.Kernel.Accept(fd)
			}
			g := newRig(t, Config{Kernel: k})
			a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
			g.start()
			checkEcho(t, dialTo(t, a))
			if n := g.Stats().AcceptErrors; n != 0 {
				t.Errorf("%d accept errors", n)
			}
		})
	}
}

func TestAStormOfConnectionsIsTakenInBudgets(t *testing.T) {
	k := bent()
	g := newRig(t, Config{Kernel: k})
	var turns []int64 // accepts before each turn
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, func(*Conn) Handler { return &ear{} })
	g.loops[0].AfterEvent = func() { turns = append(turns, k.accepts.Load()) }
	const storm = 2*acceptBudget + 10
	for range storm {
		dialTo(t, a) // into the backlog: the loop does not run yet
	}
	g.start()
	eventually(t, "all are accepted", func() bool { return g.Stats().Accepted == storm })
	g.on(g.loops[0], func() {
		last := int64(0)
		for _, n := range turns {
			if n-last > acceptBudget {
				t.Errorf("%d accepts in one turn, want %d at most", n-last, acceptBudget)
			}
			last = n
		}
	})
}

func TestAPausedListenerMayBeStopped(t *testing.T) {
	k := handMadeClock()
	failingAccepts(k, unix.EMFILE).Store(true)
	g := newRig(t, Config{Kernel: k})
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
	g.start()
	dialTo(t, a)
	eventually(t, "accept fails", func() bool { return g.Stats().AcceptErrors == 1 })
	g.StopListening()
	g.advance(k, 2*acceptPause+wheel.Tick)
	if n := g.Stats().AcceptErrors; n != 1 {
		t.Errorf("%d accept errors after StopListening", n)
	}
}

func TestAListenerThatCannotBeWatchedAgainTriesLater(t *testing.T) {
	k := handMadeClock()
	starving := failingAccepts(k, unix.EMFILE)
	var sets, refuse atomic.Int32
	k.open = func() (kernel.Poller, error) {
		p, err := k.Kernel.OpenPoller()
		return &bentPoller{Poller: p, set: func(fd int, from, to kernel.Interest) (int, kernel.Errno) {
			if sets.Add(1); refuse.Load() > 0 && to == kernel.WatchRead {
				refuse.Add(-1)
				return fd, unix.ENOMEM
			}
			return p.Set(fd, from, to)
		}}, err
	}
	g := newRig(t, Config{Kernel: k})
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
	g.start()
	starving.Store(true)
	c := dialTo(t, a)
	eventually(t, "accept fails", func() bool { return g.Stats().AcceptErrors == 1 })
	starving.Store(false)
	refuse.Store(1)
	g.advance(k, acceptPause+wheel.Tick)
	g.advance(k, acceptPause+wheel.Tick)
	checkEcho(t, c)
}

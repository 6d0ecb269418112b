package reactor

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// watcher is a poller under test and the events that it reports for fd, which is one end of a socket pair.
type watcher struct {
	t     *testing.T
	k     *systemKernel
	p     kernel.Poller
	fd    int
	far   int
	now   kernel.Interest
	ready chan kernel.Event
	woken chan int64
	do    chan func()
}

func newWatcher(t *testing.T) *watcher {
	t.Helper()
	k := newSystemKernel().(*systemKernel)
	p, err := k.OpenPoller()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{t: t, k: k, p: p, fd: pair[0], far: pair[1],
		ready: make(chan kernel.Event, 1), woken: make(chan int64, 1), do: make(chan func(), 1)}
	_ = unix.SetNonblock(w.fd, true)
	_ = unix.SetNonblock(w.far, true)
	done := make(chan error, 1)
	go func() { done <- p.Run(w) }()
	t.Cleanup(func() {
		w.on(p.Stop)
		if err := await(t, "Run", done); err != nil {
			t.Errorf("Run: %v", err)
		}
		p.Close()
		_ = unix.Close(w.fd)
		if w.far >= 0 {
			_ = unix.Close(w.far)
		}
	})
	return w
}

// Ready keeps the last event until it is looked at.
func (w *watcher) Ready(fd int, ev kernel.Event) {
	if fd != w.fd {
		w.t.Errorf("an event for %d, want %d", fd, w.fd)
	}
	select {
	case <-w.ready:
	default:
	}
	w.ready <- ev
}

// Woken runs what the test posted, and tells when.
func (w *watcher) Woken() {
	select {
	case f := <-w.do:
		f()
		return
	default:
	}
	select {
	case w.woken <- w.k.Now():
	default:
	}
}

// on runs f on the poller's goroutine.
func (w *watcher) on(f func()) {
	w.t.Helper()
	done := make(chan struct{})
	w.do <- func() { f(); close(done) }
	w.p.Wake()
	await(w.t, "Woken", done)
}

func (w *watcher) set(to kernel.Interest) {
	w.t.Helper()
	w.on(func() {
		fd, e := w.p.Set(w.fd, w.now, to)
		if e != 0 {
			w.t.Errorf("from %d to %d: %v", w.now, to, e)
		}
		w.fd, w.now = fd, to
	})
	if to == kernel.WatchEnd {
		w.events() // there may be one for nothing
	}
}

// events is the union of what is reported over some turns of the poller, from now on.
func (w *watcher) events() (all kernel.Event) {
	w.t.Helper()
	w.on(func() {
		select {
		case <-w.ready:
		default:
		}
	})
	for range 3 {
		w.on(func() {
			select {
			case ev := <-w.ready:
				all |= ev
			default:
			}
		})
	}
	return all
}

var interests = []kernel.Interest{0, kernel.WatchRead, kernel.WatchWrite, kernel.WatchRead | kernel.WatchWrite, kernel.WatchEnd}

func TestEveryChangeOfInterestHolds(t *testing.T) {
	for _, from := range interests {
		for _, to := range interests {
			t.Run(fmt.Sprint(from, " to ", to), func(t *testing.T) {
				w := newWatcher(t)
				if _, err := unix.Write(w.far, []byte("readable; and writable it is anyway")); err != nil {
					t.Fatal(err)
				}
				for range 2 { // there and back
					w.set(from)
					w.checkEvents(from)
					w.set(to)
					w.checkEvents(to)
				}
			})
		}
	}
}

// checkEvents relies on an Event having the bits of an Interest. Who is watched for its
// end only has none, now that the first one has gone.
func (w *watcher) checkEvents(want kernel.Interest) {
	w.t.Helper()
	if got := w.events(); got != kernel.Event(want&^kernel.WatchEnd) {
		w.t.Errorf("events %b of a socket that is ready for all, watched for %b", got, want)
	}
}

func TestWhatIsNotReadyIsNotReported(t *testing.T) {
	w := newWatcher(t)
	w.set(kernel.WatchRead)
	w.checkEvents(0)
	fill := make([]byte, 64<<10)
	for {
		if _, err := unix.Write(w.fd, fill); err != nil {
			break
		}
	}
	w.set(kernel.WatchRead | kernel.WatchWrite)
	w.checkEvents(0)
	_, _ = unix.Write(w.far, []byte("x"))
	w.checkEvents(kernel.WatchRead)
}

func TestAHangUpIsReportedAsAll(t *testing.T) {
	for _, in := range interests[1:4] {
		w := newWatcher(t)
		w.set(in)
		_ = unix.Close(w.far)
		w.far = -1
		if got := w.events(); got != kernel.Readable|kernel.Writable|kernel.HungUp {
			t.Errorf("watched for %b: events %b", in, got)
		}
	}
}

func TestAnUnwatchedHangUpIsNotReported(t *testing.T) {
	w := newWatcher(t)
	w.set(kernel.WatchRead)
	w.set(0)
	_ = unix.Close(w.far)
	w.far = -1
	w.checkEvents(0)
}

func TestSettingABadDescriptorIsAnError(t *testing.T) {
	w := newWatcher(t)
	w.on(func() {
		if _, e := w.p.Set(1<<20, 0, kernel.WatchRead); e != unix.EBADF {
			t.Errorf("error is %v", e)
		}
	})
}

func TestWakesFromManyGoroutinesCoalesce(t *testing.T) {
	w := newWatcher(t)
	var woken atomic.Int64
	hold, held := make(chan struct{}), make(chan struct{})
	w.do <- func() { close(held); <-hold }
	w.p.Wake()
	await(t, "Woken", held)
	for range 1000 {
		w.p.Wake()
	}
	w.do <- func() { woken.Add(1) }
	close(hold)
	eventually(t, "another Woken", func() bool { return woken.Load() == 1 })
	w.on(func() {
		select {
		case <-w.woken:
			t.Error("more than one Woken for a thousand Wakes")
		default:
		}
	})
}

func TestTheEarliestWakeAtWins(t *testing.T) {
	w := newWatcher(t)
	var early int64
	w.on(func() {
		now := w.k.Now()
		early = now + int64(20*time.Millisecond)
		w.p.WakeAt(now + int64(time.Hour))
		w.p.WakeAt(early)
		w.p.WakeAt(now + int64(time.Minute))
	})
	if at := await(t, "Woken", w.woken); at < early {
		t.Errorf("woken %v too early", time.Duration(early-at))
	}
}

func TestAWakeAtThatHasPassedWakesAtOnce(t *testing.T) {
	w := newWatcher(t)
	for range 3 {
		w.on(func() { w.p.WakeAt(w.k.Now() - int64(time.Hour)) })
		await(t, "Woken", w.woken)
	}
}

func TestWakeAtMayBeSetAgainWhenItHasRung(t *testing.T) {
	w := newWatcher(t)
	for range 3 {
		w.on(func() { w.p.WakeAt(w.k.Now() + int64(5*time.Millisecond)) })
		await(t, "Woken", w.woken)
	}
}

func TestAWakeAfterCloseTouchesNothing(t *testing.T) {
	p, err := newSystemKernel().OpenPoller()
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	var pipe [2]int // gets the numbers of the poller's
	if err := unix.Pipe(pipe[:]); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	_ = unix.SetNonblock(pipe[0], true)
	for range 3 {
		p.Wake()
	}
	if n, err := unix.Read(pipe[0], make([]byte, 1)); err != unix.EAGAIN {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// The race detector sees a Wake that uses the descriptor while it is closed.
func TestWakesWhileClosingAreHarmless(t *testing.T) {
	for range 100 {
		p, err := newSystemKernel().OpenPoller()
		if err != nil {
			t.Fatal(err)
		}
		p.WakeAt(1)
		var wg sync.WaitGroup
		wg.Go(p.Wake)
		p.Close()
		wg.Wait()
	}
}

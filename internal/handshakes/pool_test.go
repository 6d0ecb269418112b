package handshakes

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

type jobFunc func()

func (f jobFunc) Run() { f() }

// held is n jobs that count how many of them run, and end one by one.
type held struct {
	now, most, done atomic.Int64
	end             chan struct{}
}

func newHeld() *held { return &held{end: make(chan struct{})} }

func (h *held) Run() {
	n := h.now.Add(1)
	for m := h.most.Load(); n > m && !h.most.CompareAndSwap(m, n); m = h.most.Load() {
	}
	<-h.end
	h.now.Add(-1)
	h.done.Add(1)
}

func checkPool(t *testing.T, p *Pool, running, queued int) {
	t.Helper()
	synctest.Wait()
	if r, q := p.Running(), p.Queued(); r != running || q != queued {
		t.Fatalf("%d running and %d queued, want %d and %d", r, q, running, queued)
	}
}

func TestNeverMoreThanItsBoundAndNoneAtRest(t *testing.T) {
	for _, n := range []int{1, 2, 7} {
		synctest.Test(t, func(t *testing.T) {
			before := runtime.NumGoroutine()
			p, h := NewPool(n), newHeld()
			for i := range 20 {
				if i%2 == 0 {
					p.Begin(h)
				} else {
					p.Continue(h)
				}
				checkPool(t, p, min(i+1, n), max(i+1-n, 0))
				if got := runtime.NumGoroutine() - before; got != min(i+1, n) {
					t.Fatalf("%d goroutines for %d jobs, bound %d", got, i+1, n)
				}
			}
			for left := 19; left >= 0; left-- {
				h.end <- struct{}{}
				checkPool(t, p, min(left, n), max(left-n, 0))
				if got := runtime.NumGoroutine() - before; got != min(left, n) {
					t.Fatalf("%d goroutines for the %d jobs left, bound %d", got, left, n)
				}
			}
			if h.done.Load() != 20 || h.most.Load() != int64(n) {
				t.Errorf("%d done, %d at once, want 20 and %d", h.done.Load(), h.most.Load(), n)
			}
		})
	}
}

func TestZeroMeansAsManyAsProcessors(t *testing.T) {
	for _, n := range []int{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			p, h := NewPool(n), newHeld()
			for range 100 {
				p.Begin(h)
			}
			procs := runtime.GOMAXPROCS(0)
			checkPool(t, p, procs, 100-procs)
			close(h.end)
			checkPool(t, p, 0, 0)
		})
	}
}

// order queues on a pool of one goroutine that is busy, then lets it go and returns the order of what was queued.
func order(t *testing.T, queue func(begin, resume func(name byte))) string {
	t.Helper()
	var got []byte
	synctest.Test(t, func(t *testing.T) {
		p, h := NewPool(1), newHeld()
		job := func(name byte) Job { return jobFunc(func() { got = append(got, name) }) }
		p.Begin(h)
		synctest.Wait()
		queue(func(name byte) { p.Begin(job(name)) }, func(name byte) { p.Continue(job(name)) })
		close(h.end)
		p.Wait()
	})
	return string(got)
}

func TestOrder(t *testing.T) {
	repeat := strings.Repeat
	table := []struct {
		name, begun, fresh, want string
	}{
		{"nothing", "", "", ""},
		{"first come, first served among those that begin", "", "abcdef", "abcdef"},
		{"first come, first served among those that continue", "ABCDEF", "", "ABCDEF"},
		{"those that continue go first", "ABC", "abc", "ABCabc"},
		{"15 may go first", repeat("A", 15), "a", repeat("A", 15) + "a"},
		{"the 16th is one that begins", repeat("A", 15) + "B", "a", repeat("A", 15) + "aB"},
		{"every 16th is", repeat("A", 40), "abc", repeat("A", 15) + "a" + repeat("A", 15) + "b" + repeat("A", 10) + "c"},
		{"it takes no turn ahead", "A", repeat("a", 40), "A" + repeat("a", 40)},
	}
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			for _, freshFirst := range []bool{true, false} {
				got := order(t, func(begin, resume func(byte)) {
					if freshFirst {
						each(c.fresh, begin)
					}
					each(c.begun, resume)
					if !freshFirst {
						each(c.fresh, begin)
					}
				})
				if got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			}
		})
	}
}

func each(s string, f func(byte)) {
	for i := range len(s) {
		f(s[i])
	}
}

// Only a row that somebody had to wait for counts: 30 that continue while nobody begins do not make the next go second.
func TestARowThatNobodyWaitedForDoesNotCount(t *testing.T) {
	var got []byte
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(1)
		job := func(name byte) Job { return jobFunc(func() { got = append(got, name) }) }
		for range 30 {
			p.Continue(job('-'))
		}
		p.Continue(jobFunc(func() {
			p.Begin(job('a'))
			for range 16 {
				p.Continue(job('A'))
			}
		}))
		p.Wait()
	})
	if want := strings.Repeat("-", 30) + strings.Repeat("A", 15) + "aA"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestABlockedStepDelaysNoOtherGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, hsm := NewPool(2), newHeld()
		p.Begin(hsm)
		n := 0
		for range 100 {
			p.Begin(jobFunc(func() { n++ }))
		}
		checkPool(t, p, 1, 0)
		if n != 100 {
			t.Errorf("%d of 100 ran beside one that blocks", n)
		}
		close(hsm.end)
		p.Wait()
	})
}

func TestWaitOnAPoolAtRestReturns(t *testing.T) {
	p := NewPool(1)
	p.Wait()
	p.Begin(jobFunc(func() {}))
	p.Wait()
	p.Wait()
}

func TestWaitSeesTheEndOfAllThatIsQueuedAndRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, h := NewPool(2), newHeld()
		for range 5 {
			p.Begin(h)
		}
		var back atomic.Int64
		for range 3 {
			go func() {
				p.Wait()
				back.Add(h.done.Load())
			}()
		}
		for range 4 {
			h.end <- struct{}{}
			synctest.Wait()
			if back.Load() != 0 {
				t.Fatalf("Wait returned with %d done of 5", h.done.Load())
			}
		}
		h.end <- struct{}{}
		synctest.Wait()
		if back.Load() != 3*5 {
			t.Errorf("three waiters saw %d jobs done, want 5 each", back.Load())
		}
	})
}

func TestWaitIncludesJobsThatJobsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, left := NewPool(2), 50
		var step jobFunc
		step = func() {
			if left--; left > 0 {
				p.Continue(step)
			}
		}
		p.Begin(step)
		p.Wait()
		if left != 0 {
			t.Errorf("Wait returned with %d steps to go", left)
		}
	})
}

func TestGoexitCostsThePoolNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, n := NewPool(2), atomic.Int64{}
		for range 10 {
			p.Begin(jobFunc(runtime.Goexit))
			p.Continue(jobFunc(func() { n.Add(1) }))
		}
		p.Wait()
		checkPool(t, p, 0, 0)
		h := newHeld()
		for range 3 {
			p.Begin(h)
		}
		checkPool(t, p, 2, 1)
		close(h.end)
		p.Wait()
		if n.Load() != 10 {
			t.Errorf("%d of 10 ran", n.Load())
		}
	})
}

// A panic that the pool swallowed would hide what the engine forgot to recover. Only another process can show it.
func TestAPanicEndsTheProcess(t *testing.T) {
	const child = "HANDSHAKES_TEST_PANIC"
	if os.Getenv(child) != "" {
		p := NewPool(1)
		p.Begin(jobFunc(func() { panic("a step broke") }))
		p.Wait()
		os.Exit(0)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "a step broke") {
		t.Errorf("the process ended with %v:\n%s", err, out)
	}
}

func TestPoolUnderManySenders(t *testing.T) {
	const senders, chains, steps, most = 8, 200, 5, 3
	p := NewPool(most)
	var now, over, ran atomic.Int64
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range chains {
				left := steps
				var step jobFunc
				step = func() {
					if now.Add(1) > most {
						over.Add(1)
					}
					ran.Add(1)
					left--
					more := left > 0 // once queued, the next step may run beside this one's end
					now.Add(-1)
					if more {
						p.Continue(step)
					}
				}
				p.Begin(step)
			}
		})
	}
	wg.Wait()
	p.Wait()
	if ran.Load() != senders*chains*steps || over.Load() != 0 {
		t.Errorf("%d of %d steps ran, %d times more than %d at once", ran.Load(), senders*chains*steps, over.Load(), most)
	}
	if p.Running() != 0 || p.Queued() != 0 {
		t.Errorf("%d running and %d queued after Wait", p.Running(), p.Queued())
	}
}

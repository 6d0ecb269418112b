package workers

import (
	"context"
	"runtime"
	"sync"
	"testing"
)

// leaver leaves, says so, and goes on until the gate is open.
type leaver struct {
	p    *Pool
	here chan<- struct{}
	gate <-chan struct{}
	exit bool
	left bool
}

func (l *leaver) Run() {
	l.left = true
	l.p.Leave()
	l.here <- struct{}{}
	<-l.gate
	if l.exit {
		runtime.Goexit()
	}
}

func (l *leaver) Left() bool { return l.left }

// TestLeaversMakeRoom: a job that has left keeps nobody out, and Wait waits for it.
func TestLeaversMakeRoom(t *testing.T) {
	p := New(1, 0)
	here, gate := make(chan struct{}), make(chan struct{})
	for i := range 10 {
		if !p.Begin(&leaver{p: p, here: here, gate: gate, exit: i%2 == 0}) {
			t.Fatalf("no room for leaver %d", i)
		}
		<-here
	}
	ran := make(chan struct{})
	hold := make(chan struct{})
	if !p.Begin(Func(func() { close(ran); <-hold })) {
		t.Fatal("no room beside those who have left")
	}
	<-ran
	if p.Begin(Func(func() {})) {
		t.Error("two jobs where there is room for one")
	}
	if running, queued := p.Running(); running != 1 || queued != 0 {
		t.Errorf("%d run and %d wait", running, queued)
	}
	close(hold)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if p.Wait(ended) == nil {
		t.Error("Wait did not wait for those who have left")
	}
	close(gate)
	if err := p.Wait(context.Background()); err != nil {
		t.Error(err)
	}
	if p.busy != 0 || p.goroutines != 0 || p.coming {
		t.Errorf("left: %d jobs, %d goroutines, coming %v", p.busy, p.goroutines, p.coming)
	}
}

// TestBlockedJobsKeepNobodyBack: jobs of a batch that all wait for each other are all
// started, up to the bound.
func TestBlockedJobsKeepNobodyBack(t *testing.T) {
	const n = 50
	p := New(n, n)
	var all sync.WaitGroup
	all.Add(n)
	for range n {
		if !p.Begin(Func(func() { all.Done(); all.Wait() })) {
			t.Fatal("no room")
		}
	}
	all.Wait()
	if err := p.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestShortJobsShareGoroutines: a batch of short jobs needs a few goroutines, not one for
// each.
func TestShortJobsShareGoroutines(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p := New(1000, 1000)
	var mu sync.Mutex
	most := 0
	for range 1000 {
		p.Begin(Func(func() {
			mu.Lock()
			defer mu.Unlock()
			p.mu.Lock()
			defer p.mu.Unlock()
			most = max(most, p.goroutines)
		}))
	}
	_ = p.Wait(context.Background())
	if most == 0 || most > 100 {
		t.Errorf("%d goroutines for a batch of 1000", most)
	}
}

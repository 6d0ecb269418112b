package workers

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestBounds(t *testing.T) {
	p := New(2, 3)
	gate := make(chan struct{})
	var mu sync.Mutex
	var order []int
	job := func(i int) Job {
		return Func(func() {
			<-gate
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
		})
	}
	for i := range 5 {
		if !p.Begin(job(i)) {
			t.Fatalf("no room for job %d", i)
		}
	}
	if p.Begin(job(5)) {
		t.Error("a sixth job was taken")
	}
	if running, queued := p.Running(); running != 2 || queued != 3 {
		t.Errorf("%d run and %d wait", running, queued)
	}
	close(gate)
	if err := p.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(order) != 5 {
		t.Errorf("jobs that ran: %v", order)
	}
	if running, queued := p.Running(); running != 0 || queued != 0 {
		t.Errorf("%d run and %d wait in the end", running, queued)
	}
}

func TestOrderOfOneWorker(t *testing.T) {
	p := New(1, 1000)
	var order []int
	gate := make(chan struct{})
	p.Begin(Func(func() { <-gate }))
	for i := range 100 {
		p.Begin(Func(func() { order = append(order, i) }))
	}
	close(gate)
	_ = p.Wait(context.Background())
	for i, got := range order {
		if got != i {
			t.Fatalf("job %d ran as number %d", got, i)
		}
	}
	if len(order) != 100 {
		t.Fatalf("%d jobs ran", len(order))
	}
}

// TestContinuations find room in a full pool, take nobody's place in the queue, and wait
// no longer than it.
func TestContinuations(t *testing.T) {
	p := New(1, 3)
	gate := make(chan struct{})
	var order []string
	job := func(name string) Job { return Func(func() { order = append(order, name) }) }
	p.Begin(Func(func() { <-gate }))
	for range 3 {
		p.Continue(job("begun"))
	}
	for range 3 {
		if !p.Begin(job("new")) {
			t.Error("what continues took the room of what begins")
		}
	}
	if p.Begin(job("one too many")) {
		t.Error("there is no bound any more")
	}
	p.Continue(job("begun"))
	if running, queued := p.Running(); running != 1 || queued != 7 {
		t.Errorf("%d run and %d wait", running, queued)
	}
	close(gate)
	if err := p.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	begun := 0
	for i, name := range order {
		if name == "begun" {
			begun++
		}
		if new := i + 1 - begun; new < 3 && max(begun-new, new-begun) > 1 {
			t.Fatalf("they do not take turns: %v", order)
		}
	}
	if len(order) != 7 {
		t.Errorf("ran: %v", order)
	}
}

func TestGoexitCostsNothing(t *testing.T) {
	p := New(1, 10)
	ran := make(chan struct{})
	gate := make(chan struct{})
	p.Begin(Func(func() { <-gate; runtime.Goexit() }))
	p.Begin(Func(func() { close(ran) }))
	close(gate)
	<-ran
	if err := p.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestWaitGivesUp(t *testing.T) {
	p := New(1, 0)
	gate := make(chan struct{})
	p.Begin(Func(func() { <-gate }))
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	close(gate)
	if err := p.Wait(context.Background()); err != nil {
		t.Error(err)
	}
}

func BenchmarkBegin(b *testing.B) {
	b.ReportAllocs()
	p := New(64, 1<<20)
	done := make(chan struct{}, 1<<20)
	j := Func(func() { done <- struct{}{} })
	for b.Loop() {
		p.Begin(j)
		<-done
	}
}

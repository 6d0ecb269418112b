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

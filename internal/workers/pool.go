package workers

import (
	"context"
	"sync"
)

// Job is a piece of work.
type Job interface {
	// Run is called once, on a goroutine of the pool, and may block for as long as it
	// likes. It recovers its panics: one that gets here ends the process.
	Run()
}

// Func is a Job.
type Func func()

// Run calls f.
func (f Func) Run() { f() }

// Leaver is a Job that may cease to count as one while it runs; see Pool.Leave.
type Leaver interface {
	Job
	// Left tells whether it called Leave.
	Left() bool
}

// Pool runs jobs. Its methods may be called from any goroutine.
type Pool struct {
	most   int
	queued int // may wait

	mu         sync.Mutex
	idle       sync.Cond // no goroutine is left
	queue      ring      // jobs that no goroutine has taken
	begun      ring      // the same of Continue
	turn       bool      // of begun, when both have some
	busy       int       // jobs that one has
	coming     bool      // a goroutine is on its way to take one
	goroutines int       // all, those of jobs that have left too
}

// New returns a pool of n goroutines at most, for which at most queue jobs wait.
func New(n, queue int) *Pool {
	p := &Pool{most: n, queued: queue}
	p.idle.L = &p.mu
	return p
}

// Begin starts j, or queues it behind those that wait. It returns false if there is no
// room for it. It does not block.
func (p *Pool) Begin(j Job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy+p.queue.len()-p.queued >= p.most { // in this order: queued may be the greatest int
		return false
	}
	p.queue.push(j)
	p.call()
	return true
}

// Continue is Begin for a part of work that has begun and must come to its end: there is
// always room for it, and it does not count among what waits. It takes turns with what
// has not begun. The caller bounds how many there are.
func (p *Pool) Continue(j Job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun.push(j)
	p.call()
}

// call starts a goroutine for a job that waits, if none is on its way. The one that
// comes calls the next: when jobs are short, the first of a batch do the work of all, and
// when the first one blocks, the next is there as soon as there is a processor.
func (p *Pool) call() {
	if !p.coming && p.waiting() > 0 && p.busy < p.most {
		p.coming = true
		p.goroutines++
		go p.work()
	}
}

// work is the life of a goroutine.
func (p *Pool) work() {
	var j Job
	defer func() { // also the end of a goroutine whose job called runtime.Goexit
		if r := recover(); r != nil {
			panic(r)
		}
		p.retire(j)
	}()
	for j = p.first(); j != nil; j = p.next() {
		j.Run()
		if l, ok := j.(Leaver); ok && l.Left() {
			return
		}
	}
}

func (p *Pool) first() Job {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.coming = false
	return p.take()
}

func (p *Pool) next() Job {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	return p.take()
}

// take is the job whose turn it is, or nil.
func (p *Pool) take() Job {
	if p.busy == p.most { // Leave has let others in
		return nil
	}
	first, second := &p.queue, &p.begun
	if p.turn {
		first, second = second, first
	}
	p.turn = !p.turn
	j := first.pop()
	if j == nil {
		j = second.pop()
	}
	if j != nil {
		p.busy++
		p.call()
	}
	return j
}

func (p *Pool) waiting() int { return p.queue.len() + p.begun.len() }

// retire ends a goroutine, in the middle of j if that is not nil.
func (p *Pool) retire(j Job) {
	left := false
	if l, ok := j.(Leaver); ok {
		left = l.Left()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if j != nil && !left {
		p.busy--
	}
	p.goroutines--
	p.call()
	if p.goroutines == 0 {
		p.idle.Broadcast()
	}
}

// Leave is for a Leaver while it runs: it goes on for as long as it likes, on a goroutine
// that does not count any more, but for Wait. Left is true from before the call on, or
// from before Run's end.
func (p *Pool) Leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	p.call()
}

// Running returns how many jobs have a goroutine, or are about to have one, and how many
// wait.
func (p *Pool) Running() (running, queued int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(p.busy+p.waiting(), p.most)
	return n, p.busy + p.waiting() - n
}

// Wait returns when no job is queued or running, and no goroutine is left, or with ctx's error when ctx ends.
func (p *Pool) Wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.idle.Broadcast()
	})
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.goroutines > 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.idle.Wait()
	}
	return nil
}

// ring is a queue in a slice that grows and is used again.
type ring struct {
	jobs  []Job
	first int
	n     int
}

func (r *ring) len() int { return r.n }

func (r *ring) push(j Job) {
	if r.n == len(r.jobs) {
		grown := make([]Job, max(16, 2*r.n))
		k := copy(grown, r.jobs[r.first:])
		copy(grown[k:], r.jobs[:r.first])
		r.jobs, r.first = grown, 0
	}
	r.jobs[(r.first+r.n)%len(r.jobs)] = j
	r.n++
}

func (r *ring) pop() Job {
	if r.n == 0 {
		return nil
	}
	j := r.jobs[r.first]
	r.jobs[r.first] = nil
	r.first = (r.first + 1) % len(r.jobs)
	r.n--
	return j
}

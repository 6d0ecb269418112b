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

// Pool runs jobs. Its methods may be called from any goroutine.
type Pool struct {
	most   int
	queued int // may wait

	mu      sync.Mutex
	idle    sync.Cond // nothing is queued or running
	running int       // goroutines
	queue   ring
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
	switch {
	case p.running < p.most:
		p.running++
		go p.work(j)
	case p.queue.len() < p.queued:
		p.queue.push(j)
	default:
		return false
	}
	return true
}

// work is the life of a goroutine.
func (p *Pool) work(j Job) {
	defer p.retire()
	for ; j != nil; j = p.next() {
		j.Run()
	}
}

// next takes the job whose turn it is, or nil.
func (p *Pool) next() Job {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queue.pop()
}

// retire is deferred, so that it also sees the end of a goroutine whose job called
// runtime.Goexit. Jobs may be left then, or have come since next found none.
func (p *Pool) retire() {
	if r := recover(); r != nil {
		panic(r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if j := p.queue.pop(); j != nil {
		go p.work(j)
		return
	}
	p.running--
	if p.running == 0 {
		p.idle.Broadcast()
	}
}

// Running returns how many goroutines are at work now, and how many jobs wait for one.
func (p *Pool) Running() (running, queued int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running, p.queue.len()
}

// Wait returns when no job is queued or running, or with ctx's error when ctx ends.
func (p *Pool) Wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.idle.Broadcast()
	})
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.running > 0 {
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

package handshakes

import (
	"runtime"
	"sync"

	"github.com/penstock-go/penstock/internal/invariant"
)

// continued is how many jobs of Continue run in a row while one of Begin waits. Handshakes that have begun go first
// because only their end frees memory; but a key store that hangs in later steps must not keep newcomers
// out for ever, and one in 16 costs the others 6 % of the pool.
const continued = 15

// Job is one step of a handshake.
type Job interface {
	// Run is called once, on a goroutine of the pool, and may block. A panic is not recovered and ends the
	// process: who knows what a step holds recovers in its Run. runtime.Goexit costs the pool nothing.
	Run()
}

// Pool runs jobs on a bounded number of goroutines. They start when there are jobs and end when there are none left.
type Pool struct {
	most int
	work func() // a method value, made once: a go statement would make one each time

	mu      sync.Mutex
	quiet   sync.Cond // nothing is queued or running
	running int       // goroutines
	row     int       // jobs of Continue taken since one of Begin waits
	begun   fifo
	fresh   fifo
}

// NewPool returns a pool of n goroutines at most; 0 or less means as many as GOMAXPROCS says now. It needs no closing:
// a pool at rest is memory only.
func NewPool(n int) *Pool {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	p := &Pool{most: n}
	p.work = p.drain
	p.quiet.L = &p.mu
	return p
}

// Begin queues the first step of a handshake, behind the steps of those that have begun: with k jobs of Begin before
// it, it starts when at most 16(k+1)-1 others have. It does not block, and the queue has no limit of its own: the
// [Gate] bounds it.
func (p *Pool) Begin(j Job) { p.put(&p.fresh, j) }

// Continue queues a later step of a handshake. It does not block.
func (p *Pool) Continue(j Job) { p.put(&p.begun, j) }

// Running returns how many goroutines are at work now.
func (p *Pool) Running() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running
}

// Queued returns how many jobs wait for a goroutine now.
func (p *Pool) Queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queued()
}

// Wait returns when no job is queued or running, those that came while it waited included. A job must not call it.
func (p *Pool) Wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.running > 0 { // nothing is queued without a goroutine to come for it: see hire
		p.quiet.Wait()
	}
}

func (p *Pool) put(q *fifo, j Job) {
	invariant.Check(j != nil, "handshakes: no job")
	p.mu.Lock()
	defer p.mu.Unlock()
	q.push(j)
	p.hire()
}

// hire starts a goroutine if there is a job for one more.
func (p *Pool) hire() {
	if p.running < p.most && p.queued() > 0 {
		p.running++
		go p.work()
	}
}

// drain is the life of a goroutine.
func (p *Pool) drain() {
	defer p.retire()
	for j := p.next(); j != nil; j = p.next() {
		j.Run()
		runtime.Gosched() // a job is a millisecond, and a loop may be ready to go on
	}
}

// retire is deferred, so that it also sees the end of a goroutine whose job called runtime.Goexit: user code may, a
// failing test does. Jobs may be left then, or have come since next found none: somebody must take them.
func (p *Pool) retire() {
	if r := recover(); r != nil {
		panic(r) // before Wait can return, and let the process exit as if all were well
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	p.hire()
	if p.running == 0 {
		p.quiet.Broadcast()
	}
}

// next takes the job whose turn it is, or nil.
func (p *Pool) next() Job {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.fresh.len() == 0:
		return p.begun.pop()
	case p.begun.len() > 0 && p.row < continued:
		p.row++
		return p.begun.pop()
	}
	p.row = 0
	return p.fresh.pop()
}

func (p *Pool) queued() int { return p.begun.len() + p.fresh.len() }

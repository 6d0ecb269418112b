package engine

import (
	"sync"

	"github.com/penstock-go/penstock/internal/workers"
)

// flights are what workers find out or make for a mount at the time. Who wants the same
// waits for it rather than have it done again: when a file has become popular overnight,
// the first thousand who ask for it cost as much as one.
type flights struct {
	mu sync.Mutex
	by map[flightKey]*flight
}

// flightKey says what is wanted.
type flightKey struct {
	path  string    // to be looked at,
	of    *resource // or to be compressed
	nth   int       // in this way
	alone *transfer // who does not share what it gets
}

// flight is the job of a worker. It comes back by a letter to every transfer in waiting.
type flight struct {
	m       *fileMount
	e       *Engine
	key     flightKey
	work    func() landing
	waiting []*transfer
}

// landing is what came of a flight.
type landing struct {
	r   *resource // held
	rep *representation
	err error
}

// join has t wait for what key stands for, then to go on with then. If nobody works at it
// yet, a worker of p does by work. It returns false if p has no room.
func (t *transfer) join(p *workers.Pool, key flightKey, work func() landing, then func()) bool {
	f := &t.m.flights
	f.mu.Lock()
	defer f.mu.Unlock()
	t.then, t.err = then, nil
	if fl := f.by[key]; fl != nil {
		fl.waiting = append(fl.waiting, t)
		return true
	}
	fl := &flight{m: t.m, e: t.s.l.e, key: key, work: work, waiting: []*transfer{t}}
	if !p.Begin(fl) {
		t.then = nil
		return false
	}
	if f.by == nil {
		f.by = make(map[flightKey]*flight)
	}
	f.by[key] = fl
	return true
}

// Run is the worker's part.
func (fl *flight) Run() {
	var o landing
	if err := fl.e.safely(func() { o = fl.work() }); err != nil {
		o.err = err
	}
	fl.land()
	for _, t := range fl.waiting {
		t.err, t.made = o.err, o.rep
		if o.r != nil {
			t.got = o.r.hold()
		}
		t.comeBack()
	}
	o.r.release()
}

// land lets nobody join any more.
func (fl *flight) land() {
	f := &fl.m.flights
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.by, fl.key)
}

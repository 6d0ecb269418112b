package simnet

import "github.com/penstock-go/penstock/internal/kernel"

// pipe is one direction of a connection: what is on its way or in the
// receiver's kernel.
type pipe struct {
	buf  []byte
	off  int // of buf that has been taken
	most int
	fin  bool // the sender says no more
}

func (p *pipe) len() int  { return len(p.buf) - p.off }
func (p *pipe) room() int { return p.most - p.len() }

func (p *pipe) put(b []byte) {
	if p.off > 0 && p.off == len(p.buf) {
		p.buf, p.off = p.buf[:0], 0
	}
	p.buf = append(p.buf, b...)
}

func (p *pipe) take(b []byte) int {
	n := copy(b, p.buf[p.off:])
	p.off += n
	return n
}

func (p *pipe) drop() { p.buf, p.off = nil, 0 }

// wire is a connection. The near end is the code under test, which knows it by
// a descriptor; the far end is an actor's.
type wire struct {
	n          *Net
	up, down   pipe         // to the near end, from the near end
	err        kernel.Errno // the near end has not been told of yet (SO_ERROR)
	connecting bool
	failed     bool // never was one
	broken     bool // an RST has come or gone
	nearClosed bool
	farClosed  bool
}

func (n *Net) newWire() *wire {
	size := func() int {
		if n.cfg.Buffer > 0 {
			return n.cfg.Buffer
		}
		return 1 + n.rng.IntN(1<<(4+n.rng.IntN(13)))
	}
	return &wire{n: n, up: pipe{most: size()}, down: pipe{most: size()}}
}

// breakDown is an RST that reaches the near end (toNear) or leaves it.
func (w *wire) breakDown(e kernel.Errno) {
	if w.broken {
		return
	}
	w.broken, w.err = true, e
	w.down.drop()
	if w.n.Chance(0.5) { // Linux keeps what had arrived, others do not
		w.up.drop()
	}
}

// events is what a level-triggered poller sees of the near end.
func (w *wire) events() kernel.Event {
	switch {
	case w.connecting:
		return 0
	case w.ending() != goesOn:
		return kernel.Readable | kernel.Writable | kernel.HungUp
	}
	var ev kernel.Event
	if w.up.len() > 0 || w.up.fin {
		ev |= kernel.Readable
	}
	if w.down.room() > 0 || w.farClosed {
		ev |= kernel.Writable
	}
	return ev
}

// ending is how far a connection is on its way out.
type ending uint8

const (
	goesOn  ending = iota // this way at least
	shut                  // FIN both ways
	hasGone               // reset, or never was one
)

func (w *wire) ending() ending {
	switch {
	case w.failed, w.broken:
		return hasGone
	case w.up.fin && w.down.fin:
		return shut
	}
	return goesOn
}

package simnet

import "golang.org/x/sys/unix"

// End is the far end of a connection, for an actor.
type End struct{ w *wire }

// Dial connects to the listener at the port that Listen has bound. The
// connection waits in the backlog until it is accepted. nil says that nobody
// listens there.
func (n *Net) Dial(port int) *End {
	for _, s := range n.socks {
		if s != nil && s.listens && int(s.addr.Port()) == port {
			w := n.newWire()
			s.backlog = append(s.backlog, w)
			return &End{w}
		}
	}
	return nil
}

// Send puts as much of b on its way as the kernels have room for. What is sent
// to an end that has closed answers with an RST.
func (e *End) Send(b []byte) int {
	w := e.w
	switch {
	case e.Shut():
		return 0
	case w.nearClosed:
		w.n.later(0, func() { w.breakDown(0) })
		return len(b)
	}
	n := min(len(b), w.up.room())
	w.up.put(b[:n])
	return n
}

// Shut tells whether Send will never take anything again.
func (e *End) Shut() bool { return e.w.broken || e.w.up.fin }

// Room tells whether Send would take anything, or is shut.
func (e *End) Room() bool { return e.Shut() || e.w.nearClosed || e.w.up.room() > 0 }

// Recv appends up to most bytes of what has come to dst.
func (e *End) Recv(dst []byte, most int) []byte {
	p := &e.w.down
	n := min(p.len(), most)
	dst = append(dst, p.buf[p.off:p.off+n]...)
	p.off += n
	return dst
}

// Readable tells whether there is anything to learn from Recv: bytes, or the end.
func (e *End) Readable() bool { return e.w.down.len() > 0 || e.w.down.fin || e.w.broken }

// FIN tells whether everything has been received and the near end's FIN too.
func (e *End) FIN() bool { return e.w.down.fin && e.w.down.len() == 0 && !e.w.broken }

// Broken tells whether the connection was reset, by whomever.
func (e *End) Broken() bool { return e.w.broken }

// Over tells whether nothing more can be received.
func (e *End) Over() bool { return e.w.broken || e.FIN() }

// CloseWrite sends FIN.
func (e *End) CloseWrite() { e.w.up.fin = true }

// Close leaves: FIN, or RST if something that came was not read.
func (e *End) Close() {
	w := e.w
	if w.farClosed || w.broken {
		return
	}
	if w.down.len() > 0 {
		e.Reset()
		return
	}
	w.farClosed, w.up.fin = true, true
}

// Reset sends an RST, which overtakes nothing but may destroy what the near end
// has not read.
func (e *End) Reset() {
	e.w.farClosed = true
	e.w.breakDown(unix.ECONNRESET)
}

package engine

import "github.com/penstock-go/penstock/callbacks"

// early are the writes of Handles that came before there was anybody to write to.
type early struct {
	letters []*letter
	bytes   int
}

// letterCost is what a write counts beside its bytes, of which it may have none: about
// what its letter takes.
const letterCost = 128

// early returns where writes wait, or nil if they need not. In a session that ends
// nobody would ever take them.
func (s *session) early() *early {
	if s.state > stateOpen {
		return nil
	}
	if d, ok := s.role.(*dialRole); ok && !d.x.open() {
		return &d.early
	}
	if h := s.handshaking(); h != nil {
		return &h.early
	}
	return nil
}

// keep puts m behind the others, if there is room. A client that tries again must not
// be lost because its program does not stop writing: there the write is.
func (w *early) keep(s *session, m *letter) {
	n := len(m.buf.B) + letterCost
	if w.bytes+n <= s.sendMost() {
		w.bytes += n
		w.letters = append(w.letters, m)
		return
	}
	m.release()
	if s.line() != nil {
		s.l.counters.dropped++
		return
	}
	s.fail(callbacks.ErrSendQueueFull)
}

// deliver makes the writes.
func (w *early) deliver() {
	list := w.letters
	*w = early{}
	for _, m := range list {
		m.Deliver()
	}
}

// drop forgets them.
func (w *early) drop() {
	for _, m := range w.letters {
		m.release()
	}
	*w = early{}
}

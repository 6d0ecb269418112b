package engine

import (
	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
)

// write sends p as one frame.
func (w *wsRole) write(s *session, p []byte, kind callbacks.Kind) error {
	if w.flags&wsClosed != 0 {
		return callbacks.ErrClosed
	}
	op, err := w.opcode(kind, len(p))
	if err != nil {
		return err
	}
	need := len(p)
	if w.agreed() != nil {
		need = grown(need)
	}
	if err := s.room(need + ws.MaxHeaderSize + closeRoom); err != nil {
		return err
	}
	if op.IsControl() {
		w.frame(s, op, true, false, p)
		return nil
	}
	w.flags &^= wsSending
	if !kind.Fin() {
		w.flags |= wsSending
	} else {
		s.l.counters.messagesOut++
	}
	rsv1 := false
	if w.agreed() != nil {
		p, rsv1 = w.deflated(s, p, kind)
	}
	w.frame(s, op, kind.Fin(), rsv1, p)
	return nil
}

// closeRoom is what a message leaves free in the send queue, so that a close
// frame always fits behind it.
const closeRoom = controlMost + ws.MaxHeaderSize

// opcode finds the opcode of kind and whether it may be sent now.
func (w *wsRole) opcode(kind callbacks.Kind, n int) (ws.OpCode, error) {
	sending := w.flags&wsSending != 0
	switch kind.Base() {
	case callbacks.WriteText, callbacks.WriteBinary:
		if sending {
			return 0, callbacks.ErrFragment
		}
		if kind.Base() == callbacks.WriteText {
			return ws.OpText, nil
		}
		return ws.OpBinary, nil
	case callbacks.WriteContinuation:
		if !sending {
			return 0, callbacks.ErrFragment
		}
		return ws.OpContinuation, nil
	case callbacks.WritePing, callbacks.WritePong:
		if !kind.Fin() {
			return 0, callbacks.ErrKind
		}
		if n > controlMost {
			return 0, callbacks.ErrTooLong
		}
		if kind.Base() == callbacks.WritePing {
			return ws.OpPing, nil
		}
		return ws.OpPong, nil
	}
	return 0, callbacks.ErrKind
}

func (w *wsRole) frame(s *session, op ws.OpCode, fin, rsv1 bool, p []byte) {
	if !op.IsControl() {
		w.moved(s)
	}
	b := s.begin()
	switch {
	case w.reader.Side == ws.Client:
		key := s.l.keys.Next()
		b = append(ws.AppendMaskedHeader(b, op, fin, rsv1, key, len(p)), p...)
		ws.MaskInPlace(b[len(b)-len(p):], key, 0)
		s.commit(b)
	case len(p) >= largeWrite:
		s.commitWith(ws.AppendHeader(b, op, fin, rsv1, len(p)), p)
	default:
		s.commit(append(ws.AppendHeader(b, op, fin, rsv1, len(p)), p...))
	}
}

// control sends a ping or pong of the engine's own. A peer that does not read
// gets none: a pong may be left out for a later one (RFC 6455 5.5.3).
func (w *wsRole) control(s *session, op ws.OpCode, p []byte) (sent bool) {
	if w.flags&wsClosed != 0 || s.room(len(p)+ws.MaxHeaderSize) != nil {
		return false
	}
	w.frame(s, op, true, false, p)
	return true
}

package engine

import (
	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
)

// A message's way out:
//
//	send, sendMessage  whether it may be sent now, and what Protocol.Overflow says if not
//	room               in the queue, behind what was published before
//	deflated           compressed, see ws_deflate.go; a prepared one may be it already
//	frame, prepared    into the cork, or from where it is

// write sends p as one frame. To who does not ask, what was dropped is no error.
func (w *wsRole) write(s *session, p []byte, kind callbacks.Kind) error {
	_, err := w.send(s, p, kind)
	return err
}

// send sends p as one frame.
func (w *wsRole) send(s *session, p []byte, kind callbacks.Kind) (callbacks.Outcome, error) {
	if w.flags&wsClosed != 0 {
		return callbacks.Refused, callbacks.ErrClosed
	}
	op, err := w.opcode(kind, len(p))
	if err != nil {
		return callbacks.Refused, err
	}
	if w.flags&wsDropping != 0 && !op.IsControl() { // its beginning was dropped
		w.piece(kind, true)
		return callbacks.Dropped, nil
	}
	need := len(p)
	if w.agreed() != nil {
		need = grown(need)
	}
	if err := w.room(s, need+ws.MaxHeaderSize+closeRoom); err != nil {
		return w.overflow(s, op, kind, err)
	}
	if op.IsControl() {
		w.frame(s, op, true, false, p)
		return s.outcome(), nil
	}
	w.piece(kind, false)
	if kind.Fin() {
		s.l.counters.messagesOut++
	}
	rsv1 := false
	if w.agreed() != nil {
		p, rsv1 = w.deflated(s, p, kind)
	}
	w.frame(s, op, kind.Fin(), rsv1, p)
	if b := w.subscriber(); b != nil && b.first != nil { // it has waited for the message's end
		b.wake()
	}
	return s.outcome(), nil
}

// piece notes whether more pieces of the message follow, and whether they are dropped.
func (w *wsRole) piece(kind callbacks.Kind, dropped bool) {
	w.flags &^= wsSending | wsDropping
	if !kind.Fin() {
		w.flags |= wsSending
		if dropped {
			w.flags |= wsDropping
		}
	}
}

// room answers a write of n bytes, in front of which the backlog has to go: nil if
// both have room. Inside of a message the backlog stays, and counts.
func (w *wsRole) room(s *session, n int) error {
	b := w.subscriber()
	if b == nil || b.first == nil {
		return s.room(n)
	}
	err := s.room(n + b.weight())
	if err != nil && !b.held() {
		b.drain(false)
		err = s.room(n + b.weight())
	}
	if err != nil {
		return err
	}
	if !w.sendingPieces() && !b.catchUp() {
		return callbacks.ErrSendQueueFull
	}
	return nil
}

// overflow does with a write that has no room what the protocol says.
func (w *wsRole) overflow(s *session, op ws.OpCode, kind callbacks.Kind, err error) (callbacks.Outcome, error) {
	if err != callbacks.ErrSendQueueFull || op.IsControl() {
		return callbacks.Refused, err
	}
	switch s.proto.Overflow {
	case callbacks.OverflowDropNewest:
		if op != ws.OpContinuation {
			w.piece(kind, true)
			s.l.counters.dropped++
			return callbacks.Dropped, nil
		}
		w.tooSlow(s) // half of it was sent
	case callbacks.OverflowClose:
		w.tooSlow(s)
	}
	return callbacks.Refused, err
}

// tooSlow ends a session that has no room for what it should get. What waits in its
// backlog would only make the queue longer that has brought it here.
func (w *wsRole) tooSlow(s *session) {
	if b := w.subscriber(); b != nil {
		b.dropAll()
	}
	s.because(callbacks.ErrSendQueueFull)
	w.closeWith(s, ws.StatusTryAgainLater, "send queue full")
}

// sendMessage is send of a message that was prepared.
func (w *wsRole) sendMessage(s *session, m *callbacks.Message) (callbacks.Outcome, error) {
	if w.flags&wsClosed != 0 {
		return callbacks.Refused, callbacks.ErrClosed
	}
	op, err := w.opcode(m.Kind(), 0)
	if err != nil {
		return callbacks.Refused, err
	}
	if err := w.room(s, w.size(m)+closeRoom); err != nil {
		return w.overflow(s, op, m.Kind(), err)
	}
	w.prepared(s, m, false)
	return s.outcome(), nil
}

// prepared sends m. A server's frame is the same for all its sessions: a long one, or
// one that is alone, is not copied.
func (w *wsRole) prepared(s *session, m *callbacks.Message, alone bool) {
	l := s.l
	frame, payload, rsv1 := m.Frame(), m.Payload(), false
	if a := w.agreed(); a != nil && m.Kind()&callbacks.Uncompressed == 0 && a.worth(len(payload)) {
		if f, p := m.Compressed(l.compressor(a.level), a.out); f != nil {
			frame, payload, rsv1 = f, p, true
			if d := w.more.deflating; d != nil { // the peer's window has this in it now, behind what we remember
				d.sent.Release()
			}
		}
	}
	l.counters.messagesOut++
	l.fanned += len(frame)
	switch {
	case w.reader.Side == ws.Client:
		w.frame(s, ws.OpCode(frame[0]&0xf), true, rsv1, payload)
		return
	case alone:
		w.moved(s)
		s.sent(s.link.Write(frame))
		return
	}
	w.moved(s)
	if b := s.begin(); len(frame) >= largeWrite {
		s.commitWith(b, frame)
	} else {
		s.commit(append(b, frame...))
	}
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
	if b := w.subscriber(); b != nil && op == ws.OpPong && w.flags&wsClosed == 0 && !b.held() {
		b.drain(false) // in the same write; what it has no room for the frame passes by
	}
	if w.flags&wsClosed != 0 || s.room(len(p)+ws.MaxHeaderSize+closeRoom) != nil {
		return false
	}
	w.frame(s, op, true, false, p)
	return true
}

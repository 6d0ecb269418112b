package engine

import (
	"errors"
	"fmt"
	"io"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec"
	"github.com/penstock-go/penstock/codec/ws"
)

// ErrMessageTooLong ends a session whose Codec leaves more than
// Limits.RawMessage bytes of an incomplete message.
var ErrMessageTooLong = errors.New("engine: the message is too long")

// rawRole is a session without a protocol of the engine's: its bytes go to the
// program as they come, or through its Codec.
type rawRole struct {
	decoder codec.Decoder // nil without a Codec
	opened  bool          // RawAdopt or RawConnected has been raised
}

// openRaw makes s a raw session of p.
func (s *session) openRaw(p *callbacks.Protocol, first callbacks.Reason) {
	w := &rawRole{}
	s.proto = p
	s.become(w)
	s.deadlineAt(0)
	s.setWriteLimits()
	if p.Codec != nil {
		if err := w.newDecoder(s, p.Codec); err != nil {
			s.shut(err)
			return
		}
	}
	if err := s.tell(callbacks.RawSktBindProtocol, nil); err != nil {
		s.fail(err)
		return
	}
	w.opened = true
	s.tellOrFail(first, nil)
}

func (w *rawRole) receive(s *session, b []byte) (int, error) {
	if w.decoder == nil {
		return len(b), s.lend(callbacks.RawRX, b)
	}
	n, msg, ok, err := w.next(s, b)
	switch {
	case err != nil:
		w.breach(s, err)
		return len(b), nil
	case ok:
		s.l.counters.messagesIn++
		err = s.lend(callbacks.RawRX, msg)
	case n == 0 && len(b) > s.l.e.limits.RawMessage:
		w.breach(s, ErrMessageTooLong)
		return len(b), nil
	}
	return n, err
}

// A Codec is the program's code as a callback is: its panics, and results that
// make no sense, end one session.

func (w *rawRole) newDecoder(s *session, c codec.Codec) (err error) {
	defer s.l.recovered(callbacks.RawAdopt, &err)
	w.decoder = c.NewDecoder()
	return nil
}

func (w *rawRole) next(s *session, b []byte) (n int, msg []byte, ok bool, err error) {
	defer s.l.recovered(callbacks.RawRX, &err)
	n, msg, ok, err = w.decoder.Next(b)
	if err == nil && (n < 0 || n > len(b) || ok && n == 0) {
		err = errDecoder
	}
	return n, msg, ok, err
}

func (w *rawRole) encode(s *session, c codec.Codec, dst, p []byte) (out []byte, err error) {
	defer s.l.recovered(callbacks.RawRX, &err)
	return c.Append(dst, p)
}

var errDecoder = errors.New("engine: a Decoder used a number of bytes that it was not given")

// breach ends a session whose peer broke the codec's protocol.
func (w *rawRole) breach(s *session, err error) {
	var c *codec.Error
	if errors.As(err, &c) && s.room(len(c.Answer)) == nil {
		s.appendBytes(c.Answer)
	}
	s.shut(err)
}

func (w *rawRole) write(s *session, p []byte, kind callbacks.Kind) error {
	if err := s.room(len(p)); err != nil {
		return err
	}
	proto := s.Protocol()
	switch kind {
	case callbacks.WriteRaw, callbacks.WriteHTTPFinal:
		s.appendBytes(p)
		return nil
	case callbacks.WriteText, callbacks.WriteBinary:
		if proto.Codec == nil {
			s.appendBytes(p)
			return nil
		}
	default:
		return callbacks.ErrKind
	}
	b := s.begin()
	out, err := w.encode(s, proto.Codec, b, p)
	if err != nil {
		s.commit(b)
		return err
	}
	s.l.counters.messagesOut++
	s.commit(out)
	return nil
}

func (w *rawRole) close(s *session, _ ws.StatusCode, _ string) error {
	s.shut(nil)
	return nil
}

// fail closes: there is no way to tell the peer why.
func (w *rawRole) fail(s *session, err error) {
	if errors.Is(err, callbacks.ErrClose) {
		err = nil
	} else {
		s.unexpected(err)
	}
	s.shut(err)
}

// ErrCutShort ends a raw session whose peer closed the connection without TLS's
// close_notify: what came may have been cut short by somebody in between (RFC
// 8446 6.1). HTTP and WebSocket know by themselves where a message ends. It
// unwraps to io.ErrUnexpectedEOF.
var ErrCutShort = fmt.Errorf("engine: the peer closed without close_notify: %w", io.ErrUnexpectedEOF)

// eof closes; what a Codec has not made a message of by now will never be one.
func (w *rawRole) eof(s *session) {
	switch {
	case s.flags&flagCutShort != 0:
		s.shut(ErrCutShort)
	case w.decoder != nil && s.link.Kept() > 0:
		s.shut(io.ErrUnexpectedEOF)
	default:
		s.shut(nil)
	}
}

func (w *rawRole) writeable(s *session) {
	s.tellOrFail(callbacks.RawWriteable, nil)
}

func (w *rawRole) timeout(s *session, now int64) {
	if s.paused&pauseQueue != 0 {
		s.stalled(now)
	}
}

func (w *rawRole) settle(*session)    {}
func (w *rawRole) goodbye(s *session) { s.shut(nil) }

func (w *rawRole) closed(s *session) {
	_ = s.tell(callbacks.RawSktDropProtocol, nil)
	switch {
	case w.opened:
		_ = s.tell(callbacks.RawClose, nil)
	case s.isClient():
		s.because(callbacks.ErrClosed)
		_ = s.tell(callbacks.ClientConnectionError, []byte(s.Err().Error()))
	}
}

// deadRole is that of a session which has none: before it has begun, and when
// it is over.
type deadRole struct{}

func (*deadRole) receive(_ *session, b []byte) (int, error)    { return len(b), nil }
func (*deadRole) eof(*session)                                 {}
func (*deadRole) writeable(*session)                           {}
func (*deadRole) timeout(*session, int64)                      {}
func (*deadRole) settle(*session)                              {}
func (*deadRole) fail(*session, error)                         {}
func (*deadRole) goodbye(*session)                             {}
func (*deadRole) closed(*session)                              {}
func (*deadRole) write(*session, []byte, callbacks.Kind) error { return callbacks.ErrRole }
func (*deadRole) close(*session, ws.StatusCode, string) error  { return callbacks.ErrRole }

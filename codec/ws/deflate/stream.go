package deflate

import (
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/bufpool"
)

// Stream inflates a message that is delivered in pieces while it arrives. The
// zero value is ready; between messages it holds nothing.
//
// A reader cannot stop where its input ends and go on later. It can at a flush
// marker at the end of a piece: there the next bits start a block, and all that
// has to survive is plaintext, in the History. Senders that compress piece by
// piece flush at the end of each frame, so all of it is delivered as it comes.
// Of others the compressed bytes are held until the message ends.
type Stream struct {
	held     *bufpool.Buffer // compressed, not inflated yet
	inflated int64           // plaintext of this message so far
	failed   int             // how much was held when a marker was none
	begun    bool            // bytes of a message have come before
	closed   bool            // the last ones inflated were a final block
}

// Append takes piece, the next compressed bytes of a message, of which final
// marks the last, and returns dst with the plaintext behind it that can be told
// by now: perhaps none, and with the last piece all. d and h are the session's
// for what it receives; h must not be nil.
//
// The limit and the errors are those of [Inflater.Append], the limit that of
// the whole message. Compressed bytes held are bounded by limit and an eighth
// of it, or are ws.ErrMessageTooBig too. After an error s is at its start, dst
// as it was, and the connection ends.
func (s *Stream) Append(f *Inflater, dst, piece []byte, final bool, d Direction, h *History, limit int64) ([]byte, error) {
	switch {
	case final && !s.begun:
		return f.Append(dst, piece, d, h, limit)
	case len(piece) == 0 && !final:
		return dst, nil
	}
	start := len(dst)
	limit = plainLimit(limit)
	err := s.hold(piece, limit)
	switch {
	case err != nil:
	case final:
		dst, err = s.end(f, dst, h, d, limit)
	case s.flushed():
		dst, err = s.flush(f, dst, h, d, limit)
	}
	if err != nil {
		s.Release()
		return dst[:start], err
	}
	return dst, nil
}

// Release drops what is unfinished. It may be called at any time.
func (s *Stream) Release() {
	if s.held != nil {
		bufpool.Put(s.held)
	}
	*s = Stream{}
}

// hold adds piece to what is held. A sender that gains nothing stores its data
// in blocks, for which an eighth more is plenty.
func (s *Stream) hold(piece []byte, limit int64) error {
	s.begun = true
	if s.held == nil {
		s.held = bufpool.Get()
	}
	if int64(len(s.held.B)+len(piece)) > limit+limit/8+maxOverhead {
		return ws.ErrMessageTooBig
	}
	s.held.B = append(s.held.B, piece...)
	return nil
}

// maxOverhead is how much longer than its plaintext the shortest message may be.
const maxOverhead = 64

// flushed tells whether what is held seems to end with a flush. The marker's
// bytes may also be data by chance or malice, so after a failure there is no
// further trial before twice as much is held: the work stays linear.
func (s *Stream) flushed() bool {
	b := s.held.B
	return len(b) >= 2*s.failed && len(b) >= len(marker) && string(b[len(b)-len(marker):]) == marker
}

// flush inflates what is held if a block ends where it ends.
func (s *Stream) flush(f *Inflater, dst []byte, h *History, d Direction, limit int64) ([]byte, error) {
	start, n := len(dst), len(s.held.B)
	s.held.B = append(s.held.B, stop...)
	dst, unread, err := f.streams(dst, s.held.B, len(stop), h.bytes(), limit-s.inflated)
	s.held.B = s.held.B[:n]
	switch {
	case err != nil && unread < len(stop):
		// No block ends here, and what is wrong may be our stop, read as data.
		s.failed = n
		return dst[:start], nil
	case err != nil:
		return dst, err
	}
	bufpool.Put(s.held)
	*s = Stream{begun: true, closed: unread > 0, inflated: s.inflated + int64(len(dst)-start)}
	h.keep(dst[start:], d.window())
	return dst, nil
}

// end inflates the rest of the message.
func (s *Stream) end(f *Inflater, dst []byte, h *History, d Direction, limit int64) ([]byte, error) {
	start := len(dst)
	if len(s.held.B) > 0 || !s.closed {
		s.held.B = append(append(s.held.B, marker...), stop...)
		var err error
		if dst, _, err = f.streams(dst, s.held.B, len(marker)+len(stop), h.bytes(), limit-s.inflated); err != nil {
			return dst, err
		}
	}
	s.Release()
	if d.Takeover {
		h.keep(dst[start:], d.window())
	} else {
		h.Release()
	}
	return dst, nil
}

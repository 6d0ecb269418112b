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
	final    bool            // the message's last piece is held
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
	if final && !s.begun {
		return f.Append(dst, piece, d, h, limit)
	}
	ready, err := s.Add(piece, final, limit)
	if err != nil || !ready {
		return dst, err
	}
	return s.Inflate(f, dst, d, h, limit)
}

// Add is the first half of Append: it takes a piece, which it does not keep, and
// reports whether Inflate, the second half, is to be called now. It is for whoever
// wants to know by [Stream.Held] how much work that will be.
func (s *Stream) Add(piece []byte, final bool, limit int64) (ready bool, err error) {
	if len(piece) == 0 && !final {
		return false, nil
	}
	if err := s.hold(piece, plainLimit(limit)); err != nil {
		s.Release()
		return false, err
	}
	s.final = final
	return final || s.flushed(), nil
}

// Inflate appends the plaintext of what is held. It may be none, if what looked
// like a flush was data.
func (s *Stream) Inflate(f *Inflater, dst []byte, d Direction, h *History, limit int64) ([]byte, error) {
	start := len(dst)
	inflate := s.flush
	if s.final {
		inflate = s.end
	}
	dst, err := inflate(f, dst, h, d, plainLimit(limit))
	if err != nil {
		s.Release()
		return dst[:start], err
	}
	return dst, nil
}

// Held returns how many compressed bytes wait to be inflated.
func (s *Stream) Held() int {
	if s.held == nil {
		return 0
	}
	return len(s.held.B)
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
	dst, unread, err := f.streams(dst, s.held.B, stop, h.bytes(), limit-s.inflated)
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
		var err error
		if dst, _, err = f.streams(dst, s.held.B, marker+stop, h.bytes(), limit-s.inflated); err != nil {
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

package deflate

import (
	"github.com/klauspost/compress/flate"

	"github.com/penstock-go/penstock/internal/invariant"
)

// The way of a message through this file:
//
//  1. deflate resets a writer to the bytes that may be referred to.
//  2. It compresses the piece and flushes, which ends in the flush marker
//     00 00 ff ff on a byte boundary; so what has to survive from one piece to
//     the next is plaintext, never a writer.
//  3. Append takes the marker off the last piece (RFC 7692 section 7.2.1).
//  4. remember keeps the end of the plaintext.

// sendHistory is how much plaintext a sender keeps at most, in bytes, for
// takeover and inside a message sent in pieces. A writer has to index it anew
// for every message, about 2 us for 1 KiB. With twice as much, messages of 1 KiB get
// two in a hundred smaller and cost a seventh more.
const sendHistory = 2 << 10

// Compressor compresses messages of any number of sessions, one after the
// other. The zero value is ready; the first message makes it allocate about
// 1 MB for its tables. One a loop is enough for all that have the same Level.
type Compressor struct {
	// Level is that of [Config]. Not to be changed after the first message.
	Level int

	out   output
	whole *flate.Writer                                // window of 32 KiB
	small [maxWindowBits - minWindowBits]*flate.Writer // of 2^8 to 2^14 bytes
}

// output is the io.Writer that appends.
type output struct{ b []byte }

// Write appends p.
func (o *output) Write(p []byte) (int, error) {
	o.b = append(o.b, p...)
	return len(p), nil
}

// Append compresses p, the next piece of a message that is sent by the terms d,
// appends it to dst and returns the extended dst. Each piece can be a frame of
// its own, of which the first has RSV1; final marks the message's last, and may
// come with an empty p. The receiver can inflate each piece as it comes.
//
// h is the session's for this direction. It may be nil for messages in one piece
// without takeover. Append does not keep p, and h not dst.
func (c *Compressor) Append(dst, p []byte, final bool, d Direction, h *History) []byte {
	switch {
	case len(p) > 0:
		dst = c.deflate(dst, p, d, h.bytes())
		if final {
			dst = dst[:len(dst)-len(marker)]
		}
	case final:
		// Section 7.2.3.6: an empty block, of which the marker is taken off.
		dst = append(dst, 0)
	}
	if h != nil {
		h.remember(p, final, d)
	}
	return dst
}

// AppendSmaller is Append for a message in one piece, if that makes it smaller.
// Otherwise it returns dst as it was and ok is false: send p as it is, without
// RSV1. Both ends then act as if the message had not been.
func (c *Compressor) AppendSmaller(dst, p []byte, d Direction, h *History) (out []byte, ok bool) {
	if len(p) == 0 {
		return dst, false
	}
	start := len(dst)
	dst = c.deflate(dst, p, d, h.bytes())
	dst = dst[:len(dst)-len(marker)]
	if len(dst)-start >= len(p) {
		return dst[:start], false
	}
	if h != nil {
		h.remember(p, true, d)
	}
	return dst, true
}

// deflate appends p, compressed with references to dict, and the marker.
func (c *Compressor) deflate(dst, p []byte, d Direction, dict []byte) []byte {
	if over := len(dict) + len(p) - d.window(); over > 0 && over <= len(dict)/2 {
		dict = dict[over:] // so that a whole writer does, which is faster than one that looks at distances
	}
	w := c.writer(d, len(dict)+len(p))
	c.out.b = dst
	w.ResetDict(&c.out, dict)
	_, err := w.Write(p)
	if err == nil {
		err = w.Flush()
	}
	// Only the output can fail.
	invariant.Check(err == nil, "deflate: an append failed")
	dst, c.out.b = c.out.b, nil
	return dst
}

// writer returns one that never refers back further than d allows, in span bytes
// of dictionary and message.
func (c *Compressor) writer(d Direction, span int) *flate.Writer {
	if d.bits() == maxWindowBits || span <= d.window() {
		return c.wholeWriter()
	}
	w := &c.small[d.bits()-minWindowBits]
	if *w == nil {
		*w, _ = flate.NewWriterWindow(&c.out, d.window()) // in range by the type's contract
	}
	return *w
}

func (c *Compressor) wholeWriter() *flate.Writer {
	if c.whole == nil {
		level := c.Level
		if level == 0 {
			level = DefaultLevel
		}
		c.whole, _ = flate.NewWriter(&c.out, min(max(level, 1), 9))
	}
	return c.whole
}

// remember keeps what the sender's next piece may refer to.
func (h *History) remember(p []byte, final bool, d Direction) {
	if final && !d.Takeover {
		h.Release()
		return
	}
	h.keep(p, min(sendHistory, d.window()))
}

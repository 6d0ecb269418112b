package ws

import (
	"slices"

	"github.com/penstock-go/penstock/internal/bufpool"
)

// firstBuffer is how much of a declared length is believed before it arrives.
// A header costs a peer 14 bytes; it must not cost this end megabytes.
const firstBuffer = 64 << 10

// Assembler makes whole messages out of the pieces a [Reader] reports. The zero
// value is ready; between messages it holds nothing.
type Assembler struct {
	buf *bufpool.Buffer
}

// Add takes one event of Kind Data. With the last piece of a message it returns
// the message and done; before that it keeps a copy of the piece.
//
// A message that is one piece is returned as it is: msg is ev.Payload, with its
// lifetime. Any other msg belongs to the Assembler and holds until Release, to be
// called once the message is delivered, or the next Add. The caller may change
// it meanwhile.
//
// A message longer than limit bytes (0 or less: DefaultMessageLimit) is dropped
// as soon as that is known, with ErrMessageTooBig.
func (a *Assembler) Add(ev *Event, limit int64) (msg []byte, done bool, err error) {
	if ev.First {
		a.Release()
	}
	limit = limitOr(limit, DefaultMessageLimit)
	have := 0
	if a.buf != nil {
		have = len(a.buf.B)
	}
	if int64(len(ev.Payload)) > limit-int64(have) {
		a.Release()
		return nil, false, ErrMessageTooBig
	}
	if ev.First && ev.Final {
		return ev.Payload, true, nil
	}
	if a.buf == nil {
		a.buf = bufpool.Get()
	}
	a.reserve(ev, limit)
	a.buf.B = append(a.buf.B, ev.Payload...)
	if !ev.Final {
		return nil, false, nil
	}
	return a.buf.B, true, nil
}

// Release gives the buffer of the last message back. It may be called at any
// time, also without a message, and drops what is unfinished.
func (a *Assembler) Release() {
	if a.buf != nil {
		bufpool.Put(a.buf)
		a.buf = nil
	}
}

// reserve makes room for the piece in ev: for the whole frame if it is small,
// and by doubling beyond that, so that a long message is copied about once and
// a promise of one costs nothing.
func (a *Assembler) reserve(ev *Event, limit int64) {
	b := a.buf.B
	need := len(b) + len(ev.Payload)
	if need <= cap(b) {
		return
	}
	declared := uint64(need) + ev.Remaining
	doubled := min(2*int64(cap(b)), limit)
	size := max(need, int(min(declared, firstBuffer)), int(doubled))
	a.buf.B = slices.Grow(b, size-len(b))
}

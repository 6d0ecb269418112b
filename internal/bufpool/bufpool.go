// Package bufpool lends byte buffers from bytebufferpool and, under the
// invariants build tag, counts the ones that are out.
package bufpool

import (
	"github.com/valyala/bytebufferpool"

	"github.com/penstock-go/penstock/internal/invariant"
)

// Buffer is a lent buffer; B is its content.
type Buffer = bytebufferpool.ByteBuffer

// Ledger is the name of the count of lent buffers in invariant.Counts.
const Ledger = "bufpool.buffers"

// keepMost is the largest buffer that goes back to the pool. One that grew for
// a single huge message must not stay behind for the next small one.
const keepMost = 256 << 10

// Get lends an empty buffer.
func Get() *Buffer {
	invariant.Count(Ledger, 1)
	return bytebufferpool.Get()
}

// Put takes a buffer back; the caller must hold no slice of it any more.
func Put(b *Buffer) {
	invariant.Count(Ledger, -1)
	invariant.Poison(b.B)
	if cap(b.B) > keepMost {
		return
	}
	bytebufferpool.Put(b)
}

// shrinkAbove is the capacity from which on a buffer is not kept for a little rest.
const shrinkAbove = 64 << 10

// Consume takes the first used bytes off what b holds from front on, and returns
// where the rest is: the buffer, which may be another one, and the rest's offset in
// it. What is left is moved only when it is no longer than what was used before it,
// so taking a buffer apart piece by piece costs its length and not its square. A
// short rest of a long buffer gets a buffer of its own. Without a rest b is put back,
// and the buffer is nil.
func Consume(b *Buffer, front, used int) (*Buffer, int) {
	front += used
	rest := b.B[front:]
	switch {
	case len(rest) == 0:
		Put(b)
		return nil, 0
	case len(rest) > front:
		return b, front
	case cap(b.B) > shrinkAbove && len(rest) < cap(b.B)/8:
		short := Get()
		short.B = append(short.B, rest...)
		Put(b)
		return short, 0
	}
	b.B = b.B[:copy(b.B, rest)]
	return b, 0
}

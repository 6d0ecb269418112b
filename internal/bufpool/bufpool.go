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

//go:build invariants

package invariant

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// Enabled tells whether this build checks invariants.
const Enabled = true

// PoisonByte is what Poison writes: neither ASCII nor a legal byte of UTF-8 in a row, so that text made of it
// shows in a log and fails a validity check.
const PoisonByte = 0xDB

var ledger sync.Map // string to *atomic.Int64

// Check panics with msg if ok is false.
func Check(ok bool, msg string) {
	if !ok {
		panic("invariant: " + msg)
	}
}

// Poison overwrites b, whose borrower must not look at it any more.
func Poison(b []byte) {
	for i := range b {
		b[i] = PoisonByte
	}
}

// Count adds delta to the counter called name: 1 when a thing is lent, -1 when it came home.
func Count(name string, delta int) {
	c, ok := ledger.Load(name)
	if !ok {
		c, _ = ledger.LoadOrStore(name, new(atomic.Int64))
	}
	c.(*atomic.Int64).Add(int64(delta))
}

// Counts returns the counters that are not zero: an empty map means that everything came home. The map is
// the caller's.
func Counts() map[string]int64 {
	out := make(map[string]int64)
	ledger.Range(func(name, c any) bool {
		if n := c.(*atomic.Int64).Load(); n != 0 {
			out[name.(string)] = n
		}
		return true
	})
	return out
}

// Goroutine returns the number of the calling goroutine, which the runtime tells only in the first line of a stack.
func Goroutine() uint64 {
	var buf [64]byte
	line := buf[:runtime.Stack(buf[:], false)]
	n, _ := strconv.ParseUint(string(bytes.Fields(line)[1]), 10, 64)
	return n
}

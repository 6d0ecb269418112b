//go:build !invariants

package invariant

// Enabled tells whether this build checks invariants.
const Enabled = false

// Check panics with msg if ok is false, in a build with the tag.
func Check(ok bool, msg string) {}

// Poison overwrites b, in a build with the tag.
func Poison(b []byte) {}

// Count adds delta to the counter called name, in a build with the tag.
func Count(name string, delta int) {}

// Counts returns the counters that are not zero, in a build with the tag, and nil in others.
func Counts() map[string]int64 { return nil }

// Goroutine returns the number of the calling goroutine, in a build with the tag, and 0 in others.
func Goroutine() uint64 { return 0 }

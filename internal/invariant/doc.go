// Package invariant holds the checks that only a build with the tag "invariants" makes: illegal states panic,
// lent memory is scribbled over when it is taken back, and a ledger counts what was lent.
//
// Without the tag every function here is empty and inlined away, so call sites need no condition; those whose
// arguments cost something to compute stand under if [Enabled], which is a constant.
//
// All functions may be called from any goroutine.
package invariant

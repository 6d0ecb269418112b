//go:build race

package conformance

// raced tells whether the race detector is on, which costs ten times the time.
const raced = true

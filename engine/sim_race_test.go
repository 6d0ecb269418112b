//go:build race

package engine

// simCount is how many seeds of each simulation are run.
const simCount = 60

// raced tells whether the race detector is on, under which a coroutine, and so each
// simulated TLS handshake, costs a hundred times the time.
const raced = true

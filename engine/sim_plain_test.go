//go:build !race

package engine

// simCount is how many seeds of each simulation are run.
const simCount = 180

// raced tells whether the race detector is on.
const raced = false

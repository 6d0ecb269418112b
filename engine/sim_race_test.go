//go:build race

package engine

// simCount is how many seeds of each simulation are run.
const simCount = 60

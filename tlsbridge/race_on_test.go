//go:build race

package tlsbridge

// raceEnabled tells whether this build has the race detector, which makes sync.Pool
// forget at random, and allocates.
const raceEnabled = true

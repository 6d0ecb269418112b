package load

import (
	"fmt"
	"math/rand/v2"
)

const (
	// textsInBytes is how much text there is before it repeats, at least: more than
	// any window, so that no message refers to itself.
	textsInBytes = 64 << 10

	// fewestTexts and mostTexts bound how many messages that is.
	fewestTexts = 16
	mostTexts   = 1024
)

// texts returns messages of size bytes that resemble JSON. Others come for another
// seed, and the same ones for the same.
func texts(seed uint64, size int) [][]byte {
	all := make([][]byte, min(max(textsInBytes/max(size, 1), fewestTexts), mostTexts))
	for k := range all {
		all[k] = text(rand.New(rand.NewPCG(seed, uint64(k))), size)
	}
	return all
}

// text is a list of orders, or of what a market sends: the same names again and
// again, with figures that do not repeat. It is cut off where it is long enough.
func text(r *rand.Rand, size int) []byte {
	b := fmt.Appendf(nil, `{"type":"update","sequence":%d,"data":[`, r.Uint32())
	for len(b) < size {
		b = fmt.Appendf(b, `{"id":"%08x","symbol":"%s","side":"%s","price":%.2f,"quantity":%d,"time":"2026-03-%02dT%02d:%02d:%02d.%03dZ","open":%v},`,
			r.Uint32(), pick(r, symbols), pick(r, sides), r.Float64()*1000, r.IntN(5000),
			1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000), r.IntN(2) == 0)
	}
	return b[:size]
}

var (
	symbols = []string{"ALPHA", "BRAVO", "DELTA", "KILO", "LIMA", "OSCAR", "TANGO", "VICTOR"}
	sides   = []string{"buy", "sell"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

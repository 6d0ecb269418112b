package deflate

import (
	"bytes"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/penstock-go/penstock/codec/ws"
)

// fields yields the values of several header fields of one name.
func fields(values ...string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, v := range values {
			if !yield([]byte(v)) {
				return
			}
		}
	}
}

// record makes n bytes of JSON as a feed sends them.
func record(r *rand.Rand, n int) []byte {
	names := []string{"alice", "bob", "carol", "dave", "erin"}
	b := []byte(`{"type":"update","items":[`)
	for len(b) < n {
		b = fmt.Appendf(b, `{"id":%d,"user":"%s","price":%.2f,"qty":%d,"active":%v,"ts":17%08d},`,
			r.IntN(100000), names[r.IntN(len(names))], r.Float64()*1000, r.IntN(50), r.IntN(2) == 0, r.IntN(1e8))
	}
	return b[:n]
}

// noise makes n bytes that do not compress.
func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7692)) }

// inflate is the Inflater of a test that expects no error.
func inflate(t testing.TB, f *Inflater, p []byte, d Direction, h *History) []byte {
	t.Helper()
	out, err := f.Append([]byte("before"), p, d, h, 0)
	if err != nil {
		t.Fatalf("inflating %d bytes: %v", len(p), err)
	}
	if !bytes.HasPrefix(out, []byte("before")) {
		t.Fatalf("dst was changed: %.20q", out)
	}
	return out[len("before"):]
}

// stored returns p in stored blocks as a non-final DEFLATE stream.
func stored(p []byte) []byte {
	var out []byte
	for len(p) > 0 {
		n := min(len(p), 0xffff)
		out = append(out, 0, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		out = append(out, p[:n]...)
		p = p[n:]
	}
	return out
}

// bomb returns a message that inflates to about n zeros.
func bomb(n int) []byte {
	var c Compressor
	zeros := make([]byte, n)
	return c.Append(nil, zeros, true, Direction{}, nil)
}

var directions = func() (all []Direction) {
	for bits := uint8(minWindowBits); bits <= maxWindowBits; bits++ {
		all = append(all, Direction{WindowBits: bits}, Direction{WindowBits: bits, Takeover: true})
	}
	return all
}()

// fewDirections are the smallest window, one in between and the largest.
var fewDirections = slices.DeleteFunc(slices.Clone(directions), func(d Direction) bool {
	return d.WindowBits != minWindowBits && d.WindowBits != 11 && d.WindowBits != maxWindowBits
})

func isTooBig(err error) bool { return err == error(ws.ErrMessageTooBig) }

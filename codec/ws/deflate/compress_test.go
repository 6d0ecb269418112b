package deflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestEveryCombinationInflates sends sequences of messages by every level,
// window and takeover, in one piece and in several. What comes out of them is
// checked by three inflaters: ours, one that has no larger window than agreed,
// and the standard library's.
func TestEveryCombinationInflates(t *testing.T) {
	for level := 1; level <= 9; level++ {
		t.Run(fmt.Sprint("level ", level), func(t *testing.T) {
			t.Parallel()
			c := &Compressor{Level: level}
			f := &Inflater{}
			for _, d := range directions {
				// Only messages that fit a small window depend on the level.
				if level == DefaultLevel || d.WindowBits%4 == 3 {
					testSequence(t, c, f, d, seeded(uint64(level)))
				}
			}
		})
	}
}

// testSequence sends messages of sizes around the window's and the limits of
// klauspost's special cases.
func testSequence(t *testing.T, c *Compressor, f *Inflater, d Direction, r *rand.Rand) {
	t.Helper()
	var send, receive, pieces History
	var s Stream
	var past []byte
	for i, size := range []int{200, 0, 1, 31, 33, 127, 128, 1000, 300, d.window() - 1, d.window() + 300, 5000, 10, 600, 66000, 900} {
		m := record(r, size)
		if i%5 == 4 {
			m = noise(r, size)
		}
		payload := sendPieces(c, m, r.IntN(4), d, &send)
		if got := inflate(t, f, payload, d, &receive); !bytes.Equal(got, m) {
			t.Fatalf("%+v, message %d: %d bytes became %d", d, i, len(m), len(got))
		}
		if got := streamPieces(t, &s, f, payload, r, d, &pieces); !bytes.Equal(got, m) {
			t.Fatalf("%+v, message %d in pieces: %d bytes became %d", d, i, len(m), len(got))
		}
		if !d.Takeover {
			past = nil
		}
		checkForeign(t, payload, past, m, d)
		past = append(past, m...)
		past = past[max(0, len(past)-d.window()):]
		checkHistories(t, d, &send, &receive, &pieces)
	}
}

// sendPieces compresses m in some more pieces than one, and returns them joined.
func sendPieces(c *Compressor, m []byte, more int, d Direction, h *History) (payload []byte) {
	for ; more > 0; more-- {
		n := len(m) / (more + 1)
		payload = c.Append(payload, m[:n], false, d, h)
		m = m[n:]
	}
	return c.Append(payload, m, true, d, h)
}

// streamPieces inflates payload in pieces cut anywhere.
func streamPieces(t *testing.T, s *Stream, f *Inflater, payload []byte, r *rand.Rand, d Direction, h *History) (out []byte) {
	t.Helper()
	for {
		n := r.IntN(len(payload) + 1)
		final := n == len(payload)
		var err error
		if out, err = s.Append(f, out, payload[:n], final, d, h, 0); err != nil {
			t.Fatal(err)
		}
		if payload = payload[n:]; final {
			break
		}
	}
	if *s != (Stream{}) {
		t.Fatalf("between messages: %+v", *s)
	}
	return out
}

// checkForeign inflates payload by other inflaters, by that of a peer that
// remembers no more than was agreed.
func checkForeign(t *testing.T, payload, past, want []byte, d Direction) {
	t.Helper()
	std := flate.NewReaderDict(bytes.NewReader(append(append(bytes.Clone(payload), marker...), stop...)), past)
	if got, err := io.ReadAll(std); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%+v: compress/flate: %d of %d bytes, %v", d, len(got), len(want), err)
	}
	got, far, err := naiveMessage(payload, past, d.window())
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%+v: an inflater of that window: %d of %d bytes, %v; refers %d back", d, len(got), len(want), err, far)
	}
}

// checkHistories holds what a session may keep between messages.
func checkHistories(t *testing.T, d Direction, send, receive, pieces *History) {
	t.Helper()
	mostSent, most := min(sendHistory, d.window()), d.window()
	if !d.Takeover {
		mostSent, most = 0, 0
	}
	if send.Size() > mostSent || receive.Size() > most || pieces.Size() > most {
		t.Fatalf("%+v: keeps %d to send, %d and %d to receive", d, send.Size(), receive.Size(), pieces.Size())
	}
	if !bytes.Equal(receive.b, pieces.b) {
		t.Fatalf("%+v: histories differ: %d bytes whole, %d in pieces", d, len(receive.b), len(pieces.b))
	}
}

// TestNothingIsReferredToBeyondTheWindow has text come again at just more and
// just less than the window's distance.
func TestNothingIsReferredToBeyondTheWindow(t *testing.T) {
	c := &Compressor{Level: 9}
	r := seeded(17)
	for bits := uint8(minWindowBits); bits <= maxWindowBits; bits++ {
		d := Direction{Takeover: true, WindowBits: bits}
		for gap := -2; gap <= 2; gap++ {
			again := noise(r, 30)
			between := noise(r, d.window()-len(again)+gap)
			m := slices.Concat(again, between, again)
			checkForeign(t, c.Append(nil, m, true, d, nil), nil, m, d)

			var h History
			past := slices.Concat(again, between)
			c.Append(nil, past, true, d, &h)
			checkForeign(t, c.Append(nil, again, true, d, &h), past[max(0, len(past)-d.window()):], again, d)
		}
	}
}

func TestTakeoverMakesTheSecondMessageSmaller(t *testing.T) {
	for _, level := range []int{1, DefaultLevel, 6, 9} {
		c := &Compressor{Level: level}
		var h History
		r := seeded(2)
		first := len(c.Append(nil, record(r, 1000), true, takeover, &h))
		second := len(c.Append(nil, record(r, 1000), true, takeover, &h))
		if second > first*85/100 {
			t.Errorf("level %d: %d bytes, then %d", level, first, second)
		}
		h.Release()
		if third := len(c.Append(nil, record(r, 1000), true, takeover, &h)); third < first*95/100 {
			t.Errorf("level %d: %d bytes after Release, %d at first", level, third, first)
		}
	}
}

// TestLevelsDiffer: the level asked for is the one used.
func TestLevelsDiffer(t *testing.T) {
	text := record(seeded(3), 30000)
	sizes := map[int]int{}
	for _, level := range []int{0, 1, DefaultLevel, 9, 99, -3} {
		c := &Compressor{Level: level}
		sizes[level] = len(c.Append(nil, text, true, Direction{}, nil))
	}
	if sizes[0] != sizes[DefaultLevel] || sizes[99] != sizes[9] || sizes[-3] != sizes[1] || sizes[9] >= sizes[DefaultLevel] || sizes[1] <= sizes[DefaultLevel] {
		t.Errorf("sizes by level: %v", sizes)
	}
}

func TestAppendSmaller(t *testing.T) {
	var c Compressor
	var h, twin History
	r := seeded(4)
	text := record(r, 500)
	c.Append(nil, text, true, takeover, &twin)
	if out, ok := c.AppendSmaller([]byte("dst"), text, takeover, &h); !ok || len(out)-3 >= len(text) || string(out[:3]) != "dst" {
		t.Fatalf("ok %v, %d bytes of %d", ok, len(out)-3, len(text))
	}
	for name, p := range map[string][]byte{"noise": noise(r, 400), "nothing": nil, "a byte": {'x'}} {
		out, ok := c.AppendSmaller([]byte("dst"), p, takeover, &h)
		if ok || string(out) != "dst" {
			t.Errorf("%s: ok %v, %d bytes", name, ok, len(out)-3)
		}
	}
	// What was not sent compressed must not be referred to.
	if !bytes.Equal(h.b, twin.b) {
		t.Errorf("history is %d bytes, want %d", len(h.b), len(twin.b))
	}
}

// TestOneCompressorManySessions: sessions take turns, also within messages.
func TestOneCompressorManySessions(t *testing.T) {
	var c Compressor
	var f Inflater
	var send, receive [8]History
	var open [8][]byte
	var want [8][]byte
	r := seeded(5)
	for range 2000 {
		i := r.IntN(8)
		d := directions[2*i+i%2]
		p := record(r, r.IntN(800))
		final := r.IntN(3) == 0
		open[i] = c.Append(open[i], p, final, d, &send[i])
		want[i] = append(want[i], p...)
		if final {
			if got := inflate(t, &f, open[i], d, &receive[i]); !bytes.Equal(got, want[i]) {
				t.Fatalf("session %d: %d of %d bytes", i, len(got), len(want[i]))
			}
			open[i], want[i] = nil, nil
		}
	}
}

func TestAppendKeepsNothingOfItsArguments(t *testing.T) {
	var c Compressor
	var f Inflater
	var send, receive History
	r := seeded(6)
	for range 20 {
		text := record(r, 700)
		want := bytes.Clone(text)
		payload := c.Append(nil, text, true, takeover, &send)
		clear(text)
		p := bytes.Clone(payload)
		got := inflate(t, &f, p, takeover, &receive)
		if !bytes.Equal(got, want) || !bytes.Equal(p, payload) {
			t.Fatal("wrong plaintext, or the payload was changed")
		}
		clear(p)
		clear(got)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	var f Inflater
	for _, level := range []int{DefaultLevel, 9} {
		c := &Compressor{Level: level}
		for _, d := range fewDirections {
			for _, size := range []int{20, 1024, 20000} {
				text := record(seeded(7), size)
				payload, plain := make([]byte, 0, 2*size+100), make([]byte, 0, size+100)
				var send, receive, pieces History
				var s Stream
				if d.Takeover { // they have grown
					past := record(seeded(8), d.window())
					send.keep(past, min(sendHistory, d.window()))
					receive.keep(past, d.window())
					pieces.keep(past, d.window())
				}
				n := testing.AllocsPerRun(10, func() {
					payload = c.Append(payload[:0], text, true, d, &send)
					var err error
					if plain, err = f.Append(plain[:0], payload, d, &receive, 0); err != nil {
						t.Fatal(err)
					}
					plain, _ = s.Append(&f, plain[:0], payload, true, d, &pieces, 0)
				})
				if n != 0 {
					t.Errorf("level %d, %+v, %d bytes: %v allocations", level, d, size, n)
				}
			}
		}
	}
}

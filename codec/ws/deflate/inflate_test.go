package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"slices"
	"strconv"
	"testing"
	"unsafe"

	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/invariant"
)

func TestTheLimitIsOfThePlaintext(t *testing.T) {
	var f Inflater
	for _, size := range []int{1, 511, 512, 513, 5000, 32768, 40000, 100000} {
		text := record(seeded(8), size)
		var c Compressor
		for name, payload := range map[string][]byte{
			"compressed": c.Append(nil, text, true, Direction{}, nil),
			"stored":     append(stored(text), 0),
		} {
			out, err := f.Append(nil, payload, Direction{}, nil, int64(size))
			if err != nil || !bytes.Equal(out, text) {
				t.Fatalf("%s, at the limit of %d: %d bytes, %v", name, size, len(out), err)
			}
			if size == 1 {
				continue // 0 means the default
			}
			out, err = f.Append([]byte("dst"), payload, Direction{}, nil, int64(size-1))
			if !isTooBig(err) || string(out) != "dst" {
				t.Fatalf("%s, one over %d: %d bytes, %v", name, size-1, len(out), err)
			}
		}
	}
}

func TestErrorsCarryTheirCode(t *testing.T) {
	for err, code := range map[error]ws.StatusCode{
		ErrCorrupt:        ws.StatusInvalidFramePayloadData,
		ErrTooManyStreams: ws.StatusPolicyViolation,
	} {
		var ce *ws.CloseError
		if !errors.As(err, &ce) || ce.Code != code || ce.Remote {
			t.Errorf("%v: want %d", err, code)
		}
	}
}

// TestABombIsBounded counts what a bomb makes: the room in dst and the reader's
// window, and no more.
func TestABombIsBounded(t *testing.T) {
	const limit = 100 << 10
	payload := bomb(64 << 20)
	if len(payload) > 64<<20/500 {
		t.Fatalf("%d bytes are no bomb", len(payload))
	}
	var f Inflater
	inflate(t, &f, []byte{0}, Direction{}, nil)
	out, unread, err := f.streams(nil, payload, marker+stop, nil, limit)
	if !isTooBig(err) || len(out) > limit+maxWindow {
		t.Errorf("%d bytes inflated, %v", len(out), err)
	}
	if cap(out) > 4*(limit+maxWindow) && cap(out) > 8*len(payload) {
		t.Errorf("%d bytes of room for a limit of %d", cap(out), limit)
	}
	if read := len(payload) + len(marker+stop) - unread; read > len(payload)/100 {
		t.Errorf("%d bytes of the payload's %d were read", read, len(payload))
	}
	var s Stream
	var h History
	for i := range payload {
		var part []byte
		if part, err = s.Append(&f, nil, payload[i:i+1], i == len(payload)-1, Direction{}, &h, limit); err != nil || len(part) > limit {
			break
		}
	}
	if !isTooBig(err) || s != (Stream{}) {
		t.Errorf("in pieces: %v", err)
	}
}

func TestFinalBlocksAreCounted(t *testing.T) {
	var f Inflater
	empty := "\x03\x00" // a final block of nothing
	ok := bytes.Repeat([]byte(empty), maxStreams-1)
	if out, err := f.Append(nil, append(ok, 0), Direction{}, nil, 0); err != nil || len(out) != 0 {
		t.Errorf("%d: %d bytes, %v", maxStreams-1, len(out), err)
	}
	many := bytes.Repeat([]byte(empty), maxStreams)
	if _, err := f.Append(nil, append(many, 0), Direction{}, nil, 0); err != error(ErrTooManyStreams) {
		t.Errorf("%d: %v", maxStreams, err)
	}
}

// TestWindowBehindAFinalBlock: references reach over it, to the history too, by
// as much as the window and no more.
func TestWindowBehindAFinalBlock(t *testing.T) {
	r := seeded(9)
	for _, c := range []struct{ past, first, again int }{
		{0, 100, 0}, {500, 2000, 0}, {25000, 5000, 0}, {32768, 5000, 5100}, {32768, 40000, 41000}, {0, 32000, 0},
	} {
		past, first := noise(r, c.past), noise(r, c.first)
		known := slices.Concat(past, first)
		again := known[c.again : c.again+80]
		payload := slices.Concat(finalStream(t, first, past), finalStream(t, again, known), []byte{0})
		var f Inflater
		h := History{b: bytes.Clone(past)}
		if got := inflate(t, &f, payload, takeover, &h); !bytes.Equal(got, slices.Concat(first, again)) {
			t.Errorf("%+v: %d bytes", c, len(got))
		}
		if len(payload) > c.first+c.first/100+60 {
			t.Errorf("%+v: %d bytes of payload refer to nothing", c, len(payload))
		}
	}
}

// finalStream is p by the standard library, which knows known.
func finalStream(t *testing.T, p, known []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, 9, known[max(0, len(known)-maxWindow):])
	if err != nil {
		t.Fatal(err)
	}
	w.Write(p)
	w.Close()
	return b.Bytes()
}

// TestALargePayloadMakesNoRoom that the limit does not allow.
func TestALargePayloadMakesNoRoom(t *testing.T) {
	var f Inflater
	payload := append(stored(noise(seeded(18), 200<<10)), 0)
	out, err := f.Append(nil, payload, Direction{}, nil, 1000)
	if !isTooBig(err) || cap(out) > 2000 {
		t.Errorf("room of %d for a limit of 1000, %v", cap(out), err)
	}
}

func TestLongInputIsNotCopied(t *testing.T) {
	var f Inflater
	long := append(stored(noise(seeded(10), 300<<10)), 0)
	plain := make([]byte, 0, 301<<10)
	if n := testing.AllocsPerRun(5, func() { plain, _ = f.Append(plain[:0], long, Direction{}, nil, 0) }); n != 0 || len(plain) != 300<<10 {
		t.Errorf("%v allocations for %d bytes", n, len(plain))
	}
	if f.src.p != nil || f.src.yield != nil || cap(f.src.whole) != 0 {
		t.Errorf("%d bytes are referred to, %d kept", len(f.src.p), cap(f.src.whole))
	}
}

// TestLongMessagesYield: others have their turn behind each slice, and a message may
// be given up at any of them.
func TestLongMessagesYield(t *testing.T) {
	text := record(seeded(20), 200<<10)
	var c Compressor
	for name, payload := range map[string][]byte{
		"compressed": c.Append(nil, text, true, Direction{}, nil),
		"stored":     append(stored(text), 0),
		"headers":    repeated(eightEmptyDynamicBlocks, 1000),
	} {
		var f, other Inflater
		yields := 0
		f.Yield = func() bool {
			yields++
			return string(inflate(t, &other, []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), Direction{}, nil)) == "Hello"
		}
		whole := inflate(t, &f, payload, Direction{}, nil)
		all := yields
		if want := (len(payload) + len(marker+stop) - 1) / Slice; name != "stored" && all != want || all < want || all > 3*want {
			t.Errorf("%s: %d yields for %d bytes", name, all, len(payload))
		}
		if work, least := f.Work(), len(payload)+len(whole)/plainCost; work < least-10 || work > least+2*streamCost || f.Work() != 0 {
			t.Errorf("%s: %d bytes of work for %d", name, work, len(payload))
		}
		var s Stream
		var h History
		half := len(payload) / 2
		got, err := s.Append(&f, nil, payload[:half], false, Direction{}, &h, 0)
		if err == nil {
			got, err = s.Append(&f, got, payload[half:], true, Direction{}, &h, 0)
		}
		if err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%s, in pieces: %d of %d bytes, %v", name, len(got), len(whole), err)
		}
		for enough := range all {
			n := 0
			f.Yield = func() bool { n++; return n <= enough }
			if out, err := f.Append([]byte("dst"), payload, Direction{}, nil, 0); err == nil || string(out) != "dst" || n != enough+1 {
				t.Fatalf("%s, given up behind slice %d: %d bytes, %v", name, n, len(out), err)
			}
		}
		f.Yield = nil
		if got := inflate(t, &f, payload, Direction{}, nil); !bytes.Equal(got, whole) {
			t.Errorf("%s, afterwards: %d of %d bytes", name, len(got), len(whole))
		}
	}
}

// TestShortMessagesDoNotYield, but say how much work they were.
func TestShortMessagesDoNotYield(t *testing.T) {
	f := Inflater{Yield: func() bool { t.Error("a yield"); return true }}
	payload := append(stored(noise(seeded(21), Slice-6)), 0)
	inflate(t, &f, payload, Direction{}, nil)
	if work := f.Work(); work != Slice+streamCost+(Slice-6)/plainCost {
		t.Errorf("%d bytes of work", work)
	}
	inflate(t, &f, append(bytes.Repeat([]byte("\x03\x00"), 10), 0), Direction{}, nil)
	if work := f.Work(); work != 21+11*streamCost {
		t.Errorf("%d bytes of work for ten final blocks", work)
	}
	inflate(t, &f, new(Compressor).Append(nil, make([]byte, 1<<20), true, Direction{}, nil), Direction{}, nil)
	if work := f.Work(); work < 1<<20/plainCost {
		t.Errorf("%d bytes of work for a bomb", work)
	}
}

func TestStreamDeliversWhatWasFlushed(t *testing.T) {
	for _, d := range []Direction{{}, takeover, {WindowBits: 8}, {WindowBits: 9, Takeover: true}} {
		var c Compressor
		var f Inflater
		var s Stream
		var send, receive History
		r := seeded(11)
		for i := range 200 {
			text := record(r, r.IntN(2000))
			final := i%20 == 19
			piece := c.Append(nil, text, final, d, &send)
			got := []byte{}
			for cut := range 3 { // as TCP would cut a frame
				n := len(piece) * cut / 3
				m := len(piece) * (cut + 1) / 3
				var err error
				if got, err = s.Append(&f, got, piece[n:m], final && cut == 2, d, &receive, 1<<20); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, text) {
				t.Fatalf("%+v, piece %d: %d of %d bytes at once", d, i, len(got), len(text))
			}
			if s.held != nil {
				t.Fatalf("%+v, piece %d: %d bytes held", d, i, len(s.held.B))
			}
		}
	}
}

// TestStreamHoldsWhatWasNot: without a flush all comes with the last piece.
func TestStreamHoldsWhatWasNot(t *testing.T) {
	var c Compressor
	var f Inflater
	var s Stream
	var h History
	text := record(seeded(12), 30000)
	payload := c.Append(nil, text, true, Direction{}, nil)
	for len(payload) > 1000 {
		if out, err := s.Append(&f, nil, payload[:1000], false, Direction{}, &h, 0); err != nil || len(out) > 0 {
			t.Fatalf("%d bytes, %v", len(out), err)
		}
		payload = payload[1000:]
	}
	out, err := s.Append(&f, nil, payload, true, Direction{}, &h, 0)
	if err != nil || !bytes.Equal(out, text) {
		t.Fatalf("%d bytes, %v", len(out), err)
	}
}

// TestAMarkerInDataIsNoFlush: pieces of stored data that look flushed.
func TestAMarkerInDataIsNoFlush(t *testing.T) {
	var f Inflater
	var s Stream
	var h History
	text := bytes.Repeat([]byte("\x00\x00\xff\xff"), 10000)
	payload := append(stored(text), 0)
	got, trials := []byte{}, 0
	for i := range payload {
		before := s.failed
		var err error
		if got, err = s.Append(&f, got, payload[i:i+1], i == len(payload)-1, Direction{}, &h, 0); err != nil {
			t.Fatal(err)
		}
		if s.failed != before && s.failed != 0 {
			trials++
		}
	}
	if !bytes.Equal(got, text) {
		t.Fatalf("%d of %d bytes", len(got), len(text))
	}
	if trials > 20 || trials < 10 {
		t.Errorf("%d trials for %d bytes", trials, len(payload))
	}
}

// TestStreamFailsEarly: what is surely broken is not held until the end.
func TestStreamFailsEarly(t *testing.T) {
	var f Inflater
	var h History
	var s Stream
	if _, err := s.Append(&f, nil, []byte("\x06\x00\x00\x00\x00\x00\x00\xff\xff"), false, Direction{}, &h, 0); err != error(ErrCorrupt) {
		t.Errorf("corrupt at the first block: %v", err)
	}
	var c Compressor
	over := c.Append(nil, make([]byte, 3000), false, Direction{}, &h)
	h.Release()
	if out, err := s.Append(&f, []byte("dst"), over, false, Direction{}, &h, 2999); !isTooBig(err) || string(out) != "dst" {
		t.Errorf("one byte over the limit: %v", err)
	}
	if out, err := s.Append(&f, nil, over, false, Direction{}, &h, 3000); err != nil || len(out) != 3000 {
		t.Errorf("at the limit: %d bytes, %v", len(out), err)
	}
	if _, err := s.Append(&f, nil, over, false, Direction{}, &h, 3000); !isTooBig(err) {
		t.Errorf("the second piece over the limit: %v", err)
	}
}

func TestTheLimitIsOfAllPieces(t *testing.T) {
	var c Compressor
	var f Inflater
	var send History
	piece := func(final bool) []byte { return c.Append(nil, record(seeded(19), 1000), final, Direction{}, &send) }
	first, second, third := piece(false), piece(false), piece(true)
	for limit, want := range map[int64]int{999: 0, 1999: 1, 2999: 2, 3000: 3} {
		var s Stream
		var h History
		taken := 0
		for i, p := range [][]byte{first, second, third} {
			out, err := s.Append(&f, nil, p, i == 2, Direction{}, &h, limit)
			if err == nil && len(out) == 1000 {
				taken++
			} else if !isTooBig(err) {
				t.Fatalf("limit %d, piece %d: %d bytes, %v", limit, i, len(out), err)
			} else {
				break
			}
		}
		if taken != want {
			t.Errorf("limit %d: %d pieces, want %d", limit, taken, want)
		}
	}
}

func TestCompressedBytesAreLimited(t *testing.T) {
	var f Inflater
	var s Stream
	var h History
	piece := noise(seeded(13), 100)
	const limit = 10000
	sum := 0
	for {
		if _, err := s.Append(&f, nil, piece, false, Direction{}, &h, limit); err != nil {
			if !isTooBig(err) || sum < limit || sum > limit+limit/8+maxOverhead {
				t.Fatalf("after %d bytes: %v", sum, err)
			}
			break
		}
		sum += len(piece)
	}
	if n := invariant.Counts()["bufpool.buffers"]; n != 0 {
		t.Errorf("%d buffers are out", n)
	}
}

func TestReleaseInTheMiddle(t *testing.T) {
	var f Inflater
	var s Stream
	var h History
	s.Append(&f, nil, []byte("\xf2\x48"), false, takeover, &h, 0)
	s.Release()
	s.Release()
	if n := invariant.Counts()["bufpool.buffers"]; n != 0 {
		t.Errorf("%d buffers are out", n)
	}
	if out, err := s.Append(&f, nil, []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), true, takeover, &h, 0); string(out) != "Hello" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestHistoryKeepsTheEnd(t *testing.T) {
	r := seeded(14)
	for _, most := range []int{1, 7, 256, 4096} {
		var h History
		var all []byte
		for range 300 {
			p := noise(r, r.IntN(2*most)*r.IntN(2)+r.IntN(1+most/8))
			h.keep(p, most)
			all = append(all, p...)
			if want := all[max(0, len(all)-most):]; !bytes.Equal(h.b, want) {
				t.Fatalf("most %d: has %d bytes, want %d, or others", most, len(h.b), len(want))
			}
			if h.Size() > most {
				t.Fatalf("%d bytes for %d", h.Size(), most)
			}
		}
		h.Release()
		if h.Size() != 0 {
			t.Fatalf("%d bytes after Release", h.Size())
		}
	}
}

func TestHistoryGrowsAsNeeded(t *testing.T) {
	var h History
	h.keep(make([]byte, 100), 1<<15)
	if h.Size() > 100 {
		t.Errorf("%d bytes to keep 100", h.Size())
	}
	h.keep(make([]byte, 20000), 1<<15)
	if h.Size() > 20100 {
		t.Errorf("%d bytes to keep 20100", h.Size())
	}
}

func TestSizesOfASession(t *testing.T) {
	if strconv.IntSize != 64 {
		t.Skip("the sizes in the package comment are those of 64-bit machines")
	}
	if h, s, p := unsafe.Sizeof(History{}), unsafe.Sizeof(Stream{}), unsafe.Sizeof(Params{}); h != 24 || s != 32 || p > 8 {
		t.Errorf("History %d, Stream %d, Params %d bytes", h, s, p)
	}
}

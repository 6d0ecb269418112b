package conformance

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// samples are plaintexts that make deflate use what it has.
func samples() []string {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 40_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	out := []string{"", "a", "Hello", strings.Repeat("ab", 5000), strings.Repeat("\xff", 70_000), string(noise)}
	for _, d := range testData() {
		out = append(out, d.data[:50_000])
	}
	return out
}

// TestInflaterReadsWhatTheLibraryWrites on all levels, in one stream and message by
// message.
func TestInflaterReadsWhatTheLibraryWrites(t *testing.T) {
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		var wire bytes.Buffer
		w, err := flate.NewWriter(&wire, level)
		if err != nil {
			t.Fatal(err)
		}
		var u unpacker
		for i, s := range samples() {
			wire.Reset()
			_, _ = io.WriteString(w, s)
			_ = w.Flush()
			got, err := u.message(bytes.TrimSuffix(wire.Bytes(), []byte(tail)))
			if err != nil || string(got) != s {
				t.Fatalf("level %d, sample %d: %d bytes of %d, %v", level, i, len(got), len(s), err)
			}
		}
	}
}

// TestLibraryReadsWhatTheBlocksSay for each window, which must be kept.
func TestLibraryReadsWhatTheBlocksSay(t *testing.T) {
	for window := 8; window <= largest; window++ {
		for i, s := range samples() {
			var b blocks
			b.fixed(true)
			b.squeeze([]byte(s), 0, 1<<window)
			b.end()
			b.align()
			got, err := io.ReadAll(flate.NewReader(bytes.NewReader(b.out)))
			if err != nil || string(got) != s {
				t.Fatalf("window %d, sample %d: %d bytes of %d, %v", window, i, len(got), len(s), err)
			}
		}
	}
}

// TestPackerAndUnpackerAgree in the smallest and the largest window; the unpacker
// refuses references beyond the window, and to earlier messages without takeover.
func TestPackerAndUnpackerAgree(t *testing.T) {
	for window := 8; window <= largest; window += 7 {
		for _, reset := range []bool{false, true} {
			d := direction{reset, window}
			p, u := packer{direction: d}, unpacker{direction: d}
			for i, s := range append(samples(), samples()...) {
				got, err := u.message([]byte(p.message(s)))
				if err != nil || string(got) != s {
					t.Fatalf("%+v, sample %d: %d bytes of %d, %v", d, i, len(got), len(s), err)
				}
			}
			if most := 1 << window; u.longest > most || u.longest < most/2 {
				t.Errorf("%+v: the farthest reference went %d back", d, u.longest)
			}
		}
	}
}

// TestUnpackerRefuses what a peer must not send.
func TestUnpackerRefuses(t *testing.T) {
	far := strings.Repeat("0123456789abcdef", 17)
	for name, test := range map[string]struct {
		by, of packer
		to     unpacker
		s      string
	}{
		"beyond the window":            {to: unpacker{direction: direction{window: 8}}, s: samples()[6][:1000]},
		"to a message before":          {to: unpacker{direction: direction{reset: true}}, s: far},
		"an octet too far":             {by: packer{direction: direction{window: 9}}, to: unpacker{direction: direction{window: 8}}, s: spread(257)},
		"not at all, for being in it":  {by: packer{direction: direction{window: 9}}, to: unpacker{direction: direction{window: 9}}, s: spread(257)},
		"not at all, for its last one": {by: packer{direction: direction{window: 8}}, to: unpacker{direction: direction{window: 8}}, s: spread(256)},
	} {
		_, err := test.to.message([]byte(test.by.message(test.s)))
		if err == nil {
			_, err = test.to.message([]byte(test.by.message(test.s)))
		}
		if fails := !strings.HasPrefix(name, "not at all"); fails != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, wire := range map[string]string{
		"type 3": "\x06", "half a block": "\xf2\x48\xcd", "a stored length": "\x00\x05\x00\x00\x00", "bad code lengths": "\x04\xff\xff\xff",
	} {
		in := inflater{in: []byte(wire), window: 1 << largest}
		if err := in.all(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// spread is text that repeats itself at that distance, and has no other
// repetitions.
func spread(distance int) string {
	var b strings.Builder
	for i := range distance {
		b.WriteByte(byte(i * 7 % 251))
		if b.Len() == distance {
			break
		}
	}
	return b.String() + b.String()[:10]
}

// TestCountsAreAutobahns holds the tables to the size of the list they follow.
func TestCountsAreAutobahns(t *testing.T) {
	got := map[string]int{}
	sum := 0
	seen := map[string]bool{}
	for _, c := range append(cases(mode{}), withDeflate()...) {
		if seen[c.id] {
			t.Errorf("%s is there twice", c.id)
		}
		seen[c.id] = true
		got[c.section()]++
		if c.section() != "x" {
			sum++
		}
	}
	for section, want := range map[string]int{
		"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1, "12": 90, "13": 126,
	} {
		if got[section] != want {
			t.Errorf("section %s has %d cases, want %d", section, got[section], want)
		}
	}
	if sum != 517 {
		t.Errorf("%d cases, want 517", sum)
	}
}

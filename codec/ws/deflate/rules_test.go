package deflate

import (
	"bytes"
	"strings"
	"testing"
)

var takeover = Direction{Takeover: true}

// TestExamplesOfTheRFC holds every example of RFC 7692 section 7.2.3.
func TestExamplesOfTheRFC(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages []string // payloads, one connection
		want     []string
	}{
		{"7.2.3.1 a message compressed using one compressed DEFLATE block",
			[]string{"\xf2\x48\xcd\xc9\xc9\x07\x00"}, []string{"Hello"}},
		{"7.2.3.2 sharing the LZ77 sliding window, without references",
			[]string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x48\xcd\xc9\xc9\x07\x00"}, []string{"Hello", "Hello"}},
		{"7.2.3.2 sharing the LZ77 sliding window",
			[]string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00"}, []string{"Hello", "Hello"}},
		{"7.2.3.3 using a DEFLATE block with no compression",
			[]string{"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"}, []string{"Hello"}},
		{"7.2.3.4 using a DEFLATE block with BFINAL set to 1",
			[]string{"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"}, []string{"Hello"}},
		{"7.2.3.5 two DEFLATE blocks in one message",
			[]string{"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"}, []string{"Hello"}},
		{"7.2.3.6 generating an empty fragment",
			[]string{"\x00"}, []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f Inflater
			var h History
			for i, m := range c.messages {
				if got := inflate(t, &f, []byte(m), takeover, &h); string(got) != c.want[i] {
					t.Fatalf("message %d: got %q, want %q", i, got, c.want[i])
				}
			}
			playStream(t, c.messages, c.want)
		})
	}
}

// playStream gives the same messages to a Stream in two pieces, cut everywhere.
func playStream(t *testing.T, messages, want []string) {
	t.Helper()
	longest := 0
	for _, m := range messages {
		longest = max(longest, len(m))
	}
	for cut := range longest + 1 {
		var f Inflater
		var h History
		var s Stream
		for i, m := range messages {
			at := min(cut, len(m))
			out, err := s.Append(&f, nil, []byte(m[:at]), false, takeover, &h, 0)
			if err == nil {
				out, err = s.Append(&f, out, []byte(m[at:]), true, takeover, &h, 0)
			}
			if err != nil || string(out) != want[i] {
				t.Fatalf("message %d cut at %d: %q, %v; want %q", i, at, out, err, want[i])
			}
		}
	}
}

// TestWhatIsAccepted holds messages at the edges of section 7.2.2.
func TestWhatIsAccepted(t *testing.T) {
	hello := "\xf3\x48\xcd\xc9\xc9\x07\x00" // final
	for _, c := range []struct{ name, in, want string }{
		{"no payload at all is an empty message", "", ""},
		{"a final block may be the end of the payload", hello, "Hello"},
		{"a final block may be followed by another stream", hello + hello + "\x00", "HelloHello"},
		{"behind a final block the window goes on", hello + "\xf2\x00\x11\x00\x00", "HelloHello"},
		{"a final block may end in the marker", "\x01", ""},
		{"a final block may itself look like a marker", "\x01\x00\x00\xff\xff", ""},
		{"nothing of it is another stream", "\x01\x00\x00\xff\xff" + hello, "Hello"},
		{"empty blocks make nothing", strings.Repeat("\x00\x00\x00\xff\xff", 100) + "\x00", ""},
		{"a flushed message may keep its marker", "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x00", "Hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f Inflater
			if got := inflate(t, &f, []byte(c.in), Direction{}, nil); string(got) != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			playStream(t, []string{c.in}, []string{c.want})
		})
	}
}

// TestWhatIsCorrupt holds what no DEFLATE stream is.
func TestWhatIsCorrupt(t *testing.T) {
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	for _, c := range []struct{ name, in string }{
		{"block type 3 is reserved", "\x06"},
		{"a stored block's lengths must agree", "\x00\x05\x00\xfb\xff\x48\x65\x6c\x6c\x6f\x00"},
		{"an empty block does not end without its header", "\x00\x00\x00\xff\xff"},
		{"a block must not be cut", hello[:3]},
		{"a stored block must not be cut", "\x00\x50\x00\xaf\xff\x48"},
		{"nothing may be referred to that was not sent", "\xf2\x00\x11\x00\x00"},
		{"what follows a final block must be a block", "\xf3\x48\xcd\xc9\xc9\x07\x00" + "\xff\xff"},
		{"a marker left on a final stream is none", "\xf3\x48\xcd\xc9\xc9\x07\x00" + "\x00\x00\xff\xff"},
		{"a dynamic block needs a complete code", "\x04\x00\x00\x00"},
		{"the header of the last block must be there", hello[:6]},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f Inflater
			h := &History{}
			out, err := f.Append([]byte("dst"), []byte(c.in), takeover, h, 0)
			if err != error(ErrCorrupt) || string(out) != "dst" || h.Size() != 0 {
				t.Fatalf("got %q, %v, history of %d", out, err, h.Size())
			}
			// The Inflater is another session's next.
			if got := inflate(t, &f, []byte(hello), Direction{}, nil); string(got) != "Hello" {
				t.Fatalf("afterwards: %q", got)
			}
			for cut := range len(c.in) {
				var s Stream
				out, err := s.Append(&f, []byte("dst"), []byte(c.in[:cut]), false, takeover, h, 0)
				if err == nil {
					out, err = s.Append(&f, out[:3], []byte(c.in[cut:]), true, takeover, h, 0)
				}
				if err != error(ErrCorrupt) || string(out) != "dst" || s != (Stream{}) {
					t.Fatalf("cut at %d: %q, %v", cut, out, err)
				}
			}
		})
	}
}

func TestTheDataOfEachSideEndsAsTheRFCSays(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		want string
	}{
		{"7.2.3.6: an empty message is one byte 0x00", "", "\x00"},
		{"7.2.1: the marker is taken off", "Hello", "\x00\x05\x00\xfa\xffHello\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var z Compressor
			got := z.Append([]byte("dst"), []byte(c.in), true, Direction{}, nil)
			if string(got) != "dst"+c.want {
				t.Fatalf("got % x, want % x", got[3:], c.want)
			}
		})
	}
	t.Run("7.2.1: only the last fragment's marker is taken off", func(t *testing.T) {
		var z Compressor
		var h History
		text := record(seeded(1), 1000)
		first := z.Append(nil, text, false, Direction{}, &h)
		more := z.Append(nil, text, false, Direction{}, &h)
		none := z.Append(nil, nil, false, Direction{}, &h)
		last := z.Append(nil, text, true, Direction{}, &h)
		if !bytes.HasSuffix(first, []byte(marker)) || !bytes.HasSuffix(more, []byte(marker)) || len(none) != 0 || bytes.HasSuffix(last, []byte(marker)) {
			t.Fatalf("% x\n% x\n% x\n% x", first, more, none, last)
		}
		if len(more) >= len(first)/2 {
			t.Fatalf("fragments do not share a window: %d bytes, then %d", len(first), len(more))
		}
		out, _, err := naiveMessage(bytes.Join([][]byte{first, more, last}, nil), nil, 1<<15)
		if want := bytes.Repeat(text, 3); err != nil || !bytes.Equal(out, want) {
			t.Fatalf("together %d bytes, %v; want %d", len(out), err, len(want))
		}
		if h.Size() != 0 {
			t.Fatalf("%d bytes are left of a message without takeover", h.Size())
		}
	})
}

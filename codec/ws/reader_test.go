package ws

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"unsafe"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// receive1 is one call that must not fail.
func receive1(t *testing.T, r *Reader, b []byte) (int, Event) {
	t.Helper()
	var ev Event
	n, err := r.Receive(b, nil, &ev)
	if err != nil {
		t.Fatal(err)
	}
	return n, ev
}

// TestPieces: what the marks of an event say when a fragmented message arrives
// in parts.
func TestPieces(t *testing.T) {
	var r Reader
	in := join(masked(OpText, false, "abcd"), masked(OpContinuation, true, "efgh"))
	for i, c := range []struct {
		end          int // how much of in has arrived
		payload      string
		remaining    uint64
		first, final bool
	}{
		{6 + 1, "a", 3, true, false},
		{6 + 4, "bcd", 0, false, false},
		{16 + 2, "ef", 2, false, false},
		{16 + 4, "gh", 0, false, true},
	} {
		start := []int{0, 7, 10, 18}[i]
		n, ev := receive1(t, &r, in[start:c.end])
		if n != c.end-start || ev.Kind != Data || ev.Op != OpText || string(ev.Payload) != c.payload ||
			ev.Remaining != c.remaining || ev.FrameFinal() != (c.remaining == 0) || ev.First != c.first || ev.Final != c.final {
			t.Errorf("piece %d: n %d, %q of %+v", i, n, ev.Payload, ev)
		}
	}
}

// TestWholeFrameIsOnePiece, in place, with nothing copied.
func TestWholeFrameIsOnePiece(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		for _, side := range []Side{Server, Client} {
			in := masked(OpBinary, true, strings.Repeat("x", size))
			if side == Client {
				in = plain(OpBinary, true, strings.Repeat("x", size))
			}
			r := Reader{Side: side}
			n, ev := receive1(t, &r, append(in, "next frame"...))
			if n != len(in) || !ev.First || !ev.Final || len(ev.Payload) != size {
				t.Fatalf("side %d, size %d: used %d of %d, event %v", side, size, n, len(in), ev.Kind)
			}
		}
	}
	var r Reader
	in := masked(OpBinary, true, "abc")
	if _, ev := receive1(t, &r, in); &ev.Payload[0] != &in[6] {
		t.Fatal("payload is not where it arrived")
	}
}

// TestHeaderWaits: a header in parts is left to the caller; from its last byte
// on everything is used.
func TestHeaderWaits(t *testing.T) {
	for _, size := range []int{0, 125, 126, 65536} {
		in := masked(OpBinary, true, strings.Repeat("x", size))
		header := len(in) - size
		for i := range header {
			var r Reader
			if n, ev := receive1(t, &r, in[:i]); n != 0 || ev.Kind != None {
				t.Fatalf("size %d: %d bytes of a header gave n %d, %v", size, i, n, ev.Kind)
			}
		}
		var r Reader
		n, ev := receive1(t, &r, in[:header])
		if n != header || (ev.Kind == None) != (size > 0) {
			t.Fatalf("size %d: a header gave n %d of %d, %v", size, n, header, ev.Kind)
		}
	}
}

// TestUTF8FailsFast: the fault is reported with the byte that makes it certain,
// in the middle of a frame.
func TestUTF8FailsFast(t *testing.T) {
	for _, c := range []struct{ ok, bad string }{
		{"", "\xff"}, {"", "\x80"}, {"", "\xc0"}, {"", "\xc1"}, {"", "\xf5"},
		{"\xc3", "("}, {"\xe0", "\x80"}, {"\xe0\xa0", "A"}, {"\xed", "\xa0"},
		{"\xf0", "\x8f"}, {"\xf4", "\x90"}, {"\xf0\x90", "\xc0"}, {"\xf0\x90\x80", "A"},
		{"plain text first, é and 😀 too, then \xe2\x82", "\xe2"},
	} {
		t.Run(fmt.Sprintf("%q", c.ok+c.bad), func(t *testing.T) {
			more := strings.Repeat("and more to come", 10)
			frame := func() []byte { return masked(OpText, false, c.ok+c.bad+more) }
			bad := 8 + len(c.ok) // the index of the bad byte
			var ev Event

			var apart Reader
			in := frame()
			if n, err := apart.Receive(in[:bad], nil, &ev); n != bad || err != nil {
				t.Fatalf("refused %q: %v", c.ok, err)
			}
			if _, err := apart.Receive(in[bad:bad+1], nil, &ev); err != ErrInvalidUTF8 {
				t.Fatalf("accepted %q behind %q: %v", c.bad, c.ok, err)
			}
			var together Reader
			if _, err := together.Receive(frame()[:bad+1], nil, &ev); err != ErrInvalidUTF8 {
				t.Fatalf("accepted %q: %v", c.ok+c.bad, err)
			}
		})
	}
}

// TestNothingAfterTheEnd: after a close and after an error all input is used
// and nothing reported.
func TestNothingAfterTheEnd(t *testing.T) {
	for name, last := range map[string][]byte{
		"close": masked(OpClose, true, ""),
		"error": raw(0x83, 0, nil, ""),
		"text":  masked(OpText, true, "\xff"),
		"part":  masked(OpText, false, "\xff"),
		"code":  masked(OpClose, true, "\x00\x00"),
		"limit": AppendMaskedHeader(nil, OpText, true, false, testKey, 1<<30),
	} {
		t.Run(name, func(t *testing.T) {
			var r Reader
			var ev Event
			r.Receive(last, nil, &ev)
			for _, more := range [][]byte{nil, {1}, masked(OpText, true, "a"), make([]byte, 1000)} {
				if n, ev := receive1(t, &r, more); n != len(more) || ev.Kind != None {
					t.Fatalf("n %d of %d, %v", n, len(more), ev.Kind)
				}
			}
		})
	}
}

// TestControlBufferIsOwn: a control frame that came in parts does not point
// into any of them, and the next one does not overwrite it.
func TestControlBufferIsOwn(t *testing.T) {
	var r Reader
	in := masked(OpPing, true, "first")
	receive1(t, &r, in[:8])
	_, ev := receive1(t, &r, in[8:])
	again := masked(OpPing, true, "other")
	receive1(t, &r, again[:8])
	clear(in)
	if receive1(t, &r, again[8:]); string(ev.Payload) != "first" {
		t.Fatalf("became %q", ev.Payload)
	}
	if r.partial != nil {
		t.Fatal("the buffer is kept between frames")
	}
}

// TestFirstBytes compares the rules for the first two bytes, all 65536 in every
// state, with gobwas/ws.CheckHeader.
func TestFirstBytes(t *testing.T) {
	for _, side := range []Side{Server, Client} {
		for _, message := range []OpCode{0, OpText} {
			for b := range 1 << 16 {
				b0, b1 := byte(b>>8), byte(b)
				r := Reader{Side: side, op: message}
				if got, want := r.checkFrame(b0, b1), gobwasCheck(side, message != 0, b0, b1); (got == nil) != (want == nil) {
					t.Fatalf("side %d, in message %v, % x: got %v, gobwas %v", side, message != 0, []byte{b0, b1}, got, want)
				}
			}
		}
	}
}

func gobwasCheck(side Side, fragmented bool, b0, b1 byte) error {
	state := gobwas.StateServerSide
	if side == Client {
		state = gobwas.StateClientSide
	}
	if fragmented {
		state = state.Set(gobwas.StateFragmented)
	}
	return gobwas.CheckHeader(gobwas.Header{
		Fin:    b0&bitFin != 0,
		Rsv:    b0 & bitsRSV >> 4,
		OpCode: OpCode(b0 & bitsOp),
		Masked: b1&bitMask != 0,
		Length: int64(b1 & bitsLen),
	}, state)
}

// TestAgainstGobwas: a valid stream that gobwas wrote is read alike by both.
func TestAgainstGobwas(t *testing.T) {
	for _, side := range []Side{Server, Client} {
		stream := gobwasStream(side)
		var want []string
		state := gobwas.StateServerSide
		if side == Client {
			state = gobwas.StateClientSide
		}
		for src := io.Reader(bytes.NewReader(stream)); ; {
			var msgs []wsutil.Message
			msgs, err := wsutil.ReadMessage(src, state, msgs)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range msgs {
				name := map[OpCode]string{OpText: "text", OpBinary: "binary", OpPing: "ping", OpPong: "pong"}[m.OpCode]
				want = append(want, fmt.Sprintf("%s %q", name, m.Payload))
			}
		}
		if len(want) == 0 {
			t.Fatal("nothing read")
		}
		playAll(t, Reader{Side: side}, nil, stream, want)
	}
}

func gobwasStream(side Side) []byte {
	var out bytes.Buffer
	for _, f := range []gobwas.Frame{
		gobwas.NewTextFrame([]byte("hello")),
		gobwas.NewBinaryFrame(bytes.Repeat([]byte{1, 0xff}, 70)),
		gobwas.NewPingFrame([]byte("ping")),
		gobwas.NewFrame(OpText, false, []byte("frag\xe2\x82")),
		gobwas.NewPongFrame(nil),
		gobwas.NewFrame(OpContinuation, false, nil),
		gobwas.NewFrame(OpContinuation, true, []byte("\xacment")),
		gobwas.NewBinaryFrame(make([]byte, 70000)),
	} {
		if side == Server {
			f = gobwas.MaskFrame(f)
		}
		if err := gobwas.WriteFrame(&out, f); err != nil {
			panic(err) // a bytes.Buffer does not fail
		}
	}
	return out.Bytes()
}

// TestSizes: a Reader sits in every idle session; its size is a decision.
func TestSizes(t *testing.T) {
	for name, c := range map[string]struct{ got, want uintptr }{
		"Reader":    {unsafe.Sizeof(Reader{}), 40},
		"Validator": {unsafe.Sizeof(Validator{}), 4},
		"Assembler": {unsafe.Sizeof(Assembler{}), 8},
	} {
		if c.got != c.want && unsafe.Sizeof(uintptr(0)) == 8 {
			t.Errorf("%s has %d bytes, want %d", name, c.got, c.want)
		}
	}
}

// TestReceiveAllocatesNothing on the paths that are not an attack.
func TestReceiveAllocatesNothing(t *testing.T) {
	key := [4]byte{1, 2, 3, 4}
	text := bytes.Repeat([]byte("a"), 1000)
	for name, in := range map[string][]byte{
		"short":      AppendMaskedFrame(nil, OpBinary, true, key, text[:64]),
		"long":       AppendMaskedFrame(nil, OpBinary, true, key, text),
		"empty":      AppendMaskedFrame(nil, OpText, true, key, nil),
		"ping":       AppendMaskedFrame(nil, OpPing, true, key, text[:125]),
		"fragmented": join(AppendMaskedFrame(nil, OpBinary, false, key, text), AppendMaskedFrame(nil, OpContinuation, true, key, text)),
	} {
		var r Reader
		var ev Event
		var lim Limits
		allocs := testing.AllocsPerRun(100, func() {
			for b := in; len(b) > 0; {
				n, err := r.Receive(b[:min(len(b), 300)], &lim, &ev)
				if err != nil {
					t.Fatal(err)
				}
				b = b[n:]
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
	text = AppendMaskedFrame(nil, OpText, true, [4]byte{}, text)
	if n := testing.AllocsPerRun(100, func() {
		var r Reader
		var ev Event
		r.Receive(text, nil, &ev)
	}); n != 0 {
		t.Errorf("text: %v allocations", n)
	}
}

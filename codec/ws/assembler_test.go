package ws

import (
	"bytes"
	"math"
	"testing"

	"github.com/penstock-go/penstock/internal/bufpool"
)

// split returns msg as the events of a message in pieces of size bytes, in one
// frame if oneFrame, else a frame each.
func split(msg []byte, size int, oneFrame bool) []Event {
	var evs []Event
	for first := true; first || len(msg) > 0; first = false {
		n := min(size, len(msg))
		ev := Event{Kind: Data, Op: OpBinary, Payload: msg[:n:n], First: first, Final: n == len(msg)}
		if msg = msg[n:]; oneFrame {
			ev.Remaining = uint64(len(msg))
		}
		evs = append(evs, ev)
	}
	return evs
}

func TestAssembler(t *testing.T) {
	for _, length := range []int{0, 1, 1000, firstBuffer, firstBuffer + 1, 300_000} {
		for _, size := range []int{1, 7, 4096, 1 << 20} {
			if length/size > 100_000 {
				continue
			}
			for _, oneFrame := range []bool{false, true} {
				msg := pattern(length)
				var a Assembler
				for i, evs := 0, split(msg, size, oneFrame); i < len(evs); i++ {
					got, done, err := a.Add(&evs[i], 0)
					if err != nil || done != (i == len(evs)-1) {
						t.Fatalf("length %d by %d: done %v, error %v at piece %d", length, size, done, err, i)
					}
					if done && !bytes.Equal(got, msg) {
						t.Fatalf("length %d by %d: another message", length, size)
					}
				}
				a.Release()
				if a.buf != nil {
					t.Fatal("holds a buffer after Release")
				}
			}
		}
	}
}

// TestAssemblerLendsWholePiece: no copy, no buffer.
func TestAssemblerLendsWholePiece(t *testing.T) {
	var a Assembler
	ev := Event{Kind: Data, Payload: []byte("abc"), First: true, Final: true}
	msg, done, err := a.Add(&ev, 0)
	if err != nil || !done || &msg[0] != &ev.Payload[0] || a.buf != nil {
		t.Fatalf("done %v, error %v, copied %v", done, err, &msg[0] != &ev.Payload[0])
	}
	if n := testing.AllocsPerRun(100, func() { a.Add(&ev, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestAssemblerKeepsItsOwn: the caller may reuse the bytes of a piece at once.
func TestAssemblerKeepsItsOwn(t *testing.T) {
	var a Assembler
	b := []byte("ab")
	a.Add(&Event{Payload: b, First: true}, 0)
	copy(b, "xx")
	if msg, _, _ := a.Add(&Event{Payload: []byte("cd"), Final: true}, 0); string(msg) != "abcd" {
		t.Fatalf("got %q", msg)
	}
}

func TestAssemblerLimit(t *testing.T) {
	for _, c := range []struct {
		name   string
		limit  int64
		pieces []int
		ok     bool
	}{
		{"one piece of the limit", 4, []int{4}, true},
		{"one piece over it", 4, []int{5}, false},
		{"pieces of the limit", 4, []int{2, 2}, true},
		{"pieces over it", 4, []int{2, 3}, false},
		{"an empty piece at the limit", 4, []int{4, 0}, true},
		{"0 is the default", 0, []int{DefaultMessageLimit}, true},
		{"over the default", 0, []int{DefaultMessageLimit, 1}, false},
		{"no limit to speak of", math.MaxInt64, []int{3, 3}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a Assembler
			for i, n := range c.pieces {
				last := i == len(c.pieces)-1
				ev := Event{Kind: Data, Payload: make([]byte, n), First: i == 0, Final: last}
				_, done, err := a.Add(&ev, c.limit)
				if wantErr := last && !c.ok; wantErr != (err == ErrMessageTooBig) || done != (last && c.ok) {
					t.Fatalf("piece %d: done %v, error %v", i, done, err)
				}
			}
			if !c.ok && a.buf != nil {
				t.Fatal("holds the refused message")
			}
		})
	}
}

// TestAssemblerStartsAfresh: what was released half done is gone.
func TestAssemblerStartsAfresh(t *testing.T) {
	var a Assembler
	a.Add(&Event{Payload: []byte("half a message"), First: true}, 0)
	a.Release()
	a.Add(&Event{Payload: []byte("ne"), First: true}, 0)
	if msg, done, err := a.Add(&Event{Payload: []byte("xt"), Final: true}, 0); string(msg) != "next" || !done || err != nil {
		t.Fatalf("got %q, %v, %v", msg, done, err)
	}
	a.Add(&Event{Payload: []byte("not "), First: true}, 0) // without Release
	if msg, _, _ := a.Add(&Event{Payload: []byte("both"), Final: true}, 0); string(msg) != "not both" {
		t.Fatalf("got %q", msg)
	}
	a.Release()
	a.Release()
}

// TestAssemblerBelievesLittle: a declared length costs at most firstBuffer.
func TestAssemblerBelievesLittle(t *testing.T) {
	for _, remaining := range []uint64{1 << 20, 1 << 40, math.MaxInt64} {
		a := Assembler{buf: new(bufpool.Buffer)} // the pool's may be large
		a.Add(&Event{Payload: []byte("x"), First: true, Remaining: remaining}, math.MaxInt64)
		if c := cap(a.buf.B); c > 2*firstBuffer {
			t.Errorf("%d bytes declared, %d reserved", remaining, c)
		}
	}
}

// TestAssemblerGrowsGeometrically: 64 MiB in small pieces move the buffer a few
// times, not a few thousand.
func TestAssemblerGrowsGeometrically(t *testing.T) {
	const length = 64 << 20
	var a Assembler
	piece := make([]byte, 64<<10)
	moves, at := 0, (*byte)(nil)
	for have := 0; have < length; have += len(piece) {
		ev := Event{Payload: piece, First: have == 0, Final: have+len(piece) == length, Remaining: uint64(length - have - len(piece))}
		if _, _, err := a.Add(&ev, length); err != nil {
			t.Fatal(err)
		}
		if p := &a.buf.B[0]; p != at {
			moves, at = moves+1, p
		}
	}
	if moves > 15 {
		t.Fatalf("moved %d times", moves)
	}
}

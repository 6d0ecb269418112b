package callbacks_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// readFrame takes a frame apart, all of which b is.
func readFrame(t *testing.T, b []byte) (first byte, payload []byte) {
	t.Helper()
	for _, n := range []int{2, 4, 10} {
		if len(b) < n {
			break
		}
		size := len(b) - n
		if h := ws.AppendHeader(nil, ws.OpCode(b[0]&0xf), b[0]&0x80 != 0, b[0]&0x40 != 0, size); bytes.Equal(h, b[:n]) {
			return b[0], b[n:]
		}
	}
	t.Fatalf("no frame: %.20x", b)
	return 0, nil
}

func TestMessageIsAFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		for kind, first := range map[callbacks.Kind]byte{
			callbacks.WriteText: 0x81, callbacks.WriteBinary: 0x82, callbacks.WriteText | callbacks.Uncompressed: 0x81} {
			p := bytes.Repeat([]byte{'x'}, size)
			m := callbacks.NewMessage(p, kind)
			clear(p)
			op, payload := readFrame(t, m.Frame())
			if op != first || string(payload) != strings.Repeat("x", size) || !bytes.Equal(m.Payload(), payload) || m.Kind() != kind || !m.Valid() {
				t.Errorf("%d bytes of %v: %x, %d bytes", size, kind, op, len(payload))
			}
		}
	}
}

func TestMessageKinds(t *testing.T) {
	for _, kind := range []callbacks.Kind{callbacks.WriteContinuation, callbacks.WriteRaw, callbacks.WritePing, callbacks.WritePong,
		callbacks.WriteText | callbacks.NoFin, callbacks.WriteHTTPFinal} {
		if callbacks.NewMessage(nil, kind).Valid() {
			t.Errorf("kind %x passes for a message's", kind)
		}
	}
	var none *callbacks.Message
	if none.Valid() {
		t.Error("no message passes for one")
	}
}

// TestCompressedMessage: a frame for each set of parameters, with the header that fits
// its length, made once.
func TestCompressedMessage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{200, 20_000, 400_000} { // headers of 2, 4 and 10 bytes
		var text []byte
		for len(text) < size {
			text = fmt.Appendf(text, "%d and ", rng.IntN(500))
		}
		m := callbacks.NewMessage(text, callbacks.WriteBinary)
		var lengths []int
		for _, bits := range []uint8{15, 9} {
			for _, level := range []int{1, 9} {
				d := deflate.Direction{Takeover: true, WindowBits: bits}
				c := &deflate.Compressor{Level: level}
				frame, payload := m.Compressed(c, d)
				first, got := readFrame(t, frame)
				if first != 0xC2 || &got[0] != &payload[0] || len(got) != len(payload) {
					t.Fatalf("first byte %x, payload of %d bytes, told %d", first, len(got), len(payload))
				}
				var f deflate.Inflater
				d.Takeover = false
				if plain, err := f.Append(nil, payload, d, nil, 0); err != nil || !bytes.Equal(plain, text) {
					t.Fatalf("level %d, %d bits: %d bytes, %v", level, bits, len(plain), err)
				}
				if again, _ := m.Compressed(&deflate.Compressor{Level: level}, d); &again[0] != &frame[0] {
					t.Errorf("level %d, %d bits: compressed twice", level, bits)
				}
				lengths = append(lengths, len(frame))
			}
		}
		if size == 20_000 && lengths[0] == lengths[1] {
			t.Errorf("the levels make no difference: %v", lengths)
		}
	}
}

func TestMessageThatGainsNothing(t *testing.T) {
	m := callbacks.NewMessage([]byte("\x01\x5f\x93\xc7\x21"), callbacks.WriteBinary)
	for range 2 {
		if f, p := m.Compressed(&deflate.Compressor{}, deflate.Direction{WindowBits: 15}); f != nil || p != nil {
			t.Errorf("compressed to %d bytes", len(f))
		}
	}
}

// TestMessageIsCompressedOnceByManyLoops: all who ask at once for the same get the
// same bytes, and of each set of parameters there is one.
func TestMessageIsCompressedOnceByManyLoops(t *testing.T) {
	var compressors [12]deflate.Compressor
	for i := range compressors {
		compressors[i].Level = 1 + i%3
		callbacks.NewMessage(bytes.Repeat([]byte("warm "), 99), callbacks.WriteText).Compressed(&compressors[i], deflate.Direction{WindowBits: 15})
	}
	for range 300 {
		m := callbacks.NewMessage(bytes.Repeat([]byte("news of the world "), 20), callbacks.WriteText)
		var frames [len(compressors)]*byte
		var wg sync.WaitGroup
		together := make(chan struct{})
		for i := range compressors {
			wg.Go(func() {
				<-together
				frame, _ := m.Compressed(&compressors[i], deflate.Direction{WindowBits: uint8(14 + i%2)})
				frames[i] = &frame[0]
			})
		}
		close(together)
		wg.Wait()
		for i, f := range frames {
			for k, other := range frames {
				if same := i%6 == k%6; same != (f == other) {
					t.Fatalf("goroutines %d and %d have the same frame: %v", i, k, !same)
				}
			}
		}
	}
}

// TestFindingACompressedMessageCostsNothing: it happens once for each subscriber.
func TestFindingACompressedMessageCostsNothing(t *testing.T) {
	m := callbacks.NewMessage(bytes.Repeat([]byte("again "), 100), callbacks.WriteText)
	c, d := &deflate.Compressor{}, deflate.Direction{WindowBits: 15}
	m.Compressed(c, d)
	if n := testing.AllocsPerRun(100, func() { m.Compressed(c, d) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTopicNames(t *testing.T) {
	for name, ok := range map[string]bool{"": false, "a": true, "\xff/*#": true,
		strings.Repeat("x", callbacks.MaxTopic): true, strings.Repeat("x", callbacks.MaxTopic+1): false} {
		if callbacks.ValidTopic(name) != ok {
			t.Errorf("%.10q of %d bytes: %v", name, len(name), !ok)
		}
	}
}

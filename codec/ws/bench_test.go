package ws

import (
	"bytes"
	"fmt"
	"testing"
)

// Budgets, on one core of a server of 2023, unmasking included:
//
//	Receive/whole/binary/64    15 ns    (measured  9)
//	Receive/whole/text/64      20 ns    (measured 13)
//	AppendFrame/64              5 ns    (measured  3)
//
// and no allocation on these paths, which reader_test.go and frame_test.go pin.

func BenchmarkReceive(b *testing.B) {
	for _, op := range []OpCode{OpBinary, OpText} {
		for _, size := range []int{0, 16, 64, 125, 512, 4096, 65536} {
			b.Run(fmt.Sprintf("whole/%s/%d", opName(op), size), func(b *testing.B) {
				frame := AppendMaskedFrame(nil, op, true, [4]byte{}, bytes.Repeat([]byte{'a'}, size))
				// A zero key costs nothing to apply, a real one would turn the
				// text of the same buffer to garbage; this one keeps it ASCII
				// and is its own inverse.
				copy(frame[len(frame)-size-4:], []byte{1, 2, 3, 4})
				benchReceive(b, frame)
			})
		}
	}
	b.Run("ping", func(b *testing.B) {
		benchReceive(b, AppendMaskedFrame(nil, OpPing, true, [4]byte{1, 2, 3, 4}, []byte("12345678")))
	})
}

func benchReceive(b *testing.B, frame []byte) {
	var r Reader
	var ev Event
	lim := &Limits{}
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		n, err := r.Receive(frame, lim, &ev)
		if n != len(frame) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func opName(op OpCode) string {
	if op == OpText {
		return "text"
	}
	return "binary"
}

// BenchmarkReceiveBytewise shows that the cost of a byte does not grow with the
// length of the message it is in.
func BenchmarkReceiveBytewise(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 14, 1 << 18} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			frame := AppendMaskedFrame(nil, OpText, true, [4]byte{}, bytes.Repeat([]byte{'a'}, size))
			copy(frame[len(frame)-size-4:], []byte{1, 2, 3, 4})
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				receiveBytewise(b, frame)
			}
		})
	}
}

func receiveBytewise(b *testing.B, frame []byte) {
	var r Reader
	var ev Event
	from := 0
	for to := range frame {
		n, err := r.Receive(frame[from:to+1], nil, &ev)
		if err != nil {
			b.Fatal(err)
		}
		from += n
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	for _, size := range []int{0, 16, 64, 512, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			dst, payload := make([]byte, 0, size+MaxHeaderSize), make([]byte, size)
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendFrame(dst[:0], OpBinary, true, payload)
			}
		})
	}
}

func BenchmarkAppendMaskedFrame(b *testing.B) {
	for _, size := range []int{16, 64, 512, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			dst, payload := make([]byte, 0, size+MaxHeaderSize), make([]byte, size)
			keys := NewMaskKeys()
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendMaskedFrame(dst[:0], OpBinary, true, keys.Next(), payload)
			}
		})
	}
}

func BenchmarkMask(b *testing.B) {
	for _, size := range []int{1, 7, 15, 16, 31, 64, 100, 125, 256, 512, 1024, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := make([]byte, size)
			for b.Loop() {
				maskInPlace(p, 0x04030201)
			}
		})
	}
}

func BenchmarkMaskKeys(b *testing.B) {
	keys := NewMaskKeys()
	b.ReportAllocs()
	for b.Loop() {
		keys.Next()
	}
}

func BenchmarkAppendAccept(b *testing.B) {
	key := []byte("dGhlIHNhbXBsZSBub25jZQ==")
	dst := make([]byte, 0, 32)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendAccept(dst[:0], key)
	}
}

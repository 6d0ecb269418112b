package ws

import (
	"bytes"
	"fmt"
	"testing"
)

// naiveMask is RFC 6455 section 5.3 as it is written there.
func naiveMask(p []byte, key [4]byte, offset int) []byte {
	out := make([]byte, len(p))
	for i := range p {
		j := (i + offset) % 4
		out[i] = p[i] ^ key[j]
	}
	return out
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

// TestMask: every length around the steps of the loop, every alignment in
// memory, every offset into the payload, and no byte outside.
func TestMask(t *testing.T) {
	lengths := []int{1000, 4096, 4099, 65536 + 5}
	for n := range 2*cipherFrom + 40 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		for align := range 9 {
			for offset := range 5 {
				whole := pattern(align + n + 8)
				want := bytes.Clone(whole)
				copy(want[align:], naiveMask(whole[align:align+n], testKey, offset))
				MaskInPlace(whole[align:align+n], testKey, offset)
				if !bytes.Equal(whole, want) {
					t.Fatalf("length %d, alignment %d, offset %d differs", n, align, offset)
				}
			}
		}
	}
}

// TestMaskChopped: the key goes on where the last piece ended.
func TestMaskChopped(t *testing.T) {
	for size := 1; size < 300; size += 3 {
		p := pattern(1000)
		want := naiveMask(p, testKey, 0)
		key := uint32(0x3d21fa37)
		for rest := p; len(rest) > 0; {
			n := min(size, len(rest))
			key = maskInPlace(rest[:n], key)
			rest = rest[n:]
		}
		if !bytes.Equal(p, want) {
			t.Fatalf("pieces of %d differ", size)
		}
	}
}

func TestMaskKeysDiffer(t *testing.T) {
	seen := map[[4]byte]bool{}
	a, b := NewMaskKeys(), NewMaskKeys()
	for range 500 {
		seen[a.Next()] = true
		seen[b.Next()] = true
	}
	// Of 1000 out of 2^32, two are equal once in ten thousand runs; five never.
	if len(seen) < 995 {
		t.Fatalf("%d different keys of 1000", len(seen))
	}
}

func ExampleMaskInPlace() {
	p := []byte("Hello")
	MaskInPlace(p, [4]byte{0x37, 0xfa, 0x21, 0x3d}, 0)
	fmt.Printf("% x\n", p)
	// A payload in two pieces: the second begins at offset 2.
	MaskInPlace(p[:2], [4]byte{0x37, 0xfa, 0x21, 0x3d}, 0)
	MaskInPlace(p[2:], [4]byte{0x37, 0xfa, 0x21, 0x3d}, 2)
	fmt.Printf("%s\n", p)
	// Output:
	// 7f 9f 4d 51 58
	// Hello
}

func ExampleMaskKeys() {
	keys := NewMaskKeys() // one a loop
	frame := AppendMaskedFrame(nil, OpText, true, keys.Next(), []byte("Hello"))
	fmt.Println(len(frame))
	// Output: 11
}

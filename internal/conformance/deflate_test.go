package conformance

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
)

// tail is what RFC 7692 7.2.1 takes from the end of a message and 7.2.2 puts back.
const tail = "\x00\x00\xff\xff"

// largest is the window that needs no negotiation, in bits.
const largest = 15

// direction is how one side's messages are compressed.
type direction struct {
	reset  bool // each message begins anew: no context takeover
	window int  // in bits; 0 is largest
}

func (d direction) bytes() int {
	if d.window == 0 {
		return 1 << largest
	}
	return 1 << d.window
}

// packer compresses messages: with compress/flate, whose window is always the
// largest, or where less is agreed on with the blocks of this file.
type packer struct {
	direction
	out  bytes.Buffer
	w    *flate.Writer
	past []byte // plaintext that a smaller window still has
}

// message returns what goes into the frames of a message.
func (p *packer) message(data string) string {
	if p.window != 0 && p.window != largest {
		return p.small(data)
	}
	p.out.Reset()
	switch {
	case p.w == nil:
		p.w, _ = flate.NewWriter(&p.out, flate.BestSpeed) // fails for levels that are none
	case p.reset:
		p.w.Reset(&p.out)
	}
	_, _ = p.w.Write([]byte(data)) // a Buffer fails at nothing
	_ = p.w.Flush()
	return string(bytes.TrimSuffix(p.out.Bytes(), []byte(tail)))
}

// small makes one block with fixed codes, whose references stay in the window.
func (p *packer) small(data string) string {
	if p.reset {
		p.past = nil
	}
	all := append(p.past, data...)
	var b blocks
	b.fixed(false)
	b.squeeze(all, len(p.past), p.bytes())
	b.end()
	b.flush()
	p.past = bytes.Clone(all[max(0, len(all)-p.bytes()):])
	return string(bytes.TrimSuffix(b.out, []byte(tail)))
}

// blocks writes deflate blocks (RFC 1951) by hand, so that a case can say what is
// in them. The zero value is ready.
type blocks struct {
	out  []byte
	acc  uint64
	have uint
}

// bits appends the n low bits of v, lowest first.
func (b *blocks) bits(v uint32, n uint) {
	b.acc |= uint64(v) << b.have
	for b.have += n; b.have >= 8; b.have -= 8 {
		b.out = append(b.out, byte(b.acc))
		b.acc >>= 8
	}
}

// code appends a Huffman code, highest bit first.
func (b *blocks) code(v uint32, n uint) {
	for i := int(n) - 1; i >= 0; i-- {
		b.bits(v>>i&1, 1)
	}
}

// align fills the octet up.
func (b *blocks) align() {
	if b.have > 0 {
		b.bits(0, 8-b.have)
	}
}

// fixed begins a block with the codes of RFC 1951 3.2.6.
func (b *blocks) fixed(final bool) {
	b.bits(bit(final), 1)
	b.bits(1, 2)
}

func bit(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

// stored writes a block without compression. An empty one that is not final is the
// flush that RFC 7692 ends messages with.
func (b *blocks) stored(final bool, data string) {
	b.bits(bit(final), 1)
	b.bits(0, 2)
	b.align()
	b.out = binary.LittleEndian.AppendUint16(b.out, uint16(len(data)))
	b.out = binary.LittleEndian.AppendUint16(b.out, ^uint16(len(data)))
	b.out = append(b.out, data...)
}

func (b *blocks) flush() { b.stored(false, "") }

// symbol writes a literal, a length or the end of a fixed block.
func (b *blocks) symbol(s uint32) {
	switch {
	case s < 144:
		b.code(0x30+s, 8)
	case s < 256:
		b.code(0x190+s-144, 9)
	case s < 280:
		b.code(s-256, 7)
	default:
		b.code(0xc0+s-280, 8)
	}
}

// end is the end of a fixed block.
func (b *blocks) end() { b.symbol(256) }

func (b *blocks) literals(s string) {
	for i := range len(s) {
		b.symbol(uint32(s[i]))
	}
}

// match refers back: 3 to 258 octets, 1 to 32768 octets ago.
func (b *blocks) match(length, distance int) {
	s := len(lengths) - 1
	for lengths[s].base > length {
		s--
	}
	b.symbol(uint32(257 + s))
	b.bits(uint32(length-lengths[s].base), lengths[s].extra)
	d := len(distances) - 1
	for distances[d].base > distance {
		d--
	}
	b.code(uint32(d), 5)
	b.bits(uint32(distance-distances[d].base), distances[d].extra)
}

// squeeze writes all[from:], with references into the window where three octets
// were there before.
func (b *blocks) squeeze(all []byte, from, window int) {
	seen := map[[3]byte]int{}
	for i := 0; i < len(all); {
		n, at := 0, 0
		if i >= from && i+3 <= len(all) {
			if was, ok := seen[[3]byte(all[i:])]; ok && i-was <= window {
				at = was
				for n < 258 && i+n < len(all) && all[at+n] == all[i+n] {
					n++
				}
			}
		}
		if n >= 3 {
			b.match(n, i-at)
		} else if n = 1; i >= from {
			b.symbol(uint32(all[i]))
		}
		for end := i + n; i < end; i++ {
			if i+3 <= len(all) {
				seen[[3]byte(all[i:])] = i
			}
		}
	}
}

// span is what a length or distance code stands for.
type span struct {
	base  int
	extra uint
}

// The codes of RFC 1951 3.2.5. The last length has a code of its own.
var (
	lengths = append(spans(3, 28, func(i int) uint {
		if i < 4 {
			return 0
		}
		return uint(i/4 - 1)
	}), span{258, 0})
	distances = spans(1, 30, func(i int) uint {
		if i < 2 {
			return 0
		}
		return uint(i/2 - 1)
	})
)

func spans(base, n int, extra func(i int) uint) (out []span) {
	for i := range n {
		out = append(out, span{base, extra(i)})
		base += 1 << extra(i)
	}
	return out
}

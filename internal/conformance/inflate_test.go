package conformance

import (
	"errors"
	"fmt"
	"math/bits"
)

// unpacker inflates messages, and sees that none refers to what its sender had no
// right to refer to.
type unpacker struct {
	direction
	past    []byte
	packed  int // messages that came compressed
	octets  int // and how long they were so
	longest int // how far back the farthest reference went
}

// message inflates the payload of a message's frames.
func (u *unpacker) message(data []byte) ([]byte, error) {
	if u.reset {
		u.past = nil
	}
	before := len(u.past)
	in := inflater{in: append(data[:len(data):len(data)], tail...), out: u.past, window: u.bytes()}
	if err := in.all(); err != nil {
		return nil, err
	}
	u.packed++
	u.octets += len(data)
	u.longest = max(u.longest, in.longest)
	out := append([]byte(nil), in.out[before:]...)
	u.past = append(u.past[:0], in.out[max(0, len(in.out)-u.bytes()):]...)
	return out, nil
}

// inflater reads deflate blocks (RFC 1951) until its input ends behind one.
type inflater struct {
	in      []byte
	acc     uint64
	have    uint
	out     []byte
	window  int
	longest int
}

var (
	errShort = errors.New("the input ends within a block")
	errCodes = errors.New("the Huffman codes are none")
)

// all reads every block. RFC 7692 7.2.3.4: the block behind a final one begins with
// the next octet.
func (f *inflater) all() error {
	for len(f.in) > 0 || f.have > 0 {
		final, err := f.block()
		if err != nil {
			return err
		}
		if final {
			f.acc >>= f.have % 8
			f.have -= f.have % 8
		}
	}
	return nil
}

func (f *inflater) block() (final bool, err error) {
	head, err := f.bits(3)
	if err != nil {
		return false, err
	}
	switch head >> 1 {
	case 0:
		err = f.stored()
	case 1:
		err = f.coded(fixedLiterals, fixedDistances)
	case 2:
		err = f.dynamic()
	default:
		err = errors.New("a block has type 3")
	}
	return head&1 != 0, err
}

// fill has at least n bits in acc, or all that are left.
func (f *inflater) fill(n uint) {
	for f.have < n && len(f.in) > 0 {
		f.acc |= uint64(f.in[0]) << f.have
		f.in = f.in[1:]
		f.have += 8
	}
}

func (f *inflater) bits(n uint) (int, error) {
	f.fill(n)
	if f.have < n {
		return 0, errShort
	}
	v := f.acc & (1<<n - 1)
	f.acc >>= n
	f.have -= n
	return int(v), nil
}

func (f *inflater) stored() error {
	if _, err := f.bits(f.have % 8); err != nil {
		return err
	}
	n, err := f.bits(16)
	if err != nil {
		return err
	}
	not, err := f.bits(16)
	if err != nil {
		return err
	}
	if n != ^not&0xffff {
		return errors.New("a stored block's length does not fit its complement")
	}
	for range n {
		b, err := f.bits(8)
		if err != nil {
			return err
		}
		f.out = append(f.out, byte(b))
	}
	return nil
}

// coded reads symbols until the end of a block.
func (f *inflater) coded(literals, back *huffman) error {
	for {
		s, err := f.symbol(literals)
		switch {
		case err != nil:
			return err
		case s < 256:
			f.out = append(f.out, byte(s))
			continue
		case s == 256:
			return nil
		case s-257 >= len(lengths):
			return errCodes
		}
		n, err := f.extra(lengths[s-257])
		if err != nil {
			return err
		}
		if s, err = f.symbol(back); err != nil {
			return err
		}
		if s >= len(distances) {
			return errCodes
		}
		d, err := f.extra(distances[s])
		if err != nil {
			return err
		}
		if err := f.copy(n, d); err != nil {
			return err
		}
	}
}

func (f *inflater) extra(s span) (int, error) {
	n, err := f.bits(s.extra)
	return s.base + n, err
}

func (f *inflater) copy(n, distance int) error {
	if distance > f.window || distance > len(f.out) {
		return fmt.Errorf("a reference goes %d octets back; the window has %d and there are %d", distance, f.window, len(f.out))
	}
	f.longest = max(f.longest, distance)
	for range n {
		f.out = append(f.out, f.out[len(f.out)-distance])
	}
	return nil
}

// lengthOrder is the order of RFC 1951 3.2.7.
var lengthOrder = [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (f *inflater) dynamic() error {
	head, err := f.bits(14)
	if err != nil {
		return err
	}
	literals, back, codes := 257+head&31, 1+head>>5&31, 4+head>>10
	var of [19]uint8
	for _, i := range lengthOrder[:codes] {
		n, err := f.bits(3)
		if err != nil {
			return err
		}
		of[i] = uint8(n)
	}
	h := newHuffman(of[:])
	all := make([]uint8, 0, literals+back)
	for len(all) < literals+back {
		if all, err = f.codeLength(all, h); err != nil {
			return err
		}
	}
	if len(all) > literals+back || all[256] == 0 {
		return errCodes
	}
	return f.coded(newHuffman(all[:literals]), newHuffman(all[literals:]))
}

// codeLength reads one symbol of the code lengths, which may stand for many.
func (f *inflater) codeLength(all []uint8, h *huffman) ([]uint8, error) {
	s, err := f.symbol(h)
	if err != nil || s < 16 {
		return append(all, uint8(s)), err
	}
	value, base, extra := uint8(0), 3, uint(3)
	switch {
	case s == 16 && len(all) == 0:
		return nil, errCodes
	case s == 16:
		value, extra = all[len(all)-1], 2
	case s == 18:
		base, extra = 11, 7
	}
	n, err := f.extra(span{base, extra})
	for range n {
		all = append(all, value)
	}
	return all, err
}

// symbol reads one.
func (f *inflater) symbol(h *huffman) (int, error) {
	f.fill(h.most)
	e := h.table[f.acc&(1<<h.most-1)]
	n := uint(e & 15)
	if n == 0 {
		return 0, errCodes
	}
	if n > f.have {
		return 0, errShort
	}
	f.acc >>= n
	f.have -= n
	return int(e >> 4), nil
}

// huffman finds a symbol by the next bits: symbol<<4 | length of its code, and 0
// where no code begins so.
type huffman struct {
	table []uint16
	most  uint // the longest code
}

// newHuffman assigns the codes of RFC 1951 3.2.2. Lengths that promise more codes
// than there are make a table that is wrong, which the plaintext will show.
func newHuffman(of []uint8) *huffman {
	var count, next [17]int
	h := &huffman{most: 1}
	for _, n := range of {
		count[n]++
		h.most = max(h.most, uint(n))
	}
	count[0] = 0
	for n := 1; n < len(next); n++ {
		next[n] = (next[n-1] + count[n-1]) << 1
	}
	h.table = make([]uint16, 1<<h.most)
	for s, n := range of {
		if n == 0 {
			continue
		}
		code := int(bits.Reverse16(uint16(next[n])) >> (16 - n))
		next[n]++
		for ; code < len(h.table); code += 1 << n {
			h.table[code] = uint16(s)<<4 | uint16(n)
		}
	}
	return h
}

var (
	fixedLiterals  = newHuffman(fixedLengths())
	fixedDistances = newHuffman([]uint8{5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5})
)

func fixedLengths() []uint8 {
	of := make([]uint8, 288)
	for s := range of {
		switch {
		case s < 144:
			of[s] = 8
		case s < 256:
			of[s] = 9
		case s < 280:
			of[s] = 7
		default:
			of[s] = 8
		}
	}
	return of
}

package deflate

import "errors"

// This file is a second opinion: a slow inflater after RFC 1951 that shares
// nothing with the one under test, knows a window, and tells how far back the
// data refers.

var errNaive = errors.New("naive: not deflate")

// naive reads bits, least significant first.
type naive struct {
	in     []byte
	bit    int
	window int
	out    []byte
	far    int // the largest distance seen
}

// naiveMessage inflates a message's payload by RFC 7692 section 7.2.2, behind
// past, by a decoder that remembers window bytes.
func naiveMessage(payload, past []byte, window int) (out []byte, far int, err error) {
	n := &naive{in: append(append([]byte{}, payload...), marker...), window: window, out: append([]byte{}, past...)}
	defer func() {
		if recover() != nil {
			err = errNaive
		}
	}()
	for n.bit < 8*len(n.in) {
		if n.block() {
			n.align()
		}
	}
	return n.out[len(past):], n.far, nil
}

func (n *naive) take(k int) (v int) {
	for i := range k {
		v |= int(n.in[n.bit>>3]>>(n.bit&7)&1) << i
		n.bit++
	}
	return v
}

func (n *naive) align() { n.bit = (n.bit + 7) &^ 7 }

// block reads one block and panics where it is none.
func (n *naive) block() (final bool) {
	final = n.take(1) == 1
	switch n.take(2) {
	case 0:
		n.stored()
	case 1:
		lit := make([]int, 288)
		for i := range lit {
			switch {
			case i < 144:
				lit[i] = 8
			case i < 256:
				lit[i] = 9
			case i < 280:
				lit[i] = 7
			default:
				lit[i] = 8
			}
		}
		dist := make([]int, 30)
		for i := range dist {
			dist[i] = 5
		}
		n.symbols(newCode(lit), newCode(dist))
	case 2:
		n.symbols(n.codes())
	default:
		panic(errNaive)
	}
	return final
}

func (n *naive) stored() {
	n.align()
	size, inverse := n.take(16), n.take(16)
	if size != ^inverse&0xffff {
		panic(errNaive)
	}
	n.out = append(n.out, n.in[n.bit/8:n.bit/8+size]...)
	n.bit += 8 * size
}

// code has how many symbols have codes of each length, and the symbols in the
// order of their codes.
type code struct {
	count   [16]int
	symbols []int
}

func newCode(lengths []int) (c code) {
	for length := 1; length <= 15; length++ {
		for symbol, l := range lengths {
			if l == length {
				c.symbols = append(c.symbols, symbol)
				c.count[length]++
			}
		}
	}
	return c
}

// symbol reads a code, whose highest bit comes first. Codes of a length are
// consecutive numbers, and begin behind twice the end of the shorter ones.
func (n *naive) symbol(c code) int {
	v, begin, index := 0, 0, 0
	for _, count := range c.count[1:] {
		v = v<<1 | n.take(1)
		if v-begin < count {
			return c.symbols[index+v-begin]
		}
		index += count
		begin = (begin + count) << 1
	}
	panic(errNaive)
}

func (n *naive) codes() (lit, dist code) {
	nlit, ndist, nlen := n.take(5)+257, n.take(5)+1, n.take(4)+4
	order := [...]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	lengths := make([]int, 19)
	for i := range nlen {
		lengths[order[i]] = n.take(3)
	}
	meta := newCode(lengths)
	var all []int
	for len(all) < nlit+ndist {
		switch s := n.symbol(meta); s {
		case 16:
			all = fill(all, all[len(all)-1], 3+n.take(2))
		case 17:
			all = fill(all, 0, 3+n.take(3))
		case 18:
			all = fill(all, 0, 11+n.take(7))
		default:
			all = append(all, s)
		}
	}
	return newCode(all[:nlit]), newCode(all[nlit : nlit+ndist])
}

func fill(to []int, v, times int) []int {
	for range times {
		to = append(to, v)
	}
	return to
}

func (n *naive) symbols(lit, dist code) {
	for {
		s := n.symbol(lit)
		if s < 256 {
			n.out = append(n.out, byte(s))
			continue
		}
		if s == 256 {
			return
		}
		length := 258
		if s < 285 {
			length = n.scaled(s-257, 4, 3)
		}
		n.copy(n.scaled(n.symbol(dist), 2, 1), length)
	}
}

// scaled reads the extra bits of a length or distance code: codes come in groups
// of as many as group, and each group has one bit more (section 3.2.5).
func (n *naive) scaled(s, group, base int) int {
	if s < 2*group {
		return base + s
	}
	extra := s/group - 1
	return base + (group+s%group)<<extra + n.take(extra)
}

func (n *naive) copy(distance, length int) {
	n.far = max(n.far, distance)
	if distance > n.window || distance > len(n.out) {
		panic(errNaive)
	}
	for range length {
		n.out = append(n.out, n.out[len(n.out)-distance])
	}
}

package http1

import (
	"encoding/binary"
	"math/bits"
)

// Character classes. One table, one bit per class.
const (
	isToken    = 1 << iota // tchar, RFC 9110 5.6.2
	isPath                 // pchar, "/", "?": a path and query, RFC 3986 3.3 and 3.4
	isTarget               // isPath, and the brackets of an IPv6 host
	isLoose                // isTarget, and what else passes without Limits.StrictTarget
	isText                 // HTAB, SP, VCHAR, obs-text: a field value, RFC 9110 5.5
	isHex                  // HEXDIG, both cases
	isRegName              // unreserved or sub-delim, RFC 3986 3.2.2 without escapes
	isQuotable             // qdtext, RFC 9110 5.6.4
)

const (
	alphanum  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	tokenOnly = "!#$%&'*+-.^_`|~"
	// subDelims and unreserved are RFC 3986 2.2 and 2.3 without ALPHA and DIGIT.
	subDelims  = "!$&'()*+,;="
	unreserved = "-._~"
)

var class = classes()

func classes() (t [256]uint8) {
	mark := func(chars string, bit uint8) {
		for i := range len(chars) {
			t[chars[i]] |= bit
		}
	}
	mark(alphanum+tokenOnly, isToken)
	mark(alphanum+subDelims+unreserved, isRegName)
	mark("0123456789ABCDEFabcdef", isHex)
	for c := 0x20; c <= 0xff; c++ {
		t[c] |= isText | isQuotable
	}
	mark(alphanum+subDelims+unreserved+"%:@/?", isPath|isTarget|isLoose)
	mark("[]", isTarget|isLoose)
	mark("\\^`{|}", isLoose)
	t['\t'] |= isText | isQuotable
	t[0x7f] = 0
	t['"'] &^= isQuotable
	t['\\'] &^= isQuotable
	return t
}

// lower folds ASCII letters and nothing else.
var lower = func() (t [256]uint8) {
	for i := range t {
		t[i] = uint8(i)
		if 'A' <= i && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()

// equalFold reports whether b is s up to the case of ASCII letters.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower[c] != lower[s[i]] {
			return false
		}
	}
	return true
}

// span returns the end of the run of class bit in b that begins at i.
func span(b []byte, i int, bit uint8) int {
	for i < len(b) && class[b[i]]&bit != 0 {
		i++
	}
	return i
}

const (
	low7  = 0x7f7f7f7f7f7f7f7f
	high  = 0x8080808080808080
	ones  = 0x0101010101010101
	space = 0x2020202020202020
)

// textEnd returns the index of the first byte of b from i on that is not text:
// the CR of a line, or something that has no place in a head. It is where most
// of a head's bytes are looked at, hence eight at a time.
func textEnd(b []byte, i int) int {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		// A byte below 0x20 borrows into its top bit, 0x7f carries into it, and
		// &^x drops obs-text. A borrow can mark a byte above a true hit wrongly,
		// never one below, and only the lowest is used.
		m := ((x - space) | ((x & low7) + ones)) &^ x & high
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		if b[i] != '\t' {
			return i
		}
		i++
	}
	return span(b, i, isText)
}

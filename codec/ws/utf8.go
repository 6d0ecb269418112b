package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// Validator checks UTF-8 that arrives in pieces, cut anywhere. The zero value
// is the start of a text. It holds no reference to what it was given.
type Validator struct {
	tail [utf8.UTFMax - 1]byte // the sequence the last piece broke off in
	n    uint8                 // its length so far, or invalid
}

// invalid is the value of Validator.n that nothing leads out of.
const invalid = 0xff

// Write adds p to the text and reports whether all of it can still be valid
// UTF-8: false as soon as a byte has arrived that no continuation could make
// valid, and ever after.
func (v *Validator) Write(p []byte) bool {
	if v.n != 0 {
		var ok bool
		if p, ok = v.finish(p); !ok {
			v.n = invalid
			return false
		}
	}
	cut := len(p)
	if cut > 0 && p[cut-1] >= utf8.RuneSelf {
		cut -= brokenOff(p)
	}
	if !utf8.Valid(skipASCII(p[:cut])) {
		v.n = invalid
		return false
	}
	if cut < len(p) {
		v.n = uint8(copy(v.tail[:], p[cut:]))
	}
	return true
}

// Complete reports whether the text so far is valid and does not end inside a
// sequence. If it is true the Validator is at its start again.
func (v *Validator) Complete() bool { return v.n == 0 }

// finish moves bytes from p to the sequence begun, until it is whole, and
// returns the rest of p.
func (v *Validator) finish(p []byte) (rest []byte, ok bool) {
	if v.n == invalid {
		return nil, false
	}
	var seq [utf8.UTFMax]byte
	n := copy(seq[:], v.tail[:v.n])
	for i, c := range p {
		seq[n] = c
		n++
		// FullRune counts what can never become a rune as full.
		if utf8.FullRune(seq[:n]) {
			v.n = 0
			return p[i+1:], utf8.Valid(seq[:n])
		}
	}
	v.n = uint8(copy(v.tail[:], seq[:n]))
	return nil, true
}

// brokenOff returns the length of the incomplete but possible sequence that p
// ends with. An impossible one is left to utf8.Valid to refuse.
func brokenOff(p []byte) int {
	for k := 1; k < utf8.UTFMax && k <= len(p); k++ {
		if !utf8.RuneStart(p[len(p)-k]) {
			continue
		}
		if !utf8.FullRune(p[len(p)-k:]) {
			return k
		}
		break
	}
	return 0
}

// skipASCII returns p without a beginning that is ASCII, and none of p if all
// of it is. utf8.Valid does the same but for up to eight bytes at the end, which
// it takes one by one: half its time for a chat message.
func skipASCII(p []byte) []byte {
	const high = 0x8080808080808080
	whole := p
	for len(p) >= 32 {
		a := binary.NativeEndian.Uint64(p) | binary.NativeEndian.Uint64(p[8:])
		b := binary.NativeEndian.Uint64(p[16:]) | binary.NativeEndian.Uint64(p[24:])
		if (a|b)&high != 0 {
			return p
		}
		p = p[32:]
	}
	for len(p) >= 8 {
		if binary.NativeEndian.Uint64(p)&high != 0 {
			return p
		}
		p = p[8:]
	}
	// What is left is in the last eight bytes, the others of which are ASCII.
	if n := len(whole); n >= 8 && binary.NativeEndian.Uint64(whole[n-8:])&high == 0 {
		return nil
	}
	return p
}

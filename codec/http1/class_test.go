package http1

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestClasses spells the classes the other way round than class.go.
func TestClasses(t *testing.T) {
	letter := func(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	in := func(set string) func(byte) bool {
		return func(c byte) bool { return strings.IndexByte(set, c) >= 0 }
	}
	delimiter := in("\"(),/:;<=>?@[\\]{}")
	visible := func(c byte) bool { return 0x21 <= c && c <= 0x7e }
	for _, c := range []struct {
		name string
		bit  uint8
		want func(byte) bool
	}{
		{"tchar is VCHAR but delimiters, RFC 9110 5.6.2", isToken, func(c byte) bool { return visible(c) && !delimiter(c) }},
		{"text, RFC 9110 5.5", isText, func(c byte) bool { return c == '\t' || c == ' ' || visible(c) || c >= 0x80 }},
		{"qdtext, RFC 9110 5.6.4", isQuotable, func(c byte) bool {
			return (c == '\t' || c == ' ' || visible(c) || c >= 0x80) && c != '"' && c != '\\'
		}},
		{"path", isPath, func(c byte) bool { return visible(c) && !in("#\"<>[]\\^`{|}")(c) }},
		{"target", isTarget, func(c byte) bool { return visible(c) && !in("#\"<>\\^`{|}")(c) }},
		{"loose target", isLoose, func(c byte) bool { return visible(c) && !in("#\"<>")(c) }},
		{"HEXDIG", isHex, func(c byte) bool { return digit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }},
		{"reg-name, RFC 3986 3.2.2", isRegName, func(c byte) bool { return letter(c) || digit(c) || in("-._~!$&'()*+,;=")(c) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for b := range 256 {
				if got := class[b]&c.bit != 0; got != c.want(byte(b)) {
					t.Errorf("%q: got %v", byte(b), got)
				}
			}
		})
	}
}

// TestTextEndAgreesWithTheTable tries every byte at every place of a word and
// random texts, against the loop that textEnd replaces.
func TestTextEndAgreesWithTheTable(t *testing.T) {
	check := func(b []byte, from int) {
		if got, want := textEnd(b, from), span(b, from, isText); got != want {
			t.Fatalf("textEnd(%q, %d) = %d, want %d", b, from, got, want)
		}
	}
	for c := range 256 {
		for _, fill := range []byte{'a', '\t', 0x20, 0x7e, 0x80, 0xff} {
			for at := range 19 {
				b := []byte(strings.Repeat(string([]byte{fill}), 19))
				b[at] = byte(c)
				check(b, 0)
				check(b, min(at, 3))
			}
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	bytes := []byte("\t\t\x1f !~\x7f\x80\xff\r\nabcdefghijklmnopqrstuvwxyz\xfe\xe9  ")
	for range 20000 {
		b := make([]byte, rnd.IntN(40))
		for i := range b {
			b[i] = bytes[rnd.IntN(len(bytes))]
		}
		check(b, rnd.IntN(len(b)+1))
	}
}

func TestUnhex(t *testing.T) {
	for c := range 256 {
		want := strings.IndexByte("0123456789abcdef", lower[c])
		if got := unhex(byte(c)); want >= 0 && int(got) != want || want < 0 && got < 16 {
			t.Errorf("unhex(%q) = %d", byte(c), got)
		}
	}
}

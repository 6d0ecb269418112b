package ws

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// edges are bytes on both sides of every border in the grammar of RFC 3629.
var edges = []byte{
	0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
	0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
	0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
}

// possible reports, the slow way, whether something can make p valid.
func possible(p []byte) bool {
	if utf8.Valid(p) {
		return true
	}
	for _, second := range []string{"", "\x80", "\x90", "\xa0"} {
		for _, rest := range []string{"", "\x80", "\x80\x80"} {
			if utf8.Valid(append(p[:len(p):len(p)], second+rest...)) {
				return true
			}
		}
	}
	return false
}

// checkSplit writes p in the pieces that the bits of cuts make (a bit after
// each byte) and compares with utf8.Valid after every piece.
func checkSplit(t testing.TB, p []byte, cuts uint) {
	var v Validator
	from := 0
	for i := range p {
		if cuts>>i&1 == 0 && i+1 < len(p) {
			continue
		}
		got, want := v.Write(p[from:i+1]), possible(p[:i+1])
		if got != want {
			t.Fatalf("% x cut %b: Write is %v after %d bytes", p, cuts, got, i+1)
		}
		if want = utf8.Valid(p[:i+1]); v.Complete() != want {
			t.Fatalf("% x cut %b: Complete is %v after %d bytes", p, cuts, !want, i+1)
		}
		from = i + 1
	}
}

// TestValidatorExhaustive: every string of up to three edge bytes and of four
// that begin a long sequence, in every split, and every string of two bytes.
func TestValidatorExhaustive(t *testing.T) {
	var p [4]byte
	var walk func(n int)
	walk = func(n int) {
		for cuts := range uint(1) << max(n-1, 0) {
			checkSplit(t, p[:n], cuts)
		}
		if n == len(p) || n == 3 && p[0] < 0xe0 {
			return
		}
		for _, p[n] = range edges {
			walk(n + 1)
		}
	}
	walk(0)
	for i := range 1 << 16 {
		checkSplit(t, []byte{byte(i >> 8), byte(i)}, 0)
		checkSplit(t, []byte{byte(i >> 8), byte(i)}, 1)
	}
}

// TestValidatorRunes: every rune there is, byte by byte and between ASCII.
func TestValidatorRunes(t *testing.T) {
	for r := range rune(utf8.MaxRune + 1) {
		if !utf8.ValidRune(r) {
			continue
		}
		p := utf8.AppendRune([]byte("a"), r)
		var v Validator
		for i := range p {
			if !v.Write(p[i : i+1]) {
				t.Fatalf("%U refused at byte %d", r, i)
			}
		}
		if !v.Complete() {
			t.Fatalf("%U is not complete", r)
		}
	}
}

// TestValidatorLong: one bad byte, or one broken character, at every place of
// texts long enough for every step of the ASCII scan.
func TestValidatorLong(t *testing.T) {
	for _, size := range []int{7, 8, 9, 31, 32, 33, 40, 71, 100} {
		for i := range size {
			for _, insert := range []string{"\xff", "\x80", "\xe2\x82", "é", "€", "😀"} {
				p := []byte(strings.Repeat("a", i) + insert + strings.Repeat("b", size-i))
				var v Validator
				if got := v.Write(p) && v.Complete(); got != utf8.Valid(p) {
					t.Fatalf("%q is %v", p, got)
				}
			}
		}
	}
}

func TestValidatorSticks(t *testing.T) {
	var v Validator
	if v.Write([]byte("\xff")) || v.Write([]byte("fine")) || v.Write(nil) || v.Complete() {
		t.Fatal("an invalid text became valid")
	}
}

func TestValidatorTakesNothing(t *testing.T) {
	var v Validator
	if !v.Write(nil) || !v.Complete() {
		t.Fatal("the empty text is not valid")
	}
	v.Write([]byte("\xe2"))
	if !v.Write(nil) || v.Complete() {
		t.Fatal("an empty piece completed a character")
	}
}

func ExampleValidator() {
	var v Validator
	fmt.Println(v.Write([]byte("5 \xe2\x82")), v.Complete())
	fmt.Println(v.Write([]byte("\xac")), v.Complete())
	fmt.Println(v.Write([]byte("\xc0")))
	// Output:
	// true false
	// true true
	// false
}

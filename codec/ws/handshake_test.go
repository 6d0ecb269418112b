package ws

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestValidKey(t *testing.T) {
	for _, c := range []struct {
		name, key string
		want      bool
	}{
		{"of RFC 6455 section 1.3", "dGhlIHNhbXBsZSBub25jZQ==", true},
		{"all zero", "AAAAAAAAAAAAAAAAAAAAAA==", true},
		{"empty", "", false},
		{"too short", "abc", false},
		{"15 bytes", base64.StdEncoding.EncodeToString(make([]byte, 15)), false},
		{"17 bytes", base64.StdEncoding.EncodeToString(make([]byte, 17)), false},
		{"18 bytes, as long as 16", base64.StdEncoding.EncodeToString(make([]byte, 18)), false},
		{"32 bytes", base64.StdEncoding.EncodeToString(make([]byte, 32)), false},
		{"without padding", "dGhlIHNhbXBsZSBub25jZQ", false},
		{"URL alphabet", "-_-_-_-_-_-_-_-_-_-_-w==", false},
		{"not base64", "dGhlIHNhbXBsZSBub25jZ!==", false},
		{"white space inside", "dGhlIHNhbXBsZSBub25j Q==", false},
		{"line breaks inside", "dGhlIHNhbXBsZSBub2\r\nQQ==", false},
	} {
		if got := ValidKey([]byte(c.key)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	for range 100 {
		if key := NewKey(); !ValidKey([]byte(key)) {
			t.Fatalf("NewKey made %q", key)
		}
	}
	if a, b := NewKey(), NewKey(); a == b {
		t.Error("two keys are the same")
	}
}

func TestCheckAccept(t *testing.T) {
	const key, accept = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	if !CheckAccept([]byte(accept), key) {
		t.Error("refuses the answer of section 1.3")
	}
	for _, wrong := range []string{"", accept[:27], accept + "=", strings.ToLower(accept), key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="} {
		if CheckAccept([]byte(wrong), key) {
			t.Errorf("takes %q", wrong)
		}
	}
	if got := AppendAccept([]byte("kept "), []byte(key)); string(got) != "kept "+accept {
		t.Errorf("AppendAccept: %q", got)
	}
}

func TestSelectProtocol(t *testing.T) {
	many := func(n int) string {
		var b []byte
		for i := range n {
			b = fmt.Appendf(b, "p%d, ", i)
		}
		return string(b)
	}
	for _, c := range []struct {
		name      string
		offered   []string
		supported []string
		want      string
		err       error
	}{
		{"nothing offered", nil, []string{"chat"}, "", nil},
		{"nothing supported", []string{"chat"}, nil, "", nil},
		{"one", []string{"chat"}, []string{"chat"}, "chat", nil},
		{"unknown", []string{"talk"}, []string{"chat"}, "", nil},
		{"the client's order counts", []string{"a, b"}, []string{"b", "a"}, "a", nil},
		{"the first known", []string{"x, y, b, a"}, []string{"a", "b"}, "b", nil},
		{"several fields are one list", []string{"x", "b", "a"}, []string{"a", "b"}, "b", nil},
		{"no space", []string{"x,a"}, []string{"a"}, "a", nil},
		{"spaces and tabs", []string{" \tx\t , \t a "}, []string{"a"}, "a", nil},
		{"empty elements", []string{",, a,,", ""}, []string{"a"}, "a", nil},
		{"case counts", []string{"Chat"}, []string{"chat"}, "", nil},
		{"differ in case only", []string{"Chat, chat"}, []string{"chat"}, "chat", nil},
		{"every token character", []string{"!#$%&'*+-.^_`|~09azAZ"}, []string{"!#$%&'*+-.^_`|~09azAZ"}, "!#$%&'*+-.^_`|~09azAZ", nil},
		{"duplicate", []string{"a, a"}, []string{"a"}, "", ErrProtocolList},
		{"duplicate in another field", []string{"a", "b, a"}, []string{"a"}, "", ErrProtocolList},
		{"space inside", []string{"a b"}, []string{"a"}, "", ErrProtocolList},
		{"separator", []string{"a, b/c"}, []string{"a"}, "", ErrProtocolList},
		{"quoted", []string{`"a"`}, []string{"a"}, "", ErrProtocolList},
		{"control character", []string{"a\x00"}, []string{"a"}, "", ErrProtocolList},
		{"beyond ASCII", []string{"é"}, []string{"é"}, "", ErrProtocolList},
		{"64 names", []string{many(64)}, []string{"p63"}, "p63", nil},
		{"65 names", []string{many(65)}, []string{"p0"}, "", ErrProtocolList},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := SelectProtocol(values(c.offered...), c.supported)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, c.want, c.err)
			}
		})
	}
}

// values yields header values as a parser would.
func values(s ...string) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for _, v := range s {
			if !yield([]byte(v)) {
				return
			}
		}
	}
}

func TestIsToken(t *testing.T) {
	for c := range 256 {
		want := c > ' ' && c < 0x7f && !bytes.ContainsRune([]byte(`()<>@,;:\"/[]?={}`), rune(c))
		if got := isToken([]byte{byte(c)}); got != want {
			t.Errorf("%q: %v", rune(c), got)
		}
	}
	if isToken(nil) {
		t.Error("empty")
	}
}

func ExampleAppendAccept() {
	key := []byte("dGhlIHNhbXBsZSBub25jZQ==") // the request's Sec-WebSocket-Key
	if !ValidKey(key) {
		return // answer 400
	}
	response := []byte("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: ")
	response = AppendAccept(response, key)
	fmt.Printf("%s\n", response[bytes.LastIndexByte(response, ' ')+1:])
	// Output: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
}

func ExampleCheckAccept() {
	key := NewKey() // the client sends it,
	accept := AppendAccept(nil, []byte(key))
	fmt.Println(CheckAccept(accept, key)) // and compares the answer
	// Output: true
}

func ExampleSelectProtocol() {
	fields := [][]byte{[]byte("soap, superchat"), []byte("chat")}
	name, err := SelectProtocol(slices.Values(fields), []string{"chat", "superchat"})
	fmt.Println(name, err)
	// Output: superchat <nil>
}

package ws

import (
	"fmt"
	"strings"
	"testing"
)

// rule is one sentence of RFC 6455 (or a row of a probe of other servers) as
// bytes and what must come of them.
type rule struct {
	name string
	in   []byte
	want []string
}

func (c rule) run(t *testing.T, r Reader, lim *Limits) {
	t.Run(c.name, func(t *testing.T) { playAll(t, r, lim, c.in, c.want) })
}

// TestExamples57 is RFC 6455 section 5.7, byte for byte.
func TestExamples57(t *testing.T) {
	long256, long64K := strings.Repeat("\x5a", 256), strings.Repeat("\xa5", 65536)
	for _, c := range []rule{
		{"single-frame unmasked text", []byte{0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f},
			lines(`text "Hello"`)},
		{"fragmented unmasked text", []byte{0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f},
			lines(`text "Hello"`)},
		{"unmasked ping", []byte{0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f},
			lines(`ping "Hello"`)},
		{"256 bytes binary unmasked", append([]byte{0x82, 0x7e, 0x01, 0x00}, long256...),
			lines(fmt.Sprintf("binary %q", long256))},
		{"64 KiB binary unmasked", append([]byte{0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}, long64K...),
			lines(fmt.Sprintf("binary %q", long64K))},
	} {
		c.run(t, Reader{Side: Client}, nil)
	}
	for _, c := range []rule{
		{"single-frame masked text", []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58},
			lines(`text "Hello"`)},
		{"masked pong", []byte{0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58},
			lines(`pong "Hello"`)},
	} {
		c.run(t, Reader{}, nil)
	}
}

// TestMasking is section 5.1.
func TestMasking(t *testing.T) {
	for _, op := range []OpCode{OpText, OpBinary, OpClose, OpPing, OpPong} {
		rule{fmt.Sprintf("server closes on unmasked frame %x", op), plain(op, true, ""),
			lines(failure(ErrUnmasked))}.run(t, Reader{}, nil)
		rule{fmt.Sprintf("client closes on masked frame %x", op), masked(op, true, ""),
			lines(failure(ErrMasked))}.run(t, Reader{Side: Client}, nil)
	}
	for _, c := range []rule{
		{"a key of zero is a key", join([]byte{0x81, 0x82, 0, 0, 0, 0}, []byte("ok")), lines(`text "ok"`)},
		{"each frame has its own key", join(masked(OpText, false, "abc"),
			AppendMaskedFrame(nil, OpContinuation, true, [4]byte{9, 8, 7, 6}, []byte("defgh"))),
			lines(`text "abcdefgh"`)},
	} {
		c.run(t, Reader{}, nil)
	}
}

// TestHeaderRules is section 5.2.
func TestHeaderRules(t *testing.T) {
	for _, c := range []rule{
		{"RSV1 without an extension", raw(0xc1, 0, nil, ""), lines(failure(ErrReservedBits))},
		{"RSV2", raw(0xa1, 0, nil, ""), lines(failure(ErrReservedBits))},
		{"RSV3", raw(0x91, 0, nil, ""), lines(failure(ErrReservedBits))},
		{"RSV1 on a ping", raw(0xc9, 0, nil, ""), lines(failure(ErrReservedBits))},
		{"opcode 3", raw(0x83, 0, nil, ""), lines(failure(ErrReservedOpCode))},
		{"opcode 7", raw(0x87, 0, nil, ""), lines(failure(ErrReservedOpCode))},
		{"opcode b", raw(0x8b, 0, nil, ""), lines(failure(ErrReservedOpCode))},
		{"opcode f", raw(0x8f, 0, nil, ""), lines(failure(ErrReservedOpCode))},
		{"16-bit length below 126", raw(0x82, 126, []byte{0, 125}, strings.Repeat("x", 125)),
			lines(failure(ErrLengthNotMinimal))},
		{"16-bit length of 0", raw(0x82, 126, []byte{0, 0}, ""), lines(failure(ErrLengthNotMinimal))},
		{"16-bit length of 126", raw(0x82, 126, []byte{0, 126}, strings.Repeat("x", 126)),
			lines(fmt.Sprintf("binary %q", strings.Repeat("x", 126)))},
		{"64-bit length of 65535", raw(0x82, 127, []byte{0, 0, 0, 0, 0, 0, 0xff, 0xff}, "x"),
			lines(failure(ErrLengthNotMinimal))},
		{"64-bit length with the top bit", raw(0x82, 127, []byte{0x80, 0, 0, 0, 0, 1, 0, 0}, "x"),
			lines(failure(ErrLengthTopBit))},
		{"64-bit length of all ones", raw(0x82, 127, []byte{255, 255, 255, 255, 255, 255, 255, 255}, "x"),
			lines(failure(ErrLengthTopBit))},
		{"events before the fault are kept", join(masked(OpText, true, "a"), masked(OpPing, true, "b"), raw(0x83, 0, nil, "")),
			lines(`text "a"`, `ping "b"`, failure(ErrReservedOpCode))},
		{"nothing after the fault is read", join(raw(0x83, 0, nil, ""), masked(OpText, true, "a")),
			lines(failure(ErrReservedOpCode))},
	} {
		c.run(t, Reader{}, nil)
	}
}

// TestFragmentation is section 5.4.
func TestFragmentation(t *testing.T) {
	for _, c := range []rule{
		{"two fragments", join(masked(OpText, false, "He"), masked(OpContinuation, true, "llo")),
			lines(`text "Hello"`)},
		{"empty first and last fragment", join(masked(OpBinary, false, ""), masked(OpContinuation, false, "x"), masked(OpContinuation, true, "")),
			lines(`binary "x"`)},
		{"only empty fragments", join(masked(OpText, false, ""), masked(OpContinuation, true, "")),
			lines(`text ""`)},
		{"empty message", masked(OpText, true, ""), lines(`text ""`)},
		{"control frames inside a message", join(masked(OpText, false, "a"), masked(OpPing, true, "p"), masked(OpContinuation, false, "b"),
			masked(OpPong, true, ""), masked(OpContinuation, true, "c")),
			lines(`ping "p"`, `pong ""`, `text "abc"`)},
		{"close inside a message", join(masked(OpText, false, "a"), AppendMaskedClose(nil, testKey, 1000, ""), masked(OpContinuation, true, "c")),
			lines(`close 1000 ""`)},
		{"continuation without a message", masked(OpContinuation, true, "x"), lines(failure(ErrNoMessage))},
		{"continuation after a final frame", join(masked(OpText, true, "x"), masked(OpContinuation, true, "y")),
			lines(`text "x"`, failure(ErrNoMessage))},
		{"continuation after a last fragment", join(masked(OpText, false, "x"), masked(OpContinuation, true, "y"), masked(OpContinuation, true, "z")),
			lines(`text "xy"`, failure(ErrNoMessage))},
		{"text inside a message", join(masked(OpText, false, "x"), masked(OpText, true, "y")), lines(failure(ErrInsideMessage))},
		{"binary inside a message", join(masked(OpText, false, "x"), masked(OpBinary, false, "y")), lines(failure(ErrInsideMessage))},
		{"a second message is a new one", join(masked(OpText, false, "x"), masked(OpContinuation, true, "y"), masked(OpBinary, true, "\xff")),
			lines(`text "xy"`, `binary "\xff"`)},
	} {
		c.run(t, Reader{}, nil)
	}
}

// TestControlFrames is section 5.5.
func TestControlFrames(t *testing.T) {
	full := strings.Repeat("p", 125)
	for _, c := range []rule{
		{"ping of 125 bytes", masked(OpPing, true, full), lines(fmt.Sprintf("ping %q", full))},
		{"pong of 125 bytes", masked(OpPong, true, full), lines(fmt.Sprintf("pong %q", full))},
		{"ping of 126 bytes", raw(0x89, 126, []byte{0, 126}, full+"p"), lines(failure(ErrControlTooLong))},
		{"pong with a 64-bit length", raw(0x8a, 127, make([]byte, 8), ""), lines(failure(ErrControlTooLong))},
		{"close of 126 bytes", raw(0x88, 126, []byte{0, 126}, full+"p"), lines(failure(ErrControlTooLong))},
		{"fragmented ping", raw(0x09, 0, nil, ""), lines(failure(ErrControlFragmented))},
		{"fragmented pong", raw(0x0a, 0, nil, ""), lines(failure(ErrControlFragmented))},
		{"fragmented close", raw(0x08, 0, nil, ""), lines(failure(ErrControlFragmented))},
		{"three pings in one segment", join(masked(OpPing, true, "1"), masked(OpPing, true, "2"), masked(OpPing, true, "3")),
			lines(`ping "1"`, `ping "2"`, `ping "3"`)},
		{"unsolicited pong", masked(OpPong, true, "x"), lines(`pong "x"`)},
		{"ping of any bytes", masked(OpPing, true, "\xff\x00"), lines(`ping "\xff\x00"`)},
	} {
		c.run(t, Reader{}, nil)
	}
}

// TestCloseFrames is sections 5.5.1, 7.1.5 and 7.4.
func TestCloseFrames(t *testing.T) {
	longest := strings.Repeat("é", 61) + "!"
	for _, c := range []rule{
		{"no payload is 1005", masked(OpClose, true, ""), lines(`close 1005 ""`)},
		{"code alone", masked(OpClose, true, "\x03\xe8"), lines(`close 1000 ""`)},
		{"code and reason", masked(OpClose, true, "\x03\xe9bye"), lines(`close 1001 "bye"`)},
		{"longest reason", masked(OpClose, true, "\x03\xe8"+longest), lines(fmt.Sprintf("close 1000 %q", longest))},
		{"one byte", masked(OpClose, true, "\x03"), lines(failure(ErrCloseTruncated))},
		{"reason is not UTF-8", masked(OpClose, true, "\x03\xe8\xff"), lines(failure(ErrInvalidUTF8))},
		{"reason breaks off in a character", masked(OpClose, true, "\x03\xe8\xc3"), lines(failure(ErrInvalidUTF8))},
		{"bad code before bad reason", masked(OpClose, true, "\x03\xed\xff"), lines(failure(ErrCloseCode))},
		{"text after close is ignored", join(AppendMaskedClose(nil, testKey, 1000, ""), masked(OpText, true, "late")),
			lines(`close 1000 ""`)},
		{"garbage after close is ignored", join(masked(OpClose, true, ""), []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
			lines(`close 1005 ""`)},
	} {
		c.run(t, Reader{}, nil)
		c.run(t, Reader{SkipUTF8: true}, nil) // is about messages only
	}
}

// TestCloseCodes goes through all 65536 codes.
func TestCloseCodes(t *testing.T) {
	legal := map[int]bool{1000: true, 1001: true, 1002: true, 1003: true, 1007: true, 1008: true, 1009: true,
		1010: true, 1011: true, 1012: true, 1013: true, 1014: true}
	for code := range 1 << 16 {
		want := legal[code] || code >= 3000 && code < 5000
		if got := ValidCloseCode(StatusCode(code)); got != want {
			t.Errorf("ValidCloseCode(%d) = %v", code, got)
		}
		line := failure(ErrCloseCode)
		if want {
			line = fmt.Sprintf("close %d %q", code, "r")
		}
		got := play(t, Reader{}, nil, masked(OpClose, true, string([]byte{byte(code >> 8), byte(code), 'r'})))
		if len(got) != 1 || got[0] != line {
			t.Errorf("close frame with %d: %q, want %q", code, got, line)
		}
	}
}

// TestText is section 8.1.
func TestText(t *testing.T) {
	for _, c := range []rule{
		{"a character split over fragments", join(masked(OpText, false, "\xe2\x82"), masked(OpContinuation, true, "\xac")),
			lines(`text "€"`)},
		{"a character split over four fragments", join(masked(OpText, false, "\xf0"), masked(OpContinuation, false, "\x9f"),
			masked(OpContinuation, false, "\x98"), masked(OpContinuation, true, "\x80")),
			lines(`text "😀"`)},
		{"a ping inside a character", join(masked(OpText, false, "\xe2\x82"), masked(OpPing, true, "\xff"), masked(OpContinuation, true, "\xac")),
			lines(`ping "\xff"`, `text "€"`)},
		{"invalid byte", masked(OpText, true, "ab\xffcd"), lines(failure(ErrInvalidUTF8))},
		{"invalid byte far in", masked(OpText, true, strings.Repeat("a", 500)+"\xff"+strings.Repeat("b", 500)), lines(failure(ErrInvalidUTF8))},
		{"incomplete at the end", masked(OpText, true, "ab\xe2\x82"), lines(failure(ErrInvalidUTF8))},
		{"incomplete at the end of fragments", join(masked(OpText, false, "ab\xe2"), masked(OpContinuation, true, "\x82")), lines(failure(ErrInvalidUTF8))},
		{"incomplete, then an empty last fragment", join(masked(OpText, false, "ab\xe2"), masked(OpContinuation, true, "")), lines(failure(ErrInvalidUTF8))},
		{"fault in an earlier fragment", join(masked(OpText, false, "\xc0"), masked(OpContinuation, true, "x")), lines(failure(ErrInvalidUTF8))},
		{"surrogate", masked(OpText, true, "\xed\xa0\x80"), lines(failure(ErrInvalidUTF8))},
		{"overlong", masked(OpText, true, "\xc0\xaf"), lines(failure(ErrInvalidUTF8))},
		{"beyond U+10FFFF", masked(OpText, true, "\xf4\x90\x80\x80"), lines(failure(ErrInvalidUTF8))},
		{"messages before the fault are kept", join(masked(OpText, true, "ok"), masked(OpText, true, "\xff")),
			lines(`text "ok"`, failure(ErrInvalidUTF8))},
		{"a text starts afresh", join(masked(OpText, true, "é"), masked(OpText, true, "\xa9")),
			lines(`text "é"`, failure(ErrInvalidUTF8))},
		{"binary is not text", masked(OpBinary, true, "\xff\xc0"), lines(`binary "\xff\xc0"`)},
		{"NUL and noncharacters are valid", masked(OpText, true, "\x00\uffff\U0010ffff"), lines(fmt.Sprintf("text %q", "\x00\uffff\U0010ffff"))},
	} {
		c.run(t, Reader{}, nil)
	}
	rule{"SkipUTF8 lets it pass", join(masked(OpText, true, "\xff"), masked(OpText, false, "\xe2"), masked(OpContinuation, true, "")),
		lines(`text "\xff"`, `text "\xe2"`)}.run(t, Reader{SkipUTF8: true}, nil)
}

// TestReservedBit1 is RFC 7692 section 6: RSV1 marks a compressed message, on
// its first frame only.
func TestReservedBit1(t *testing.T) {
	r := Reader{Compression: true}
	for _, c := range []rule{
		{"compressed text is not checked here", raw(0xc1, 1, nil, "\xff"), lines(`text+deflate "\xff"`)},
		{"compressed binary", raw(0xc2, 1, nil, "x"), lines(`binary+deflate "x"`)},
		{"holds for all fragments", join(raw(0x41, 1, nil, "\xff"), masked(OpContinuation, true, "\xfe")), lines(`text+deflate "\xff\xfe"`)},
		{"ends with the message", join(raw(0xc1, 1, nil, "\xff"), masked(OpText, true, "\xff")),
			lines(`text+deflate "\xff"`, failure(ErrInvalidUTF8))},
		{"not on a continuation", join(raw(0x41, 1, nil, "x"), raw(0xc0, 1, nil, "y")), lines(failure(ErrReservedBits))},
		{"not on a ping", raw(0xc9, 0, nil, ""), lines(failure(ErrReservedBits))},
		{"not on a close", raw(0xc8, 0, nil, ""), lines(failure(ErrReservedBits))},
		{"RSV2 remains reserved", raw(0xe1, 0, nil, ""), lines(failure(ErrReservedBits))},
		{"RSV3 remains reserved", raw(0xd1, 0, nil, ""), lines(failure(ErrReservedBits))},
	} {
		c.run(t, r, nil)
	}
}

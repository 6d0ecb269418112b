package ws

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	gobwas "github.com/gobwas/ws"
)

// TestHeaders: the bytes of section 5.2 at every border of the length, both
// sides, all flags, against gobwas.
func TestHeaders(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 255, 256, 65535, 65536, 1 << 20, math.MaxInt} {
		for _, op := range []OpCode{OpContinuation, OpText, OpBinary, OpClose, OpPing, OpPong} {
			for flags := range 4 {
				fin, rsv1 := flags&1 != 0, flags&2 != 0
				h := gobwas.Header{Fin: fin, OpCode: op, Length: int64(n)}
				if rsv1 {
					h.Rsv = 4
				}
				checkHeader(t, h, AppendHeader([]byte("kept"), op, fin, rsv1, n))
				h.Masked, h.Mask = true, testKey
				checkHeader(t, h, AppendMaskedHeader([]byte("kept"), op, fin, rsv1, testKey, n))
			}
		}
	}
}

func checkHeader(t *testing.T, h gobwas.Header, got []byte) {
	t.Helper()
	want := bytes.NewBufferString("kept")
	if err := gobwas.WriteHeader(want, h); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Fatalf("%+v: got % x, want % x", h, got, want)
	}
	if len(got)-len("kept") > MaxHeaderSize {
		t.Fatalf("%+v: longer than MaxHeaderSize", h)
	}
}

// TestFrames is section 5.7 the other way.
func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want []byte
	}{
		{"unmasked text", AppendFrame(nil, OpText, true, []byte("Hello")), []byte("\x81\x05Hello")},
		{"masked text", AppendMaskedFrame(nil, OpText, true, testKey, []byte("Hello")),
			[]byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")},
		{"first fragment", AppendFrame(nil, OpText, false, []byte("Hel")), []byte("\x01\x03Hel")},
		{"last fragment", AppendFrame(nil, OpContinuation, true, []byte("lo")), []byte("\x80\x02lo")},
		{"appended", AppendFrame([]byte("x"), OpPing, true, nil), []byte("x\x89\x00")},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s: got % x, want % x", c.name, c.got, c.want)
		}
	}
}

// TestMaskedFrameKeepsPayload: the caller's bytes stay as they are.
func TestMaskedFrameKeepsPayload(t *testing.T) {
	payload := []byte(strings.Repeat("payload", 50))
	AppendMaskedFrame(make([]byte, 0, 1000), OpText, true, testKey, payload)
	if string(payload) != strings.Repeat("payload", 50) {
		t.Fatal("payload was masked in place")
	}
}

// TestAppendClose: what is asked for and what the peer reads.
func TestAppendClose(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		name   string
		code   StatusCode
		reason string
		want   string
	}{
		{"code and reason", 1000, "bye", `close 1000 "bye"`},
		{"no code", 0, "dropped", `close 1005 ""`},
		{"1005", StatusNoStatusRcvd, "dropped", `close 1005 ""`},
		{"1006 is a fault of ours", StatusAbnormalClosure, "why", `close 1011 "why"`},
		{"1015 is a fault of ours", StatusTLSHandshake, "", `close 1011 ""`},
		{"999 is a fault of ours", 999, "", `close 1011 ""`},
		{"1004 is reserved", 1004, "", `close 1011 ""`},
		{"5000 is a fault of ours", 5000, "", `close 1011 ""`},
		{"application code", 4999, "mine", `close 4999 "mine"`},
		{"registered codes", StatusBadGateway, "", `close 1014 ""`},
		{"reason of 123 bytes", 1000, long[:123], fmt.Sprintf("close 1000 %q", long[:123])},
		{"reason of 124 bytes", 1000, long[:124], fmt.Sprintf("close 1000 %q", long[:123])},
		{"cut before a character", 1000, long[:122] + "é", fmt.Sprintf("close 1000 %q", long[:122])},
		{"cut behind a character", 1000, long[:121] + "éx", fmt.Sprintf("close 1000 %q", long[:121]+"é")},
		{"cut before an invalid byte", 1000, "ok\xffno", `close 1000 "ok"`},
		{"cut before half a character", 1000, "ok\xe2\x82", `close 1000 "ok"`},
		{"U+FFFD itself is valid", 1000, "a\ufffdb", fmt.Sprintf("close 1000 %q", "a\ufffdb")},
	} {
		t.Run(c.name, func(t *testing.T) {
			playAll(t, Reader{Side: Client}, nil, AppendClose(nil, c.code, c.reason), lines(c.want))
			playAll(t, Reader{}, nil, AppendMaskedClose(nil, testKey, c.code, c.reason), lines(c.want))
		})
	}
}

// TestCloseOfErrors: every error of the package can be sent as it is.
func TestCloseOfErrors(t *testing.T) {
	for _, e := range []*CloseError{ErrReservedBits, ErrReservedOpCode, ErrUnmasked, ErrMasked, ErrLengthNotMinimal,
		ErrLengthTopBit, ErrControlTooLong, ErrControlFragmented, ErrNoMessage, ErrInsideMessage, ErrCloseTruncated,
		ErrCloseCode, ErrInvalidUTF8, ErrFrameTooBig, ErrMessageTooBig} {
		got := play(t, Reader{Side: Client}, nil, AppendClose(nil, e.Code, e.Reason))
		if want := fmt.Sprintf("close %d %q", e.Code, e.Reason); got[0] != want {
			t.Errorf("got %s, want %s", got[0], want)
		}
	}
}

func TestWireReasonIsLongest(t *testing.T) {
	for _, s := range []string{strings.Repeat("é", 100), strings.Repeat("€", 100), "x" + strings.Repeat("😀", 100)} {
		got := CutReason(s)
		_, next := utf8.DecodeRuneInString(s[len(got):])
		if !strings.HasPrefix(s, got) || !utf8.ValidString(got) || len(got) > 123 || len(got)+next <= 123 {
			t.Errorf("%.10q: cut to %d bytes", s, len(got))
		}
	}
}

func TestEncodersAllocateNothing(t *testing.T) {
	dst, payload, keys := make([]byte, 0, 2000), make([]byte, 1000), NewMaskKeys()
	for name, f := range map[string]func(){
		"AppendFrame":        func() { AppendFrame(dst, OpBinary, true, payload) },
		"AppendMaskedFrame":  func() { AppendMaskedFrame(dst, OpBinary, true, keys.Next(), payload) },
		"AppendHeader":       func() { AppendHeader(dst, OpBinary, true, true, 1<<20) },
		"AppendMaskedHeader": func() { AppendMaskedHeader(dst, OpBinary, true, true, keys.Next(), 1<<20) },
		"AppendClose":        func() { AppendClose(dst, 1000, "reason") },
		"AppendMaskedClose":  func() { AppendMaskedClose(dst, keys.Next(), 1000, "reason") },
		"AppendAccept":       func() { AppendAccept(dst, []byte("dGhlIHNhbXBsZSBub25jZQ==")) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// MaxHeaderSize is the longest frame header: two bytes, a 64-bit length, a mask
// key.
const MaxHeaderSize = 2 + 8 + 4

// maxReason is the longest text of a close frame: a control frame less the two
// bytes of the code, RFC 6455 section 5.5.
const maxReason = maxControl - 2

// AppendHeader appends the header of a server's frame with n bytes of payload,
// RFC 6455 section 5.2, and returns the extended dst. The payload must follow
// on the wire; it need not follow in memory, so that a long one can be written
// from where it is. fin ends the message; rsv1 marks the first frame of a
// compressed one.
func AppendHeader(dst []byte, op OpCode, fin, rsv1 bool, n int) []byte {
	return appendHeader(dst, firstByte(op, fin, rsv1), 0, n)
}

// AppendMaskedHeader is AppendHeader for a client. The payload must be masked
// with key ([MaskInPlace]) before it is sent.
func AppendMaskedHeader(dst []byte, op OpCode, fin, rsv1 bool, key [4]byte, n int) []byte {
	dst = appendHeader(dst, firstByte(op, fin, rsv1), bitMask, n)
	return append(dst, key[:]...)
}

// AppendFrame appends a server's frame with a copy of payload and returns the
// extended dst. fin ends the message. The caller sees to it that control frames
// have fin and at most 125 bytes.
func AppendFrame(dst []byte, op OpCode, fin bool, payload []byte) []byte {
	dst = appendHeader(dst, firstByte(op, fin, false), 0, len(payload))
	return append(dst, payload...)
}

// AppendMaskedFrame is AppendFrame for a client: the copy of payload in dst is
// masked with key, payload itself is not changed. Every frame needs a fresh key;
// see [MaskKeys].
func AppendMaskedFrame(dst []byte, op OpCode, fin bool, key [4]byte, payload []byte) []byte {
	dst = AppendMaskedHeader(dst, op, fin, false, key, len(payload))
	start := len(dst)
	dst = append(dst, payload...)
	maskInPlace(dst[start:], binary.LittleEndian.Uint32(key[:]))
	return dst
}

// AppendClose appends a server's close frame and returns the extended dst.
//
// A code of 0 or StatusNoStatusRcvd makes a frame without code and reason. Any
// other code that must not be sent (see [ValidCloseCode]) becomes
// StatusInternalError: asking for it is a fault of this end. The reason is cut
// before its first invalid byte, and to 123 bytes without splitting a character.
func AppendClose(dst []byte, code StatusCode, reason string) []byte {
	code, reason, n := closeBody(code, reason)
	dst = append(dst, bitFin|byte(OpClose), byte(n))
	return appendCloseBody(dst, code, reason)
}

// AppendMaskedClose is AppendClose for a client.
func AppendMaskedClose(dst []byte, key [4]byte, code StatusCode, reason string) []byte {
	code, reason, n := closeBody(code, reason)
	dst = append(dst, bitFin|byte(OpClose), bitMask|byte(n))
	dst = append(dst, key[:]...)
	start := len(dst)
	dst = appendCloseBody(dst, code, reason)
	maskInPlace(dst[start:], binary.LittleEndian.Uint32(key[:]))
	return dst
}

// firstByte returns the first byte of a frame.
func firstByte(op OpCode, fin, rsv1 bool) byte {
	b := byte(op)
	if fin {
		b |= bitFin
	}
	if rsv1 {
		b |= bitRSV1
	}
	return b
}

// appendHeader appends the first byte and the length, in the shortest of its
// three forms, with the mask bit as given.
func appendHeader(dst []byte, b0, mask byte, n int) []byte {
	switch {
	case n < len16:
		return append(dst, b0, mask|byte(n))
	case n <= 0xffff:
		return append(dst, b0, mask|len16, byte(n>>8), byte(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, b0, mask|len64), uint64(n))
	}
}

// closeBody decides what a close frame says; n is the size of its payload.
func closeBody(code StatusCode, reason string) (_ StatusCode, _ string, n int) {
	if code == 0 || code == StatusNoStatusRcvd {
		return 0, "", 0
	}
	if !ValidCloseCode(code) {
		code = StatusInternalError
	}
	reason = CutReason(reason)
	return code, reason, 2 + len(reason)
}

func appendCloseBody(dst []byte, code StatusCode, reason string) []byte {
	if code == 0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// CutReason returns the longest beginning of s that may be sent as a reason: 123 bytes
// of UTF-8, with no character cut in two (RFC 6455 sections 5.5 and 5.5.1).
func CutReason(s string) string {
	end := 0
	for end < len(s) {
		r, size := utf8.DecodeRuneInString(s[end:])
		if r == utf8.RuneError && size == 1 || end+size > maxReason {
			break
		}
		end += size
	}
	return s[:end]
}

package load

import "encoding/binary"

// The first byte of a frame that is whole (RFC 6455 5.2), and the bit that says
// that it is compressed (RFC 7692 6).
const (
	textFrame   = 0x81
	binaryFrame = 0x82
	pingFrame   = 0x89
	pongFrame   = 0x8a
	compressed  = 0x40
)

// maskBit is of the second byte.
const maskBit = 0x80

// WireSize is the length of a masked frame with size bytes of payload.
func WireSize(size int) int { return len(appendFrame(nil, binaryFrame, make([]byte, size), true)) }

// AnswerSize is the length of a frame with size bytes of payload from a server.
func AnswerSize(size int) int { return len(appendFrame(nil, binaryFrame, make([]byte, size), false)) }

// appendFrame appends a whole message (RFC 6455 5.2).
func appendFrame(dst []byte, first byte, p []byte, masked bool) []byte {
	bit := byte(0)
	if masked {
		bit = maskBit
	}
	dst = append(dst, first)
	switch n := len(p); {
	case n < 126:
		dst = append(dst, bit|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, bit|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, bit|127), uint64(n))
	}
	if !masked {
		return append(dst, p...)
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	dst = append(dst, key[:]...)
	for i, c := range p {
		dst = append(dst, c^key[i&3])
	}
	return dst
}

// frameSizes returns the length of the header at the beginning of b, and of the
// payload behind it; head is 0 while the header is not complete.
func frameSizes(b []byte) (head, payload int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch n := int(b[1] &^ maskBit); {
	case n < 126:
		return 2, n
	case n == 126 && len(b) >= 4:
		return 4, int(binary.BigEndian.Uint16(b[2:]))
	case n == 127 && len(b) >= 10:
		return 10, int(binary.BigEndian.Uint64(b[2:]))
	}
	return 0, 0
}

package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// The bits of a frame's first two bytes, RFC 6455 section 5.2.
const (
	bitFin     = 0x80
	bitsRSV    = 0x70
	bitRSV1    = 0x40
	bitsOp     = 0x0f
	bitControl = 0x08 // of the opcode
	bitMask    = 0x80
	bitsLen    = 0x7f

	// Values of the 7-bit length that announce a longer one.
	len16 = 126
	len64 = 127

	// maxControl is the longest payload of a control frame, section 5.5.
	maxControl = 125
)

// checkFrame holds every rule that the first two bytes of a frame can break,
// given what this end and the message so far allow.
func (r *Reader) checkFrame(b0, b1 byte) error {
	op := OpCode(b0 & bitsOp)
	if b0&bitsRSV != 0 && !r.reservedAllowed(b0) {
		return ErrReservedBits
	}
	// Section 5.1: clients mask, servers don't.
	if b1&bitMask == 0 && r.Side == Server {
		return ErrUnmasked
	}
	if b1&bitMask != 0 && r.Side == Client {
		return ErrMasked
	}
	switch op {
	case OpContinuation:
		// Section 5.4: only a message that was begun can go on.
		if r.op == 0 {
			return ErrNoMessage
		}
	case OpText, OpBinary:
		// Section 5.4: fragments of one message are not mixed with another's.
		if r.op != 0 {
			return ErrInsideMessage
		}
	case OpClose, OpPing, OpPong:
		// Section 5.5: control frames are short and whole.
		if b1&bitsLen > maxControl {
			return ErrControlTooLong
		}
		if b0&bitFin == 0 {
			return ErrControlFragmented
		}
	default:
		// Section 5.2: 3-7 and B-F are reserved.
		return ErrReservedOpCode
	}
	return nil
}

// reservedAllowed tells whether an extension gave the reserved bits of b0 a
// meaning: RFC 7692 section 6 defines RSV1, on the first frame of a message
// only.
func (r *Reader) reservedAllowed(b0 byte) bool {
	op := OpCode(b0 & bitsOp)
	return r.Compression && b0&bitsRSV == bitRSV1 && (op == OpText || op == OpBinary)
}

// decodeLength reads the payload length of the header at b, of which the first
// two bytes are there, and returns how many bytes of b it ends behind: 0 if
// they have not all arrived.
func decodeLength(b []byte) (length uint64, n int, err error) {
	switch l := b[1] & bitsLen; {
	case l < len16:
		return uint64(l), 2, nil
	case l == len16 && len(b) >= 4:
		length = uint64(binary.BigEndian.Uint16(b[2:]))
		if length < len16 {
			return 0, 0, ErrLengthNotMinimal
		}
		return length, 4, nil
	case l == len64 && len(b) >= 10:
		length = binary.BigEndian.Uint64(b[2:])
		if length>>63 != 0 {
			return 0, 0, ErrLengthTopBit
		}
		if length <= 0xffff {
			return 0, 0, ErrLengthNotMinimal
		}
		return length, 10, nil
	}
	return 0, 0, nil
}

// checkClose holds the rules for the payload of a close frame, sections 5.5.1
// and 7.4, and takes it apart. The reason is a part of p.
func checkClose(p []byte) (code StatusCode, reason []byte, err error) {
	switch len(p) {
	case 0:
		// Section 7.1.5: no code is reported as 1005.
		return StatusNoStatusRcvd, nil, nil
	case 1:
		return 0, nil, ErrCloseTruncated
	}
	code = StatusCode(binary.BigEndian.Uint16(p))
	if !ValidCloseCode(code) {
		return 0, nil, ErrCloseCode
	}
	if reason = p[2:]; !utf8.Valid(reason) {
		return 0, nil, ErrInvalidUTF8
	}
	return code, reason, nil
}

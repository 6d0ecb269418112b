package ws

import "strconv"

// CloseError is why a WebSocket connection ends. It has three uses:
//
//   - [Reader.Receive] and [Assembler.Add] return one when the peer broke a
//     rule or a limit; Code and Reason are what the close frame should say.
//   - A callback returns one to end its session with that code and reason.
//   - A session reports one as its end. Remote is then true if the peer's close
//     frame came first.
//
// errors.As with a *CloseError therefore always finds the code for the wire.
type CloseError struct {
	// Code is the status code of RFC 6455 section 7.4.
	Code StatusCode
	// Reason is the text of the close frame, at most 123 bytes of UTF-8.
	Reason string
	// Remote says that Code and Reason were received, not chosen here.
	Remote bool
}

// Error returns the code and the quoted reason, and whose they are.
func (e *CloseError) Error() string {
	b := []byte("ws: closed with ")
	if e.Remote {
		b = []byte("ws: closed by peer with ")
	}
	b = strconv.AppendUint(b, uint64(e.Code), 10)
	if e.Reason != "" {
		b = append(b, ": "...)
		b = strconv.AppendQuote(b, e.Reason)
	}
	return string(b)
}

// What a peer can break. Receive returns these very values, so errors.Is tells
// them apart; they must not be changed. RFC 6455 section 7.1.7 asks that the
// connection be failed: send the code, then close.
var (
	// ErrReservedBits: section 5.2, "MUST be 0 unless an extension is
	// negotiated that defines meanings for non-zero values".
	ErrReservedBits = protocolError("reserved bit set")
	// ErrReservedOpCode: section 5.2, "If an unknown opcode is received, the
	// receiving endpoint MUST _Fail the WebSocket Connection_".
	ErrReservedOpCode = protocolError("reserved opcode")
	// ErrUnmasked: section 5.1, "The server MUST close the connection upon
	// receiving a frame that is not masked".
	ErrUnmasked = protocolError("frame from client is not masked")
	// ErrMasked: section 5.1, "A client MUST close a connection if it detects
	// a masked frame".
	ErrMasked = protocolError("frame from server is masked")
	// ErrLengthNotMinimal: section 5.2, "the minimal number of bytes MUST be
	// used to encode the length".
	ErrLengthNotMinimal = protocolError("payload length not minimally encoded")
	// ErrLengthTopBit: section 5.2, of the 64-bit length "the most significant
	// bit MUST be 0".
	ErrLengthTopBit = protocolError("payload length has its top bit set")
	// ErrControlTooLong: section 5.5, "All control frames MUST have a payload
	// length of 125 bytes or less".
	ErrControlTooLong = protocolError("control frame longer than 125 bytes")
	// ErrControlFragmented: section 5.5, control frames "MUST NOT be
	// fragmented".
	ErrControlFragmented = protocolError("control frame fragmented")
	// ErrNoMessage: section 5.4, a continuation frame continues a message.
	ErrNoMessage = protocolError("continuation frame without a message")
	// ErrInsideMessage: section 5.4, "The fragments of one message MUST NOT be
	// interleaved between the fragments of another message".
	ErrInsideMessage = protocolError("new message inside a fragmented one")
	// ErrCloseTruncated: section 5.5.1, "the first two bytes of the body MUST
	// be a 2-byte unsigned integer".
	ErrCloseTruncated = protocolError("close frame with a one-byte payload")
	// ErrCloseCode: section 7.4, a code that must not stand in a close frame.
	ErrCloseCode = protocolError("close code not allowed on the wire")
	// ErrInvalidUTF8: section 8.1, in a text message or in a close reason.
	ErrInvalidUTF8 = &CloseError{Code: StatusInvalidFramePayloadData, Reason: "invalid UTF-8"}
	// ErrFrameTooBig: a frame declares more than [Limits].Frame.
	ErrFrameTooBig = &CloseError{Code: StatusMessageTooBig, Reason: "frame too big"}
	// ErrMessageTooBig: a message grows beyond [Limits].Message, or beyond the
	// limit given to [Assembler.Add].
	ErrMessageTooBig = &CloseError{Code: StatusMessageTooBig, Reason: "message too big"}
)

func protocolError(reason string) *CloseError {
	return &CloseError{Code: StatusProtocolError, Reason: reason}
}

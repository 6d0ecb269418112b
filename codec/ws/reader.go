package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// The way of a frame through this file:
//
//  1. Receive looks at the phase.
//  2. header   takes a whole frame header or nothing (rules: check.go).
//  3. payload  takes what is there of the payload and unmasks it in place.
//  4. data     checks text and reports a piece, or
//     control  collects up to 125 bytes and reports a ping, pong or close.
//
// whole does 2 to 4 at once for short messages that are there in one frame.

// Side is the end of the connection a [Reader] reads for.
type Side uint8

// The two ends. A server's input is masked, a client's is not (section 5.1).
const (
	Server Side = iota
	Client
)

// Reader is the receive state of one connection. The zero value is the start of
// a server's; set the exported fields before the first Receive and not after.
type Reader struct {
	remaining uint64        // payload bytes of this frame still to come
	total     uint64        // payload bytes announced by this message's headers
	partial   *controlParts // a control frame of which some bytes are here
	key       uint32        // mask key, turned so that its low byte is next
	text      Validator     // of the current message, if checkText

	// Side is whose input this is: Server (the zero value) or Client.
	Side Side
	// Compression allows RSV1 on the first frame of a message (RFC 7692).
	Compression bool
	// SkipUTF8 leaves text messages unchecked, which RFC 6455 section 8.1
	// forbids unless whoever consumes the text checks it.
	SkipUTF8 bool

	phase      phase
	frame      byte   // first byte of the current frame's header
	op         OpCode // of the message begun and not ended; 0 if none
	first      bool   // nothing of the message has been reported
	compressed bool   // the message's first frame had RSV1
}

// phase is what the next byte is:
//
//	        whole header                payload ended
//	atHeader ----------> inPayload -------------------> atHeader
//	    |                    |   (a close frame, or any error)
//	    +--------------------+----------------------------> ended
type phase uint8

const (
	atHeader phase = iota
	inPayload
	ended
)

// controlParts holds a control frame that arrives in more than one piece.
// Few ever do, so a Reader has one only for as long as that takes.
type controlParts struct {
	n    int
	data [maxControl]byte
}

// Receive reads at most one event from b, whose first byte is the first one no
// earlier call has used, and returns how many bytes it used. It unmasks what it
// used in place. Every field of ev is set; ev.Kind None says there is no event.
//
// If n is 0 without an error and b is not empty, b is the beginning of a frame
// header: call again with b and more behind it. That is at most
// MaxHeaderSize-1 bytes; payload is always used as it comes.
//
// lim may differ from call to call, and nil means the defaults.
//
// An error is a *CloseError with the code to send. It comes after every event
// that was complete before it, and waits for nothing: a fault in a header is
// reported before the payload, bad text with the byte that makes it so. n is
// then 0. After an error and after a Close event the Reader uses all it is
// given and reports nothing, as sections 7.1.7 and 5.5.1 ask.
func (r *Reader) Receive(b []byte, lim *Limits, ev *Event) (n int, err error) {
	*ev = Event{}
	switch r.phase {
	case ended:
		return len(b), nil
	case atHeader:
		if n, err = r.whole(b, lim, ev); n > 0 || err != nil {
			return n, err
		}
		n, err = r.header(b, lim)
		if n == 0 {
			return 0, err
		}
	}
	m, err := r.payload(b[n:], lim, ev)
	if err != nil {
		r.phase = ended
		return 0, err
	}
	return n + m, nil
}

// whole is stages 2 to 4 in one for what nearly all frames of a server are: a
// short message from a client, in one frame, all there. It takes half the time.
// Anything else, also anything at fault in the header, it leaves to the others
// with 0 and nothing changed.
func (r *Reader) whole(b []byte, lim *Limits, ev *Event) (n int, err error) {
	if len(b) < 6 || r.op != 0 || r.Side != Server {
		return 0, nil
	}
	op := OpCode(b[0] &^ bitFin)
	if b[0]&bitFin == 0 || op != OpText && op != OpBinary {
		return 0, nil
	}
	length := int(b[1]) - bitMask // negative without the mask bit
	n = 6 + length
	if length < 0 || length > maxControl || n > len(b) || length > lim.piece(length) || lim.check(uint64(length), 0, false) != nil {
		return 0, nil
	}
	p := b[6:n:n]
	maskInPlace(p, binary.LittleEndian.Uint32(b[2:]))
	if op == OpText && !r.SkipUTF8 && !utf8.Valid(skipASCII(p)) {
		return r.fail(ErrInvalidUTF8)
	}
	ev.Kind, ev.Op, ev.Payload = Data, op, p
	ev.First, ev.Final = true, true
	return n, nil
}

// header takes the frame header at b if it is whole, and returns its size.
func (r *Reader) header(b []byte, lim *Limits) (n int, err error) {
	if len(b) < 2 {
		return 0, nil
	}
	if err := r.checkFrame(b[0], b[1]); err != nil {
		return r.fail(err)
	}
	length, n, err := decodeLength(b)
	if err != nil {
		return r.fail(err)
	}
	if n == 0 {
		return 0, nil
	}
	if b[0]&bitControl == 0 {
		compressed := b[0]&bitRSV1 != 0 || r.op != 0 && r.compressed
		if err := lim.check(length, r.total, compressed); err != nil {
			return r.fail(err)
		}
	}
	key := uint32(0)
	if r.Side == Server {
		if len(b) < n+4 {
			return 0, nil
		}
		key = binary.LittleEndian.Uint32(b[n:])
		n += 4
	}
	r.begin(b[0], length, key)
	return n, nil
}

// fail ends the Reader with err.
func (r *Reader) fail(err error) (int, error) {
	r.phase = ended
	return 0, err
}

// begin notes a frame whose header was accepted.
func (r *Reader) begin(b0 byte, length uint64, key uint32) {
	r.phase = inPayload
	r.frame, r.remaining, r.key = b0, length, key
	if b0&bitControl != 0 {
		return
	}
	if op := OpCode(b0 & bitsOp); op != OpContinuation {
		r.op, r.first, r.compressed = op, true, b0&bitRSV1 != 0
	}
	r.total += length
}

// payload takes what b has of the current frame's payload, or one piece of it.
func (r *Reader) payload(b []byte, lim *Limits, ev *Event) (n int, err error) {
	n = len(b)
	if r.frame&bitControl == 0 && !r.compressed {
		n = lim.piece(n)
	}
	if uint64(n) >= r.remaining {
		n = int(r.remaining)
		r.phase = atHeader
	} else if n == 0 {
		return 0, nil
	}
	r.remaining -= uint64(n)
	p := b[:n:n]
	if r.key != 0 {
		r.key = maskInPlace(p, r.key)
	}
	if r.frame&bitControl != 0 {
		return n, r.control(p, ev)
	}
	return n, r.data(p, ev)
}

// data reports the piece p of a message.
func (r *Reader) data(p []byte, ev *Event) error {
	final := r.frame&bitFin != 0 && r.remaining == 0
	// Section 8.1. A compressed message is text only once it is inflated.
	if r.op == OpText && !r.SkipUTF8 && !r.compressed {
		if !r.text.Write(p) || final && !r.text.Complete() {
			return ErrInvalidUTF8
		}
	}
	ev.Kind = Data
	ev.Op = r.op
	ev.Payload = p
	ev.Remaining = r.remaining
	ev.First, ev.Final = r.first, final
	ev.Compressed = r.compressed
	r.first = false
	if final {
		r.op, r.total = 0, 0
	}
	return nil
}

// control collects the control frame of which p is a piece, and reports it once
// it is whole.
func (r *Reader) control(p []byte, ev *Event) error {
	if r.remaining > 0 || r.partial != nil {
		if p = r.collect(p); r.remaining > 0 {
			return nil
		}
	}
	switch op := OpCode(r.frame & bitsOp); op {
	case OpPing:
		ev.Kind, ev.Op, ev.Payload = Ping, op, p
	case OpPong:
		ev.Kind, ev.Op, ev.Payload = Pong, op, p
	default:
		code, reason, err := checkClose(p)
		if err != nil {
			return err
		}
		ev.Kind, ev.Op, ev.Code, ev.Reason = Close, op, code, reason
		r.phase = ended
	}
	return nil
}

// collect adds p to the parts of a control frame and returns all of them. The
// last part hands the buffer to whoever holds the result.
func (r *Reader) collect(p []byte) []byte {
	if r.partial == nil {
		r.partial = new(controlParts)
	}
	c := r.partial
	c.n += copy(c.data[c.n:], p)
	if r.remaining == 0 {
		r.partial = nil
	}
	return c.data[:c.n:c.n]
}

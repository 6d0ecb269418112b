package ws

// Kind says what an [Event] reports.
type Kind uint8

// The kinds of event.
const (
	None  Kind = iota // nothing yet: the bytes used were part of something
	Data              // a piece of a text or binary message
	Ping              // a whole ping; answer with a pong of the same payload
	Pong              // a whole pong
	Close             // the peer's close frame; nothing comes after it
)

// String returns the name of k in lower case.
func (k Kind) String() string {
	switch k {
	case None:
		return "none"
	case Data:
		return "data"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Close:
		return "close"
	}
	return "unknown"
}

// Event is what one call of [Reader.Receive] found. The caller owns the struct
// and uses it again; every call overwrites all of it.
type Event struct {
	// Payload is the unmasked piece of the message, or the whole application
	// data of a ping or pong. It points into the slice given to Receive, or
	// for a control frame that came in parts into a buffer of its own, and
	// holds until the caller reuses that slice. Its capacity ends with it, so
	// appending to it copies. May be empty.
	Payload []byte
	// Reason is the text of a Close, valid UTF-8, with the lifetime of
	// Payload.
	Reason []byte
	// Remaining is how much payload of this frame is still to come, in bytes.
	Remaining uint64
	// Code is the status code of a Close, StatusNoStatusRcvd if it had none.
	Code StatusCode
	// Kind says which of the other fields mean something.
	Kind Kind
	// Op is the message's opcode, OpText or OpBinary, also for pieces of its
	// continuation frames; for a control frame its own.
	Op OpCode
	// First and Final mark the first and the last piece of a message. A message
	// in one frame that was there whole is one piece and has both.
	First, Final bool
	// Compressed says that the message's first frame had RSV1 set: its pieces
	// are deflated (RFC 7692 section 6) and their UTF-8 is unchecked. Only if
	// [Reader].Compression allows it.
	Compressed bool
}

// FrameFinal reports whether the piece is the last of its frame.
func (e *Event) FrameFinal() bool { return e.Remaining == 0 }

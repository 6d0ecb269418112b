package callbacks

import "strconv"

// Outcome says what became of a message.
type Outcome uint8

// The outcomes of Session.Send and WriteMessage.
const (
	// Refused: nothing of it was sent; the error says why.
	Refused Outcome = iota
	// Sent: it is on its way, with nothing in front of it that the socket has refused;
	// it leaves when the callback returns, or earlier.
	Sent
	// Queued: it waits behind others that the socket has not taken yet.
	Queued
	// Dropped: there was no room, and Protocol.Overflow wants it dropped.
	Dropped
)

// String returns the name of o.
func (o Outcome) String() string {
	switch o {
	case Refused:
		return "Refused"
	case Sent:
		return "Sent"
	case Queued:
		return "Queued"
	case Dropped:
		return "Dropped"
	}
	return "Outcome(" + strconv.Itoa(int(o)) + ")"
}

// Overflow is what becomes of a WebSocket's message that its send queue has no room
// for: the bytes that Protocol.SendQueue, or the engine's, allows. Pings and pongs are
// refused whatever it is. If the first piece of a message that is sent in pieces is
// dropped, the others are dropped with it. If a later piece has no room, those before
// it were sent and the message cannot be dropped: OverflowDropNewest ends the session
// with 1013, and the others do with the piece what they do with a message.
type Overflow uint8

// The policies of Protocol.Overflow.
const (
	// OverflowError refuses it with ErrSendQueueFull, and the session goes on. A
	// published message, whose sender is somebody else, is dropped.
	OverflowError Overflow = iota
	// OverflowDropNewest drops it.
	OverflowDropNewest
	// OverflowDropOldest makes room for a published message by dropping the oldest
	// ones of the same topic that still wait and that the session's present
	// subscription has brought; if there are none it is dropped itself. What the program
	// writes is refused as by OverflowError.
	OverflowDropOldest
	// OverflowClose ends the session with 1013, try again later, behind what is in the
	// queue; what was published and waits is dropped. A write is refused with
	// ErrSendQueueFull besides, which is Session.Err then.
	OverflowClose
)

// String returns the name of o.
func (o Overflow) String() string {
	switch o {
	case OverflowError:
		return "OverflowError"
	case OverflowDropNewest:
		return "OverflowDropNewest"
	case OverflowDropOldest:
		return "OverflowDropOldest"
	case OverflowClose:
		return "OverflowClose"
	}
	return "Overflow(" + strconv.Itoa(int(o)) + ")"
}

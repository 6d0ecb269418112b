package callbacks

import "github.com/penstock-go/penstock/codec/ws"

// Handle refers to a session from any goroutine, for as long as one likes, or to
// one request of an HTTP session, if it was taken while that was in hand. Two
// Handles are equal (==) if they refer to the same. Once the session has ended
// every call returns ErrClosed; once the request has, calls do nothing.
//
// Calls of one goroutine take effect in their order. nil from a call means that
// the session's loop has been told; a session that ends before the loop gets to
// it drops it.
type Handle interface {
	// Post runs f on the session's loop. An error from f has the effect of one
	// from a callback.
	Post(f func(s Session) error) error
	// Write sends a copy of p like Session.Write; a client's waits until it is
	// established. An error on the loop, such as ErrSendQueueFull, ends the session
	// like one that a callback returned. What Protocol.Overflow drops is no error.
	Write(p []byte, kind Kind) error
	// RequestWriteable asks for one Writeable callback.
	RequestWriteable() error
	// Close closes like Session.Close. A code that must not be sent is refused at once.
	Close(code ws.StatusCode, reason string) error
}

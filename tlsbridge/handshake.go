package tlsbridge

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"net"
	"runtime/debug"

	"github.com/penstock-go/penstock/internal/invariant"
)

// Status is what became of a Step:
//
//	Step --> More --records arrive--+
//	 ^  |                           |
//	 |  +--> Asking --Answer--------+
//	 |  |                           |
//	 +--|---------------------------+
//	    +--> Done, Failed
type Status uint8

// What a Step ends in.
const (
	// More: the peer has to say more. Step wants one complete record at least.
	More Status = iota
	// Asking: a callback of the tls.Config is in Ask. Answer it, then Step.
	Asking
	// Done: the connection is ready for Open and Seal.
	Done
	// Failed: Result.Err says why. Output may tell the peer.
	Failed
)

// Result is what a Step did.
type Result struct {
	// Status says how to go on.
	Status Status
	// Used is how many of its bytes were used.
	Used int
	// Output is to be sent to the peer. It belongs to the caller.
	Output []byte
	// Err is of Failed, an *Error.
	Err error
}

// handshake is what a Conn needs until it is secured.
type handshake struct {
	next          func() (Status, bool) // nil before the first Step
	stop          func()
	yield         func(Status) bool
	asked         *tls.ConnectionState
	answer        error
	err           error
	local, remote net.Addr
}

// Step goes on with the handshake: b holds records, behind those that earlier
// Steps have used. The beginning of a record at its end is not used, nor is what
// follows the handshake. A client begins with an empty b. It may take a
// millisecond, or what the callbacks of the tls.Config take.
//
// No Step, and no Cancel, may be called on a goroutine that is locked to its
// thread: the runtime forbids it to resume what another has begun.
func (c *Conn) Step(b []byte) Result {
	h := c.hs
	if h == nil {
		return Result{Status: Done}
	}
	if h.next == nil {
		h.next, h.stop = iter.Pull(c.shake)
	}
	c.in = b[:Whole(b)]
	given := len(c.in)
	status, ok := h.next()
	r := Result{Status: status, Used: given - len(c.in), Output: c.Output()}
	c.in = nil
	switch {
	case ok:
	case h.err != nil:
		r.Status, r.Err = Failed, &Error{h.err}
	default:
		r.Status = Done
		c.hs = nil
		c.takeBack()
	}
	return r
}

// shake is the coroutine.
func (c *Conn) shake(yield func(Status) bool) {
	h := c.hs
	h.yield = yield
	h.err = errLeft
	defer func() {
		if v := recover(); v != nil {
			h.err = &PanicError{v, debug.Stack()}
		}
	}()
	h.err = c.tls.Handshake()
}

// PanicError is what the panic of a callback of the tls.Config becomes.
type PanicError struct {
	// Value is what the callback panicked with.
	Value any
	// Stack is the stack at that point, as text.
	Stack []byte
}

// Error tells the value.
func (p *PanicError) Error() string { return fmt.Sprintf("a callback panicked: %v", p.Value) }

// errLeft is the error of a handshake that has not come to its end: a callback has
// called runtime.Goexit, which takes the caller of Step along.
var errLeft = errors.New("a callback has ended its goroutine")

// ErrCancelled is what a callback of a tls.Config gets when the connection has
// ended while it was in Ask.
var ErrCancelled = errors.New("tlsbridge: the handshake was cancelled")

// Ask is for VerifyConnection: it suspends the handshake until somebody has
// called Answer with the error to return. A Step without an Answer refuses.
func (c *Conn) Ask(state tls.ConnectionState) error {
	h := c.hs
	h.asked, h.answer = &state, errUnanswered
	defer func() { h.asked = nil }()
	if !h.yield(Asking) {
		return ErrCancelled
	}
	return h.answer
}

var errUnanswered = errors.New("a question about the peer was not answered")

// Answer is the answer to Ask; an error refuses the peer, with an alert. It does
// not go on yet: Step does, with no bytes.
func (c *Conn) Answer(err error) {
	invariant.Check(c.hs != nil && c.hs.asked != nil, "tlsbridge: an Answer to nothing")
	if c.hs != nil {
		c.hs.answer = err
	}
}

// Cancel ends a handshake that is not to go on, and its coroutine: Step fails from
// then on. It does nothing if the handshake is done.
func (c *Conn) Cancel() {
	h := c.hs
	if h == nil {
		return
	}
	if h.next == nil { // so that nothing begins any more
		h.next = func() (Status, bool) { return 0, false }
		h.stop = func() {}
	}
	h.stop()
	h.err = cmp.Or(h.err, ErrCancelled)
}

package callbacks

import (
	"errors"
	"fmt"
	"net"
)

// ErrClose, returned by a callback, closes the session normally: a WebSocket
// with 1000, an HTTP connection after its response, a raw one at once, each
// with everything written so far delivered.
var ErrClose = errors.New("callbacks: close")

// ErrClosed is the answer of a session or Handle whose session has ended or is
// ending. It unwraps to net.ErrClosed.
var ErrClosed = fmt.Errorf("callbacks: the session is closed: %w", net.ErrClosed)

// ErrRole is the answer to a call that the session's role does not have, such
// as Respond on a WebSocket.
var ErrRole = errors.New("callbacks: the session's role has no such call")

// ErrAnswered is the answer to a second response to one request. Nothing of it
// is sent.
var ErrAnswered = errors.New("callbacks: the request has been answered")

// ErrSendQueueFull is the answer to a Write that would take the send queue past
// its limit. Nothing of it is sent; the session goes on. Protocol.Overflow may
// have other answers.
var ErrSendQueueFull = errors.New("callbacks: the send queue is full")

// ErrFragment is the answer to a Write whose kind does not fit the message being
// sent: a new message before the last piece of another, or a continuation of
// none.
var ErrFragment = errors.New("callbacks: the write does not continue the message being sent")

// ErrBusy is the answer to Go when all workers are busy and no more work may wait.
var ErrBusy = errors.New("callbacks: the workers are busy")

// ErrTooLong is the answer to a Write that is longer than its frame or response
// may be: a ping or pong over 125 bytes, or a body beyond its Content-Length.
var ErrTooLong = errors.New("callbacks: the write is too long")

// ErrTooShort is the answer to a final Write that leaves a body shorter than its
// Content-Length. The connection is reset: nothing else tells the client.
var ErrTooShort = errors.New("callbacks: the body ends before its Content-Length")

// ErrKind is the answer to a Write whose kind its session cannot send.
var ErrKind = errors.New("callbacks: no such kind of write")

// ErrHeader is the answer to a header field that may not be set: its name is no
// token, its value has control characters, or the engine writes it itself.
var ErrHeader = errors.New("callbacks: this header field may not be set")

// ErrProtocol is the answer to SelectProtocol of a subprotocol that the client did
// not offer, or that the vhost does not have.
var ErrProtocol = errors.New("callbacks: no such subprotocol on offer")

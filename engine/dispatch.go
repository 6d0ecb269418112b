package engine

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/invariant"
)

// PanicError is what a callback's panic becomes: Session.Err of the one session
// that it ends.
type PanicError struct {
	// Value is what the callback panicked with.
	Value any
	// Stack is the stack at that point, as text.
	Stack []byte
}

// Error tells the value; the stack is in the log.
func (p *PanicError) Error() string { return fmt.Sprintf("engine: a callback panicked: %v", p.Value) }

// tell calls the program about s and returns its error.
func (s *session) tell(r callbacks.Reason, in []byte) error {
	p := s.proto
	if p == nil {
		p = s.vh.first()
	}
	return s.l.invoke(p, s, r, in)
}

// tellOrFail calls the program and ends the session if it wants that.
func (s *session) tellOrFail(r callbacks.Reason, in []byte) {
	if err := s.tell(r, in); err != nil {
		s.fail(err)
	}
}

// lend is tell with bytes that are the program's to change until it returns.
// In the invariants build they are destroyed then, so that a program which keeps
// them notices.
func (s *session) lend(r callbacks.Reason, in []byte) error {
	err := s.tell(r, in)
	invariant.Poison(in)
	return err
}

// invoke is the one place where the program is called.
func (l *loop) invoke(p *callbacks.Protocol, s *session, r callbacks.Reason, in []byte) (err error) {
	defer l.recovered(r, &err)
	return p.Callback(s, r, in)
}

// recovered turns a panic of the program into an error.
func (l *loop) recovered(r callbacks.Reason, err *error) {
	if v := recover(); v != nil {
		p := &PanicError{Value: v, Stack: debug.Stack()}
		l.e.log.Error("engine: a callback panicked", "reason", r, "panic", v, "stack", string(p.Stack))
		*err = p
	}
}

// unexpected logs an error that no program returns on purpose.
func (s *session) unexpected(err error) {
	var p *PanicError
	if !errors.As(err, &p) { // a panic has been logged
		s.l.e.log.Error("engine: a callback failed", "session", s.id, "protocol", s.Protocol().Name, "err", err)
	}
}

// closeFor is the close frame that an error of a WebSocket callback stands for.
func (s *session) closeFor(err error) (code ws.StatusCode, reason string) {
	var c *ws.CloseError
	switch {
	case errors.Is(err, callbacks.ErrClose):
		return ws.StatusNormalClosure, ""
	case errors.As(err, &c) && (c.Code == ws.StatusNoStatusRcvd || checkCloseCode(c.Code) == nil):
		return c.Code, c.Reason
	case errors.Is(err, callbacks.ErrSendQueueFull):
		return ws.StatusTryAgainLater, "send queue full"
	}
	s.unexpected(err)
	return ws.StatusInternalError, ""
}

// statusFor is the status that an error of an HTTP callback stands for; other is
// that of one that says nothing else.
func (s *session) statusFor(err error, other int) int {
	var h *http1.Error
	var p *PanicError
	if errors.As(err, &p) {
		return 500
	}
	if errors.As(err, &h) && h.Status >= 400 && h.Status <= 599 {
		return h.Status
	}
	if other == 500 {
		s.unexpected(err)
	}
	return other
}

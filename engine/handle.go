package engine

import (
	"errors"
	"sync"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/bufpool"
)

// handle is a session as other goroutines may see it: a pointer of another type,
// so that Handles compare and cost nothing. A session is never used for a second
// connection, so it needs no generation.
type handle session

func (h *handle) Post(f func(callbacks.Session) error) error {
	return h.post(&letter{do: letterCall, f: f})
}

func (h *handle) Write(p []byte, kind callbacks.Kind) error { return h.write(p, kind, 0) }

func (h *handle) write(p []byte, kind callbacks.Kind, number uint32) error {
	if h.gone.Load() {
		return callbacks.ErrClosed
	}
	m := writeLetter(p, kind)
	m.number = number
	return h.post(m)
}

func (h *handle) RequestWriteable() error { return h.post(&letter{do: letterWriteable}) }

func (h *handle) Close(code ws.StatusCode, reason string) error {
	m, err := closeLetter(code, reason)
	if err != nil {
		return err
	}
	return h.post(m)
}

// transaction is the handle of an HTTP transaction: once that is over it does
// nothing, so that a late answer to one request is not taken for another's.
type transaction struct {
	h      *handle
	number uint32
}

func (t transaction) Post(f func(callbacks.Session) error) error {
	return t.h.post(&letter{do: letterCall, f: f, number: t.number})
}

func (t transaction) Write(p []byte, kind callbacks.Kind) error {
	return t.h.write(p, kind, t.number)
}

func (t transaction) RequestWriteable() error {
	return t.h.post(&letter{do: letterWriteable, number: t.number})
}

func (t transaction) Close(code ws.StatusCode, reason string) error {
	m, err := closeLetter(code, reason)
	if err != nil {
		return err
	}
	m.number = t.number
	return t.h.post(m)
}

func (h *handle) post(m *letter) error {
	m.s = (*session)(h)
	if h.gone.Load() || h.l.r.Post(m) != nil {
		m.release()
		return callbacks.ErrClosed
	}
	return nil
}

// letter is a Handle's call on its way to the loop.
type letter struct {
	s      *session
	f      func(callbacks.Session) error
	buf    *bufpool.Buffer
	reason string
	number uint32 // of the transaction it is for, 0 for the session
	code   ws.StatusCode
	do     letterKind
	kind   callbacks.Kind
}

type letterKind uint8

const (
	letterCall letterKind = iota
	letterWrite
	letterWriteable
	letterClose
)

var letters = sync.Pool{New: func() any { return new(letter) }}

func writeLetter(p []byte, kind callbacks.Kind) *letter {
	m := letters.Get().(*letter)
	m.do, m.kind, m.buf = letterWrite, kind, bufpool.Get()
	m.buf.B = append(m.buf.B, p...)
	return m
}

func closeLetter(code ws.StatusCode, reason string) (*letter, error) {
	if err := checkCloseCode(code); err != nil {
		return nil, err
	}
	return &letter{do: letterClose, code: code, reason: reason}, nil
}

// Deliver makes the call on the session's loop.
func (m *letter) Deliver() {
	s := m.s
	if m.do == letterClose {
		s.forgo()
	}
	if m.do == letterWrite {
		if w := s.early(); w != nil {
			w.keep(s, m)
			return
		}
	}
	if (s.state == stateOpen || s.state == stateOpening) && m.timely() {
		if err := m.call(s); err != nil && !errors.Is(err, callbacks.ErrClosed) { // closing is what it is at
			s.fail(err)
		}
	}
	m.release()
}

// timely tells whether the transaction that the letter is for is in hand still.
func (m *letter) timely() bool {
	if m.number == 0 {
		return true
	}
	h, ok := m.s.role.(*httpRole)
	return ok && h.req != nil && h.number == m.number
}

func (m *letter) call(s *session) (err error) {
	switch m.do {
	case letterCall:
		defer s.l.recovered(callbacks.User, &err)
		return m.f(s)
	case letterWrite:
		return s.Write(m.buf.B, m.kind)
	case letterWriteable:
		s.RequestWriteable()
	case letterClose:
		_ = s.Close(m.code, m.reason) // closing already is as good
	}
	return nil
}

// release gives the buffer back and, of a write, the letter.
func (m *letter) release() {
	if m.buf == nil {
		return
	}
	bufpool.Put(m.buf)
	*m = letter{}
	letters.Put(m)
}

package engine

import (
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// This file is what callbacks.Session has for WebSockets.

// Send implements callbacks.Session, and so do the methods below.
func (s *session) Send(p []byte, kind callbacks.Kind) (callbacks.Outcome, error) {
	s.l.assertHere()
	if w, ok := s.role.(*wsRole); ok && s.state == stateOpen {
		return w.send(s, p, kind)
	}
	if err := s.Write(p, kind); err != nil {
		return callbacks.Refused, err
	}
	return s.outcome(), nil
}

func (s *session) WriteMessage(m *callbacks.Message) (callbacks.Outcome, error) {
	s.l.assertHere()
	if !m.Valid() {
		return callbacks.Refused, callbacks.ErrKind
	}
	if w, ok := s.role.(*wsRole); ok && s.state == stateOpen {
		return w.sendMessage(s, m)
	}
	return s.Send(m.Payload(), m.Kind())
}

// outcome is that of a write that was taken.
func (s *session) outcome() callbacks.Outcome {
	if s.link.Pending() > 0 {
		return callbacks.Queued
	}
	return callbacks.Sent
}

func (s *session) SetLiveness(ping, hangup time.Duration) {
	s.l.assertHere()
	if w, ok := s.role.(*wsRole); ok && s.state == stateOpen {
		w.setSilence(s, ping, hangup)
	}
}

func (s *session) RTT() time.Duration {
	if w, ok := s.role.(*wsRole); ok {
		return time.Duration(w.rtt) * time.Microsecond
	}
	return 0
}

func (s *session) Extensions() string {
	if w, ok := s.role.(*wsRole); ok && w.agreed() != nil {
		return w.agreed().text
	}
	return ""
}

func (s *session) Deflate() *deflate.Config {
	if s.l.handshake.s == s {
		return s.l.handshake.deflate
	}
	return nil
}

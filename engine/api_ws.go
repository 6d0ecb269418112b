package engine

import (
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// This file is what callbacks.Session has for WebSockets.

// Send implements callbacks.Session, and so do the methods below.
func (s *session) Send(p []byte, kind callbacks.Kind) (callbacks.Outcome, error) {
	if err := s.Write(p, kind); err != nil {
		return callbacks.Refused, err
	}
	if s.link.Pending() > 0 {
		return callbacks.Queued, nil
	}
	return callbacks.Sent, nil
}

func (s *session) WriteMessage(m *callbacks.Message) (callbacks.Outcome, error) {
	if !m.Valid() {
		return callbacks.Refused, callbacks.ErrKind
	}
	return s.Send(m.Payload(), m.Kind())
}

func (s *session) Subscribe(topic string) error { return callbacks.ErrRole }

func (s *session) Unsubscribe(topic string) error { return callbacks.ErrRole }

func (s *session) Publish(topic string, m *callbacks.Message) error { return callbacks.ErrRole }

func (s *session) PublishToOthers(topic string, m *callbacks.Message) error {
	return callbacks.ErrRole
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

func (s *session) SelectProtocol(name string) error { return callbacks.ErrRole }

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

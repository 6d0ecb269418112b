package callbackstest

import (
	"slices"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// Send is Write with its outcome: Queued if there are Writes already. A full queue
// drops, refuses or closes as Bound.Overflow says.
func (s *Session) Send(p []byte, kind callbacks.Kind) (callbacks.Outcome, error) {
	switch {
	case s.Closing:
		return callbacks.Refused, callbacks.ErrClosed
	case s.QueueMost > 0 && s.Buffered()+len(p) > s.QueueMost:
		return s.overflow(kind)
	}
	outcome := callbacks.Sent
	if len(s.Writes) > 0 {
		outcome = callbacks.Queued
	}
	s.Writes = append(s.Writes, Write{string(p), kind})
	return outcome, nil
}

func (s *Session) overflow(kind callbacks.Kind) (callbacks.Outcome, error) {
	control := kind == callbacks.WritePing || kind == callbacks.WritePong
	switch {
	case s.Bound.Overflow == callbacks.OverflowDropNewest && !control:
		return callbacks.Dropped, nil
	case s.Bound.Overflow == callbacks.OverflowClose && !control:
		s.Closing, s.Code, s.Reason = true, ws.StatusTryAgainLater, "send queue full"
	}
	return callbacks.Refused, callbacks.ErrSendQueueFull
}

// WriteMessage is Send of what m is.
func (s *Session) WriteMessage(m *callbacks.Message) (callbacks.Outcome, error) {
	if !m.Valid() {
		return callbacks.Refused, callbacks.ErrKind
	}
	return s.Send(m.Payload(), m.Kind())
}

// Subscribe puts topic into Topics.
func (s *Session) Subscribe(topic string) error {
	if !callbacks.ValidTopic(topic) {
		return callbacks.ErrTopic
	}
	if s.Closing {
		return callbacks.ErrClosed
	}
	if !slices.Contains(s.Topics, topic) {
		s.Topics = append(s.Topics, topic)
	}
	return nil
}

// Unsubscribe takes it out.
func (s *Session) Unsubscribe(topic string) error {
	if !callbacks.ValidTopic(topic) {
		return callbacks.ErrTopic
	}
	s.Topics = slices.DeleteFunc(s.Topics, func(t string) bool { return t == topic })
	return nil
}

// Publish notes the message; nobody receives it.
func (s *Session) Publish(topic string, m *callbacks.Message) error {
	return s.publish(Published{Topic: topic, Message: m})
}

// PublishToOthers notes the message; nobody receives it.
func (s *Session) PublishToOthers(topic string, m *callbacks.Message) error {
	return s.publish(Published{Topic: topic, Message: m, ToOthers: true})
}

func (s *Session) publish(p Published) error {
	if !callbacks.ValidTopic(p.Topic) {
		return callbacks.ErrTopic
	}
	if !p.Message.Valid() {
		return callbacks.ErrKind
	}
	s.Published = append(s.Published, p)
	return nil
}

// SetLiveness sets Ping and Hangup.
func (s *Session) SetLiveness(ping, hangup time.Duration) { s.Ping, s.Hangup = ping, hangup }

// RTT is RoundTrip.
func (s *Session) RTT() time.Duration { return s.RoundTrip }

// Extensions is Extension.
func (s *Session) Extensions() string { return s.Extension }

// Deflate is Options.
func (s *Session) Deflate() *deflate.Config { return s.Options }

// SelectProtocol sets Subprotocol.
func (s *Session) SelectProtocol(name string) error {
	s.Subprotocol = name
	return nil
}

package callbacks

import (
	"sync"

	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// Message is a WebSocket message prepared for many sessions: it is encoded once,
// and compressed once for each set of parameters that is in use. It does not
// change, and any goroutine may use it.
type Message struct {
	kind    Kind
	frame   []byte // a server's, uncompressed
	payload []byte // the end of frame

	mu         sync.Mutex
	compressed []compressed
}

// compressed is a Message for one set of parameters.
type compressed struct {
	level, bits int
	frame       []byte // nil if it is not smaller
}

// NewMessage copies p. kind is WriteText or WriteBinary, perhaps with Uncompressed;
// sending a Message of another kind is ErrKind.
func NewMessage(p []byte, kind Kind) *Message {
	m := &Message{kind: kind}
	m.frame = ws.AppendFrame(make([]byte, 0, ws.MaxHeaderSize+len(p)), m.op(), true, p)
	m.payload = m.frame[len(m.frame)-len(p):]
	return m
}

// Kind is what NewMessage was given.
func (m *Message) Kind() Kind { return m.kind }

// Payload is the message. It must not be changed.
func (m *Message) Payload() []byte { return m.payload }

func (m *Message) op() ws.OpCode {
	if m.kind.Base() == WriteBinary {
		return ws.OpBinary
	}
	return ws.OpText
}

// Valid tells whether kind is one that a Message can have.
func (m *Message) Valid() bool {
	k := m.kind &^ Uncompressed
	return k == WriteText || k == WriteBinary
}

// Frame is the message as a frame of a server, without compression. It must not be
// changed. Frame and Compressed are what an engine sends.
func (m *Message) Frame() []byte { return m.frame }

// Compressed is Frame for a session that compresses by the terms d, with nothing of
// the messages before it referred to; c is the caller's loop's. It is nil if the
// message gains nothing by that.
func (m *Message) Compressed(c *deflate.Compressor, d deflate.Direction) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.compressed {
		if v := &m.compressed[i]; v.level == c.Level && v.bits == int(d.WindowBits) {
			return v.frame
		}
	}
	v := compressed{level: c.Level, bits: int(d.WindowBits)}
	d.Takeover = false
	if out, ok := c.AppendSmaller(nil, m.payload, d, nil); ok {
		v.frame = append(ws.AppendHeader(nil, m.op(), true, true, len(out)), out...)
	}
	m.compressed = append(m.compressed, v)
	return v.frame
}

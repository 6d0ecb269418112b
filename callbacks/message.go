package callbacks

import (
	"sync"
	"sync/atomic"

	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// Message is a WebSocket message prepared for many sessions: it is encoded once,
// and compressed once for each set of parameters that is in use. It does not
// change, and any goroutine may use it.
type Message struct {
	kind     Kind
	frame    []byte // a server's, uncompressed
	payload  []byte // the end of frame
	variants atomic.Pointer[variant]
}

// variant is a Message compressed for one set of parameters. Variants make a list
// that grows at its head, so that whoever looks for one takes no lock: that happens
// once for each subscriber.
//
// Whoever asks first compresses, and whoever asks for the same meanwhile waits for
// it. Doing it twice would take a loop just as long, and sending the message
// uncompressed would make the wire depend on who was first. Other parameters do not
// wait.
type variant struct {
	level   int
	bits    uint8
	next    *variant
	once    sync.Once
	frame   []byte // nil if it is not smaller
	payload []byte // the end of frame
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

// Valid tells whether the message is there and its kind is one that a Message can
// have.
func (m *Message) Valid() bool {
	if m == nil {
		return false
	}
	k := m.kind &^ Uncompressed
	return k == WriteText || k == WriteBinary
}

// Frame is the message as a frame of a server, without compression. It must not be
// changed. Frame and Compressed are what an engine sends.
func (m *Message) Frame() []byte { return m.frame }

// Compressed is Frame for a session that compresses by the terms d, with nothing of
// the messages before it referred to, and the payload in it; c is the caller's
// loop's. Both are nil if the message gains nothing by that. A sender with takeover
// has to forget the messages before this one, for this one now lies between.
func (m *Message) Compressed(c *deflate.Compressor, d deflate.Direction) (frame, payload []byte) {
	v := m.variant(c.Level, d.WindowBits)
	v.once.Do(func() { v.compress(m, c, d) })
	return v.frame, v.payload
}

// variant finds the one for these parameters, or puts it in front.
func (m *Message) variant(level int, bits uint8) *variant {
	var fresh *variant
	for {
		head := m.variants.Load()
		for v := head; v != nil; v = v.next {
			if v.level == level && v.bits == bits {
				return v
			}
		}
		if fresh == nil {
			fresh = &variant{level: level, bits: bits}
		}
		fresh.next = head
		if m.variants.CompareAndSwap(head, fresh) {
			return fresh
		}
	}
}

// compress makes the frame. What comes out of the compressor is as long as it turns
// out to be, so the header is put in front of it afterwards, into room that was left.
func (v *variant) compress(m *Message, c *deflate.Compressor, d deflate.Direction) {
	d.Takeover = false
	b := make([]byte, ws.MaxHeaderSize, ws.MaxHeaderSize+len(m.payload)/2+64)
	out, ok := c.AppendSmaller(b, m.payload, d, nil)
	if !ok {
		return
	}
	v.payload = out[ws.MaxHeaderSize:]
	var header [ws.MaxHeaderSize]byte
	h := ws.AppendHeader(header[:0], m.op(), true, true, len(v.payload))
	v.frame = out[ws.MaxHeaderSize-len(h):]
	copy(v.frame, h)
}

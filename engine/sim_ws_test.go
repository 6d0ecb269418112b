package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/codec/ws"
)

func TestSimWebSocket(t *testing.T) {
	runSeeds(t, scenario{name: "WebSocket", play: func(w *world) {
		for i := range 1 + w.rng.IntN(4) {
			w.addWSClient(fmt.Sprintf("client %d", i))
		}
	}}, simCount)
}

const handshakeHead = "GET /ws HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

func httpPort(w *world) int { return w.port["http"] }

// wsClient is what a client sends and what it must get for it.
type wsClient struct {
	w        *world
	p        *peer
	messages []message
	pings    []string
	code     int // of the close frame that must come, 0 for none
}

// addWSClient adds a well-behaved client, or one that breaks a rule at its end.
func (w *world) addWSClient(name string) *wsClient {
	c := &wsClient{w: w}
	protocol := [...]string{"", "echo", "pieces", "small"}[w.rng.IntN(4)]
	head := handshakeHead
	if protocol != "" {
		head += "Sec-WebSocket-Protocol: " + protocol + "\r\n"
	}
	out := []byte(head + "\r\n")
	ops := []op{rest(time.Second), dial(httpPort)}
	glued := w.rng.IntN(2) == 0
	if !glued {
		ops = append(ops, send(out), await("101", func(p *peer) bool { return p.frames.head != nil }))
		out = nil
	}
	for range w.rng.IntN(8) {
		out = c.appendMessage(out, protocol)
		if w.rng.IntN(2) == 0 {
			ops = append(ops, send(out), rest(time.Duration(w.rng.IntN(2))*time.Second))
			out = nil
		}
	}
	ops = append(ops, send(out))
	ops = append(ops, c.ending(protocol)...)
	c.p = w.add(name, ops...)
	c.p.scan = scanFrames
	w.checks = append(w.checks, c.check)
	return c
}

// appendMessage adds a message that is echoed, in one frame or in several with
// pings between them.
func (c *wsClient) appendMessage(out []byte, protocol string) []byte {
	w := c.w
	size := w.size()
	if protocol == "small" {
		size = min(size, 4000)
	}
	m := message{ws.OpText, w.text(size)}
	if w.rng.IntN(2) == 0 {
		m.op = ws.OpBinary
	}
	c.messages = append(c.messages, m)
	op, data := byte(m.op), m.data
	for w.rng.IntN(3) == 0 {
		n := w.rng.IntN(len(data) + 1)
		out = appendFrame(out, op, true, w.key(), data[:n])
		op, data = 0, data[n:]
		if w.rng.IntN(2) == 0 {
			out = c.appendPing(out)
		}
	}
	out = appendFrame(out, 0x80|op, true, w.key(), data)
	if w.rng.IntN(4) == 0 {
		out = c.appendPing(out)
	}
	return out
}

func (c *wsClient) appendPing(out []byte) []byte {
	ping := c.w.text(c.w.rng.IntN(126))
	c.pings = append(c.pings, ping)
	return appendFrame(out, 0x89, true, c.w.key(), ping)
}

func (w *world) key() (k [4]byte) {
	for i := range k {
		k[i] = byte(w.rng.IntN(256))
	}
	return k
}

// text is n bytes of ASCII that do not look like a command.
func (w *world) text(n int) string {
	b := make([]byte, n)
	start := w.rng.IntN(26)
	for i := range b {
		b[i] = 'a' + byte((i*7+start+i/251)%26)
	}
	return string(b)
}

// ending is how the client leaves, or is made to leave.
func (c *wsClient) ending(protocol string) []op {
	w := c.w
	all := await("the echoes", func(p *peer) bool {
		return len(p.frames.messages) >= len(c.messages) && len(p.frames.pongs) >= len(c.pings)
	})
	closed := await("the close frame", func(p *peer) bool { return p.frames.closed })
	frame := func(first byte, data string) []byte { return appendFrame(nil, first, true, w.key(), data) }
	reply := sendLate(func(p *peer) []byte {
		return frame(0x88, closeData(p.frames.code, ""))
	})
	how := w.rng.IntN(8)
	if protocol == "pieces" && (how == 3 || how == 4) {
		how = 0 // an order would come in pieces
	}
	switch how {
	case 0, 1: // the client closes
		c.code = [...]int{1000, 1001, 3000, 4999, 1005}[w.rng.IntN(5)]
		return []op{all, send(frame(0x88, closeData(c.code, "bye"))), ended()}
	case 2: // without waiting for the echoes: those that came before still come
		c.code = 1000
		return []op{all, send(append(frame(0x88, closeData(1000, "bye")), "trailing garbage"...)), ended()}
	case 3, 4: // the server closes
		order, code := c.order()
		c.code = code
		return []op{send(frame(0x81, order)), closed, reply, ended()}
	case 5: // a breach
		bad, code := c.breach()
		c.code = code
		return []op{all, send(bad), ended()}
	case 6:
		return []op{all, closeWrite(), ended()}
	}
	return []op{all, reset()}
}

func closeData(code int, reason string) string {
	if code == 1005 || code == 0 {
		return ""
	}
	return string([]byte{byte(code >> 8), byte(code)}) + reason
}

// order is a message that makes the program close, and with what.
func (c *wsClient) order() (string, int) {
	switch c.w.rng.IntN(5) {
	case 0:
		return "!close 4001", 4001
	case 1:
		return "!error 3005", 3005
	case 2:
		return "!fail", 1011
	case 3:
		return "!bye", 1000
	}
	return "!panic", 1011
}

// breach is bytes that no client may send, and the code for them.
func (c *wsClient) breach() ([]byte, int) {
	key := c.w.key()
	switch c.w.rng.IntN(7) {
	case 0:
		return appendFrame(nil, 0x81, false, key, "not masked"), 1002
	case 1:
		return appendFrame(nil, 0xC1, true, key, "reserved bit"), 1002
	case 2:
		return appendFrame(nil, 0x83, true, key, "reserved opcode"), 1002
	case 3:
		return appendFrame(nil, 0x80, true, key, "continues nothing"), 1002
	case 4:
		return appendFrame(nil, 0x81, true, key, "bad \xff text"), 1007
	case 5:
		return appendFrame(nil, 0x89, true, key, strings.Repeat("long", 50)), 1002
	}
	return append([]byte{0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0}, key[:]...), 1009
}

// check compares what came with what must have.
func (c *wsClient) check() {
	f, w := &c.p.frames, c.w
	if f.bad != "" {
		w.failf("%s: %s", c.p.name, f.bad)
	}
	for i, m := range f.messages {
		if i >= len(c.messages) || m != c.messages[i] {
			w.failf("%s: message %d of %d is not the echo: %v %.80q", c.p.name, i, len(c.messages), m.op, m.data)
			return
		}
	}
	for i, data := range f.pongs {
		if i >= len(c.pings) || data != c.pings[i] {
			w.failf("%s: pong %d is not the ping", c.p.name, i)
			return
		}
	}
	if w.cut {
		return
	}
	if len(f.messages) < len(c.messages) || len(f.pongs) < len(c.pings) || f.code != c.code {
		w.failf("%s: %d of %d messages, %d of %d pongs, closed with %d instead of %d; looked at %d of %q", c.p.name,
			len(f.messages), len(c.messages), len(f.pongs), len(c.pings), f.code, c.code, f.off, c.p.got)
	}
}

package wstest

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// The opcodes of RFC 6455 5.2.
const (
	Continuation byte = 0
	Text         byte = 1
	Binary       byte = 2
	CloseOp      byte = 8
	Ping         byte = 9
	Pong         byte = 10
)

// Frame is one frame as it came.
type Frame struct {
	// Fin says that it ends its message.
	Fin bool
	// Op is its opcode, with the reserved bits above it.
	Op byte
	// Masked says that it came masked, with Key.
	Masked bool
	Key    [4]byte
	// Payload is unmasked, and the receiver's.
	Payload []byte
}

// Dial connects and upgrades. Each of fields is a line of the request's head.
func Dial(t testing.TB, addr string, fields ...string) *Conn {
	t.Helper()
	c := Connect(t, addr)
	c.Upgrade("/", fields...)
	return c
}

// Upgrade makes a client's connection a WebSocket.
func (c *Conn) Upgrade(target string, fields ...string) {
	c.t.Helper()
	key := make([]byte, 16)
	rand.Read(key) // never fails: see its documentation
	text := base64.StdEncoding.EncodeToString(key)
	c.Send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + text + "\r\n" + lines(fields) + "\r\n")
	resp := c.Response("GET")
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != accept(text) {
		c.t.Fatalf("the handshake was answered with %s %v", resp.Status, resp.Header)
	}
	c.Head = resp.Header
}

// ReadUpgrade reads a client's request for a WebSocket and answers nothing.
func (c *Conn) ReadUpgrade() {
	c.t.Helper()
	req, err := http.ReadRequest(c.R)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Head, c.Target = req.Header, req.RequestURI
}

// AcceptUpgrade answers it. Each of fields is a line of the response's head.
func (c *Conn) AcceptUpgrade(fields ...string) {
	c.t.Helper()
	c.Send(c.UpgradeResponse(fields...))
}

// UpgradeResponse is what AcceptUpgrade sends.
func (c *Conn) UpgradeResponse(fields ...string) string {
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + accept(c.Head.Get("Sec-WebSocket-Key")) + "\r\n" + lines(fields) + "\r\n"
}

func lines(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	return strings.Join(fields, "\r\n") + "\r\n"
}

// accept is RFC 6455 4.2.2 item 5.4.
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// AppendFrame appends a frame, masked if a client sends it.
func (c *Conn) AppendFrame(dst []byte, fin bool, op byte, p []byte) []byte {
	if fin {
		op |= 0x80
	}
	mask := byte(0x80)
	if c.server {
		mask = 0
	}
	switch n := len(p); {
	case n < 126:
		dst = append(dst, op, mask|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, op, mask|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, op, mask|127), uint64(n))
	}
	if c.server {
		return append(dst, p...)
	}
	var key [4]byte
	rand.Read(key[:])
	dst = append(append(dst, key[:]...), p...)
	xor(dst[len(dst)-len(p):], key)
	return dst
}

// xor masks or unmasks p.
func xor(p []byte, key [4]byte) {
	var wide [4096]byte
	for i := range wide {
		wide[i] = key[i&3]
	}
	for ; len(p) > 0; p = p[min(len(p), len(wide)):] {
		subtle.XORBytes(p, p, wide[:])
	}
}

// Frame sends a frame.
func (c *Conn) Frame(fin bool, op byte, p []byte) {
	c.t.Helper()
	if _, err := c.Write(c.AppendFrame(nil, fin, op, p)); err != nil {
		c.t.Fatal(err)
	}
}

// CloseFrame sends a close frame; code 0 sends an empty one.
func (c *Conn) CloseFrame(code int, reason string) {
	c.t.Helper()
	var p []byte
	if code != 0 {
		p = append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
	}
	c.Frame(true, CloseOp, p)
}

// Next reads a frame, and holds the peer to RFC 6455 5.1 and 5.2: clients mask,
// servers do not, and lengths are as short as they can be.
func (c *Conn) Next() Frame {
	c.t.Helper()
	f, err := c.next()
	if err != nil {
		c.t.Fatalf("reading a frame: %v", err)
	}
	if f.Masked != c.server {
		c.t.Fatalf("masked: %v", f.Masked)
	}
	return f
}

var errNotMinimal = errors.New("the length is not minimally encoded")

func (c *Conn) next() (f Frame, err error) {
	var b [8]byte
	if _, err := io.ReadFull(c.R, b[:2]); err != nil {
		return f, err
	}
	f.Fin, f.Op, f.Masked = b[0]&0x80 != 0, b[0]&0x7f, b[1]&0x80 != 0
	n := uint64(b[1] & 0x7f)
	least := uint64(0)
	switch {
	case n == 126:
		_, err = io.ReadFull(c.R, b[:2])
		n, least = uint64(binary.BigEndian.Uint16(b[:])), 126
	case n == 127:
		_, err = io.ReadFull(c.R, b[:])
		n, least = binary.BigEndian.Uint64(b[:]), 1<<16
	}
	if err == nil && n < least {
		return f, errNotMinimal
	}
	if err == nil && f.Masked {
		_, err = io.ReadFull(c.R, f.Key[:])
	}
	if err != nil {
		return f, err
	}
	f.Payload = make([]byte, n)
	_, err = io.ReadFull(c.R, f.Payload)
	if f.Masked {
		xor(f.Payload, f.Key)
	}
	return f, err
}

// Message reads frames until a message is whole, and holds the peer to RFC 6455
// 5.4 and 5.6: the pieces follow each other, and text is UTF-8.
func (c *Conn) Message() (op byte, p []byte) {
	c.t.Helper()
	f := c.Next()
	op, p = f.Op, f.Payload
	if op != Text && op != Binary {
		c.t.Fatalf("a message began with opcode %d, %q", op, p)
	}
	for !f.Fin {
		if f = c.Next(); f.Op != Continuation {
			c.t.Fatalf("a message went on with opcode %d", f.Op)
		}
		p = append(p, f.Payload...)
	}
	if op == Text && !utf8.Valid(p) {
		c.t.Fatal("a text message is not UTF-8")
	}
	return op, p
}

// ExpectMessage reads a message that must be this one.
func (c *Conn) ExpectMessage(op byte, want string) {
	c.t.Helper()
	gotOp, got := c.Message()
	if gotOp == op && string(got) == want {
		return
	}
	if len(got)+len(want) > 500 {
		c.t.Fatalf("got opcode %d with %d bytes, want %d with %d bytes, or others", gotOp, len(got), op, len(want))
	}
	c.t.Fatalf("got opcode %d %q, want %d %q", gotOp, got, op, want)
}

// ExpectClose reads a close frame; code 0 wants an empty one.
func (c *Conn) ExpectClose(code int, reason string) {
	c.t.Helper()
	f := c.Next()
	gotCode, gotReason := 0, ""
	if len(f.Payload) >= 2 {
		gotCode, gotReason = int(binary.BigEndian.Uint16(f.Payload)), string(f.Payload[2:])
	}
	if !f.Fin || f.Op != CloseOp || gotCode != code || gotReason != reason {
		c.t.Fatalf("got opcode %d with %d %q, want a close frame with %d %q", f.Op, gotCode, gotReason, code, reason)
	}
}

// ExpectFrame reads a frame that must be this one.
func (c *Conn) ExpectFrame(fin bool, op byte, want string) {
	c.t.Helper()
	if f := c.Next(); f.Fin != fin || f.Op != op || string(f.Payload) != want {
		c.t.Fatalf("got fin %v, opcode %d, %q; want %v, %d, %q", f.Fin, f.Op, f.Payload, fin, op, want)
	}
}

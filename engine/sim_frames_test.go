package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/penstock-go/penstock/codec/ws"
)

// message is one of a WebSocket, whole.
type message struct {
	op   ws.OpCode
	data string
}

// frames reads what an engine sent on a WebSocket, with a parser that knows
// nothing of the engine's.
type frames struct {
	masked   bool   // the engine is the client
	head     []byte // of the handshake
	off      int    // of what was looked at
	messages []message
	pongs    []string
	pings    int
	open     *message // has come in part
	packed   bool     // ... and is compressed
	deflate  *farEnd  // what was agreed on compression, nil for nothing
	code     int      // of the close frame, 1005 for none
	reason   string
	closed   bool
	bad      string // what is wrong with it
}

// scanFrames is a peer's scan.
func scanFrames(p *peer) {
	f := &p.frames
	if f.head == nil {
		end := bytes.Index(p.got, []byte("\r\n\r\n"))
		if end < 0 {
			return
		}
		f.head = p.got[:end+4]
		f.off = end + 4
		if !f.masked && !bytes.HasPrefix(f.head, []byte("HTTP/1.1 101 ")) {
			f.off = len(p.got)
			f.closed = true
		}
	}
	for f.bad == "" && f.next(p.got) {
	}
}

// next takes one frame.
func (f *frames) next(got []byte) bool {
	b := got[f.off:]
	if len(b) < 2 {
		return false
	}
	size, n := uint64(b[1]&0x7f), 2
	switch {
	case size == 126 && len(b) >= 4:
		size, n = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case size == 127 && len(b) >= 10:
		size, n = binary.BigEndian.Uint64(b[2:]), 10
	case size >= 126:
		return false
	}
	masked := b[1]&0x80 != 0
	var key [4]byte
	if masked {
		if len(b) < n+4 {
			return false
		}
		copy(key[:], b[n:])
		n += 4
	}
	if uint64(len(b)-n) < size {
		return false
	}
	data := bytes.Clone(b[n : n+int(size)])
	for i := range data {
		data[i] ^= key[i%4]
	}
	f.off += n + int(size)
	if f.bad = f.frame(b[0], masked, string(data)); f.bad != "" {
		f.bad = fmt.Sprintf("at %d: %s", f.off, f.bad)
	}
	return true
}

// frame looks at one.
func (f *frames) frame(first byte, masked bool, data string) (bad string) {
	fin, op := first&0x80 != 0, ws.OpCode(first&0xf)
	switch {
	case masked != f.masked:
		return "masked by the wrong side"
	case f.closed:
		return "a frame behind the close frame"
	case first&0x70 != 0 && (f.deflate == nil || first&0x70 != 0x40 || op.IsControl() || op == ws.OpContinuation):
		return "reserved bits"
	case op.IsControl() && (!fin || len(data) > 125):
		return "a malformed control frame"
	}
	switch op {
	case ws.OpPing:
		f.pings++
	case ws.OpPong:
		f.pongs = append(f.pongs, data)
	case ws.OpClose:
		f.close(data)
		return legal(data)
	default:
		f.packed = f.packed && op == ws.OpContinuation || first&0x40 != 0
		return f.data(op, fin, data)
	}
	return ""
}

func (f *frames) close(data string) {
	f.closed, f.code = true, 1005
	if len(data) >= 2 {
		f.code, f.reason = int(data[0])<<8|int(data[1]), data[2:]
	}
}

func (f *frames) data(op ws.OpCode, fin bool, data string) (bad string) {
	switch {
	case (op == ws.OpContinuation) == (f.open == nil):
		return "a fragment out of place"
	case op != ws.OpContinuation:
		f.open = &message{op: op}
	}
	f.open.data += data
	if fin && f.packed {
		f.open.data, bad = f.deflate.inflate(f.open.data)
	}
	if fin {
		f.messages = append(f.messages, *f.open)
		f.open = nil
	}
	return bad
}

// appendFrame is a frame as a well-behaved client or server sends it; raw bits
// can make it another.
func appendFrame(dst []byte, first byte, masked bool, key [4]byte, data string) []byte {
	dst = append(dst, first)
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	switch n := len(data); {
	case n < 126:
		dst = append(dst, mask|byte(n))
	case n < 1<<16:
		dst = append(dst, mask|126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, mask|127), uint64(n))
	}
	if !masked {
		return append(dst, data...)
	}
	dst = append(dst, key[:]...)
	for i := range len(data) {
		dst = append(dst, data[i]^key[i%4])
	}
	return dst
}

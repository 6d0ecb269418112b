package tlsbridge

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"runtime"
	"strings"
	"unsafe"
)

// A tls.Conn receives into a bytes.Buffer of its own, rawInput, decrypts there in
// place, and hands out from there, through the bytes.Reader input; handshake
// messages gather in the bytes.Buffer hand. None of them ever shrinks, and
// crypto/tls has no call that would let them go: on a server with many quiet
// connections they are half of all memory, and nearly all of it once each has
// received one long message. So this file reaches for them by name and type:
//
//	lend      rawInput becomes the records that were passed in, without a copy
//	takeBack  all three become their zero values, as soon as they are empty
//
// An empty buffer and a zero buffer are the same to crypto/tls. A later Go may have
// other fields, or do more with these, like handing their memory on to another
// connection; so it is left alone until somebody has read it and moved goRead on.
// Records then go the public way, through pipe.Read, and memory stays with the
// connection. A test says so.
var inside = findBuffers()

// goRead is the Go whose crypto/tls this file is made for.
const goRead = "go1.26"

// buffers are where the three lie in a tls.Conn.
type buffers struct {
	rawInput, input, hand uintptr
	known                 bool
}

func findBuffers() buffers {
	t := reflect.TypeFor[tls.Conn]()
	rawInput, ok1 := t.FieldByName("rawInput")
	input, ok2 := t.FieldByName("input")
	hand, ok3 := t.FieldByName("hand")
	buffer := reflect.TypeFor[bytes.Buffer]()
	known := ok1 && ok2 && ok3 && rawInput.Type == buffer && hand.Type == buffer && input.Type == reflect.TypeFor[bytes.Reader]()
	return buffers{rawInput.Offset, input.Offset, hand.Offset, known && strings.HasPrefix(runtime.Version(), goRead)}
}

func (c *Conn) rawInput() *bytes.Buffer {
	return (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c.tls), inside.rawInput))
}

func (c *Conn) input() *bytes.Reader {
	return (*bytes.Reader)(unsafe.Add(unsafe.Pointer(c.tls), inside.input))
}

func (c *Conn) hand() *bytes.Buffer {
	return (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c.tls), inside.hand))
}

// lend lets the tls.Conn read b, which ends where its capacity does: growing must
// not reach into what lies behind.
func (c *Conn) lend(b []byte) {
	if inside.known {
		*c.rawInput() = *bytes.NewBuffer(b)
		return
	}
	c.in = b
}

// unread is how much of what was lent is left, or of its plaintext: crypto/tls
// decrypts the record that follows a warning before anybody has asked for it.
func (c *Conn) unread() int {
	if inside.known {
		return c.rawInput().Len() + c.input().Len()
	}
	return len(c.in)
}

// takeBack leaves the tls.Conn without a slice of the caller's, and without
// memory that it does not need until the next record.
func (c *Conn) takeBack() {
	c.in = nil
	if !inside.known {
		return
	}
	*c.rawInput() = bytes.Buffer{}
	*c.input() = bytes.Reader{}
	if c.hand().Len() == 0 {
		*c.hand() = bytes.Buffer{}
	}
}

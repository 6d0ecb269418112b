package conformance

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/penstock-go/penstock/internal/wstest"
)

// The reserved bits as AppendFrame takes them, above the opcode.
const (
	rsv1 byte = 0x40
	rsv2 byte = 0x20
	rsv3 byte = 0x10
)

// peer is a connection with the program under test: its server, or a client.
type peer struct {
	*wstest.Conn
	t      *testing.T
	mode   mode
	client running // nil if the program is a server

	pack   *packer   // of what is sent, if compression was agreed on
	unpack *unpacker // of what comes

	op   byte // of the message that is coming in pieces
	zip  bool // it is compressed
	part []byte

	code int // of the peer's close frame, once that has come
}

// frame is one to be sent; op may have reserved bits.
type frame struct {
	fin  bool
	op   byte
	data string
}

// The frames that most cases are made of.
func text(s string) frame   { return frame{true, wstest.Text, s} }
func binmsg(s string) frame { return frame{true, wstest.Binary, s} }
func ping(s string) frame   { return frame{true, wstest.Ping, s} }
func pong(s string) frame   { return frame{true, wstest.Pong, s} }
func begin(s string) frame  { return frame{false, wstest.Text, s} }
func more(s string) frame   { return frame{false, wstest.Continuation, s} }
func last(s string) frame   { return frame{true, wstest.Continuation, s} }

// closeWith is a close frame; code 0 makes an empty one.
func closeWith(code int, reason string) frame {
	f := frame{true, wstest.CloseOp, ""}
	if code != 0 {
		f.data = string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
	}
	return f
}

// wire is frames as they are sent.
func (p *peer) wire(frames ...frame) (b []byte) {
	n := 0
	for _, f := range frames {
		n += 14 + len(f.data)
	}
	b = make([]byte, 0, n)
	for _, f := range frames {
		b = p.AppendFrame(b, f.fin, f.op, []byte(f.data))
	}
	return b
}

// send sends frames in one write.
func (p *peer) send(frames ...frame) { p.raw(p.wire(frames...)) }

// raw sends bytes, which the peer may refuse: what it says is what counts.
func (p *peer) raw(b []byte) { _, _ = p.Write(b) }

// How send cuts what it writes: into so many octets, or one of these.
const (
	whole   = 0
	byFrame = -1
)

// chopped sends frames in writes of that many octets.
func (p *peer) chopped(chop int, frames ...frame) {
	switch chop {
	case whole:
		p.send(frames...)
	case byFrame:
		for _, f := range frames {
			p.send(f)
		}
	default:
		for piece := range slices.Chunk(p.wire(frames...), chop) {
			p.raw(piece)
		}
	}
}

// meanwhile does on a goroutine of its own what a peer that echoes at once could
// block. The result waits for its end.
func meanwhile(do func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	return func() { <-done }
}

// event is a message or a control frame that came.
type event struct {
	op   byte
	data string
}

// String is short.
func (e event) String() string {
	name := map[byte]string{wstest.Text: "text", wstest.Binary: "binary", wstest.CloseOp: "close", wstest.Ping: "ping", wstest.Pong: "pong"}[e.op]
	if len(e.data) > 200 {
		return fmt.Sprintf("%s of %d bytes, %.20q...", name, len(e.data), e.data)
	}
	return fmt.Sprintf("%s %q", name, e.data)
}

// events are what a peer that echoes answers to frames of which none is continued.
func echo(frames ...frame) (out []event) {
	for _, f := range frames {
		switch f.op {
		case wstest.Ping:
			out = append(out, event{wstest.Pong, f.data})
		case wstest.Text, wstest.Binary:
			out = append(out, event{f.op, f.data})
		}
	}
	return out
}

// next reads an event, and holds the peer to RFC 6455 5.2, 5.4, 5.5 and 5.6.
func (p *peer) next() event {
	p.t.Helper()
	for {
		f := p.Next()
		op := f.Op & 0x0f
		if rsv := f.Op &^ 0x0f; rsv != 0 && (rsv != rsv1 || p.unpack == nil || op != wstest.Text && op != wstest.Binary) {
			p.t.Fatalf("a frame came with reserved bits %#x and opcode %d", rsv, op)
		}
		if op >= wstest.CloseOp {
			if !f.Fin || len(f.Payload) > 125 {
				p.t.Fatalf("a control frame came with FIN %v and %d bytes", f.Fin, len(f.Payload))
			}
			return event{op, string(f.Payload)}
		}
		if (op == wstest.Continuation) == (p.op == 0) {
			p.t.Fatalf("opcode %d came within a message of opcode %d", op, p.op)
		}
		if op != wstest.Continuation {
			p.op, p.zip = op, f.Op&rsv1 != 0
		}
		if p.part == nil {
			p.part = f.Payload
		} else {
			p.part = append(p.part, f.Payload...)
		}
		if f.Fin {
			return p.message()
		}
	}
}

// message is the one that is complete.
func (p *peer) message() event {
	p.t.Helper()
	data := p.part
	if p.zip {
		var err error
		if data, err = p.unpack.message(data); err != nil {
			p.t.Fatalf("inflating a message of %d bytes: %v", len(p.part), err)
		}
	}
	if p.op == wstest.Text && !utf8.Valid(data) {
		p.t.Fatal("a text message is not UTF-8")
	}
	e := event{p.op, string(data)}
	p.op, p.part = 0, nil
	return e
}

// want reads events, which must be these.
func (p *peer) want(events ...event) {
	p.t.Helper()
	for i, want := range events {
		if got := p.next(); got != want {
			p.t.Fatalf("event %d is %s; want %s", i+1, got, want)
		}
	}
}

// quiet wants nothing to have come by now.
func (p *peer) quiet() {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	b, err := p.R.Peek(1)
	if wait, ok := errors.AsType[net.Error](err); !ok || !wait.Timeout() {
		p.t.Fatalf("read %q, %v; want nothing yet", b, err)
	}
	p.patient()
}

// patient gives the rest of the case more time.
func (p *peer) patient() { _ = p.SetDeadline(time.Now().Add(20 * wstest.Patience)) }

// wantClose reads a close frame with one of codes, of which 0 is none.
func (p *peer) wantClose(codes ...int) {
	p.t.Helper()
	e, code := p.next(), 0
	if len(e.data) >= 2 {
		code = int(binary.BigEndian.Uint16([]byte(e.data)))
	}
	if e.op != wstest.CloseOp || len(e.data) == 1 || !slices.Contains(codes, code) {
		p.t.Fatalf("got %s; want a close frame with one of %d", e, codes)
	}
	p.code = code
	if len(e.data) > 2 && !utf8.ValidString(e.data[2:]) {
		p.t.Fatalf("the reason %q is not UTF-8", e.data[2:])
	}
}

// closes has both sides close, this one first.
func (p *peer) closes() {
	p.t.Helper()
	p.send(closeWith(1000, ""))
	p.closed(1000)
}

// closed is the rest of closes: the answer, with one of codes, and the end of TCP.
func (p *peer) closed(codes ...int) {
	p.t.Helper()
	p.wantClose(codes...)
	p.ended()
}

// failed wants the peer to fail the connection as RFC 6455 7.1.7 says, with that
// code, and answers it.
func (p *peer) failed(code int) {
	p.t.Helper()
	p.wantClose(code)
	p.send(closeWith(code, ""))
	p.ended()
}

// ended wants the end of TCP. RFC 6455 7.1.1: the server closes first. The client
// must then end well and know what happened.
func (p *peer) ended() {
	p.t.Helper()
	if p.client == nil {
		p.ExpectEOF()
		_ = p.Close()
		return
	}
	_ = p.Close()
	if err := p.client.wait(); err != nil {
		p.t.Errorf("the client: %v\n%s", err, p.client.printed())
	}
	if want := fmt.Sprintf("closed: %d ", cmp.Or(p.code, 1005)); !strings.Contains(p.client.printed(), want) {
		p.t.Errorf("the client printed %q; want %q", p.client.printed(), want)
	}
}

// script is a case of frames, the answers to them, and the end.
type script struct {
	send  []frame
	chop  int
	want  []event
	fails int // the code with which the peer fails the connection; 0 means that we close
}

func (s script) run(g *target, t *testing.T) {
	p := g.open(t)
	p.chopped(s.chop, s.send...)
	p.want(s.want...)
	if s.fails != 0 {
		p.failed(s.fails)
		return
	}
	p.closes()
}

// scripted makes cases of scripts: prefix.1, prefix.2 and so on.
func scripted(prefix string, scripts ...script) (out []tcase) {
	for i, s := range scripts {
		out = append(out, tcase{id: fmt.Sprintf("%s.%d", prefix, i+1), run: s.run})
	}
	return out
}

// numbered does the same for functions.
func numbered(prefix string, runs ...func(p *peer)) (out []tcase) {
	for i, run := range runs {
		out = append(out, tcase{id: fmt.Sprintf("%s.%d", prefix, i+1), run: opened(run)})
	}
	return out
}

// opened gives a case its connection.
func opened(run func(p *peer)) func(*target, *testing.T) {
	return func(g *target, t *testing.T) { run(g.open(t)) }
}

package ws

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// This file turns a stream of bytes into a transcript: what a user of a Reader
// would have noticed, in order, one line a message, control frame or error. The
// transcript of a stream must not depend on how the stream was cut.

// player is a caller of Receive as doc.go describes it.
type player struct {
	t   testing.TB
	r   Reader
	lim *Limits
	a   Assembler

	rest    []byte // not used yet: the beginning of a header
	open    bool   // a message was begun
	pending uint64 // Remaining of the last piece
	log     []string
	failed  error
}

// feed gives the player the next bytes of the stream.
func (p *player) feed(chunk []byte) {
	p.t.Helper()
	whole := append(p.rest, chunk...)
	b := whole
	for len(b) > 0 && p.failed == nil {
		var ev Event
		n, err := p.r.Receive(b, p.lim, &ev)
		p.checkCall(n, err, &ev, b)
		p.handle(&ev)
		if err != nil {
			p.fail(err)
		}
		b = b[n:]
		if n == 0 {
			break
		}
	}
	p.rest = bytes.Clone(b)
	// Whoever still looks at the bytes used now sees garbage.
	for i := range whole {
		whole[i] = 0xaa
	}
	if len(p.rest) >= MaxHeaderSize && p.failed == nil {
		p.t.Fatalf("%d bytes left over, want less than a header", len(p.rest))
	}
}

// checkCall holds what is true of every call.
func (p *player) checkCall(n int, err error, ev *Event, b []byte) {
	p.t.Helper()
	switch {
	case n < 0 || n > len(b):
		p.t.Fatalf("used %d bytes of %d", n, len(b))
	case err != nil && (n != 0 || ev.Kind != None):
		p.t.Fatalf("error %v with n %d, kind %v", err, n, ev.Kind)
	case n == 0 && ev.Kind != None:
		p.t.Fatalf("event %v out of no bytes", ev.Kind)
	case cap(ev.Payload) != len(ev.Payload) && ev.Kind != Close:
		p.t.Fatalf("payload can be appended to in place: len %d, cap %d", len(ev.Payload), cap(ev.Payload))
	}
}

// handle writes ev into the transcript.
func (p *player) handle(ev *Event) {
	p.t.Helper()
	switch ev.Kind {
	case Data:
		p.piece(ev)
	case Ping, Pong:
		p.logf("%v %q", ev.Kind, ev.Payload)
	case Close:
		p.logf("close %d %q", ev.Code, ev.Reason)
	}
}

// piece checks the marks of a piece of a message and assembles it.
func (p *player) piece(ev *Event) {
	p.t.Helper()
	if ev.First == p.open {
		p.t.Fatalf("First is %v, message open %v", ev.First, p.open)
	}
	if p.pending != 0 && ev.Remaining+uint64(len(ev.Payload)) != p.pending {
		p.t.Fatalf("%d remained, then %d came and %d remain", p.pending, len(ev.Payload), ev.Remaining)
	}
	if ev.Final && !ev.FrameFinal() {
		p.t.Fatal("message final before its frame")
	}
	p.open, p.pending = !ev.Final, ev.Remaining
	msg, done, err := p.a.Add(ev, 1<<40)
	if err != nil || done != ev.Final {
		p.t.Fatalf("Add: done %v, error %v; Final %v", done, err, ev.Final)
	}
	if done {
		p.logf("%s %q", messageName(ev), msg)
		p.a.Release()
	}
}

func messageName(ev *Event) string {
	name := map[OpCode]string{OpText: "text", OpBinary: "binary"}[ev.Op]
	if ev.Compressed {
		name += "+deflate"
	}
	return name
}

func (p *player) fail(err error) {
	p.t.Helper()
	var ce *CloseError
	if !errors.As(err, &ce) || !ValidCloseCode(ce.Code) || ce.Remote {
		p.t.Fatalf("%v does not carry a code to send", err)
	}
	p.failed = err
	p.logf("error %d %s", ce.Code, ce.Reason)
}

func (p *player) logf(format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf(format, args...))
}

// play returns the transcript of stream cut into pieces of the given lengths;
// what they do not cover comes in one last piece. stream is not changed.
func play(t testing.TB, r Reader, lim *Limits, stream []byte, lengths ...int) []string {
	t.Helper()
	p := &player{t: t, r: r, lim: lim}
	for _, n := range lengths {
		n = min(n, len(stream))
		p.feed(stream[:n])
		stream = stream[n:]
	}
	p.feed(stream)
	return p.log
}

// playAll compares the transcript of stream with want: whole, byte by byte, cut
// once at every offset (every few, if it is long) and in pieces of odd sizes.
func playAll(t *testing.T, r Reader, lim *Limits, stream []byte, want []string) {
	t.Helper()
	check := func(how string, lengths ...int) {
		t.Helper()
		if got := play(t, r, lim, stream, lengths...); !slices.Equal(got, want) {
			t.Fatalf("%s:\n got %.200q\nwant %.200q", how, got, want)
		}
	}
	check("whole")
	check("byte by byte", repeat(1, len(stream))...)
	for _, n := range []int{2, 3, 5, 7, 13} {
		check(fmt.Sprintf("by %d bytes", n), repeat(n, len(stream)/n)...)
	}
	for i := range stream {
		if len(stream) < 1024 || i < 32 || i > len(stream)-32 || i%1021 == 0 {
			check(fmt.Sprintf("cut at %d", i), i)
		}
	}
}

func repeat(n, times int) []int { return slices.Repeat([]int{n}, times) }

// The mask keys of the tests. testKey is that of the examples in RFC 6455
// section 5.7.
var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// masked is a frame from a client.
func masked(op OpCode, fin bool, payload string) []byte {
	return AppendMaskedFrame(nil, op, fin, testKey, []byte(payload))
}

// plain is a frame from a server.
func plain(op OpCode, fin bool, payload string) []byte {
	return AppendFrame(nil, op, fin, []byte(payload))
}

// raw is a client's frame of any two first bytes, which need not be legal.
func raw(b0, b1 byte, extended []byte, payload string) []byte {
	b := append([]byte{b0, b1 | bitMask}, extended...)
	b = append(b, testKey[:]...)
	start := len(b)
	b = append(b, payload...)
	MaskInPlace(b[start:], testKey, 0)
	return b
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

func lines(s ...string) []string { return s }

// failure is the line of a transcript for err.
func failure(err *CloseError) string { return fmt.Sprintf("error %d %s", err.Code, err.Reason) }

package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-go/penstock/internal/wstest"
)

// sizes are the sections 9 and 10: long messages, in many frames or writes, and
// many messages.
func sizes() []tcase {
	var out []tcase
	for i, op := range []byte{wstest.Text, wstest.Binary} {
		out = append(out, long(fmt.Sprintf("9.%d", 1+i), op)...)
		out = append(out, inFragments(fmt.Sprintf("9.%d", 3+i), op)...)
		out = append(out, inChops(fmt.Sprintf("9.%d", 5+i), op)...)
		out = append(out, roundTrips(fmt.Sprintf("9.%d", 7+i), op)...)
	}
	// 50 fragments of 1300 octets and one of the rest.
	return append(out, numbered("10.1", func(p *peer) { p.echoes(wstest.Text, filler(wstest.Text, 65536), 1300, whole) })...)
}

// filler is what a long message of that kind consists of.
func filler(op byte, n int) string {
	if op == wstest.Text {
		return strings.Repeat("*", n)
	}
	return strings.Repeat("\xfe", n)
}

// size makes a quick run's long messages shorter by TLS, and more so under the race
// detector.
func (p *peer) size(n int) int {
	switch {
	case full():
		return n
	case raced:
		return min(n, 1<<20)
	case p.mode.tls:
		return min(n, 4<<20)
	}
	return n
}

// long is one frame of 64 KiB up to 16 MiB.
func long(prefix string, op byte) []tcase {
	var runs []func(p *peer)
	for _, n := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20} {
		runs = append(runs, func(p *peer) { p.echoes(op, filler(op, p.size(n)), 0, whole) })
	}
	return numbered(prefix, runs...)
}

// inFragments is 4 MiB in fragments of 64 octets up to all of it.
func inFragments(prefix string, op byte) []tcase {
	var runs []func(p *peer)
	for fragment := 64; fragment <= 4<<20; fragment *= 4 {
		runs = append(runs, func(p *peer) { p.echoes(op, filler(op, p.size(4<<20)), fragment, whole) })
	}
	return numbered(prefix, runs...)
}

// inChops is a frame of 1 MiB in writes of 64 octets up to 2 KiB.
func inChops(prefix string, op byte) []tcase {
	var runs []func(p *peer)
	for chop := 64; chop <= 2048; chop *= 2 {
		runs = append(runs, func(p *peer) { p.echoes(op, filler(op, 1<<20), 0, chop) })
	}
	return numbered(prefix, runs...)
}

// roundTrips sends messages one behind the other's answer.
func roundTrips(prefix string, op byte) []tcase {
	var runs []func(p *peer)
	for _, n := range []int{0, 16, 64, 256, 1024, 4096} {
		runs = append(runs, func(p *peer) {
			p.patient()
			f := frame{true, op, filler(op, n)}
			for range messages(40, 1000) {
				p.send(f)
				p.want(echo(f)...)
			}
			p.closes()
		})
	}
	return numbered(prefix, runs...)
}

// echoes sends one message in fragments of so many octets, or in one if that is 0,
// and writes that are cut as chop says.
func (p *peer) echoes(op byte, data string, fragment, chop int) {
	p.t.Helper()
	p.patient()
	frames := []frame{{true, op, data}}
	if fragment > 0 {
		frames = fragments(op, data, fragment)
	}
	wait := meanwhile(func() { p.chopped(chop, frames...) })
	p.want(event{op, data})
	wait()
	p.closes()
}

// fragments cuts a message.
func fragments(op byte, data string, size int) (out []frame) {
	for part := range slices.Chunk([]byte(data), size) {
		out = append(out, frame{false, wstest.Continuation, string(part)})
	}
	if len(out) == 0 {
		out = []frame{{}}
	}
	out[0].op = op
	out[len(out)-1].fin = true
	return out
}

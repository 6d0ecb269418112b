package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// beyondCompression are the cases of section x about RFC 7692.
func beyondCompression() []tcase {
	return slices.Concat(compressedFrames(), compressedMessages(), corrupt(), offered(), refusedOffers(), answered(), refusedAnswers())
}

// agreedOn gives a case its connection, with compression as usual.
func agreedOn(id string, run func(p *peer)) tcase {
	return tcase{id: id, run: func(g *target, t *testing.T) {
		p := g.connect(t)
		p.compressed()
		run(p)
	}}
}

// zipped is a frame that begins a compressed message.
func zipped(fin bool, op byte, payload string) frame { return frame{fin, op | rsv1, payload} }

// The messages that RFC 7692 7.2.3 has as examples. All say Hello.
const (
	helloFixed  = "\xf2\x48\xcd\xc9\xc9\x07\x00"
	helloAgain  = "\xf2\x00\x11\x00\x00" // with the one before in the window
	helloStored = "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"
	helloFinal  = "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"
	helloTwo    = "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"
)

// compressedFrames is RFC 7692 6: RSV1 says that a message is compressed, on its
// first frame and nowhere else.
func compressedFrames() (out []tcase) {
	add := func(id string, run func(p *peer)) { out = append(out, agreedOn("x.rsv."+id, run)) }
	fails := func(id string, frames ...frame) {
		add(id, func(p *peer) { p.send(frames...); p.failed(1002) })
	}
	fails("continuation", zipped(false, wstest.Text, helloFixed[:3]), frame{true, wstest.Continuation | rsv1, helloFixed[3:]})
	fails("continuation of what is not compressed", begin("Hel"), frame{true, wstest.Continuation | rsv1, "lo"})
	fails("ping", frame{true, wstest.Ping | rsv1, "p"})
	fails("pong", frame{true, wstest.Pong | rsv1, "p"})
	fails("close", frame{true, wstest.CloseOp | rsv1, "\x03\xe8"})
	fails("ping within a compressed message", zipped(false, wstest.Text, helloFixed[:3]), frame{true, wstest.Ping | rsv1, "p"})
	fails("RSV2", frame{true, wstest.Text | rsv2, "x"})
	fails("RSV3", frame{true, wstest.Text | rsv3, "x"})
	fails("RSV1 and RSV2", frame{true, wstest.Text | rsv1 | rsv2, helloFixed})
	fails("reserved opcode", frame{true, 3 | rsv1, helloFixed})
	fails("continuation of nothing", frame{true, wstest.Continuation | rsv1, helloFixed})
	fails("message in a message", zipped(false, wstest.Text, helloFixed[:3]), zipped(true, wstest.Text, helloFixed))

	hello := event{wstest.Text, "Hello"}
	add("compressed and not in turns", func(p *peer) {
		for range 3 {
			p.send(zipped(true, wstest.Text, helloFixed), text("Hello"), begin("Hel"), last("lo"),
				zipped(false, wstest.Text, helloFixed[:3]), last(helloFixed[3:]))
			p.want(hello, hello, hello, hello)
		}
		p.closes()
	})
	add("ping between compressed fragments", func(p *peer) {
		frames, want := []frame{zipped(false, wstest.Text, "")}, []event(nil)
		for i := range len(helloFixed) {
			frames = append(frames, ping(helloFixed[:i]), more(helloFixed[i:i+1]))
			want = append(want, event{wstest.Pong, helloFixed[:i]})
		}
		p.send(append(frames, last(""))...)
		p.want(append(want, hello)...)
		p.closes()
	})
	add("octet by octet", func(p *peer) {
		p.chopped(1, zipped(false, wstest.Binary, helloTwo[:5]), ping("p"), last(helloTwo[5:]), zipped(true, wstest.Text, helloFixed))
		p.want(event{wstest.Pong, "p"}, event{wstest.Binary, "Hello"}, hello)
		p.closes()
	})
	add("close within a compressed message", func(p *peer) {
		p.send(zipped(false, wstest.Text, helloFixed[:3]), closeWith(1000, ""))
		p.closed(1000)
	})
	return out
}

// compressedMessages are blocks that RFC 1951 and RFC 7692 7.2 allow.
func compressedMessages() (out []tcase) {
	add := func(id, plain, payload string) {
		out = append(out, agreedOn("x.blocks."+id, func(p *peer) {
			p.patient()
			f := zipped(true, wstest.Binary, payload)
			wait := meanwhile(func() { p.send(f, text("next")) })
			p.want(event{wstest.Binary, plain}, event{wstest.Text, "next"})
			wait()
			p.closes()
		}))
	}
	for id, payload := range map[string]string{"fixed": helloFixed, "stored": helloStored, "final": helloFinal, "two": helloTwo} {
		add("Hello "+id, "Hello", payload)
	}
	add("nothing", "", "\x00")
	add("nothing, final", "", "\x03\x00\x00")
	add("nothing, by no octet", "", "") // no block, but what zlib takes for one

	var b blocks
	for range 5 {
		b.fixed(true)
		b.literals("ab")
		b.match(4, 2)
		b.end()
		b.align()
	}
	b.stored(true, "cd")
	b.fixed(true)
	b.match(3, 2) // reaches into the block before
	b.end()
	b.align()
	add("many final ones", strings.Repeat("ababab", 5)+"cdcdc", string(append(b.out, 0)))

	b = blocks{}
	for range 1000 {
		b.flush()
	}
	b.stored(false, "x")
	add("a thousand empty ones", "x", string(append(b.out, 0)))

	plain, payload := everyReference()
	add("every length and distance", plain, payload)

	zeros := strings.Repeat("\x00", 16<<20)
	add("16 MiB of zeros", zeros, zeroBomb(16<<20))
	return out
}

// everyReference uses every code for a length and a distance, at both ends.
func everyReference() (plain, payload string) {
	var b blocks
	all := []byte(testData()[4].data[:1<<15])
	b.stored(false, string(all))
	b.fixed(false)
	ref := func(n, d int) {
		b.match(n, d)
		for range n {
			all = append(all, all[len(all)-d])
		}
	}
	for n := 3; n <= 258; n++ {
		ref(n, 1+n*97%(1<<15))
	}
	for _, d := range distances {
		ref(3, d.base)
		ref(258, d.base+1<<d.extra-1)
	}
	b.end()
	b.flush()
	return string(all), strings.TrimSuffix(string(b.out), tail)
}

// zeroBomb is n zeros in as few octets as fixed codes can say them.
func zeroBomb(n int) string {
	var b blocks
	b.fixed(false)
	b.symbol(0)
	for n--; n >= 258; n -= 258 {
		b.match(258, 1)
	}
	for ; n > 0; n-- {
		b.symbol(0)
	}
	b.end()
	b.flush()
	return strings.TrimSuffix(string(b.out), tail)
}

// corrupt are compressed messages that are not what they should be.
func corrupt() (out []tcase) {
	fails := func(id string, code int, frames ...frame) {
		out = append(out, agreedOn("x.corrupt."+id, func(p *peer) { p.send(frames...); p.failed(code) }))
	}
	bin := func(payload string) frame { return zipped(true, wstest.Binary, payload) }
	fails("block of type 3", 1007, bin("\x06\x00"))
	fails("stored length", 1007, bin("\x00\x05\x00\x00\x00Hello\x00"))
	fails("code lengths", 1007, bin("\x04\xff\xff\xff\xff\xff\x00"))
	fails("ends within a block", 1007, bin(helloFixed[:4]))
	fails("distance before the beginning", 1007, bin(helloAgain))
	fails("reference to a message before", 1007, bin(helloFixed), bin(helloAgain))
	fails("fragments, behind a ping", 1007, zipped(false, wstest.Binary, "\x06"), more("\x00"), last("\x00"))

	squeeze := func(s string) string { return (&packer{}).message(s) }
	fails("text that is not UTF-8", 1007, zipped(true, wstest.Text, squeeze("Hello \xff")))
	fails("text that ends within a character", 1007, zipped(true, wstest.Text, squeeze(kosme[:10])))
	long := squeeze(strings.Repeat("all is well ", 10_000) + "\xed\xa0\x80")
	fails("long text that is not UTF-8", 1007, zipped(true, wstest.Text, long))
	fails("text in fragments that is not UTF-8", 1007, zipped(false, wstest.Text, long[:100]), more(""), last(long[100:]))

	out[5].run = resets
	return out
}

// resets is RFC 7692 7.1.1: who has agreed to no context takeover must not refer to
// what came before, and who has not may.
func resets(g *target, t *testing.T) {
	p := g.connect(t)
	p.compressed()
	p.send(zipped(true, wstest.Text, helloFixed), zipped(true, wstest.Text, helloAgain))
	p.want(event{wstest.Text, "Hello"})
	if p.pack.reset {
		p.failed(1007)
		return
	}
	p.want(event{wstest.Text, "Hello"})
	p.closes()
}

package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// beyond are the cases of section x that need no compression: what RFC 6455 demands
// and Autobahn does not ask for.
func beyond(m mode) []tcase {
	out := slices.Concat(closeBeyond(), frameBeyond(), badFrames(), ends(), unasked())
	if m.tls && !full() {
		return out // text is no other by TLS
	}
	return slices.Concat(out, octetwise(), octetsOfAFrame())
}

// breachOf is the answer to bytes that are no frame.
func breachOf(code int, wire func(p *peer) []byte) func(*target, *testing.T) {
	return opened(func(p *peer) {
		p.send(text(hello))
		p.raw(wire(p))
		p.want(echo(text(hello))...)
		p.failed(code)
	})
}

// header is the first octets of a frame to the peer, and a mask of zeros if there is
// to be one.
func header(p *peer, op byte, length string) []byte {
	h := []byte(string([]byte{op}) + length)
	if p.client == nil {
		h[1] |= 0x80
		h = append(h, 0, 0, 0, 0)
	}
	return h
}

// badFrames are headers that RFC 6455 5.1, 5.2 and 5.5 forbid. Each fails the
// connection before any payload, of which none is sent.
func badFrames() (out []tcase) {
	for _, test := range []struct {
		name, length string
		op           byte
		code         int
	}{
		{"length of 5 in 16 bits", "\x7e\x00\x05", 0x82, 1002},
		{"length of 125 in 16 bits", "\x7e\x00\x7d", 0x82, 1002},
		{"length of 65535 in 64 bits", "\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 0x82, 1002},
		{"length of 0 in 64 bits", "\x7f\x00\x00\x00\x00\x00\x00\x00\x00", 0x82, 1002},
		{"length with the highest bit", "\x7f\x80\x00\x00\x00\x00\x01\x00\x00", 0x82, 1002},
		{"length beyond the limit", "\x7f\x00\x00\x00\x00\x05\x00\x00\x00", 0x82, 1009},
		{"length beyond all limits", "\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 0x82, 1009},
		{"fragment beyond the limit", "\x7f\x00\x00\x00\x00\x05\x00\x00\x00", 0x02, 1009},
		{"ping of 16 bits' length", "\x7e\x00\x7e", 0x89, 1002},
		{"pong of 64 bits' length", "\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 0x8a, 1002},
		{"close of 16 bits' length", "\x7e\x00\x7e", 0x88, 1002},
		{"RSV1 unasked", "\x05", 0xc2, 1002},
		{"RSV1 on a ping", "\x05", 0xc9, 1002},
		{"RSV2", "\x05", 0xa2, 1002},
		{"RSV3", "\x05", 0x92, 1002},
	} {
		out = append(out, tcase{id: "x.header." + test.name, run: breachOf(test.code, func(p *peer) []byte {
			return header(p, test.op, test.length)
		})})
	}
	wrongMask := func(p *peer) []byte {
		if p.client != nil {
			return []byte("\x81\x85\x00\x00\x00\x00Hello")
		}
		return []byte("\x81\x05Hello")
	}
	out = append(out, tcase{id: "x.header.mask of the other side", run: breachOf(1002, wrongMask)})
	return append(out, tcase{id: "x.header.sum beyond the limit", run: breachOf(1009, func(p *peer) []byte {
		return append(p.wire(frame{false, wstest.Binary, "x"}), header(p, 0, "\x7f\x00\x00\x00\x00\x04\x00\x00\x00")...)
	})})
}

func frameBeyond() []tcase {
	var out []tcase
	add := func(id string, run func(p *peer)) {
		out = append(out, tcase{id: "x.frames." + id, run: opened(run)})
	}
	add("header octet by octet", func(p *peer) {
		f := frame{true, wstest.Binary, strings.Repeat("\x00\xff", 40_000)}
		wire := p.wire(f)
		p.raw(wire[:1])
		for _, b := range wire[1:20] {
			p.raw([]byte{b})
		}
		p.raw(wire[20:])
		p.want(echo(f)...)
		p.closes()
	})
	add("ping at every place of a message", func(p *peer) {
		frames, want := []frame{begin("")}, []event(nil)
		for i := range 50 {
			mark := ping(fmt.Sprint(i, strings.Repeat("p", i)))
			frames = append(frames, mark, more("part "))
			want = append(want, echo(mark)...)
		}
		p.send(append(frames, ping(""), last(""))...)
		p.want(append(want, event{wstest.Pong, ""}, event{wstest.Text, strings.Repeat("part ", 50)})...)
		p.closes()
	})
	add("thousands of empty fragments", func(p *peer) {
		p.send(slices.Concat([]frame{begin("a")}, slices.Repeat([]frame{more("")}, 5000), []frame{last("b")})...)
		p.want(event{wstest.Text, "ab"})
		p.closes()
	})
	add("binary is not looked at", func(p *peer) {
		f := []frame{{true, wstest.Binary, "\xff\xfe\xed\xa0\x80"}, {true, wstest.Binary, string(kosme[:1])}}
		p.send(f...)
		p.want(echo(f...)...)
		p.closes()
	})
	add("text begins anew with each message", func(p *peer) {
		p.send(begin(kosme[:3]), last(kosme[3:]), text(kosme), begin(""), last(kosme))
		p.want(slices.Repeat([]event{{wstest.Text, kosme}}, 3)...)
		p.send(begin(kosme[:3]), last(""))
		p.failed(1007)
	})
	add("kinds keep their order", func(p *peer) {
		var frames []frame
		for i := range 500 {
			frames = append(frames, text(fmt.Sprint(i)), binmsg(fmt.Sprint(i)), ping(fmt.Sprint(i)))
		}
		wait := meanwhile(func() { p.send(frames...) })
		p.want(echo(frames...)...)
		wait()
		p.closes()
	})
	add("message behind the handshake", func(p *peer) {
		p.send(text("early"))
		p.want(echo(text("early"))...)
		p.closes()
	})
	return append(out, tcase{id: "x.frames.every mask is new", run: masks}, tcase{id: "x.frames.in one segment with the handshake", run: early})
}

// masks is RFC 6455 5.3: a client's masks cannot be predicted, so none is there
// twice, or is all zeros.
func masks(g *target, t *testing.T) {
	p := g.open(t)
	seen := map[[4]byte]bool{{}: true}
	for range 200 {
		p.send(text(hello), ping(""))
		for range 2 {
			if f := p.Next(); f.Masked != (p.client != nil) || f.Masked && seen[f.Key] {
				t.Fatalf("masked: %v, by %x", f.Masked, f.Key)
			} else {
				seen[f.Key] = true
			}
		}
	}
	p.closes()
}

// early sends the first frames in one write with the handshake, as only a server
// may; a client does it at the risk of there being no WebSocket.
func early(g *target, t *testing.T) {
	p := g.connect(t)
	frames := []frame{text("early"), ping("too")}
	if p.client != nil {
		p.ReadUpgrade()
		p.raw(append([]byte(p.UpgradeResponse()), p.wire(frames...)...))
	} else {
		p.raw(append([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"), p.wire(frames...)...))
		if resp := p.Response("GET"); resp.StatusCode != 101 {
			t.Fatal(resp.Status)
		}
	}
	p.want(echo(frames...)...)
	p.closes()
}

// ends is about who closes TCP, RFC 6455 7.1.1.
func ends() []tcase {
	return []tcase{
		{id: "x.end.client waits for the server", run: func(g *target, t *testing.T) {
			p := g.open(t)
			p.send(closeWith(1000, ""))
			p.wantClose(1000)
			if p.client != nil {
				p.quiet()
			}
			p.ended()
		}},
		{id: "x.end.TCP ends without a close frame", run: func(g *target, t *testing.T) {
			p := g.open(t)
			p.send(text(hello))
			p.want(echo(text(hello))...)
			if err := p.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			p.code = 1006
			p.ended()
		}},
		{id: "x.end.TCP ends within a message", run: func(g *target, t *testing.T) {
			p := g.open(t)
			p.raw(p.wire(begin("half"), more("a message"))[:12])
			if err := p.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			p.code = 1006
			p.ended()
		}},
	}
}

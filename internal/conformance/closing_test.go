package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-go/penstock/internal/wstest"
)

// closing is section 7: the close handshake of RFC 6455 5.5.1 and 7, and the codes
// of 7.4.
func closing() []tcase {
	return slices.Concat(
		numbered("7.1", closeOrder()...),
		numbered("7.3", closeLengths()...),
		numbered("7.5", badClose(1007, closeWith(1000, kosme+"\xed\xa0\x80edited"))),
		numbered("7.7", closeCodes(true, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)...),
		numbered("7.9", closeCodes(false, 0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)...),
		numbered("7.13", closeCodes(false, 5000, 65535)...))
}

// closeOrder is about what surrounds a close frame: what came before it is
// answered, what comes behind it is not.
func closeOrder() []func(p *peer) {
	behind := func(before []frame, want []event, after ...frame) func(p *peer) {
		return func(p *peer) {
			p.send(slices.Concat(before, []frame{closeWith(1000, "")}, after)...)
			p.want(want...)
			p.closed(1000)
		}
	}
	long := text(strings.Repeat("BAsd7&jh23", 256<<10/10))
	hello := text("Hello World!")
	return []func(p *peer){
		func(p *peer) {
			p.send(hello)
			p.want(echo(hello)...)
			p.closes()
		},
		behind(nil, nil, closeWith(1000, "")),
		behind(nil, nil, ping("")),
		behind(nil, nil, text("too late")),
		behind([]frame{begin("fragment1")}, nil, last("fragment2")),
		func(p *peer) {
			wait := meanwhile(func() { p.send(long, hello, closeWith(1000, ""), ping("")) })
			p.want(echo(long, hello)...)
			wait()
			p.closed(1000)
		},
	}
}

// closeLengths is about the payload: none, or a code and up to 123 octets of text.
func closeLengths() []func(p *peer) {
	good := func(f frame, codes ...int) func(p *peer) {
		return func(p *peer) { p.send(f); p.closed(codes...) }
	}
	return []func(p *peer){
		good(closeWith(0, ""), 0, 1000),
		badClose(1002, frame{true, wstest.CloseOp, "a"}),
		good(closeWith(1000, ""), 1000),
		good(closeWith(1000, "Hello World!"), 1000),
		good(closeWith(1000, strings.Repeat("*", 123)), 1000),
		badClose(1002, closeWith(1000, strings.Repeat("*", 124))),
	}
}

// badClose is a close frame that is a breach itself.
func badClose(code int, f frame) func(p *peer) {
	return func(p *peer) {
		p.send(f)
		p.closed(code)
	}
}

// closeCodes sends codes that are allowed on the wire and come back, or are not.
func closeCodes(allowed bool, codes ...int) (out []func(p *peer)) {
	for _, code := range codes {
		want := 1002
		if allowed {
			want = code
		}
		out = append(out, func(p *peer) {
			p.send(frame{true, wstest.CloseOp, string([]byte{byte(code >> 8), byte(code)})})
			p.closed(want)
		})
	}
	return out
}

// closeBeyond are cases of section x.
func closeBeyond() []tcase {
	var out []tcase
	add := func(id string, run func(p *peer)) {
		out = append(out, tcase{id: "x.close." + id, run: opened(run)})
	}
	add("the codes that were registered later", func(p *peer) {
		p.send(closeWith(1013, "try again"))
		p.closed(1013)
	})
	add("reason of two octets a character", func(p *peer) {
		p.send(closeWith(4000, strings.Repeat("\u00e9", 61)))
		p.closed(4000)
	})
	add("reason cut within a character", badClose(1007, closeWith(1000, kosme[:10])))
	add("fragmented", badClose(1002, frame{false, wstest.CloseOp, "\x03\xe8"}))
	add("octet by octet", func(p *peer) {
		p.chopped(1, text(hello), closeWith(1000, "bye"))
		p.want(echo(text(hello))...)
		p.closed(1000)
	})
	add("within a fragmented message", func(p *peer) {
		p.send(begin("never "), more("to be "), ping("p"), closeWith(1001, ""))
		p.want(event{wstest.Pong, "p"})
		p.closed(1001)
	})
	add("breach behind the close frame", func(p *peer) {
		p.raw(append(p.wire(closeWith(1000, "")), "\xff\xff\xff\xff no frame"...))
		p.closed(1000)
	})
	add("nothing is said behind a breach", func(p *peer) {
		p.send(last("x"), text(hello), ping("p"), closeWith(1000, ""))
		p.closed(1002)
	})
	for code := 1012; code <= 1015; code++ {
		want := code
		if code == 1015 {
			want = 1002 // RFC 6455 7.4.1: not on the wire
		}
		add(fmt.Sprint(code), func(p *peer) {
			p.send(closeWith(code, ""))
			p.closed(want)
		})
	}
	return out
}

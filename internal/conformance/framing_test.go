package conformance

import (
	"slices"
	"strings"

	"github.com/penstock-go/penstock/internal/wstest"
)

// framing are the sections 1 to 4: lengths, control frames, and what is reserved.
func framing() []tcase {
	return slices.Concat(
		scripted("1.1", messageOf(wstest.Text, "*")...),
		scripted("1.2", messageOf(wstest.Binary, "\xfe")...),
		pings(), reservedBits(), opcodes())
}

// messageOf sends a message of each length that the header writes in another way,
// and one in pieces that end anywhere.
func messageOf(op byte, octet string) (out []script) {
	for _, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		f := frame{true, op, strings.Repeat(octet, n)}
		out = append(out, script{send: []frame{f}, want: echo(f)})
	}
	chopped := out[len(out)-1]
	chopped.chop = 997
	return append(out, chopped)
}

const hello = "Hello, world!"

// pings is section 2: each ping has its pong (RFC 6455 5.5.2), an unasked pong has
// nothing (5.5.3), and neither is longer than 125 octets (5.5).
func pings() []tcase {
	odd := "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	longest := ping(strings.Repeat("\xfe", 125))
	var ten []frame
	for i := range 10 {
		ten = append(ten, ping("payload-"+string(rune('0'+i))))
	}
	one := func(f frame) script { return script{send: []frame{f}, want: echo(f)} }
	return scripted("2",
		one(ping("")), one(ping(hello)), one(ping(odd)), one(longest),
		script{send: []frame{ping(strings.Repeat("\xfe", 126))}, fails: 1002},
		script{send: []frame{longest}, want: echo(longest), chop: 1},
		one(pong("")), one(pong("unsolicited pong payload")),
		script{send: []frame{pong("unsolicited pong payload"), ping("ping payload")}, want: echo(ping("ping payload"))},
		script{send: ten, want: echo(ten...)},
		script{send: ten, want: echo(ten...), chop: 1})
}

// refused is a frame that fails the connection, behind a message and before a
// ping, which is not answered any more.
func refused(f frame, chop int) script {
	return script{send: []frame{text(hello), f, ping("")}, want: echo(text(hello)), chop: chop, fails: 1002}
}

// reservedBits is section 3: RFC 6455 5.2, "MUST be 0 unless an extension is
// negotiated". Their number there is the value of the three bits.
func reservedBits() []tcase {
	out := scripted("3",
		script{send: []frame{{true, wstest.Text | rsv3, hello}}, fails: 1002},
		refused(frame{true, wstest.Text | rsv2, hello}, whole),
		refused(frame{true, wstest.Text | rsv2 | rsv3, hello}, byFrame),
		refused(frame{true, wstest.Text | rsv1, hello}, 1),
		script{send: []frame{{true, wstest.Binary | rsv1 | rsv3, strings.Repeat("\xff", 8)}}, fails: 1002},
		script{send: []frame{{true, wstest.Ping | rsv1 | rsv2, hello}}, fails: 1002},
		script{send: []frame{{true, wstest.CloseOp | rsv1 | rsv2 | rsv3, "\x03\xe8"}}, fails: 1002})
	out[3].never = true // compression gives RSV1 its meaning
	return out
}

// opcodes is section 4: RFC 6455 5.2, "If an unknown opcode is received, the
// receiving endpoint MUST _Fail the WebSocket Connection_".
func opcodes() []tcase {
	reserved := func(first byte) []script {
		return []script{
			{send: []frame{{true, first, ""}}, fails: 1002},
			{send: []frame{{true, first + 1, "reserved opcode payload"}}, fails: 1002},
			refused(frame{true, first + 2, ""}, whole),
			refused(frame{true, first + 3, "reserved opcode payload"}, whole),
			refused(frame{true, first + 4, "reserved opcode payload"}, 1),
		}
	}
	return slices.Concat(scripted("4.1", reserved(3)...), scripted("4.2", reserved(11)...))
}

package conformance

import (
	"slices"

	"github.com/penstock-go/penstock/internal/wstest"
)

// fragmentation is section 5, on RFC 6455 5.4.
func fragmentation() []tcase {
	var out []script

	// "Control frames themselves MUST NOT be fragmented."
	for _, op := range []byte{wstest.Ping, wstest.Pong} {
		out = append(out, script{send: []frame{{false, op, "fragment1"}, last("fragment2")}, fails: 1002})
	}

	joined := event{wstest.Text, "fragment1fragment2"}
	for _, chop := range []int{whole, byFrame, 1} {
		out = append(out, script{send: []frame{begin("fragment1"), last("fragment2")}, want: []event{joined}, chop: chop})
	}

	// "Control frames MAY be injected in the middle of a fragmented message."
	for _, chop := range []int{whole, byFrame, 1} {
		out = append(out, script{
			send: []frame{begin("fragment1"), ping("ping payload"), last("fragment2")},
			want: []event{{wstest.Pong, "ping payload"}, joined}, chop: chop,
		})
	}

	// Nothing is there to be continued.
	for _, f := range []frame{last("non-continuation payload"), more("non-continuation payload")} {
		for _, chop := range []int{whole, byFrame, 1} {
			out = append(out, script{send: []frame{f, text(hello)}, fails: 1002, chop: chop})
		}
	}
	out = append(out, script{
		send: []frame{begin("fragment1"), last("fragment2"), more("fragment3"), text("fragment4")},
		want: []event{joined}, fails: 1002,
	})
	for _, f := range []frame{more("fragment1"), last("fragment1")} {
		twice := slices.Repeat([]frame{f, begin("fragment2"), last("fragment3")}, 2)
		out = append(out, script{send: twice, fails: 1002})
	}

	// "The fragments of one message MUST NOT be interleaved between the fragments of
	// another message."
	out = append(out, script{send: []frame{begin("fragment1"), text("fragment2")}, fails: 1002})

	cases := scripted("5", out...)
	return append(cases,
		tcase{id: "5.19", run: opened(func(p *peer) { pingsBetween(p, whole) })},
		tcase{id: "5.20", run: opened(func(p *peer) { pingsBetween(p, byFrame) })})
}

// pingsBetween sends the second half of a message once the first half's ping is
// answered, which therefore must not wait for the message's end.
func pingsBetween(p *peer, chop int) {
	p.chopped(chop, begin("fragment1"), more("fragment2"), ping("pongme 1!"))
	p.want(event{wstest.Pong, "pongme 1!"})
	p.chopped(chop, more("fragment3"), more("fragment4"), ping("pongme 2!"), last("fragment5"))
	p.want(event{wstest.Pong, "pongme 2!"}, event{wstest.Text, "fragment1fragment2fragment3fragment4fragment5"})
	p.closes()
}

package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/penstock-go/penstock/internal/wstest"
)

// kosme is Greek of 11 octets, with characters of two and three.
const kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"

// utf8Handling is section 6: RFC 6455 8.1, text that is not UTF-8 fails the
// connection.
func utf8Handling() []tcase {
	middle := "middle frame payload"
	mixed := "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!"
	surrogate := kosme + "\xed\xa0\x80" + "edited"
	return slices.Concat(
		scripted("6.1",
			script{send: []frame{text("")}, want: echo(text(""))},
			script{send: []frame{begin(""), more(""), last("")}, want: echo(text(""))},
			script{send: []frame{begin(""), more(middle), last("")}, want: echo(text(middle))}),
		scripted("6.2",
			script{send: []frame{text(mixed)}, want: echo(text(mixed))},
			script{send: []frame{begin(mixed[:18]), last(mixed[18:])}, want: echo(text(mixed))},
			script{send: octets(mixed), want: echo(text(mixed))},
			script{send: octets(kosme), want: echo(text(kosme))}),
		scripted("6.3",
			script{send: []frame{text(surrogate)}, fails: 1007},
			script{send: octets(surrogate), fails: 1007}),
		numbered("6.4", failFast()...),
		sequences())
}

// octets is a text message in a frame for each octet.
func octets(s string) (out []frame) {
	for i := range len(s) {
		out = append(out, more(s[i:i+1]))
	}
	out[0].op = wstest.Text
	out[len(out)-1].fin = true
	return out
}

// failFast sends text up to the octet that makes it bad, and then waits: the
// connection must fail by that octet, not by the end of the frame or message, and
// not earlier. The number is above U+10FFFF, which its second octet decides.
func failFast() []func(p *peer) {
	const bad = "\xf4\x90\x80\x80"
	inFrames := func(good, bad string) func(p *peer) {
		return func(p *peer) {
			p.send(begin(good), ping("good so far"))
			p.want(event{wstest.Pong, "good so far"})
			p.send(more(bad))
			p.failed(1007)
		}
	}
	inOneFrame := func(good, bad string) func(p *peer) {
		return func(p *peer) {
			wire := p.wire(text(good + bad + "edited"))
			p.raw(wire[:len(wire)-len(bad)-len("edited")])
			if !p.mode.pieces {
				p.quiet()
			}
			p.raw(wire[len(wire)-len(bad)-len("edited") : len(wire)-len("edited")])
			p.failed(1007)
		}
	}
	return []func(p *peer){
		inFrames(kosme, bad), inFrames(kosme+bad[:1], bad[1:]),
		inOneFrame(kosme, bad), inOneFrame(kosme+bad[:1], bad[1:2]),
	}
}

// sequences sends each text in a frame of its own.
func sequences() (out []tcase) {
	for i, group := range utf8Groups() {
		var scripts []script
		for _, s := range group {
			one := script{send: []frame{text(s)}, want: echo(text(s))}
			if !utf8.ValidString(s) {
				one.want, one.fails = nil, 1007
			}
			scripts = append(scripts, one)
		}
		out = append(out, scripted(fmt.Sprintf("6.%d", i+5), scripts...)...)
	}
	return out
}

// utf8Groups are the sequences of Markus Kuhn's stress test for decoders, and some
// more, section by section.
func utf8Groups() [][]string {
	var groups [][]string
	for _, g := range utf8Sequences() {
		groups = append(groups, g.texts())
	}
	return groups
}

// TestSequencesAreWhatTheyClaim compares the tables with the standard library, which
// tells good from bad for the cases.
func TestSequencesAreWhatTheyClaim(t *testing.T) {
	for _, g := range utf8Sequences() {
		for _, s := range g.good {
			if !utf8.ValidString(s) {
				t.Errorf("%s: %q is bad", g.name, s)
			}
		}
		for _, s := range g.bad {
			if utf8.ValidString(s) {
				t.Errorf("%s: %q is good", g.name, s)
			}
		}
	}
}

// firstBad returns the length of the shortest beginning of s that no continuation
// makes UTF-8, or len(s)+1 if there is none.
func firstBad(s string) int {
	for rest := s; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		if r != utf8.RuneError || n > 1 {
			rest = rest[n:]
			continue
		}
		for n = 1; n <= len(rest); n++ {
			if utf8.FullRuneInString(rest[:n]) {
				return len(s) - len(rest) + n
			}
		}
		break // it only ends too early
	}
	return len(s) + 1
}

func TestFirstBad(t *testing.T) {
	for s, want := range map[string]int{
		"": 1, "abc": 4, "\x80": 1, "a\xff": 2, "\xed\xa0\x80": 2, "\xf4\x90\x80\x80": 2, "\xf0\x80": 2, "\xe2\x82": 3,
		"\xe2\x82x": 3, kosme: 12, kosme + "\xf4\x8f\xbf\xbf": 16, kosme + "\xf4\x8f\xbfz": 15,
	} {
		if got := firstBad(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

// octetwise sends each text of section 6 as frames of one octet, each with a ping
// behind it, so that every octet has its answer: a pong as long as the text can
// still be good, and then the end.
func octetwise() (out []tcase) {
	for i, group := range utf8Groups() {
		for j, s := range group {
			out = append(out, tcase{
				id:  fmt.Sprintf("x.octets.6.%d.%d", i+5, j+1),
				run: opened(func(p *peer) { octetByOctet(p, s) }),
			})
		}
	}
	return out
}

func octetByOctet(p *peer, s string) {
	bad := firstBad(s)
	frames := octets(s)
	frames[len(s)-1].fin = false
	for i, f := range frames {
		p.send(f, ping(s[:i]))
		if i+1 == bad {
			p.failed(1007)
			return
		}
		p.want(event{wstest.Pong, s[:i]})
	}
	p.send(last(""))
	if !utf8.ValidString(s) {
		p.failed(1007)
		return
	}
	p.want(event{wstest.Text, s})
	p.closes()
}

// octetsOfAFrame sends the texts that are bad before their end in one frame whose
// length promises more, cut behind the octet that decides.
func octetsOfAFrame() (out []tcase) {
	for i, group := range utf8Groups() {
		for j, s := range group {
			bad := firstBad(s)
			if bad > len(s) {
				continue
			}
			out = append(out, tcase{
				id: fmt.Sprintf("x.frame.6.%d.%d", i+5, j+1),
				run: opened(func(p *peer) {
					wire := p.wire(text(s + strings.Repeat("x", 200)))
					for _, b := range wire[:len(wire)-200-len(s)+bad] {
						p.raw([]byte{b})
					}
					p.failed(1007)
				}),
			})
		}
	}
	return out
}

package conformance

import (
	"fmt"
	"testing"
)

// load is how much a case of the sections 12 and 13 sends: messages of so many
// octets, in fragments of so many, or whole if that is 0.
type load struct{ size, fragment int }

var loads = []load{
	{16, 0}, {64, 0}, {256, 0}, {1024, 0}, {4096, 0}, {8192, 0}, {16384, 0}, {32768, 0}, {65536, 0}, {131072, 0},
	{8192, 256}, {16384, 256}, {32768, 256}, {65536, 256}, {131072, 256}, {131072, 1024}, {131072, 4096}, {131072, 32768},
}

// count is how many messages are sent.
func (l load) count() int { return messages(min(10, max(2, 128<<10/l.size)), 1000) }

// compression are the sections 12, each kind of data with the usual offer, and 13,
// each set of parameters.
func compression() (out []tcase) {
	for i, data := range testData() {
		for j, l := range loads {
			out = append(out, tcase{id: fmt.Sprintf("12.%d.%d", i+1, j+1), run: func(g *target, t *testing.T) {
				p := g.connect(t)
				p.compressed()
				p.transfers(data, l)
			}})
		}
	}
	for i, set := range parameterSets {
		for j, l := range loads {
			out = append(out, tcase{id: fmt.Sprintf("13.%d.%d", i+1, j+1), run: func(g *target, t *testing.T) {
				p := g.connect(t)
				if p.client != nil {
					p.answers(set.wishes...)
				} else {
					p.offers(set.offers...)
				}
				p.transfers(testData()[0], l)
			}})
		}
	}
	return out
}

// parameterSets are what the suite's client asks a server for, and its server a
// client: each is about the other's sending.
var parameterSets = []struct {
	offers []string
	wishes []param
}{
	{[]string{usual}, nil},
	{[]string{usual + "; " + serverNoTakeover}, []param{{clientNoTakeover, ""}}},
	{[]string{usual + "; " + serverWindow + "=8"}, []param{{clientWindow, "8"}}},
	{[]string{usual + "; " + serverWindow + "=15"}, []param{{clientWindow, "15"}}},
	{[]string{usual + "; " + serverNoTakeover + "; " + serverWindow + "=8"}, []param{{clientNoTakeover, ""}, {clientWindow, "8"}}},
	{[]string{usual + "; " + serverNoTakeover + "; " + serverWindow + "=15"}, []param{{clientNoTakeover, ""}, {clientWindow, "15"}}},
	{
		[]string{usual + "; " + serverNoTakeover + "; " + serverWindow + "=8", usual + "; " + serverNoTakeover, usual},
		[]param{{clientNoTakeover, ""}, {clientWindow, "8"}},
	},
}

// transfers sends compressed messages one behind the other's answer.
func (p *peer) transfers(d dataSet, l load) {
	p.t.Helper()
	p.patient()
	at, worth := 0, false
	for range l.count() {
		data := d.data[at:min(at+l.size, len(d.data))]
		data += d.data[:l.size-len(data)]
		at = (at + l.size) % len(d.data)
		frames := p.squeezed(d.op, data, l.fragment)
		worth = worth || len(p.wire(frames...)) < len(data)/2
		p.send(frames...)
		p.want(event{d.op, data})
	}
	if worth && l.size >= 1024 && p.unpack.packed == 0 {
		p.t.Error("none of the answers was compressed")
	}
	p.closes()
}

// squeezed is a compressed message: RSV1 is on its first frame only.
func (p *peer) squeezed(op byte, data string, fragment int) []frame {
	packed := p.pack.message(data)
	if fragment == 0 {
		return []frame{{true, op | rsv1, packed}}
	}
	frames := fragments(op, packed, fragment)
	frames[0].op |= rsv1
	return frames
}

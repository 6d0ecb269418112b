package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSimRaw(t *testing.T) {
	runSeeds(t, scenario{name: "raw", play: func(w *world) {
		for i := range 1 + w.rng.IntN(4) {
			w.addRawClient(fmt.Sprintf("client %d", i))
		}
	}}, simCount)
}

// addRawClient adds a client of the raw listener or of the one with a Codec.
func (w *world) addRawClient(name string) {
	if w.rng.IntN(2) == 0 {
		w.addByteClient(name)
	} else {
		w.addLineClient(name)
	}
}

// addByteClient adds a client whose bytes come back as they are.
func (w *world) addByteClient(name string) {
	sent := w.text(1 + 4*w.size())
	p := w.add(name, rest(time.Second), dial(func(w *world) int { return w.port["raw"] }), send([]byte(sent)),
		await("the echo", func(p *peer) bool { return len(p.got) >= len(sent) }), closeWrite(), ended())
	w.checks = append(w.checks, func() {
		if got := string(p.got); !strings.HasPrefix(sent, got) || len(got) < len(sent) && !w.cut {
			w.failf("%s: %d bytes of %d came back: %.80q", name, len(got), len(sent), got)
		}
	})
}

// addLineClient adds a client whose lines come back as lines. At its end it may
// break the protocol or order the program to close.
func (w *world) addLineClient(name string) {
	lines := 0
	var sent strings.Builder
	for range 1 + w.rng.IntN(10) {
		sent.WriteString(w.text(w.size()) + "\n")
		lines++
	}
	want := sent.String()
	ops := []op{rest(time.Second), dial(func(w *world) int { return w.port["line"] }), send([]byte(want)),
		await("the lines", func(p *peer) bool { return len(p.got) >= len(want) })}
	all := want
	switch w.rng.IntN(4) {
	case 0:
		ops = append(ops, closeWrite())
	case 1:
		ops = append(ops, send([]byte("?\nbehind it\n")))
		all += "no\n"
	default:
		ops = append(ops, send([]byte([...]string{"!bye\n", "!fail\n", "!panic\n", "!close 0\n"}[w.rng.IntN(4)])))
	}
	p := w.add(name, append(ops, ended())...)
	w.checks = append(w.checks, func() {
		if got := string(p.got); !strings.HasPrefix(all, got) || len(got) < len(all) && !w.cut {
			w.failf("%s: %d bytes of %d lines, %d bytes, came back: %.80q", name, len(got), lines, len(all), got)
		}
	})
}

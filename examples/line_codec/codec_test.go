package main

import (
	"bytes"
	"slices"
	"testing"
)

// lines decodes b, given in pieces of the sizes in chops, the way the engine gives
// it: what was not used comes again in front.
func lines(b, chops []byte, max int) (out []string, bad bool) {
	d := Lines{Max: max}.NewDecoder()
	var kept []byte
	for i := 0; len(b) > 0; i++ {
		n := len(b)
		if len(chops) > 0 {
			n = min(n, 1+int(chops[i%len(chops)]))
		}
		kept, b = append(kept, b[:n]...), b[n:]
		for {
			used, msg, ok, err := d.Next(kept)
			if err != nil {
				return out, true
			}
			if !ok {
				break
			}
			out = append(out, string(msg))
			kept = kept[used:]
		}
	}
	return out, false
}

// FuzzLines: the messages do not depend on where the bytes are cut, and what is
// encoded is decoded.
func FuzzLines(f *testing.F) {
	f.Add([]byte("one\r\ntwo\n\nthree"), []byte{0, 3})
	f.Add([]byte("a long line without an end"), []byte{1})
	f.Fuzz(func(t *testing.T, b, chops []byte) {
		whole, _ := lines(b, nil, 1<<20)
		cut, bad := lines(b, chops, 1<<20)
		if bad || !slices.Equal(whole, cut) {
			t.Fatalf("whole %q, cut %q", whole, cut)
		}
		var again []byte
		for _, msg := range whole {
			var err error
			if again, err = (Lines{}).Append(again, []byte(msg)); err != nil {
				t.Fatal(err)
			}
		}
		if msgs, _ := lines(again, chops, 1<<20); len(msgs) != len(whole) {
			t.Fatalf("%q became %q", whole, msgs)
		}
	})
}

func TestLinesAllocateNothing(t *testing.T) {
	d := Lines{Max: 100}.NewDecoder()
	in, out := []byte("hello\nwor"), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		used, msg, ok, err := d.Next(in)
		if used != 6 || !ok || err != nil || !bytes.Equal(msg, []byte("hello")) {
			t.Fatalf("%d %q %v %v", used, msg, ok, err)
		}
		out, _ = Lines{}.Append(out[:0], msg)
	}); n > 0 {
		t.Errorf("%v allocations a message", n)
	}
}

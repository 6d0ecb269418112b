//go:build invariants

package invariant

import (
	"bytes"
	"sync"
	"testing"
	"unicode/utf8"
)

func TestCheckPanicsWithItsMessage(t *testing.T) {
	Check(true, "holds")
	defer func() {
		if got := recover(); got != "invariant: broken" {
			t.Fatalf("recovered %v", got)
		}
	}()
	Check(false, "broken")
}

func TestPoisonIsNoText(t *testing.T) {
	b := []byte("hello, world")
	lent := b[2:9]
	Poison(lent)
	if !bytes.Equal(b[:2], []byte("he")) || !bytes.Equal(b[9:], []byte("rld")) {
		t.Fatalf("wrote outside the slice: %q", b)
	}
	if bytes.ContainsAny(lent, "lo, w") || utf8.Valid(lent) {
		t.Fatalf("still reads as text: %q", lent)
	}
	Poison(nil)
}

func TestLedgerTellsWhatIsAway(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				Count("test.buffer", 1)
				Count("test.home", 1)
				Count("test.home", -1)
			}
		})
	}
	wg.Wait()
	got := Counts()
	if got["test.buffer"] != 8000 {
		t.Errorf("test.buffer = %d, want 8000", got["test.buffer"])
	}
	if _, ok := got["test.home"]; ok {
		t.Errorf("a counter at zero is listed: %v", got)
	}
	got["test.buffer"] = 1 // the caller's copy
	Count("test.buffer", -8000)
	if n, ok := Counts()["test.buffer"]; ok {
		t.Errorf("test.buffer = %d after all came home", n)
	}
}

package bufpool

import (
	"testing"

	"github.com/penstock-go/penstock/internal/invariant"
)

func TestALentBufferIsEmpty(t *testing.T) {
	for range 100 {
		b := Get()
		if len(b.B) != 0 {
			t.Fatalf("holds %d bytes", len(b.B))
		}
		b.B = append(b.B, "left behind"...)
		Put(b)
	}
}

func TestTheLedgerCountsWhatIsOut(t *testing.T) {
	before := invariant.Counts()[Ledger]
	a, b := Get(), Get()
	Put(a)
	out := invariant.Counts()[Ledger] - before
	Put(b)
	if !invariant.Enabled {
		return // nothing is counted
	}
	if out != 1 || invariant.Counts()[Ledger] != before {
		t.Errorf("%d out of 2 with one given back; %d at the end", out, invariant.Counts()[Ledger]-before)
	}
}

func TestAGivenBackBufferIsPoisoned(t *testing.T) {
	for _, size := range []int{10, keepMost + 1} {
		b := Get()
		b.B = append(b.B, make([]byte, size)...)
		kept := b.B // as a borrower does who must not
		Put(b)
		if poisoned := kept[0] != 0 && kept[size-1] != 0; poisoned != invariant.Enabled {
			t.Errorf("%d bytes: poisoned is %v", size, poisoned)
		}
	}
}

func TestAHugeBufferDoesNotComeBack(t *testing.T) {
	huge := Get()
	huge.B = make([]byte, keepMost+1)
	Put(huge)
	for range 100 {
		b := Get()
		if cap(b.B) > keepMost {
			t.Fatalf("a buffer of %d bytes was lent", cap(b.B))
		}
		defer Put(b)
	}
}

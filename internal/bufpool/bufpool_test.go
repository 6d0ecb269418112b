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

// TestConsume takes buffers apart: what is left is always the rest, and all that is
// moved for it is no more than what was used.
func TestConsume(t *testing.T) {
	for name, c := range map[string]struct{ size, step int }{
		"in one go":              {1000, 1000},
		"byte by byte":           {5000, 1},
		"a long one":             {512 << 10, 100},
		"nothing of it":          {10, 0},
		"a long one in two goes": {512 << 10, 512<<10 - 7},
	} {
		t.Run(name, func(t *testing.T) {
			b, front, at, moved := Get(), 0, 0, 0
			for i := range c.size {
				b.B = append(b.B, byte(i%251))
			}
			for at < c.size {
				n := min(c.step, c.size-at)
				before := front
				b, front = Consume(b, front, n)
				at += n
				if at == c.size {
					break
				}
				rest := b.B[front:]
				if len(rest) != c.size-at || rest[0] != byte(at%251) || rest[len(rest)-1] != byte((c.size-1)%251) {
					t.Fatalf("at %d: %d bytes, want %d", at, len(rest), c.size-at)
				}
				if front != before+n {
					moved += len(rest)
				}
				if len(rest) < 100 && cap(b.B) > shrinkAbove {
					t.Fatalf("%d bytes hold %d", len(rest), cap(b.B))
				}
				if n == 0 {
					Put(b)
					return
				}
			}
			if b != nil || front != 0 {
				t.Errorf("left %v at %d", b, front)
			}
			if moved > c.size {
				t.Errorf("%d bytes were moved for %d", moved, c.size)
			}
		})
	}
}

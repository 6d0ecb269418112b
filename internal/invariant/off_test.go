//go:build !invariants

package invariant

import "testing"

func TestWithoutTheTagNothingHappens(t *testing.T) {
	b := []byte("lent")
	cost := testing.AllocsPerRun(100, func() {
		Check(false, "ignored")
		Poison(b)
		Count("test.buffer", 1)
	})
	if string(b) != "lent" || Counts() != nil || Enabled || cost != 0 {
		t.Fatalf("b %q, counts %v, enabled %v, %v allocations", b, Counts(), Enabled, cost)
	}
}

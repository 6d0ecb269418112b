package engine

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

// A seed is worth nothing if it does not give the same run again.
func TestSimSeedsRepeat(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		for _, sc := range []scenario{chaos, deflateChaos, topicsScenario} {
			sc.over = over
			repeats(t, sc)
		}
	})
}

func repeats(t *testing.T, sc scenario) {
	for seed := uint64(1); seed <= uint64(max(simCount/10, *simSeeds)); seed++ {
		first, second := traceOf(t, sc, seed), traceOf(t, sc, seed)
		for i := range min(len(first), len(second)) {
			if first[i] != second[i] {
				t.Fatalf("%s, seed %d: step %d is\n%s\nand\n%s", sc.name, seed, i, first[i], second[i])
			}
		}
		if !slices.Equal(first, second) || len(first) == 0 {
			t.Fatalf("%s, seed %d: %d steps, then %d", sc.name, seed, len(first), len(second))
		}
	}
}

func traceOf(t *testing.T, sc scenario, seed uint64) (lines []string) {
	synctest.Test(t, func(*testing.T) {
		w := newWorld(sc, seed)
		w.trace = func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
		w.silent = true
		w.run(sc)
	})
	return lines
}

package versus

import (
	"testing"
	"time"

	"github.com/penstock-go/penstock/bench/internal/load"
)

func series(nanos ...time.Duration) *Series {
	s := new(Series)
	for _, n := range nanos {
		s.Rounds = append(s.Rounds, &load.Result{Messages: 10, CPU: 10 * n})
	}
	return s
}

// TestRatioIsByRound: a machine that is slow for a whole round does not count.
func TestRatioIsByRound(t *testing.T) {
	base, s := series(100, 100, 500), series(110, 130, 600)
	if got := s.Ratio(base); got != (Stat{Median: 1.2, Min: 1.1, Max: 1.3}) {
		t.Errorf("%+v", got)
	}
	if got := s.Nanos(); got != (Stat{Median: 130, Min: 110, Max: 600}) {
		t.Errorf("%+v", got)
	}
}

func TestMedianOfTwo(t *testing.T) {
	if got := series(100, 300).Nanos().Median; got != 200 {
		t.Errorf("the median is %v", got)
	}
}

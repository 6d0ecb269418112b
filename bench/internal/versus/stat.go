//go:build linux

package versus

import (
	"slices"

	"github.com/penstock-go/penstock/bench/internal/load"
)

// Stat is the middle and the ends of a row of figures.
type Stat struct {
	// Median is the middle one, or the mean of the two in the middle.
	Median float64
	// Min and Max are the ends.
	Min, Max float64
}

func stat(v []float64) Stat {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return Stat{}
	}
	return Stat{(v[(n-1)/2] + v[n/2]) / 2, v[0], v[n-1]}
}

// Of takes a figure of every round.
func (s *Series) Of(figure func(*load.Result) float64) Stat {
	return stat(s.figures(figure))
}

func (s *Series) figures(figure func(*load.Result) float64) []float64 {
	v := make([]float64, len(s.Rounds))
	for i, r := range s.Rounds {
		v[i] = figure(r)
	}
	return v
}

// Nanos is the server's processor time for a message, in nanoseconds.
func (s *Series) Nanos() Stat { return s.Of((*load.Result).NanosPerMessage) }

// Ratio compares s with base in that, round by round.
func (s *Series) Ratio(base *Series) Stat {
	v := s.figures((*load.Result).NanosPerMessage)
	for i, b := range base.figures((*load.Result).NanosPerMessage) {
		v[i] /= b
	}
	return stat(v)
}

package engine

import (
	"testing"

	"github.com/penstock-go/penstock/codec/http1/content"
)

// TestRangesThatAreTooFar: of what can only be read from its beginning, ranges cost what
// has to be read and forgotten for all of them.
func TestRangesThatAreTooFar(t *testing.T) {
	const mib = 1 << 20
	p := &representation{size: 100 * mib}
	var down, up []content.Range
	for i := range int64(64) {
		up = append(up, content.Range{Start: i * mib / 4, Length: 1})
		down = append(down, content.Range{Start: (64 - i) * mib / 4, Length: 1})
	}
	for name, c := range map[string]struct {
		list []content.Range
		want bool
	}{
		"one":         {[]content.Range{{Start: skipMost, Length: 1}}, true},
		"one too far": {[]content.Range{{Start: skipMost + 1, Length: 1}}, false},
		"in order":    {up, true},
		"backwards":   {down, false},
		"none":        {nil, true},
	} {
		if got := p.reaches(c.list); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	p.seeks = true
	if !p.reaches(down) {
		t.Error("what can be begun anywhere is within reach")
	}
}

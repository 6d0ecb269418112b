package bench

import (
	"testing"

	"github.com/penstock-go/penstock/bench/internal/load"
	"github.com/penstock-go/penstock/bench/internal/versus"
)

const (
	// deflateBudget is what an echoed message of compressed text may cost, as a
	// multiple of what it costs gws with its defaults, whose answers are not smaller.
	deflateBudget = 0.95

	// takeoverBudget is the same if messages refer to those before them.
	takeoverBudget = 0.9

	deflateConns = 200
	deflateSize  = 1 << 10
)

// TestDeflateEchoCost: nearly all that compressed messages cost is the library that
// both servers compress by, so what is won is what surrounds it, and the level.
func TestDeflateEchoCost(t *testing.T) {
	gws := []string{build(t, ".", "./cmd/rivals/gws"), "-addr", "{addr}", "-deflate"}
	penstock := []string{build(t, ".", "./cmd/rivals/penstock"), "-addr", "{addr}", "-deflate"}
	for _, c := range []struct {
		name     string
		budget   float64
		takeover bool
	}{
		{"no takeover", deflateBudget, false},
		{"takeover", takeoverBudget, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := load.Config{Mode: load.WSZ, Conns: deflateConns, Size: deflateSize, Takeover: c.takeover}
			with := func(args []string) []string {
				if c.takeover {
					return append(args[:len(args):len(args)], "-takeover")
				}
				return args
			}
			hold(t, c.budget, []versus.Entrant{
				{Name: "gws", Args: with(gws), Load: l},
				{Name: "penstock", Args: with(penstock), Load: l},
			})
		})
	}
}

package bench

import (
	"testing"

	"github.com/penstock-go/penstock/bench/internal/load"
	"github.com/penstock-go/penstock/bench/internal/versus"
)

const (
	// fanBudget is what it may cost to deliver a message that is for all, as a
	// multiple of what it costs gws with its Broadcaster. Most of that is write(2).
	fanBudget = 0.85

	// fanFloorBudget is the same as a multiple of what write(2) costs alone.
	fanFloorBudget = 1.25

	fanSize = 1 << 10
	fanMany = 5000
	fanFew  = 1000
)

// TestBroadcastCost: a topic's message is encoded, and compressed, once for all its
// subscribers, and each of them costs little more than its system call.
func TestBroadcastCost(t *testing.T) {
	if checked() {
		t.Skip("with checks in the build it measures nothing; TestAnswers looks at what is answered")
	}
	needDescriptors(t, fanMany+200)
	command := func(pkg string, args ...string) []string {
		return append([]string{build(t, ".", pkg), "-addr", "{addr}", "-fan"}, args...)
	}
	plain := load.Config{Mode: load.Fan, Conns: fanMany, Size: fanSize}
	deflated := load.Config{Mode: load.FanZ, Conns: fanFew, Size: fanSize}
	raw := load.Config{Mode: load.RawFan, Conns: fanFew, Size: load.AnswerSize(fanSize)}
	for _, c := range []struct {
		name     string
		budget   float64
		entrants []versus.Entrant
	}{
		{"plain", fanBudget, []versus.Entrant{
			{Name: "gws", Args: command("./cmd/rivals/gws"), Load: plain},
			{Name: "penstock", Args: command("./cmd/rivals/penstock"), Load: plain},
		}},
		{"compressed", fanBudget, []versus.Entrant{
			{Name: "gws", Args: command("./cmd/rivals/gws", "-deflate"), Load: deflated},
			{Name: "penstock", Args: command("./cmd/rivals/penstock", "-deflate"), Load: deflated},
		}},
		{"beside the floor", fanFloorBudget, []versus.Entrant{
			{Name: "floor", Args: command("./cmd/floor"), Load: raw},
			{Name: "penstock", Args: command("./cmd/rivals/penstock"), Load: load.Config{Mode: load.Fan, Conns: fanFew, Size: fanSize}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) { hold(t, c.budget, c.entrants) })
	}
}

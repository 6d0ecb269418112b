package bench

import (
	"testing"

	"github.com/penstock-go/penstock/bench/internal/idle"
	"github.com/penstock-go/penstock/bench/internal/load"
)

const (
	// idleBudget is what an idle WebSocket may cost in resident memory, in bytes.
	idleBudget = 448

	idleFew  = 100
	idleMany = 10_000

	// goroutinesApart is how much two counts of the runtime's own may differ.
	goroutinesApart = 2
)

// TestIdleCost: an idle connection costs no goroutine and little memory.
//
// Memory is measured from outside, as the difference in resident pages between few
// and many connections that have all echoed messages. What counts are the figures
// after a collection that gives free memory back: before one they have also
// garbage of the handshakes in them, as much as the collector's pacing likes.
func TestIdleCost(t *testing.T) {
	needDescriptors(t, idleMany+200)
	r, err := idle.Measure(idle.Plan{
		Args:    []string{build(t, ".", "./cmd/rivals/penstock"), "-addr", "{addr}"},
		Load:    load.Config{Mode: load.WS, Size: 64},
		Few:     idleFew,
		Many:    idleMany,
		Inspect: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Table(t.Output())
	if few, many := r.Few.Goroutines, r.Many.Goroutines; many-few > goroutinesApart {
		t.Errorf("%d goroutines with %d connections, %d with %d", few, idleFew, many, idleMany)
	}
	if per := r.PerConnFreed(); per > idleBudget && !checked() {
		t.Errorf("%.0f bytes of resident memory a connection, more than %d: (%d kB - %d kB) / (%d - %d)",
			per, idleBudget, r.ManyFreed.RSS>>10, r.FewFreed.RSS>>10, idleMany, idleFew)
	}
}

package bench

import (
	"testing"

	"github.com/penstock-go/penstock/bench/internal/idle"
	"github.com/penstock-go/penstock/bench/internal/load"
)

// idleDeflateMany is the connections of each measurement.
const idleDeflateMany = 5000

// TestIdleDeflateCost: what a session at rest costs that has exchanged compressed
// messages, by what was agreed. Without takeover it holds nothing of compression but
// the pointer to the agreement, and with it what the windows hold and 100 bytes more.
// It is measured as TestIdleCost does; a message fills the window. With so few
// connections the heap is the surer measure: pages hold also what the loop needs.
func TestIdleDeflateCost(t *testing.T) {
	if checked() {
		t.Skip("with checks in the build it measures nothing; TestAnswers looks at what is answered")
	}
	needDescriptors(t, idleDeflateMany+200)
	server := build(t, ".", "./cmd/rivals/penstock")
	for _, c := range []struct {
		name   string
		args   []string
		load   load.Config
		budget float64 // in bytes of heap a connection
	}{
		{"plain", nil, load.Config{Mode: load.WS, Size: 1 << 10}, 350},
		{"no takeover", []string{"-deflate"}, load.Config{Mode: load.WSZ, Size: 1 << 10}, 420},
		{"no takeover, pieces", []string{"-deflate", "-pieces", "2000"}, load.Config{Mode: load.WSZ, Size: 1 << 10}, 420},
		{"takeover sent", []string{"-deflate", "-takeover"}, load.Config{Mode: load.WSZ, Takeover: true, OneWay: true, Size: 4 << 10}, 2<<10 + 600},
		{"takeover, windows of 4 KiB", []string{"-deflate", "-takeover", "-window", "12"}, load.Config{Mode: load.WSZ, Takeover: true, Size: 4 << 10}, 6<<10 + 600},
		{"takeover", []string{"-deflate", "-takeover"}, load.Config{Mode: load.WSZ, Takeover: true, Size: 32 << 10}, 34<<10 + 600},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := idle.Measure(idle.Plan{
				Args:    append([]string{server, "-addr", "{addr}"}, c.args...),
				Load:    c.load,
				Few:     idleFew,
				Many:    idleDeflateMany,
				Inspect: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			r.Table(t.Output())
			heap := float64(r.ManyFreed.HeapBytes-r.FewFreed.HeapBytes) / float64(idleDeflateMany-idleFew)
			if per := r.PerConnFreed(); heap > c.budget || per > 1.1*c.budget+200 {
				t.Errorf("%.0f bytes of heap a connection, %.0f of resident memory, more than %.0f", heap, per, c.budget)
			}
		})
	}
}

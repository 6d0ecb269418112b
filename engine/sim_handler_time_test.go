package engine

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/simnet"
)

// playHandler is script.play of a peer before a handler.
func playHandler(t *testing.T, over transport, limits Limits, handler http.HandlerFunc, ops ...op) (p *peer) {
	t.Helper()
	simulate(t, scenario{name: t.Name(), over: over, config: func(w *world, nc *simnet.Config, cfg *Config) {
		nc.Faults, nc.Buffer, w.calm = simnet.Faults{}, 1<<20, true
		cfg.Limits = limits
		cfg.Vhosts[0].Mounts = []Mount{Handler("/", handler)}
	}, play: func(w *world) {
		p = w.add("peer", append([]op{dial(httpPort)}, ops...)...)
	}}, 1)
	return p
}

// TestEarlyAnswersLeaveTheRateAlone: a client that sends its body at the rate keeps its
// connection, though the handler has answered before the end of the body.
func TestEarlyAnswersLeaveTheRateAlone(t *testing.T) {
	limits := Limits{BodyTimeout: 5 * time.Second, BodyRate: 100}
	overBoth(t, func(t *testing.T, over transport) {
		ops := []op{sendNow("POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 3600\r\n\r\n")}
		ops = append(ops, drips(time.Second, times(36, strings.Repeat("x", 100))...)...)
		ops = append(ops, sendNow(getRequest), wait(time.Second), closeWrite(), ended())
		p := playHandler(t, over, limits, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 3000))
		}, ops...)
		if got := string(p.got); strings.Count(got, " 200 OK") != 2 {
			t.Errorf("over after %v, got %q", p.over, got)
		}
	})
}

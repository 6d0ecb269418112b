package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/simnet"
)

// pipelined is n requests for /0, /1 and so on.
func pipelined(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "GET /%d HTTP/1.1\r\nHost: sim\r\n\r\n", i)
	}
	return b.String()
}

// inOrder wants the answers to pipelined(n): each has its path for a body, and nothing
// is behind them.
func inOrder(t *testing.T, got string, n int) {
	t.Helper()
	answers := strings.Split(got, "HTTP/1.1 200 OK\r\n")[1:]
	if len(answers) != n {
		t.Fatalf("%d answers, want %d: %.300q", len(answers), n, got)
	}
	for i, a := range answers {
		if !strings.HasSuffix(a, fmt.Sprintf("\r\n\r\n/%d", i)) {
			t.Fatalf("answer %d is %q", i, a)
		}
	}
}

// TestPipelinedRequestsAreServedInTurns counts how many requests of one connection are
// served between two turns of the loop, in each of which other sockets are looked at.
func TestPipelinedRequestsAreServedInTurns(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		for _, c := range []struct{ limit, send, most int }{{10, 100, 10}, {0, 600, 256}, {-1, 200, 200}, {1, 20, 1}} {
			served, turn, most := 0, 0, 0
			w := &world{}
			var next func()
			next = func() {
				most, turn = max(most, served-turn), served
				if served < c.send {
					w.e.loops[0].r.Defer(next)
				}
			}
			p := new(peer)
			program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
				if why != callbacks.HTTP {
					return nil
				}
				if served == 0 {
					w.e.loops[0].r.Defer(next)
				}
				served++
				return s.Respond(200, "", in)
			}
			simulate(t, scenario{name: t.Name(), over: over, config: func(inner *world, nc *simnet.Config, cfg *Config) {
				w = inner
				nc.Faults, nc.Buffer = simnet.Faults{}, 1<<20
				cfg.Limits = Limits{Pipelined: c.limit}
				w.custom, w.calm = program, true
			}, play: func(w *world) {
				p = w.add("peer", dial(httpPort), sendNow(pipelined(c.send)), closeWrite(), ended())
			}}, 1)
			inOrder(t, string(p.got), c.send)
			if most > c.most || c.limit < 0 && most != c.send {
				t.Errorf("Pipelined %d: %d in one turn, want %d", c.limit, most, c.most)
			}
		}
	})
}

// TestHeldPipelines answers a read full of requests one after the other from where no
// callback of the transaction is, so that each begins with what was kept.
func TestHeldPipelines(t *testing.T) {
	const n = 2000
	answer := func(s callbacks.Session) error { return s.Respond(200, "", s.Request().Path()) }
	overBoth(t, func(t *testing.T, over transport) {
		for name, hold := range map[string]func(s callbacks.Session) error{
			"posted":    func(s callbacks.Session) error { return s.Handle().Post(answer) },
			"writeable": func(s callbacks.Session) error { s.RequestWriteable(); return nil },
			"timer":     func(s callbacks.Session) error { s.SetTimer(time.Millisecond); return nil },
		} {
			t.Run(name, func(t *testing.T) {
				p := script{program: func(s callbacks.Session, why callbacks.Reason, in []byte) error {
					switch why {
					case callbacks.HTTP:
						s.Hold()
						return hold(s)
					case callbacks.Timer, callbacks.HTTPWriteable:
						return answer(s)
					}
					return nil
				}, ops: []op{sendNow(pipelined(n)), closeWrite(), ended()}}.play(t, over)
				inOrder(t, string(p.got), n)
			})
		}
	})
}

// TestPipelineIsBounded: whoever sends requests and reads no answers is not read from,
// however many the kernel holds.
func TestPipelineIsBounded(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		served := 0
		p := script{limits: Limits{SendHigh: 10_000, StallTimeout: 2 * time.Second}, buffer: 4000,
			program: func(s callbacks.Session, why callbacks.Reason, in []byte) error {
				if why == callbacks.HTTP {
					served++
					return s.Respond(200, "", make([]byte, 1000))
				}
				return nil
			},
			ops: []op{goDeaf(), send([]byte(pipelined(5000))), ended(), hearAgain()},
		}.play(t, over)
		if served > 100 || !p.end.Broken() {
			t.Errorf("%d requests of a client that reads nothing were served; broken %v", served, p.end.Broken())
		}
	})
}

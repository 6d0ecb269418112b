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

// TestTimeOfABodyBehindAnEarlyAnswer: a client that waits for 100 and gets the beginning
// of the answer instead has its time for the body from when the handler reads; and a
// request has its time, whatever it waits for.
func TestTimeOfABodyBehindAnEarlyAnswer(t *testing.T) {
	const minute = time.Minute
	limits := Limits{BodyTimeout: 5 * time.Second, BodyRate: 100}
	whole := Limits{BodyTimeout: 5 * time.Second, BodyRate: 100, RequestTimeout: 3 * time.Second}
	early := func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }
	begun := func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }
	hint := func(w http.ResponseWriter) { w.WriteHeader(http.StatusContinue) }
	overBoth(t, func(t *testing.T, over transport) {
		for name, c := range map[string]struct {
			limits Limits
			first  func(http.ResponseWriter)
			pause  time.Duration // before the client sends its body
			ok     bool
			after  time.Duration
		}{
			"in time":                  {limits, early, minute + 4*time.Second, true, minute + 4*time.Second},
			"too late":                 {limits, early, 2 * minute, false, minute + 5*time.Second},
			"in time, behind its 100":  {limits, hint, minute + 4*time.Second, true, minute + 4*time.Second},
			"too late, behind its 100": {limits, hint, 2 * minute, false, minute + 5*time.Second},
			"in time, of an answer that is not sent yet":  {limits, begun, minute + 4*time.Second, true, minute + 4*time.Second},
			"too late, of an answer that is not sent yet": {limits, begun, 2 * minute, false, minute + 5*time.Second},
			"too late for a request":                      {whole, early, 2 * minute, false, 3 * time.Second},
		} {
			t.Run(name, func(t *testing.T) {
				var n int64
				var err error
				p := playHandler(t, over, c.limits, func(w http.ResponseWriter, r *http.Request) {
					<-time.After(minute)
					c.first(w)
					n, err = io.Copy(io.Discard, r.Body)
				}, sendNow(strings.TrimSuffix(countedPost, "\r\n")+"Expect: 100-continue\r\n\r\n"),
					wait(c.pause), sendNow(strings.Repeat("x", 300)), closeWrite(), ended())
				if (err == nil) != c.ok || c.ok && n != 300 {
					t.Errorf("the handler has read %d bytes, %v", n, err)
				}
				if p.over < c.after || p.over > c.after+time.Second {
					t.Errorf("over after %v instead of %v, got %q", p.over, c.after, p.got)
				}
			})
		}
	})
}

// TestRequestsDoNotWaitForEver: one that has waited for a worker for longer than
// QueueTimeout gets 503, and its connection goes on.
func TestRequestsDoNotWaitForEver(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		served := map[string]bool{}
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			served[r.URL.Path] = true
			if r.URL.Path == "/slow" {
				<-time.After(20 * time.Second)
			}
			_, _ = io.Copy(w, r.Body)
		})
		request := func(path string) string {
			return strings.Replace(countedPost, "POST / ", "POST "+path+" ", 1) + strings.Repeat("x", 300)
		}
		peers := map[string]*peer{}
		simulate(t, scenario{name: t.Name(), over: over, config: func(w *world, nc *simnet.Config, cfg *Config) {
			nc.Faults, nc.Buffer, w.calm = simnet.Faults{}, 1<<20, true
			cfg.Limits = Limits{Workers: 1, QueueTimeout: 15 * time.Second}
			cfg.Vhosts[0].Mounts = []Mount{Handler("/", handler)}
		}, play: func(w *world) {
			for path, at := range map[string]time.Duration{"/slow": 0, "/late": time.Second, "/in-time": 10 * time.Second} {
				peers[path] = w.add(path, dial(httpPort), wait(at), sendNow(request(path)), wait(30*time.Second),
					sendNow(getRequest), wait(time.Second), closeWrite(), ended())
			}
		}}, 1)
		for path, want := range map[string][]string{"/slow": {" 200 OK", " 200 OK"}, "/in-time": {" 200 OK", " 200 OK"},
			"/late": {" 503 Service Unavailable", "\r\nRetry-After: ", " 200 OK"}} {
			got := string(peers[path].got)
			for _, piece := range want {
				_, after, ok := strings.Cut(got, piece)
				if got = after; !ok {
					t.Errorf("%s: %q", path, peers[path].got)
				}
			}
		}
		if served["/late"] || !served["/in-time"] {
			t.Errorf("served: %v", served)
		}
	})
}

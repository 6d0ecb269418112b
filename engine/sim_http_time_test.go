package engine

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/simnet"
)

// drips sends each piece and waits for every after it.
func drips(every time.Duration, pieces ...string) (ops []op) {
	for _, p := range pieces {
		ops = append(ops, sendNow(p), wait(every))
	}
	return ops
}

func times(n int, piece string) []string {
	return strings.Split(strings.Repeat(piece+"|", n)[:n*(len(piece)+1)-1], "|")
}

const (
	countedPost = "POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 300\r\n\r\n"
	chunkedPost = "POST / HTTP/1.1\r\nHost: sim\r\nTransfer-Encoding: chunked\r\n\r\n"
)

// TestSlowRequests are answered with 408 and closed, whatever it is that comes slowly,
// and those at the very limit are served.
func TestSlowRequests(t *testing.T) {
	rate := Limits{HeaderTimeout: 30 * time.Second, BodyTimeout: 5 * time.Second, BodyRate: 10}
	whole := Limits{HeaderTimeout: 30 * time.Second, BodyTimeout: 5 * time.Second, BodyRate: -1, RequestTimeout: 12 * time.Second}
	overBoth(t, func(t *testing.T, over transport) {
		for name, c := range map[string]struct {
			limits Limits
			ops    []op
			status string
			after  time.Duration // from the connection to its end; 0 is whenever
		}{
			"a body byte by byte": {rate, append(drips(0, countedPost), drips(4*time.Second, times(9, "x")...)...), "408", 5200 * time.Millisecond},
			"a body in chunks of a byte": {rate, append(drips(0, chunkedPost), drips(2*time.Second, times(9, "1\r\nx\r\n")...)...),
				"408", 5300 * time.Millisecond},
			"the framing of a chunk": {rate, append(drips(0, chunkedPost+"1;a="), drips(time.Second, times(9, "b")...)...), "408", 5 * time.Second},
			"trailers":               {rate, append(drips(0, chunkedPost+"0\r\nX: "), drips(time.Second, times(9, "b")...)...), "408", 5 * time.Second},
			"a body at the rate":     {rate, append(drips(0, countedPost), drips(time.Second, times(30, "0123456789")...)...), "200", 0},
			"a body that was fast and stops": {rate, append(drips(0, countedPost+strings.Repeat("x", 299)), wait(10*time.Second)),
				"408", 5 * time.Second},
			"a whole request": {whole, append(drips(time.Second, "POST", " / HTTP/1.1\r\n", "Host: sim\r\nContent-Length: 300\r\n\r\n"),
				drips(time.Second, times(20, "x")...)...), "408", 12 * time.Second},
			"a whole request in time": {whole, append(drips(time.Second, "POST", " / HTTP/1.1\r\n", "Host: sim\r\nContent-Length: 9\r\n\r\n"),
				drips(980*time.Millisecond, times(9, "x")...)...), "200", 0},
			"a head longer than a request may be": {whole, drips(5*time.Second, "GET", " /", " HTTP", "/1.1"), "408", 12 * time.Second},
			"the second request": {whole, append(drips(10*time.Second, getRequest), drips(time.Second, append([]string{countedPost}, times(20, "x")...)...)...),
				"408", 22 * time.Second},
		} {
			t.Run(name, func(t *testing.T) {
				p := script{limits: c.limits, program: ending(new(end)), ops: append(c.ops, closeWrite(), ended())}.play(t, over)
				answers := strings.Split(string(p.got), "HTTP/1.1 ")
				if last := answers[len(answers)-1]; !strings.HasPrefix(last, c.status) || p.end.Broken() {
					t.Fatalf("answered with %q, broken %v", p.got, p.end.Broken())
				}
				if c.status == "408" && !strings.Contains(answers[len(answers)-1], "\r\nConnection: close\r\n") {
					t.Errorf("the answer does not say that it is the last: %q", p.got)
				}
				if c.after > 0 && !about(p.over, c.after) {
					t.Errorf("over after %v instead of %v", p.over, c.after)
				}
			})
		}
	})
}

// TestTimeInWhichNobodyReadsIsNotTheClients: a program that does not read for a while
// does not let its clients run out of time, in a head or in a body.
func TestTimeInWhichNobodyReadsIsNotTheClients(t *testing.T) {
	limits := Limits{HeaderTimeout: 5 * time.Second, BodyTimeout: 5 * time.Second, BodyRate: 10, RequestTimeout: 8 * time.Second, IdleTimeout: 5 * time.Second}
	overBoth(t, func(t *testing.T, over transport) {
		for name, c := range map[string]struct {
			pause callbacks.Reason // in which the program stops to read for a minute
			ops   []op
		}{
			"in a body":        {callbacks.HTTP, []op{sendNow(countedPost + "x"), wait(62 * time.Second), sendNow(strings.Repeat("x", 299))}},
			"between bodies":   {callbacks.HTTPBody, []op{sendNow(countedPost + "x"), wait(61 * time.Second), sendNow(strings.Repeat("x", 299))}},
			"behind an answer": {callbacks.HTTPBodyCompletion, []op{sendNow(countedPost + strings.Repeat("x", 300)), wait(62 * time.Second), sendNow(getRequest)}},
			"in front of all":  {callbacks.WSICreate, []op{wait(62 * time.Second), sendNow(countedPost + strings.Repeat("x", 300))}},
		} {
			t.Run(name, func(t *testing.T) {
				paused := false
				program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
					switch {
					case why == callbacks.Timer:
						s.ResumeReading()
					case why == c.pause && !paused:
						paused = true
						s.PauseReading()
						s.SetTimer(time.Minute)
					}
					return ending(new(end))(s, why, in)
				}
				p := script{limits: limits, program: program, ops: append(c.ops, wait(time.Second), closeWrite(), ended())}.play(t, over)
				if strings.Contains(string(p.got), " 408 ") || !strings.Contains(string(p.got), " 200 ") || p.end.Broken() {
					t.Errorf("over after %v, broken %v, got %q", p.over, p.end.Broken(), p.got)
				}
				if c.pause == callbacks.HTTPBodyCompletion && strings.Count(string(p.got), " 200 OK") != 2 {
					t.Errorf("idle while nobody read: %q", p.got)
				}
			})
		}
	})
}

// TestHeldRequestEndsWithItsClient: a reset ends a request that is held; its Timer and
// its Handle have nobody to answer any more.
func TestHeldRequestEndsWithItsClient(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		for name, request := range map[string]string{"alone": getRequest, "with half of the next behind it": getRequest + getRequest[:9],
			"with the next behind it": getRequest + getRequest} {
			t.Run(name, func(t *testing.T) { heldUntilReset(t, over, request) })
		}
	})
}

func heldUntilReset(t *testing.T, over transport, request string) {
	var e end
	var h callbacks.Handle
	late := "nothing"
	program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
		switch why {
		case callbacks.HTTP:
			h = s.Handle()
			s.Hold()
			s.SetTimer(time.Minute)
			return nil
		case callbacks.Timer:
			late = "a Timer"
		}
		return ending(&e)(s, why, in)
	}
	script{program: program, ops: []op{sendNow(request), wait(time.Second), reset(), wait(2 * time.Minute), do(func(*peer) {
		if err := h.Post(func(callbacks.Session) error { late = "a Post"; return nil }); err == nil {
			late = "no error"
		}
	}), wait(time.Second)}}.play(t, over)
	if e.why != callbacks.ClosedHTTP || e.err == nil || late != "nothing" {
		t.Errorf("the program heard %+v, and later %s", e, late)
	}
}

// TestTimeInWhichAHandlerThinksIsNotTheClients: who waits for 100, as HTTP lets it, has
// its time for the body from the 100 on.
func TestTimeInWhichAHandlerThinksIsNotTheClients(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(time.Minute)
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d bytes, %v", len(b), err)
	})
	overBoth(t, func(t *testing.T, over transport) {
		for name, c := range map[string]struct {
			pause time.Duration // behind the 100
			want  string
		}{"in time": {4 * time.Second, "300 bytes, <nil>"}, "too late": {6 * time.Second, ""}} {
			var p *peer
			simulate(t, scenario{name: t.Name(), over: over, config: func(w *world, nc *simnet.Config, cfg *Config) {
				nc.Faults, nc.Buffer, w.calm = simnet.Faults{}, 1<<20, true
				cfg.Limits = Limits{HeaderTimeout: 5 * time.Second, BodyTimeout: 5 * time.Second, BodyRate: 10}
				cfg.Vhosts[0].Mounts = []Mount{Handler("/", handler)}
			}, play: func(w *world) {
				p = w.add("peer", dial(httpPort), sendNow(strings.TrimSuffix(countedPost, "\r\n")+"Expect: 100-continue\r\n\r\n"),
					await("100", func(p *peer) bool { return strings.Contains(string(p.got), " 100 Continue") }),
					wait(c.pause), sendNow(strings.Repeat("x", 300)), ended())
			}}, 1)
			if got := string(p.got); !strings.HasSuffix(got, c.want) || (c.want == "") != !strings.Contains(got, " 200 OK") {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

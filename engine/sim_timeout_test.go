package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/tlsbridge"
)

// slack is the granularity of timers, and what a peer needs to act.
const slack = 20 * time.Millisecond

// about tells whether got is want, or a little later.
func about(got, want time.Duration) bool { return got >= want && got <= want+slack }

// end is how a session ended.
type end struct {
	why  callbacks.Reason
	code ws.StatusCode
	err  error
}

// ending is the usual echo, with a note of how the session ended.
func ending(e *end) callbacks.Callback {
	return func(s callbacks.Session, why callbacks.Reason, in []byte) error {
		switch why {
		case callbacks.Closed, callbacks.ClosedHTTP, callbacks.RawClose, callbacks.ClientClosed, callbacks.ClientConnectionError:
			e.why, e.err = why, s.Err()
			e.code, _ = s.CloseStatus()
		case callbacks.HTTPBodyCompletion:
			return s.Respond(200, "", nil)
		case callbacks.HTTP:
			if s.Request().Framing().Empty() {
				return s.Respond(200, "", nil)
			}
		}
		return nil
	}
}

const getRequest = "GET / HTTP/1.1\r\nHost: sim\r\n\r\n"

func TestTimeoutsOfHTTP(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		limits := Limits{HeaderTimeout: 3 * time.Second, BodyTimeout: 5 * time.Second, BodyRate: -1, IdleTimeout: 7 * time.Second}
		post := "POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 100\r\n\r\n"
		for _, c := range []struct {
			name   string
			ops    []op
			after  time.Duration // from the connection to its end
			answer string        // that the last answer begins with, "" for none
		}{
			{"nothing is sent", nil, 3 * time.Second, ""},
			{"half a head", []op{wait(time.Second), sendNow("GET / HT")}, 4 * time.Second, "HTTP/1.1 408 "},
			{"a head in drips", []op{sendNow("GET"), wait(2 * time.Second), sendNow(" /")}, 3 * time.Second, "HTTP/1.1 408 "},
			{"no body", []op{sendNow(post)}, 5 * time.Second, "HTTP/1.1 408 "},
			{"a body that stops", []op{sendNow(post), wait(4 * time.Second), sendNow("x"), wait(4 * time.Second), sendNow("x")},
				13 * time.Second, "HTTP/1.1 408 "},
			{"idle after a request", []op{wait(time.Second), sendNow(getRequest)}, 8 * time.Second, "HTTP/1.1 200 "},
			{"half a head after a request", []op{sendNow(getRequest), wait(time.Second), sendNow("GET / H")}, 4 * time.Second, "HTTP/1.1 408 "},
		} {
			t.Run(c.name, func(t *testing.T) {
				p := script{limits: limits, program: ending(new(end)), ops: append(c.ops, ended())}.play(t, over)
				answers := strings.SplitAfter(string(p.got), "\r\n\r\n")
				for len(answers) > 1 && !strings.HasPrefix(answers[len(answers)-1], "HTTP/") {
					answers = answers[:len(answers)-1]
				}
				if last := answers[len(answers)-1]; !strings.HasPrefix(last, c.answer) || c.answer == "" && last != "" {
					t.Errorf("answered with %q", p.got)
				}
				if !about(p.over, c.after) || p.end.Broken() {
					t.Errorf("over after %v instead of %v, broken %v", p.over, c.after, p.end.Broken())
				}
			})
		}
	})
}

// While the program holds an answer back nothing times out.
func TestNoTimeoutWhileARequestIsHeld(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
			switch why {
			case callbacks.HTTP:
				s.Hold()
				s.SetTimer(time.Hour)
			case callbacks.Timer:
				return s.Respond(200, "", []byte("at last"))
			}
			return nil
		}
		p := script{program: program, ops: []op{sendNow(getRequest), await("an answer", func(p *peer) bool { return len(p.got) > 0 }), closeWrite(), ended()}}
		p.peer = func(p *peer) { p.patience = 2 * time.Hour }
		got := p.play(t, over)
		got.wants(t, "at last")
	})
}

func TestPingThenHangup(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		var e end
		var alive time.Duration
		p := script{program: ending(&e), limits: Limits{PingInterval: 10 * time.Second, HangupTimeout: 25 * time.Second, HeaderTimeout: time.Second},
			peer: func(p *peer) { p.scan = scanFrames },
			ops: []op{sendNow(upgradeRequest), await("a ping", func(p *peer) bool { return p.frames.pings == 1 }),
				wait(2 * time.Second), do(func(p *peer) { alive = p.since() }), sendNow(clientFrame(0x8A, "")),
				await("another", func(p *peer) bool { return p.frames.pings == 2 }), ended()}}.play(t, over)
		if p.frames.pings != 3 || !about(p.over, alive+25*time.Second) || !p.end.Broken() {
			t.Errorf("%d pings, alive at %v, over after %v, reset %v", p.frames.pings, alive, p.over, p.end.Broken())
		}
		if e.why != callbacks.Closed || e.code != 1006 || !errors.Is(e.err, ErrHangup) {
			t.Errorf("the program heard %+v", e)
		}
	})
}

func TestCloseTimeout(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		var e end
		program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
			if why == callbacks.Receive {
				return s.Close(4000, "")
			}
			return ending(&e)(s, why, in)
		}
		p := script{program: program, limits: Limits{CloseTimeout: 2 * time.Second},
			peer: func(p *peer) { p.scan = scanFrames },
			ops: []op{sendNow(upgradeRequest), sendNow(clientFrame(0x81, "close")),
				await("the close frame", func(p *peer) bool { return p.frames.closed }), ended()}}.play(t, over)
		if !about(p.over, 2*time.Second) || !p.end.Broken() || e.code != 1006 || !errors.Is(e.err, ErrCloseTimeout) {
			t.Errorf("over after %v, reset %v, %+v", p.over, p.end.Broken(), e)
		}
	})
}

// A peer that keeps its side open gets everything, and lingerTimeout of the
// reactor to leave.
func TestLingeringClose(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		p := script{ops: []op{sendNow("GET / HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n"), ended(), wait(4 * time.Second),
			do(func(p *peer) { p.frames.bad = map[bool]string{true: "reset while lingering"}[p.end.Broken()] }),
			wait(2 * time.Second), sendNow("late"), wait(time.Second)},
			peer: func(p *peer) { p.closes = false }}.play(t, over)
		if p.frames.bad != "" || !p.end.Broken() {
			t.Errorf("%s; in the end broken %v", p.frames.bad, p.end.Broken())
		}
	})
}

func TestStallTimeout(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		var e end
		program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
			if why == callbacks.HTTP {
				return errors.Join(s.Respond(200, "", make([]byte, 100_000)), callbacks.ErrClose)
			}
			return ending(&e)(s, why, in)
		}
		p := script{program: program, limits: Limits{StallTimeout: 2 * time.Second}, buffer: 1000,
			ops: []op{goDeaf(), sendNow(getRequest), wait(3 * time.Second), hearAgain(), ended()}}.play(t, over)
		if !p.end.Broken() || e.why != callbacks.ClosedHTTP {
			t.Errorf("broken %v, %+v", p.end.Broken(), e)
		}
	})
}

// connectTo plays a client of the engine's against a network that answers as a
// says, and returns how it ended and when.
func connectTo(t *testing.T, over transport, limits Limits, a simnet.Answer, ops ...op) (e end, after time.Duration) {
	t.Helper()
	return connectAs(t, over, nothingMore, limits, a, ops...)
}

func nothingMore(callbacks.Session, callbacks.Reason, []byte) error { return nil }

// connectAs is connectTo with a program.
func connectAs(t *testing.T, over transport, program callbacks.Callback, limits Limits, a simnet.Answer, ops ...op) (e end, after time.Duration) {
	t.Helper()
	simulate(t, scenario{name: t.Name(), over: over, config: func(w *world, nc *simnet.Config, cfg *Config) {
		nc.Faults, nc.Buffer = simnet.Faults{}, 1<<20
		cfg.Limits = limits
		w.calm = true
		a.Accepted = func(end *simnet.End) {
			p := w.add("server", ops...)
			p.frames.masked, p.scan = true, scanFrames
			p.met(end, tlsbridge.Server)
		}
		nc.Connect = func(kernel.Target) simnet.Answer { return a }
		note := ending(&e)
		w.custom = func(s callbacks.Session, why callbacks.Reason, in []byte) error {
			if why == callbacks.WSIDestroy {
				after = time.Duration(w.net.Now() - int64(time.Hour))
			}
			if err := program(s, why, in); err != nil {
				return err
			}
			return note(s, why, in)
		}
	}, play: func(w *world) {
		w.add("client", do(func(*peer) {
			info := ClientConnectInfo{Address: "192.0.2.1", Protocol: "echo"}
			if w.tls != nil {
				info.Flags = UseSSL
			}
			if _, err := w.e.Connect(info); err != nil {
				w.failf("%v", err)
			}
		}), wait(time.Hour))
	}}, 1)
	return e, after
}

func TestTimeoutsOfAClient(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		limits := Limits{ConnectTimeout: 3 * time.Second, HandshakeTimeout: 5 * time.Second, CloseTimeout: 2 * time.Second}
		request := await("the request", func(p *peer) bool { return p.frames.head != nil })
		answer := sendLate(func(p *peer) []byte { return switching(p.frames.head) })
		t.Run("no connection", func(t *testing.T) {
			e, after := connectTo(t, over, limits, simnet.Answer{After: -1})
			if !about(after, 3*time.Second) || e.why != callbacks.ClientConnectionError {
				t.Errorf("%+v after %v", e, after)
			}
		})
		t.Run("no answer to the handshake", func(t *testing.T) {
			e, after := connectTo(t, over, limits, simnet.Answer{After: time.Second}, shaken(), vanish())
			if !about(after, 6*time.Second) || !errors.Is(e.err, ErrHandshakeTimeout) {
				t.Errorf("%+v after %v", e, after)
			}
		})
		t.Run("a server that does not close TCP", func(t *testing.T) {
			e, after := connectTo(t, over, limits, simnet.Answer{}, request, answer,
				send(appendFrame(nil, 0x88, false, [4]byte{}, closeData(1001, ""))), ended())
			if !about(after, 2*time.Second) || e.why != callbacks.ClientClosed || e.code != 1001 || e.err != nil {
				t.Errorf("%+v after %v", e, after)
			}
		})
	})
}

// A client that has just come to the end of a long answer is not idle since that was
// written.
func TestIdleFromWhenTheAnswerHasLeft(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		const size = 150_000
		program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
			if why == callbacks.HTTP {
				return s.Respond(200, "", make([]byte, size))
			}
			return nil
		}
		answered := func(n int) op { return await("an answer", func(p *peer) bool { return len(p.got) > n*size }) }
		p := script{program: program, limits: Limits{IdleTimeout: 7 * time.Second, StallTimeout: 10 * time.Second, SendHigh: 20_000},
			buffer: 1000, peer: func(p *peer) { p.readMost, p.readWait = 1000, 105*time.Millisecond },
			ops: []op{sendNow(getRequest), answered(1), wait(4 * time.Second), sendNow(getRequest), answered(2), ended()}}.play(t, over)
		if n := strings.Count(string(p.got), "HTTP/1.1 200 "); n != 2 || p.end.Broken() {
			t.Errorf("%d answers, over after %v, broken %v", n, p.over, p.end.Broken())
		}
	})
}

package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/simnet"
)

// since is how long the peer has been connected.
func (p *peer) since() time.Duration { return time.Duration(p.w.net.Now() - p.metAt) }

// pinged waits for the nth ping.
func pinged(n int) op {
	return await(fmt.Sprintf("ping %d", n), func(p *peer) bool { return p.frames.pings >= n })
}

// noted keeps the payload of the last ping, which has eight bytes.
func noted(ping *string) op {
	return do(func(p *peer) {
		at := strings.LastIndex(string(p.got), "\x89\x08")
		*ping = string(p.got[at+2 : at+10])
	})
}

// pong answers a ping that was noted.
func pong(ping *string) op {
	return sendLate(func(p *peer) []byte { return []byte(clientFrame(0x8A, *ping)) })
}

// An idle WebSocket is 64 bytes beside its session, an exact size class of Go's.
func TestWebSocketFitsItsSizeClass(t *testing.T) {
	if n := unsafe.Sizeof(wsRole{}); n > 64 && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("a wsRole has %d bytes", n)
	}
}

// who is asked for the silence that is borne: the session, its protocol, the engine.
func TestWhoseLivenessCounts(t *testing.T) {
	const s = time.Second
	limits := Limits{PingInterval: 20 * s, HangupTimeout: 100 * s}
	for _, c := range []struct {
		name            string
		protocol        [2]time.Duration
		session         [2]time.Duration
		pings           int
		hangup          time.Duration // 0 if it never comes
		earliest, first time.Duration // of the first ping
	}{
		{"the engine's", [2]time.Duration{}, [2]time.Duration{}, 5, 100 * s, 18 * s, 20 * s},
		{"the protocol's", [2]time.Duration{10 * s, 25 * s}, [2]time.Duration{}, 2, 25 * s, 9 * s, 10 * s},
		{"the protocol has no pings", [2]time.Duration{-1, 25 * s}, [2]time.Duration{}, 0, 25 * s, 0, 0},
		{"the session's", [2]time.Duration{10 * s, 25 * s}, [2]time.Duration{4 * s, 9 * s}, 2, 9 * s, 3600 * time.Millisecond, 4 * s},
		{"the session leaves one", [2]time.Duration{10 * s, 25 * s}, [2]time.Duration{0, 15 * s}, 1, 15 * s, 9 * s, 10 * s},
		{"the session has no pings", [2]time.Duration{10 * s, 25 * s}, [2]time.Duration{-1, 0}, 0, 25 * s, 0, 0},
		{"the session never hangs up", [2]time.Duration{10 * s, 25 * s}, [2]time.Duration{500 * s, -1}, 2, 0, 450 * s, 500 * s},
	} {
		t.Run(c.name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, over transport) {
				var e end
				var first time.Duration
				program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
					if why == callbacks.Established {
						s.SetLiveness(c.session[0], c.session[1])
					}
					return ending(&e)(s, why, in)
				}
				ops := []op{sendNow(upgradeRequest)}
				if c.pings > 0 {
					ops = append(ops, pinged(1), do(func(p *peer) { first = p.since() }))
				}
				if c.hangup == 0 {
					ops = append(ops, wait(900*s), closeBoth())
				} else {
					ops = append(ops, ended())
				}
				p := script{program: program, limits: limits, ops: ops, peer: func(p *peer) { p.scan = scanFrames },
					protocol: func(p *callbacks.Protocol) { p.PingInterval, p.HangupTimeout = c.protocol[0], c.protocol[1] }}.play(t, over)
				if p.frames.pings != c.pings || first < c.earliest || first > c.first+slack {
					t.Errorf("%d pings instead of %d, the first at %v", p.frames.pings, c.pings, first)
				}
				if c.hangup != 0 && (!about(p.over, c.hangup) || !errors.Is(e.err, ErrHangup)) {
					t.Errorf("over after %v with %v", p.over, e.err)
				}
			})
		})
	}
}

// Also the bytes of an unfinished frame header or payload are life.
func TestAnyByteIsLife(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		frame := clientFrame(0x81, "hello")
		p := script{limits: Limits{PingInterval: -1, HangupTimeout: 10 * time.Second}, peer: func(p *peer) { p.scan = scanFrames },
			ops: []op{sendNow(upgradeRequest), wait(9 * time.Second), sendNow(frame[:1]), wait(9 * time.Second), sendNow(frame[1:8]),
				wait(9 * time.Second), sendNow(frame[8:]), ended()}}.play(t, over)
		if len(p.frames.messages) != 1 || !about(p.over, 37*time.Second) {
			t.Errorf("%d messages, over after %v", len(p.frames.messages), p.over)
		}
	})
}

// Sessions that were connected in one moment are pinged in many.
func TestPingsDoNotStayInStep(t *testing.T) {
	const peers, interval = 64, 100 * time.Second
	overBoth(t, func(t *testing.T, over transport) {
		var at []time.Duration
		simulate(t, scenario{name: t.Name(), over: over,
			config: func(w *world, nc *simnet.Config, cfg *Config) {
				nc.Faults, nc.Buffer = simnet.Faults{}, 1<<20
				cfg.Limits = Limits{PingInterval: interval, HangupTimeout: 2 * interval}
				w.calm = true
			},
			play: func(w *world) {
				for range peers {
					p := w.add("peer", dial(httpPort), sendNow(upgradeRequest), pinged(1), do(func(p *peer) { at = append(at, p.since()) }), closeBoth())
					p.readMost, p.readWait, p.scan = 1<<20, 0, scanFrames
				}
			}}, 1)
		slices.Sort(at)
		if len(at) != peers || at[0] < interval*9/10 || at[peers-1] > interval+slack {
			t.Fatalf("%d pings between %v and %v", len(at), at[0], at[len(at)-1])
		}
		for i := range peers - 8 { // evenly they would be 156 ms apart
			if d := at[i+8] - at[i]; d < 300*time.Millisecond || d > 5*time.Second {
				t.Errorf("pings %d to %d come within %v", i, i+8, d)
			}
		}
	})
}

// The engine's pings measure the round trip, and the program hears nothing of them.
func TestRTT(t *testing.T) {
	const ms = time.Millisecond
	overBoth(t, func(t *testing.T, over transport) {
		var pongs []string
		var rtts []time.Duration
		program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
			switch why {
			case callbacks.ReceivePong:
				pongs = append(pongs, string(in))
			case callbacks.Receive:
				rtts = append(rtts, s.RTT())
				return s.Write([]byte("12345678"), callbacks.WritePing)
			}
			return nil
		}
		ask := func() op { return sendNow(clientFrame(0x81, "?")) }
		var a, b, c, again string
		script{program: program, limits: Limits{PingInterval: 10 * time.Second, HangupTimeout: 35 * time.Second},
			peer: func(p *peer) { p.scan = scanFrames },
			ops: []op{sendNow(upgradeRequest), ask(), pinged(1), noted(&a), pong(&a), // to the program's own
				pinged(2), noted(&a), wait(70 * ms), pong(&a), wait(ms), pong(&a), // the second tells nothing new
				sendLate(func(*peer) []byte { return []byte(clientFrame(0x8A, a[:4]+"\x00\x00\x00\x00")) }), ask(), // nor does one to no ping
				pinged(4), noted(&b), pong(&a), wait(300 * ms), pong(&b), ask(), // nor does an old one
				pinged(6), noted(&c), pinged(7), noted(&again), pong(&again), ask(), wait(ms), closeBoth()}}.play(t, over)
		if c != again || b == c || a == b {
			t.Errorf("the pings were %q, %q, %q, %q", a, b, c, again)
		}
		if want := []string{"12345678"}; !slices.Equal(pongs, want) {
			t.Errorf("the program heard of the pongs %q", pongs)
		}
		if len(rtts) != 4 || rtts[0] != 0 || !about(rtts[1], 70*ms) || !about(rtts[2], 300*ms) || rtts[3] < 9*time.Second || rtts[3] > 11*time.Second {
			t.Errorf("round trips %v", rtts)
		}
	})
}

// A client's session does the same.
func TestRTTOfAClient(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		var rtt time.Duration
		var ping string
		e, _ := connectAs(t, over, func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
			switch why {
			case callbacks.ClientEstablished:
				s.SetLiveness(10*time.Second, 25*time.Second)
			case callbacks.ClientClosed:
				rtt = s.RTT()
			case callbacks.ClientReceivePong:
				return errProgram
			}
			return nil
		}, Limits{}, simnet.Answer{}, await("the request", func(p *peer) bool { return p.frames.head != nil }),
			sendLate(func(p *peer) []byte { return switching(p.frames.head) }), pinged(1), do(func(p *peer) {
				key := p.got[len(p.got)-12:] // the ping is masked
				ping = string(appendFrame(nil, 0x8A, true, [4]byte(key), string(key[4:]))[6:])
			}), wait(90*time.Millisecond), sendLate(func(*peer) []byte { return appendFrame(nil, 0x8A, false, [4]byte{}, ping) }), ended())
		if !about(rtt, 90*time.Millisecond) || e.why != callbacks.ClientClosed || !errors.Is(e.err, ErrHangup) {
			t.Errorf("%v, %+v", rtt, e)
		}
	})
}

func TestIdleTimeout(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name string
		wait time.Duration
		send string
		over time.Duration
	}{
		{"nothing comes", 6 * s, "", 10 * s},
		{"a ping", 6 * s, clientFrame(0x89, ""), 10 * s},
		{"a pong", 6 * s, clientFrame(0x8A, ""), 10 * s},
		{"half a frame header", 6 * s, "\x81", 10 * s},
		{"a message", 6 * s, clientFrame(0x81, "text"), 16 * s},
		{"a piece of a message", 6 * s, clientFrame(0x01, "piece"), 16 * s},
		{"a message from the program", 2 * s, clientFrame(0x81, "later"), 17 * s},
	} {
		t.Run(c.name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, over transport) {
				var e end
				program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
					switch {
					case why == callbacks.Receive && string(in) == "later":
						s.SetTimer(5 * time.Second)
					case why == callbacks.Timer:
						return s.Write([]byte("now"), callbacks.WriteText)
					}
					return ending(&e)(s, why, in)
				}
				p := script{program: program, protocol: func(p *callbacks.Protocol) { p.IdleTimeout = 10 * s },
					limits: Limits{PingInterval: 3 * s, HangupTimeout: -1, CloseTimeout: s}, peer: func(p *peer) { p.scan = scanFrames },
					ops: []op{sendNow(upgradeRequest), wait(c.wait), sendNow(c.send), await("the close frame", func(p *peer) bool { return p.frames.closed }),
						sendNow(clientFrame(0x88, closeData(1001, ""))), ended()}}.play(t, over)
				if f := &p.frames; f.code != 1001 || f.reason != "idle" || !about(p.over, c.over) {
					t.Errorf("closed with %d %q after %v", f.code, f.reason, p.over)
				}
				if e.why != callbacks.Closed || !errors.Is(e.err, ErrIdle) {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

// A message that a slow peer takes long to read is no idleness, nor is a pause of this
// side's own.
func TestIdleOnlyWhenNothingMoves(t *testing.T) {
	const s = time.Second
	overBoth(t, func(t *testing.T, over transport) {
		program := func(sess callbacks.Session, why callbacks.Reason, in []byte) error {
			switch why {
			case callbacks.Established:
				return sess.Write(make([]byte, 100_000), callbacks.WriteBinary)
			case callbacks.Receive:
				sess.PauseReading()
				sess.SetTimer(32 * s)
			case callbacks.Timer:
				sess.ResumeReading()
			}
			return nil
		}
		var read, paused time.Duration
		p := script{program: program, protocol: func(p *callbacks.Protocol) { p.IdleTimeout = 5 * s }, buffer: 1000,
			limits: Limits{PingInterval: -1, HangupTimeout: -1, CloseTimeout: s, StallTimeout: 200 * s},
			peer:   func(p *peer) { p.scan, p.readMost, p.readWait = scanFrames, 1000, 200*time.Millisecond },
			ops: []op{sendNow(upgradeRequest), await("the message", func(p *peer) bool { return len(p.frames.messages) == 1 }),
				do(func(p *peer) { read = p.since() }), sendNow(clientFrame(0x81, "pause")), do(func(p *peer) { paused = p.since() }),
				await("the close frame", func(p *peer) bool { return p.frames.closed }), ended()}}.play(t, over)
		if read < 15*s || p.frames.code != 1001 || p.over < paused+34*s || p.over > paused+43*s {
			t.Errorf("read after %v, paused at %v, closed with %d and over after %v", read, paused, p.frames.code, p.over)
		}
	})
}

// CloseTimeout is the protocol's, if it has one.
func TestCloseTimeoutOfAProtocol(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		for _, c := range []struct{ protocol, want time.Duration }{{0, 2 * time.Second}, {7 * time.Second, 7 * time.Second}, {-1, 20 * time.Second}} {
			var e end
			program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
				if why == callbacks.Established {
					return s.Close(4000, "")
				}
				return ending(&e)(s, why, in)
			}
			p := script{program: program, limits: Limits{CloseTimeout: 2 * time.Second}, protocol: func(p *callbacks.Protocol) { p.CloseTimeout = c.protocol },
				ops: []op{sendNow(upgradeRequest), wait(20 * time.Second), closeWrite(), ended()}}.play(t, over)
			if !about(p.over, c.want) || errors.Is(e.err, ErrCloseTimeout) != (c.protocol >= 0) || e.code != 1006 {
				t.Errorf("%v: over after %v, %+v", c.protocol, p.over, e)
			}
		}
	})
}

// Of pings and pongs ten seconds' worth may come at once, and more as time passes.
func TestControlFramesHaveALimit(t *testing.T) {
	ping, pongs := clientFrame(0x89, "p"), clientFrame(0x8A, "")
	for _, c := range []struct {
		name  string
		limit int
		send  string
		wait  time.Duration
		then  string
		code  int
		pongs int
	}{
		{"all at once", 2, strings.Repeat(ping, 20), 0, "", 0, 20},
		{"one more", 2, strings.Repeat(ping, 21), 0, "", 1008, 20},
		{"pongs count too", 2, strings.Repeat(ping+pongs, 10) + pongs, 0, "", 1008, 10},
		{"two a second come back", 2, strings.Repeat(ping, 20), 5 * time.Second, strings.Repeat(ping, 10), 0, 30},
		{"and no more", 2, strings.Repeat(ping, 20), 5 * time.Second, strings.Repeat(ping, 11), 1008, 30},
		{"but never more than at once", 2, ping, time.Minute, strings.Repeat(ping, 21), 1008, 21},
		{"messages do not count", 2, strings.Repeat(clientFrame(0x81, "m"), 100), 0, "", 0, 0},
		{"the clock of frames comes round", 100_000, ping, 20 * time.Hour, strings.Repeat(ping, 100), 0, 101},
		{"no limit", -1, strings.Repeat(ping, 5000), 0, "", 0, 5000},
		{"the default", 0, strings.Repeat(ping, 10_001), 0, "", 1008, 10_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, over transport) {
				var e end
				p := script{program: ending(&e), limits: Limits{ControlFrames: c.limit, PingInterval: -1, HangupTimeout: -1}, peer: func(p *peer) { p.scan = scanFrames },
					ops: []op{sendNow(upgradeRequest), sendNow(c.send), wait(c.wait), sendNow(c.then), wait(time.Second), closeWrite(), ended()}}.play(t, over)
				if p.frames.code != c.code || len(p.frames.pongs) != c.pongs || (c.code != 0) != errors.Is(e.err, ErrControlFrames) {
					t.Errorf("%d pongs, closed with %d, %+v", len(p.frames.pongs), p.frames.code, e)
				}
			})
		})
	}
}

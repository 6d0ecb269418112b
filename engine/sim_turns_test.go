package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/internal/simnet"
)

// TestSimTurns: while a long message is inflated, others are answered. What comes
// behind it stays behind it, and nothing is left of it if its session ends meanwhile.
func TestSimTurns(t *testing.T) {
	runSeeds(t, scenario{name: "turns", config: func(w *world, nc *simnet.Config, cfg *Config) {
		withDeflate(w, nc, cfg)
		w.big, w.calm = true, true // time does not pass while the loop has something to do
		w.grow(nc)
		nc.Faults.Creep = 0
		for i := range cfg.Vhosts[0].Protocols {
			cfg.Vhosts[0].Protocols[i].Deflate = &deflate.Config{}
		}
	}, play: func(w *world) {
		how := w.rng.IntN(7)
		w.cut = how > 2
		w.custom = func(s callbacks.Session, why callbacks.Reason, in []byte) error {
			if why == callbacks.Receive && s.(timed).Session.(*session).paused&pauseUser != 0 {
				w.failf("a message came while reading was paused")
			}
			if why == callbacks.Timer && w.rng.IntN(2) == 0 { // only for a moment
				s.ResumeReading()
				s.PauseReading()
				s.SetTimer(time.Minute)
				return nil
			}
			return echoAtOnce(s, why, in)
		}
		other := &wsClient{w: w, messages: []message{{ws.OpText, "meanwhile"}}, code: 1005}
		other.p = w.add("other", dial(httpPort), send([]byte(handshakeHead+"\r\n")), await("101", func(p *peer) bool { return p.frames.head != nil }),
			w.inflating(), send(appendFrame(nil, 0x81, true, w.key(), "meanwhile")), other.awaitEchoes(),
			do(func(*peer) {
				if len(w.turns().active) == 0 && !w.cut {
					w.failf("nobody was answered before all was inflated")
				}
			}),
			send(appendFrame(nil, 0x88, true, w.key(), "")), ended())
		other.p.scan, other.p.readMost, other.p.readWait = scanFrames, 1<<10, 0
		w.checks = append(w.checks, other.check)
		w.addLong("long", how, await("the other", func(*peer) bool { return other.p.frames.head != nil }))
	}}, simCount/15)
}

// echoAtOnce reads on when its timer goes off.
func echoAtOnce(s callbacks.Session, why callbacks.Reason, in []byte) error {
	switch why {
	case callbacks.Receive:
		return s.Write(in, s.Kind())
	case callbacks.Timer:
		s.ResumeReading()
	}
	return nil
}

func (w *world) turns() *turns { return &w.e.loops[0].turns }

// inflating waits until a long message is being inflated.
func (w *world) inflating() op {
	return await("the long message", func(*peer) bool { return len(w.turns().active) > 0 })
}

// addLong adds a client whose message is nothing but headers of blocks, long enough
// for hundreds of turns, and that leaves in some way when it is being inflated.
func (w *world) addLong(name string, how int, before op) {
	blocks := strings.Repeat("\x02\x08\x20\x80\x00", 200*deflate.Slice/5) + "\x00"
	protocol := [...]string{"echo", "pieces"}[w.rng.IntN(2)]
	c := &wsClient{w: w, messages: []message{{ws.OpBinary, ""}, {ws.OpText, "behind"}}, code: 1000}
	out := appendFrame(nil, 0xC2, true, w.key(), blocks)
	out = appendFrame(out, 0x81, true, w.key(), "behind")
	out = appendFrame(out, 0x88, true, w.key(), closeData(1000, ""))
	ops := []op{dial(httpPort), send([]byte(handshakeHead + "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: " + protocol + "\r\n\r\n")),
		await("101", func(p *peer) bool { return p.frames.head != nil }),
		do(func(p *peer) { (&deflatePeer{w: w}).agree(p, &deflate.Config{}) }), before, send(out), w.inflating()}
	inHand := func(f func(s *session)) op {
		return do(func(*peer) {
			for _, t := range w.turns().active {
				f(t.s)
			}
		})
	}
	ops = append(ops, [...]func() op{
		func() op { return rest(0) },
		func() op {
			return inHand(func(s *session) {
				s.PauseReading()
				timed{s, w.rec.of(s)}.SetTimer(time.Hour)
			})
		},
		closeWrite, reset, closeBoth,
		func() op { return inHand(func(s *session) { _ = s.Handle().Close(4000, "enough") }) },
		func() op { return do(func(*peer) { close(w.stop) }) },
	}[how](), ended())
	c.p = w.add(name, ops...)
	c.p.scan, c.p.readMost, c.p.readWait, c.p.patience = scanFrames, 1<<20, 0, 10*time.Hour
	if !w.cut {
		w.checks = append(w.checks, c.check)
	}
}

// TestSimCrowd: more long messages at once than a loop inflates wait for their turn,
// and some of those who sent them do not wait.
func TestSimCrowd(t *testing.T) {
	if raced {
		t.Skip("a crowd of coroutines takes the race detector a minute, and runs on one goroutine")
	}
	atOnce := 0
	runSeeds(t, scenario{name: "crowd", config: func(w *world, nc *simnet.Config, cfg *Config) {
		withDeflate(w, nc, cfg)
		w.big, w.calm = true, true
		w.grow(nc)
		nc.Faults = simnet.Faults{}
		p := &cfg.Vhosts[0].Protocols[0]
		p.Deflate, p.MaxMessage = &deflate.Config{}, [...]int64{1 << 20, 16 << 20}[w.seed%2]
		atOnce = min(turnsMost, turnsBytes/int(p.MaxMessage))
		cfg.Limits.SendQueue, w.rec.most = 0, 0
	}, play: func(w *world) {
		w.custom = echoAtOnce
		size, most, here := (20+w.rng.IntN(20))*deflate.Slice, 0, 0
		crowded := false
		for i := range turnsMost + 20 {
			c := &wsClient{w: w, messages: []message{{ws.OpBinary, ""}}, code: 1000}
			kind := byte(0xC2)
			if i%9 == 8 {
				kind = 0xC1 // it will not wait
			}
			out := appendFrame(nil, kind, true, w.key(), strings.Repeat("\x02\x08\x20\x80\x00", size/5)+"\x00")
			ops := []op{dial(httpPort), send([]byte(handshakeHead + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")),
				await("101", func(p *peer) bool { return p.frames.head != nil }), do(func(*peer) { here++ }),
				await("the others", func(*peer) bool { return here == turnsMost+20 }), send(out),
				await("a crowd", func(*peer) bool {
					most = max(most, len(w.turns().active))
					crowded = crowded || len(w.turns().waiting) > 5
					return crowded
				})}
			if i%9 == 8 {
				ops = append(ops, [...]op{reset(), do(w.closeWaiting), wait(time.Minute)}[w.rng.IntN(3)])
			} else {
				ops = append(ops, c.awaitEchoes(), send(appendFrame(nil, 0x88, true, w.key(), closeData(1000, ""))), ended())
				w.checks = append(w.checks, c.check)
			}
			c.p = w.add(fmt.Sprint("client ", i), ops...)
			c.p.scan, c.p.readMost, c.p.readWait = scanFrames, 1<<16, 0
		}
		w.checks = append(w.checks, func() {
			if idle := len(w.turns().idle); most != atOnce || idle > atOnce {
				w.failf("%d turns at a time, %d Inflaters", most, idle)
			}
		})
	}}, 2)
}

// closeWaiting closes a session whose text waits for its turn, if there is one.
func (w *world) closeWaiting(*peer) {
	for _, t := range w.turns().waiting {
		if t.op == ws.OpText {
			_ = t.s.Handle().Close(4000, "enough")
			return
		}
	}
}

// TestSimFlood: a session whose short messages are much work, all there at once, rests
// when it has had its share, and gets the others later.
func TestSimFlood(t *testing.T) {
	const each, count = 1000, 300
	runSeeds(t, scenario{name: "flood", config: func(w *world, nc *simnet.Config, cfg *Config) {
		withDeflate(w, nc, cfg)
		w.calm = true
		nc.Faults.ShortRead, nc.Buffer = 0, 1<<20
		cfg.Vhosts[0].Protocols[0].Deflate = &deflate.Config{}
	}, play: func(w *world) {
		c := &wsClient{w: w, code: 1000}
		out := []byte{}
		for range count {
			out = appendFrame(out, 0xC2, true, w.key(), strings.Repeat("\x02\x08\x20\x80\x00", each/5)+"\x00")
			c.messages = append(c.messages, message{ws.OpBinary, ""})
		}
		out = appendFrame(out, 0x88, true, w.key(), closeData(1000, ""))
		most := 0
		w.custom = func(s callbacks.Session, why callbacks.Reason, in []byte) error {
			if why == callbacks.Receive {
				most = max(most, w.e.loops[0].inflateWork)
			}
			return echoAtOnce(s, why, in)
		}
		c.p = w.add("flood", dial(httpPort), send([]byte(handshakeHead+"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")),
			await("101", func(p *peer) bool { return p.frames.head != nil }), do(func(p *peer) { p.end.Send(out); p.frames.deflate = &farEnd{w: w} }),
			ended())
		c.p.scan = scanFrames
		w.checks = append(w.checks, c.check, func() {
			if most < deflate.Slice || most > deflate.Slice+2*each {
				w.failf("%d bytes were inflated in one event", most)
			}
		})
	}}, simCount/10)
}

package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/simnet"
)

// TestSimShutdown shuts down while everybody is at it. What a peer gets until
// then is right, though it may not be all.
func TestSimShutdown(t *testing.T) {
	runSeeds(t, scenario{name: "shutdown", config: withServers, play: func(w *world) {
		w.cut = true
		w.addEverybody()
		w.shutdownWithin(4 * time.Second)
	}}, simCount)
}

// TestSimChaos has peers that leave in the middle, a program that does what it
// likes, limits that are met, and a system that fails. Nobody gets what they
// should; only the order of the reasons is certain, and that nothing is left.
func TestSimChaos(t *testing.T) { runSeeds(t, chaos, simCount) }

var chaos = scenario{
	name: "chaos",
	config: func(w *world, nc *simnet.Config, cfg *Config) {
		withServers(w, nc, cfg)
		nc.Faults.Poll = w.rng.Float64() * w.rng.Float64() * 0.02
		nc.Faults.Aborted = w.rng.Float64() * 0.3
		nc.Faults.Creep *= 4
		cfg.Limits = w.tightLimits()
		w.mad = 0.3 * w.rng.Float64()
	},
	play: func(w *world) {
		w.cut = true
		w.addEverybody()
		w.spoils = true
		for _, p := range w.peers {
			if !strings.HasSuffix(p.name, "'s client") {
				w.spoil(p, 2)
			}
		}
		if w.rng.IntN(3) == 0 {
			w.shutdownWithin(20 * time.Second)
		}
		w.checks = nil
	},
}

// addEverybody adds some of each kind.
func (w *world) addEverybody() {
	add := [...]func(string){func(n string) { w.addWSClient(n) }, w.addHTTPClient, w.addRawClient, w.addServer}
	for i := range 2 + w.rng.IntN(5) {
		add[w.rng.IntN(len(add))](fmt.Sprintf("peer %d", i))
	}
}

// shutdownWithin adds somebody who has the engine shut down.
func (w *world) shutdownWithin(d time.Duration) {
	w.add("operator", rest(d), do(func(*peer) { close(w.stop) }), wait(time.Hour))
}

// tightLimits are met now and then.
func (w *world) tightLimits() Limits {
	upTo := func(d time.Duration) time.Duration { return 1 + time.Duration(w.rng.Int64N(int64(d))) }
	high := 1 + w.rng.IntN(2000)
	return Limits{Connections: 1 + w.rng.IntN(8), ConnectionsPerIP: w.rng.IntN(8), WebSocketsPerIP: w.rng.IntN(8), ControlFrames: 1 + w.rng.IntN(3),
		Pipelined: w.rng.IntN(4), BodyRate: int64(w.rng.IntN(100)), RequestTimeout: upTo(10 * time.Second),
		Body: 1 + int64(w.rng.IntN(5000)), Message: 1 + int64(w.rng.IntN(5000)), RawMessage: 1 + w.rng.IntN(5000),
		SendHigh: high, SendQueue: high + w.rng.IntN(20_000),
		HeaderTimeout: upTo(5 * time.Second), BodyTimeout: upTo(5 * time.Second), IdleTimeout: upTo(5 * time.Second),
		ConnectTimeout: upTo(5 * time.Second), HandshakeTimeout: upTo(5 * time.Second), CloseTimeout: upTo(2 * time.Second),
		PingInterval: 10*time.Millisecond + upTo(5*time.Second), HangupTimeout: upTo(20 * time.Second), StallTimeout: upTo(5 * time.Second)}
}

// spoil gives a peer bad manners: it leaves at any point of its script behind the
// first lines, or stops reading.
func (w *world) spoil(p *peer, from int) {
	if !w.spoils || len(p.ops) <= from || w.rng.IntN(4) == 0 {
		return
	}
	at := from + w.rng.IntN(len(p.ops)-from)
	leave := [...]func() op{closeWrite, closeBoth, reset, goDeaf, vanish}[w.rng.IntN(5)]
	rest := [...][]op{nil, {ended()}, {wait(time.Minute)}}[w.rng.IntN(3)]
	p.ops = append(append(p.ops[:at:at], leave()), rest...)
	if w.rng.IntN(4) == 0 {
		p.ops = append(p.ops, hearAgain(), wait(time.Minute))
	}
}

// madness does something that a program may do at any time, or fails.
func (w *world) madness(s callbacks.Session, why callbacks.Reason) error {
	kinds := [...]callbacks.Kind{callbacks.WriteText, callbacks.WriteBinary | callbacks.NoFin, callbacks.WriteContinuation,
		callbacks.WriteHTTP, callbacks.WriteHTTPFinal, callbacks.WritePing, callbacks.WriteBinary}
	kind := kinds[w.rng.IntN(len(kinds))]
	switch w.rng.IntN(24) {
	case 0:
		_ = s.Close(ws.StatusCode(w.rng.IntN(5000)), "mad")
	case 1:
		return errProgram
	case 2:
		return callbacks.ErrClose
	case 3:
		return http1.NewError(400+w.rng.IntN(200), "mad")
	case 4:
		return &ws.CloseError{Code: ws.StatusCode(w.rng.IntN(5000)), Reason: "mad"}
	case 5:
		panic(why)
	case 6:
		s.PauseReading()
	case 7:
		s.ResumeReading()
	case 8:
		s.SetTimer(w.soon())
	case 9:
		s.RequestWriteable()
	case 10:
		_ = s.Handle().Post(func(s callbacks.Session) error { return w.madness(timed{s, w.rec.of(s)}, why) })
	case 11:
		_ = s.Handle().Write([]byte("mad"), kind)
	case 12:
		_ = s.Handle().Close(ws.StatusCode(w.rng.IntN(5000)), "mad")
	case 13:
		_ = s.Respond(200+w.rng.IntN(500), "text/plain", make([]byte, w.rng.IntN(20_000)))
	case 14:
		_ = s.StartResponse(200, "", int64(w.rng.IntN(1000)-100))
	case 15:
		s.Hold()
	case 16:
		_ = s.Proceed()
	case 17:
		s.SetLiveness(w.soon()-time.Millisecond, w.soon()*10-time.Millisecond)
	case 18:
		_ = s.Interim(100+w.rng.IntN(110), http1.Field{Name: "Mad", Value: "yes"})
	case 19:
		_ = s.AddTrailer("Mad", "yes")
	case 20:
		_ = s.Go(func() {}, func(s callbacks.Session) error { return w.madness(timed{s, w.rec.of(s)}, why) })
	case 21:
		_ = s.SelectProtocol([...]string{"", "echo", "pieces", "nobody's"}[w.rng.IntN(4)])
	default:
		_ = s.Write(make([]byte, w.rng.IntN(1<<w.rng.IntN(16))), kind)
	}
	return nil
}

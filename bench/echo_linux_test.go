package bench

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/penstock-go/penstock/bench/internal/load"
	"github.com/penstock-go/penstock/bench/internal/versus"
)

const (
	// echoBudget is what an echoed WebSocket message of 64 bytes may cost in
	// processor time, as a multiple of what reading and writing its bytes costs.
	echoBudget = 1.25

	echoConns = 1000
	echoSize  = 64

	tries = 3
)

// TestEchoCost: with a thousand connections that send one small message after the
// other, nearly all that a message costs is the kernel's share.
func TestEchoCost(t *testing.T) {
	needDescriptors(t, 2*echoConns)
	entrants := []versus.Entrant{{
		Name: "floor",
		Args: []string{build(t, ".", "./cmd/floor"), "-addr", "{addr}"},
		Load: load.Config{Mode: load.Raw, Conns: echoConns, Size: load.WireSize(echoSize)},
	}, {
		Name: "penstock",
		Args: []string{build(t, "..", "./examples/echo"), "-addr", "{addr}", "-loops", "1"},
		Load: load.Config{Mode: load.WS, Conns: echoConns, Size: echoSize},
	}}
	hold(t, echoBudget, entrants)
}

// hold measures what a message costs the second entrant, as a multiple of what it
// costs the first.
//
// What else the machine does raises the figures, and rarely lowers them, so a
// ratio over the budget is measured again, for longer.
func hold(t *testing.T, budget float64, entrants []versus.Entrant) {
	if checked() {
		ratio(t, entrants, 1)
		return
	}
	for try := 1; ; try++ {
		r := ratio(t, entrants, try)
		switch {
		case r <= budget:
			return
		case try == tries:
			t.Fatalf("a message costs %.3f times the %s's, more than %.2f, in %d tries", r, entrants[0].Name, budget, try)
		}
	}
}

// ratio measures once.
func ratio(t *testing.T, entrants []versus.Entrant, try int) float64 {
	rounds := 5
	if entrants[1].Load.Mode.Fans() {
		rounds = 3 // to open as many connections takes longer than to measure
	}
	plan := versus.Plan{Rounds: rounds, Warm: 150 * time.Millisecond, Measured: time.Duration(try) * 400 * time.Millisecond}
	all, err := versus.Run(entrants, plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d connections, %d bytes, try %d", entrants[1].Load.Conns, entrants[1].Load.Size, try)
	versus.Table(t.Output(), all)
	return all[1].Ratio(all[0]).Median
}

// TestAnswers: every mode of the generator gets right answers from the servers
// here; it is a fault of either if not.
func TestAnswers(t *testing.T) {
	floor, penstock := build(t, ".", "./cmd/floor"), build(t, "..", "./examples/echo")
	fan := []string{build(t, ".", "./cmd/rivals/penstock"), "-addr", "{addr}", "-loops", "2", "-fan"}
	plan := versus.Plan{Rounds: 1, Measured: 50 * time.Millisecond}
	ws := []string{penstock, "-addr", "{addr}", "-loops", "2"}
	wss := overTLS(t, penstock, "-loops", "2")
	for _, e := range []versus.Entrant{
		{Name: "no payload", Args: ws, Load: load.Config{Mode: load.WS, Conns: 2}},
		{Name: "16 in flight", Args: ws, Load: load.Config{Mode: load.WS, Size: 200, Conns: 10, Depth: 16}},
		{Name: "64 KiB", Args: ws, Load: load.Config{Mode: load.WS, Size: 64 << 10, Conns: 10}},
		{Name: "1 MiB, 4 in flight", Args: ws, Load: load.Config{Mode: load.WS, Size: 1 << 20, Conns: 4, Depth: 4}},
		{Name: "wss, 16 in flight", Args: wss, Load: load.Config{Mode: load.WSS, Size: 200, Conns: 10, Depth: 16}},
		{Name: "wss, 1 MiB, 4 in flight", Args: wss, Load: load.Config{Mode: load.WSS, Size: 1 << 20, Conns: 4, Depth: 4}},
		{Name: "TLS 1.2", Args: wss, Load: load.Config{Mode: load.WSS, Size: 64 << 10, Conns: 4, TLS: load.TLS{Version: tls.VersionTLS12}}},
		{Name: "https", Args: wss, Load: load.Config{Mode: load.HTTPS, Path: "/plain", Conns: 10, Depth: 4}},
		{Name: "wsz", Args: append(ws, "-deflate"), Load: load.Config{Mode: load.WSZ, Size: 1000, Conns: 10}},
		{Name: "wsz, 60 KiB, 4 in flight", Args: append(ws, "-deflate"), Load: load.Config{Mode: load.WSZ, Size: 60 << 10, Conns: 4, Depth: 4}},
		{Name: "http", Args: ws, Load: load.Config{Mode: load.HTTP, Path: "/plain", Conns: 10}},
		{Name: "http, pipelined", Args: ws, Load: load.Config{Mode: load.HTTP, Path: "/plain", Conns: 10, Depth: 16}},
		{Name: "floor", Args: []string{floor, "-addr", "{addr}"}, Load: load.Config{Mode: load.Raw, Size: 70 << 10, Conns: 10, Depth: 4}},
		{Name: "floor, http", Args: []string{floor, "-addr", "{addr}", "-http"}, Load: load.Config{Mode: load.HTTP, Conns: 10, Depth: 16}},
		{Name: "to all", Args: fan, Load: load.Config{Mode: load.Fan, Size: 1000, Conns: 100}},
		{Name: "to all, 64 KiB", Args: fan, Load: load.Config{Mode: load.Fan, Size: 64 << 10, Conns: 100}},
		{Name: "to all, compressed", Args: append(fan, "-deflate"), Load: load.Config{Mode: load.FanZ, Size: 1000, Conns: 100}},
		{Name: "floor, to all", Args: []string{floor, "-addr", "{addr}", "-fan"}, Load: load.Config{Mode: load.RawFan, Size: 1000, Conns: 100}},
	} {
		t.Run(e.Name, func(t *testing.T) {
			all, err := versus.Run([]versus.Entrant{e}, plan)
			if err != nil {
				t.Fatal(err)
			}
			if r := all[0].Rounds[0]; r.Messages == 0 || r.CPU <= 0 {
				t.Fatalf("%d messages in %v of processor time", r.Messages, r.CPU)
			}
		})
	}
}

package bench

import (
	"testing"

	"github.com/penstock-go/penstock/bench/internal/cert"
	"github.com/penstock-go/penstock/bench/internal/idle"
	"github.com/penstock-go/penstock/bench/internal/load"
	"github.com/penstock-go/penstock/bench/internal/versus"
)

const (
	// tlsBudget is what an echoed message may cost over TLS, as a multiple of what it
	// costs net/http, gorilla/websocket and crypto/tls with their defaults.
	tlsBudget = 1

	// idleTLSBudget is what an idle WebSocket over TLS may cost in resident memory, in
	// bytes, without any collection but those that the server makes by itself.
	idleTLSBudget = 9000

	idleTLSMany = 5000
)

// TestTLSEchoCost: what the event loop saves is not lost to TLS, with small
// messages, where system calls cost the most, and with large ones, where the
// cipher does.
func TestTLSEchoCost(t *testing.T) {
	gorilla := overTLS(t, build(t, ".", "./cmd/rivals/gorilla"))
	penstock := overTLS(t, build(t, "..", "./examples/echo"), "-loops", "1")
	for _, c := range []struct {
		name string
		load load.Config
	}{
		{"small", load.Config{Mode: load.WSS, Conns: 200, Size: 64}},
		{"large", load.Config{Mode: load.WSS, Conns: 50, Size: 16 << 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			hold(t, tlsBudget, []versus.Entrant{
				{Name: "net/http+gorilla", Args: gorilla, Load: c.load},
				{Name: "penstock", Args: penstock, Load: c.load},
			})
		})
	}
}

// TestIdleTLSCost: an idle connection keeps little of what crypto/tls needed for
// its handshake and its messages. It is measured as TestIdleCost does, but as the
// server leaves itself, because that is where buffers that nobody gives back, and
// garbage that the collector finds too late, are seen.
func TestIdleTLSCost(t *testing.T) {
	needDescriptors(t, idleTLSMany+200)
	many := idleTLSMany
	if checked() {
		many /= 10 // checked handshakes are slow, and nothing is held to the budget
	}
	r, err := idle.Measure(idle.Plan{
		Args: overTLS(t, build(t, "..", "./examples/echo"), "-loops", "1"),
		Load: load.Config{Mode: load.WSS, Size: 64},
		Few:  idleFew,
		Many: many,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Table(t.Output())
	if per := r.PerConn(); per > idleTLSBudget && !checked() {
		t.Errorf("%.0f bytes of resident memory a connection, more than %d: (%d kB - %d kB) / (%d - %d)",
			per, idleTLSBudget, r.Many.RSS>>10, r.Few.RSS>>10, idleTLSMany, idleFew)
	}
}

// overTLS is the command line of a server that has a certificate of its own.
func overTLS(t *testing.T, server string, args ...string) []string {
	files, err := cert.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return files.Fill(append([]string{server, "-addr", "{addr}", "-cert", "{cert}", "-key", "{key}"}, args...))
}

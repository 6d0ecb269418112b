//go:build linux

package versus

import (
	"fmt"
	"runtime"
	"time"

	"github.com/penstock-go/penstock/bench/internal/load"
	"github.com/penstock-go/penstock/bench/internal/proc"
)

// Entrant is a server to be measured and how.
type Entrant struct {
	// Name is what the report calls it.
	Name string
	// Args is its command line, with {addr} where its address goes.
	Args []string
	// Load is what it gets; Addr is filled in.
	Load load.Config
}

// Plan says how long to measure.
type Plan struct {
	// Rounds is how often each entrant is measured.
	Rounds int
	// Warm is how long it is loaded before that, each time.
	Warm time.Duration
	// Measured is how long each measurement takes.
	Measured time.Duration
}

// Series is what an entrant's rounds found, in order.
type Series struct {
	// Name is the entrant's.
	Name string
	// TLS is what its connections have agreed upon, if anything.
	TLS string
	// Extensions is what they have agreed upon of WebSocket's, if anything.
	Extensions string
	// Rounds has a result for each round.
	Rounds []*load.Result
}

// Run starts all entrants, each on the same processor and away from this
// goroutine's, measures them, and stops them.
func Run(entrants []Entrant, p Plan) ([]*Series, error) {
	serverCPU, clientCPU := proc.Pair()
	if clientCPU != proc.AnyCPU {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		undo, err := proc.Pin(clientCPU)
		if err != nil {
			return nil, err
		}
		defer undo()
	}
	var servers []*proc.Server
	defer func() {
		for _, s := range servers {
			s.Stop()
		}
	}()
	series := make([]*Series, len(entrants))
	for i, e := range entrants {
		s, err := proc.Start(serverCPU, e.Args...)
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
		series[i] = &Series{Name: e.Name}
	}
	for range p.Rounds {
		for i, e := range entrants {
			e.Load.Addr = servers[i].Addr
			if err := series[i].measure(e.Load, p, servers[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name, err)
			}
		}
	}
	return series, nil
}

// measure opens connections for one round only: no server shall be tried by how
// long the others take.
func (s *Series) measure(c load.Config, p Plan, server *proc.Server) error {
	l, err := load.Open(c)
	if err != nil {
		return err
	}
	defer l.Close()
	r, err := l.Run(p.Warm, p.Measured, server.CPU)
	if err != nil {
		return err
	}
	s.TLS, s.Extensions = l.TLS(), l.Extensions()
	s.Rounds = append(s.Rounds, r)
	return nil
}

//go:build linux

// Package idle measures what open connections cost a server while nothing
// happens on them.
package idle

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/penstock-go/penstock/bench/internal/inspect"
	"github.com/penstock-go/penstock/bench/internal/load"
	"github.com/penstock-go/penstock/bench/internal/proc"
)

// Plan says what to open where.
type Plan struct {
	// Args is the server's command line, with {addr} where its address goes.
	Args []string
	// Load says what the connections are, and what they exchange before they are
	// left alone. Addr and Conns are filled in.
	Load load.Config
	// Few is how many connections are open when counting begins, Many when it ends.
	Few, Many int
	// Inspect says that the server answers the signals of package inspect.
	Inspect bool
}

// State is a server at one moment.
type State struct {
	// RSS is its resident memory in bytes.
	RSS int
	// Report is what it tells itself.
	inspect.Report
}

// Result has the server's state at both ends.
type Result struct {
	// Plan is what was done.
	Plan Plan
	// TLS is what the connections have agreed upon, if anything.
	TLS string
	// Few and Many are as the server left itself.
	Few, Many State
	// FewFreed and ManyFreed are after a collection that gave all free memory back,
	// if the server can be asked for one.
	FewFreed, ManyFreed State
}

// settle is for how long connections exchange messages before they are left
// alone, so that none is spared what the first message costs.
const settle = 20 * time.Millisecond

// Measure runs the plan on a server of its own.
func Measure(p Plan) (*Result, error) {
	s, err := proc.Start(proc.AnyCPU, p.Args...)
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	r := &Result{Plan: p}
	few, err := open(s, p, p.Few)
	if err != nil {
		return nil, err
	}
	defer few.Close()
	r.TLS = few.TLS()
	if r.Few, r.FewFreed, err = look(s, p); err != nil {
		return nil, err
	}
	rest, err := open(s, p, p.Many-p.Few)
	if err != nil {
		return nil, err
	}
	defer rest.Close()
	r.Many, r.ManyFreed, err = look(s, p)
	return r, err
}

func open(s *proc.Server, p Plan, conns int) (*load.Load, error) {
	p.Load.Addr, p.Load.Conns = s.Addr, conns
	l, err := load.Open(p.Load)
	if err != nil {
		return nil, err
	}
	if _, err := l.Run(0, settle, s.CPU); err != nil {
		l.Close()
		return nil, err
	}
	return l, s.Quiet()
}

// look takes the server's state before it is made to collect.
func look(s *proc.Server, p Plan) (natural, freed State, err error) {
	if natural, err = state(s, p, inspect.Natural); err == nil {
		freed, err = state(s, p, inspect.Freed)
	}
	return natural, freed, err
}

// state asks first, because collecting is what the answer to Freed does.
func state(s *proc.Server, p Plan, sig inspect.Signal) (st State, err error) {
	if p.Inspect {
		line, err := s.Ask(sig)
		if err != nil {
			return st, err
		}
		if st.Report, err = inspect.Parse(line); err != nil {
			return st, err
		}
	}
	st.RSS, err = s.RSS()
	return st, err
}

// PerConn is what a connection added to the resident memory, as the server left
// itself.
func (r *Result) PerConn() float64 { return r.slope(r.Few, r.Many) }

// PerConnFreed is the same after forced collections.
func (r *Result) PerConnFreed() float64 { return r.slope(r.FewFreed, r.ManyFreed) }

func (r *Result) slope(from, to State) float64 {
	return float64(to.RSS-from.RSS) / float64(r.Plan.Many-r.Plan.Few)
}

// Table writes the result as Markdown. A server that tells nothing about itself
// leaves gaps in it, and cannot be made to collect.
func (r *Result) Table(w io.Writer) {
	fmt.Fprintln(w, "| | connections | RSS kB | RSS bytes/connection | goroutines | stacks kB | heap kB | heap bytes/connection |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	r.rows(w, "natural", r.Few, r.Many)
	if r.Plan.Inspect {
		r.rows(w, "freed", r.FewFreed, r.ManyFreed)
	}
	if r.TLS != "" {
		fmt.Fprintf(w, "\n%s\n", r.TLS)
	}
}

func (r *Result) rows(w io.Writer, name string, few, many State) {
	heap := float64(many.HeapBytes) - float64(few.HeapBytes)
	fmt.Fprintf(w, "| %s | %d | %d | | %s | |\n", name, r.Plan.Few, few.RSS>>10, r.told(few))
	fmt.Fprintf(w, "| %s | %d | %d | %.0f | %s | %s |\n", name, r.Plan.Many, many.RSS>>10, r.slope(few, many),
		r.told(many), r.gap("%.0f", heap/float64(r.Plan.Many-r.Plan.Few)))
}

// told is what the server reports, as three columns.
func (r *Result) told(s State) string {
	return r.gap("%d | %d | %d", s.Goroutines, s.StackBytes>>10, s.HeapBytes>>10)
}

// gap leaves the figures out if the server has not been asked for them.
func (r *Result) gap(format string, figures ...any) string {
	if !r.Plan.Inspect {
		return strings.Join(make([]string, strings.Count(format, "|")+1), " | ")
	}
	return fmt.Sprintf(format, figures...)
}

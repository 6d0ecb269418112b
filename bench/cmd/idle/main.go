//go:build linux

// Command idle tells what connections cost a server that have nothing to say:
//
//	idle -conns 10000 -server 'penstock -addr {addr}'
//
// It opens WebSocket connections, a few at first so that the server has met all
// its code, then the rest, and compares the server's resident memory and its
// goroutines, as they are and after a forced collection. Programs that do not use
// bench/internal/inspect are measured from outside only; say -inspect=false.
package main

import (
	"errors"
	"flag"
	"io"
	"log"
	"os"
	"strings"

	"github.com/penstock-go/penstock/bench/internal/idle"
	"github.com/penstock-go/penstock/bench/internal/load"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("idle", flag.ContinueOnError)
	p := idle.Plan{}
	mode := f.String("mode", "ws", "ws or raw")
	f.IntVar(&p.Few, "few", 100, "connections to compare with")
	f.IntVar(&p.Many, "conns", 10_000, "connections")
	f.BoolVar(&p.Inspect, "inspect", true, "ask the server about itself")
	server := f.String("server", "", "`command` to start")
	if err := f.Parse(args); err != nil {
		return err
	}
	if p.Args = strings.Fields(*server); len(p.Args) == 0 {
		return errors.New("idle: no -server")
	}
	p.Mode = load.Mode(*mode)
	r, err := idle.Measure(p)
	if err != nil {
		return err
	}
	r.Table(stdout)
	return nil
}

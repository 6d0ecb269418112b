//go:build linux

// Command idle tells what connections cost a server that have nothing to say:
//
//	idle -conns 10000 -server 'penstock -addr {addr}'
//	idle -mode wss -conns 5000 -server 'penstock -addr {addr} -cert {cert} -key {key}'
//
// It opens WebSocket connections, a few at first so that the server has met all
// its code, then the rest, and compares the server's resident memory and its
// goroutines, as they are and after a forced collection. Programs that do not use
// bench/internal/inspect are measured from outside only; say -inspect=false.
//
// Every connection gets a message echoed, or some, before it is left alone. With
// TLS their -size matters, as buffers may stay that have grown for it, and so do
// -tls and -groups, which narrow what the connections offer. {cert} and {key} are
// files with a certificate made for the occasion.
package main

import (
	"errors"
	"flag"
	"io"
	"log"
	"os"
	"strings"

	"github.com/penstock-go/penstock/bench/internal/cert"
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
	mode := f.String("mode", "ws", "ws, wss or raw")
	f.IntVar(&p.Few, "few", 100, "connections to compare with")
	f.IntVar(&p.Many, "conns", 10_000, "connections")
	f.IntVar(&p.Load.Size, "size", 64, "payload `bytes` of the messages before")
	p.Load.TLS.Flags(f)
	f.BoolVar(&p.Inspect, "inspect", true, "ask the server about itself")
	server := f.String("server", "", "`command` to start")
	if err := f.Parse(args); err != nil {
		return err
	}
	if p.Args = strings.Fields(*server); len(p.Args) == 0 {
		return errors.New("idle: no -server")
	}
	p.Load.Mode = load.Mode(*mode)
	files, remove, err := cert.MakeTemp()
	if err != nil {
		return err
	}
	defer remove()
	p.Args = files.Fill(p.Args)
	r, err := idle.Measure(p)
	if err != nil {
		return err
	}
	r.Table(stdout)
	return nil
}

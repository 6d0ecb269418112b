//go:build linux

// Command compare measures servers against each other and prints a table.
//
//	compare -mode ws -conns 1000 -size 64 \
//		-server 'penstock=echo -addr {addr} -loops 1' \
//		-server 'floor:raw=floor -addr {addr}'
//	compare -mode wss -conns 200 -size 64 \
//		-server 'gorilla=gorilla -addr {addr} -cert {cert} -key {key}' \
//		-server 'penstock=echo -addr {addr} -loops 1 -cert {cert} -key {key}'
//
//	compare -mode wsz -conns 200 -size 1024 \
//		-server 'gws=gws -addr {addr} -deflate' \
//		-server 'penstock=echo -addr {addr} -loops 1 -deflate'
//	compare -mode fan -conns 5000 -size 1024 \
//		-server 'floor:rawfan=floor -addr {addr} -fan' \
//		-server 'gws=gws -addr {addr} -fan' \
//		-server 'penstock=penstock -addr {addr} -fan'
//
// wsz is a compressed echo, with -takeover of messages that may refer to those
// before. fan and fanz are broadcasts, plain and compressed: what one connection
// sends comes back on all, and a message is one of these arrivals.
//
// file gets a long answer and hardly looks at it:
//
//	compare -mode file -path /1m -conns 16 \
//		-server 'nginx=nginx -c /tmp/nginx.conf' \
//		-server 'penstock=penstock -addr {addr} -files /tmp/files'
//
// {cert} and {key} are files with a certificate made for the occasion; -tls and
// -groups narrow what the connections offer. A mode behind a server's name is its own instead of -mode. A raw server among
// others that speak WebSocket gets as many bytes as they.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/penstock-go/penstock/bench/internal/cert"
	"github.com/penstock-go/penstock/bench/internal/load"
	"github.com/penstock-go/penstock/bench/internal/versus"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	c := load.Config{}
	mode := f.String("mode", "ws", "ws, wss, wsz, fan, fanz, http, https, file, raw or rawfan")
	f.IntVar(&c.Conns, "conns", 100, "connections")
	f.IntVar(&c.Size, "size", 64, "payload `bytes` of a message")
	f.IntVar(&c.Depth, "depth", 1, "messages in flight on each connection")
	f.BoolVar(&c.Takeover, "takeover", false, "let messages of wsz refer to those before")
	f.StringVar(&c.Path, "path", "", "what http and file get, /plain if empty, or where ws shakes hands, each also over TLS")
	c.TLS.Flags(f)
	rounds := f.Int("rounds", 7, "measurements of each server")
	seconds := f.Float64("seconds", 1, "of each measurement")
	var entrants []versus.Entrant
	f.Func("server", "`name[:mode]=command` to start; may be repeated", func(v string) error {
		e, err := parse(v)
		entrants = append(entrants, e)
		return err
	})
	if err := f.Parse(args); err != nil {
		return err
	}
	if len(entrants) == 0 {
		return errors.New("compare: no -server")
	}
	if c.Mode = load.Mode(*mode); c.Mode.Plain() == load.HTTP && c.Path == "" {
		c.Path = "/plain"
	}
	files, remove, err := cert.MakeTemp()
	if err != nil {
		return err
	}
	defer remove()
	for i, e := range entrants {
		entrants[i].Args = files.Fill(e.Args)
		entrants[i].Load = configFor(e.Load.Mode, c)
	}
	measured := time.Duration(*seconds * float64(time.Second))
	all, err := versus.Run(entrants, versus.Plan{Rounds: *rounds, Warm: measured / 4, Measured: measured})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s, %d connections, %d bytes, %d in flight, %d rounds of %v\n\n", c.Mode, c.Conns, c.Size, c.Depth, *rounds, measured)
	versus.Table(stdout, all)
	return nil
}

// parse takes a -server apart; the mode it may have is kept in Load.
func parse(v string) (e versus.Entrant, err error) {
	name, command, found := strings.Cut(v, "=")
	name, mode, _ := strings.Cut(name, ":")
	e = versus.Entrant{Name: name, Args: strings.Fields(command), Load: load.Config{Mode: load.Mode(mode)}}
	if !found || len(e.Args) == 0 {
		return e, errors.New("want name=command")
	}
	return e, nil
}

// configFor is c for a server that may have a mode of its own.
func configFor(own load.Mode, c load.Config) load.Config {
	switch {
	case own == load.Raw && c.Mode.Plain() == load.WS:
		c.Size = load.WireSize(c.Size)
	case own == load.RawFan && c.Mode.Plain() == load.WS:
		c.Size = load.AnswerSize(c.Size)
	}
	if own != "" {
		c.Mode, c.Takeover = own, false
	}
	return c
}

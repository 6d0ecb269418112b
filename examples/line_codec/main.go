// Command line_codec serves a line protocol of its own. All that it writes is the
// codec: sessions, back-pressure, limits, timers, and TLS when the vhost has
// it, come with the engine.
//
//	$ printf 'hello\n' | nc 127.0.0.1 7000
//	HELLO
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec"
	"github.com/penstock-go/penstock/engine"
)

// Lines is a codec whose messages end with a newline.
type Lines struct{ Max int }

// NewDecoder returns the state of one connection: how far it has searched.
func (c Lines) NewDecoder() codec.Decoder { return &decoder{max: c.Max} }

// Append refuses a message that would be two.
func (c Lines) Append(dst, msg []byte) ([]byte, error) {
	if bytes.IndexByte(msg, '\n') >= 0 {
		return dst, &codec.Error{Text: "a line cannot hold a newline"}
	}
	return append(append(dst, msg...), '\n'), nil
}

type decoder struct{ max, searched int }

func (d *decoder) Next(b []byte) (n int, msg []byte, ok bool, err error) {
	i := bytes.IndexByte(b[d.searched:], '\n')
	if i < 0 && len(b) > d.max {
		return 0, nil, false, &codec.Error{Text: "line too long", Answer: []byte("ERROR line too long\n")}
	}
	if i < 0 {
		d.searched = len(b) // a long line is searched once, not once a byte
		return 0, nil, false, nil
	}
	end := d.searched + i
	d.searched = 0
	return end + 1, bytes.TrimSuffix(b[:end], []byte("\r")), true, nil
}

func shout(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.RawAdopt:
		s.SetTimer(time.Minute)
	case callbacks.RawRX:
		s.SetTimer(time.Minute)
		return s.Write(bytes.ToUpper(in), callbacks.WriteText)
	case callbacks.Timer: // a minute without a line
		return callbacks.ErrClose
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("line_codec", flag.ContinueOnError)
	f.SetOutput(out)
	addr := f.String("addr", "127.0.0.1:7000", "`address` to listen on")
	if err := f.Parse(args); err != nil {
		return err
	}
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen:      []string{"tcp://" + *addr},
		RawProtocol: "lines",
		Protocols:   []callbacks.Protocol{{Name: "lines", Callback: shout, Codec: Lines{Max: 64 << 10}}},
	}}})
	if err != nil {
		return err
	}
	if err := e.Listen(); err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on %s\n", e.Addrs()[0])
	return e.Run(ctx)
}

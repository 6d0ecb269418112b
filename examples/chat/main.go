package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/engine"
)

//go:embed page.html
var page []byte

const (
	mostSaid = 4 << 10   // bytes of one message
	backlog  = 256 << 10 // bytes that may wait for one member
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("chat", flag.ContinueOnError)
	f.SetOutput(out)
	addr := f.String("addr", "127.0.0.1:7682", "`address` to listen on")
	loops := f.Int("loops", 0, "event loops; 0 is one for each processor")
	cert := f.String("cert", "", "certificate `file`, PEM or DER: speak https and wss")
	key := f.String("key", "", "its private key's `file`, if it is not in the same")
	if err := f.Parse(args); err != nil {
		return err
	}
	scheme, secure := "http", (*engine.ServerTLS)(nil)
	if *cert != "" || *key != "" {
		scheme, secure = "https", &engine.ServerTLS{CertFile: *cert, KeyFile: *key}
	}
	var house house
	e, err := engine.New(engine.Config{
		Loops: *loops,
		Vhosts: []engine.Vhost{{
			Listen: []string{"tcp://" + *addr},
			Protocols: []callbacks.Protocol{{
				Name:       "chat",
				Callback:   callbacks.WithState(house.callback),
				MaxMessage: mostSaid,
				Deflate:    &deflate.Config{},
				Origins:    []string{"same"}, // no other site's page may speak for its visitors
				SendQueue:  backlog,
				Overflow:   callbacks.OverflowDropOldest,
			}},
			TLS: secure,
		}},
	})
	if err != nil {
		return err
	}
	if err := e.Listen(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s://%s/\n", scheme, e.Addrs()[0])
	return e.Run(ctx)
}

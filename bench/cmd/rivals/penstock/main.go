// Command penstock is the echo server of the examples once more, for what that
// one has no use for: it counts its goroutines when asked, and writes a profile
// of itself.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/penstock-go/penstock/bench/internal/inspect"
	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7681", "`address` to listen on")
	loops := flag.Int("loops", 1, "event loops")
	cert := flag.String("cert", "", "TLS certificate `file`; no TLS if empty")
	key := flag.String("key", "", "TLS key `file`")
	profile := flag.String("cpuprofile", "", "`file` for a profile of the whole run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	inspect.Start()
	if err := run(ctx, *addr, *loops, secure(*cert, *key), *profile); err != nil {
		log.Fatal(err)
	}
}

func secure(cert, key string) *engine.ServerTLS {
	if cert == "" {
		return nil
	}
	return &engine.ServerTLS{CertFile: cert, KeyFile: key}
}

func run(ctx context.Context, addr string, loops int, tls *engine.ServerTLS, profile string) error {
	e, err := engine.New(engine.Config{
		Loops: loops,
		Vhosts: []engine.Vhost{{
			Listen:    []string{"tcp://" + addr},
			TLS:       tls,
			Protocols: []callbacks.Protocol{{Name: "echo-protocol", Callback: echo}},
		}},
	})
	if err != nil {
		return err
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	return e.Run(ctx)
}

var hello = []byte("Hello, World!")

func echo(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.Receive:
		return s.Write(in, s.Kind())
	case callbacks.HTTP:
		if string(s.Request().Path()) == "/plain" {
			return s.Respond(200, "text/plain", hello)
		}
	}
	return nil
}

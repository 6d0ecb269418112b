// Command handler answers GET /plain by one http.Handler, behind net/http's own server
// or, with -engine, behind Penstock's engine.Handler; with TLS if there is a certificate.
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"net/http"
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
	cert := flag.String("cert", "", "TLS certificate `file`; no TLS if empty")
	key := flag.String("key", "", "TLS key `file`")
	engines := flag.Bool("engine", false, "serve by Penstock")
	loops := flag.Int("loops", 1, "event loops, with -engine")
	profile := flag.String("cpuprofile", "", "`file` for a profile of the whole run, until SIGTERM")
	flag.Parse()
	inspect.Start()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plain", hello)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			log.Fatal(err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			log.Fatal(err)
		}
		defer f.Close()
		defer pprof.StopCPUProfile()
	}
	var err error
	if *engines {
		err = runEngine(ctx, mux, *addr, *cert, *key, *loops)
	} else {
		err = runNetHTTP(ctx, mux, *addr, *cert, *key)
	}
	if err != nil {
		log.Print(err)
	}
}

func hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, "Hello, World!")
}

func runNetHTTP(ctx context.Context, h http.Handler, addr, cert, key string) error {
	s := &http.Server{Addr: addr, Handler: h}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if cert != "" {
		return s.ListenAndServeTLS(cert, key)
	}
	return s.ListenAndServe()
}

func runEngine(ctx context.Context, h http.Handler, addr, cert, key string, loops int) error {
	v := engine.Vhost{
		Listen: []string{"tcp://" + addr},
		Protocols: []callbacks.Protocol{{Name: "nothing", Callback: func(callbacks.Session, callbacks.Reason, []byte) error {
			return nil
		}}},
		Mounts: []engine.Mount{engine.Handler("/", h)},
	}
	if cert != "" {
		v.TLS = &engine.ServerTLS{CertFile: cert, KeyFile: key}
	}
	e, err := engine.New(engine.Config{Loops: loops, Vhosts: []engine.Vhost{v}})
	if err != nil {
		return err
	}
	return e.Run(ctx)
}

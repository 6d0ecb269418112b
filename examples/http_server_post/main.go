// Command http_server_post takes HTTP requests, logs their path and body, and
// answers POST with a small JSON document.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("http_server_post", flag.ContinueOnError)
	f.SetOutput(out)
	addr := f.String("addr", "127.0.0.1:8080", "`address` to listen on")
	cert := f.String("cert", "", "certificate `file`, PEM or DER: speak https")
	key := f.String("key", "", "its private key's `file`, if it is not in the same")
	if err := f.Parse(args); err != nil {
		return err
	}
	scheme, secure := "http", (*engine.ServerTLS)(nil)
	if *cert != "" || *key != "" {
		scheme, secure = "https", &engine.ServerTLS{CertFile: *cert, KeyFile: *key}
	}
	server := &server{log: log.New(out, "", 0)}
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen:    []string{"tcp://" + *addr},
		Protocols: []callbacks.Protocol{{Name: "http", Callback: server.callback}},
		TLS:       secure,
	}}})
	if err != nil {
		return err
	}
	if err := e.Listen(); err != nil {
		return err
	}
	server.log.Printf("listening on %s://%s/", scheme, e.Addrs()[0])
	return e.Run(ctx)
}

type server struct{ log *log.Logger }

const responseJSON = `{"status": "success", "message": "Received your request."}`

func (v *server) callback(s callbacks.Session, reason callbacks.Reason, in []byte) error {
	switch reason {
	case callbacks.HTTP:
		v.log.Printf("path: %s", in)

	case callbacks.HTTPBody:
		v.log.Printf("recv body: %s", in)

	case callbacks.HTTPBodyCompletion:
		// A response may be written by hand, head and all. The engine reads along,
		// so it knows where this one ends and that the connection closes.
		response := fmt.Sprintf("HTTP/1.1 200 OK\r\n"+
			"Content-Type: application/json\r\n"+
			"Content-Length: %d\r\n"+
			"Connection: close\r\n"+
			"\r\n"+
			"%s", len(responseJSON), responseJSON)
		if err := s.Write([]byte(response), callbacks.WriteHTTP); err != nil {
			return err
		}
		v.log.Printf("response: %s", responseJSON)
	}
	// What is not answered by now, a GET say, is answered here.
	return callbacks.CallbackHTTPDummy(s, reason, in)
}

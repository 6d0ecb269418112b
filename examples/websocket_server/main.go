// Command websocket_server is the WebSocket server that every introduction to
// libwebsockets has: it logs what clients say and sends it back, by wss if it is
// given a certificate.
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// receiveBuffer is the largest piece of a message that a callback gets.
const receiveBuffer = 4096

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("websocket_server", flag.ContinueOnError)
	f.SetOutput(out)
	addr := f.String("addr", "127.0.0.1:8080", "`address` to listen on")
	cert := f.String("cert", "", "certificate `file`, PEM or DER: speak wss")
	key := f.String("key", "", "its private key's `file`, if it is not in the same")
	if err := f.Parse(args); err != nil {
		return err
	}
	scheme, secure := "ws", (*engine.ServerTLS)(nil)
	if *cert != "" || *key != "" {
		scheme, secure = "wss", &engine.ServerTLS{CertFile: *cert, KeyFile: *key}
	}
	server := &server{log: log.New(out, "", 0)}
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen: []string{"tcp://" + *addr},
		Protocols: []callbacks.Protocol{
			{Name: "echo_server", Callback: server.callback, RxBufferSize: receiveBuffer},
		},
		TLS: secure,
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

func (v *server) callback(s callbacks.Session, reason callbacks.Reason, in []byte) error {
	switch reason {
	case callbacks.Established:
		v.log.Print("Client connected")

	case callbacks.Receive:
		v.log.Printf("Received msg from client: %s", in)
		// A long message comes in pieces; Kind says how to send each of them on.
		if err := s.Write(in, s.Kind()); err != nil {
			return err
		}
		v.log.Printf("Send msg to client: %s", in)

	case callbacks.Closed:
		v.log.Print("Client disconnected")
	}
	return nil
}

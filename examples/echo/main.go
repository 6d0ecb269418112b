// Command echo sends back what it gets, by WebSocket and by HTTP, with TLS if it is
// given a certificate.
//
//	GET /       a page to try it from a browser
//	GET /plain  Hello, World!
//	otherwise   the request's body, streamed
//	WebSocket   on any path: every message, of the same kind
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/engine"
)

//go:embed page.html
var page []byte

var hello = []byte("Hello, World!")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	f := flag.NewFlagSet("echo", flag.ContinueOnError)
	f.SetOutput(stderr)
	addr := f.String("addr", "127.0.0.1:7681", "`address` to listen on")
	loops := f.Int("loops", 0, "event loops; 0 is one for each processor")
	most := f.Int64("max-message", 64<<20, "longest WebSocket message, in bytes; 0 is no limit")
	cert := f.String("cert", "", "certificate `file`, PEM or DER: speak https and wss")
	key := f.String("key", "", "its private key's `file`, if it is not in the same")
	compress := f.Bool("deflate", false, "compress messages, if the client can")
	if err := f.Parse(args); err != nil {
		return err
	}
	protocol := callbacks.Protocol{Name: "echo-protocol", Callback: echo}
	if *compress {
		protocol.Deflate = &deflate.Config{}
	}
	e, err := engine.New(engine.Config{
		Loops:  *loops,
		Limits: limits(*most),
		Vhosts: []engine.Vhost{{
			Listen:    []string{"tcp://" + *addr},
			Protocols: []callbacks.Protocol{protocol},
			TLS:       secure(*cert, *key),
		}},
	})
	if err != nil {
		return err
	}
	if err := e.Listen(); err != nil {
		return err
	}
	scheme := "http"
	if *cert != "" {
		scheme = "https"
	}
	fmt.Fprintf(stderr, "%s://%s/\n", scheme, e.Addrs()[0])
	return e.Run(ctx)
}

func secure(cert, key string) *engine.ServerTLS {
	if cert == "" && key == "" {
		return nil
	}
	return &engine.ServerTLS{CertFile: cert, KeyFile: key}
}

// limits lets a whole message wait for its reader, and a body have no end. What is not
// HTTP to the letter is refused, also where browsers do not keep to it.
func limits(most int64) engine.Limits {
	lim := engine.Limits{Message: -1, SendQueue: -1, Body: -1, HTTP: http1.Limits{StrictTarget: true}}
	if most > 0 {
		lim.Message, lim.SendQueue = most, int(2*most)+1<<20
	}
	return lim
}

func echo(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.Receive:
		return s.Write(in, s.Kind())
	case callbacks.HTTP:
		return request(s, s.Request())
	case callbacks.HTTPBody:
		return s.Write(in, callbacks.WriteHTTP)
	case callbacks.HTTPBodyCompletion:
		if s.Request().Framing().Kind == http1.Chunked {
			return s.Write(nil, callbacks.WriteHTTPFinal)
		}
	}
	return nil
}

// methods are what Allow tells; others have their body sent back too.
const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// errMethod refuses what an echo cannot mean: a tunnel, and a request sent back with
// the secrets that proxies have put into it.
var errMethod = http1.NewError(405, "neither CONNECT nor TRACE")

func request(s callbacks.Session, q *http1.Request) error {
	method := string(q.Method())
	get := method == "GET" || method == "HEAD"
	body := q.Framing()
	switch {
	case method == "CONNECT" || method == "TRACE":
		return errors.Join(errMethod, s.AddHeader("Allow", methods))
	case method == "OPTIONS":
		if err := s.AddHeader("Allow", methods); err != nil {
			return err
		}
	}
	switch {
	case get && body.Empty() && string(q.Path()) == "/":
		return s.Respond(200, "text/html; charset=utf-8", page)
	case get && body.Empty() && string(q.Path()) == "/plain":
		return s.Respond(200, "text/plain", hello)
	case body.Kind == http1.Chunked:
		return s.StartResponse(200, "application/octet-stream", -1)
	}
	return s.StartResponse(200, "application/octet-stream", body.Length)
}

// Command websocket_client connects to a WebSocket server, says hello and prints
// what comes back, until the server closes or it is interrupted. With -echo it
// sends everything back instead, and with -reconnect it outlives its servers.
package main

import (
	"context"
	"errors"
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

const mostMessage = 64 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("websocket_client", flag.ContinueOnError)
	f.SetOutput(out)
	target := f.String("url", "ws://127.0.0.1:7681/", "where to connect")
	protocol := f.String("protocol", "", "subprotocols to offer, separated by commas")
	message := f.String("message", "Hello, server!", "what to send first")
	echo := f.Bool("echo", false, "send back what arrives, instead of printing it")
	insecure := f.Bool("insecure", false, "accept any certificate of a wss server")
	ca := f.String("ca", "", "`file` of the authorities to trust, instead of the system's")
	compress := f.Bool("deflate", false, "offer to compress messages")
	proxy := f.String("proxy", "", "`url` of a proxy, http://user:password@host:port or socks5://...")
	reconnect := f.Bool("reconnect", false, "try again for ever, when there is no connection and when it is lost")
	if err := f.Parse(args); err != nil {
		return err
	}
	info, err := engine.ParseClientURL(*target)
	if err != nil {
		return err
	}
	info.Protocol, info.Proxy = *protocol, *proxy
	if *reconnect {
		info.Retry = &engine.RetryPolicy{Conceal: -1, Reconnect: true}
	}
	if *insecure && info.Flags&engine.UseSSL != 0 {
		info.Flags |= engine.AllowInsecure
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	c := &client{out: out, message: *message, echo: *echo, reconnect: *reconnect, done: done}
	local := callbacks.Protocol{Callback: c.callback}
	if *compress {
		local.Deflate = &deflate.Config{}
	}
	e, err := engine.New(engine.Config{
		Loops:  1,
		Limits: engine.Limits{Message: mostMessage, SendQueue: 2*mostMessage + 1<<20},
		Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{local}, ClientTLS: &engine.ClientTLS{CAFile: *ca}}},
	})
	if err != nil {
		return err
	}
	if _, err := e.Connect(info); err != nil {
		return err
	}
	return errors.Join(e.Run(ctx), c.err)
}

type client struct {
	out       io.Writer
	message   string
	echo      bool
	reconnect bool
	done      func()
	err       error
}

func (c *client) callback(s callbacks.Session, reason callbacks.Reason, in []byte) error {
	switch reason {
	case callbacks.ClientConnectionError:
		if c.err = s.Err(); c.reconnect && errors.Is(c.err, engine.ErrClosed) {
			c.err = nil // interrupted while it was waiting
		}
		c.done()

	case callbacks.ClientRetrying:
		fmt.Fprintf(c.out, "trying again in %s\n", in)

	case callbacks.ClientEstablished:
		if !c.echo {
			fmt.Fprintf(c.out, "send message: %s\n", c.message)
			return s.Write([]byte(c.message), callbacks.WriteText)
		}

	case callbacks.ClientReceive:
		if c.echo {
			return s.Write(in, s.Kind())
		}
		fmt.Fprintf(c.out, "Received message: %s\n", in)

	case callbacks.ClientClosed:
		code, why := s.CloseStatus()
		fmt.Fprintf(c.out, "closed: %d %s\n", code, why)
		if !c.reconnect {
			c.done()
		}
	}
	return nil
}

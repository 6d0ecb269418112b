// Command penstock is the echo server of the examples once more, for what that
// one has no use for: it counts its goroutines when asked, and writes a profile
// of itself.
//
//	penstock -deflate                       permessage-deflate, as Config's zero value sets it
//	penstock -deflate -takeover -window 12  messages refer to those before, at most 2^12 bytes back
//	penstock -fan                           sends each message to all, by a topic
//	penstock -files /tmp/files              serves the folder
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
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/engine"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7681", "`address` to listen on")
	loops := flag.Int("loops", 1, "event loops")
	cert := flag.String("cert", "", "TLS certificate `file`; no TLS if empty")
	key := flag.String("key", "", "TLS key `file`")
	profile := flag.String("cpuprofile", "", "`file` for a profile of the whole run")
	deflates := flag.Bool("deflate", false, "compress")
	takeover := flag.Bool("takeover", false, "compress with what was sent before")
	window := flag.Uint("window", 15, "`bits` of both sides' windows")
	level := flag.Int("level", 0, "how hard to compress; 0 is the library's choice")
	threshold := flag.Int("threshold", 0, "`bytes` from which on to compress; 0 is the library's choice")
	pieces := flag.Int("pieces", 0, "deliver messages in pieces of so many `bytes`; 0 is whole")
	fans := flag.Bool("fan", false, "send to all")
	files := flag.String("files", "", "`folder` to serve")
	flag.Parse()
	p := callbacks.Protocol{Name: "echo-protocol", Callback: echo, RxBufferSize: *pieces}
	if *fans {
		p.Callback = fan
	}
	if *deflates {
		d := deflate.Direction{Takeover: *takeover, WindowBits: uint8(*window)}
		p.Deflate = &deflate.Config{Level: *level, Threshold: *threshold, Server: d, Client: d}
	}
	var mounts []engine.Mount
	if *files != "" {
		mounts = append(mounts, engine.Files("/", engine.Dir(*files)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	inspect.Start()
	err := run(ctx, engine.Config{
		Loops: *loops,
		Vhosts: []engine.Vhost{{
			Listen:    []string{"tcp://" + *addr},
			TLS:       secure(*cert, *key),
			Protocols: []callbacks.Protocol{p},
			Mounts:    mounts,
		}},
	}, *profile)
	if err != nil {
		log.Fatal(err)
	}
}

func secure(cert, key string) *engine.ServerTLS {
	if cert == "" {
		return nil
	}
	return &engine.ServerTLS{CertFile: cert, KeyFile: key}
}

func run(ctx context.Context, c engine.Config, profile string) error {
	e, err := engine.New(c)
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

// everyone is the topic of all who are connected.
const everyone = "all"

func fan(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.Established:
		return s.Subscribe(everyone)
	case callbacks.Receive:
		return s.Publish(everyone, callbacks.NewMessage(in, s.Kind()))
	}
	return nil
}

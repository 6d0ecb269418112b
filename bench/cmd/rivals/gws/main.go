// Command gws is an echo server on lxzan/gws with nothing but its defaults, and
// with TLS if there is a certificate.
//
//	gws -deflate            permessage-deflate, as the library sets it: level 1, from
//	                        512 bytes on
//	gws -deflate -takeover  messages refer to those before, in the library's windows
//	                        of 4 KiB
//	gws -fan                sends each message to all, by a Broadcaster
package main

import (
	"flag"
	"log"

	"github.com/lxzan/gws"

	"github.com/penstock-go/penstock/bench/internal/inspect"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7681", "`address` to listen on")
	cert := flag.String("cert", "", "TLS certificate `file`; no TLS if empty")
	key := flag.String("key", "", "TLS key `file`")
	deflate := flag.Bool("deflate", false, "compress")
	takeover := flag.Bool("takeover", false, "compress with what was sent before")
	fans := flag.Bool("fan", false, "send to all")
	flag.Parse()
	inspect.Start()
	s := gws.NewServer(handler(*fans), &gws.ServerOption{Logger: quiet{}, PermessageDeflate: gws.PermessageDeflate{
		Enabled:               *deflate,
		ServerContextTakeover: *takeover,
		ClientContextTakeover: *takeover,
	}})
	if *cert != "" {
		log.Fatal(s.RunTLS(*addr, *cert, *key))
	}
	log.Fatal(s.Run(*addr))
}

func handler(fans bool) gws.Event {
	if fans {
		return &fan{all: gws.NewConcurrentMap[*gws.Conn, struct{}]()}
	}
	return echo{}
}

type echo struct{ gws.BuiltinEventHandler }

func (echo) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // OnClose follows an error
}

type fan struct {
	gws.BuiltinEventHandler
	all *gws.ConcurrentMap[*gws.Conn, struct{}]
}

func (f *fan) OnOpen(c *gws.Conn) { f.all.Store(c, struct{}{}) }

func (f *fan) OnClose(c *gws.Conn, _ error) { f.all.Delete(c) }

// OnMessage leaves m to the collector: connections that were slow may still read it
// when this returns.
func (f *fan) OnMessage(_ *gws.Conn, m *gws.Message) {
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	f.all.Range(func(c *gws.Conn, _ struct{}) bool {
		_ = b.Broadcast(c) // OnClose follows an error
		return true
	})
}

// quiet drops what gws has to say of connections that end with an RST.
type quiet struct{}

func (quiet) Error(...any) {}

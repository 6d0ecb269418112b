// Command gws is an echo server on lxzan/gws with nothing but its defaults, and
// with TLS if there is a certificate.
package main

import (
	"flag"
	"log"

	"github.com/lxzan/gws"

	"github.com/penstock-go/penstock/bench/internal/inspect"
)

type echo struct{ gws.BuiltinEventHandler }

func (echo) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // OnClose follows an error
}

func main() {
	addr := flag.String("addr", "127.0.0.1:7681", "`address` to listen on")
	cert := flag.String("cert", "", "TLS certificate `file`; no TLS if empty")
	key := flag.String("key", "", "TLS key `file`")
	flag.Parse()
	inspect.Start()
	s := gws.NewServer(echo{}, &gws.ServerOption{Logger: quiet{}})
	if *cert != "" {
		log.Fatal(s.RunTLS(*addr, *cert, *key))
	}
	log.Fatal(s.Run(*addr))
}

// quiet drops what gws has to say of connections that end with an RST.
type quiet struct{}

func (quiet) Error(...any) {}

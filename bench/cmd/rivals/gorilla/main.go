// Command gorilla is an echo server on net/http and gorilla/websocket, with
// nothing but their defaults: WebSocket on any path, and GET /plain, with TLS if
// there is a certificate, and with -deflate compressed, which the library does
// without takeover and at level 1.
package main

import (
	"flag"
	"io"
	"log"
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/penstock-go/penstock/bench/internal/inspect"
)

var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}

func main() {
	addr := flag.String("addr", "127.0.0.1:7681", "`address` to listen on")
	cert := flag.String("cert", "", "TLS certificate `file`; no TLS if empty")
	key := flag.String("key", "", "TLS key `file`")
	flag.BoolVar(&upgrader.EnableCompression, "deflate", false, "compress")
	flag.Parse()
	inspect.Start()
	http.HandleFunc("/", echo)
	http.HandleFunc("/plain", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "Hello, World!")
	})
	if *cert != "" {
		log.Fatal(http.ListenAndServeTLS(*addr, *cert, *key, nil))
	}
	log.Fatal(http.ListenAndServe(*addr, nil))
}

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	defer c.Close()
	for {
		kind, p, err := c.ReadMessage()
		if err != nil {
			return
		}
		if err := c.WriteMessage(kind, p); err != nil {
			return
		}
	}
}

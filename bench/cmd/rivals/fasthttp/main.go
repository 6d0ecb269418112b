// Command fasthttp answers GET /plain by valyala/fasthttp with nothing but its
// defaults, with TLS if there is a certificate.
package main

import (
	"flag"
	"log"

	"github.com/valyala/fasthttp"

	"github.com/penstock-go/penstock/bench/internal/inspect"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7681", "`address` to listen on")
	cert := flag.String("cert", "", "TLS certificate `file`; no TLS if empty")
	key := flag.String("key", "", "TLS key `file`")
	flag.Parse()
	inspect.Start()
	if *cert != "" {
		log.Fatal(fasthttp.ListenAndServeTLS(*addr, *cert, *key, answer))
	}
	log.Fatal(fasthttp.ListenAndServe(*addr, answer))
}

func answer(c *fasthttp.RequestCtx) {
	if string(c.Path()) != "/plain" {
		c.Error("not found", fasthttp.StatusNotFound)
		return
	}
	c.SetContentType("text/plain")
	c.SetBodyString("Hello, World!")
}

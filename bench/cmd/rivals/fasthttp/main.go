// Command fasthttp answers GET /plain by valyala/fasthttp with nothing but its
// defaults.
package main

import (
	"flag"
	"log"

	"github.com/valyala/fasthttp"

	"github.com/penstock-go/penstock/bench/internal/inspect"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7681", "`address` to listen on")
	flag.Parse()
	inspect.Start()
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

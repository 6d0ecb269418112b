package main

import (
	"context"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// A client that asks for the protocol by ALPN gets it from a port that otherwise
// speaks HTTP: the codec has nothing to do with it.
func TestLinesByALPN(t *testing.T) {
	wstest.NoLeaks(t)
	cert := wstest.MakeCertificate(t)
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen:    []string{"tcp://127.0.0.1:0"},
		TLS:       &engine.ServerTLS{CertFile: cert.Cert, KeyFile: cert.Key},
		Protocols: []callbacks.Protocol{{Name: "lines", Callback: shout, Codec: Lines{Max: 64 << 10}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()

	cert.Trust.NextProtos = []string{"lines"}
	c := wstest.ConnectTLS(t, e.Addrs()[0].String(), cert.Trust)
	c.Send("hello\nwor")
	c.Expect("HELLO\n")
	c.Send("ld\n")
	c.Expect("WORLD\n")
	cert.Trust.NextProtos = []string{"http/1.1"}
	web := wstest.ConnectTLS(t, e.Addrs()[0].String(), cert.Trust)
	web.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp, _ := web.Body("GET"); resp.StatusCode != 404 {
		t.Errorf("by HTTP: status %s", resp.Status)
	}
	_ = web.Close()

	cancel()
	c.ExpectEOF()
	_ = c.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

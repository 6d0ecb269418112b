package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// A server that asks somebody else who may open a WebSocket, and does not keep its loop
// waiting for the answer.
func ExampleEngine_heldUpgrade() {
	mayEnter := func(token string) bool { return token == "sesame" } // imagine a database
	server := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r != callbacks.FilterProtocolConnection {
			return nil
		}
		value, _ := s.Request().Header().Get("Authorization")
		token, h := string(value), s.Handle() // the value dies with the callback
		s.Hold()
		go func() {
			enters := mayEnter(token)
			_ = h.Post(func(s callbacks.Session) error {
				if enters {
					return s.Proceed()
				}
				return errors.Join(s.AddHeader("WWW-Authenticate", "Word"), s.Respond(401, "text/plain", []byte("what is the word?\n")))
			})
		}()
		return nil
	}

	ctx, stop := context.WithCancel(context.Background())
	var e *engine.Engine
	connect := func(word string) {
		info, err := engine.ParseClientURL("ws://" + e.Addrs()[0].String() + "/")
		if err != nil {
			log.Fatal(err)
		}
		info.Vhost, info.UserData = "client", word
		if _, err := e.Connect(info); err != nil {
			log.Fatal(err)
		}
	}
	client := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.ClientAppendHandshakeHeader:
			return s.AddHeader("Authorization", s.UserData().(string))
		case callbacks.ClientConnectionError:
			fmt.Println(s.UserData(), s.Response().Status())
			connect("sesame")
		case callbacks.ClientEstablished:
			fmt.Println(s.UserData(), "opens")
			stop()
		}
		return nil
	}
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{
		{Name: "server", Listen: []string{"tcp://127.0.0.1:0"}, Protocols: []callbacks.Protocol{{Callback: server}}},
		{Name: "client", Protocols: []callbacks.Protocol{{Callback: client}}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		log.Fatal(err)
	}
	connect("barley")
	if err := e.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// barley 401
	// sesame opens
}

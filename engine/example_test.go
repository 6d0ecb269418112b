package engine_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// A server and a client in one engine.
func ExampleNew() {
	ctx, stop := context.WithCancel(context.Background())
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen: []string{"tcp://127.0.0.1:0"},
		Protocols: []callbacks.Protocol{{Name: "echo", Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.Receive: // the server
				return s.Write(in, s.Kind())
			case callbacks.ClientEstablished:
				return s.Write([]byte("hello"), callbacks.WriteText)
			case callbacks.ClientReceive:
				fmt.Printf("%s\n", in)
				return callbacks.ErrClose
			case callbacks.ClientClosed:
				stop()
			}
			return nil
		}}},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		log.Fatal(err)
	}
	info, err := engine.ParseClientURL("ws://" + e.Addrs()[0].String() + "/")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := e.Connect(info); err != nil {
		log.Fatal(err)
	}
	if err := e.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

// Two protocols behind one address, and an old path that has moved.
func ExampleCallback() {
	say := func(text string) callbacks.Callback {
		return func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.HTTP {
				return s.Respond(200, "text/plain", fmt.Appendf(nil, "%s %s", text, in))
			}
			return nil
		}
	}
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen:    []string{"tcp://127.0.0.1:0"},
		Protocols: []callbacks.Protocol{{Name: "site", Callback: say("site")}, {Name: "api", Callback: say("api")}},
		Mounts:    []engine.Mount{engine.Callback("/api", "api"), engine.Redirect("/old", 308, "/api/v1")},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	for _, path := range []string{"/index", "/api/users", "/old"} {
		fmt.Println(fetch("http://" + e.Addrs()[0].String() + path))
	}
	stop()
	<-done
	// Output:
	// site /index
	// api /users
	// api /v1
}

func fetch(url string) string {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	return string(body)
}

func ExampleParseClientURL() {
	info, err := engine.ParseClientURL("ws://example.com:8080/chat?room=1")
	fmt.Println(info.Address, info.Port, info.Path, err)
	// Output: example.com 8080 /chat?room=1 <nil>
}

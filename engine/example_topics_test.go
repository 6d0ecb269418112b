package engine_test

import (
	"context"
	"fmt"
	"log"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// A newsroom: clients subscribe by connecting, and another goroutine publishes.
func ExampleEngine_Publish() {
	ctx, stop := context.WithCancel(context.Background())
	subscribed := make(chan struct{})
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen: []string{"tcp://127.0.0.1:0"},
		Protocols: []callbacks.Protocol{{
			Name:     "news",
			Overflow: callbacks.OverflowDropOldest, // who is slow gets the latest
			Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				switch r {
				case callbacks.Established: // the server
					defer close(subscribed)
					return s.Subscribe("weather")
				case callbacks.ClientReceive:
					fmt.Printf("%s\n", in)
					return callbacks.ErrClose
				case callbacks.ClientClosed:
					stop()
				}
				return nil
			},
		}},
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
	go func() {
		<-subscribed
		m := callbacks.NewMessage([]byte("sunny"), callbacks.WriteText) // encoded once, for everybody
		if err := e.Publish("weather", m); err != nil {
			log.Fatal(err)
		}
	}()
	if err := e.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: sunny
}

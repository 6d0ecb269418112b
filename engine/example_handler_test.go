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

// A ServeMux answers below /api/, and the program's callback everything else.
func ExampleHandler() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/users/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "user %s", r.PathValue("id"))
	})
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen:    []string{"tcp://127.0.0.1:0"},
		Protocols: []callbacks.Protocol{{Name: "ws", Callback: nothing}},
		Mounts:    []engine.Mount{engine.Handler("/api/", mux)},
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

	r, err := http.Get("http://" + e.Addrs()[0].String() + "/api/users/7")
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	r.Body.Close()
	fmt.Println(r.Status, string(body))

	http.DefaultClient.CloseIdleConnections()
	stop()
	fmt.Println(<-done)
	// Output:
	// 200 OK user 7
	// <nil>
}

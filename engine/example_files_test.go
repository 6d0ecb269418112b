package engine_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"testing/fstest"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// ExampleFiles serves a folder, here one in memory; os.DirFS, Dir and embed.FS are the
// usual ones.
func ExampleFiles() {
	web := engine.Files("/", fstest.MapFS{"index.html": {Data: []byte("<h1>Welcome")}, "app/logo.svg": {Data: []byte("<svg/>")}})
	web.Files = engine.FileOptions{CacheControl: "max-age=3600", Fallback: true}
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen:    []string{"tcp://127.0.0.1:0"},
		Protocols: []callbacks.Protocol{{Callback: callbacks.CallbackHTTPDummy}},
		Mounts:    []engine.Mount{web},
	}}})
	if err == nil {
		err = e.Listen()
	}
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()

	for _, path := range []string{"/", "/app/logo.svg", "/a/page/of/the/app", "/app/missing.js"} {
		r, err := http.Get("http://" + e.Addrs()[0].String() + path)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		fmt.Printf("%s %d %s %q\n", path, r.StatusCode, r.Header.Get("Content-Type"), body)
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	fmt.Println(<-done)
	// Output:
	// / 200 text/html; charset=utf-8 "<h1>Welcome"
	// /app/logo.svg 200 image/svg+xml "<svg/>"
	// /a/page/of/the/app 200 text/html; charset=utf-8 "<h1>Welcome"
	// /app/missing.js 404 text/plain "Not Found\n"
	// <nil>
}

// ExampleDir serves a folder that nobody gets out of, not by a symbolic link either.
func ExampleDir() {
	mount := engine.Files("/static", engine.Dir("/srv/www"))
	mount.Files.Listing = true
	_, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen:    []string{"tcp://:8080"},
		Protocols: []callbacks.Protocol{{Callback: callbacks.CallbackHTTPDummy}},
		Mounts:    []engine.Mount{mount},
	}}})
	fmt.Println(err)
	// Output: <nil>
}

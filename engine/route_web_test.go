package engine_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// TestNoSpellingGetsRoundAMount: what a mount asks for holds for every path that the
// service behind another one would take for its.
func TestNoSpellingGetsRoundAMount(t *testing.T) {
	all := fstest.MapFS{"private/s": {Data: []byte("secret")}, "index.html": {Data: []byte("open")}}
	private, _ := fs.Sub(all, "private")
	mux := http.NewServeMux()
	mux.HandleFunc("/h/private/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "secret") })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "private/s") {
			io.WriteString(w, "secret")
		}
	})
	guard := func(m engine.Mount) engine.Mount {
		m.BasicAuth = &engine.BasicAuth{Realm: "r", Users: map[string]string{"a": "b"}}
		return m
	}
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: nothing})}
	cfg.Vhosts[0].Mounts = []engine.Mount{engine.Files("/", all), guard(engine.Files("/private", private)),
		engine.Handler("/h", mux), guard(engine.Handler("/h/private", mux))}
	v := start(t, cfg)
	for _, path := range []string{"/private/s", "/%70rivate/s", "//private/s", "/./private/s", "/%2e/private/s", "/private//s", "/private%2fs",
		"/%2Fprivate/s", "/x/../private/s", "/x/%2e%2E/private/s", "/private/../private/s"} {
		for _, base := range []string{"", "/h"} {
			r, body := v.dial(t).send(request("GET", base+path, "Connection: close")).response("GET")
			if r.StatusCode < 400 || strings.Contains(body, "secret") {
				t.Errorf("%s: %d %q", base+path, r.StatusCode, body)
			}
		}
	}
	if r, _ := v.dial(t).send(request("GET", "/%70rivate//s", as("a:b"))).response("GET"); r.StatusCode != 200 {
		t.Errorf("with a password: %d", r.StatusCode)
	}
}

// TestVhostOfMountsOnly: it needs no protocol, and speaks no WebSocket.
func TestVhostOfMountsOnly(t *testing.T) {
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{Mounts: []engine.Mount{
		engine.Files("/", fstest.MapFS{"a": {Data: []byte("file")}}), engine.Redirect("/r", 301, "/a")}}}}
	v := start(t, cfg)
	v.dial(t).send(get("/a")).want(200, "file")
	v.dial(t).send(get("/b")).want(404, "Not Found\n")
	v.dial(t).send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").want(404, "Not Found\n")
	for name, bad := range map[string]engine.Vhost{
		"a Callback": {Mounts: []engine.Mount{engine.Callback("/", "")}},
		"raw":        {RawProtocol: "x", Mounts: cfg.Vhosts[0].Mounts},
	} {
		if _, err := engine.New(engine.Config{Vhosts: []engine.Vhost{bad}}); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

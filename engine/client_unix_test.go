package engine_test

import (
	"net"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/penstock-go/penstock/engine"
)

// TestUnixSockets: a WebSocket by a path, and by an abstract name.
func TestUnixSockets(t *testing.T) {
	dir := t.TempDir()
	names := map[string]string{"a path": filepath.Join(dir, "a socket")}
	if runtime.GOOS == "linux" {
		names["an abstract name"] = "@penstock-test-" + filepath.Base(filepath.Dir(dir))
	}
	for name, path := range names {
		for _, host := range []string{"", "inside.test:81"} {
			t.Run(name+" as "+host, func(t *testing.T) {
				l, err := net.Listen("unix", path)
				if err != nil {
					t.Fatal(err)
				}
				f := answers(t, l, redirecting(307, map[string]string{"/": "/b"}))
				o := fateOf(t, engine.ClientConnectInfo{Address: "+" + path, Host: host}, nil)
				o.wantEcho(t)
				want := host
				if want == "" {
					want = "localhost"
				}
				all := f.requests()
				if len(all) != 2 || all[0].Host != want || all[1].Host != want || all[1].URL.Path != "/b" || o.remote != path {
					t.Errorf("%d requests, the first for %q; the peer was %s", len(all), all[0].Host, o.remote)
				}
			})
		}
	}
}

package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// Other libraries' handlers behind engine.Handler, by TCP and by TLS.

// mount runs an engine with h at its root until the test ends, and returns its address.
func (x transport) mount(t *testing.T, h http.Handler) (addr string) {
	t.Helper()
	e, err := engine.New(engine.Config{
		Limits: engine.Limits{DrainTimeout: 100 * time.Millisecond, Workers: 4}, // fewer than there are WebSockets
		Vhosts: []engine.Vhost{{
			Listen: []string{"tcp://127.0.0.1:0"},
			TLS:    x.server(t),
			Protocols: []callbacks.Protocol{{Name: "none", Callback: func(callbacks.Session, callbacks.Reason, []byte) error {
				return nil
			}}},
			Mounts: []engine.Mount{engine.Handler("/", h)},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && err != engine.ErrDrain {
			t.Error(err)
		}
	})
	return e.Addrs()[0].String()
}

// TestWebSocketsOfHandlers: the upgrades of other libraries work through Hijack, with
// every other library's client, many at once, and they close in order.
func TestWebSocketsOfHandlers(t *testing.T) {
	overBoth(t, func(t *testing.T, x transport) {
		for _, s := range servers {
			t.Run(s.name, func(t *testing.T) {
				url := x.scheme("ws") + x.mount(t, s.handler) + "/"
				for _, l := range libraries {
					t.Run(l.name, func(t *testing.T) { talkAtOnce(t, l, url) })
				}
			})
		}
	})
}

// talkAtOnce has several conversations, more than there are workers.
func talkAtOnce(t *testing.T, l library, url string) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := talkOnce(l, url, i); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func talkOnce(l library, url string, seed int) error {
	c, err := l.dial(url, "chat")
	if err != nil {
		return err
	}
	defer c.drop()
	if c.subprotocol() != "chat" {
		return fmt.Errorf("subprotocol %q", c.subprotocol())
	}
	for i, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		want := bytes.Repeat([]byte{'a' + byte(seed+i)}, size)
		if err := c.write(i%2 == 0, want); err != nil {
			return err
		}
		text, got, err := c.read()
		if err != nil || text != (i%2 == 0) || !bytes.Equal(got, want) {
			return fmt.Errorf("%d bytes, text %v, %w; want %d", len(got), text, err, size)
		}
	}
	code, reason, err := c.shut(1000, "done")
	if err != nil || code != 1000 {
		return fmt.Errorf("closed with %d %q, %w", code, reason, err)
	}
	return nil
}

// TestChi: a router with middleware of its own.
func TestChi(t *testing.T) {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.RealIP, middleware.Recoverer, middleware.Compress(5), middleware.Timeout(wstest.Patience))
	r.Route("/articles", func(r chi.Router) {
		r.With(middleware.BasicAuth("here", map[string]string{"a": "b"})).Put("/{slug:[a-z-]+}", func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %v", chi.URLParam(r, "slug"), b, middleware.GetReqID(r.Context()) != "")
		})
		r.Get("/long", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, strings.Repeat("long ", 20_000))
		})
		r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("caught by the middleware") })
	})
	middleware.DefaultLogger = func(h http.Handler) http.Handler { return h }
	overBoth(t, func(t *testing.T, x transport) {
		base := x.scheme("http") + x.mount(t, r)
		tr := &http.Transport{TLSClientConfig: trust()}
		defer tr.CloseIdleConnections()
		c := &http.Client{Transport: tr, Timeout: wstest.Patience}
		for _, w := range []struct {
			method, path, user string
			status             int
			body               string
		}{
			{"PUT", "/articles/a-b", "a", 200, "a-b body true"},
			{"PUT", "/articles/a-b", "x", 401, ""},
			{"PUT", "/articles/12", "a", 404, "404 page not found\n"},
			{"GET", "/articles/a-b", "", 405, ""},
			{"GET", "/articles/long", "", 200, strings.Repeat("long ", 20_000)},
			{"GET", "/articles/panic", "", 500, ""},
		} {
			q, _ := http.NewRequest(w.method, base+w.path, strings.NewReader("body"))
			if w.user != "" {
				q.SetBasicAuth(w.user, "b")
			}
			resp, err := c.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != w.status || string(b) != w.body || err != nil {
				t.Errorf("%s %s: %d %.100q, %v", w.method, w.path, resp.StatusCode, b, err)
			}
		}
	})
}

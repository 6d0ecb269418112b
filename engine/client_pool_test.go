package engine_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/engine"
)

// clients is an engine whose sessions each have a fetcher, as their UserData.
type clients struct {
	*server
	rec *callbackstest.Recorder
}

func newClients(t *testing.T, loops int, lim engine.Limits) *clients {
	t.Helper()
	lim.DrainTimeout = quick.DrainTimeout
	rec := new(callbackstest.Recorder)
	hear := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if f, ok := s.UserData().(*fetcher); ok {
			return f.hear(s, r, in)
		}
		return nil
	}
	cfg := engine.Config{Loops: loops, Limits: lim, Vhosts: vhost(callbacks.Protocol{Name: "one", Callback: rec.Wrap(hear)})}
	cfg.Vhosts[0].Listen = []string{}
	c := &clients{start(t, cfg), rec}
	t.Cleanup(func() {
		if faults := rec.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	})
	return c
}

// begin begins a transaction.
func (c *clients) begin(t *testing.T, info engine.ClientConnectInfo, f *fetcher) (*fetcher, callbacks.Handle) {
	t.Helper()
	f.over = make(chan fetched, 1)
	if f.end == 0 {
		f.end = callbacks.WriteHTTPFinal
	}
	info.UserData = f
	h, err := c.Connect(info)
	if err != nil {
		t.Fatal(err)
	}
	return f, h
}

// do runs a transaction to its end.
func (c *clients) do(t *testing.T, info engine.ClientConnectInfo, pieces ...string) fetched {
	t.Helper()
	f, _ := c.begin(t, info, &fetcher{pieces: pieces})
	return receive(t, "the transaction ends", f.over)
}

// counting is a server of net/http that counts its connections.
type counting struct {
	addr            string
	made, now, most atomic.Int32
}

func countConns(t *testing.T, h http.HandlerFunc) *counting {
	t.Helper()
	n := new(counting)
	l := over(t).listen(t)
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			n.made.Add(1)
			now := n.now.Add(1)
			for was := n.most.Load(); now > was && !n.most.CompareAndSwap(was, now); was = n.most.Load() {
			}
		case http.StateClosed, http.StateHijacked:
			n.now.Add(-1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	n.addr = l.Addr().String()
	return n
}

func pooled(info engine.ClientConnectInfo) engine.ClientConnectInfo {
	info.Flags |= engine.Pipeline
	return info
}

// TestConnectionsAreUsedAgain, with Pipeline and without.
func TestConnectionsAreUsedAgain(t *testing.T) {
	n := countConns(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Close {
			w.Header().Set("X-Close", "yes")
		}
		echoRequest(w, r)
	})
	c := newClients(t, 2, engine.Limits{})
	for i := range 10 {
		method, body := "GET", ""
		if i%2 == 1 {
			method, body = "POST", "body"
		}
		info := pooled(httpInfo(t, n.addr, method))
		info.BodyLength = int64(len(body))
		if got := c.do(t, info, body); got.status != 200 || got.body != body || got.err != nil || strings.Contains(got.head, "X-Close") {
			t.Fatalf("%+v", got)
		}
	}
	if made := n.made.Load(); made != 1 {
		t.Errorf("%d connections for ten requests", made)
	}
	eventually(t, "one connection is idle", func() bool { s := c.Stats(); return s.ClientIdle == 1 && s.Sessions == 0 })
	for range 3 {
		if got := c.do(t, httpInfo(t, n.addr, "GET")); got.status != 200 || !strings.Contains(got.head, "X-Close") {
			t.Fatalf("%+v", got)
		}
	}
	if made := n.made.Load(); made != 4 {
		t.Errorf("%d connections, three of them for requests without Pipeline", made)
	}
}

// answering is a server that gives each connection to f.
func answering(t *testing.T, f func(c net.Conn, r *bufio.Reader, number int)) string {
	t.Helper()
	l := over(t).listen(t)
	var all sync.WaitGroup
	all.Go(func() {
		for number := 1; ; number++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				f(c, bufio.NewReader(c), number)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// next reads a request with its body.
func next(r *bufio.Reader) *http.Request {
	q, err := http.ReadRequest(r)
	if err != nil {
		return nil
	}
	_, _ = io.Copy(io.Discard, q.Body)
	return q
}

// TestConnectionsThatAreNotUsedAgain: behind anything that is not a good end another
// one is made.
func TestConnectionsThatAreNotUsedAgain(t *testing.T) {
	for name, answer := range map[string]string{
		"close":       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n%d",
		"1.0":         "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n%d",
		"more":        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%dx",
		"another":     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"head's body": "HTTP/1.1 204 No Content\r\nX: %d\r\n\r\nbody",
	} {
		t.Run(name, func(t *testing.T) {
			addr := answering(t, func(c net.Conn, r *bufio.Reader, number int) {
				for next(r) != nil {
					_, _ = fmt.Fprintf(c, answer, number)
				}
			})
			c := newClients(t, 1, engine.Limits{})
			for i := 1; i <= 3; i++ {
				got := c.do(t, pooled(httpInfo(t, addr, "GET")))
				if !strings.Contains(got.head+got.body, fmt.Sprint(i)) || !got.completed || got.err != nil {
					t.Fatalf("request %d: %+v", i, got)
				}
			}
		})
	}
}

// TestUnaskedForBytesCloseIdleConnections: what comes between two requests is no
// answer to the second.
func TestUnaskedForBytesCloseIdleConnections(t *testing.T) {
	for name, late := range map[string]string{"FIN": "", "a response": "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"} {
		t.Run(name, func(t *testing.T) {
			idle := make(chan struct{})
			addr := answering(t, func(c net.Conn, r *bufio.Reader, number int) {
				next(r)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
				if number == 1 {
					<-idle
					_, _ = io.WriteString(c, late)
					if late != "" {
						_, _ = io.Copy(io.Discard, r)
					}
				}
			})
			c := newClients(t, 1, engine.Limits{})
			c.do(t, pooled(httpInfo(t, addr, "GET")))
			eventually(t, "the connection is idle", func() bool { return c.Stats().ClientIdle == 1 })
			close(idle)
			eventually(t, "it is closed", func() bool { return c.Stats().ClientIdle == 0 })
			if got := c.do(t, pooled(httpInfo(t, addr, "POST"))); got.body != "good" || got.err != nil {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestStaleConnections: a server may close just when it is asked again. What may be
// asked twice is, on a new connection and once.
func TestStaleConnections(t *testing.T) {
	for _, c := range []struct {
		method string
		body   string
		always bool // the server closes new connections, too
		status int
	}{
		{"GET", "", false, 200}, {"DELETE", "", false, 200}, {"PUT", "", false, 200},
		{"POST", "", false, 0}, {"PUT", "body", false, 0}, {"PATCH", "", false, 0}, {"GET", "", true, 0},
	} {
		t.Run(fmt.Sprintf("%s %q always %v", c.method, c.body, c.always), func(t *testing.T) {
			var made atomic.Int32
			addr := answering(t, func(conn net.Conn, r *bufio.Reader, number int) {
				made.Store(int32(number))
				if number > 1 && c.always {
					next(r)
					return
				}
				next(r)
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				next(r) // and closes without an answer
			})
			e := newClients(t, 1, engine.Limits{})
			e.do(t, pooled(httpInfo(t, addr, "GET")))
			info := pooled(httpInfo(t, addr, c.method))
			info.BodyLength = int64(len(c.body))
			got := e.do(t, info, c.body)
			if got.status != c.status || (got.err == nil) != (c.status == 200) {
				t.Errorf("%+v", got)
			}
			want := int32(2)
			if c.status == 0 && !c.always {
				want = 1
			}
			if made.Load() != want {
				t.Errorf("%d connections, want %d", made.Load(), want)
			}
		})
	}
}

// TestOriginConnections: there are never more than the limit, and everybody is served.
func TestOriginConnections(t *testing.T) {
	for _, loops := range []int{1, 3} {
		for _, flag := range []engine.ClientFlags{0, engine.Pipeline} {
			t.Run(fmt.Sprintf("%d loops, flag %x", loops, uint32(flag)), func(t *testing.T) {
				var busy, most atomic.Int32
				n := countConns(t, func(w http.ResponseWriter, r *http.Request) {
					now := busy.Add(1)
					for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
					}
					echoRequest(w, r)
					busy.Add(-1)
				})
				c := newClients(t, loops, engine.Limits{OriginConnections: 2})
				var all []*fetcher
				for range 40 {
					info := httpInfo(t, n.addr, "GET")
					info.Flags |= flag
					f, _ := c.begin(t, info, new(fetcher))
					all = append(all, f)
				}
				for i, f := range all {
					if got := receive(t, fmt.Sprintf("transaction %d ends", i), f.over); got.status != 200 || got.err != nil {
						t.Fatalf("%+v", got)
					}
				}
				if most.Load() > 2 {
					t.Errorf("%d requests at once", most.Load())
				}
				if made := n.made.Load(); flag != 0 && made > 6 || flag == 0 && made != 40 {
					t.Errorf("%d connections were made", made)
				}
			})
		}
	}
}

// TestWhoWaitsForAConnectionMayLeave, and is not in the way of others then.
func TestWhoWaitsForAConnectionMayLeave(t *testing.T) {
	release := make(chan struct{})
	n := countConns(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		echoRequest(w, r)
	})
	c := newClients(t, 1, engine.Limits{OriginConnections: 1})
	first, _ := c.begin(t, httpInfo(t, n.addr, "GET"), new(fetcher))
	eventually(t, "the first is connected", func() bool { return n.made.Load() == 1 })
	second, h := c.begin(t, httpInfo(t, n.addr, "GET"), new(fetcher))
	third, _ := c.begin(t, httpInfo(t, n.addr, "GET"), new(fetcher))
	hasty := httpInfo(t, n.addr, "GET")
	hasty.Timeout = time.Millisecond
	fourth, _ := c.begin(t, hasty, new(fetcher))
	if got := receive(t, "the hasty one ends", fourth.over); !errors.Is(got.err, engine.ErrTimeout) {
		t.Errorf("%+v", got)
	}
	if err := h.Close(0, ""); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, "the second ends", second.over); !errors.Is(got.err, callbacks.ErrClosed) {
		t.Errorf("%+v", got)
	}
	close(release)
	for _, f := range []*fetcher{first, third} {
		if got := receive(t, "the others are served", f.over); got.status != 200 {
			t.Errorf("%+v", got)
		}
	}
}

// TestIdleConnectionsAreBounded in number and time, and go at Shutdown.
func TestIdleConnectionsAreBounded(t *testing.T) {
	together := func(t *testing.T, lim engine.Limits, addrs ...string) *clients {
		c := newClients(t, 1, lim)
		var all []*fetcher
		for _, addr := range addrs {
			f, _ := c.begin(t, pooled(httpInfo(t, addr, "GET")), new(fetcher))
			all = append(all, f)
		}
		for _, f := range all {
			receive(t, "the transactions end", f.over)
		}
		return c
	}
	wait := func(number int) http.HandlerFunc {
		var all sync.WaitGroup
		all.Add(number)
		return func(http.ResponseWriter, *http.Request) {
			all.Done()
			all.Wait()
		}
	}
	idle := func(c *clients, want int64) func() bool { return func() bool { return c.Stats().ClientIdle == want } }
	t.Run("for each origin", func(t *testing.T) {
		n := countConns(t, wait(5))
		c := together(t, engine.Limits{OriginIdle: 2}, n.addr, n.addr, n.addr, n.addr, n.addr)
		eventually(t, "two are idle", idle(c, 2))
		eventually(t, "three are closed", func() bool { return n.now.Load() == 2 })
	})
	t.Run("in all", func(t *testing.T) {
		h := wait(4)
		a, b := countConns(t, h), countConns(t, h)
		c := together(t, engine.Limits{ClientIdle: 3}, a.addr, a.addr, b.addr, b.addr)
		eventually(t, "three are idle", idle(c, 3))
		eventually(t, "one is closed", func() bool { return a.now.Load()+b.now.Load() == 3 })
	})
	t.Run("in time", func(t *testing.T) {
		n := countConns(t, wait(1))
		c := together(t, engine.Limits{ClientIdleTimeout: 10 * time.Millisecond}, n.addr)
		eventually(t, "none is idle", idle(c, 0))
		eventually(t, "it is closed", func() bool { return n.now.Load() == 0 })
	})
	t.Run("none at all", func(t *testing.T) {
		n := countConns(t, wait(1))
		c := together(t, engine.Limits{OriginIdle: -1, ClientIdleTimeout: -1}, n.addr)
		eventually(t, "it is idle", idle(c, 1))
		c.stop()
		eventually(t, "it is closed", func() bool { return n.now.Load() == 0 })
	})
}

// TestRedirectsUseConnectionsAgain, when nothing of the answer is left to read.
func TestRedirectsUseConnectionsAgain(t *testing.T) {
	n := countConns(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/end" {
			w.Header().Set("Location", "/end")
			w.WriteHeader(302)
			return
		}
		echoRequest(w, r)
	})
	c := newClients(t, 1, engine.Limits{})
	got := c.do(t, pooled(httpInfo(t, n.addr, "GET")))
	if got.status != 200 || len(got.redirects) != 1 || n.made.Load() != 1 {
		t.Errorf("%+v by %d connections", got, n.made.Load())
	}
}

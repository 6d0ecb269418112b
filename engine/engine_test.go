package engine_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/codec"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

func nothing(callbacks.Session, callbacks.Reason, []byte) error { return nil }

func TestNewRefusesBadConfigurations(t *testing.T) {
	p := callbacks.Protocol{Name: "p", Callback: nothing}
	with := func(change func(v *engine.Vhost)) engine.Config {
		v := engine.Vhost{Protocols: []callbacks.Protocol{p}}
		change(&v)
		return engine.Config{Vhosts: []engine.Vhost{v}}
	}
	for name, cfg := range map[string]engine.Config{
		"no vhost":         {},
		"no protocol":      {Vhosts: []engine.Vhost{{}}},
		"no callback":      with(func(v *engine.Vhost) { v.Protocols[0].Callback = nil }),
		"name no token":    with(func(v *engine.Vhost) { v.Protocols[0].Name = "a b" }),
		"same name twice":  with(func(v *engine.Vhost) { v.Protocols = append(v.Protocols, p) }),
		"raw protocol":     with(func(v *engine.Vhost) { v.RawProtocol = "x" }),
		"no port":          with(func(v *engine.Vhost) { v.Listen = []string{"tcp://localhost"} }),
		"no network":       with(func(v *engine.Vhost) { v.Listen = []string{"udp://:1"} }),
		"no unix path":     with(func(v *engine.Vhost) { v.Listen = []string{"unix://"} }),
		"relative mount":   with(func(v *engine.Vhost) { v.Mounts = []engine.Mount{engine.Callback("a", "p")} }),
		"mount of nothing": with(func(v *engine.Vhost) { v.Mounts = []engine.Mount{engine.Callback("/a", "x")} }),
		"redirect status":  with(func(v *engine.Vhost) { v.Mounts = []engine.Mount{engine.Redirect("/a", 200, "/b")} }),
		"redirect target":  with(func(v *engine.Vhost) { v.Mounts = []engine.Mount{engine.Redirect("/a", 301, "/b\n")} }),
		"server string":    {ServerString: "a\r\n", Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{p}}}},
	} {
		if _, err := engine.New(cfg); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := engine.Config{Vhosts: vhost(callbacks.Protocol{Callback: nothing})}
	cfg.Vhosts[0].Listen = []string{"tcp://" + l.Addr().String()}
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err == nil {
		t.Fatal("a port in use was bound")
	}
}

// answerWith answers requests with text.
func answerWith(text string) callbacks.Callback {
	return func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP {
			return s.Respond(200, "", []byte(text+" "+string(in)))
		}
		return nil
	}
}

func TestMountsAndHosts(t *testing.T) {
	p := func(name string) callbacks.Protocol {
		return callbacks.Protocol{Name: name, Callback: answerWith(name)}
	}
	listen := []string{"tcp://127.0.0.1:0"}
	v := start(t, engine.Config{Loops: 2, Limits: quick, Vhosts: []engine.Vhost{
		{Name: "one.test", Listen: listen, Protocols: []callbacks.Protocol{p("one"), p("api")},
			Mounts: []engine.Mount{engine.Callback("/api", "api"), engine.Callback("/api/v2/", "one"), engine.Redirect("/old", 308, "/new")}},
		{Name: "two.test", Listen: listen, Protocols: []callbacks.Protocol{p("two")}},
		{Name: "*.test", Listen: listen, Protocols: []callbacks.Protocol{p("any")}},
	}})
	for _, c := range []struct{ host, path, want string }{
		{"one.test", "/", "one /"},
		{"ONE.test:80", "/api", "api "},
		{"one.test", "/api/x", "api /x"},
		{"one.test", "/apix", "one /apix"},
		{"one.test", "/api/v2/x", "one /x"},
		{"two.test", "/api", "two /api"},
		{"three.test", "/", "any /"},
		{"elsewhere", "/", "one /"},
		{"[::1]:80", "/", "one /"},
		{"two.test.evil", "/", "one /"},
	} {
		v.dialHost(t, c.host).send("GET "+c.path+" HTTP/1.1\r\nHost: "+c.host+"\r\n\r\n").want(200, c.want)
	}
	r := v.dial(t).send(get("/old/thing")).want(308, "")
	if r.Header.Get("Location") != "/new" {
		t.Errorf("Location %q", r.Header.Get("Location"))
	}
}

func TestListeners(t *testing.T) {
	dir := t.TempDir()
	adopted, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addresses := []string{"tcp4://127.0.0.1:0", "tcp6://[::1]:0", "127.0.0.1:0", "unix://" + filepath.Join(dir, "s")}
	if runtime.GOOS == "linux" {
		addresses = append(addresses, "unix://@penstock-test-"+filepath.Base(dir))
	}
	v := start(t, engine.Config{Loops: 2, Limits: quick, Vhosts: []engine.Vhost{{
		Listen: addresses, Listeners: []any{adopted}, Protocols: []callbacks.Protocol{{Callback: answerWith("hi")}},
	}}})
	_ = adopted.Close()
	if n := len(v.Addrs()); n != len(addresses)+1 {
		t.Fatalf("%d addresses", n)
	}
	for _, a := range v.Addrs() {
		v.addr = a.String()
		v.dial(t).send(get("/")).want(200, "hi /")
	}
	v.stop()
	eventually(t, "the socket file goes", func() bool {
		_, err := os.Stat(filepath.Join(dir, "s"))
		return os.IsNotExist(err)
	})
}

// upper is a codec of lines.
type upper struct{}

func (upper) NewDecoder() codec.Decoder { return upper{} }
func (upper) Append(dst, msg []byte) ([]byte, error) {
	if string(msg) == "NO" {
		return dst, errors.New("refused")
	}
	return append(append(dst, msg...), '\n'), nil
}
func (upper) Next(b []byte) (int, []byte, bool, error) {
	i := strings.IndexByte(string(b), '\n')
	switch {
	case i < 0:
		return 0, nil, false, nil
	case b[0] == '!':
		return 0, nil, false, &codec.Error{Text: "shouting", Answer: []byte("quiet\n")}
	}
	return i + 1, b[:i], true, nil
}

func TestCodecSessions(t *testing.T) {
	var rec callbackstest.Recorder
	v := start(t, engine.Config{Loops: 1, Limits: engine.Limits{RawMessage: 1000, DrainTimeout: time.Second}, Vhosts: []engine.Vhost{{
		RawProtocol: "lines",
		Protocols: []callbacks.Protocol{{Name: "lines", Codec: upper{}, Callback: rec.Wrap(
			func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				if r != callbacks.RawRX {
					return nil
				}
				err := s.Write([]byte(strings.ToUpper(string(in))), callbacks.WriteText)
				if err != nil {
					return s.Write([]byte("error\n"), callbacks.WriteRaw)
				}
				return nil
			})}},
	}}})
	p := v.dial(t).send("hel", "lo\nwor", "ld\nno\n")
	want := func(p *peer, text string) {
		t.Helper()
		got := make([]byte, len(text))
		if _, err := io.ReadFull(p.r, got); err != nil || string(got) != text {
			t.Fatalf("got %q, %v; want %q", got, err, text)
		}
	}
	want(p, "HELLO\nWORLD\nerror\n")
	p.send("!\n")
	want(p, "quiet\n")
	p.wantEOF()
	p.Close()
	long := v.dial(t).send(strings.Repeat("x", 2000))
	long.wantEOF()
	long.Close()
	eventually(t, "all end", func() bool { return rec.Open() == 0 })
	if f := rec.Faults(); len(f) > 0 {
		t.Error(f)
	}
}

func TestConnectionLimits(t *testing.T) {
	for name, lim := range map[string]engine.Limits{"in all": {Connections: 2}, "per IP": {ConnectionsPerIP: 2}} {
		t.Run(name, func(t *testing.T) {
			lim.DrainTimeout = 100 * time.Millisecond
			v := start(t, engine.Config{Loops: 2, Limits: lim, Vhosts: vhost(callbacks.Protocol{Callback: answerWith("hi")})})
			a, b := v.dial(t).send(get("/")), v.dial(t).send(get("/"))
			a.want(200, "hi /")
			b.want(200, "hi /")
			v.turnsAway(t)
			if n := v.Stats().Refused; n != 1 {
				t.Errorf("%d refused", n)
			}
			a.Close()
			eventually(t, "the closed connection is counted out", func() bool { return v.Stats().Sessions == 1 })
			v.dial(t).send(get("/")).want(200, "hi /")
		})
	}
}

// turnsAway connects once too often. There is no TLS to say so in words.
func (v *server) turnsAway(t *testing.T) {
	t.Helper()
	if over(t) == overTCP {
		v.dial(t).send(get("/")).want(503, "Service Unavailable\n")
		return
	}
	c, err := net.Dial("tcp", v.addr)
	if err != nil {
		return // the reset was faster
	}
	defer c.Close()
	if _, err := over(t).client(t.Context(), c, ""); err == nil {
		t.Error("the server shook hands")
	}
}

func TestFilterNetworkConnection(t *testing.T) {
	var rec callbackstest.Recorder
	v := serve(t, rec.Wrap(func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.FilterNetworkConnection && s.PeerSimple() == "127.0.0.1" {
			return errors.New("not you")
		}
		return nil
	}))
	if c, err := net.Dial("tcp", v.addr); err == nil { // or the reset was faster
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Fatal("the connection was let in")
		}
		c.Close()
	}
	eventually(t, "it was seen", func() bool { return len(rec.Events(1)) > 0 })
	eventually(t, "it is forgotten", func() bool { return v.Stats().Sessions == 0 })
	if got := rec.Reasons(1); got != "FilterNetworkConnection" {
		t.Errorf("it heard %s", got)
	}
}

func TestProtocolInitAndDestroy(t *testing.T) {
	var heard []string
	var mu sync.Mutex
	p := func(name string, err error) callbacks.Protocol {
		return callbacks.Protocol{Name: name, Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, name+" "+r.String())
			if s.Protocol().Name != name || s.Write(nil, callbacks.WriteText) == nil {
				t.Error("the session of ProtocolInit is not a session of nothing")
			}
			return err
		}}
	}
	e, err := engine.New(engine.Config{Loops: 2, Vhosts: vhost(p("a", nil), p("b", nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := e.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a ProtocolInit", "b ProtocolInit", "a ProtocolDestroy", "b ProtocolDestroy"}; !slices.Equal(heard, want) {
		t.Errorf("heard %v", heard)
	}
	bad := errors.New("no database")
	e, _ = engine.New(engine.Config{Vhosts: vhost(p("c", bad))})
	if err := e.Run(t.Context()); !errors.Is(err, bad) {
		t.Errorf("Run returned %v", err)
	}
}

func TestCancelService(t *testing.T) {
	var n atomic.Int32
	v := start(t, engine.Config{Loops: 2, Vhosts: vhost(callbacks.Protocol{Callback: func(_ callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.EventWaitCancelled {
			n.Add(1)
		}
		return nil
	}})})
	if err := v.CancelService(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "each loop tells", func() bool { return n.Load() == 2 })
}

// TestShutdown ends WebSockets with 1001, lets a request in hand be answered, and
// leaves nothing.
func TestShutdown(t *testing.T) {
	before := runtime.NumGoroutine()
	hold := make(chan callbacks.Handle, 1)
	e, err := engine.New(engine.Config{Loops: 2, Vhosts: over(t).servers([]engine.Vhost{{Listen: []string{"tcp://127.0.0.1:0"}, Protocols: []callbacks.Protocol{{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.HTTP {
				s.Hold()
				hold <- s.Handle()
			}
			return nil
		}}}}})})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	v := &server{Engine: e, addr: e.Addrs()[0].String(), done: make(chan error, 1)}
	go func() { v.done <- e.Run(context.Background()) }()
	p, _ := v.upgrade(t)
	q := v.dial(t).send(get("/"))
	h := <-hold
	idle := v.dial(t)
	v.shaken(t, 3)
	ended := make(chan error, 1)
	go func() { ended <- e.Shutdown(context.Background()) }()
	p.wantFrames(closeFrame(1001, ""))
	p.frame(ws.OpClose, true, "\x03\xe9").wantEOF()
	p.Close()
	idle.wantEOF()
	idle.Close()
	if _, err := net.Dial("tcp", v.addr); err == nil {
		t.Error("the port still answers")
	}
	_ = h.Post(func(s callbacks.Session) error { return s.Respond(200, "", []byte("at last")) })
	q.want(200, "at last")
	q.wantEOF()
	q.Close()
	if err := <-ended; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-v.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := e.Run(context.Background()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Run: %v", err)
	}
	if _, err := e.Connect(engine.ClientConnectInfo{Address: "127.0.0.1"}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Connect after the end: %v", err)
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

func TestShutdownCutsOffWhoDoesNotGo(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: nothing})})
	p, _ := v.upgrade(t)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := v.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	p.wantFrames(closeFrame(1001, ""))
	if _, err := io.ReadAll(p.r); err == nil {
		t.Error("the stubborn peer saw an orderly end")
	}
}

func TestShutdownBeforeRun(t *testing.T) {
	cfg := engine.Config{Loops: 1, Vhosts: vhost(callbacks.Protocol{Callback: nothing})}
	cfg.Vhosts[0].Listen = []string{"tcp://127.0.0.1:0"}
	e, _ := engine.New(cfg)
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Run: %v", err)
	}
	if c, err := net.Dial("tcp", e.Addrs()[0].String()); err == nil {
		c.Close()
		t.Error("the port still answers")
	}
}

func TestStats(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP {
			return s.Respond(200, "", nil)
		}
		return echoWS(s, r, in)
	})
	p, _ := v.upgrade(t)
	p.frame(ws.OpText, true, "a").frame(ws.OpText, false, "b").frame(ws.OpContinuation, true, "c").wantFrames("1 a", "1 bc")
	v.dial(t).send(get("/")).want(200, "")
	eventually(t, "the counts are there", func() bool {
		s := v.Stats()
		return s.Sessions == 2 && s.WebSockets == 1 && s.Requests == 2 && s.MessagesIn == 2 && s.MessagesOut == 2 &&
			s.Accepted == 2 && s.Connections == 2 && s.BytesIn > 0 && s.BytesOut > 0
	})
}

func TestPanicIsLoggedWithItsStack(t *testing.T) {
	r, w := io.Pipe()
	v := start(t, engine.Config{Loops: 1, Limits: quick, Logger: slog.New(slog.NewTextHandler(w, nil)), Vhosts: vhost(callbacks.Protocol{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.HTTP {
				panic("boom")
			}
			return nil
		}})})
	v.dial(t).send(get("/"))
	line, err := bufio.NewReader(r).ReadString('\n')
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if err != nil || !strings.Contains(line, "boom") || !strings.Contains(line, "engine_test.go") {
		t.Errorf("%q, %v", line, err)
	}
}

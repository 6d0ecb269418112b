package engine_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

// connectTo makes a client engine and collects what its callback sees.
func connectTo(t *testing.T, info engine.ClientConnectInfo, f callbacks.Callback) (*server, *callbackstest.Recorder) {
	t.Helper()
	rec := new(callbackstest.Recorder)
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(
		callbacks.Protocol{Name: "one", Callback: rec.Wrap(f)}, callbacks.Protocol{Name: "two", Callback: rec.Wrap(f)})}
	cfg.Vhosts[0].Listen = []string{}
	v := start(t, cfg)
	if _, err := v.Connect(info); err != nil {
		t.Fatal(err)
	}
	return v, rec
}

func clientInfo(t *testing.T, addr string) engine.ClientConnectInfo {
	info, _ := engine.ParseClientURL(over(t).scheme() + addr + "/chat?x=y")
	return info
}

func TestClientAndServer(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Name: "two", Callback: echoWS})})
	got := make(chan string, 8)
	info := clientInfo(t, v.addr)
	info.Protocol, info.Origin, info.UserData = "one, two", "http://here", 42
	info.Header = []http1.Field{{Name: "X-A", Value: "b"}}
	long := strings.Repeat("long ", 20000)
	c, rec := connectTo(t, info, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.ClientAppendHandshakeHeader:
			return s.AddHeader("Cookie", "a=b")
		case callbacks.ClientFilterPreEstablish:
			if s.Response().Status() != 101 || s.UserData() != 42 || !s.Client() {
				t.Errorf("status %d, user data %v", s.Response().Status(), s.UserData())
			}
		case callbacks.ClientEstablished:
			got <- "established " + s.Protocol().Name
			_ = s.Write([]byte(long), callbacks.WriteText)
			return s.Write([]byte("bin"), callbacks.WriteBinary)
		case callbacks.ClientReceive:
			got <- string(in)
			if string(in) == "bin" {
				return s.Close(4000, "enough")
			}
		case callbacks.ClientClosed:
			code, reason := s.CloseStatus()
			got <- reason
			if code != 4000 {
				t.Errorf("code %d", code)
			}
		}
		return nil
	})
	for _, want := range []string{"established two", long, "bin", "enough"} {
		if g := <-got; g != want {
			t.Fatalf("got %.40q, want %.40q", g, want)
		}
	}
	eventually(t, "the client ends", func() bool { return rec.Open() == 0 && c.Stats().Sessions == 0 })
	if f := rec.Faults(); len(f) > 0 {
		t.Error(f)
	}
}

// TestClientFailures: whatever goes wrong, the client hears ClientConnectionError
// once and nothing is left.
func TestClientFailures(t *testing.T) {
	answer := func(text string) string {
		l := over(t).listen(t)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = c.Read(make([]byte, 4096))
					_, _ = io.WriteString(c, text)
				}()
			}
		}()
		return l.Addr().String()
	}
	closed, _ := net.Listen("tcp", "127.0.0.1:0")
	closed.Close()
	good := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
	for name, c := range map[string]struct{ addr, want string }{
		"refused":         {closed.Addr().String(), "connection refused"},
		"not HTTP":        {answer("hello\r\n\r\n"), "status line"},
		"closed":          {answer(""), "EOF"},
		"half a head":     {answer("HTTP/1.1 101 Swi"), "EOF"},
		"forbidden":       {answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "status 403"},
		"wrong accept":    {answer(good), "Accept"},
		"no upgrade":      {answer(strings.Replace(good, "Upgrade: websocket\r\n", "", 1)), "something else"},
		"endless interim": {answer(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20)), "interim"},
		"unknown host":    {"no.such.host.invalid:80", "lookup"},
	} {
		t.Run(name, func(t *testing.T) {
			failed := make(chan string, 2)
			v, rec := connectTo(t, clientInfo(t, c.addr), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				if r == callbacks.ClientConnectionError {
					var h *engine.HandshakeError
					if errors.As(s.Err(), &h) && h.Status == 403 && s.Response().Status() != 403 {
						t.Error("the refusal cannot be read")
					}
					failed <- string(in)
				}
				return nil
			})
			if got := <-failed; !strings.Contains(got, c.want) {
				t.Errorf("failed with %q, want %q", got, c.want)
			}
			eventually(t, "the session ends", func() bool { return rec.Open() == 0 && v.Stats().Sessions == 0 })
			if f := rec.Faults(); len(f) > 0 || len(failed) > 0 {
				t.Error(f, len(failed))
			}
		})
	}
}

func TestClientRefusesItself(t *testing.T) {
	v := serve(t, echoWS)
	for _, at := range []callbacks.Reason{callbacks.WSClientBindProtocol, callbacks.Connecting,
		callbacks.ClientAppendHandshakeHeader, callbacks.ClientFilterPreEstablish} {
		no := errors.New("no: " + at.String())
		failed := make(chan error, 1)
		_, rec := connectTo(t, clientInfo(t, v.addr), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case at:
				return no
			case callbacks.ClientConnectionError:
				failed <- s.Err()
			}
			return nil
		})
		if err := <-failed; !errors.Is(err, no) {
			t.Errorf("%v: failed with %v", at, err)
		}
		eventually(t, "the session ends", func() bool { return rec.Open() == 0 })
		if f := rec.Faults(); len(f) > 0 {
			t.Error(f)
		}
	}
}

func TestConnectRefusesBadInfo(t *testing.T) {
	v := serve(t, nothing)
	ok := engine.ClientConnectInfo{Address: "127.0.0.1"}
	for name, change := range map[string]func(i *engine.ClientConnectInfo){
		"no address": func(i *engine.ClientConnectInfo) { i.Address = "" },
		"address":    func(i *engine.ClientConnectInfo) { i.Address = "a\r\nX: y" },
		"a space":    func(i *engine.ClientConnectInfo) { i.Address = "a b" },
		"port":       func(i *engine.ClientConnectInfo) { i.Port = 70000 },
		"no slash":   func(i *engine.ClientConnectInfo) { i.Path = "chat" },
		"flags":      func(i *engine.ClientConnectInfo) { i.Flags = engine.AllowInsecure },
		"proxy":      func(i *engine.ClientConnectInfo) { i.Proxy = "ftp://127.0.0.1" },
		"unix proxy": func(i *engine.ClientConnectInfo) { i.Proxy, i.Address = "http://127.0.0.1", "+/socket" },
		"zone proxy": func(i *engine.ClientConnectInfo) { i.Proxy, i.Address = "socks5://127.0.0.1", "fe80::1%lo" },
		"jitter":     func(i *engine.ClientConnectInfo) { i.Retry = &engine.RetryPolicy{Jitter: 101} },
		"table":      func(i *engine.ClientConnectInfo) { i.Retry = &engine.RetryPolicy{Table: []time.Duration{-1}} },
		"path":       func(i *engine.ClientConnectInfo) { i.Path = "/a b" },
		"injection":  func(i *engine.ClientConnectInfo) { i.Origin = "a\r\nX: y" },
		"protocol":   func(i *engine.ClientConnectInfo) { i.Protocol = "a, b c" },
		"header":     func(i *engine.ClientConnectInfo) { i.Header = []http1.Field{{Name: "Host", Value: "x"}} },
		"method":     func(i *engine.ClientConnectInfo) { i.Method = "GE T" },
		"CONNECT":    func(i *engine.ClientConnectInfo) { i.Method = "CONNECT" },
		"TRACE":      func(i *engine.ClientConnectInfo) { i.Method, i.BodyLength = "TRACE", 1 },
		"body":       func(i *engine.ClientConnectInfo) { i.BodyLength = 1 },
		"gzip":       func(i *engine.ClientConnectInfo) { i.Gzip = true },
		"timeout":    func(i *engine.ClientConnectInfo) { i.Timeout = time.Second },
		"expect":     func(i *engine.ClientConnectInfo) { i.Method, i.ExpectContinue = "PUT", true },
		"asterisk":   func(i *engine.ClientConnectInfo) { i.Method, i.Path = "GET", "*" },
		"framing": func(i *engine.ClientConnectInfo) {
			i.Method, i.Header = "GET", []http1.Field{{Name: "Transfer-Encoding", Value: "chunked"}}
		},
		"splitting": func(i *engine.ClientConnectInfo) {
			i.Method, i.Header = "GET", []http1.Field{{Name: "X", Value: "a\r\nY: b"}}
		},
		"vhost": func(i *engine.ClientConnectInfo) { i.Vhost = "x" },
		"local": func(i *engine.ClientConnectInfo) { i.LocalProtocolName = "x" },
		"iface": func(i *engine.ClientConnectInfo) { i.Iface = "eth0" },
	} {
		info := ok
		change(&info)
		if _, err := v.Connect(info); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, u := range []string{"ftp://a", "ws://a:99999", "ws://", "%"} {
		if _, err := engine.ParseClientURL(u); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("URL %q: %v", u, err)
		}
	}
}

func TestRawClientAndParent(t *testing.T) {
	raw := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{RawProtocol: "raw", Protocols: []callbacks.Protocol{{
		Name: "raw", Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.RawRX {
				_ = s.Write(in, callbacks.WriteRaw)
				return callbacks.ErrClose
			}
			return nil
		}}}}}})
	heard := make(chan string, 4)
	running := make(chan *server, 1)
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.Receive:
			info := clientInfo(t, raw.addr)
			info.Method, info.Parent = "RAW", s
			_, err := (<-running).Connect(info)
			return err
		case callbacks.RawConnected:
			return s.Write([]byte("ping"), callbacks.WriteRaw)
		case callbacks.RawRX:
			heard <- string(in)
		case callbacks.ChildClosing:
			heard <- "child closing"
		}
		return nil
	})
	running <- v
	p, _ := v.upgrade(t)
	p.frame(ws.OpText, true, "connect")
	if a, b := <-heard, <-heard; a != "ping" || b != "child closing" {
		t.Errorf("heard %q, %q", a, b)
	}
}

// TestHandleWritesBeforeItIsEstablished: they wait.
func TestHandleWritesBeforeItIsEstablished(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: echoWS})})
	got := make(chan string, 4)
	c := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.ClientEstablished:
			return s.Write([]byte("first"), callbacks.WriteText)
		case callbacks.ClientReceive:
			got <- string(in)
		case callbacks.ClientConnectionError:
			got <- "failed: " + string(in)
		}
		return nil
	})
	h, err := c.Connect(clientInfo(t, v.addr))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"early", "too"} {
		if err := h.Write([]byte(text), callbacks.WriteText); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"first", "early", "too"} {
		if g := <-got; g != want {
			t.Fatalf("got %q, want %q", g, want)
		}
	}
}

func TestHandleCloseWhileConnecting(t *testing.T) {
	l := over(t).listen(t)
	failed := make(chan error, 1)
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.Connecting:
			return s.Close(0, "")
		case callbacks.ClientConnectionError:
			failed <- s.Err()
		}
		return nil
	})
	if _, err := v.Connect(clientInfo(t, l.Addr().String())); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("failed with %v", err)
	}
}

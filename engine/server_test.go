package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

// patience is how long a test waits for what must happen; nothing depends on it
// being short.
const patience = 10 * time.Second

// server is an engine that runs for one test.
type server struct {
	*engine.Engine
	addr string
	log  *bytes.Buffer
	done chan error
	stop context.CancelFunc
}

// start runs cfg on the test's transport; a first vhost without an address listens on
// a free port of loopback.
func start(t *testing.T, cfg engine.Config) *server {
	t.Helper()
	if len(cfg.Vhosts) > 0 && cfg.Vhosts[0].Listen == nil && cfg.Vhosts[0].Listeners == nil {
		cfg.Vhosts[0].Listen = []string{"tcp://127.0.0.1:0"}
	}
	cfg.Vhosts = over(t).servers(cfg.Vhosts)
	v := &server{log: new(bytes.Buffer), done: make(chan error, 1)}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(v.log, nil))
	}
	var err error
	if v.Engine, err = engine.New(cfg); err != nil {
		t.Fatal(err)
	}
	if err := v.Listen(); err != nil {
		t.Fatal(err)
	}
	if a := v.Addrs(); len(a) > 0 {
		v.addr = a[0].String()
	}
	ctx, stop := context.WithCancel(context.Background())
	v.stop = stop
	go func() { v.done <- v.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-v.done; err != nil && !errors.Is(err, engine.ErrDrain) {
			t.Errorf("Run returned %v", err)
		}
	})
	return v
}

// serve runs one callback with short drains.
func serve(t *testing.T, f callbacks.Callback) *server {
	t.Helper()
	return start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: f})})
}

var quick = engine.Limits{DrainTimeout: 100 * time.Millisecond}

func vhost(p ...callbacks.Protocol) []engine.Vhost { return []engine.Vhost{{Protocols: p}} }

// peer is a raw client.
type peer struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func (v *server) dial(t *testing.T) *peer {
	t.Helper()
	return v.dialHost(t, "")
}

// dialHost connects to ask for host.
func (v *server) dialHost(t *testing.T, host string) *peer {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(v.addr, "/") || strings.HasPrefix(v.addr, "@") {
		network = "unix"
	}
	tcp, err := net.Dial(network, v.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close() })
	_ = tcp.SetDeadline(time.Now().Add(patience))
	c, err := over(t).client(t.Context(), tcp, host)
	if err != nil {
		t.Fatal(err)
	}
	return &peer{c, t, bufio.NewReader(c)}
}

func (p *peer) send(parts ...string) *peer {
	p.t.Helper()
	for _, s := range parts {
		if _, err := io.WriteString(p, s); err != nil {
			p.t.Fatal(err)
		}
	}
	return p
}

// response reads one response; its body is read too.
func (p *peer) response(method string) (*http.Response, string) {
	p.t.Helper()
	r, err := http.ReadResponse(p.r, &http.Request{Method: method})
	if err != nil {
		p.t.Fatalf("no response: %v", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatalf("the response's body: %v", err)
	}
	return r, string(body)
}

// want reads one response and compares status and body.
func (p *peer) want(status int, body string) *http.Response {
	p.t.Helper()
	r, got := p.response("GET")
	if r.StatusCode != status || got != body {
		p.t.Fatalf("got %d %q, want %d %q", r.StatusCode, got, status, body)
	}
	return r
}

// wantEOF checks that the server closes without saying more.
func (p *peer) wantEOF() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.r); err != nil || len(rest) > 0 {
		p.t.Fatalf("after the end: %q, %v", rest, err)
	}
}

const upgradeHead = "GET /chat HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// upgrade opens a WebSocket, with more header lines, and returns the 101.
func (v *server) upgrade(t *testing.T, lines ...string) (*peer, *http.Response) {
	t.Helper()
	p := v.dial(t).send(upgradeHead, strings.Join(append(lines, ""), "\r\n"), "\r\n")
	r, _ := p.response("GET")
	if r.StatusCode != 101 {
		t.Fatalf("upgrade: %s", r.Status)
	}
	return p, r
}

// frame sends a masked frame.
func (p *peer) frame(op ws.OpCode, fin bool, payload string) *peer {
	p.t.Helper()
	return p.send(string(ws.AppendMaskedFrame(nil, op, fin, [4]byte{1, 2, 3, 4}, []byte(payload))))
}

// read returns the next frame as "op payload", with "+" behind op if more follow.
func (p *peer) read() string {
	p.t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(p.r, head); err != nil {
		p.t.Fatalf("no frame: %v", err)
	}
	n := int(head[1])
	if extra := map[int]int{126: 2, 127: 8}[n]; extra > 0 {
		b := make([]byte, extra)
		_, _ = io.ReadFull(p.r, b)
		n = 0
		for _, x := range b {
			n = n<<8 | int(x)
		}
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(p.r, payload); err != nil {
		p.t.Fatalf("half a frame: %v", err)
	}
	more := ""
	if head[0]&0x80 == 0 {
		more = "+"
	}
	return fmt.Sprintf("%x%s %s", head[0]&0xf, more, payload)
}

func (p *peer) wantFrames(want ...string) *peer {
	p.t.Helper()
	for _, w := range want {
		if got := p.read(); got != w {
			p.t.Fatalf("got frame %q, want %q", got, w)
		}
	}
	return p
}

// closeFrame is what read returns for a close frame.
func closeFrame(code ws.StatusCode, reason string) string {
	return "8 " + string([]byte{byte(code >> 8), byte(code)}) + reason
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

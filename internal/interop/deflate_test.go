package interop

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	coder "github.com/coder/websocket"
	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/lxzan/gws"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// permessage-deflate with the libraries that have it, on either side, and with a
// browser, which offers it by itself.

// squeezer is a client that compresses.
type squeezer interface {
	write(text bool, p []byte) error
	read() (text bool, p []byte, err error)
	drop()
}

// squeezers are the libraries' clients, by what they offer.
var squeezers = []struct {
	name string
	dial func(url string) (squeezer, error)
}{
	{"gorilla", func(url string) (squeezer, error) { return dialGorilla(url) }},
	{"coder, takeover", func(url string) (squeezer, error) { return dialCoder(url) }},
	{"coder", dialCoderForgets},
	{"gws", func(url string) (squeezer, error) { return dialGws(url, gws.PermessageDeflate{}) }},
	{"gws, takeover", func(url string) (squeezer, error) {
		return dialGws(url, gws.PermessageDeflate{ServerContextTakeover: true, ClientContextTakeover: true})
	}},
	{"gws, takeover, windows", func(url string) (squeezer, error) {
		return dialGws(url, gws.PermessageDeflate{ServerContextTakeover: true, ClientContextTakeover: true, ServerMaxWindowBits: 10, ClientMaxWindowBits: 11})
	}},
	{"gobwas", dialFlate},
}

func dialCoderForgets(url string) (squeezer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
	c, _, err := coder.Dial(ctx, url, &coder.DialOptions{CompressionMode: coder.CompressionNoContextTakeover,
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: trust()}}})
	if err != nil {
		cancel()
		return nil, err
	}
	c.SetReadLimit(-1)
	return &coderPeer{c, ctx, cancel}, nil
}

// gwsPeer is github.com/lxzan/gws.
type gwsPeer struct {
	gws.BuiltinEventHandler
	*gws.Conn
	messages chan gwsMessage
}

type gwsMessage struct {
	text bool
	p    []byte
	err  error
}

func dialGws(url string, d gws.PermessageDeflate) (squeezer, error) {
	d.Enabled, d.Threshold = true, 1
	g := &gwsPeer{messages: make(chan gwsMessage, 100)}
	var err error
	cfg := trust()
	cfg.MinVersion = tls.VersionTLS12
	g.Conn, _, err = gws.NewClient(g, &gws.ClientOption{Addr: url, TlsConfig: cfg, PermessageDeflate: d,
		ReadMaxPayloadSize: 64 << 20, WriteMaxPayloadSize: 64 << 20})
	if err != nil {
		return nil, err
	}
	_ = g.SetDeadline(deadline())
	go g.ReadLoop()
	return g, nil
}

func (g *gwsPeer) OnMessage(_ *gws.Conn, m *gws.Message) {
	g.messages <- gwsMessage{m.Opcode == gws.OpcodeText, bytes.Clone(m.Bytes()), nil}
	_ = m.Close()
}

func (g *gwsPeer) OnClose(_ *gws.Conn, err error) { g.messages <- gwsMessage{err: err} }

func (g *gwsPeer) write(text bool, p []byte) error {
	return g.WriteMessage(map[bool]gws.Opcode{true: gws.OpcodeText, false: gws.OpcodeBinary}[text], p)
}

func (g *gwsPeer) read() (bool, []byte, error) {
	m := <-g.messages
	return m.text, m.p, m.err
}

func (g *gwsPeer) drop() { _ = g.NetConn().Close() }

// flatePeer is github.com/gobwas/ws/wsflate.
type flatePeer struct{ gobwasPeer }

func dialFlate(url string) (squeezer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
	defer cancel()
	d := gobwas.Dialer{TLSConfig: trust()}
	d.Extensions = append(d.Extensions, wsflate.DefaultParameters.Option())
	c, _, hs, err := d.Dial(ctx, url)
	if err == nil && len(hs.Extensions) != 1 {
		err = fmt.Errorf("%d extensions", len(hs.Extensions))
	}
	if err != nil {
		return nil, err
	}
	return flatePeer{gobwasPeer{c, ""}}, c.SetDeadline(deadline())
}

func (f flatePeer) write(text bool, p []byte) error {
	frame, err := wsflate.CompressFrame(gobwas.NewFrame(gobwasKind(text), true, p))
	if err != nil {
		return err
	}
	return gobwas.WriteFrame(f.Conn, gobwas.MaskFrameInPlace(frame))
}

// read puts fragments together, which the library's helper does not.
func (f flatePeer) read() (bool, []byte, error) {
	var whole gobwas.Frame
	for first := true; ; first = false {
		h, err := gobwas.ReadHeader(f.Conn)
		if err != nil {
			return false, nil, err
		}
		p := make([]byte, h.Length)
		if _, err := io.ReadFull(f.Conn, p); err != nil {
			return false, nil, err
		}
		if first {
			whole.Header = h
		}
		whole.Payload = append(whole.Payload, p...)
		if h.Fin {
			whole.Header.Fin, whole.Header.Length = true, int64(len(whole.Payload))
			whole, err = wsflate.DecompressFrame(whole)
			return whole.Header.OpCode == gobwas.OpText, whole.Payload, err
		}
	}
}

// wishes are what our side would have.
var wishes = []struct {
	name   string
	config deflate.Config
	pieces int
}{
	{"no takeover", deflate.Config{}, 0},
	{"takeover", deflate.Config{Threshold: 1, Server: deflate.Direction{Takeover: true}, Client: deflate.Direction{Takeover: true}}, 0},
	{"takeover, windows of 4 KiB", deflate.Config{Level: 6, Server: deflate.Direction{Takeover: true, WindowBits: 12},
		Client: deflate.Direction{Takeover: true, WindowBits: 12}}, 0},
	{"takeover, pieces", deflate.Config{Server: deflate.Direction{Takeover: true}, Client: deflate.Direction{Takeover: true}}, 1000},
	{"pieces", deflate.Config{}, 1000},
}

// exchanged are messages with much in common, the longest of which are inflated in
// turns, and some noise.
func exchanged() (all [][]byte) {
	r := rand.New(rand.NewPCG(7692, 1))
	for _, size := range []int{0, 1, 100, 127, 1000, 1024, 5000, 33000, 70_000, 300, 400 << 10, 800} {
		var b bytes.Buffer
		for b.Len() < size {
			fmt.Fprintf(&b, `{"id":%d,"who":"%s","price":%.2f}`, r.IntN(10000), []string{"alice", "bob"}[r.IntN(2)], 100*r.Float64())
		}
		all = append(all, b.Bytes()[:size])
	}
	noise := make([]byte, 50_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	return append(all, noise, all[4])
}

func total(all [][]byte) (n int64) {
	for _, m := range all {
		n += int64(len(m))
	}
	return n
}

func TestClientsCompress(t *testing.T) {
	overBoth(t, func(t *testing.T, x transport) {
		for _, wish := range wishes {
			e := newEngine(t, engine.Config{Loops: 1, Vhosts: []engine.Vhost{{
				Listen: []string{"tcp://127.0.0.1:0"}, TLS: x.server(t),
				Protocols: []callbacks.Protocol{{RxBufferSize: wish.pieces, Deflate: &wish.config,
					Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
						if r == callbacks.Receive {
							return s.Write(in, s.Kind())
						}
						return nil
					}}}}}})
			for _, l := range squeezers {
				t.Run(wish.name+"/"+l.name, func(t *testing.T) {
					before := e.Stats()
					c, err := l.dial(x.scheme("ws") + e.Addrs()[0].String())
					if err != nil {
						t.Fatal(err)
					}
					defer c.drop()
					comeBack(t, c)
					if in, out := e.Stats().BytesIn-before.BytesIn, e.Stats().BytesOut-before.BytesOut; max(in, out) > total(exchanged()) {
						t.Errorf("%d bytes came and %d went for %d", in, out, 2*total(exchanged()))
					}
				})
			}
			e.stop()
		}
	})
}

// comeBack has all messages echoed, twice.
func comeBack(t *testing.T, c squeezer) {
	t.Helper()
	for range 2 {
		for i, m := range exchanged() {
			text := i < 10
			if err := c.write(text, bytes.Clone(m)); err != nil {
				t.Fatal(err)
			}
			if gotText, got, err := c.read(); err != nil || gotText != text || !bytes.Equal(got, m) {
				t.Fatalf("message %d: %d bytes came back for %d, %v", i, len(got), len(m), err)
			}
		}
	}
}

// squeezingServers are the libraries' servers, which echo.
var squeezingServers = []server{
	{"gorilla", gorillaServer}, {"coder, takeover", coderServer}, {"coder", coderForgets},
	{"gws", gwsServer(gws.PermessageDeflate{})},
	{"gws, takeover", gwsServer(gws.PermessageDeflate{ServerContextTakeover: true, ClientContextTakeover: true})},
	{"gws, takeover, windows", gwsServer(gws.PermessageDeflate{ServerContextTakeover: true, ClientContextTakeover: true,
		ServerMaxWindowBits: 10, ClientMaxWindowBits: 11})},
}

func coderForgets(w http.ResponseWriter, r *http.Request) {
	c, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: coder.CompressionNoContextTakeover})
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(-1)
	for {
		kind, p, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, p) != nil {
			return
		}
	}
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	_ = c.WriteMessage(m.Opcode, m.Bytes())
	_ = m.Close()
}

func gwsServer(d gws.PermessageDeflate) http.HandlerFunc {
	d.Enabled, d.Threshold = true, 1
	u := gws.NewUpgrader(gwsEcho{}, &gws.ServerOption{PermessageDeflate: d, ReadMaxPayloadSize: 64 << 20, WriteMaxPayloadSize: 64 << 20})
	return func(w http.ResponseWriter, r *http.Request) {
		if c, err := u.Upgrade(w, r); err == nil {
			c.ReadLoop()
		}
	}
}

// squeezed is a session of our client's.
type squeezed struct {
	agreed string
	got    []byte
	n      int // messages that have come back
	all    [][]byte
}

func (k *squeezed) hear(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.ClientFilterPreEstablish:
		agreed, _ := s.Response().Header().Get("Sec-WebSocket-Extensions")
		k.agreed, k.all = string(agreed), append(exchanged(), exchanged()...)
	case callbacks.ClientEstablished:
		return k.next(s)
	case callbacks.ClientReceive:
		if k.got = append(k.got, in...); !s.IsFinalFragment() {
			return nil
		}
		if !bytes.Equal(k.got, k.all[k.n]) {
			return fmt.Errorf("message %d: %d bytes came back for %d", k.n, len(k.got), len(k.all[k.n]))
		}
		k.got = k.got[:0]
		if k.n++; k.n == len(k.all) {
			return callbacks.ErrClose
		}
		return k.next(s)
	}
	return nil
}

// next sends a message, every third one in two pieces.
func (k *squeezed) next(s callbacks.Session) error {
	m, kind := k.all[k.n], callbacks.WriteBinary
	if k.n%3 == 2 {
		if err := s.Write(m[:len(m)/2], kind|callbacks.NoFin); err != nil {
			return err
		}
		m, kind = m[len(m)/2:], callbacks.WriteContinuation
	}
	return s.Write(m, kind)
}

func TestOurClientCompresses(t *testing.T) {
	for _, server := range squeezingServers {
		overBoth(t, func(t *testing.T, x transport) {
			url := x.serve(t, server.handler)
			for _, wish := range wishes {
				wish.config.Server.WindowBits = 0 // others ignore what is said about their window, or decline
				t.Run(server.name+"/"+wish.name, func(t *testing.T) { ourClientCompresses(t, url, wish.config, wish.pieces) })
			}
		})
	}
}

func ourClientCompresses(t *testing.T, url string, config deflate.Config, pieces int) {
	ended := make(chan error, 1)
	hear := func(s callbacks.Session, k *squeezed, r callbacks.Reason, in []byte) error {
		if r == callbacks.ClientClosed || r == callbacks.ClientConnectionError {
			err := s.Err()
			if k.n < len(k.all) || k.n == 0 || !strings.HasPrefix(k.agreed, deflate.Name) {
				err = fmt.Errorf("%d of %d messages by %q: %w", k.n, len(k.all), k.agreed, err)
			}
			ended <- err
		}
		return k.hear(s, r, in)
	}
	e := newEngine(t, engine.Config{Loops: 1, Vhosts: []engine.Vhost{{ClientTLS: ours(),
		Protocols: []callbacks.Protocol{{Callback: callbacks.WithState(hear), Deflate: &config, RxBufferSize: pieces}}}}})
	info, err := engine.ParseClientURL("ws" + strings.TrimPrefix(url, "http"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Connect(info); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, ended); err != nil {
		t.Fatal(err)
	}
	if st := e.Stats(); max(st.BytesIn, st.BytesOut) > total(exchanged()) {
		t.Errorf("%d bytes came and %d went for %d", st.BytesIn, st.BytesOut, 2*total(exchanged()))
	}
}

// TestBrowserCompresses: what Chromium offers is agreed to, and messages of all sizes
// come back, with takeover and without.
func TestBrowserCompresses(t *testing.T) {
	overBoth(t, func(t *testing.T, x transport) {
		ctx := browser(t)
		home := x.startEcho(t, "-deflate")
		page{t, ctx}.do(chromedp.Navigate(home.base + "/"))
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => {
			const ws = new WebSocket(location.href.replace(/^http/, 'ws'));
			await new Promise(done => ws.onopen = done);
			let text = '';
			for (let i = 0; text.length < 300000; i++) text += '{"id":' + (i * 7919) % 10007 + ',"who":"grüße 水"}';
			for (const n of [0, 1, 127, 128, 129, 1000, 1023, 5000, 32768, 65536, 100000, 299999]) {
				const m = text.slice(0, n);
				ws.send(m);
				const e = await new Promise(done => ws.onmessage = done);
				if (e.data !== m) return 'message of ' + n + ' came back with ' + e.data.length;
			}
			return ws.extensions;
		})()`, chromedp.EvalAwaitPromise))
		if err != nil || !strings.HasPrefix(got, "permessage-deflate") {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

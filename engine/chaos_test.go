package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// Clients that die, reset, half-close, dawdle and flood, on real sockets. All the
// while one that behaves has to be served, and at the end nothing may be left.

const (
	// chaosAtOnce is how many bad clients there are at a time.
	chaosAtOnce = 100

	// chaosHeap bounds the heap of server and clients together while it goes on. A
	// bad client can make the server hold its queue's high water mark of 256 KiB, and
	// what one read of 512 KiB adds to that; a hundred of them stay below this, and a
	// queue without end does not.
	chaosHeap = 96 << 20

	// chaosLeft bounds what is left of that when they are gone.
	chaosLeft = 32 << 20
)

// chaosServer echoes messages and bodies; "/hold" is answered later.
func chaosServer(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.Receive:
		return s.Write(in, s.Kind())
	case callbacks.HTTP:
		return chaosRequest(s, s.Request())
	case callbacks.HTTPBody:
		return s.Write(in, callbacks.WriteHTTP)
	case callbacks.HTTPBodyCompletion:
		if s.Request().Framing().Kind == http1.Chunked {
			return s.Write(nil, callbacks.WriteHTTPFinal)
		}
	case callbacks.Timer:
		if s.Request() != nil { // the client may have gone on to something else
			return s.Respond(200, "text/plain", []byte("held"))
		}
	}
	return nil
}

func chaosRequest(s callbacks.Session, q *http1.Request) error {
	switch {
	case string(q.Path()) == "/hold":
		s.Hold()
		s.SetTimer(time.Millisecond)
		return nil
	case string(q.Method()) == "GET":
		return s.Respond(200, "text/plain", []byte("Hello, World!"))
	case q.Framing().Kind == http1.Chunked:
		return s.StartResponse(200, "", -1)
	}
	return s.StartResponse(200, "", q.Framing().Length)
}

// chaosEngine is a running engine that bad clients meet.
type chaosEngine struct {
	*engine.Engine
	t    *testing.T
	addr string
	stop func()
}

func newChaos(t *testing.T) *chaosEngine {
	t.Helper()
	wstest.NoLeaks(t)
	e, err := engine.New(engine.Config{
		Loops:  2,
		Limits: engine.Limits{Message: 64 << 10},
		Logger: slog.New(slog.DiscardHandler),
		Vhosts: over(t).servers([]engine.Vhost{{
			Listen:    []string{"tcp://127.0.0.1:0"},
			Protocols: []callbacks.Protocol{{Name: "echo", Callback: chaosServer}},
		}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	c := &chaosEngine{Engine: e, t: t, addr: e.Addrs()[0].String()}
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(c.stop)
	return c
}

// suffer lets n bad clients loose and serves a good one until they are done. Then
// it wants everything back.
func (e *chaosEngine) suffer(n int, bad func(i int, c wire) error) {
	e.t.Helper()
	before := heap(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.unleash(n, bad)
	}()
	e.t.Cleanup(func() { <-done }) // if the good one fails first
	most := e.serveWell(done)
	e.t.Logf("the heap grew by %d MiB", (most-min(before, most))>>20)
	if most > before+chaosHeap {
		e.t.Errorf("the heap grew by %d MiB", (most-before)>>20)
	}
	wstest.Eventually(e.t, "no session is left", func() bool {
		st := e.Stats()
		return st.Sessions == 0 && st.WebSockets == 0 && st.Connections == 0
	})
	if left := heap(true); left > before+chaosLeft {
		e.t.Errorf("%d MiB of the heap are left", (left-before)>>20)
	}
	e.stop()
}

// unleash runs the bad clients, chaosAtOnce at a time.
func (e *chaosEngine) unleash(n int, bad func(i int, c wire) error) {
	var wg sync.WaitGroup
	turns := make(chan struct{}, chaosAtOnce)
	for i := range n {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			if err := e.meet(i, bad); err != nil {
				e.t.Errorf("bad client %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

// meet is one bad client's life.
func (e *chaosEngine) meet(i int, bad func(i int, c wire) error) error {
	tcp, err := net.Dial("tcp", e.addr)
	if err != nil {
		return err
	}
	defer tcp.Close()
	_ = tcp.SetDeadline(time.Now().Add(wstest.Patience))
	c, err := over(e.t).client(e.t.Context(), tcp, "")
	if err != nil {
		return err
	}
	defer c.Close()
	return bad(i, c.(wire))
}

// serveWell is the client that behaves. It returns the largest heap that it has
// seen.
func (e *chaosEngine) serveWell(done <-chan struct{}) (most uint64) {
	e.t.Helper()
	ws, web := over(e.t).secure(wstest.Connect(e.t, e.addr)), over(e.t).secure(wstest.Connect(e.t, e.addr))
	ws.Upgrade("/")
	defer func() { _ = ws.Close(); _ = web.Close() }()
	for round := 0; ; round++ {
		want := strings.Repeat("good ", 1+round%1000)
		ws.Frame(true, wstest.Text, []byte(want))
		ws.ExpectMessage(wstest.Text, want)
		web.Send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")
		for _, want := range []string{"held", "Hello, World!"} {
			if _, got := web.Body("GET"); got != want {
				e.t.Fatalf("round %d: got %q, want %q", round, got, want)
			}
		}
		most = max(most, heap(false))
		select {
		case <-done:
			return most
		default:
		}
	}
}

// heap returns how much of it is in use.
func heap(collect bool) uint64 {
	if collect {
		runtime.GC()
		runtime.GC() // a sync.Pool lets go at the second
	}
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

const upgrade = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// wsScript is a WebSocket's life as bytes: messages, fragments with a ping between
// them, and the close. The mask keys are zero.
const wsScript = upgrade +
	"\x81\x85\x00\x00\x00\x00hello" + "\x01\x84\x00\x00\x00\x00frag" + "\x89\x82\x00\x00\x00\x00hi" +
	"\x80\x85\x00\x00\x00\x00ments" + "\x82\xfe\x00\x80\x00\x00\x00\x00" +
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" +
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" + "\x88\x82\x00\x00\x00\x00\x03\xe8"

// wsAnswer is what comes back behind the 101.
const wsAnswer = "\x81\x05hello" + "\x8a\x02hi" + "\x81\x09fragments" + "\x82\x7e\x00\x80" +
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" +
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" + "\x88\x02\x03\xe8"

// httpScript is a connection's worth of requests.
const httpScript = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n" +
	"GET /hold HTTP/1.1\r\nHost: h\r\n\r\n" + "HEAD /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" +
	"PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n0123456789"

// endings are the ways in which a client goes away.
var endings = []func(wire) error{
	func(wire) error { return nil },                      // FIN, or RST if something was not read
	func(c wire) error { return c.SetLinger(0) },         // RST
	func(c wire) error { _, err := rest(c); return err }, // FIN, and on reading
	func(c wire) error { // RST with the answer on its way
		_, _ = c.Read(make([]byte, 1))
		return c.SetLinger(0)
	},
}

// rest half-closes and reads until the server closes. A reset is no surprise to a
// client that broke off.
func rest(c wire) ([]byte, error) {
	if err := c.CloseWrite(); err != nil && !gone(err) {
		return nil, err
	}
	b, err := io.ReadAll(c)
	if gone(err) {
		err = nil
	}
	return b, err
}

// gone tells a connection that the peer has ended from one that hangs.
func gone(err error) bool {
	var timeout net.Error
	return err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
}

// TestChaosCut ends clients behind every byte of each script, in every way.
func TestChaosCut(t *testing.T) {
	for name, script := range map[string]string{"websocket": wsScript, "http": httpScript} {
		t.Run(name, func(t *testing.T) {
			e := newChaos(t)
			stride := over(t).stride()
			e.suffer(len(script)*len(endings)/stride, func(i int, c wire) error {
				at, ending := i*stride/len(endings), i%len(endings)
				if _, err := io.WriteString(c, script[:at]); err != nil {
					return err
				}
				if ending == 3 && at < len(upgrade) && name == "websocket" || ending == 3 && at < 70 {
					ending = 1 // there is no answer yet to wait for
				}
				return endings[ending](c)
			})
		})
	}
}

// TestChaosDawdle writes byte by byte; the answers have to be whole.
func TestChaosDawdle(t *testing.T) {
	e := newChaos(t)
	e.suffer(100/over(t).stride(), func(i int, c wire) error {
		script, want, prefix := wsScript, wsAnswer, "\r\n\r\n"
		if i%2 == 0 {
			script, want, prefix = httpScript, "0123456789", ""
		}
		for _, b := range []byte(script) {
			if _, err := c.Write([]byte{b}); err != nil {
				return err
			}
		}
		got, err := rest(c)
		if err == nil && !bytes.HasSuffix(got, []byte(prefix+want)) {
			err = fmt.Errorf("got %q", got)
		}
		return err
	})
}

// flood writes b over and over, without reading, until most bytes are out or the
// server has stopped taking them.
func flood(c wire, b []byte, most int) {
	for sent := 0; sent < most; sent += len(b) {
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := c.Write(b); err != nil {
			return // full, or told to go: both will do
		}
	}
}

// TestChaosFlood sends what asks for answers and reads none of them. The server
// has to stop reading, or it would hold them all.
func TestChaosFlood(t *testing.T) {
	const most = 32 << 20
	for name, what := range map[string]struct{ first, again string }{
		"pings":    {upgrade, "\x89\x84\x00\x00\x00\x00ping"},
		"messages": {upgrade, "\x82\xfe\xff\xff\x00\x00\x00\x00" + strings.Repeat("m", 65535)},
		"requests": {"", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
		"held":     {"", "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"},
		"bodies":   {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "400\r\n" + strings.Repeat("b", 1024) + "\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			again := []byte(strings.Repeat(what.again, max(1, 64<<10/len(what.again))))
			e := newChaos(t)
			clients := 60 / over(t).stride()
			var flooding sync.WaitGroup
			flooding.Add(clients)
			e.suffer(clients, func(i int, c wire) error {
				_ = c.SetReadBuffer(4096)
				_, err := io.WriteString(c, what.first)
				flood(c, again, most)
				flooding.Done()
				flooding.Wait() // what the server holds, it holds for all at once
				return errors.Join(err, endings[i%2](c))
			})
		})
	}
}

// counted counts what is read, and is read in pieces: it hides its WriteTo.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// stalled waits until n is not growing any more.
func stalled(n *atomic.Int64) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for last := int64(-1); n.Load() != last; <-tick.C {
		last = n.Load()
	}
}

// TestChaosSlowReader sends without a look at the answers until the server stops
// taking more, and only then reads, in small pieces. Nothing may be lost although
// the server has had to wait in both directions.
func TestChaosSlowReader(t *testing.T) {
	e := newChaos(t)
	const messages = 300
	frame := "\x82\xfe\xff\xff\x00\x00\x00\x00" + strings.Repeat("m", 65535)
	all := []byte(upgrade + strings.Repeat(frame, messages) + "\x88\x80\x00\x00\x00\x00")
	e.suffer(8, func(_ int, c wire) error {
		_ = c.SetReadBuffer(64 << 10)
		var progress atomic.Int64
		sent := make(chan error, 1)
		go func() {
			_, err := io.Copy(c, &counted{bytes.NewReader(all), &progress})
			sent <- err
		}()
		stalled(&progress) // the buffers on the way are full
		got, small := 0, make([]byte, 5000)
		var err error
		for n := 0; err == nil; got += n {
			n, err = c.Read(small)
		}
		if want := messages * (65535 + 4); err != io.EOF || got < want {
			return fmt.Errorf("got %d of %d bytes, %w", got, want, err)
		}
		return <-sent
	})
}

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// Our client against the servers of other libraries, by TCP and by TLS.

// A server echoes, but for text that begins with a command:
//
//	close 1000 bye   close with that
//	ping x           send a ping, wait for the pong, then the text "ponged x"
//	fragments        send "fragments" in pieces
//	drop             close TCP without a word
type server struct {
	name    string
	handler http.HandlerFunc
}

var servers = []server{{"gorilla", gorillaServer}, {"coder", coderServer}}

// protocols are what the servers know.
var protocols = []string{"chat", "echo"}

func gorillaServer(w http.ResponseWriter, r *http.Request) {
	u := websocket.Upgrader{Subprotocols: protocols, EnableCompression: true}
	c, err := u.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		kind, p, err := c.ReadMessage()
		if err != nil || !gorillaCommand(c, kind, p) {
			return
		}
	}
}

func gorillaCommand(c *websocket.Conn, kind int, p []byte) bool {
	verb, rest, _ := strings.Cut(string(p), " ")
	switch verb {
	case "close":
		number, reason, _ := strings.Cut(rest, " ")
		code, _ := strconv.Atoi(number)
		var frame []byte
		if code != 0 {
			frame = websocket.FormatCloseMessage(code, reason)
		}
		_ = c.WriteControl(websocket.CloseMessage, frame, deadline())
		_, _, _ = c.ReadMessage() // its answer
		return false
	case "ping":
		c.SetPongHandler(func(got string) error {
			return c.WriteMessage(websocket.TextMessage, []byte("ponged "+got))
		})
		return c.WriteControl(websocket.PingMessage, []byte(rest), deadline()) == nil
	case "fragments":
		w, err := c.NextWriter(websocket.TextMessage)
		if err != nil {
			return false
		}
		for range 10 {
			fmt.Fprint(w, strings.Repeat("fragment ", 1000))
		}
		return w.Close() == nil
	case "drop":
		return false
	}
	return c.WriteMessage(kind, p) == nil
}

func coderServer(w http.ResponseWriter, r *http.Request) {
	c, err := coder.Accept(w, r, &coder.AcceptOptions{Subprotocols: protocols, InsecureSkipVerify: true,
		CompressionMode: coder.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(-1)
	for {
		kind, p, err := c.Read(r.Context())
		if err != nil || !coderCommand(c, r, kind, p) {
			return
		}
	}
}

func coderCommand(c *coder.Conn, r *http.Request, kind coder.MessageType, p []byte) bool {
	ctx := r.Context()
	verb, rest, _ := strings.Cut(string(p), " ")
	switch verb {
	case "close":
		number, reason, _ := strings.Cut(rest, " ")
		code, _ := strconv.Atoi(number)
		if code == 0 {
			code = int(coder.StatusNoStatusRcvd)
		}
		_ = c.Close(coder.StatusCode(code), reason)
		return false
	case "ping":
		go func() { // somebody has to read meanwhile
			if c.Ping(ctx) == nil {
				_ = c.Write(ctx, coder.MessageText, []byte("ponged "+rest))
			}
		}()
		return true
	case "fragments":
		w, err := c.Writer(ctx, coder.MessageText)
		if err != nil {
			return false
		}
		for range 10 {
			fmt.Fprint(w, strings.Repeat("fragment ", 1000))
		}
		return w.Close() == nil
	case "drop":
		return false
	}
	return c.Write(ctx, kind, p) == nil
}

// client is a session of ours and what it was told.
type client struct {
	t        *testing.T
	handle   callbacks.Handle
	open     chan string // the subprotocol
	messages chan message
	ended    chan end
}

type message struct {
	kind callbacks.Kind
	data string
}

type end struct {
	code   ws.StatusCode
	reason string
	err    error
	failed bool // ClientConnectionError
}

func (c *client) callback(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.ClientFilterPreEstablish:
		name, _ := s.Response().Header().Get("Sec-WebSocket-Protocol")
		c.open <- string(name)
	case callbacks.ClientReceive:
		c.messages <- message{s.Kind(), string(in)}
	case callbacks.ClientClosed:
		code, reason := s.CloseStatus()
		c.ended <- end{code: code, reason: reason, err: s.Err()}
	case callbacks.ClientConnectionError:
		c.ended <- end{err: s.Err(), failed: true}
	}
	return nil
}

// connect begins to connect a client on an engine of its own.
func connect(t *testing.T, url string, offer ...string) *client {
	t.Helper()
	c := &client{t: t, open: make(chan string, 1), messages: make(chan message, 100), ended: make(chan end, 1)}
	e := newEngine(t, engine.Config{Loops: 1, Limits: engine.Limits{Message: 64 << 20, SendQueue: 128 << 20},
		Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{{Callback: c.callback}}, ClientTLS: ours()}}})
	info, err := engine.ParseClientURL("ws" + strings.TrimPrefix(url, "http"))
	if err != nil {
		t.Fatal(err)
	}
	info.Protocol = strings.Join(offer, ",")
	if c.handle, err = e.Connect(info); err != nil {
		t.Fatal(err)
	}
	return c
}

// wait receives from ch.
func wait[T any](t *testing.T, ch <-chan T) (v T) {
	t.Helper()
	patience := time.NewTimer(wstest.Patience)
	defer patience.Stop()
	select {
	case v = <-ch:
	case <-patience.C:
		t.Fatalf("no %T came", v)
	}
	return v
}

func (c *client) say(text string) {
	c.t.Helper()
	if err := c.handle.Write([]byte(text), callbacks.WriteText); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) hears(kind callbacks.Kind, want string) {
	c.t.Helper()
	if got := wait(c.t, c.messages); got.kind != kind || got.data != want {
		c.t.Errorf("got kind %d with %d bytes, want %d with %d, or other bytes", got.kind, len(got.data), kind, len(want))
	}
}

// forEachServer runs f for every library's server.
func forEachServer(t *testing.T, f func(t *testing.T, url string)) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, x transport) { f(t, x.serve(t, s.handler)) })
		})
	}
}

func TestOurClientEchoes(t *testing.T) {
	forEachServer(t, func(t *testing.T, url string) {
		c := connect(t, url)
		wait(t, c.open)
		for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 8 << 20} {
			for _, kind := range []callbacks.Kind{callbacks.WriteText, callbacks.WriteBinary} {
				want := strings.Repeat("m", size)
				if err := c.handle.Write([]byte(want), kind); err != nil {
					t.Fatal(err)
				}
				c.hears(kind, want)
			}
		}
	})
}

func TestOurClientFragments(t *testing.T) {
	forEachServer(t, func(t *testing.T, url string) {
		c := connect(t, url)
		wait(t, c.open)
		for _, part := range []message{
			{callbacks.WriteText | callbacks.NoFin, "in "}, {callbacks.WriteContinuation | callbacks.NoFin, ""},
			{callbacks.WritePing, "between"}, {callbacks.WriteContinuation, "pieces"},
		} {
			if err := c.handle.Write([]byte(part.data), part.kind); err != nil {
				t.Fatal(err)
			}
		}
		c.hears(callbacks.WriteText, "in pieces")
		c.say("fragments please")
		c.hears(callbacks.WriteText, strings.Repeat("fragment ", 10_000))
	})
}

func TestOurClientSubprotocols(t *testing.T) {
	forEachServer(t, func(t *testing.T, url string) {
		for want, offer := range map[string][]string{"echo": {"other", "echo"}, "chat": {"chat"}, "": {"other"}} {
			c := connect(t, url, offer...)
			if got := wait(t, c.open); got != want {
				t.Errorf("offered %q, agreed on %q", offer, got)
			}
		}
	})
}

func TestOurClientPongs(t *testing.T) {
	forEachServer(t, func(t *testing.T, url string) {
		c := connect(t, url)
		wait(t, c.open)
		c.say("ping abc")
		c.hears(callbacks.WriteText, "ponged abc")
	})
}

func TestOurClientHearsTheClose(t *testing.T) {
	forEachServer(t, func(t *testing.T, url string) {
		for _, test := range closes {
			c := connect(t, url)
			wait(t, c.open)
			c.say(fmt.Sprintf("close %d %s", test.code, test.reason))
			want := ws.StatusCode(test.code)
			if want == 0 {
				want = ws.StatusNoStatusRcvd
			}
			if got := wait(t, c.ended); got.code != want || got.reason != test.reason || got.err != nil {
				t.Errorf("%d %q came as %+v", test.code, test.reason, got)
			}
		}
	})
}

func TestOurClientCloses(t *testing.T) {
	forEachServer(t, func(t *testing.T, url string) {
		for _, test := range closes {
			c := connect(t, url)
			wait(t, c.open)
			if err := c.handle.Close(ws.StatusCode(test.code), test.reason); err != nil {
				t.Fatal(err)
			}
			want := ws.StatusCode(test.code)
			if want == 0 {
				want = ws.StatusNoStatusRcvd
			}
			// RFC 6455 7.1.5: what counts is the frame that came. gorilla answers without
			// the reason.
			if got := wait(t, c.ended); got.code != want || got.reason != test.reason && got.reason != "" || got.err != nil {
				t.Errorf("%d %q ended as %+v", test.code, test.reason, got)
			}
		}
	})
}

func TestOurClientIsDropped(t *testing.T) {
	forEachServer(t, func(t *testing.T, url string) {
		c := connect(t, url)
		wait(t, c.open)
		c.say("drop")
		if got := wait(t, c.ended); got.code != ws.StatusAbnormalClosure || got.err == nil {
			t.Errorf("ended as %+v", got)
		}
	})
}

func TestOurClientIsRefused(t *testing.T) {
	for status, handler := range map[int]http.HandlerFunc{
		403: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		302: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		200: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a page") },
		503: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, strings.Repeat("busy", 10_000), http.StatusServiceUnavailable)
		},
		0: func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			_, _ = c.Write([]byte("what?\r\n\r\n"))
			_ = c.Close()
		},
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			overBoth(t, func(t *testing.T, x transport) {
				got := wait(t, connect(t, x.serve(t, handler)).ended)
				var failure *engine.HandshakeError
				if !got.failed || !errors.As(got.err, &failure) || failure.Status != status {
					t.Errorf("ended as %+v", got)
				}
			})
		})
	}
}

func TestOurClientIsDroppedInTheHandshake(t *testing.T) {
	overBoth(t, func(t *testing.T, x transport) {
		url := x.serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			_, _ = c.Write([]byte("HTTP/1.1 101 Switching"))
			_ = c.Close()
		}))
		if got := wait(t, connect(t, url).ended); !got.failed || got.err == nil {
			t.Errorf("ended as %+v", got)
		}
	})
}

// RFC 6455 5.3: the key is new for every frame, and not to be foretold.
func TestOurClientMasks(t *testing.T) {
	l := wstest.Listen(t)
	c := connect(t, "http://"+l.Addr().String())
	s := wstest.Accept(t, l)
	s.ReadUpgrade()
	s.AcceptUpgrade()
	wait(t, c.open)
	const frames = 1000
	for range frames {
		c.say("the same")
	}
	keys, bits := map[[4]byte]bool{}, [4]byte{}
	for range frames {
		f := s.Next() // which fails if it is not masked
		if !bytes.Equal(f.Payload, []byte("the same")) {
			t.Fatalf("got %q", f.Payload)
		}
		keys[f.Key] = true
		for i := range bits {
			bits[i] |= f.Key[i]
		}
	}
	if len(keys) < frames-2 || bits != [4]byte{255, 255, 255, 255} {
		t.Errorf("%d keys for %d frames, of the bits %x", len(keys), frames, bits)
	}
	s.CloseFrame(1000, "")
	_ = s.Close()
	wait(t, c.ended)
}

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/codec"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/invariant"
)

// reject answers, closes or holds at one reason and hears of no later one.
func reject(t *testing.T, at callbacks.Reason, how func(callbacks.Session) error, never ...callbacks.Reason) *server {
	t.Helper()
	return serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		for _, n := range never {
			if r == n {
				t.Errorf("%v was raised after %v had decided", r, at)
			}
		}
		if r == at {
			return how(s)
		}
		return nil
	})
}

func answer403(s callbacks.Session) error { return s.Respond(403, "", []byte("no")) }
func closeIt(s callbacks.Session) error   { return s.Close(0, "") }

// TestFiltersDecide: a filter that has answered or closed is the end of the
// request, whatever it returns.
func TestFiltersDecide(t *testing.T) {
	for _, at := range []callbacks.Reason{callbacks.FilterHTTPConnection, callbacks.HTTPBindProtocol, callbacks.CheckAccessRights} {
		p := reject(t, at, answer403, callbacks.HTTP, callbacks.HTTPBody).dial(t)
		p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").want(403, "no")
		reject(t, at, closeIt, callbacks.HTTP).dial(t).send(get("/")).wantEOF()
	}
	for _, at := range []callbacks.Reason{callbacks.HTTPConfirmUpgrade, callbacks.WSServerBindProtocol,
		callbacks.FilterProtocolConnection, callbacks.AddHeaders} {
		p := reject(t, at, answer403, callbacks.Established).dial(t).send(upgradeHead + "\r\n")
		p.want(403, "no")
		p.wantEOF()
		reject(t, at, closeIt, callbacks.Established).dial(t).send(upgradeHead + "\r\n").wantEOF()
	}
}

// TestBrokenBodyTakesTheAnswerBack: a program that streams has begun to answer
// when the same segment turns out to be broken.
func TestBrokenBodyTakesTheAnswerBack(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTP:
			return s.StartResponse(200, "", -1)
		case callbacks.HTTPBody:
			return s.Write(in, callbacks.WriteHTTP)
		}
		return nil
	})
	p := v.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
	p.want(400, "Bad Request\n")
	p.wantEOF()
}

// TestRequestStaysTheRequest keeps the pointer from HTTP to the end of the body,
// with another connection's request in between.
func TestRequestStaysTheRequest(t *testing.T) {
	var kept *http1.Request
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.HTTP && string(in) == "/mine":
			kept = s.Request()
		case r == callbacks.HTTPBodyCompletion:
			return s.Respond(200, "", kept.Path())
		case r == callbacks.HTTP:
			return s.Respond(200, "", nil)
		}
		return nil
	})
	p := v.dial(t).send("POST /mine HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
	v.dial(t).send(get("/somebody-elses")).want(200, "")
	p.send("x").want(200, "/mine")
}

// TestHandleOfARequest is taken for the first and used when the second is there.
func TestHandleOfARequest(t *testing.T) {
	var first callbacks.Handle
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.HTTP && string(in) == "/1":
			first = s.Handle()
			return s.Respond(504, "", nil)
		case r == callbacks.HTTP:
			if s.Handle() == first || s.Handle() != s.Handle() {
				t.Error("handles of two requests are equal, or those of one differ")
			}
			s.Hold()
			_ = first.Post(func(s callbacks.Session) error { return s.Respond(200, "", []byte("the answer to /1")) })
			_ = first.Write([]byte("too late"), callbacks.WriteHTTP)
			return s.Handle().Post(func(s callbacks.Session) error { return s.Respond(200, "", []byte("right")) })
		}
		return nil
	})
	p := v.dial(t).send(get("/1"))
	p.want(504, "")
	p.send(get("/2")).want(200, "right")
}

// panicky is a codec whose every method can panic.
type panicky struct{ at string }

func (c panicky) NewDecoder() codec.Decoder {
	if c.at == "new" {
		panic("new")
	}
	return c
}

func (c panicky) Append(dst, msg []byte) ([]byte, error) {
	if c.at == "append" {
		panic("append")
	}
	return append(dst, msg...), nil
}

func (c panicky) Next(b []byte) (int, []byte, bool, error) {
	switch c.at {
	case "next":
		panic("next")
	case "beyond":
		return len(b) + 1, nil, true, nil
	}
	return len(b), b, true, nil
}

func TestPanicsOfACodecEndOneSession(t *testing.T) {
	for _, at := range []string{"new", "append", "next", "beyond"} {
		v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{RawProtocol: "p", Protocols: []callbacks.Protocol{{
			Name: "p", Codec: panicky{at}, Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				if r == callbacks.RawRX {
					return s.Write(in, callbacks.WriteBinary)
				}
				return nil
			}}}}}})
		for range 2 {
			p := v.dial(t)
			_, _ = io.WriteString(p, "x")
			p.wantEOF()
		}
	}
}

func TestCodecSessionCutInAMessage(t *testing.T) {
	ended := make(chan error, 1)
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{RawProtocol: "p", Protocols: []callbacks.Protocol{{
		Name: "p", Codec: upper{}, Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.RawClose {
				ended <- s.Err()
			}
			return nil
		}}}}}})
	v.dial(t).send("half a li").Close()
	if err := <-ended; err != io.ErrUnexpectedEOF {
		t.Errorf("ended with %v", err)
	}
}

func TestStatusWithoutBodyEndsTheResponse(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP {
			return s.StartResponse(204, "", -1)
		}
		return nil
	})
	p := v.dial(t).send(get("/") + get("/"))
	p.want(204, "")
	p.want(204, "")
}

func TestUnknownMethod(t *testing.T) {
	v := serve(t, nothing)
	v.dial(t).send("BREW / HTTP/1.1\r\nHost: a\r\n\r\n").want(501, "Not Implemented\n")
}

func TestPingsHaveNoFragments(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.Established {
			for _, kind := range []callbacks.Kind{callbacks.WritePing, callbacks.WritePong} {
				if err := s.Write(nil, kind|callbacks.NoFin); err != callbacks.ErrKind {
					t.Errorf("%v|NoFin: %v", kind, err)
				}
			}
			return callbacks.ErrClose
		}
		return nil
	})
	p, _ := v.upgrade(t)
	p.wantFrames(closeFrame(1000, ""))
}

// TestCallsBeforeThereIsARole come from the first reasons of a connection.
func TestCallsBeforeThereIsARole(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.WSICreate {
			for _, err := range []error{s.Write(nil, callbacks.WriteText), s.Respond(200, "", nil), s.AddHeader("A", "b")} {
				if err != callbacks.ErrRole {
					t.Errorf("got %v", err)
				}
			}
			s.RequestWriteable()
			s.Hold()
		}
		if r == callbacks.HTTP {
			return s.Respond(200, "", nil)
		}
		return nil
	})
	v.dial(t).send(get("/")).want(200, "")
}

// TestHeaderBetweenRequests must not reach the next one's answer.
func TestHeaderBetweenRequests(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTP:
			return s.Respond(200, "", nil)
		case callbacks.HTTPDropProtocol:
			s.SetTimer(0)
		case callbacks.Timer:
			if err := s.AddHeader("X-Leak", "1"); err != callbacks.ErrRole {
				t.Errorf("got %v", err)
			}
		}
		return nil
	})
	p := v.dial(t).send(get("/"))
	p.want(200, "")
	if r := p.send(get("/")).want(200, ""); r.Header.Get("X-Leak") != "" {
		t.Error("a field leaked")
	}
}

// TestWriteableWaitsForRoom: a writer that was refused is called when there is
// room, and not before.
func TestWriteableWaitsForRoom(t *testing.T) {
	var calls, refused int
	done := make(chan struct{})
	limits := engine.Limits{SendQueue: 1 << 20, SendHigh: 1 << 20, DrainTimeout: time.Millisecond}
	v := start(t, engine.Config{Loops: 1, Limits: limits, Vhosts: vhost(callbacks.Protocol{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.Receive, callbacks.ServerWriteable:
				calls++
				for refused < 3 {
					if s.Write(make([]byte, 64<<10), callbacks.WriteBinary) != nil {
						refused++
						s.RequestWriteable()
						return nil
					}
				}
				close(done)
			}
			return nil
		}})})
	p, _ := v.upgrade(t)
	p.frame(ws.OpText, true, "go")
	go func() { _, _ = io.Copy(io.Discard, p.r) }()
	<-done
	if calls != 4 {
		t.Errorf("%d calls for %d refusals", calls, refused)
	}
}

func TestShutdownTwiceAndWithoutRun(t *testing.T) {
	var rec callbackstest.Recorder
	e, err := engine.New(engine.Config{Loops: 1, Vhosts: vhost(callbacks.Protocol{Callback: rec.Wrap(nil)})})
	if err != nil {
		t.Fatal(err)
	}
	h, err := e.Connect(engine.ClientConnectInfo{Address: "127.0.0.1", Port: 9})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := rec.Reasons(1); got != "WSICreate ClientConnectionError WSIDestroy" {
		t.Errorf("the client heard %s", got)
	}
	if err := h.Close(0, ""); err != callbacks.ErrClosed {
		t.Errorf("its handle says %v", err)
	}
}

func TestClientsOfARunThatFailed(t *testing.T) {
	bad, failed := errors.New("no database"), false
	e, _ := engine.New(engine.Config{Loops: 1, Vhosts: vhost(callbacks.Protocol{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.ProtocolInit {
				return bad
			}
			failed = failed || r == callbacks.ClientConnectionError
			return nil
		}})})
	if _, err := e.Connect(engine.ClientConnectInfo{Address: "127.0.0.1", Port: 9}); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); !errors.Is(err, bad) || !failed {
		t.Errorf("Run: %v; the client heard of its end: %v", err, failed)
	}
}

// TestShutdownDoesNotOutlastItsContext has a callback that blocks.
func TestShutdownDoesNotOutlastItsContext(t *testing.T) {
	block, blocked := make(chan struct{}), make(chan struct{})
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP {
			close(blocked)
			<-block
		}
		return nil
	})
	v.dial(t).send(get("/"))
	<-blocked
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := v.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	close(block)
}

func TestUpgradeWhileDraining(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Vhosts: vhost(callbacks.Protocol{Callback: nothing})})
	p := v.dial(t)
	v.shaken(t, 1)
	before := v.Stats().BytesIn
	p.send(upgradeHead)
	eventually(t, "half a head is there", func() bool { return v.Stats().BytesIn > before })
	v.stop()
	p.send("\r\n")
	if r, _ := p.response("GET"); r.StatusCode != 101 {
		t.Fatal(r.Status)
	}
	p.wantFrames(closeFrame(1001, ""))
	p.frame(ws.OpClose, true, "\x03\xe9").wantEOF()
	p.Close()
}

// TestNoLimit: negative is none, and huge is not small.
func TestNoLimit(t *testing.T) {
	lim := engine.Limits{RawMessage: -1, SendQueue: -1, Body: -1, Message: -1, HeaderTimeout: math.MaxInt64, IdleTimeout: -1,
		PingInterval: -1, HangupTimeout: -1, DrainTimeout: time.Millisecond}
	fired := make(chan struct{}, 1)
	v := start(t, engine.Config{Loops: 1, Limits: lim, Vhosts: vhost(callbacks.Protocol{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.Established:
				s.SetTimer(math.MaxInt64)
			case callbacks.Timer:
				fired <- struct{}{}
			}
			return echoWS(s, r, in)
		}})})
	p, _ := v.upgrade(t)
	long := strings.Repeat("x", 20<<20)
	go p.frame(ws.OpBinary, true, long)
	p.wantFrames("2 " + long)
	if len(fired) > 0 {
		t.Error("a timer of ages has fired")
	}
}

func TestHangupWithoutPings(t *testing.T) {
	ended := make(chan error, 1)
	lim := engine.Limits{PingInterval: -1, HangupTimeout: 30 * time.Millisecond, DrainTimeout: time.Millisecond}
	v := start(t, engine.Config{Loops: 1, Limits: lim, Vhosts: vhost(callbacks.Protocol{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.Closed {
				ended <- s.Err()
			}
			return nil
		}})})
	v.upgrade(t)
	if err := <-ended; !errors.Is(err, engine.ErrHangup) {
		t.Errorf("ended with %v", err)
	}
}

func TestProtocolLimits(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Limits: engine.Limits{Body: 10, SendQueue: 4096, DrainTimeout: time.Millisecond},
		Vhosts: vhost(callbacks.Protocol{MaxMessage: 100, Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.Receive {
				return s.Write(make([]byte, 8192), callbacks.WriteBinary)
			}
			return nil
		}})})
	p, _ := v.upgrade(t)
	p.frame(ws.OpText, true, strings.Repeat("x", 101)).wantFrames(closeFrame(1009, "frame too big"))
	p, _ = v.upgrade(t)
	p.frame(ws.OpText, true, "flood me").wantFrames(closeFrame(1013, "send queue full"))
	v.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n").
		want(413, "Content Too Large\n")
}

// TestHandshakeOnTheWire looks at the request of a client.
func TestHandshakeOnTheWire(t *testing.T) {
	heads := make(chan string, 1)
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTPConfirmUpgrade {
			heads <- string(s.Request().Raw())
		}
		return nil
	})
	info := clientInfo(t, v.addr)
	info.Origin, info.Protocol, info.Iface = "http://here", "one, other", "127.0.0.1"
	connectTo(t, info, func(callbacks.Session, callbacks.Reason, []byte) error { return nil })
	head := <-heads
	for _, line := range []string{"GET /chat?x=y HTTP/1.1", "Host: " + v.addr, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Origin: http://here", "Sec-WebSocket-Protocol: one, other"} {
		if strings.Count(head, line+"\r\n") != 1 {
			t.Errorf("%q is not there once in\n%s", line, head)
		}
	}
}

func TestTimerWhileConnecting(t *testing.T) {
	fired := make(chan error, 2)
	e, err := engine.New(engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.Connecting:
				s.SetTimer(0)
			case callbacks.Timer:
				fired <- nil
				return errors.New("enough")
			case callbacks.ClientConnectionError:
				fired <- s.Err()
			}
			return nil
		}})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	// A name takes longer to resolve than the timer to fire, or fails: both end it.
	if _, err := e.Connect(engine.ClientConnectInfo{Address: "no.such.host.invalid"}); err != nil {
		t.Fatal(err)
	}
	for err := range fired {
		if err != nil {
			break
		}
	}
	stop()
	<-done
}

func TestVhostsThatCannotShare(t *testing.T) {
	p := []callbacks.Protocol{{Name: "p", Callback: nothing}}
	v := func(name string, change func(*engine.Vhost)) engine.Vhost {
		v := engine.Vhost{Name: name, Listen: []string{"tcp://127.0.0.1:1"}, Protocols: p}
		change(&v)
		return v
	}
	same := func(*engine.Vhost) {}
	for name, vhosts := range map[string][]engine.Vhost{
		"equal names":    {v("a", same), v("A", same)},
		"twice":          {v("a", func(v *engine.Vhost) { v.Listen = append(v.Listen, "127.0.0.1:1") })},
		"one is raw":     {v("a", same), v("b", func(v *engine.Vhost) { v.RawProtocol = "p" })},
		"one has delays": {v("a", same), v("b", func(v *engine.Vhost) { v.Delay = true })},
		"port":           {v("a", func(v *engine.Vhost) { v.Listen = []string{":99999"} })},
		"304":            {v("a", func(v *engine.Vhost) { v.Mounts = []engine.Mount{engine.Redirect("/", 304, "/x")} })},
	} {
		if _, err := engine.New(engine.Config{Vhosts: vhosts}); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyHandleWritesLeaveInOrder from one goroutine.
func TestManyHandleWritesLeaveInOrder(t *testing.T) {
	handles := make(chan callbacks.Handle, 1)
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.Established {
			handles <- s.Handle()
		}
		return nil
	})
	p, _ := v.upgrade(t)
	h := <-handles
	for i := range 500 {
		if err := h.Write(fmt.Append(nil, i), callbacks.WriteText); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 500 {
		p.wantFrames(fmt.Sprint("1 ", i))
	}
}

// allocations counts the engine's in a trip to it and back.
func allocations(t *testing.T, trip func()) float64 {
	switch {
	case invariant.Enabled:
		t.Skip("the checks of the invariants build allocate on their own")
	case raced && over(t) != overTCP:
		t.Skip("the race detector makes the client's crypto/tls allocate")
	}
	trip()
	return testing.AllocsPerRun(500, trip) - over(t).clientAllocs()
}

// TestEchoAllocatesNothing pins the way of a message through the whole engine.
func TestEchoAllocatesNothing(t *testing.T) {
	v := serve(t, echoWS)
	p, _ := v.upgrade(t)
	request := ws.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{1, 2, 3, 4}, []byte("sixteen letters."))
	reply := make([]byte, 18)
	trip := func() {
		if _, err := p.Conn.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(p.Conn, reply); err != nil {
			t.Fatal(err)
		}
	}
	if n := allocations(t, trip); n >= 1 {
		t.Errorf("%v allocations a message", n)
	}
}

func TestPlainGetAllocatesNothing(t *testing.T) {
	hello := []byte("Hello, World!")
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP {
			return s.Respond(200, "text/plain", hello)
		}
		return nil
	})
	p := v.dial(t)
	request, reply := []byte(get("/plain")), make([]byte, 4096)
	trip := func() {
		if _, err := p.Conn.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Conn.Read(reply); err != nil {
			t.Fatal(err)
		}
	}
	if n := allocations(t, trip); n >= 1 {
		t.Errorf("%v allocations a request", n)
	}
}

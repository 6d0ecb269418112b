package engine_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

func echoWS(s callbacks.Session, r callbacks.Reason, in []byte) error {
	if r == callbacks.Receive {
		return s.Write(in, s.Kind())
	}
	return nil
}

func TestUpgrade(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.AddHeaders:
			return s.AddHeader("Set-Cookie", "seen=1")
		case callbacks.Established:
			if string(s.Request().Path()) != "/chat" {
				t.Errorf("the head is not readable: %q", s.Request().Path())
			}
		case callbacks.Receive:
			if s.Request() != nil {
				t.Error("the head is kept without RetainHead")
			}
		}
		return echoWS(s, r, in)
	})
	p, r := v.upgrade(t)
	if got := r.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("accept %q", got)
	}
	if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" || r.Header.Get("Set-Cookie") != "seen=1" {
		t.Errorf("%v", r.Header)
	}
	p.frame(ws.OpText, true, "hello").wantFrames("1 hello")
	p.frame(ws.OpBinary, true, "").wantFrames("2 ")
}

func TestRetainHead(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{RetainHead: true,
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.Receive {
				c, _ := http1.Cookie(s.Request().Header(), "who")
				return s.Write(c, callbacks.WriteText)
			}
			return nil
		}})})
	p, _ := v.upgrade(t, "Cookie: who=me")
	v.upgrade(t, "Cookie: who=you")
	p.frame(ws.OpText, true, "?").wantFrames("1 me")
}

func TestUpgradeRefusals(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		path := ""
		if q := s.Request(); q != nil {
			path = string(q.Path())
		}
		switch {
		case r == callbacks.HTTPConfirmUpgrade && path == "/confirm", r == callbacks.FilterProtocolConnection && path == "/filter":
			return errors.New("no")
		case r == callbacks.FilterProtocolConnection && path == "/pay":
			return http1.NewError(402, "pay first")
		case r == callbacks.AddHeaders && path == "/broken":
			return errors.New("broken")
		case r == callbacks.Established:
			t.Errorf("%s was established", path)
		}
		return nil
	})
	head := func(change ...string) string {
		return strings.NewReplacer(change...).Replace(upgradeHead) + "\r\n"
	}
	for name, c := range map[string]struct {
		status int
		send   string
	}{
		"version 7":         {426, head("Version: 13", "Version: 7")},
		"no version":        {426, head("Sec-WebSocket-Version: 13\r\n", "")},
		"short key":         {400, head("dGhlIHNhbXBsZSBub25jZQ==", "abc")},
		"no key":            {400, head("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")},
		"two keys":          {400, head("Upgrade: w", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUpgrade: w")},
		"POST":              {405, head("GET", "POST")},
		"a body":            {400, head("Upgrade: w", "Content-Length: 1\r\nUpgrade: w")},
		"repeated protocol": {400, head("Upgrade: w", "Sec-WebSocket-Protocol: a, a\r\nUpgrade: w")},
		"confirm":           {403, head("/chat", "/confirm")},
		"filter":            {403, head("/chat", "/filter")},
		"chosen status":     {402, head("/chat", "/pay")},
		"broken callback":   {500, head("/chat", "/broken")},
	} {
		t.Run(name, func(t *testing.T) {
			p := v.dial(t).send(c.send)
			r, _ := p.response("GET")
			if r.StatusCode != c.status || !r.Close {
				t.Fatalf("%s, close %v; want %d", r.Status, r.Close, c.status)
			}
			if c.status == 426 && r.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("the refusal does not name the version: %v", r.Header)
			}
			p.wantEOF()
		})
	}
}

func TestSubprotocols(t *testing.T) {
	answer := func(name string) callbacks.Protocol {
		return callbacks.Protocol{Name: name, Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.Receive {
				return s.Write([]byte(s.Protocol().Name), callbacks.WriteText)
			}
			return nil
		}}
	}
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{
		Protocols: []callbacks.Protocol{answer("first"), answer("second"), answer("mounted")},
		Mounts:    []engine.Mount{engine.Callback("/chat", "mounted")},
	}}})
	for offer, want := range map[string][2]string{
		"":                       {"", "mounted"},
		"second":                 {"second", "second"},
		"unknown, second, first": {"second", "second"},
		"Second":                 {"", "mounted"},
		"unknown":                {"", "mounted"},
		"unknown\r\nSec-WebSocket-Protocol: first": {"first", "first"},
	} {
		var lines []string
		if offer != "" {
			lines = []string{"Sec-WebSocket-Protocol: " + offer}
		}
		p, r := v.upgrade(t, lines...)
		if got := r.Header.Get("Sec-WebSocket-Protocol"); got != want[0] {
			t.Errorf("offer %q: chose %q, want %q", offer, got, want[0])
		}
		p.frame(ws.OpText, true, "who").wantFrames("1 " + want[1])
	}
}

// TestGluedFrame sends a frame in the same segment as the handshake.
func TestGluedFrame(t *testing.T) {
	v := serve(t, echoWS)
	glued := string(ws.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{9, 8, 7, 6}, []byte(strings.Repeat("g", 600))))
	p := v.dial(t).send(upgradeHead + "\r\n" + glued)
	if r, _ := p.response("GET"); r.StatusCode != 101 {
		t.Fatal(r.Status)
	}
	p.wantFrames("1 " + strings.Repeat("g", 600))
}

func TestPieces(t *testing.T) {
	type got struct {
		text        string
		first, last bool
		left        uint64
		kind        callbacks.Kind
	}
	seen := make(chan got, 16)
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{RxBufferSize: 4,
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.Receive {
				seen <- got{string(in), s.IsFirstFragment(), s.IsFinalFragment(), s.RemainingPacketPayload(), s.Kind()}
				return s.Write(in, s.Kind())
			}
			return nil
		}})})
	p, _ := v.upgrade(t)
	p.send(string(ws.AppendMaskedFrame(nil, ws.OpBinary, false, [4]byte{1}, []byte("abcdef"))) +
		string(ws.AppendMaskedFrame(nil, ws.OpContinuation, true, [4]byte{2}, []byte("gh"))))
	for _, want := range []got{
		{"abcd", true, false, 2, callbacks.WriteBinary | callbacks.NoFin},
		{"ef", false, false, 0, callbacks.WriteContinuation | callbacks.NoFin},
		{"gh", false, true, 0, callbacks.WriteContinuation},
	} {
		if g := <-seen; g != want {
			t.Errorf("got %+v, want %+v", g, want)
		}
	}
	p.wantFrames("2+ abcd", "0+ ef", "0 gh")
}

func TestMessagesAreWholeWhateverTheFragments(t *testing.T) {
	v := serve(t, echoWS)
	p, _ := v.upgrade(t)
	p.frame(ws.OpText, false, "one ").frame(ws.OpPing, true, "p").frame(ws.OpContinuation, false, "").frame(ws.OpContinuation, true, "two")
	p.wantFrames("a p", "1 one two")
}

func TestWriteKinds(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r != callbacks.Established {
			return nil
		}
		check := func(p string, kind callbacks.Kind, want error) {
			t.Helper()
			if err := s.Write([]byte(p), kind); err != want {
				t.Errorf("Write(%q, %v) = %v, want %v", p, kind, err, want)
			}
		}
		check("x", callbacks.WriteContinuation, callbacks.ErrFragment)
		check("a", callbacks.WriteText|callbacks.NoFin, nil)
		check("x", callbacks.WriteBinary, callbacks.ErrFragment)
		check("p", callbacks.WritePing, nil)
		check("b", callbacks.WriteContinuation|callbacks.NoFin, nil)
		check("c", callbacks.WriteContinuation, nil)
		check("", callbacks.WriteBinary, nil)
		check("q", callbacks.WritePong, nil)
		check(strings.Repeat("x", 126), callbacks.WritePing, callbacks.ErrTooLong)
		check("x", callbacks.WriteHTTP, callbacks.ErrKind)
		if err := s.Respond(200, "", nil); err != callbacks.ErrRole {
			t.Errorf("Respond on a WebSocket: %v", err)
		}
		return s.Close(3000, "done")
	})
	p, _ := v.upgrade(t)
	p.wantFrames("1+ a", "9 p", "0+ b", "0 c", "2 ", "a q", closeFrame(3000, "done"))
}

// TestCloseHandshake covers who begins and what both sides hear.
func TestCloseHandshake(t *testing.T) {
	var rec callbackstest.Recorder
	ended := make(chan string, 1)
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: rec.Wrap(
		func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch {
			case r == callbacks.Receive && string(in) == "close":
				return s.Close(4001, "server")
			case r == callbacks.Receive && string(in) == "normal":
				return callbacks.ErrClose
			case r == callbacks.Receive && string(in) == "policy":
				return &ws.CloseError{Code: ws.StatusPolicyViolation, Reason: "rude"}
			case r == callbacks.Receive && string(in) == "panic":
				panic("boom")
			case r == callbacks.Receive && string(in) == "error":
				return errors.New("boom")
			case r == callbacks.WSPeerInitiatedClose && string(in) == "\x0f\xa2change":
				return s.Close(1000, "changed")
			case r == callbacks.Closed:
				code, reason := s.CloseStatus()
				ended <- fmt.Sprintf("%d %s, %v", code, reason, s.Err())
			}
			return nil
		})})})
	for name, c := range map[string]struct{ say, answer, ended string }{
		"by us":                    {"close", closeFrame(4001, "server"), "4001 server, <nil>"},
		"normally":                 {"normal", closeFrame(1000, ""), "1000 , <nil>"},
		"by an error with a code":  {"policy", closeFrame(1008, "rude"), `1008 rude, ws: closed with 1008: "rude"`},
		"by a panic":               {"panic", closeFrame(1011, ""), "1011 , engine: a callback panicked: boom"},
		"by an error":              {"error", closeFrame(1011, ""), "1011 , boom"},
		"by the peer":              {"\x03\xf4gone", closeFrame(1012, "gone"), "1012 gone, <nil>"},
		"by the peer without code": {"", "8 ", "1005 , <nil>"},
		"by the peer, answered":    {"\x0f\xa2change", closeFrame(1000, "changed"), "4002 change, <nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := v.upgrade(t)
			if strings.HasPrefix(name, "by the peer") {
				p.frame(ws.OpClose, true, c.say).wantFrames(c.answer)
			} else {
				p.frame(ws.OpText, true, c.say).wantFrames(c.answer)
				p.frame(ws.OpClose, true, c.answer[2:])
			}
			p.wantEOF()
			p.Close()
			if got := <-ended; !strings.HasPrefix(got, c.ended) {
				t.Errorf("ended with %q, want %q", got, c.ended)
			}
		})
	}
	eventually(t, "all sessions end", func() bool { return rec.Open() == 0 })
	if f := rec.Faults(); len(f) > 0 {
		t.Error(f)
	}
}

func TestBreachesOfTheProtocol(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Limits: engine.Limits{Message: 1000, Frame: 500, DrainTimeout: time.Millisecond},
		Vhosts: vhost(callbacks.Protocol{Callback: echoWS})})
	masked := func(b0 byte, payload string) string {
		f := ws.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{}, []byte(payload))
		f[0] = b0
		return string(f)
	}
	for name, c := range map[string]struct {
		code ws.StatusCode
		send string
	}{
		"reserved bit":            {1002, masked(0xc1, "x")},
		"reserved opcode":         {1002, masked(0x83, "x")},
		"unmasked":                {1002, "\x81\x01x"},
		"long ping":               {1002, "\x89\xfe\x00\x7e"},
		"fragmented ping":         {1002, masked(0x09, "x")},
		"continuation of nothing": {1002, masked(0x80, "x")},
		"message in a message":    {1002, masked(0x01, "x") + masked(0x81, "y")},
		"one byte of a code":      {1002, masked(0x88, "x")},
		"code 1006":               {1002, masked(0x88, "\x03\xee")},
		"length not minimal":      {1002, "\x81\xfe\x00\x01\x00\x00\x00\x00x"},
		"not UTF-8":               {1007, masked(0x81, "\xff")},
		"reason not UTF-8":        {1007, masked(0x88, "\x03\xe8\xff")},
		"frame too long":          {1009, masked(0x82, strings.Repeat("x", 501))},
		"message too long":        {1009, masked(0x02, strings.Repeat("x", 500)) + masked(0x00, strings.Repeat("x", 500)) + masked(0x80, "x")},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := v.upgrade(t)
			p.frame(ws.OpText, true, "before").send(c.send)
			p.wantFrames("1 before")
			got := p.read()
			if want := closeFrame(c.code, ""); !strings.HasPrefix(got, want) {
				t.Fatalf("got %q, want code %d", got, c.code)
			}
			p.wantEOF()
		})
	}
}

// TestCloseThenText sends a message behind the close frame, in one segment.
func TestCloseThenText(t *testing.T) {
	v := serve(t, echoWS)
	p, _ := v.upgrade(t)
	p.send(string(ws.AppendMaskedClose(nil, [4]byte{1}, 1000, "")) +
		string(ws.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{1}, []byte("late"))))
	p.wantFrames(closeFrame(1000, ""))
	p.wantEOF()
}

func TestEveryPingIsAnswered(t *testing.T) {
	v := serve(t, echoWS)
	p, _ := v.upgrade(t)
	all := ""
	for i := range 3 {
		all += string(ws.AppendMaskedFrame(nil, ws.OpPing, true, [4]byte{byte(i)}, []byte{'0' + byte(i)}))
	}
	p.send(all).wantFrames("a 0", "a 1", "a 2")
}

// TestHandles writes and closes from other goroutines.
func TestHandles(t *testing.T) {
	handles := make(chan callbacks.Handle, 1)
	closed := make(chan struct{})
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.Established:
			handles <- s.Handle()
			if s.Handle() != s.Handle() {
				t.Error("a session's handles differ")
			}
		case callbacks.ServerWriteable:
			return s.Write([]byte("writeable"), callbacks.WriteText)
		case callbacks.WSIDestroy:
			close(closed)
		}
		return nil
	})
	p, _ := v.upgrade(t)
	h := <-handles
	for i := range 3 {
		if err := h.Write([]byte{'0' + byte(i)}, callbacks.WriteText); err != nil {
			t.Fatal(err)
		}
	}
	p.wantFrames("1 0", "1 1", "1 2")
	_ = h.RequestWriteable()
	p.wantFrames("1 writeable")
	_ = h.Post(func(s callbacks.Session) error { return s.Write([]byte("posted"), callbacks.WriteBinary) })
	p.wantFrames("2 posted")
	if err := h.Close(1006, ""); err == nil {
		t.Error("Close took a code that may not be sent")
	}
	_ = h.Close(1001, "bye")
	p.wantFrames(closeFrame(1001, "bye"))
	p.frame(ws.OpClose, true, "\x03\xe9").wantEOF()
	p.Close()
	<-closed
	for name, err := range map[string]error{
		"Write": h.Write(nil, callbacks.WriteText), "Close": h.Close(0, ""), "RequestWriteable": h.RequestWriteable(),
		"Post": h.Post(func(callbacks.Session) error { return nil }),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after the end: %v", name, err)
		}
	}
}

func TestErrorOfAPostEndsTheSession(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.Established {
			_ = s.Handle().Post(func(callbacks.Session) error { panic("boom") })
		}
		return nil
	})
	p, _ := v.upgrade(t)
	p.wantFrames(closeFrame(1011, ""))
}

// TestSlowReader fills the send queue: the engine stops reading from the peer,
// Writeable comes when the queue has drained, and the hard limit refuses.
func TestSlowReader(t *testing.T) {
	var refused, drained atomic.Bool
	limits := engine.Limits{SendHigh: 64 << 10, SendQueue: 256 << 10, DrainTimeout: time.Millisecond}
	v := start(t, engine.Config{Loops: 1, Limits: limits, Vhosts: vhost(callbacks.Protocol{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.Receive:
				chunk := make([]byte, 32<<10)
				for s.Write(chunk, callbacks.WriteBinary) == nil {
				}
				if err := s.Write(chunk, callbacks.WriteBinary); err != callbacks.ErrSendQueueFull {
					t.Errorf("a full queue says %v", err)
				}
				if b := s.Buffered(); b == 0 || b > 256<<10 {
					t.Errorf("%d bytes buffered", b)
				}
				refused.Store(true)
				s.RequestWriteable()
			case callbacks.ServerWriteable:
				drained.Store(true)
				return s.Write([]byte("drained"), callbacks.WriteText)
			}
			return nil
		}})})
	p, _ := v.upgrade(t)
	p.frame(ws.OpText, true, "go")
	eventually(t, "the queue is full", refused.Load)
	if drained.Load() {
		t.Error("writeable while the queue is full")
	}
	for p.read() != "1 drained" {
	}
}

// TestPeerThatNeverReads is cut off, though it goes on sending.
func TestPeerThatNeverReads(t *testing.T) {
	ended := make(chan error, 1)
	limits := engine.Limits{SendHigh: 64 << 10, StallTimeout: 50 * time.Millisecond, DrainTimeout: time.Millisecond}
	v := start(t, engine.Config{Loops: 1, Limits: limits, Vhosts: vhost(callbacks.Protocol{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.Receive:
				chunk := make([]byte, 32<<10)
				for s.Write(chunk, callbacks.WriteBinary) == nil {
				}
			case callbacks.Closed:
				ended <- s.Err()
			}
			return nil
		}})})
	p, _ := v.upgrade(t)
	p.frame(ws.OpText, true, "go")
	if err := <-ended; !errors.Is(err, engine.ErrStalled) {
		t.Errorf("ended with %v", err)
	}
}

func TestTimerAndPause(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.Receive:
			s.PauseReading()
			s.SetTimer(20 * time.Millisecond)
			return s.Write(in, callbacks.WriteText)
		case callbacks.Timer:
			s.ResumeReading()
			return s.Write([]byte("tick"), callbacks.WriteText)
		}
		return nil
	})
	p, _ := v.upgrade(t)
	p.send(string(ws.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{1}, []byte("1"))) +
		string(ws.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{1}, []byte("2"))))
	p.wantFrames("1 1", "1 tick", "1 2", "1 tick")
}

// TestPauseBetweenPieces: a program that takes messages in pieces can pause behind
// each of them, also within a frame that has arrived whole.
func TestPauseBetweenPieces(t *testing.T) {
	paused := false // on the one loop
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{RxBufferSize: 2,
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.Receive:
				if paused {
					return s.Close(ws.StatusInternalError, "delivered while paused")
				}
				paused = true
				s.PauseReading()
				s.SetTimer(0)
				return s.Write(in, s.Kind())
			case callbacks.Timer:
				paused = false
				s.ResumeReading()
			}
			return nil
		}})})
	p, _ := v.upgrade(t)
	p.frame(ws.OpText, true, "abcdef").wantFrames("1+ ab", "0+ cd", "0 ef")
}

func TestTxPacketSizeDeliversAll(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{TxPacketSize: 100, Callback: echoWS})})
	p, _ := v.upgrade(t)
	long := strings.Repeat("0123456789", 10000)
	p.frame(ws.OpText, true, long).wantFrames("1 " + long)
}

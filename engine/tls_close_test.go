package engine_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

// TestTLSCloseNotifyIsSent before FIN, however the session is closed.
func TestTLSCloseNotifyIsSent(t *testing.T) {
	v := serveTLS(t, with(engine.ServerTLS{}), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.HTTP && string(in) == "/abort":
			return errors.Join(s.Respond(200, "", []byte("bye")), callbacks.ErrClose)
		case r == callbacks.HTTP:
			return s.Respond(200, "", []byte("bye"))
		case r == callbacks.Receive:
			return s.Close(4000, "enough")
		}
		return nil
	})
	for name, request := range map[string]string{
		"Connection: close": "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"HTTP/1.0":          "GET / HTTP/1.0\r\n\r\n",
		"ErrClose":          "GET /abort HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		p := v.dialTLS(t, trust())
		p.send(request).want(200, "bye")
		p.wantCloseNotify()
		if b, err := io.ReadAll(p.tcp); err != nil || len(b) > 0 {
			t.Errorf("%s: behind close_notify came %q, %v", name, b, err)
		}
	}
	bad := v.dialTLS(t, trust())
	bad.send("nonsense\r\n\r\n")
	if r, _ := bad.response("GET"); r.StatusCode != 400 {
		t.Error(r.Status)
	}
	bad.wantCloseNotify()
	w := v.dialTLS(t, trust()).upgradeTLS()
	w.frame(ws.OpText, true, "x").wantFrames(closeFrame(4000, "enough"))
	w.frame(ws.OpClose, true, "\x0f\xa0")
	w.wantCloseNotify()
	idle := v.dialTLS(t, trust())
	idle.send(get("/")).want(200, "bye")
	v.stop() // the engine's drain is an orderly end, too
	idle.wantCloseNotify()
}

// TestTLSCloseNotifyFitsAFullQueue: what was accepted is not to look cut short
// because there was no room for its end.
func TestTLSCloseNotifyFitsAFullQueue(t *testing.T) {
	const queue = 256 << 10
	accepted := make(chan int, 1)
	v := serveRawTLS(t, engine.Limits{SendQueue: queue, StallTimeout: -1}, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r != callbacks.RawRX {
			return nil
		}
		n := 0
		for size := queue / 2; size > 0; {
			switch err := s.Write(make([]byte, size), callbacks.WriteRaw); err {
			case nil:
				n += size
			case callbacks.ErrSendQueueFull:
				size /= 2
			default:
				return err
			}
		}
		accepted <- n
		return callbacks.ErrClose
	})
	for _, version := range []func(*tls.Config){tls12, func(*tls.Config) {}} {
		p := v.dialTLS(t, trust(version))
		p.send("fill")
		n := receive(t, "the queue is full", accepted)
		if got, err := io.Copy(io.Discard, p.r); got != int64(n) || err != nil || !p.tap.alerted() {
			t.Errorf("%d bytes of %d, %v, close_notify %v", got, n, err, p.tap.alerted())
		}
	}
}

// TestTLSClientSendsCloseNotify, too.
func TestTLSClientSendsCloseNotify(t *testing.T) {
	l := newListener(t)
	ended := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer c.Close()
		in := &tap{Conn: c}
		s := tls.Server(in, showingTLS(localhost()))
		_, _ = io.WriteString(s, "?") // whereupon the client closes
		if _, err = io.Copy(io.Discard, s); err == nil && !in.alerted() {
			err = io.ErrUnexpectedEOF
		}
		ended <- err
	}()
	d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, nil)
	if o := d.connect(engine.ClientConnectInfo{Address: "localhost", Port: portOf(l)}); o.err != nil {
		t.Fatal(o.err)
	}
	if err := receive(t, "the client's end", ended); err != nil {
		t.Errorf("the server saw %v", err)
	}
}

// TestTLSPeersCloseNotify is the end of its data and not of the connection: what was
// asked is answered.
func TestTLSPeersCloseNotify(t *testing.T) {
	asked := make(chan callbacks.Handle, 1)
	v := serveTLS(t, with(engine.ServerTLS{}), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.HTTP && string(in) == "/later":
			s.Hold()
			asked <- s.Handle()
		case r == callbacks.HTTPBodyCompletion, r == callbacks.HTTP && s.Request().Framing().Empty():
			return s.Respond(200, "", []byte("answered "+string(s.Request().Path())))
		}
		return nil
	})
	p := v.dialTLS(t, trust())
	p.send(get("/one"), get("/two"), "POST /three HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
	if err := p.tls.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/one", "/two", "/three"} {
		p.want(200, "answered "+path)
	}
	p.wantCloseNotify()

	late := v.dialTLS(t, trust())
	late.send(get("/later"), get("/behind"))
	_ = late.tls.CloseWrite()
	h := receive(t, "the request", asked)
	if err := h.Post(func(s callbacks.Session) error { return s.Respond(200, "", []byte("late")) }); err != nil {
		t.Fatal(err)
	}
	late.want(200, "late")
	late.want(200, "answered /behind")
	late.wantCloseNotify()
}

// hangUp waits for the server's end and closes.
func (p *tlsPeer) hangUp() error {
	_, err := io.Copy(io.Discard, p.r)
	_ = p.tcp.Close()
	return err
}

// rawEnds collects what a raw session received and how it ended.
type rawEnds struct {
	data string
	err  error
}

func rawCollector(ends chan<- rawEnds) callbacks.Callback {
	return func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.RawAdopt:
			s.SetUserData("")
		case callbacks.RawRX:
			s.SetUserData(s.UserData().(string) + string(in))
		case callbacks.RawClose:
			ends <- rawEnds{s.UserData().(string), s.Err()}
		}
		return nil
	}
}

// TestTLSRawEndings: close_notify is a good end, and a FIN without it is not, for
// anybody on the way can send that (RFC 8446 6.1).
func TestTLSRawEndings(t *testing.T) {
	ends := make(chan rawEnds, 1)
	v := serveRawTLS(t, engine.Limits{}, rawCollector(ends))
	for name, c := range map[string]struct {
		end  func(p *tlsPeer)
		want error
	}{
		"close_notify":           {func(p *tlsPeer) { _ = p.tls.CloseWrite() }, nil},
		"close_notify and FIN":   {func(p *tlsPeer) { _ = p.tls.CloseWrite(); _ = p.tcp.CloseWrite() }, nil},
		"FIN":                    {func(p *tlsPeer) { _ = p.tcp.CloseWrite() }, engine.ErrCutShort},
		"FIN in a record":        {func(p *tlsPeer) { _, _ = io.WriteString(p.tcp, "\x17\x03\x03\x00\x40half"); _ = p.tcp.CloseWrite() }, engine.ErrCutShort},
		"FIN in a record's head": {func(p *tlsPeer) { _, _ = io.WriteString(p.tcp, "\x17\x03"); _ = p.tcp.CloseWrite() }, engine.ErrCutShort},
	} {
		p := v.dialTLS(t, trust())
		p.send("first ", "second")
		c.end(p)
		_ = p.hangUp()
		got := receive(t, "RawClose", ends)
		if got.data != "first second" || !errors.Is(got.err, c.want) || c.want == nil && got.err != nil {
			t.Errorf("%s: %+v, want %v", name, got, c.want)
		}
		if c.want != nil && !errors.Is(got.err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v is no io.ErrUnexpectedEOF", name, got.err)
		}
	}
	p := v.dialTLS(t, trust())
	p.send("data")
	_, _ = io.WriteString(p.tcp, "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32)) // not what the keys make
	if err := p.hangUp(); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
		t.Errorf("a forged record: the client was told %v", err)
	}
	if got := receive(t, "RawClose", ends); got.data != "data" || got.err == nil || errors.Is(got.err, engine.ErrCutShort) {
		t.Errorf("a forged record: %+v", got)
	}
}

// batch is a connection whose writes are sent together.
type batch struct {
	net.Conn
	hold bool
	kept []byte
}

func (b *batch) Write(p []byte) (int, error) {
	if b.hold {
		b.kept = append(b.kept, p...)
		return len(p), nil
	}
	return b.Conn.Write(p)
}

// TestTLSCloseNotifyWaitsForAPause: a session that is paused hears of its peer's end
// when it reads again, also when that came in the same segment as the data.
func TestTLSCloseNotifyWaitsForAPause(t *testing.T) {
	resumed, over := false, make(chan bool, 1)
	v := serveRawTLS(t, engine.Limits{}, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.RawRX:
			s.PauseReading()
			s.SetTimer(time.Millisecond)
		case callbacks.Timer:
			resumed = true
			s.ResumeReading()
		case callbacks.RawClose:
			over <- resumed && s.Err() == nil
		}
		return nil
	})
	p := v.dial(t)
	b := &batch{Conn: p.Conn}
	c := p.over(tcpOf(p), tls.Client(b, trust()))
	if err := c.tls.Handshake(); err != nil {
		t.Fatal(err)
	}
	b.hold = true
	c.send("data")
	_ = c.tls.CloseWrite()
	_ = c.tcp.SetDeadline(time.Now().Add(patience)) // CloseWrite has let it pass
	if _, err := c.tcp.Write(b.kept); err != nil {
		t.Fatal(err)
	}
	if err := c.hangUp(); err != nil {
		t.Errorf("the server did not close: %v", err)
	}
	if !receive(t, "RawClose", over) {
		t.Error("a paused session heard of its end")
	}
}

// TestTLSCutShortInABody: HTTP and WebSocket know by themselves where a message ends.
func TestTLSCutShortInABody(t *testing.T) {
	ends := make(chan error, 1)
	v := serveTLS(t, with(engine.ServerTLS{}), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTPBodyCompletion:
			t.Error("half a body is complete")
		case callbacks.ClosedHTTP:
			ends <- s.Err()
		}
		return nil
	})
	for name, body := range map[string]string{
		"Content-Length": "Content-Length: 10\r\n\r\nhalf",
		"chunked":        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		for _, end := range []func(p *tlsPeer){
			func(p *tlsPeer) { _ = p.tcp.CloseWrite() },
			func(p *tlsPeer) { _ = p.tls.CloseWrite() },
		} {
			p := v.dialTLS(t, trust())
			p.send("POST / HTTP/1.1\r\nHost: a\r\n", body)
			end(p)
			if r, err := http.ReadResponse(p.r, nil); err == nil && r.StatusCode < 400 {
				t.Errorf("%s: half a request was answered with %s", name, r.Status)
			}
			_ = p.hangUp()
			if err := receive(t, "ClosedHTTP", ends); err == nil {
				t.Errorf("%s: it ended without an error", name)
			}
		}
	}
}

// TestTLSCutShortWebSocket is 1006 with FIN and with close_notify alone.
func TestTLSCutShortWebSocket(t *testing.T) {
	codes := make(chan ws.StatusCode, 1)
	v := serveTLS(t, with(engine.ServerTLS{}), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.Closed {
			code, _ := s.CloseStatus()
			codes <- code
		}
		return nil
	})
	for name, end := range map[string]func(p *tlsPeer){
		"FIN":          func(p *tlsPeer) { _ = p.tcp.CloseWrite() },
		"close_notify": func(p *tlsPeer) { _ = p.tls.CloseWrite() },
		"RST":          func(p *tlsPeer) { _ = p.tcp.SetLinger(0); _ = p.tcp.Close() },
	} {
		p := v.dialTLS(t, trust()).upgradeTLS()
		p.frame(ws.OpText, false, "half a message")
		end(p)
		_ = p.hangUp()
		if code := receive(t, "Closed", codes); code != ws.StatusAbnormalClosure {
			t.Errorf("%s: closed with %d", name, code)
		}
	}
}

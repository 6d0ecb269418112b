package engine_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

// far is a server that a test plays: it reads one request of each connection.
type far struct {
	net.Listener
	mu    sync.Mutex
	asked []*http.Request
	conns []net.Conn
}

// answers runs a server that leaves each connection, with its number from 1, to serve.
func answers(t *testing.T, l net.Listener, serve func(c *farConn, n int)) *far {
	f := &far{Listener: l}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); f.hangUp(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			all.Go(func() { f.meet(c, serve) })
		}
	})
	return f
}

// hangUp closes what is open.
func (f *far) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
}

func (f *far) meet(c net.Conn, serve func(c *farConn, n int)) {
	defer c.Close()
	fc := &farConn{Conn: c, r: bufio.NewReader(c)}
	r, err := http.ReadRequest(fc.r)
	if err != nil {
		return
	}
	fc.asked = r
	f.mu.Lock()
	f.asked = append(f.asked, r)
	n := len(f.asked)
	f.mu.Unlock()
	serve(fc, n)
}

// requests are those so far.
func (f *far) requests() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*http.Request(nil), f.asked...)
}

func (f *far) addr() string { return f.Addr().String() }

// farConn is a server's end.
type farConn struct {
	net.Conn
	r     *bufio.Reader
	asked *http.Request
}

func (c *farConn) say(text string) { _, _ = io.WriteString(c, text) }

// upgrade opens the WebSocket.
func (c *farConn) upgrade(fields string) {
	accept := ws.AppendAccept(nil, []byte(c.asked.Header.Get("Sec-WebSocket-Key")))
	c.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		string(accept) + "\r\n" + fields + "\r\n")
}

// echo sends one short message back, and the close frame behind it.
func (c *farConn) echo() {
	for _, first := range []byte{0x81, 0x88} {
		p := c.frame()
		_, _ = c.Write(append([]byte{first, byte(len(p))}, p...))
	}
}

// frame reads a short masked frame.
func (c *farConn) frame() string {
	head := make([]byte, 6)
	if _, err := io.ReadFull(c.r, head); err != nil {
		return ""
	}
	p := make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(c.r, p); err != nil {
		return ""
	}
	for i := range p {
		p[i] ^= head[2+i%4]
	}
	return string(p)
}

// fate is how a client's session went.
type fate struct {
	err       error
	status    int      // of Session.Response in the end
	redirects []string // announced
	opened    bool
	heard     string
	remote    string // Session.RemoteAddr when it was opened
}

// fateOf runs a client that says hello, is answered, and closes, or fails.
func fateOf(t *testing.T, info engine.ClientConnectInfo, extra callbacks.Callback) fate {
	t.Helper()
	v, rec, done := connectsTo(t, info, extra)
	o := receive(t, "the end of the client", done)
	eventually(t, "the session ends", func() bool { return rec.Open() == 0 && v.Stats().Sessions == 0 })
	if f := rec.Faults(); len(f) > 0 {
		t.Error(f)
	}
	return o
}

func connectsTo(t *testing.T, info engine.ClientConnectInfo, extra callbacks.Callback) (*server, *callbackstest.Recorder, <-chan fate) {
	t.Helper()
	var o fate
	done := make(chan fate, 4)
	v, rec := connectTo(t, info, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.ClientHTTPRedirect:
			o.redirects = append(o.redirects, string(in))
		case callbacks.ClientEstablished, callbacks.RawConnected:
			o.opened, o.remote = true, fmt.Sprint(s.RemoteAddr())
			if err := s.Write([]byte("hello"), callbacks.WriteText); err != nil {
				return err
			}
		case callbacks.ClientReceive, callbacks.RawRX:
			if o.heard += string(in); len(o.heard) >= len("hello") {
				return callbacks.ErrClose
			}
		case callbacks.ClientConnectionError, callbacks.ClientClosed, callbacks.RawClose:
			o.err = s.Err()
			if s.Response() != nil {
				o.status = s.Response().Status()
			}
			done <- o
		}
		if extra != nil {
			return extra(s, r, in)
		}
		return nil
	})
	return v, rec, done
}

// wantEcho wants a client that was served.
func (o fate) wantEcho(t *testing.T) {
	t.Helper()
	if !o.opened || o.heard != "hello" {
		t.Errorf("the client was not served: %+v", o)
	}
}

// wantHandshakeError wants one of that status and body.
func (o fate) wantHandshakeError(t *testing.T, status int, body string) {
	t.Helper()
	var h *engine.HandshakeError
	if !errors.As(o.err, &h) || h.Status != status || string(h.Body) != body || o.status != status {
		t.Errorf("failed by %#v, response %d; want status %d and body %q", o.err, o.status, status, body)
	}
}

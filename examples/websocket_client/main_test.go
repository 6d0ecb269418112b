package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// start runs the client against a server that the test plays, up to the
// handshake.
func start(t *testing.T, args ...string) (*wstest.Program, *wstest.Conn) {
	t.Helper()
	l := wstest.Listen(t)
	p := wstest.Run(t, run, append([]string{"-url", "ws://" + l.Addr().String() + "/chat?room=1"}, args...)...)
	c := wstest.Accept(t, l)
	c.ReadUpgrade()
	return p, c
}

// closes ends a conversation like a server, and wants the client to end without
// an error.
func closes(t *testing.T, p *wstest.Program, c *wstest.Conn, code int, reason string) {
	t.Helper()
	c.CloseFrame(code, reason)
	c.ExpectClose(code, reason)
	_ = c.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestSaysHelloAndPrints(t *testing.T) {
	wstest.NoLeaks(t)
	p, c := start(t)
	if c.Target != "/chat?room=1" || c.Head.Get("Sec-WebSocket-Protocol") != "" || c.Head.Get("Origin") != "" {
		t.Errorf("asked for %s with %v", c.Target, c.Head)
	}
	c.AcceptUpgrade()
	c.ExpectMessage(wstest.Text, "Hello, server!")
	c.Frame(true, wstest.Text, []byte("Hello, client!"))
	p.Prints("Received message: Hello, client!\n", 1)
	closes(t, p, c, 1000, "bye")
	want := "send message: Hello, server!\nReceived message: Hello, client!\nclosed: 1000 bye\n"
	if p.Output() != want {
		t.Errorf("printed:\n%swant:\n%s", p.Output(), want)
	}
}

func TestOwnMessage(t *testing.T) {
	p, c := start(t, "-message", "of my own")
	c.AcceptUpgrade()
	c.ExpectMessage(wstest.Text, "of my own")
	closes(t, p, c, 3000, "")
}

// The server's first message may come in one segment with its handshake.
func TestMessageBehindTheHandshake(t *testing.T) {
	p, c := start(t)
	c.Send(c.UpgradeResponse() + string(c.AppendFrame(nil, true, wstest.Text, []byte("early"))))
	p.Prints("Received message: early\n", 1)
	c.ExpectMessage(wstest.Text, "Hello, server!")
	closes(t, p, c, 1000, "")
}

func TestSubprotocols(t *testing.T) {
	p, c := start(t, "-protocol", "one, two")
	if got := c.Head.Get("Sec-WebSocket-Protocol"); got != "one, two" {
		t.Errorf("offered %q", got)
	}
	c.AcceptUpgrade("Sec-WebSocket-Protocol: two")
	c.ExpectMessage(wstest.Text, "Hello, server!")
	closes(t, p, c, 0, "")
}

func TestEcho(t *testing.T) {
	p, c := start(t, "-echo")
	c.AcceptUpgrade()
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		for _, op := range []byte{wstest.Text, wstest.Binary} {
			want := strings.Repeat("m", size)
			c.Frame(true, op, []byte(want))
			c.ExpectMessage(op, want)
		}
	}
	c.Frame(false, wstest.Text, []byte("frag"))
	c.Frame(true, wstest.Ping, []byte("between"))
	c.Frame(false, wstest.Continuation, nil)
	c.Frame(true, wstest.Continuation, []byte("ments"))
	c.ExpectFrame(true, wstest.Pong, "between")
	c.ExpectMessage(wstest.Text, "fragments")
	closes(t, p, c, 4999, "done")
}

func TestEchoLongest(t *testing.T) {
	p, c := start(t, "-echo")
	c.AcceptUpgrade()
	want := bytes.Repeat([]byte("0123456789abcdef"), mostMessage/16)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(c.AppendFrame(nil, true, wstest.Binary, want))
		sent <- err
	}()
	op, got := c.Message()
	if op != wstest.Binary || !bytes.Equal(got, want) {
		t.Errorf("opcode %d, %d bytes, or others", op, len(got))
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	closes(t, p, c, 1000, "")
}

func TestMessageTooLong(t *testing.T) {
	p, c := start(t, "-echo")
	c.AcceptUpgrade()
	head := c.AppendFrame(nil, true, wstest.Binary, nil)
	c.Send(string(head[:1]) + "\x7f\x00\x00\x00\x00\x04\x00\x00\x01")
	if f := c.Next(); f.Op != wstest.CloseOp || string(f.Payload[:2]) != "\x03\xf1" {
		t.Errorf("opcode %d %q", f.Op, f.Payload)
	}
	_ = c.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestInterruptSaysGoingAway(t *testing.T) {
	p, c := start(t)
	c.AcceptUpgrade()
	c.ExpectMessage(wstest.Text, "Hello, server!")
	p.Interrupt()
	c.ExpectClose(1001, "")
	c.CloseFrame(1001, "")
	_ = c.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestServerDrops(t *testing.T) {
	p, c := start(t)
	c.AcceptUpgrade()
	c.ExpectMessage(wstest.Text, "Hello, server!")
	_ = c.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	if !strings.Contains(p.Output(), "closed: 1006") {
		t.Errorf("printed:\n%s", p.Output())
	}
}

func TestHandshakeFails(t *testing.T) {
	for name, answer := range map[string]string{
		"403":         "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
		"redirect":    "HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
		"nonsense":    "nonsense\r\n\r\n",
		"bad accept":  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
		"half a head": "HTTP/1.1 101 Switching Prot",
		"nothing":     "",
	} {
		t.Run(name, func(t *testing.T) {
			p, c := start(t)
			c.Send(answer)
			_ = c.Close()
			if err := p.Wait(); err == nil {
				t.Errorf("no error; printed:\n%s", p.Output())
			}
		})
	}
}

func TestFollowsARedirect(t *testing.T) {
	wstest.NoLeaks(t)
	l := wstest.Listen(t)
	p := wstest.Run(t, run, "-url", "ws://"+l.Addr().String()+"/old")
	c := wstest.Accept(t, l)
	c.ReadUpgrade()
	c.Send("HTTP/1.1 307 Temporary Redirect\r\nLocation: /new?x=y\r\nContent-Length: 0\r\n\r\n")
	_ = c.Close()
	c = wstest.Accept(t, l)
	c.ReadUpgrade()
	if c.Target != "/new?x=y" {
		t.Errorf("asked for %s", c.Target)
	}
	c.AcceptUpgrade()
	c.ExpectMessage(wstest.Text, "Hello, server!")
	closes(t, p, c, 1000, "")
}

// With -reconnect the client says hello to whoever comes after the server.
func TestReconnect(t *testing.T) {
	wstest.NoLeaks(t)
	l := wstest.Listen(t)
	p := wstest.Run(t, run, "-reconnect", "-url", "ws://"+l.Addr().String()+"/")
	c := wstest.Accept(t, l)
	c.ReadUpgrade()
	c.AcceptUpgrade()
	c.ExpectMessage(wstest.Text, "Hello, server!")
	c.CloseFrame(1012, "restart")
	c.ExpectClose(1012, "restart")
	_ = c.Close()
	c = wstest.Accept(t, l)
	c.ReadUpgrade()
	c.Send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
	_ = c.Close()
	p.Prints("status 503", 1)
	p.Interrupt()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	for _, want := range []string{"closed: 1012 restart\ntrying again in 1", "s: ws: closed by peer with 1012", "trying again in 3"} {
		if !strings.Contains(p.Output(), want) {
			t.Errorf("no %q in what was printed:\n%s", want, p.Output())
		}
	}
}

func TestProxy(t *testing.T) {
	wstest.NoLeaks(t)
	l := wstest.Listen(t)
	p := wstest.Run(t, run, "-proxy", "http://me:secret@"+l.Addr().String(), "-url", "ws://server.invalid:81/chat")
	c := wstest.Accept(t, l)
	c.Expect("CONNECT server.invalid:81 HTTP/1.1\r\nHost: server.invalid:81\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n")
	c.Send("HTTP/1.1 200 OK\r\n\r\n")
	c.ReadUpgrade()
	if c.Target != "/chat" {
		t.Errorf("asked for %s", c.Target)
	}
	c.AcceptUpgrade()
	c.ExpectMessage(wstest.Text, "Hello, server!")
	closes(t, p, c, 1000, "")
}

func TestConnectionRefused(t *testing.T) {
	wstest.NoLeaks(t)
	l := wstest.Listen(t)
	addr := l.Addr().String()
	_ = l.Close()
	if err := wstest.Run(t, run, "-url", "ws://"+addr+"/").Wait(); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("run: %v", err)
	}
}

func TestBadURL(t *testing.T) {
	for _, url := range []string{"", "http://127.0.0.1/", "ws://", "ws://127.0.0.1:99999/", "ws://127.0.0.1:x/", "://"} {
		if err := wstest.Run(t, run, "-url", url).Wait(); err == nil {
			t.Errorf("%q: no error", url)
		}
	}
}

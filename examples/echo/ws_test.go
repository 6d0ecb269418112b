package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

func TestMessagesKeepTheirKind(t *testing.T) {
	c := wstest.Dial(t, wstest.Serve(t, run).Addr)
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		for _, op := range []byte{wstest.Text, wstest.Binary} {
			want := strings.Repeat("m", size)
			c.Frame(true, op, []byte(want))
			c.ExpectMessage(op, want)
		}
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	c.Frame(true, wstest.Binary, all)
	c.ExpectMessage(wstest.Binary, string(all))
}

func TestAnyPath(t *testing.T) {
	p := wstest.Serve(t, run)
	for _, path := range []string{"/plain", "/a/b?c=d", "*"} {
		c := wstest.Connect(t, p.Addr)
		if path == "*" {
			path = "/%2a"
		}
		c.Upgrade(path)
		c.Frame(true, wstest.Text, []byte(path))
		c.ExpectMessage(wstest.Text, path)
	}
}

func TestSubprotocol(t *testing.T) {
	p := wstest.Serve(t, run)
	for offer, want := range map[string]string{
		"echo-protocol": "echo-protocol", "chat, echo-protocol": "echo-protocol", "chat": "", "": "", "Echo-Protocol": "",
	} {
		var fields []string
		if offer != "" {
			fields = []string{"Sec-WebSocket-Protocol: " + offer}
		}
		c := wstest.Dial(t, p.Addr, fields...)
		if got := c.Head.Values("Sec-WebSocket-Protocol"); strings.Join(got, "|") != want {
			t.Errorf("%q was answered with %q", offer, got)
		}
		c.Frame(true, wstest.Text, []byte("x"))
		c.ExpectMessage(wstest.Text, "x")
	}
}

func TestHandshakeAndMessageInOneSegment(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	message := strings.Repeat("glued", 120)
	c.Send("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + string(c.AppendFrame(nil, true, wstest.Text, []byte(message))))
	resp := c.Response("GET")
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	c.ExpectMessage(wstest.Text, message)
}

func TestLongestMessage(t *testing.T) {
	c := wstest.Dial(t, wstest.Serve(t, run).Addr)
	want := bytes.Repeat([]byte("0123456789abcdef"), 64<<20/16)
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
}

func TestManyFragments(t *testing.T) {
	c := wstest.Dial(t, wstest.Serve(t, run).Addr)
	const fragments = 65536
	var wire []byte
	var want strings.Builder
	for i := range fragments {
		piece := []byte{byte('a' + i%26)}
		want.Write(piece)
		op := wstest.Continuation
		if i == 0 {
			op = wstest.Text
		}
		wire = c.AppendFrame(wire, i == fragments-1, op, piece)
	}
	if _, err := c.Write(wire); err != nil {
		t.Fatal(err)
	}
	c.ExpectMessage(wstest.Text, want.String())
}

func TestPings(t *testing.T) {
	c := wstest.Dial(t, wstest.Serve(t, run).Addr)
	wire := c.AppendFrame(nil, false, wstest.Text, []byte("be"))
	for _, payload := range []string{"", "1", strings.Repeat("x", 125)} {
		wire = c.AppendFrame(wire, true, wstest.Ping, []byte(payload))
	}
	wire = c.AppendFrame(wire, true, wstest.Pong, []byte("unasked"))
	c.Send(string(c.AppendFrame(wire, true, wstest.Continuation, []byte("tween"))))
	for _, payload := range []string{"", "1", strings.Repeat("x", 125)} {
		if f := c.Next(); f.Op != wstest.Pong || string(f.Payload) != payload {
			t.Errorf("got opcode %d %q, want a pong with %q", f.Op, f.Payload, payload)
		}
	}
	c.ExpectMessage(wstest.Text, "between")
}

func TestCloseIsEchoed(t *testing.T) {
	p := wstest.Serve(t, run)
	for _, test := range []struct {
		code   int
		reason string
	}{
		{0, ""}, {1000, ""}, {1000, "bye"}, {1001, ""}, {1012, ""}, {1013, ""}, {1014, ""},
		{3000, "library"}, {4999, strings.Repeat("r", 123)}, {4000, "é"},
	} {
		c := wstest.Dial(t, p.Addr)
		wire := c.AppendFrame(nil, true, wstest.Text, []byte("last"))
		c.Send(string(wire))
		c.CloseFrame(test.code, test.reason)
		c.ExpectMessage(wstest.Text, "last")
		c.ExpectClose(test.code, test.reason)
		c.ExpectEOF()
	}
}

func TestNothingIsEchoedAfterClose(t *testing.T) {
	c := wstest.Dial(t, wstest.Serve(t, run).Addr)
	closing := c.AppendFrame(nil, true, wstest.CloseOp, []byte{0x03, 0xe8})
	c.Send(string(c.AppendFrame(closing, true, wstest.Text, []byte("too late"))))
	c.ExpectClose(1000, "")
	c.ExpectEOF()
}

func TestMaxMessage(t *testing.T) {
	p := wstest.Serve(t, run, "-max-message", "1000")
	c := wstest.Dial(t, p.Addr)
	c.Frame(true, wstest.Text, make([]byte, 1000))
	c.ExpectMessage(wstest.Text, string(make([]byte, 1000)))
	c.Frame(true, wstest.Text, make([]byte, 1001))
	if f := c.Next(); f.Op != wstest.CloseOp || string(f.Payload[:2]) != "\x03\xf1" {
		t.Errorf("one frame too long: opcode %d %q", f.Op, f.Payload)
	}
	ends(t, c)

	c = wstest.Dial(t, p.Addr)
	c.Frame(false, wstest.Text, make([]byte, 600))
	c.Frame(true, wstest.Continuation, make([]byte, 401))
	if f := c.Next(); f.Op != wstest.CloseOp || string(f.Payload[:2]) != "\x03\xf1" {
		t.Errorf("two frames too long: opcode %d %q", f.Op, f.Payload)
	}
	ends(t, c)
}

func TestBreaches(t *testing.T) {
	p := wstest.Serve(t, run)
	key := "\x00\x00\x00\x00"
	for _, test := range []struct {
		name, frame, code string
	}{
		{"unmasked", "\x81\x01x", "\x03\xea"},
		{"reserved bit", "\xc1\x81" + key + "x", "\x03\xea"},
		{"reserved opcode", "\x83\x81" + key + "x", "\x03\xea"},
		{"long ping", "\x89\xfe\x00\x7e" + key + strings.Repeat("x", 126), "\x03\xea"},
		{"fragmented ping", "\x09\x80" + key, "\x03\xea"},
		{"length not minimal", "\x81\xfe\x00\x05" + key + "hello", "\x03\xea"},
		{"continuation of nothing", "\x80\x81" + key + "x", "\x03\xea"},
		{"message in a message", "\x01\x81" + key + "x\x81\x81" + key + "y", "\x03\xea"},
		{"bad text", "\x81\x81" + key + "\xff", "\x03\xef"},
		{"close of one byte", "\x88\x81" + key + "x", "\x03\xea"},
		{"close code 1005", "\x88\x82" + key + "\x03\xed", "\x03\xea"},
		{"close code 999", "\x88\x82" + key + "\x03\xe7", "\x03\xea"},
		{"close code 5000", "\x88\x82" + key + "\x13\x88", "\x03\xea"},
		{"close reason not UTF-8", "\x88\x83" + key + "\x03\xe8\xff", "\x03\xef"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := wstest.Dial(t, p.Addr)
			c.Send(test.frame)
			if f := c.Next(); f.Op != wstest.CloseOp || len(f.Payload) < 2 || string(f.Payload[:2]) != test.code {
				t.Errorf("opcode %d %q", f.Op, f.Payload)
			}
			ends(t, c)
		})
	}
}

// ends wants the connection closed; after a breach a reset will do as well.
func ends(t *testing.T, c *wstest.Conn) {
	t.Helper()
	if _, err := c.R.ReadByte(); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection ended with %v", err)
	}
}

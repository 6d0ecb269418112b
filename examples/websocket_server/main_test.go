package main

import (
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

func TestConversation(t *testing.T) {
	wstest.NoLeaks(t)
	p := wstest.Serve(t, run)
	c := wstest.Dial(t, p.Addr)
	p.Prints("Client connected\n", 1)
	c.Frame(true, wstest.Text, []byte("hello"))
	c.ExpectMessage(wstest.Text, "hello")
	c.CloseFrame(1000, "")
	c.ExpectClose(1000, "")
	c.ExpectEOF()
	_ = c.Close()
	p.Prints("Client disconnected\n", 1)
	p.Interrupt()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	want := "listening on ws://" + p.Addr + "/\nClient connected\nReceived msg from client: hello\n" +
		"Send msg to client: hello\nClient disconnected\n"
	if p.Output() != want {
		t.Errorf("printed:\n%swant:\n%s", p.Output(), want)
	}
}

// A message that is longer than the receive buffer comes in pieces, which go back
// as pieces of one message.
func TestLongMessageIsOneMessage(t *testing.T) {
	p := wstest.Serve(t, run)
	c := wstest.Dial(t, p.Addr)
	for _, size := range []int{receiveBuffer - 1, receiveBuffer, receiveBuffer + 1, 100_000} {
		for _, op := range []byte{wstest.Text, wstest.Binary} {
			want := strings.Repeat("m", size)
			c.Frame(true, op, []byte(want))
			c.ExpectMessage(op, want)
		}
	}
}

func TestFragmentsAreOneMessage(t *testing.T) {
	p := wstest.Serve(t, run)
	c := wstest.Dial(t, p.Addr)
	for _, op := range []byte{wstest.Text, wstest.Binary} {
		c.Frame(false, op, []byte("frag"))
		c.Frame(false, wstest.Continuation, nil)
		c.Frame(false, wstest.Continuation, []byte(strings.Repeat("m", 10_000)))
		c.Frame(true, wstest.Continuation, []byte("ents"))
		c.ExpectMessage(op, "frag"+strings.Repeat("m", 10_000)+"ents")
	}
}

// A character may be cut by the end of the receive buffer; the message on the wire
// is whole.
func TestCharacterOnTheEdge(t *testing.T) {
	c := wstest.Dial(t, wstest.Serve(t, run).Addr)
	want := strings.Repeat("m", receiveBuffer-1) + "é" + strings.Repeat("m", receiveBuffer)
	c.Frame(true, wstest.Text, []byte(want))
	c.ExpectMessage(wstest.Text, want)
}

func TestSubprotocol(t *testing.T) {
	c := wstest.Dial(t, wstest.Serve(t, run).Addr, "Sec-WebSocket-Protocol: echo_server")
	if got := c.Head.Get("Sec-WebSocket-Protocol"); got != "echo_server" {
		t.Errorf("the server chose %q", got)
	}
}

func TestLostClientIsDisconnected(t *testing.T) {
	p := wstest.Serve(t, run)
	half := wstest.Dial(t, p.Addr)
	half.Frame(false, wstest.Text, []byte("begun"))
	half.ExpectFrame(false, wstest.Text, "begun")
	_ = half.Close()
	reset := wstest.Dial(t, p.Addr)
	if err := reset.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = reset.Close()
	p.Prints("Client connected\n", 2)
	p.Prints("Client disconnected\n", 2)
}

func TestPlainRequestIsNotFound(t *testing.T) {
	c := wstest.Connect(t, wstest.Serve(t, run).Addr)
	c.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp, _ := c.Body("GET"); resp.StatusCode != 404 {
		t.Errorf("status %s", resp.Status)
	}
}

func TestBadAddress(t *testing.T) {
	if err := wstest.Run(t, run, "-addr", "127.0.0.1:99999").Wait(); err == nil {
		t.Error("no error")
	}
}

package main

import (
	"errors"
	"flag"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

func TestURLIsPrinted(t *testing.T) {
	p := wstest.Serve(t, run)
	if ok, _ := regexp.MatchString(`^http://127\.0\.0\.1:[1-9]\d*/\n$`, p.Output()); !ok {
		t.Errorf("printed %q", p.Output())
	}
}

func TestLeavesNothingBehind(t *testing.T) {
	wstest.NoLeaks(t)
	p := wstest.Serve(t, run, "-loops", "2")
	open := wstest.Dial(t, p.Addr)
	open.Frame(true, wstest.Text, []byte("hello"))
	open.ExpectMessage(wstest.Text, "hello")
	_ = open.Close()
	p.Interrupt()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"-loops", "many"}, {"-max-message", "1M"}, {"-addr", "nowhere"}} {
		if err := wstest.Run(t, run, args...).Wait(); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestHelp(t *testing.T) {
	p := wstest.Run(t, run, "-h")
	if err := p.Wait(); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{"-addr", "-loops", "-max-message"} {
		if !strings.Contains(p.Output(), name) {
			t.Errorf("the help does not mention %s", name)
		}
	}
}

// Two servers on one port would share its clients between them without a word.
func TestPortInUse(t *testing.T) {
	first := wstest.Serve(t, run, "-loops", "2")
	if err := wstest.Run(t, run, "-addr", first.Addr, "-loops", "2").Wait(); err == nil {
		t.Error("a second server took the same port")
	}
}

func TestInterruptSaysGoingAway(t *testing.T) {
	p := wstest.Serve(t, run)
	var open []*wstest.Conn
	for range 3 {
		open = append(open, wstest.Dial(t, p.Addr))
	}
	idle := wstest.Connect(t, p.Addr)
	idle.Send("GET /plain HTTP/1.1\r\nHost: h\r\n\r\n")
	idle.Body("GET")

	p.Interrupt()
	for _, c := range open {
		c.ExpectClose(1001, "")
		c.CloseFrame(1001, "")
		c.ExpectEOF()
		_ = c.Close()
	}
	idle.ExpectEOF()
	_ = idle.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	if c, err := net.Dial("tcp", p.Addr); err == nil {
		_ = c.Close()
		t.Error("it still listens")
	}
}

// The request in hand is answered, and its connection closed.
func TestInterruptFinishesRequest(t *testing.T) {
	p := wstest.Serve(t, run)
	c := wstest.Connect(t, p.Addr)
	c.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nfirst")
	resp := c.Response("POST")
	c.Expect("first")
	p.Interrupt()
	wstest.Eventually(t, "it does not listen any more", func() bool {
		n, err := net.Dial("tcp", p.Addr)
		if err == nil {
			_ = n.Close()
		}
		return err != nil
	})
	c.Send("after")
	c.Expect("after")
	c.ExpectEOF()
	_ = c.Close()
	if err := p.Wait(); err != nil || resp.StatusCode != 200 {
		t.Errorf("run: %v, response %s", err, resp.Status)
	}
}

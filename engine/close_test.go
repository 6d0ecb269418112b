package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

// closing is a close by the program.
func closing(code ws.StatusCode, reason string) func(callbacks.Session) error {
	return func(s callbacks.Session) error { return s.Close(code, reason) }
}

// returning fails as the program can.
func returning(err error) func(callbacks.Session) error {
	return func(callbacks.Session) error { return err }
}

// writing sends a message.
func writing(text string) func(callbacks.Session) error {
	return func(s callbacks.Session) error { return s.Write([]byte(text), callbacks.WriteText) }
}

// TestBothSidesKnowHowItEnded: whoever ends a WebSocket and however, its Closed and the
// other's ClientClosed tell code and reason, and who is at fault has an error.
func TestBothSidesKnowHowItEnded(t *testing.T) {
	boom := errors.New("boom")
	byHandle := func(s callbacks.Session) error {
		h := s.Handle()
		go func() { _ = h.Close(4003, "by handle") }()
		return nil
	}
	const none = "1005 , <nil>"
	for _, c := range []struct {
		how            string
		server, client func(callbacks.Session) error // when it is established
		atServer       string
		atClient       string
	}{
		{"the server closes", closing(4001, "enough"), nil, "4001 enough, <nil>", "4001 enough, <nil>"},
		{"the client closes", nil, closing(4002, "enough"), "4002 enough, <nil>", "4002 enough, <nil>"},
		{"the server without a code", closing(0, ""), nil, none, none},
		{"the client without a code", nil, closing(0, ""), none, none},
		{"a reason is nothing without a code", closing(0, "lost"), nil, none, none},
		{"normally", returning(callbacks.ErrClose), nil, "1000 , <nil>", "1000 , <nil>"},
		{"the client normally", nil, returning(callbacks.ErrClose), "1000 , <nil>", "1000 , <nil>"},
		{"both at once", closing(4001, "server"), closing(4002, "client"), "4002 client, <nil>", "4001 server, <nil>"},
		{"by handle", byHandle, nil, "4003 by handle, <nil>", "4003 by handle, <nil>"},
		{"the client by handle", nil, byHandle, "4003 by handle, <nil>", "4003 by handle, <nil>"},
		{"an error with a code", returning(&ws.CloseError{Code: 1008, Reason: "rude"}), nil, `1008 rude, ws: closed with 1008: "rude"`, "1008 rude, <nil>"},
		{"the client's error with a code", nil, returning(&ws.CloseError{Code: 3000}), "3000 , <nil>", "3000 , ws: closed with 3000"},
		{"an error", returning(boom), nil, "1011 , boom", "1011 , <nil>"},
		{"the client's error", nil, returning(boom), "1011 , <nil>", "1011 , boom"},
		{"a panic", func(callbacks.Session) error { panic("boom") }, nil, "1011 , engine: a callback panicked: boom", "1011 , <nil>"},
		{"an error with 1006", returning(&ws.CloseError{Code: 1006, Reason: "x"}), nil, `1011 , ws: closed with 1006: "x"`, "1011 , <nil>"},
		{"an error with 1015", nil, returning(&ws.CloseError{Code: 1015}), "1011 , <nil>", "1011 , ws: closed with 1015"},
		{"an error with 1005", returning(&ws.CloseError{Code: 1005}), nil, "1005 , ws: closed with 1005", none},
		{"a reason that is too long", closing(4000, strings.Repeat("é", 100)), nil, "4000 " + strings.Repeat("é", 61) + ", <nil>", "4000 " + strings.Repeat("é", 61) + ", <nil>"},
		{"a reason that is no UTF-8", nil, closing(4000, "ok\xffno"), "4000 ok, <nil>", "4000 ok, <nil>"},
		{"the client breaks a limit", nil, writing(strings.Repeat("x", 20)), `1009 frame too big, ws: closed with 1009: "frame too big"`, "1009 frame too big, <nil>"},
		{"the server breaks a limit", writing(strings.Repeat("x", 20)), nil, "1009 frame too big, <nil>", `1009 frame too big, ws: closed with 1009: "frame too big"`},
	} {
		t.Run(c.how, func(t *testing.T) {
			ended := make(chan string, 1)
			v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{MaxMessage: 10,
				Callback: endingWith(callbacks.Established, c.server, callbacks.Closed, ended)})})
			atClient := clientEnding(t, v, c.client)
			if got := <-ended; got != c.atServer {
				t.Errorf("the server: %s, want %s", got, c.atServer)
			}
			if got := <-atClient; got != c.atClient {
				t.Errorf("the client: %s, want %s", got, c.atClient)
			}
		})
	}
}

// endingWith does something when a session is established, and tells how it ended.
func endingWith(established callbacks.Reason, do func(callbacks.Session) error, closed callbacks.Reason, ended chan string) callbacks.Callback {
	return func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == established && do != nil:
			return do(s)
		case r == closed:
			code, reason := s.CloseStatus()
			ended <- fmt.Sprintf("%d %s, %v", code, reason, s.Err())
		}
		return nil
	}
}

// clientEnding connects to v.
func clientEnding(t *testing.T, v *server, do func(callbacks.Session) error) chan string {
	t.Helper()
	ended := make(chan string, 1)
	c := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{Listen: []string{}, Protocols: []callbacks.Protocol{{MaxMessage: 10,
		Callback: endingWith(callbacks.ClientEstablished, do, callbacks.ClientClosed, ended)}}}}})
	if _, err := c.Connect(clientInfo(t, v.addr)); err != nil {
		t.Fatal(err)
	}
	return ended
}

// TestShutdownIsToldToBothSides, as going away.
func TestShutdownIsToldToBothSides(t *testing.T) {
	ended := make(chan string, 1)
	v := start(t, engine.Config{Loops: 1, Limits: engine.Limits{DrainTimeout: patience}, Vhosts: vhost(callbacks.Protocol{
		Callback: endingWith(0xffff, nil, callbacks.Closed, ended)})})
	up := make(chan struct{})
	atClient := clientEnding(t, v, func(callbacks.Session) error { close(up); return nil })
	<-up
	v.stop()
	for _, got := range []string{<-ended, <-atClient} {
		if got != "1001 , <nil>" {
			t.Errorf("ended with %s", got)
		}
	}
}

// TestCodesThatMustNotBeSent are refused, by Session and Handle, and nothing happens.
func TestCodesThatMustNotBeSent(t *testing.T) {
	bad := []ws.StatusCode{1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.Established, callbacks.HTTPConfirmUpgrade:
			for _, code := range bad {
				for _, err := range []error{s.Close(code, "bad"), s.Handle().Close(code, "bad")} {
					var refused *ws.CloseError
					if !errors.As(err, &refused) || refused.Code != code {
						t.Errorf("Close(%d) in %v: %v", code, r, err)
					}
				}
			}
		case callbacks.Receive:
			if err := s.Close(4999, ""); err != nil {
				t.Error(err)
			}
			if err := s.Close(1000, ""); err != callbacks.ErrClosed {
				t.Errorf("closing twice: %v", err)
			}
		}
		return nil
	})
	p, _ := v.upgrade(t)
	p.frame(ws.OpText, true, "go on").wantFrames(closeFrame(4999, ""))
	p.frame(ws.OpClose, true, "\x13\x87").wantEOF()
}

// TestCloseStatusIsWhatWasSent, until the peer has answered.
func TestCloseStatusIsWhatWasSent(t *testing.T) {
	for _, c := range []struct {
		code   ws.StatusCode
		reason string
		want   string
	}{{4000, "as is", "4000 as is"}, {4000, strings.Repeat("x", 122) + "é", "4000 " + strings.Repeat("x", 122)},
		{4000, "ok\xffno", "4000 ok"}, {0, "lost", "1005 "}} {
		told := make(chan string, 2)
		v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.Established {
				err := s.Close(c.code, c.reason)
				code, reason := s.CloseStatus()
				told <- fmt.Sprintf("%d %s", code, reason)
				return err
			}
			return nil
		})
		p, _ := v.upgrade(t)
		if got := <-told; got != c.want {
			t.Errorf("Close(%d, %q): told %q", c.code, c.reason, got)
		}
		want := "8 "
		if c.code != 0 {
			want = closeFrame(c.code, c.want[5:])
		}
		p.wantFrames(want)
	}
}

// TestCloseDuringAHandshake closes the connection, with no frame and no answer.
func TestCloseDuringAHandshake(t *testing.T) {
	for _, at := range []callbacks.Reason{callbacks.ClientAppendHandshakeHeader, callbacks.ClientConfirmExtensionSupported, callbacks.WSExtDefaults,
		callbacks.ClientFilterPreEstablish} {
		t.Run(at.String(), func(t *testing.T) {
			var asked, established atomic.Bool
			v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				if r == callbacks.HTTPConfirmUpgrade {
					asked.Store(true)
				}
				return nil
			})
			_, rec := offers(t, v, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				switch r {
				case callbacks.ClientEstablished:
					established.Store(true)
				case at:
					return s.Close(4000, "no frame")
				}
				return nil
			})
			eventually(t, "the client has ended", func() bool { return strings.HasSuffix(rec.Reasons(1), "WSIDestroy") })
			eventually(t, "the server, too", func() bool { return v.Stats().Sessions == 0 })
			if established.Load() || asked.Load() != (at == callbacks.ClientFilterPreEstablish) {
				t.Errorf("established %v, the server was asked %v", established.Load(), asked.Load())
			}
			if got := rec.Reasons(1); !strings.HasSuffix(got, at.String()+" WSClientDropProtocol ClientConnectionError WSIDestroy") {
				t.Errorf("more reasons behind the close: %s", got)
			}
		})
	}
}

package engine_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/engine"
)

// offers connects a client that has compression to offer.
func offers(t *testing.T, v *server, f callbacks.Callback) (*server, *callbackstest.Recorder) {
	t.Helper()
	rec := new(callbackstest.Recorder)
	c := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{Listen: []string{},
		Protocols: []callbacks.Protocol{{Callback: rec.Wrap(f), Deflate: &deflate.Config{}}}}}})
	if _, err := c.Connect(clientInfo(t, v.addr)); err != nil {
		t.Fatal(err)
	}
	return c, rec
}

// TestServerDeclinesTheExtension: the 101 has none, and nothing is compressed.
func TestServerDeclinesTheExtension(t *testing.T) {
	for _, decline := range []bool{false, true} {
		v := deflating(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch {
			case r == callbacks.ConfirmExtensionOkay && string(in) != "permessage-deflate":
				t.Errorf("asked about %q", in)
			case r == callbacks.ConfirmExtensionOkay && decline:
				return errors.New("not for you")
			case r == callbacks.Established && (s.Extensions() == "") != decline:
				t.Errorf("declined %v, agreed on %q", decline, s.Extensions())
			}
			return echoWS(s, r, in)
		})
		p, r := v.upgrade(t, "Sec-WebSocket-Extensions: permessage-deflate")
		if _, found := r.Header["Sec-Websocket-Extensions"]; found == decline {
			t.Errorf("declined %v: %v", decline, r.Header)
		}
		text := strings.Repeat("compress me ", 100)
		got := p.frame(ws.OpText, true, text).read()
		if (got == "1 "+text) != decline {
			t.Errorf("declined %v: a frame of %d bytes", decline, len(got))
		}
	}
}

// TestClientDoesNotOffer what its program vetoes.
func TestClientDoesNotOffer(t *testing.T) {
	for _, veto := range []bool{false, true} {
		offered, done := make(chan string, 1), make(chan string, 1)
		v := deflating(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.HTTPConfirmUpgrade {
				value, _ := s.Request().Header().Get("Sec-WebSocket-Extensions")
				offered <- string(value)
			}
			return nil
		})
		_, rec := offers(t, v, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch {
			case r == callbacks.ClientConfirmExtensionSupported && veto:
				return errors.New("no")
			case r == callbacks.ClientEstablished:
				done <- s.Extensions()
			}
			return nil
		})
		if got := <-offered; (got == "") != veto {
			t.Errorf("veto %v: offered %q", veto, got)
		}
		if got := <-done; (got == "") != veto || strings.Contains(rec.Reasons(1), "WSExtDefaults") == veto {
			t.Errorf("veto %v: agreed on %q: %s", veto, got, rec.Reasons(1))
		}
	}
}

// TestClientChoosesItsOffer in WSExtDefaults, of a copy that is its session's.
func TestClientChoosesItsOffer(t *testing.T) {
	heard := make(chan string, 1)
	v := deflating(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTPConfirmUpgrade {
			value, _ := s.Request().Header().Get("Sec-WebSocket-Extensions")
			heard <- string(value)
		}
		return nil
	})
	var second atomic.Bool
	agreed := make(chan string, 1)
	c, rec := offers(t, v, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.WSExtDefaults && !second.Load():
			s.Deflate().Server.Takeover, s.Deflate().Client.Takeover = true, true
			s.Deflate().Server.WindowBits = 10
		case r == callbacks.ClientEstablished:
			agreed <- s.Extensions()
			fallthrough
		case r == callbacks.Connecting:
			if s.Deflate() != nil {
				t.Errorf("Deflate in %v", r)
			}
		}
		return nil
	})
	first, firstAgreed := <-heard, <-agreed
	second.Store(true)
	if _, err := c.Connect(clientInfo(t, v.addr)); err != nil {
		t.Fatal(err)
	}
	other := <-heard
	<-agreed
	if !strings.Contains(first, "server_max_window_bits=10") || strings.Contains(first, "no_context_takeover") ||
		!strings.Contains(firstAgreed, "server_max_window_bits=10") {
		t.Errorf("offered %q, agreed on %q", first, firstAgreed)
	}
	if strings.Contains(other, "=10") || !strings.Contains(other, "no_context_takeover") {
		t.Errorf("what one session chose became another's offer: %q", other)
	}
	if f := rec.Faults(); len(f) > 0 {
		t.Error(f)
	}
}

// TestOfferThatCannotBe fails the connection: an error, and options that are none.
func TestOfferThatCannotBe(t *testing.T) {
	boom := errors.New("boom")
	for name, how := range map[string]func(s callbacks.Session) error{
		"an error": func(callbacks.Session) error { return boom },
		"a window of 3 bits": func(s callbacks.Session) error {
			s.Deflate().Client.WindowBits = 3
			return nil
		},
	} {
		v, failed := deflating(t, nothing), make(chan error, 1)
		offers(t, v, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.WSExtDefaults:
				return how(s)
			case callbacks.ClientConnectionError:
				failed <- s.Err()
			}
			return nil
		})
		if err := <-failed; err == nil || name == "an error" && err != boom {
			t.Errorf("%s: %v", name, err)
		}
	}
}

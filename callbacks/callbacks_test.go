package callbacks_test

import (
	"errors"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/codec/ws"
)

// TestReasonsHaveTheNumbersOfLibwebsockets pins those that ported programs and
// logs meet most.
func TestReasonsHaveTheNumbersOfLibwebsockets(t *testing.T) {
	for want, r := range map[int]callbacks.Reason{
		0: callbacks.Established, 1: callbacks.ClientConnectionError, 2: callbacks.ClientFilterPreEstablish,
		3: callbacks.ClientEstablished, 4: callbacks.Closed, 5: callbacks.ClosedHTTP, 6: callbacks.Receive,
		7: callbacks.ReceivePong, 8: callbacks.ClientReceive, 9: callbacks.ClientReceivePong,
		10: callbacks.ClientWriteable, 11: callbacks.ServerWriteable, 12: callbacks.HTTP, 13: callbacks.HTTPBody,
		14: callbacks.HTTPBodyCompletion, 15: callbacks.HTTPFileCompletion, 16: callbacks.HTTPWriteable,
		17: callbacks.FilterNetworkConnection, 18: callbacks.FilterHTTPConnection,
		19: callbacks.ServerNewClientInstantiated, 20: callbacks.FilterProtocolConnection,
		24: callbacks.ClientAppendHandshakeHeader, 27: callbacks.ProtocolInit, 28: callbacks.ProtocolDestroy,
		29: callbacks.WSICreate, 30: callbacks.WSIDestroy, 38: callbacks.WSPeerInitiatedClose,
		49: callbacks.HTTPBindProtocol, 50: callbacks.HTTPDropProtocol, 51: callbacks.CheckAccessRights,
		53: callbacks.AddHeaders, 59: callbacks.RawRX, 60: callbacks.RawClose, 61: callbacks.RawWriteable,
		62: callbacks.RawAdopt, 69: callbacks.ChildClosing, 71: callbacks.EventWaitCancelled, 73: callbacks.Timer,
		75: callbacks.ClientClosed, 77: callbacks.WSServerBindProtocol, 78: callbacks.WSServerDropProtocol,
		79: callbacks.WSClientBindProtocol, 80: callbacks.WSClientDropProtocol, 81: callbacks.RawSktBindProtocol,
		82: callbacks.RawSktDropProtocol, 86: callbacks.HTTPConfirmUpgrade, 101: callbacks.RawConnected,
		105: callbacks.Connecting, 1000: callbacks.User,
	} {
		if int(r) != want {
			t.Errorf("%v = %d, want %d", r, r, want)
		}
	}
}

// TestReasonNames reads the source, so that a new reason cannot be forgotten.
func TestReasonNames(t *testing.T) {
	src, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\t(\w+) Reason = (\d+)$`).FindAllStringSubmatch(string(src), -1)
	if len(found) < 60 {
		t.Fatalf("found only %d reasons in the source", len(found))
	}
	numbers := map[string]string{}
	for _, m := range found {
		name, number := m[1], m[2]
		if other := numbers[number]; other != "" {
			t.Errorf("%s and %s are both %s", name, other, number)
		}
		numbers[number] = name
		if !strings.Contains(string(src), `"`+name+`"`) {
			t.Errorf("%s has no name to print", name)
		}
	}
	if got := callbacks.ServerWriteable.String(); got != "ServerWriteable" {
		t.Errorf("ServerWriteable prints as %q", got)
	}
	if got := callbacks.Reason(999).String(); got != "Reason(999)" {
		t.Errorf("an unknown reason prints as %q", got)
	}
}

func TestErrClosedIsNetErrClosed(t *testing.T) {
	if !errors.Is(callbacks.ErrClosed, net.ErrClosed) {
		t.Fatal("callers cannot ask for net.ErrClosed")
	}
}

func TestKindFlags(t *testing.T) {
	k := callbacks.WriteBinary | callbacks.NoFin
	if k.Base() != callbacks.WriteBinary || k.Fin() || !callbacks.WriteBinary.Fin() {
		t.Fatalf("Base %v Fin %v", k.Base(), k.Fin())
	}
}

type counter struct{ messages int }

func countMessages(seen *[]int) callbacks.Callback {
	return callbacks.WithState(func(_ callbacks.Session, st *counter, r callbacks.Reason, _ []byte) error {
		if st == nil {
			*seen = append(*seen, -1)
			return nil
		}
		if r == callbacks.Receive || r == callbacks.HTTP {
			st.messages++
		}
		*seen = append(*seen, st.messages)
		return nil
	})
}

func TestStateLivesFromBindingOn(t *testing.T) {
	var seen []int
	s := callbackstest.NewSession(callbacks.Protocol{Callback: countMessages(&seen)})
	for _, r := range []callbacks.Reason{callbacks.WSICreate, callbacks.WSServerBindProtocol, callbacks.Established,
		callbacks.Receive, callbacks.Receive, callbacks.Closed, callbacks.WSIDestroy} {
		if err := s.Call(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	want := []int{-1, 0, 0, 1, 2, 2, 2}
	if len(seen) != len(want) {
		t.Fatalf("got %v, want %v", seen, want)
	}
	for i := range want {
		if seen[i] != want[i] {
			t.Fatalf("got %v, want %v", seen, want)
		}
	}
}

func TestStateIsZeroedForEachTransaction(t *testing.T) {
	var seen []int
	s := callbackstest.NewSession(callbacks.Protocol{Callback: countMessages(&seen)})
	for range 2 {
		_ = s.Call(callbacks.HTTPBindProtocol, nil)
		_ = s.Call(callbacks.HTTP, nil)
	}
	if got := seen[len(seen)-1]; got != 1 {
		t.Fatalf("the second transaction counts %d requests", got)
	}
}

func TestDummy(t *testing.T) {
	get, post := "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
	bare := "POST /x HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, c := range map[string]struct {
		head   string
		before func(s *callbackstest.Session)
		reason callbacks.Reason
		want   int // status, 0 for no answer
	}{
		"a request without a body is not found":    {get, nil, callbacks.HTTP, 404},
		"one with a body waits for it":             {post, nil, callbacks.HTTP, 0},
		"and is then answered":                     {post, nil, callbacks.HTTPBodyCompletion, 200},
		"a POST without one waits all the same":    {bare, nil, callbacks.HTTP, 0},
		"other reasons mean nothing":               {get, nil, callbacks.HTTPBody, 0},
		"nothing is answered twice":                {post, respond, callbacks.HTTPBodyCompletion, 299},
		"a raw answer is an answer":                {post, raw, callbacks.HTTPBodyCompletion, 0},
		"what is held is answered by who holds it": {get, (*callbackstest.Session).Hold, callbacks.HTTP, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := callbackstest.NewSession(callbacks.Protocol{Callback: callbacks.CallbackHTTPDummy})
			s.SetRequest(c.head)
			if c.before != nil {
				c.before(s)
			}
			if err := s.Call(c.reason, nil); err != nil {
				t.Fatal(err)
			}
			got := 0
			if len(s.Responses) > 0 {
				got = s.Responses[0].Status
			}
			if got != c.want {
				t.Fatalf("status %d, want %d", got, c.want)
			}
		})
	}
}

func respond(s *callbackstest.Session) { _ = s.Respond(299, "", nil) }
func raw(s *callbackstest.Session) {
	_ = s.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"), callbacks.WriteHTTP)
}

// recordingFuncs notes which field was called with what.
func recordingFuncs(log *[]string) callbacks.Funcs {
	plain := func(name string) func(callbacks.Session) error {
		return func(callbacks.Session) error { *log = append(*log, name); return nil }
	}
	bytes := func(name string) func(callbacks.Session, []byte) error {
		return func(_ callbacks.Session, b []byte) error { *log = append(*log, name+" "+string(b)); return nil }
	}
	return callbacks.Funcs{
		Open: plain("open"), Writeable: plain("writeable"), BodyEnd: plain("body end"), Timer: plain("timer"),
		Message: bytes("message"), Pong: bytes("pong"), Request: bytes("request"), Body: bytes("body"),
		Close: func(_ callbacks.Session, code ws.StatusCode, why string) {
			*log = append(*log, "close "+why)
		},
		Failed: func(_ callbacks.Session, err error) { *log = append(*log, "failed "+err.Error()) },
	}
}

func TestFuncs(t *testing.T) {
	for _, c := range []struct {
		want    string
		reasons []callbacks.Reason
	}{
		{"open", []callbacks.Reason{callbacks.Established, callbacks.ClientEstablished, callbacks.RawAdopt, callbacks.RawConnected}},
		{"message in", []callbacks.Reason{callbacks.Receive, callbacks.ClientReceive, callbacks.RawRX}},
		{"pong in", []callbacks.Reason{callbacks.ReceivePong, callbacks.ClientReceivePong}},
		{"writeable", []callbacks.Reason{callbacks.ServerWriteable, callbacks.ClientWriteable, callbacks.HTTPWriteable, callbacks.RawWriteable}},
		{"close bye", []callbacks.Reason{callbacks.Closed, callbacks.ClientClosed, callbacks.RawClose}},
		{"failed refused", []callbacks.Reason{callbacks.ClientConnectionError}},
		{"request in", []callbacks.Reason{callbacks.HTTP}},
		{"body in", []callbacks.Reason{callbacks.HTTPBody}},
		{"body end", []callbacks.Reason{callbacks.HTTPBodyCompletion}},
		{"timer", []callbacks.Reason{callbacks.Timer}},
		{"", []callbacks.Reason{callbacks.WSICreate, callbacks.WSIDestroy}},
	} {
		for _, r := range c.reasons {
			var log []string
			s := callbackstest.NewSession(callbacks.Protocol{Callback: recordingFuncs(&log).Callback()})
			s.Reason, s.Ended = "bye", errors.New("refused")
			if err := s.Call(r, []byte("in")); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(log, ","); got != c.want {
				t.Errorf("%v called %q, want %q", r, got, c.want)
			}
			empty := callbackstest.NewSession(callbacks.Protocol{Callback: callbacks.Funcs{}.Callback()})
			if err := empty.Call(r, nil); err != nil {
				t.Errorf("%v with no function: %v", r, err)
			}
		}
	}
}

func TestFuncsReturnErrors(t *testing.T) {
	stop := errors.New("stop")
	f := callbacks.Funcs{
		Open:    func(callbacks.Session) error { return stop },
		Message: func(callbacks.Session, []byte) error { return stop },
	}.Callback()
	s := callbackstest.NewSession(callbacks.Protocol{Callback: f})
	for _, r := range []callbacks.Reason{callbacks.Established, callbacks.Receive} {
		if err := s.Call(r, nil); err != stop {
			t.Errorf("%v returned %v", r, err)
		}
	}
}

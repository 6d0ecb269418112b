package engine_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/engine"
)

// upgradeReasons are those in which a program may refuse an upgrade, in their order.
var upgradeReasons = []callbacks.Reason{callbacks.HTTPConfirmUpgrade, callbacks.WSServerBindProtocol,
	callbacks.FilterProtocolConnection, callbacks.AddHeaders}

// request sends an upgrade with more header lines, and returns the answer.
func (v *server) request(t *testing.T, lines ...string) (*peer, *http.Response, string) {
	t.Helper()
	p := v.dial(t).send(upgradeHead, strings.Join(append(lines, ""), "\r\n"), "\r\n")
	r, body := p.response("GET")
	return p, r, body
}

func TestOriginIsCheckedPerProtocol(t *testing.T) {
	var rec callbackstest.Recorder
	record := rec.Wrap(nothing)
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(
		callbacks.Protocol{Name: "any", Callback: record},
		callbacks.Protocol{Name: "picky", Callback: record, Origins: []string{"https://*.example.com", "same"}})})
	origin := func(s string) string { return "Origin: " + s }
	const picky, any = "Sec-WebSocket-Protocol: picky", "Sec-WebSocket-Protocol: any"
	for name, c := range map[string]struct {
		lines  []string
		status int
	}{
		"allowed":                      {[]string{picky, origin("https://a.example.com")}, 101},
		"the server's own":             {[]string{picky, origin("https://test")}, 101},
		"no browser":                   {[]string{picky}, 101},
		"another":                      {[]string{picky, origin("https://evil.test")}, 403},
		"none":                         {[]string{picky, origin("null")}, 403},
		"empty":                        {[]string{picky, "Origin:"}, 403},
		"two fields":                   {[]string{picky, origin("https://a.example.com"), origin("https://a.example.com")}, 400},
		"the other protocol takes any": {[]string{any, origin("https://evil.test")}, 101},
		"and does not count them":      {[]string{any, origin("a"), origin("b")}, 101},
		"nor does none":                {[]string{origin("https://evil.test")}, 101},
	} {
		p, r, body := v.request(t, c.lines...)
		if r.StatusCode != c.status {
			t.Errorf("%s: %s", name, r.Status)
		}
		if c.status == 101 {
			p.frame(ws.OpClose, true, "").wantFrames("8 ")
			p.Close()
			continue
		}
		if want := http.StatusText(c.status) + "\n"; body != want || r.Header.Get("Content-Type") != "text/plain" || !r.Close {
			t.Errorf("%s: %q %v", name, body, r.Header)
		}
		p.Close()
	}
	eventually(t, "all have gone", func() bool { return rec.Open() == 0 })
	for id := uint64(1); len(rec.Events(id)) > 0; id++ {
		got := rec.Reasons(id)
		asked, bound := strings.Contains(got, "HTTPConfirmUpgrade"), strings.Contains(got, "WSServerBindProtocol")
		if !asked || bound != strings.Contains(got, "Established") {
			t.Errorf("session %d heard %s", id, got)
		}
	}
}

func TestProgramSelectsTheSubprotocol(t *testing.T) {
	chosen, later := make(chan error, 10), make(chan error, 10)
	program := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTPConfirmUpgrade:
			choice, _ := s.Request().Header().Get("X-Choice")
			chosen <- s.SelectProtocol(string(choice))
		case callbacks.FilterProtocolConnection, callbacks.Established, callbacks.HTTP:
			later <- s.SelectProtocol("b")
			if r == callbacks.FilterProtocolConnection && string(in) != s.Protocol().Name && string(in) != "" {
				t.Errorf("filtered as %q by %q", in, s.Protocol().Name)
			}
		case callbacks.Receive:
			return s.Write([]byte(s.Protocol().Name), callbacks.WriteText)
		}
		return nil
	}
	named := func(name string) callbacks.Protocol { return callbacks.Protocol{Name: name, Callback: program} }
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(named("a"), named("b"), named("c"))})
	for _, c := range []struct {
		choice, agreed, bound string
		err                   error
	}{
		{"b", "b", "b", nil}, {"a", "a", "a", nil}, {"", "", "a", nil},
		{"c", "b", "b", callbacks.ErrProtocol},       // not on offer
		{"x", "b", "b", callbacks.ErrProtocol},       // not the vhost's
		{"nobody", "b", "b", callbacks.ErrProtocol},  // neither
		{"b, a, x", "b", "b", callbacks.ErrProtocol}, // no name
	} {
		p, r := v.upgrade(t, "Sec-WebSocket-Protocol: x, b", "Sec-WebSocket-Protocol: a", "X-Choice: "+c.choice)
		p.frame(ws.OpText, true, "who").wantFrames("1 " + c.bound)
		_, found := r.Header["Sec-Websocket-Protocol"]
		if got := r.Header.Get("Sec-WebSocket-Protocol"); got != c.agreed || found != (c.agreed != "") {
			t.Errorf("%q: agreed on %q", c.choice, got)
		}
		if err := <-chosen; err != c.err {
			t.Errorf("%q: %v", c.choice, err)
		}
		for range 2 {
			if err := <-later; err != callbacks.ErrRole {
				t.Errorf("%q: later %v", c.choice, err)
			}
		}
	}
	if _, r, _ := v.request(t, "Sec-WebSocket-Protocol: a, a", "X-Choice: a"); r.StatusCode != 400 {
		t.Errorf("a malformed offer: %s", r.Status)
	}
	if err := <-chosen; err != callbacks.ErrProtocol {
		t.Errorf("a malformed offer: %v", err)
	}
	v.dial(t).send(get("/")).want(404, "Not Found\n")
	if err := <-later; err != callbacks.ErrRole {
		t.Errorf("in a request that is no upgrade: %v", err)
	}
}

// refusals are ways to say no, with what the client then gets.
var refusals = []struct {
	name   string
	how    func(s callbacks.Session) error
	status int
	body   string
	header string // "Name: value"
}{
	{"an answer", func(s callbacks.Session) error { return s.Respond(418, "text/html", []byte("<b>no</b>")) }, 418, "<b>no</b>", "Content-Type: text/html"},
	{"a challenge", func(s callbacks.Session) error {
		return errors.Join(s.AddHeader("WWW-Authenticate", `Basic realm="x"`), s.Respond(401, "", nil))
	}, 401, "", `Www-Authenticate: Basic realm="x"`},
	{"a challenge by error", func(s callbacks.Session) error {
		_ = s.AddHeader("WWW-Authenticate", `Bearer`)
		return http1.NewError(401, "who are you")
	}, 401, "Unauthorized\n", `Www-Authenticate: Bearer`},
	{"not now", func(s callbacks.Session) error {
		_ = s.AddHeader("Retry-After", "120")
		return http1.NewError(429, "not so fast")
	}, 429, "Too Many Requests\n", "Retry-After: 120"},
	{"elsewhere", func(s callbacks.Session) error {
		return errors.Join(s.AddHeader("Location", "wss://other.test/"), s.Respond(307, "", nil))
	}, 307, "", "Location: wss://other.test/"},
	{"a streamed answer", func(s callbacks.Session) error {
		return errors.Join(s.StartResponse(503, "text/plain", 3), s.Write([]byte("no\n"), callbacks.WriteHTTPFinal))
	}, 503, "no\n", "Content-Length: 3"},
	{"no body", func(s callbacks.Session) error { return s.Respond(204, "", nil) }, 204, "", "Connection: close"},
}

// refused checks an answer.
func refused(t *testing.T, p *peer, i int) {
	t.Helper()
	c := refusals[i]
	r, body := p.response("GET")
	name, value, _ := strings.Cut(c.header, ": ")
	if name == "Connection" && r.Close {
		r.Header.Set(name, "close") // net/http takes it out
	}
	if r.StatusCode != c.status || body != c.body || r.Header.Get(name) != value || !r.Close {
		t.Errorf("%s %q %v", r.Status, body, r.Header)
	}
	p.wantEOF()
}

func TestUpgradesAreRefusedInAnyWay(t *testing.T) {
	for _, at := range append(upgradeReasons, callbacks.ConfirmExtensionOkay) {
		for i, how := range refusals {
			if at == callbacks.ConfirmExtensionOkay && (how.name == "not now" || how.name == "a challenge by error") {
				continue // an error there declines the extension only
			}
			t.Run(fmt.Sprintf("%v/%s", at, how.name), func(t *testing.T) {
				v := deflating(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
					switch r {
					case at:
						return how.how(s)
					case callbacks.Established:
						t.Error("established")
					case callbacks.AddHeaders:
						if at != r {
							t.Error("asked on though it was decided")
						}
					}
					return nil
				})
				refused(t, v.dial(t).send(upgradeHead, "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"), i)
			})
		}
	}
}

// Fields may be added in every callback on the way, and more than one of a name.
func TestFieldsOfThe101(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if slices.Contains(upgradeReasons, r) {
			if err := s.AddHeader("Sec-WebSocket-Accept", "forged"); err != callbacks.ErrHeader {
				t.Errorf("the engine's own field: %v", err)
			}
			if err := s.AddHeader("X-Bad", "a\r\nb"); err != callbacks.ErrHeader {
				t.Errorf("a split response: %v", err)
			}
			return s.AddHeader("Set-Cookie", r.String()+"=1")
		}
		return nil
	})
	_, r := v.upgrade(t)
	want := []string{"HTTPConfirmUpgrade=1", "WSServerBindProtocol=1", "FilterProtocolConnection=1", "AddHeaders=1"}
	if got := r.Header["Set-Cookie"]; !slices.Equal(got, want) {
		t.Errorf("cookies %q", got)
	}
}

// hesitant runs a server that holds upgrades in some callbacks and hands their Handles
// out.
func hesitant(t *testing.T, rec *callbackstest.Recorder, at ...callbacks.Reason) (*server, chan callbacks.Handle) {
	t.Helper()
	held := make(chan callbacks.Handle, 10)
	return deflating(t, rec.Wrap(func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if slices.Contains(at, r) {
			s.Hold()
			held <- s.Handle()
		}
		return echoWS(s, r, in)
	})), held
}

// deflating serves one callback with compression.
func deflating(t *testing.T, f callbacks.Callback) *server {
	t.Helper()
	return start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: f, Deflate: &deflate.Config{}})})
}

const deflateLine = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover"

func proceed(s callbacks.Session) error { return s.Proceed() }

func TestHeldUpgradesGoOn(t *testing.T) {
	all := append(slices.Clone(upgradeReasons), callbacks.ConfirmExtensionOkay)
	for _, at := range append([][]callbacks.Reason{all}, []callbacks.Reason{all[0]}, all[1:2], all[2:3], all[3:4], all[4:]) {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			var rec callbackstest.Recorder
			v, held := hesitant(t, &rec, at...)
			p := v.dial(t).send(upgradeHead, deflateLine, "\r\n\r\n")
			for i := range at {
				h := <-held
				_ = h.Post(func(s callbacks.Session) error {
					if !s.Answered() || string(s.Request().Path()) != "/chat" {
						t.Error("the request is not in hand")
					}
					return errors.Join(s.AddHeader("X-Step", fmt.Sprint(i)), s.Proceed())
				})
			}
			r, _ := p.response("GET")
			if r.StatusCode != 101 || len(r.Header["X-Step"]) != len(at) || !strings.HasPrefix(r.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate") {
				t.Fatalf("%s %v", r.Status, r.Header)
			}
			p.frame(ws.OpText, true, "hi").wantFrames("1 hi")
			p.frame(ws.OpClose, true, "").wantFrames("8 ")
			p.Close()
			eventually(t, "the session has ended", func() bool { return rec.Open() == 0 })
			want := "FilterNetworkConnection WSICreate ServerNewClientInstantiated HTTPConfirmUpgrade WSServerBindProtocol FilterProtocolConnection " +
				"ConfirmExtensionOkay AddHeaders Established Receive WSPeerInitiatedClose WSServerDropProtocol Closed WSIDestroy"
			if got := rec.Reasons(1); got != want {
				t.Errorf("reasons\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestHeldUpgradesAreRefused(t *testing.T) {
	for _, at := range upgradeReasons {
		for i, how := range refusals {
			t.Run(fmt.Sprintf("%v/%s", at, how.name), func(t *testing.T) {
				var rec callbackstest.Recorder
				v, held := hesitant(t, &rec, at)
				p := v.dial(t).send(upgradeHead + "\r\n")
				h := <-held
				_ = h.Post(how.how)
				refused(t, p, i)
				p.Close() // or the server would wait for that
				eventually(t, "the session has ended", func() bool { return rec.Open() == 0 })
				if got := rec.Reasons(1); strings.Contains(got, "Established") || strings.Contains(got, "WSServerBind") != strings.Contains(got, "WSServerDrop") {
					t.Errorf("reasons %s", got)
				}
			})
		}
	}
}

// TestProceedHasItsTime: what Proceed says when there is nothing to go on with.
func TestProceedHasItsTime(t *testing.T) {
	errs := make(chan error, 10)
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		path := ""
		if q := s.Request(); q != nil {
			path = string(q.Path())
		}
		switch {
		case r == callbacks.WSICreate, r == callbacks.HTTP, r == callbacks.Established:
			errs <- s.Proceed()
			if r == callbacks.HTTP {
				s.Hold()
				errs <- s.Proceed() // of an upgrade only
				return s.Respond(200, "", nil)
			}
		case r == callbacks.HTTPConfirmUpgrade && path == "/chat":
			errs <- s.Proceed() // it is not held
			s.Hold()
			errs <- s.Proceed() // it is, and goes on when the callback returns
		case r == callbacks.FilterProtocolConnection && path == "/answered":
			s.Hold()
			_ = s.Respond(403, "", nil)
			errs <- s.Proceed()
		}
		return nil
	})
	want := func(list ...error) {
		t.Helper()
		for i, w := range list {
			if err := <-errs; err != w {
				t.Errorf("%d: %v, want %v", i, err, w)
			}
		}
	}
	v.upgrade(t)
	want(callbacks.ErrRole, callbacks.ErrRole, nil, callbacks.ErrRole)
	v.dial(t).send(get("/")).want(200, "")
	want(callbacks.ErrRole, callbacks.ErrRole, callbacks.ErrRole)
	v.dial(t).send(strings.Replace(upgradeHead, "/chat", "/answered", 1)+"\r\n").want(403, "")
	want(callbacks.ErrRole, callbacks.ErrAnswered)
}

// TestHandleOfAnUpgrade: it was the request's, and is nothing to the WebSocket.
func TestHandleOfAnUpgrade(t *testing.T) {
	var rec callbackstest.Recorder
	v, held := hesitant(t, &rec, callbacks.FilterProtocolConnection)
	p := v.dial(t).send(upgradeHead + "\r\n")
	h := <-held
	_ = h.Post(func(s callbacks.Session) error {
		if err := s.SelectProtocol(""); err != callbacks.ErrRole {
			t.Errorf("SelectProtocol after HTTPConfirmUpgrade: %v", err)
		}
		return nil
	})
	_ = h.Post(proceed)
	_ = h.Write([]byte("stray"), callbacks.WriteText)
	_ = h.Post(proceed)
	if r, _ := p.response("GET"); r.StatusCode != 101 {
		t.Fatal(r.Status)
	}
	p.frame(ws.OpText, true, "hi").wantFrames("1 hi")
}

// TestSelectWhileHeld chooses the subprotocol later.
func TestSelectWhileHeld(t *testing.T) {
	held := make(chan callbacks.Handle, 1)
	program := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTPConfirmUpgrade {
			s.Hold()
			held <- s.Handle()
		}
		return nil
	}
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Name: "a", Callback: program},
		callbacks.Protocol{Name: "b", Callback: program})})
	p := v.dial(t).send(upgradeHead + "Sec-WebSocket-Protocol: a, b\r\n\r\n")
	_ = (<-held).Post(func(s callbacks.Session) error { return errors.Join(s.SelectProtocol("b"), s.Proceed()) })
	if r, _ := p.response("GET"); r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Protocol") != "b" {
		t.Errorf("%s %v", r.Status, r.Header)
	}
}

// TestHeldUpgradeWhileDraining is answered still, and then said goodbye to.
func TestHeldUpgradeWhileDraining(t *testing.T) {
	var rec callbackstest.Recorder
	held := make(chan callbacks.Handle, 1)
	v := start(t, engine.Config{Loops: 1, Limits: engine.Limits{DrainTimeout: patience}, Vhosts: vhost(callbacks.Protocol{Callback: rec.Wrap(
		func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.FilterProtocolConnection {
				s.Hold()
				held <- s.Handle()
			}
			return nil
		})})})
	p := v.dial(t).send(upgradeHead + "\r\n")
	h := <-held
	v.stop()
	eventually(t, "nobody is accepted any more", func() bool {
		c, err := net.Dial("tcp", v.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	_ = h.Post(proceed)
	if r, _ := p.response("GET"); r.StatusCode != 101 {
		t.Fatal(r.Status)
	}
	p.wantFrames(closeFrame(1001, "")).frame(ws.OpClose, true, "\x03\xe9").wantEOF()
	p.Close()
}

func TestWebSocketsPerIP(t *testing.T) {
	lim := engine.Limits{WebSocketsPerIP: 2, DrainTimeout: 100 * time.Millisecond}
	var asked atomic.Int32
	v := start(t, engine.Config{Loops: 1, Limits: lim, Vhosts: vhost(callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		switch {
		case r == callbacks.HTTPConfirmUpgrade:
			asked.Add(1)
		case r == callbacks.HTTP:
			return s.Respond(200, "", nil)
		case r == callbacks.FilterProtocolConnection && string(s.Request().Path()) == "/no":
			return errors.New("no")
		}
		return nil
	}})})
	a, _ := v.upgrade(t)
	no := v.dial(t).send(strings.Replace(upgradeHead, "/chat", "/no", 1) + "\r\n")
	no.want(403, "Forbidden\n")
	no.Close()
	eventually(t, "the refused one is counted out", func() bool { return v.Stats().Sessions == 1 })
	b, _ := v.upgrade(t)
	p, r, body := v.request(t)
	if r.StatusCode != 429 || r.Header.Get("Retry-After") != "10" || body != "Too Many Requests\n" || !r.Close {
		t.Errorf("%s %v %q", r.Status, r.Header, body)
	}
	p.wantEOF()
	v.dial(t).send(get("/")).want(200, "") // is no WebSocket
	if n := v.Stats(); n.WebSocketsRefused != 1 || n.Refused != 0 || n.WebSockets != 2 || asked.Load() != 3 {
		t.Errorf("%+v; asked %d times", n, asked.Load())
	}
	a.frame(ws.OpClose, true, "").wantFrames("8 ")
	a.Close()
	eventually(t, "the closed one is counted out", func() bool { return v.Stats().WebSockets == 1 })
	v.upgrade(t)
	b.Close()
}

func TestUnixSocketsHaveNoIP(t *testing.T) {
	lim := engine.Limits{WebSocketsPerIP: 1, ConnectionsPerIP: 1, DrainTimeout: 100 * time.Millisecond}
	v := start(t, engine.Config{Loops: 1, Limits: lim, Vhosts: []engine.Vhost{{Listen: []string{"unix://" + filepath.Join(t.TempDir(), "s")},
		Protocols: []callbacks.Protocol{{Callback: nothing}}}}})
	for range 3 {
		v.upgrade(t)
	}
	eventually(t, "all are counted", func() bool { return v.Stats().WebSockets == 3 })
	if n := v.Stats().WebSocketsRefused; n != 0 {
		t.Errorf("%d refused", n)
	}
}

package engine_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// as is the field line of somebody's credentials, "user:password".
func as(both string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(both))
}

// request is one with header lines.
func request(method, path string, lines ...string) string {
	head := method + " " + path + " HTTP/1.1\r\nHost: test\r\n"
	for _, l := range lines {
		head += l + "\r\n"
	}
	return head + "\r\n"
}

// whoami answers with the user, and is on no account asked by who has none.
func whoami(t *testing.T) callbacks.Callback {
	return func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.FilterHTTPConnection, callbacks.HTTPConfirmUpgrade, callbacks.HTTP:
			user, _, ok := s.Request().BasicAuth()
			if !ok {
				t.Errorf("%v without credentials", r)
			}
			if r == callbacks.HTTP {
				return s.Respond(200, "", []byte(user+" "+string(in)))
			}
		}
		return nil
	}
}

// guarded is a server whose mount /in asks for a password.
func guarded(t *testing.T, f callbacks.Callback, a engine.BasicAuth, more ...engine.Mount) *server {
	t.Helper()
	in := engine.Callback("/in", "test")
	in.BasicAuth = &a
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: f})}
	cfg.Vhosts[0].Mounts = append(more, in)
	return start(t, cfg)
}

const challenge = `Basic realm="the \"site\"", charset="UTF-8"`

func TestBasicAuth(t *testing.T) {
	v := guarded(t, whoami(t), engine.BasicAuth{
		Realm:       `the "site"`,
		Users:       map[string]string{"ann": "secret", "": "nobody's", "bob": ""},
		UsersSHA256: map[string][sha256.Size]byte{"cid": sha256.Sum256([]byte("hashed"))},
		Check: func(user, password string) bool {
			return user == "dan" && password == "asked" || user == "ann" && password == "too"
		},
	})
	p := v.dial(t) // the connection lives on whatever the answer
	for _, c := range []struct{ name, line, want string }{
		{"right", as("ann:secret"), "ann /x"},
		{"by its hash", as("cid:hashed"), "cid /x"},
		{"by the function", as("dan:asked"), "dan /x"},
		{"by the function, of a user with a password", as("ann:too"), "ann /x"},
		{"no name", as(":nobody's"), " /x"},
		{"no password", as("bob:"), "bob /x"},
		{"nothing", "X: y", ""},
		{"wrong", as("ann:secreT"), ""},
		{"less", as("ann:secre"), ""},
		{"more", as("ann:secret:"), ""},
		{"empty", as("ann:"), ""},
		{"another's", as("bob:secret"), ""},
		{"an unknown user", as("eve:secret"), ""},
		{"an unknown user without a password", as("eve:"), ""},
		{"a user's name in other letters", as("Ann:secret"), ""},
		{"the hash as password", as("cid:" + string(make([]byte, 32))), ""},
		{"refused by the function", as("dan:secret"), ""},
		{"no colon", as("ann"), ""},
		{"another scheme", "Authorization: Bearer x", ""},
	} {
		p.send(request("GET", "/in/x", c.line))
		if c.want != "" {
			p.want(200, c.want)
			continue
		}
		r := p.want(401, "Unauthorized\n")
		if got := r.Header.Values("WWW-Authenticate"); r.Close || len(got) != 1 || got[0] != challenge {
			t.Errorf("%s: %q, close %v", c.name, got, r.Close)
		}
	}
}

// TestBasicAuthIsTheMounts: what is beside it is open, what is below is not, and no way of
// writing the path goes around it.
func TestBasicAuthIsTheMounts(t *testing.T) {
	open := engine.Callback("/in/open", "test")
	v := guarded(t, func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.HTTP {
			return s.Respond(200, "", s.Request().Path())
		}
		return nil
	}, engine.BasicAuth{Users: map[string]string{"a": "b"}}, open)
	p := v.dial(t)
	for path, status := range map[string]int{
		"/": 200, "/inn": 200, "/in/open": 200, "/in/open/x": 200,
		"/in": 401, "/in/": 401, "/in/x": 401, "/in?open": 401, "/in/opener": 401, "http://test/in": 401,
	} {
		if r, _ := p.send(request("GET", path)).response("GET"); r.StatusCode != status {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	r, body := p.send(request("HEAD", "/in")).response("HEAD")
	if r.StatusCode != 401 || body != "" || r.ContentLength != 13 {
		t.Errorf("HEAD: %v %q", r, body)
	}
}

// TestBasicAuthByCallback: libwebsockets' way, but it is an error that refuses.
func TestBasicAuthByCallback(t *testing.T) {
	first := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r != callbacks.VerifyBasicAuthorization {
			return nil
		}
		if s.Protocol().Name != "first" {
			t.Errorf("it is asked of %q", s.Protocol().Name)
		}
		switch string(in) {
		case "ann:a:b":
			return nil
		case "answer:":
			return s.Respond(418, "", []byte("tea"))
		case "forbid:":
			return http1.NewError(403, "not you")
		case "panic:":
			panic("!")
		case "close:":
			return callbacks.ErrClose
		case "both:":
			return http1.NewError(401, "who?")
		}
		return errors.New("no")
	}
	in := engine.Callback("/in", "test")
	in.BasicAuth = &engine.BasicAuth{Realm: `the "site"`, ByCallback: true, Users: map[string]string{"known": "k"}}
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Name: "first", Callback: first}, callbacks.Protocol{Name: "test", Callback: whoami(t)})}
	cfg.Vhosts[0].Mounts = []engine.Mount{in}
	v := start(t, cfg)
	for both, want := range map[string]struct {
		status    int
		close     bool
		challenge bool
	}{
		"ann:a:b": {200, false, false}, "known:k": {200, false, false},
		"ann:a": {401, false, true}, "both:": {401, false, true},
		"answer:": {418, false, false}, "forbid:": {403, true, false}, "panic:": {500, true, false}, "close:": {401, true, false},
	} {
		p := v.dial(t).send(request("GET", "/in/x", as(both)))
		r, _ := p.response("GET")
		if r.StatusCode != want.status || r.Close != want.close || (r.Header.Get("WWW-Authenticate") == challenge) != want.challenge {
			t.Errorf("%s: %s, close %v, %q", both, r.Status, r.Close, r.Header)
		}
		if want.close {
			p.wantEOF()
		}
	}
}

// TestBasicAuthFunctionThatPanics ends one session.
func TestBasicAuthFunctionThatPanics(t *testing.T) {
	v := guarded(t, whoami(t), engine.BasicAuth{Check: func(user, _ string) bool { return user == "ann" || user[1] == 'x' }})
	v.dial(t).send(request("GET", "/in", as(":"))).want(500, "Internal Server Error\n")
	v.dial(t).send(request("GET", "/in", as("ann:"))).want(200, "ann ")
}

func TestBasicAuthOfUpgrades(t *testing.T) {
	v := guarded(t, whoami(t), engine.BasicAuth{Users: map[string]string{"ann": "secret"}})
	upgrade := func(lines ...string) string {
		return request("GET", "/in/chat", append(lines, "Upgrade: websocket", "Connection: Upgrade",
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")...)
	}
	p := v.dial(t).send(upgrade())
	p.want(401, "Unauthorized\n")
	p.send(upgrade(as("ann:wrong"))).want(401, "Unauthorized\n")
	if r, _ := p.send(upgrade(as("ann:secret"))).response("GET"); r.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("with the password: %s", r.Status)
	}
}

// TestBasicAuthAndBodies: the body of a request that is refused is not the next request,
// and one that is held back does not come.
func TestBasicAuthAndBodies(t *testing.T) {
	v := guarded(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTPBody:
			t.Errorf("body %q", in)
		case callbacks.HTTP:
			return s.Respond(200, "", []byte("in"))
		}
		return nil
	}, engine.BasicAuth{Users: map[string]string{"ann": "secret"}})
	p := v.dial(t).send(request("POST", "/in", "Content-Length: 16") + get("/in/smuggled/")[:16])
	p.want(401, "Unauthorized\n")
	p.send(request("POST", "/in", "Transfer-Encoding: chunked"), "3\r\nabc\r\n0\r\n\r\n").want(401, "Unauthorized\n")
	p.send(request("GET", "/in", as("ann:secret"))).want(200, "in")
	r := p.send(request("POST", "/in", "Content-Length: 5", "Expect: 100-continue")).want(401, "Unauthorized\n")
	if !r.Close {
		t.Error("the connection goes on, and nobody knows with what")
	}
	p.wantEOF()
}

// TestBasicAuthOfServices: it holds for mounts that lead to no callback.
func TestBasicAuthOfServices(t *testing.T) {
	old := engine.Redirect("/old", 301, "/new")
	old.BasicAuth = &engine.BasicAuth{Users: map[string]string{"ann": "secret"}}
	v := guarded(t, whoami(t), engine.BasicAuth{ByCallback: true}, old)
	p := v.dial(t).send(get("/old"))
	if r := p.want(401, "Unauthorized\n"); r.Header.Get("Location") != "" {
		t.Errorf("it says where to: %q", r.Header)
	}
	p.send(request("GET", "/old", as("ann:secret"))).want(301, "")
}

func TestBasicAuthThatCannotBe(t *testing.T) {
	for name, a := range map[string]engine.BasicAuth{
		"nobody may pass": {Realm: "x"},
		"a realm's line":  {Realm: "x\r\ny", ByCallback: true},
		"two passwords":   {Users: map[string]string{"a": "b"}, UsersSHA256: map[string][sha256.Size]byte{"a": {}}},
	} {
		m := engine.Callback("/", "test")
		m.BasicAuth = &a
		cfg := engine.Config{Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: nothing})}
		cfg.Vhosts[0].Mounts = []engine.Mount{m}
		if _, err := engine.New(cfg); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package engine_test

import (
	"errors"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// TestVhostsByHost: which vhost a request is for. libwebsockets compares with the beginning
// of a name, and so takes localhost.evil for localhost.
func TestVhostsByHost(t *testing.T) {
	var list []engine.Vhost
	for _, name := range []string{"", "one.test", "*.test", "*.deep.test", "*.Deeper.Deep.test", "Dot.example.", "[::1]", "127.0.0.1", "localhost", "x*y.example"} {
		list = append(list, engine.Vhost{Name: name, Listen: []string{"tcp://127.0.0.1:0"},
			Protocols: []callbacks.Protocol{{Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
				if r == callbacks.HTTP {
					return s.Respond(200, "", []byte("<"+name+">"))
				}
				return nil
			}}}})
	}
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: list})
	for _, c := range []struct{ name, target, host, want string }{
		{"exact", "/", "one.test", "one.test"},
		{"case", "/", "ONE.Test", "one.test"},
		{"port", "/", "one.test:8080", "one.test"},
		{"an empty port", "/", "one.test:", "one.test"},
		{"a dot at the end", "/", "one.test.", "one.test"},
		{"a dot and a port", "/", "one.test.:80", "one.test"},
		{"two dots at the end", "/", "one.test..", ""},
		{"a dot of the configuration's", "/", "dot.example", "Dot.example."},
		{"below", "/", "two.test", "*.test"},
		{"far below", "/", "a.b.c.test", "*.test"},
		{"below exact", "/", "www.one.test", "*.test"},
		{"the longest wildcard", "/", "a.deep.test", "*.deep.test"},
		{"a longer one, listed behind", "/", "a.deeper.deep.test:1", "*.Deeper.Deep.test"},
		{"the name that a wildcard is below", "/", "deep.test", "*.test"},
		{"the top of a wildcard", "/", "test", ""},
		{"nothing but a dot before it", "/", ".test", ""},
		{"the end of a name that is no label", "/", "atest", ""},
		{"longer than exact", "/", "localhost.evil", ""},
		{"shorter than exact", "/", "localhos", ""},
		{"a prefix with a port", "/", "localhost:80", "localhost"},
		{"IPv6", "/", "[::1]", "[::1]"},
		{"IPv6 with a port", "/", "[::1]:8080", "[::1]"},
		{"IPv6 of another", "/", "[::2]:8080", ""},
		{"IPv4", "/", "127.0.0.1:80", "127.0.0.1"},
		{"IPv4 with more", "/", "127.0.0.10", ""},
		{"a star inside is no wildcard", "/", "xay.example", ""},
		{"a star as it is", "/", "x*y.example", "x*y.example"},
		{"unknown", "/", "example.com", ""},
		{"an empty Host", "/", "", ""},
		{"an absolute target", "http://one.test/", "localhost", "one.test"},
		{"an absolute target with a port", "HTTP://ONE.test:80/x", "localhost", "one.test"},
		{"an absolute target of another scheme's", "https://localhost/", "one.test", "localhost"},
		{"an absolute target that nobody has", "http://evil/", "one.test", ""},
	} {
		p := v.dial(t).send("GET " + c.target + " HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n")
		if r, got := p.response("GET"); got != "<"+c.want+">" {
			t.Errorf("%s: %s %s, want <%s>", c.name, r.Status, got, c.want)
		}
	}
	v.dial(t).send("GET / HTTP/1.0\r\n\r\n").want(200, "<>")
	p := v.dial(t) // each request of a connection chooses for itself
	for _, host := range []string{"one.test", "localhost", "one.test"} {
		p.send("GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n").want(200, "<"+host+">")
	}
}

func TestNamesThatCannotBe(t *testing.T) {
	p := callbacks.Protocol{Callback: nothing}
	for name, names := range map[string][]string{
		"a port":                {"one.test:80"},
		"IPv6 without brackets": {"::1"},
		"equal but for case":    {"one.test", "ONE.test"},
		"equal but for a dot":   {"one.test", "one.test."},
		"equal wildcards":       {"*.test", "*.TEST"},
	} {
		var cfg engine.Config
		for _, n := range names {
			cfg.Vhosts = append(cfg.Vhosts, engine.Vhost{Name: n, Protocols: []callbacks.Protocol{p}})
		}
		if _, err := engine.New(cfg); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

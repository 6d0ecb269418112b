package engine_test

import (
	"crypto/tls"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// named vhosts on one address, the first with the name that matches nothing.
func vhostsFor(t *testing.T, names ...string) (list []engine.Vhost) {
	at := onePort(t)
	for _, name := range names {
		host := name
		if rest, ok := strings.CutPrefix(name, "*"); ok {
			host = "any" + rest
		}
		if host == "" {
			host = "default"
		}
		c := issue(host, "default", "a.b.test", "b.test", "x.y.b.test", "B.Test", "other.test")
		list = append(list, engine.Vhost{Name: name, Listen: at, TLS: &engine.ServerTLS{CertMem: c.Chain, KeyMem: c.Key},
			Protocols: []callbacks.Protocol{{Name: "test", Callback: tellTLS}}})
	}
	return list
}

// TestTLSSNIChoosesTheVhost: the exact name, the longest suffix, the first; and the
// certificate is that vhost's.
func TestTLSSNIChoosesTheVhost(t *testing.T) {
	v := startTLS(t, quick, vhostsFor(t, "", "b.test", "*.b.test", "*.y.b.test")...)
	for sni, want := range map[string]struct{ vhost, subject string }{
		"b.test":     {"b.test", "b.test"},
		"B.Test":     {"b.test", "b.test"},
		"a.b.test":   {"*.b.test", "any.b.test"},
		"x.y.b.test": {"*.y.b.test", "any.y.b.test"},
		"other.test": {"-", "default"},
		"":           {"-", "default"},
	} {
		cfg := trust(named(sni))
		if sni == "" {
			cfg.InsecureSkipVerify = true // crypto/tls wants a name or this
		}
		p := v.dialTLS(t, cfg)
		if got := p.tls.ConnectionState().PeerCertificates[0].Subject.CommonName; got != want.subject {
			t.Errorf("SNI %q: the certificate is that of %q, want %q", sni, got, want.subject)
		}
		if told := p.ask(sni); !strings.HasPrefix(told, "200 "+want.vhost+" ") {
			t.Errorf("SNI %q: %q, want vhost %q", sni, told, want.vhost)
		}
	}
}

// TestTLSMisdirectedRequests: RFC 9110 15.5.20. One vhost may ask for client
// certificates and another not, so a request must not slip from one to the other.
func TestTLSMisdirectedRequests(t *testing.T) {
	list := vhostsFor(t, "", "b.test", "*.b.test")
	var told atomic.Int64
	for i := range list {
		list[i].Protocols[0].Callback = func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.FilterHTTPConnection || r == callbacks.HTTPConfirmUpgrade {
				told.Add(1)
			}
			return tellTLS(s, r, in)
		}
	}
	v := startTLS(t, quick, list...)
	for _, c := range []struct{ sni, host, want string }{
		{"b.test", "b.test", "200 b.test b.test - -"},
		{"b.test", "B.TEST:443", "200 b.test b.test - -"},
		{"b.test", "other.test", "421 Misdirected Request\n"},
		{"b.test", "a.b.test", "421 Misdirected Request\n"},
		{"a.b.test", "x.y.b.test", "200 *.b.test a.b.test - -"},
		{"a.b.test", "b.test", "421 Misdirected Request\n"},
		{"other.test", "default", "200 - other.test - -"},
		{"other.test", "b.test", "421 Misdirected Request\n"},
	} {
		p := v.dialTLS(t, trust(named(c.sni)))
		if got := p.ask(c.host); got != c.want {
			t.Errorf("SNI %q, Host %q: %q, want %q", c.sni, c.host, got, c.want)
		}
		if strings.HasPrefix(c.want, "421") {
			p.wantEOF()
		}
	}
	old := v.dialTLS(t, trust(named("b.test"))) // a client of HTTP/1.0 has no Host to contradict SNI with
	old.send("GET / HTTP/1.0\r\n\r\n").want(200, "b.test b.test - -")
	p := v.dialTLS(t, trust(named("b.test")))
	if got := p.ask("b.test"); !strings.HasPrefix(got, "200") {
		t.Fatal(got)
	}
	p.send(strings.Replace(upgradeHead, "Host: test", "Host: other.test", 1), "\r\n") // the second request, an upgrade
	if r, _ := p.response("GET"); r.StatusCode != 421 {
		t.Errorf("a misdirected upgrade: %s", r.Status)
	}
	p.wantEOF()
	if n := told.Load(); n != 6 {
		t.Errorf("the program was told of %d requests, and 6 were for it", n)
	}
}

// TestTLSALPN: what is offered, what is chosen, and who then gets the session.
func TestTLSALPN(t *testing.T) {
	lines := callbacks.Protocol{Name: "lines", Codec: upper{}, Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.RawRX {
			return s.Write([]byte(strings.ToUpper(string(in))+" "+describe(s)), callbacks.WriteText)
		}
		return nil
	}}
	st := with(engine.ServerTLS{})
	v := startTLS(t, quick, engine.Vhost{TLS: st, Protocols: []callbacks.Protocol{{Name: "test", Callback: tellTLS}, lines}})
	v.dialTLS(t, trust(offering("http/1.1"))).wantTold("- localhost http/1.1 -")
	v.dialTLS(t, trust(offering("h2", "http/1.1"))).wantTold("- localhost http/1.1 -")
	v.dialTLS(t, trust(offering("http/1.0"))).wantTold("- localhost http/1.0 -")
	v.dialTLS(t, trust()).wantTold("- localhost - -")
	p := v.dialTLS(t, trust(offering("lines", "http/1.1")))
	p.send("hello\n")
	if got, err := p.r.ReadString('\n'); got != "HELLO - localhost lines -\n" {
		t.Errorf("the protocol with the Codec said %q, %v", got, err)
	}
	v.wantRefusal(t, trust(offering("h2")), "no application protocol")
	v.wantRefusal(t, trust(offering("test")), "no application protocol") // it has no Codec
}

// TestTLSALPNOfTheUser: NextProtos replaces what the engine would offer, but for h2.
func TestTLSALPNOfTheUser(t *testing.T) {
	own := &tls.Config{NextProtos: []string{"h2", "special", "http/1.1"}}
	v := serveTLS(t, with(engine.ServerTLS{Config: own}), tellTLS)
	v.dialTLS(t, trust(offering("h2", "special"))).wantTold("- localhost special -")
	v.dialTLS(t, trust(offering("h2", "http/1.1"))).wantTold("- localhost http/1.1 -")
	v.wantRefusal(t, trust(offering("h2")), "no application protocol")
	if strings.Join(own.NextProtos, " ") != "h2 special http/1.1" {
		t.Errorf("the user's NextProtos are %q now", own.NextProtos)
	}
}

// TestTLSALPNOfRawVhosts: one with a RawProtocol does not offer HTTP.
func TestTLSALPNOfRawVhosts(t *testing.T) {
	echo := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.RawRX {
			return s.Write(in, callbacks.WriteText)
		}
		return nil
	}
	v := startTLS(t, quick, engine.Vhost{TLS: with(engine.ServerTLS{}), RawProtocol: "raw",
		Protocols: []callbacks.Protocol{{Name: "raw", Callback: echo}, {Name: "lines", Codec: upper{}, Callback: echo}}})
	for offer, want := range map[string]string{"": "raw\n", "lines": "lines\n"} {
		p := v.dialTLS(t, trust(func(c *tls.Config) {
			if offer != "" {
				c.NextProtos = []string{offer}
			}
		}))
		p.send(want)
		if got, err := p.r.ReadString('\n'); got != want {
			t.Errorf("ALPN %q: %q, %v", offer, got, err)
		}
	}
	v.wantRefusal(t, trust(offering("http/1.1")), "no application protocol")
}

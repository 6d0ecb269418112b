package engine_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/penstock-go/penstock/engine"
)

// believing is a client that shows every server the ticket it got last.
func believing() func(*tls.Config) {
	cache := sameKey{tls.NewLRUClientSessionCache(1)}
	return func(c *tls.Config) { c.ClientSessionCache, c.InsecureSkipVerify = cache, true }
}

// resumes asks once and tells whether the session was resumed.
func (v *server) resumes(t *testing.T, cfg *tls.Config) bool {
	t.Helper()
	p := v.dialTLS(t, cfg)
	if got := p.ask(cfg.ServerName); !strings.HasPrefix(got, "200 ") {
		t.Errorf("%s answers %s", cfg.ServerName, got)
	}
	return p.tls.ConnectionState().DidResume
}

// at is the server by another of its addresses.
func (v *server) at(listener int) *server {
	other := *v
	other.addr = v.Addrs()[listener].String()
	return &other
}

// TestTLSTicketIsNoWayAroundAVerifier: crypto/tls asks VerifyPeerCertificate when a
// session is new, so what another vhost has let pass must not come back as old.
func TestTLSTicketIsNoWayAroundAVerifier(t *testing.T) {
	for name, wrap := range map[string]func(c *tls.Config) *tls.Config{
		"Config": func(c *tls.Config) *tls.Config { return c },
		"GetConfigForClient": func(c *tls.Config) *tls.Config {
			return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c, nil }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			list := vhostsFor(t, "a.test", "b.test")
			var asked atomic.Int64
			for i, verify := range []func([][]byte, [][]*x509.Certificate) error{
				func([][]byte, [][]*x509.Certificate) error { return nil },
				func([][]byte, [][]*x509.Certificate) error { asked.Add(1); return errors.New("nobody") },
			} {
				list[i].TLS.Config = wrap(&tls.Config{Certificates: []tls.Certificate{localhost().TLS},
					ClientAuth: tls.RequireAnyClientCert, VerifyPeerCertificate: verify})
			}
			v := startTLS(t, quick, list...)
			for i, version := range []func(*tls.Config){tls12, func(*tls.Config) {}} {
				client := []func(*tls.Config){believing(), showing(issueClient("mallory")), version}
				for _, want := range []bool{false, true} {
					if v.resumes(t, trust(append(client, named("a.test"))...)) != want {
						t.Fatalf("resumed %v where the ticket is from", !want)
					}
				}
				v.wantRefusal(t, trust(append(client, named("b.test"))...), "bad certificate")
				if n := asked.Load(); n != int64(i+1) {
					t.Errorf("the verifier was asked %d times", n)
				}
			}
		})
	}
}

// TestTLSTicketsAreGoodInAllOfTheVhost: on its other listener, beside other vhosts, and
// behind a change of its certificate.
func TestTLSTicketsAreGoodInAllOfTheVhost(t *testing.T) {
	own := func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{localhost().TLS}}, nil
	}
	for name, cfg := range map[string]*tls.Config{"Config": nil, "GetConfigForClient": {GetConfigForClient: own}} {
		t.Run(name, func(t *testing.T) {
			list := vhostsFor(t, "a.test", "b.test")
			list[1].TLS.Config = cfg
			list[1].Listen = append(list[1].Listen, "tcp://127.0.0.1:0")
			v := startTLS(t, quick, list...)
			client := trust(believing(), named("b.test"))
			for i, want := range []bool{false, true, true} {
				if got := v.at(i%2).resumes(t, client); got != want {
					t.Errorf("connection %d: resumed %v", i, got)
				}
			}
			if cfg != nil {
				return
			}
			next := issue("b.test")
			if err := v.UpdateCert("b.test", next.Chain, next.Key); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				if !v.at(i).resumes(t, client) {
					t.Error("the ticket is no good behind UpdateCert")
				}
			}
		})
	}
}

// TestTLSEnginesShareTicketKeys: several engines with the same keys take each other's
// tickets, and nobody else does.
func TestTLSEnginesShareTicketKeys(t *testing.T) {
	keyed := func(first byte) *server {
		cfg := new(tls.Config)
		cfg.SetSessionTicketKeys([][32]byte{{first}})
		return serveTLS(t, with(engine.ServerTLS{Config: cfg}), tellTLS)
	}
	one, two, other := keyed(1), keyed(1), keyed(2)
	client := trust(believing())
	for i, c := range []struct {
		v    *server
		want bool
	}{{one, false}, {two, true}, {one, true}, {other, false}, {one, false}} {
		if got := c.v.resumes(t, client); got != c.want {
			t.Errorf("connection %d: resumed %v", i, got)
		}
	}
}

// TestTLSOwnTickets: WrapSession and UnwrapSession are the user's, if set.
func TestTLSOwnTickets(t *testing.T) {
	var wrapped, unwrapped atomic.Int64
	keys := new(tls.Config)
	v := serveTLS(t, with(engine.ServerTLS{Config: &tls.Config{
		WrapSession: func(st tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
			wrapped.Add(1)
			return keys.EncryptTicket(st, s)
		},
		UnwrapSession: func(ticket []byte, st tls.ConnectionState) (*tls.SessionState, error) {
			unwrapped.Add(1)
			return keys.DecryptTicket(ticket, st)
		},
	}}), tellTLS)
	client := trust(believing())
	if v.resumes(t, client) || !v.resumes(t, client) || wrapped.Load() == 0 || unwrapped.Load() == 0 {
		t.Errorf("%d tickets were made and %d read", wrapped.Load(), unwrapped.Load())
	}
}

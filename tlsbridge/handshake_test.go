package tlsbridge

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

var keyTypes = map[string]certstest.KeyType{"ECDSA": certstest.ECDSA, "RSA": certstest.RSA, "Ed25519": certstest.Ed25519}

func TestHandshakeWithEveryKindOfKey(t *testing.T) {
	for name, kind := range keyTypes {
		t.Run(name, func(t *testing.T) {
			everyWay(t, func(t *testing.T, version uint16) {
				sc, cc := configs(version)
				sc.Certificates = []tls.Certificate{cert(kind, certstest.Server).TLS}
				sc.ClientAuth = tls.RequireAndVerifyClientCert
				cc.Certificates = []tls.Certificate{cert(kind, certstest.Client).TLS}
				p := secured(t, sc, cc)
				st, sst := p.client.State(), p.server.State()
				if st.Version != version || sst.Version != version || !st.HandshakeComplete || st.DidResume || sst.ServerName != "localhost" {
					t.Errorf("the client has %+v", st)
				}
				if !st.PeerCertificates[0].Equal(sc.Certificates[0].Leaf) || !sst.PeerCertificates[0].Equal(cc.Certificates[0].Leaf) {
					t.Error("the certificates of the peers are mixed up")
				}
				carry(t, p.client, p.server, []byte("ping"))
				carry(t, p.server, p.client, []byte("pong"))
				p.part(t)
			})
		})
	}
}

func TestClientCertificates(t *testing.T) {
	stranger := certstest.Must(certstest.SelfSigned(always(certstest.Spec{Usage: certstest.Client}))).TLS
	good := cert(certstest.ECDSA, certstest.Client).TLS
	for name, c := range map[string]struct {
		auth  tls.ClientAuthType
		certs []tls.Certificate
		ok    bool
	}{
		"asked, none":         {tls.RequestClientCert, nil, true},
		"asked, a stranger's": {tls.RequestClientCert, []tls.Certificate{stranger}, true},
		"required, none":      {tls.RequireAnyClientCert, nil, false},
		"required, any":       {tls.RequireAnyClientCert, []tls.Certificate{stranger}, true},
		"verified if given":   {tls.VerifyClientCertIfGiven, []tls.Certificate{stranger}, false},
		"verified, none":      {tls.RequireAndVerifyClientCert, nil, false},
		"verified, stranger":  {tls.RequireAndVerifyClientCert, []tls.Certificate{stranger}, false},
		"verified, good":      {tls.RequireAndVerifyClientCert, []tls.Certificate{good}, true},
	} {
		t.Run(name, func(t *testing.T) {
			bothVersions(t, func(t *testing.T, version uint16) {
				sc, cc := configs(version)
				sc.ClientAuth = c.auth
				cc.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return &append(c.certs, tls.Certificate{})[0], nil
				}
				p := newPair(sc, cc)
				server, client := p.shake()
				if c.ok {
					if server != nil || client != nil || len(p.server.State().PeerCertificates) != len(c.certs) {
						t.Errorf("server: %v; client: %v", server, client)
					}
					return
				}
				wantError(t, server)
				if version == tls.VersionTLS13 { // its client is done before the server looks
					_, _, client = p.client.Open(nil, p.toClient)
				}
				wantErrorWith(t, client, "remote error")
			})
		})
	}
}

func TestResumption(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		sc, cc := configs(version)
		cc.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for i := range 3 {
			p := secured(t, sc, cc)
			if s, c := p.server.State().DidResume, p.client.State().DidResume; s != (i > 0) || c != (i > 0) {
				t.Errorf("connection %d: resumed at the server: %v, at the client: %v", i, s, c)
			}
			carry(t, p.server, p.client, pattern(20_000))
		}
	})
}

// TestSessionsWithoutServerName has crypto/tls ask for the address.
func TestSessionsWithoutServerName(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		sc, cc := configs(version)
		cc.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		cc.ServerName, cc.InsecureSkipVerify = "", true
		for range 2 {
			p := secured(t, sc, cc)
			carry(t, p.client, p.server, []byte("ping"))
		}
	})
}

func TestALPN(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		sc, cc := configs(version)
		sc.NextProtos, cc.NextProtos = []string{"mqtt", "http/1.1"}, []string{"h2", "http/1.1"}
		p := secured(t, sc, cc)
		if s, c := p.server.State().NegotiatedProtocol, p.client.State().NegotiatedProtocol; s != "http/1.1" || c != s {
			t.Errorf("agreed on %q and %q", s, c)
		}
		sc.NextProtos = []string{"mqtt"}
		_, client := newPair(sc, cc).shake()
		wantErrorWith(t, client, "no application protocol")
	})
}

func TestCallbacksFindTheirConn(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		sc, cc := configs(version)
		local, remote := &net.TCPAddr{Port: 1}, &net.TCPAddr{Port: 2}
		var found *Conn
		var kept net.Conn
		outer := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			found, kept = Of(hello), hello.Conn
			if hello.ServerName != "localhost" || kept.LocalAddr() != local || kept.RemoteAddr() != remote {
				t.Errorf("hello from %v to %v for %q", kept.RemoteAddr(), kept.LocalAddr(), hello.ServerName)
			}
			return sc, nil
		}}
		p := newPair(outer, cc)
		p.server.Init(Server, outer, local, remote)
		if s, c := p.shake(); s != nil || c != nil {
			t.Fatal(s, c)
		}
		if found != p.server {
			t.Error("Of returned another Conn")
		}
		if kept.RemoteAddr().String() != "" || kept.LocalAddr().Network() != "tls" {
			t.Errorf("the addresses are kept: %v", kept.RemoteAddr())
		}
		if err := errors.Join(kept.Close(), kept.SetDeadline(time.Now()), kept.SetReadDeadline(time.Now())); err != nil {
			t.Error(err)
		}
	})
	if c := Of(&tls.ClientHelloInfo{Conn: new(end)}); c != nil {
		t.Errorf("Of a foreign connection is %v", c)
	}
}

func TestHelloRetryRequest(t *testing.T) {
	everyWay(t, func(t *testing.T, _ uint16) {
		sc, cc := configs(tls.VersionTLS13)
		sc.CurvePreferences = []tls.CurveID{tls.CurveP384}
		cc.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}
		p := secured(t, sc, cc)
		if st := p.client.State(); !st.HelloRetryRequest || st.CurveID != tls.CurveP384 {
			t.Errorf("retried: %v, with %v", st.HelloRetryRequest, st.CurveID)
		}
		carry(t, p.client, p.server, pattern(1000))
	})
}

// TestFailuresTellThePeer looks at the alert in the last Result.
func TestFailuresTellThePeer(t *testing.T) {
	for name, c := range map[string]struct {
		change         func(server, client *tls.Config)
		server, client string
	}{
		"no common version": {func(s, c *tls.Config) { s.MaxVersion, c.MinVersion = tls.VersionTLS12, tls.VersionTLS13 }, "unsupported versions", "protocol version not supported"},
		"no common curve": {func(s, c *tls.Config) {
			s.CurvePreferences, c.CurvePreferences = []tls.CurveID{tls.X25519}, []tls.CurveID{tls.CurveP384}
		}, "", "handshake failure"},
		"unknown authority":  {func(_, c *tls.Config) { c.RootCAs = nil }, "remote error: tls: bad certificate", "certificate"},
		"another name":       {func(_, c *tls.Config) { c.ServerName = "elsewhere.test" }, "remote error: tls: bad certificate", "not elsewhere.test"},
		"no config for it":   {func(s, _ *tls.Config) { s.GetConfigForClient = refuseHello }, "no such host", "internal error"},
		"no certificate":     {func(s, _ *tls.Config) { s.Certificates = nil }, "no certificates configured", "unrecognized name"},
		"panicking callback": {func(s, _ *tls.Config) { s.GetConfigForClient = panicOverHello }, "a callback panicked: over localhost", ""},
	} {
		t.Run(name, func(t *testing.T) {
			noCoroutineLeft(t)
			sc, cc := configs(0)
			c.change(sc, cc)
			p := newPair(sc, cc)
			server, client := p.shake()
			wantErrorWith(t, server, c.server)
			if c.client == "" {
				p.client.Cancel()
			} else {
				wantErrorWith(t, client, c.client)
			}
			if r := p.server.Step(nil); r.Status != Failed || errors.Unwrap(r.Err) != errors.Unwrap(server) || len(r.Output) != 0 {
				t.Errorf("one Step more: %+v", r)
			}
			if p.server.Secured() || p.server.State().Version != 0 || len(p.server.CloseNotify(nil)) != 0 {
				t.Error("it looks secured")
			}
		})
	}
}

func refuseHello(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("no such host") }

func panicOverHello(h *tls.ClientHelloInfo) (*tls.Config, error) { panic("over " + h.ServerName) }

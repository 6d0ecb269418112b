package tlsbridge

import (
	"crypto/tls"
	"errors"
	"runtime"
	"testing"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// asking makes both sides ask, on every connection.
func asking(p *pair, version uint16, cache tls.ClientSessionCache) {
	p.client, p.server = new(Conn), new(Conn)
	sc, cc := configs(version)
	sc.ClientAuth = tls.RequireAndVerifyClientCert
	sc.SetSessionTicketKeys([][32]byte{{1}})
	cc.Certificates = []tls.Certificate{cert(certstest.ECDSA, certstest.Client).TLS}
	cc.ClientSessionCache = cache
	cc.VerifyConnection = p.client.Ask
	sc.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		own := sc.Clone()
		own.VerifyConnection = Of(hello).Ask
		return own, nil
	}
	p.server.Init(Server, sc, nil, nil)
	p.client.Init(Client, cc, nil, nil)
}

func TestAsk(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		cache := tls.NewLRUClientSessionCache(1)
		for i := range 2 {
			var p pair
			asking(&p, version, cache)
			asked := ""
			p.serverAsks = func(st tls.ConnectionState) error {
				asked += "s"
				if !st.PeerCertificates[0].Equal(cert(certstest.ECDSA, certstest.Client).TLS.Leaf) || st.DidResume != (i > 0) {
					t.Errorf("connection %d: resumed %v, by %v", i, st.DidResume, st.PeerCertificates[0].Subject)
				}
				return nil
			}
			p.clientAsks = func(st tls.ConnectionState) error {
				asked += "c"
				if st.ServerName != "localhost" || st.DidResume != (i > 0) {
					t.Errorf("connection %d: resumed %v, at %v", i, st.DidResume, st.ServerName)
				}
				return nil
			}
			if server, client := p.shake(); server != nil || client != nil {
				t.Fatal(server, client)
			}
			if len(asked) != 2 || asked[0] == asked[1] {
				t.Errorf("connection %d: asked %q", i, asked)
			}
			carry(t, p.client, p.server, []byte("ping"))
			p.part(t)
		}
	})
}

var errDisliked = errors.New("disliked")

// TestRefusal has each side refuse the other, at first sight and on resumption.
func TestRefusal(t *testing.T) {
	dislike := func(tls.ConnectionState) error { return errDisliked }
	everyWay(t, func(t *testing.T, version uint16) {
		for _, resumed := range []bool{false, true} {
			noCoroutineLeft(t)
			cache := tls.NewLRUClientSessionCache(1)
			if resumed {
				var p pair
				asking(&p, version, cache)
				if server, client := p.shake(); server != nil || client != nil {
					t.Fatal(server, client)
				}
			}
			var p pair
			asking(&p, version, cache)
			p.serverAsks = dislike
			server, client := p.shake()
			if p.client.Secured() {
				_, _, client = p.client.Open(nil, p.toClient)
			}
			wantRefused(t, server, client)

			p = pair{clientAsks: dislike}
			asking(&p, version, cache)
			server, client = p.shake()
			wantRefused(t, client, server)
		}
	})
}

func wantRefused(t testing.TB, refusing, refused error) {
	t.Helper()
	if !errors.Is(refusing, errDisliked) {
		t.Errorf("who refused has %v", refusing)
	}
	wantErrorWith(t, refused, "remote error: tls: bad certificate")
}

// TestNoAnswerRefuses steps on without one, also if there was one before.
func TestNoAnswerRefuses(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		noCoroutineLeft(t)
		var p pair
		asking(&p, version, nil)
		p.toServer = p.client.Step(nil).Output
		p.toClient = p.server.Step(p.toServer).Output
		r := p.client.Step(p.toClient)
		if r.Status != Asking || p.client.State().Version != version {
			t.Fatalf("%+v", r)
		}
		if r = p.client.Step(p.toClient[r.Used:]); r.Status != Failed {
			t.Errorf("a Step without an Answer: %+v", r)
		}
		p.server.Cancel()
	})
}

// TestCancelAnswers wants Ask to return, so that a callback can end.
func TestCancelAnswers(t *testing.T) {
	noCoroutineLeft(t)
	var answer error
	sc, cc := configs(0)
	p := newPair(sc, cc)
	cc.VerifyConnection = func(st tls.ConnectionState) error {
		answer = p.client.Ask(st)
		return answer
	}
	r := p.client.Step(p.server.Step(p.client.Step(nil).Output).Output)
	p.server.Cancel()
	if p.client.Cancel(); r.Status != Asking || answer != ErrCancelled {
		t.Errorf("%+v, then Ask returned %v", r, answer)
	}
}

// TestGoexitInACallback ends the goroutine that called Step, and must not look
// like success to the next.
func TestGoexitInACallback(t *testing.T) {
	noCoroutineLeft(t)
	sc, cc := configs(0)
	sc.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		runtime.Goexit()
		return nil, nil
	}
	p := newPair(sc, cc)
	hello := p.client.Step(nil).Output
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.server.Step(hello)
		t.Error("Step returned")
	}()
	<-done
	r := p.server.Step(nil)
	wantError(t, r.Err)
	if r.Status != Failed || p.server.Secured() {
		t.Errorf("the next Step: %+v", r)
	}
	p.client.Cancel()
}

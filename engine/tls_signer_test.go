package engine_test

import (
	"crypto"
	"crypto/tls"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// slowKey is a private key in a store that answers when it likes.
type slowKey struct {
	crypto.Signer
	slow    atomic.Bool
	entered chan struct{} // somebody is in Sign
	answer  chan struct{} // closed to let all out
	release func()        // closes it
}

func (k *slowKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.slow.Load() {
		k.entered <- struct{}{}
		<-k.answer
	}
	return k.Signer.Sign(rand, digest, opts)
}

// newSlowKey is c with a slowKey in place of its key.
func newSlowKey(c *certstest.Issued) (*slowKey, tls.Certificate) {
	key := &slowKey{Signer: c.TLS.PrivateKey.(crypto.Signer), entered: make(chan struct{}), answer: make(chan struct{})}
	key.release = sync.OnceFunc(func() {
		key.slow.Store(false)
		close(key.answer)
	})
	return key, tls.Certificate{Certificate: c.TLS.Certificate, PrivateKey: key}
}

// TestTLSSigningHoldsUpNobody: while a private-key operation blocks, sessions that are
// open on the same loop go on, with TLS and without. It does not matter whose key it
// is, nor in which step of the handshake it is used.
func TestTLSSigningHoldsUpNobody(t *testing.T) {
	for name, c := range map[string]struct {
		curves  []tls.CurveID // the server's, if it wants others than its clients offer at once
		clients bool          // it is the engine's clients that sign
		timeout time.Duration // passes while the key is busy, and does not count
	}{
		"the first step":           {timeout: time.Second},
		"behind HelloRetryRequest": {curves: []tls.CurveID{tls.CurveP384}},
		"a client's certificate":   {clients: true},
	} {
		t.Run(name, func(t *testing.T) {
			key, slow := newSlowKey(localhost())
			st := &engine.ServerTLS{Plaintext: engine.PlaintextServe, Config: &tls.Config{Certificates: []tls.Certificate{slow}, CurvePreferences: c.curves}}
			begin, pending := (*server).beginTLS, int64(3)
			if c.clients {
				key, slow = newSlowKey(issueClient("alice"))
				st.Config.Certificates[0] = localhost().TLS
				begin, pending = beginClients(t, slow), 0
			}
			v := startTLS(t, engine.Limits{TLSHandshakeSteps: 1, TLSHandshakeTimeout: c.timeout},
				engine.Vhost{TLS: st, Protocols: []callbacks.Protocol{{Name: "echo", Callback: echoWS}, {Name: "raw", Callback: connected}}})
			t.Cleanup(key.release)
			secure := v.dialTLS(t, trust(retried)).upgradeTLS()
			plain, _ := v.upgrade(t)
			echo := func() {
				secure.frame(1, true, "secure").wantFrames("1 secure")
				plain.frame(1, true, "plain").wantFrames("1 plain")
			}

			key.slow.Store(true)
			ends := begin(v, t, 3)
			receive(t, "a worker signs", key.entered)
			eventually(t, "the others wait for it", func() bool { return v.Stats().TLSStepsQueued == 2 && v.Stats().TLSSteps == 1 })
			for range 10 {
				echo()
			}
			if c.timeout > 0 {
				<-time.After(c.timeout * 11 / 10)
			}
			echo()
			if st := v.Stats(); st.TLSSteps != 1 || st.TLSHandshakes != 1 || st.TLSFailed != 0 || st.TLSPending != pending {
				t.Errorf("%+v", st)
			}
			key.release()
			for range 3 {
				if err := receive(t, "a handshake ends", ends); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// retried offers a curve of which it sends no share until it is asked to.
func retried(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384} }

// beginTLS has n clients shake hands.
func (v *server) beginTLS(t *testing.T, n int) <-chan error {
	ends := make(chan error, n)
	for range n {
		p := v.meet(t, trust(retried))
		go func() { ends <- p.tls.Handshake() }()
	}
	return ends
}

// beginClients has n clients of the engine's show c to somebody who wants to see it.
func beginClients(t *testing.T, c tls.Certificate) func(*server, *testing.T, int) <-chan error {
	cfg := showingTLS(localhost())
	cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, authority().Pool()
	to, _ := listenTLS(t, cfg)
	to.Method, to.LocalProtocolName, to.Flags = "RAW", "raw", engine.UseSSL
	to.TLS = trust(showing(&certstest.Issued{TLS: c}))
	return func(v *server, t *testing.T, n int) <-chan error {
		ends := make(chan error, n)
		to.UserData = ends
		for range n {
			if _, err := v.Connect(to); err != nil {
				t.Fatal(err)
			}
		}
		return ends
	}
}

// connected tells the channel in its user data how a client's connecting has ended.
func connected(s callbacks.Session, r callbacks.Reason, _ []byte) error {
	switch r {
	case callbacks.RawConnected, callbacks.ClientConnectionError:
		s.UserData().(chan error) <- s.Err()
	}
	return nil
}

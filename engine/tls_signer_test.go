package engine_test

import (
	"crypto"
	"crypto/tls"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// slowKey is a private key in a store that answers when it likes.
type slowKey struct {
	crypto.Signer
	slow    atomic.Bool
	entered chan struct{} // somebody is in Sign
	answer  chan struct{} // closed to let all out
}

func (k *slowKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.slow.Load() {
		k.entered <- struct{}{}
		<-k.answer
	}
	return k.Signer.Sign(rand, digest, opts)
}

// TestTLSSigningHoldsUpNobody: while a private-key operation blocks, sessions that are
// open on the same loop go on, with TLS and without.
func TestTLSSigningHoldsUpNobody(t *testing.T) {
	c := localhost().TLS
	key := &slowKey{Signer: c.PrivateKey.(crypto.Signer), entered: make(chan struct{}), answer: make(chan struct{})}
	st := &engine.ServerTLS{Plaintext: engine.PlaintextServe,
		Config: &tls.Config{Certificates: []tls.Certificate{{Certificate: c.Certificate, PrivateKey: key}}}}
	v := startTLS(t, engine.Limits{TLSHandshakeSteps: 1, TLSHandshakeTimeout: time.Second},
		engine.Vhost{TLS: st, Protocols: []callbacks.Protocol{{Name: "echo", Callback: echoWS}}})
	secure := v.dialTLS(t, trust()).upgradeTLS()
	plain, _ := v.upgrade(t)

	key.slow.Store(true)
	var shaking []chan error
	for range 3 {
		done := make(chan error, 1)
		p := v.meet(t, trust())
		go func() { done <- p.tls.Handshake() }()
		shaking = append(shaking, done)
	}
	receive(t, "a worker signs", key.entered)
	eventually(t, "the others wait for it", func() bool { return v.Stats().TLSStepsQueued == 2 && v.Stats().TLSSteps == 1 })
	for range 10 {
		secure.frame(1, true, "secure").wantFrames("1 secure")
		plain.frame(1, true, "plain").wantFrames("1 plain")
	}
	overdue := time.NewTimer(1100 * time.Millisecond) // more than the peer would have
	<-overdue.C
	secure.frame(1, true, "secure").wantFrames("1 secure")
	if st := v.Stats(); st.TLSSteps != 1 || st.TLSHandshakes != 1 || st.TLSFailed != 0 || st.TLSPending != 3 {
		t.Errorf("%+v", st)
	}
	key.slow.Store(false)
	close(key.answer)
	for _, done := range shaking {
		if err := receive(t, "a handshake ends", done); err != nil {
			t.Error(err)
		}
	}
}

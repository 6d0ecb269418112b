package engine_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// shown is the common name of the certificate that a new client sees.
func (v *server) shown(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	p := v.dialTLS(t, cfg)
	p.ask("localhost") // a ticket, if there is one, comes before the answer
	return p.tls.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// TestTLSResumption: the second connection is cheaper, says so, and is as good.
func TestTLSResumption(t *testing.T) {
	v := serveTLS(t, with(engine.ServerTLS{}), tellTLS)
	for i, version := range []func(*tls.Config){tls12, func(*tls.Config) {}} {
		cfg := trust(remembering, version)
		v.dialTLS(t, cfg).wantTold("- localhost - -")
		p := v.dialTLS(t, cfg)
		p.wantTold("- localhost - -")
		if !p.tls.ConnectionState().DidResume {
			t.Error("the second connection did not resume")
		}
		eventually(t, "it is counted", func() bool {
			st := v.Stats()
			return st.TLSResumed == int64(i+1) && st.TLSHandshakes == int64(2*i+2)
		})
	}
}

// TestTLSNoTicketsIfTheUserWantsNone: Config is the ground.
func TestTLSNoTicketsIfTheUserWantsNone(t *testing.T) {
	v := serveTLS(t, with(engine.ServerTLS{Config: &tls.Config{SessionTicketsDisabled: true}}), tellTLS)
	cfg := trust(remembering)
	v.dialTLS(t, cfg).wantTold("- localhost - -")
	v.dialTLS(t, cfg).wantTold("- localhost - -")
	if v.Stats().TLSResumed != 0 {
		t.Error("a session was resumed")
	}
}

// TestTLSUpdateCert: new sessions get the new certificate, open ones do not notice,
// tickets stay good, and the program hears of it.
func TestTLSUpdateCert(t *testing.T) {
	updated := make(chan string, 4)
	v := serveTLS(t, with(engine.ServerTLS{}), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.VhostCertUpdate {
			updated <- s.Vhost() + "|" + s.Protocol().Name
			return errors.New("ignored")
		}
		return tellTLS(s, r, in)
	})
	cfg := trust(remembering)
	open := v.dialTLS(t, cfg)
	open.wantTold("- localhost - -")
	next := issue("second", "localhost")
	if err := v.UpdateCert("", next.Chain, append(der(next.Key), 0)); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, "VhostCertUpdate", updated); got != "|test" {
		t.Errorf("VhostCertUpdate for %q", got)
	}
	if got := v.shown(t, trust()); got != "second" {
		t.Errorf("the certificate is that of %q", got)
	}
	open.wantTold("- localhost - -")
	if got := v.dialTLS(t, cfg); !got.tls.ConnectionState().DidResume {
		t.Error("the ticket is no good any more")
	}
}

// TestTLSUpdateCertRefuses what would leave the vhost without a certificate.
func TestTLSUpdateCertRefuses(t *testing.T) {
	c, other := localhost(), issue("other")
	list := vhostsFor(t, "", "b.test")
	list = append(list, engine.Vhost{Name: "plain", Protocols: list[0].Protocols})
	v := startTLS(t, quick, list...)
	for name, err := range map[string]error{
		"a mismatch":    v.UpdateCert("b.test", c.Chain, other.Key),
		"garbage":       v.UpdateCert("b.test", []byte("x"), c.Key),
		"nothing":       v.UpdateCert("b.test", nil, nil),
		"no vhost":      v.UpdateCert("none", c.Chain, c.Key),
		"without TLS":   v.UpdateCert("plain", c.Chain, c.Key),
		"the other one": v.UpdateCert("B.TEST", other.Chain, nil),
	} {
		if !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := v.UpdateCert("B.Test", append(other.Chain, other.Key...), nil); err != nil {
		t.Fatal(err)
	}
	loose := func(c *tls.Config) { c.InsecureSkipVerify = true }
	for sni, want := range map[string]string{"b.test": "other", "default": "default"} {
		if got := v.shown(t, trust(named(sni), loose)); got != want {
			t.Errorf("SNI %q: the certificate is that of %q, want %q", sni, got, want)
		}
	}
}

// TestTLSUpdateCertWhileClientsCome: nobody is turned away in between.
func TestTLSUpdateCertWhileClientsCome(t *testing.T) {
	v := serveTLS(t, with(engine.ServerTLS{}), tellTLS)
	pairs := []*certstest.Issued{issue("one", "localhost"), issue("two", "localhost")}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := v.UpdateCert("", pairs[i%2].Chain, pairs[i%2].Key); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 40 {
		if got := v.shown(t, trust()); !strings.Contains("localhost one two", got) {
			t.Errorf("shown %q", got)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

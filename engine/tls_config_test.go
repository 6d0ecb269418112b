package engine_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// write makes a file of a test and returns its name.
func write(t *testing.T, name string, parts ...[]byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, slices.Concat(parts...), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// der takes the blocks of PEM out.
func der(b []byte) (out []byte) {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		out = append(out, block.Bytes...)
	}
	return out
}

// TestTLSCertificateSources: a certificate is taken in every form that C programs
// and Go programs have them in, with its intermediates.
func TestTLSCertificateSources(t *testing.T) {
	middle := certstest.Must(authority().Intermediate(certstest.Spec{Name: "between"}))
	c := certstest.Must(middle.Issue(certstest.Spec{}))
	nul := []byte{0}
	for name, st := range map[string]engine.ServerTLS{
		"Config":           {Config: &tls.Config{Certificates: []tls.Certificate{c.TLS}}},
		"GetCertificate":   {Config: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.TLS, nil }}},
		"PEM files":        {CertFile: write(t, "cert.pem", c.Chain), KeyFile: write(t, "key.pem", c.Key)},
		"DER files":        {CertFile: write(t, "cert.der", der(c.Chain)), KeyFile: write(t, "key.der", der(c.Key))},
		"one file":         {CertFile: write(t, "both.pem", c.Key, c.Chain)},
		"PEM in memory":    {CertMem: c.Chain, KeyMem: c.Key},
		"DER in memory":    {CertMem: der(c.Chain), KeyMem: der(c.Key)},
		"PEM with NUL":     {CertMem: slices.Concat(c.Chain, nul), KeyMem: slices.Concat(c.Key, nul)},
		"DER with NUL":     {CertMem: slices.Concat(der(c.Chain), nul), KeyMem: slices.Concat(der(c.Key), nul)},
		"one memory":       {CertMem: slices.Concat(c.Chain, c.Key)},
		"memory, not file": {CertMem: c.Chain, KeyMem: c.Key, CertFile: "no such file"},
		"memory, not Config": {CertMem: c.Chain, KeyMem: c.Key,
			Config: &tls.Config{Certificates: []tls.Certificate{certstest.Must(certstest.SelfSigned(certstest.Spec{})).TLS}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := serveTLS(t, &st, tellTLS).dialTLS(t, trust())
			p.wantTold("- localhost - -")
			if got := p.tls.ConnectionState().PeerCertificates; len(got) != 2 || !got[0].Equal(c.TLS.Leaf) {
				t.Errorf("the server showed %d certificates", len(got))
			}
		})
	}
}

func TestTLSRefusesBadConfigurations(t *testing.T) {
	c, other := localhost(), issue("other")
	garbage := []byte("no certificate")
	for name, change := range map[string]func(v *engine.Vhost){
		"no certificate":  func(v *engine.Vhost) { v.TLS = &engine.ServerTLS{} },
		"an empty Config": func(v *engine.Vhost) { v.TLS = &engine.ServerTLS{Config: new(tls.Config)} },
		"no such file":    func(v *engine.Vhost) { v.TLS = &engine.ServerTLS{CertFile: "no/such/file"} },
		"no key file": func(v *engine.Vhost) {
			v.TLS.CertMem, v.TLS.CertFile, v.TLS.KeyFile = nil, write(t, "c", c.Chain), "no/such"
		},
		"no key":             func(v *engine.Vhost) { v.TLS.KeyMem = nil },
		"another's key":      func(v *engine.Vhost) { v.TLS.KeyMem = other.Key },
		"garbage for a cert": func(v *engine.Vhost) { v.TLS.CertMem = garbage },
		"garbage for a key":  func(v *engine.Vhost) { v.TLS.KeyMem = garbage },
		"empty memory":       func(v *engine.Vhost) { v.TLS.CertMem = []byte{} },
		"garbage for a CA":   func(v *engine.Vhost) { v.TLS.ClientCAMem = garbage },
		"no CA in the file":  func(v *engine.Vhost) { v.TLS.ClientCAFile = write(t, "ca", garbage) },
		"no CA file":         func(v *engine.Vhost) { v.TLS.ClientCAFile = "no/such/file" },
		"a client's CA":      func(v *engine.Vhost) { v.ClientTLS = &engine.ClientTLS{CAMem: garbage} },
		"a client's CA file": func(v *engine.Vhost) { v.ClientTLS = &engine.ClientTLS{CAFile: "no/such/file"} },
		"a client's cert":    func(v *engine.Vhost) { v.ClientTLS = &engine.ClientTLS{CertMem: c.Chain, KeyMem: other.Key} },
		"a client's file":    func(v *engine.Vhost) { v.ClientTLS = &engine.ClientTLS{CertFile: "no/such/file"} },
	} {
		v := vhost(callbacks.Protocol{Callback: nothing})
		v[0].TLS = with(engine.ServerTLS{})
		if _, err := engine.New(engine.Config{Vhosts: v}); err != nil {
			t.Fatal(err)
		}
		change(&v[0])
		if _, err := engine.New(engine.Config{Vhosts: v}); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	shared := onePort(t)
	mixed := []engine.Vhost{{Listen: shared, TLS: with(engine.ServerTLS{})}, {Listen: shared}}
	for i := range mixed {
		mixed[i].Protocols = []callbacks.Protocol{{Callback: nothing}}
	}
	if _, err := engine.New(engine.Config{Vhosts: mixed}); !errors.Is(err, engine.ErrConfig) {
		t.Errorf("vhosts with and without TLS share an address: %v", err)
	}
}

// TestTLSConfigIsCloned: what the user changes after New, and what the engine adds,
// concern nobody else.
func TestTLSConfigIsCloned(t *testing.T) {
	own := &tls.Config{Certificates: []tls.Certificate{localhost().TLS}, ClientCAs: x509.NewCertPool(), ClientAuth: tls.RequestClientCert}
	before := own.Clone()
	v := serveTLS(t, &engine.ServerTLS{Config: own}, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.OpenSSLLoadExtraServerVerifyCerts {
			s.VerifyCerts().AddCert(authority().Certificate)
		}
		return tellTLS(s, r, in)
	})
	own.Certificates, own.MinVersion = nil, 99
	v.dialTLS(t, trust()).wantTold("- localhost - -")
	if len(own.NextProtos) > 0 || own.VerifyConnection != nil || own.DynamicRecordSizingDisabled {
		t.Error("the engine has changed the user's tls.Config")
	}
	if !own.ClientCAs.Equal(x509.NewCertPool()) || !own.ClientCAs.Equal(before.ClientCAs) {
		t.Error("a CA that the program trusts in one vhost is in the user's pool")
	}
	ours := &tls.Config{RootCAs: x509.NewCertPool()}
	to, _ := listenTLS(t, showingTLS(localhost()))
	d := connecting(t, &engine.ClientTLS{Config: ours}, func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.OpenSSLLoadExtraClientVerifyCerts {
			s.VerifyCerts().AddCert(authority().Certificate)
		}
		return nil
	})
	if o := d.connect(to); o.err != nil {
		t.Error(o.err)
	}
	if !ours.RootCAs.Equal(x509.NewCertPool()) || ours.ClientSessionCache != nil {
		t.Error("a CA that the clients of one vhost trust is in the user's pool, or a cache in his tls.Config")
	}
}

// TestTLSSmallKeyShares: the option leaves post-quantum key exchange out, nothing
// else does.
func TestTLSSmallKeyShares(t *testing.T) {
	for small, want := range map[bool]tls.CurveID{true: tls.X25519, false: tls.X25519MLKEM768} {
		v := serveTLS(t, with(engine.ServerTLS{SmallKeyShares: small}), tellTLS)
		p := v.dialTLS(t, trust(func(c *tls.Config) { c.CurvePreferences = nil }))
		if got := p.tls.ConnectionState().CurveID; got != want {
			t.Errorf("SmallKeyShares %v: %v, want %v", small, got, want)
		}
	}
	cfg := &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}
	v := serveTLS(t, with(engine.ServerTLS{Config: cfg, SmallKeyShares: true}), tellTLS)
	p := v.dialTLS(t, trust(func(c *tls.Config) { c.CurvePreferences = nil }))
	if got := p.tls.ConnectionState().CurveID; got != tls.X25519MLKEM768 {
		t.Errorf("the user's own CurvePreferences were overruled: %v", got)
	}
}

// TestHSTSOnTLSOnly: RFC 6797 7.2 forbids it over anything else.
func TestHSTSOnTLSOnly(t *testing.T) {
	for want, st := range map[string]engine.ServerTLS{
		"":                                 {},
		"max-age=3600":                     {HSTS: 3600e9},
		"max-age=86400; includeSubDomains": {HSTS: 86400e9, HSTSSubdomains: true},
	} {
		st.Plaintext = engine.PlaintextServe
		v := serveTLS(t, with(st), tellTLS)
		secure := v.dialTLS(t, trust())
		secure.send(get("/"))
		if got := secure.want(200, "- localhost - -").Header.Values("Strict-Transport-Security"); strings.Join(got, "|") != want {
			t.Errorf("got %q, want %q", got, want)
		}
		plain := v.dial(t).send(get("/")).want(200, "plaintext")
		if got := plain.Header.Values("Strict-Transport-Security"); got != nil {
			t.Errorf("in plaintext: %q", got)
		}
	}
}

package engine_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// TestTLSClientAuth: each of crypto/tls's ways to ask for a certificate, with a client
// that has none, one of the CA's, and one that nobody knows.
func TestTLSClientAuth(t *testing.T) {
	const (
		nobody  = "- localhost - -"
		alice   = "- localhost - alice"
		mallory = "- localhost - mallory"
		needs   = "alert: certificate required"
		unknown = "alert: unknown certificate authority"
	)
	good := issueClient("alice")
	stranger := certstest.Must(certstest.SelfSigned(certstest.Spec{Name: "mallory", Usage: certstest.Client}))
	for auth, want := range map[tls.ClientAuthType][3]string{
		tls.NoClientCert:               {needs, alice, unknown}, // there is a CA: as the last one
		tls.RequestClientCert:          {nobody, alice, mallory},
		tls.RequireAnyClientCert:       {needs, alice, mallory},
		tls.VerifyClientCertIfGiven:    {nobody, alice, unknown},
		tls.RequireAndVerifyClientCert: {needs, alice, unknown},
	} {
		v := serveTLS(t, with(engine.ServerTLS{ClientCAMem: authority().PEM, ClientAuth: auth}), tellTLS)
		for i, cfg := range []*tls.Config{trust(), trust(showing(good)), trust(showing(stranger))} {
			if alert, ok := strings.CutPrefix(want[i], "alert: "); ok {
				v.wantRefusal(t, cfg, alert)
				continue
			}
			v.dialTLS(t, cfg).wantTold(want[i])
		}
	}
}

// TestTLSClientCAFromFileAndConfig: the other sources of CAs.
func TestTLSClientCAFromFileAndConfig(t *testing.T) {
	file := write(t, "ca.pem", authority().PEM)
	for name, st := range map[string]*engine.ServerTLS{
		"file":            with(engine.ServerTLS{ClientCAFile: file}),
		"DER in memory":   with(engine.ServerTLS{ClientCAMem: append(der(authority().PEM), 0)}),
		"memory and file": with(engine.ServerTLS{ClientCAMem: authority().PEM, ClientCAFile: "no such file"}),
		"Config": with(engine.ServerTLS{Config: &tls.Config{
			ClientCAs: authority().Pool(), ClientAuth: tls.RequireAndVerifyClientCert}}),
	} {
		v := serveTLS(t, st, tellTLS)
		if got := v.dialTLS(t, trust(showing(issueClient("alice")))).ask("localhost"); got != "200 - localhost - alice" {
			t.Errorf("%s: %s", name, got)
		}
		v.wantRefusal(t, trust(), "certificate required")
	}
}

// asked collects what OpenSSLPerformClientCertVerification was shown, and refuses
// whom it is told to.
type asked struct {
	mu     sync.Mutex
	names  []string
	refuse map[string]bool
}

func (a *asked) callback(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.OpenSSLPerformClientCertVerification:
		c, err := x509.ParseCertificate(in)
		if err != nil {
			return err
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.names = append(a.names, describe(s))
		if a.refuse[c.Subject.CommonName] {
			return errors.New("not today")
		}
		if !c.Equal(s.TLS().PeerCertificates[0]) || !errors.Is(s.Write([]byte("x"), callbacks.WriteRaw), callbacks.ErrRole) {
			return errors.New("the callback is shown something else than the session has")
		}
		return nil
	}
	return tellTLS(s, r, in)
}

func (a *asked) refuses(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuse = map[string]bool{name: true}
}

func (a *asked) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.names = nil }()
	return strings.Join(a.names, ", ")
}

// TestTLSProgramVerifiesClients: OpenSSLPerformClientCertVerification has the last
// word, and is asked about nobody who has failed before.
func TestTLSProgramVerifiesClients(t *testing.T) {
	a := new(asked)
	v := serveTLS(t, with(engine.ServerTLS{ClientCAMem: authority().PEM}), a.callback)
	for _, version := range []func(*tls.Config){tls12, func(*tls.Config) {}} {
		a.refuses("mallory")
		v.dialTLS(t, trust(showing(issueClient("alice")), version)).wantTold("- localhost - alice")
		if got := a.take(); got != "- localhost - alice" {
			t.Errorf("asked about %q", got)
		}
		v.wantRefusal(t, trust(showing(issueClient("mallory")), version), "bad certificate")
		if got := a.take(); got != "- localhost - mallory" {
			t.Errorf("asked about %q", got)
		}
	}
	for name, c := range map[string]*certstest.Issued{
		"nobody's": certstest.Must(certstest.SelfSigned(certstest.Spec{Name: "eve", Usage: certstest.Client})),
		"expired": certstest.Must(authority().Issue(certstest.Spec{Name: "eve", Usage: certstest.Client,
			NotBefore: authority().Certificate.NotBefore, NotAfter: authority().Certificate.NotBefore.Add(1)})),
		"a server's": certstest.Must(authority().Issue(certstest.Spec{Name: "eve"})),
	} {
		if v.refusal(t, trust(showing(c))); a.take() != "" {
			t.Errorf("%s: the callback was asked about a certificate that is not good", name)
		}
	}
	eventually(t, "failures are counted", func() bool { return v.Stats().TLSFailed == 5 && v.Stats().TLSHandshakes == 2 })
}

// TestTLSProgramVerifiesClientsAgainOnResumption: a ticket is no way around the
// callback, nor around the session's identity.
func TestTLSProgramVerifiesClientsAgainOnResumption(t *testing.T) {
	a := new(asked)
	v := serveTLS(t, with(engine.ServerTLS{ClientCAMem: authority().PEM}), a.callback)
	for _, version := range []func(*tls.Config){tls12, func(*tls.Config) {}} {
		a.refuses("nobody")
		cfg := trust(showing(issueClient("alice")), version, remembering)
		v.dialTLS(t, cfg).wantTold("- localhost - alice")
		p := v.dialTLS(t, cfg)
		p.wantTold("- localhost - alice")
		if !p.tls.ConnectionState().DidResume || a.take() != "- localhost - alice, - localhost - alice" {
			t.Error("the second connection did not resume, or nobody was asked")
		}
		a.refuses("alice")
		v.wantRefusal(t, cfg, "bad certificate")
		if a.take() == "" {
			t.Error("nobody was asked")
		}
	}
	eventually(t, "two have resumed", func() bool { return v.Stats().TLSResumed == 2 })
}

// remembering lets a client resume.
func remembering(c *tls.Config) { c.ClientSessionCache = tls.NewLRUClientSessionCache(4) }

// TestTLSVhostVerifiesItsClients: the callback that is asked is that of SNI's vhost.
func TestTLSVhostVerifiesItsClients(t *testing.T) {
	list := vhostsFor(t, "", "b.test")
	guard := &asked{refuse: map[string]bool{"alice": true}}
	list[0].Protocols[0].Callback, list[1].Protocols[0].Callback = new(asked).callback, guard.callback
	for i := range list {
		list[i].TLS.ClientCAMem = authority().PEM
	}
	v := startTLS(t, quick, list...)
	alice := showing(issueClient("alice"))
	if got := v.dialTLS(t, trust(alice, named("default"))).ask("default"); got != "200 - default - alice" {
		t.Error(got)
	}
	v.wantRefusal(t, trust(alice, named("b.test")), "bad certificate")
	if got := guard.take(); got != "b.test b.test - alice" {
		t.Errorf("asked about %q", got)
	}
}

// TestTLSOwnVerifyConnection: what the user's tls.Config refuses the program is not
// asked about.
func TestTLSOwnVerifyConnection(t *testing.T) {
	own := func(st tls.ConnectionState) error {
		if len(st.PeerCertificates) > 0 && st.PeerCertificates[0].Subject.CommonName == "mallory" {
			return errors.New("not by any means")
		}
		return nil
	}
	a := new(asked)
	v := serveTLS(t, with(engine.ServerTLS{ClientCAMem: authority().PEM, Config: &tls.Config{VerifyConnection: own}}), a.callback)
	v.dialTLS(t, trust(showing(issueClient("alice")))).wantTold("- localhost - alice")
	v.wantRefusal(t, trust(showing(issueClient("mallory"))), "bad certificate")
	if got := a.take(); got != "- localhost - alice" {
		t.Errorf("asked about %q", got)
	}
	to, _ := listenTLS(t, showingTLS(certstest.Must(authority().Issue(certstest.Spec{Name: "mallory"}))))
	asked := 0
	d := connecting(t, &engine.ClientTLS{Config: trust(named(""), func(c *tls.Config) { c.VerifyConnection = own })},
		func(_ callbacks.Session, r callbacks.Reason, _ []byte) error {
			if r == callbacks.OpenSSLPerformServerCertVerification {
				asked++
			}
			return nil
		})
	for _, flags := range []engine.ClientFlags{0, engine.AllowExpired, engine.AllowInsecure} {
		to.Flags = flags
		if o := d.connect(to); o.err == nil || !strings.Contains(o.text, "by any means") || asked > 0 {
			t.Errorf("flags %d: %v, and the program was asked %d times", flags, o.err, asked)
		}
	}
}

// TestTLSTicketsStayInTheirVhost: a client that one vhost of an address has verified
// is nobody to the others.
func TestTLSTicketsStayInTheirVhost(t *testing.T) {
	const open, members, staff = "open.test", "members.test", "staff.test"
	other := certstest.Must(certstest.NewCA(certstest.Spec{Name: "staff's CA"}))
	list := vhostsFor(t, open, members, staff)
	list[1].TLS.ClientCAMem, list[2].TLS.ClientCAMem = authority().PEM, other.PEM
	v := startTLS(t, quick, list...)
	// The client's cache goes by name; this one gives every server what it has.
	cache := tls.NewLRUClientSessionCache(1)
	anyone := func(c *tls.Config) { c.ClientSessionCache, c.InsecureSkipVerify = sameKey{cache}, true }
	resumed := func(name string, changes ...func(*tls.Config)) error {
		p := v.meet(t, trust(append(changes, named(name), anyone)...))
		_ = p.tls.Handshake()
		p.send("GET / HTTP/1.1\r\nHost: " + name + "\r\n\r\n")
		_, err := p.r.ReadByte()
		return err
	}
	alice := showing(issueClient("alice"))
	for range 2 {
		if err := resumed(members, alice); err != nil {
			t.Fatalf("a member is refused: %v", err)
		}
	}
	eventually(t, "the member resumes", func() bool { return v.Stats().TLSResumed == 1 })
	if resumed(staff, alice) == nil {
		t.Error("a member's ticket opens the door of staff")
	}
	if err := resumed(open); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{members, staff} {
		if resumed(name) == nil {
			t.Errorf("the ticket of a client without a certificate opens the door of %s", name)
		}
	}
}

// sameKey is a cache that believes all servers to be one.
type sameKey struct{ tls.ClientSessionCache }

func (s sameKey) Get(string) (*tls.ClientSessionState, bool) { return s.ClientSessionCache.Get("") }
func (s sameKey) Put(_ string, c *tls.ClientSessionState)    { s.ClientSessionCache.Put("", c) }

// TestTLSExtraServerCAs: OpenSSLLoadExtraServerVerifyCerts adds to what there is, and
// VerifyCerts is there and nowhere else.
func TestTLSExtraServerCAs(t *testing.T) {
	second := certstest.Must(certstest.NewCA(certstest.Spec{Name: "second"}))
	for name, st := range map[string]engine.ServerTLS{
		"beside a file": {ClientCAMem: authority().PEM},
		"alone":         {ClientAuth: tls.RequireAndVerifyClientCert},
	} {
		order := make(chan callbacks.Reason, 2)
		v := serveTLS(t, with(st), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.OpenSSLLoadExtraServerVerifyCerts:
				order <- r
				s.VerifyCerts().AddCert(second.Certificate)
				return errors.New("ignored")
			case callbacks.ProtocolInit:
				order <- r
			}
			if s.VerifyCerts() != nil {
				t.Errorf("VerifyCerts in %v", r)
			}
			return tellTLS(s, r, in)
		})
		c := certstest.Must(second.Issue(certstest.Spec{Name: "bob", Usage: certstest.Client}))
		v.dialTLS(t, trust(showing(c))).wantTold("- localhost - bob")
		if name == "alone" {
			v.wantRefusal(t, trust(showing(issueClient("alice"))), "unknown certificate authority")
		} else {
			v.dialTLS(t, trust(showing(issueClient("alice")))).wantTold("- localhost - alice")
		}
		if <-order != callbacks.OpenSSLLoadExtraServerVerifyCerts || <-order != callbacks.ProtocolInit {
			t.Error("the CAs come after ProtocolInit")
		}
	}
}

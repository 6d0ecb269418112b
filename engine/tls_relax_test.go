package engine_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// TestTLSRelaxations: each flag against each defect. A flag forgives its own and no
// other, so that allowing an expired certificate does not let everybody in.
func TestTLSRelaxations(t *testing.T) {
	past := certstest.Spec{NotBefore: time.Now().AddDate(0, -2, 0), NotAfter: time.Now().AddDate(0, -1, 0)}
	future := certstest.Spec{NotBefore: time.Now().AddDate(0, 1, 0)}
	const all = engine.AllowSelfSigned | engine.SkipServerCertHostnameCheck | engine.AllowExpired
	flags := map[string]engine.ClientFlags{"none": 0, "AllowSelfSigned": engine.AllowSelfSigned,
		"SkipServerCertHostnameCheck": engine.SkipServerCertHostnameCheck, "AllowExpired": engine.AllowExpired,
		"those three": all, "AllowInsecure": engine.AllowInsecure}
	unknown := certstest.Must(certstest.NewCA(certstest.Spec{Name: "unknown"}))
	for name, c := range map[string]struct {
		cert *certstest.Issued
		by   []string // what lets it in
	}{
		"good":             {localhost(), []string{"none", "AllowSelfSigned", "SkipServerCertHostnameCheck", "AllowExpired"}},
		"self-signed":      {certstest.Must(certstest.SelfSigned(certstest.Spec{})), []string{"AllowSelfSigned"}},
		"another's name":   {issue("example.com"), []string{"SkipServerCertHostnameCheck"}},
		"expired":          {certstest.Must(authority().Issue(past)), []string{"AllowExpired"}},
		"not yet valid":    {certstest.Must(authority().Issue(future)), []string{"AllowExpired"}},
		"by an unknown CA": {certstest.Must(unknown.Issue(certstest.Spec{})), []string{"AllowInsecure only"}},
		"all of it": {certstest.Must(certstest.SelfSigned(certstest.Spec{Hosts: []string{"example.com"},
			NotBefore: past.NotBefore, NotAfter: past.NotAfter})), nil},
	} {
		to, _ := listenTLS(t, showingTLS(c.cert))
		d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, nil)
		for flag, f := range flags {
			want := flag == "AllowInsecure" || strings.Contains(strings.Join(c.by, ","), flag) ||
				flag == "those three" && name != "by an unknown CA"
			info := to
			info.Flags = f
			o := d.connect(info)
			if got := o.err == nil; got != want {
				t.Errorf("%s, with %s: let in %v, want %v (%v)", name, flag, got, want, o.err)
			}
			var unverified *tls.CertificateVerificationError
			if o.err != nil && !errors.As(o.err, &unverified) {
				t.Errorf("%s, with %s: the error is no CertificateVerificationError: %v", name, flag, o.err)
			}
		}
	}
}

// TestTLSRelaxedErrorsSayWhatIsWrong: x509's types come through whichever way the
// certificate was verified.
func TestTLSRelaxedErrorsSayWhatIsWrong(t *testing.T) {
	wrong, _ := listenTLS(t, showingTLS(issue("example.com")))
	stranger, _ := listenTLS(t, showingTLS(certstest.Must(certstest.SelfSigned(certstest.Spec{}))))
	d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, nil)
	for _, f := range []engine.ClientFlags{0, engine.AllowExpired} {
		wrong.Flags, stranger.Flags = f, f
		var name x509.HostnameError
		if o := d.connect(wrong); !errors.As(o.err, &name) || name.Host != "localhost" {
			t.Errorf("flags %d: a wrong name: %v", f, o.err)
		}
		var unknown x509.UnknownAuthorityError
		if o := d.connect(stranger); !errors.As(o.err, &unknown) {
			t.Errorf("flags %d: a stranger: %v", f, o.err)
		}
	}
}

// TestTLSProgramVerifiesServers: OpenSSLPerformServerCertVerification is asked when
// everything else is good or has been allowed, also on resumption.
func TestTLSProgramVerifiesServers(t *testing.T) {
	good, _ := listenTLS(t, showingTLS(localhost()))
	stranger, _ := listenTLS(t, showingTLS(certstest.Must(certstest.SelfSigned(certstest.Spec{}))))
	no := errors.New("not this one")
	var asked []string
	refuse := false
	d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r != callbacks.OpenSSLPerformServerCertVerification {
			return nil
		}
		c, err := x509.ParseCertificate(in)
		if err != nil || !c.Equal(s.TLS().PeerCertificates[0]) {
			t.Errorf("shown %v, %v", c, err)
		}
		asked = append(asked, s.TLS().ServerName)
		if refuse {
			return no
		}
		return nil
	})
	count := func(info engine.ClientConnectInfo, flags engine.ClientFlags, want int) outcome {
		t.Helper()
		asked = nil
		info.Flags = flags
		o := d.connect(info)
		if len(asked) != want {
			t.Errorf("flags %d: the program was asked about %q", flags, asked)
		}
		return o
	}
	for range 2 {
		if o := count(good, 0, 1); o.err != nil {
			t.Error(o.err)
		}
	}
	count(stranger, 0, 0)
	if o := count(stranger, engine.AllowSelfSigned, 1); o.err != nil {
		t.Error(o.err)
	}
	if o := count(stranger, engine.AllowInsecure, 1); o.err != nil {
		t.Error(o.err)
	}
	refuse = true
	for info, flags := range map[*engine.ClientConnectInfo]engine.ClientFlags{&good: 0, &stranger: engine.AllowInsecure} {
		if o := count(*info, flags, 1); !errors.Is(o.err, no) {
			t.Errorf("refused, and it ended with %v", o.err)
		}
	}
}

// TestTLSExtraClientCAs: OpenSSLLoadExtraClientVerifyCerts adds to what there is.
func TestTLSExtraClientCAs(t *testing.T) {
	second := certstest.Must(certstest.NewCA(certstest.Spec{Name: "second"}))
	first, _ := listenTLS(t, showingTLS(localhost()))
	other, _ := listenTLS(t, showingTLS(certstest.Must(second.Issue(certstest.Spec{}))))
	for name, from := range map[string]*engine.ClientTLS{"the system's": {}, "a file's": {CAMem: authority().PEM}} {
		raised := make(chan bool, 4)
		d := connecting(t, from, func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
			if r == callbacks.OpenSSLLoadExtraClientVerifyCerts {
				s.VerifyCerts().AddCert(second.Certificate)
				raised <- true
			}
			return nil
		})
		if o := d.connect(other); o.err != nil {
			t.Errorf("beside %s: %v", name, o.err)
		}
		if o := d.connect(first); (o.err == nil) != (name == "a file's") {
			t.Errorf("beside %s: %v", name, o.err)
		}
		if len(raised) != 1 {
			t.Errorf("raised %d times", len(raised))
		}
	}
}

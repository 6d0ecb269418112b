package certs

import (
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

func TestVerifyNames(t *testing.T) {
	s := build(0, false)
	for name, good := range map[string]bool{
		"good.test":          true,
		"GOOD.test":          true,
		"good.test.":         true, // RFC 6066 3 sends it without the dot, but users write it
		"sub.good.test":      false,
		"bad.test":           false,
		"192.0.2.1":          true,
		"[192.0.2.1]":        true,
		"192.0.2.2":          false,
		"2001:db8::1":        true,
		"[2001:db8::1]":      true,
		"2001:DB8:0:0::1":    true,
		"2001:db8::1%eth0":   true,
		"[2001:db8::1%eth0]": true,
		"[2001:db8::2%eth0]": false,
		"[]":                 false,
		"good.test%eth0":     false,
		"*":                  false,
	} {
		t.Run(name, func(t *testing.T) {
			err := Verify(s.chain, s.roots, name, clock, Relax{})
			var mismatch x509.HostnameError
			if (err == nil) != good || err != nil && !errors.As(err, &mismatch) {
				t.Errorf("got %v, want accepted: %v", err, good)
			}
		})
	}
}

func TestVerifyOddArguments(t *testing.T) {
	s := build(0, false)
	long := slices.Concat(s.chain, slices.Repeat(s.chain[1:], maxChain-1))
	for _, c := range []struct {
		name  string
		chain []*x509.Certificate
		host  string
		relax Relax
		want  error
	}{
		{"an empty chain is refused", nil, "good.test", Relax{SelfSigned: true, Hostname: true, Expired: true}, ErrNoChain},
		{"an empty chain passes with Everything", nil, "good.test", Relax{Everything: true}, nil},
		{"an empty name is refused", s.chain, "", Relax{}, ErrNoName},
		{"an empty name is refused with all that is not about names", s.chain, "", Relax{SelfSigned: true, Expired: true}, ErrNoName},
		{"an empty name passes with Hostname", s.chain, "", Relax{Hostname: true}, nil},
		{"an empty name passes with Everything", s.chain, "", Relax{Everything: true}, nil},
		{"sixteen certificates pass", long[:maxChain], "good.test", Relax{}, nil},
		{"seventeen certificates are refused", long, "good.test", Relax{SelfSigned: true, Expired: true}, ErrChainTooLong},
		{"seventeen certificates pass with Everything", long, "good.test", Relax{Everything: true}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Verify(c.chain, s.roots, c.host, clock, c.relax); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestVerifyZeroNowIsToday uses Specs whose dates are today's.
func TestVerifyZeroNowIsToday(t *testing.T) {
	ca := certstest.Must(certstest.NewCA(certstest.Spec{}))
	chain := []*x509.Certificate{certstest.Must(ca.Issue(certstest.Spec{})).TLS.Leaf}
	if err := Verify(chain, ca.Pool(), "localhost", time.Time{}, Relax{}); err != nil {
		t.Error(err)
	}
	old := build(expiredLeaf|expiredRoot, false) // of a year still to come
	if err := Verify(old.chain, old.roots, "good.test", time.Time{}, Relax{}); err == nil {
		t.Error("certificates of another year passed")
	}
	if err := Verify(old.chain, old.roots, "good.test", time.Time{}, Relax{Expired: true}); err != nil {
		t.Error(err)
	}
}

func TestVerifyNilRootsAreTheSystems(t *testing.T) {
	s := build(0, true)
	if err := Verify(s.chain, nil, "good.test", clock, Relax{}); err == nil {
		t.Error("the system knows a CA that was just made")
	}
	if err := Verify(s.chain, nil, "good.test", clock, Relax{SelfSigned: true}); err != nil {
		t.Error(err)
	}
}

func TestVerifySelfSigned(t *testing.T) {
	relax := Relax{SelfSigned: true}
	good, lone, unknown := build(0, false), build(selfSignedLeaf, false), build(selfSignedCA, false)
	missing := build(issuerMissing, false)
	serverOnly := certstest.Must(certstest.SelfSigned(inDate())).TLS.Leaf
	forClients := inDate()
	forClients.Usage = certstest.Client
	client := certstest.Must(certstest.SelfSigned(forClients)).TLS.Leaf
	reversed := slices.Clone(unknown.chain)
	slices.Reverse(reversed[1:])

	for _, c := range []struct {
		name  string
		chain []*x509.Certificate
		roots *x509.CertPool
		good  bool
	}{
		{"a self-signed certificate that no path leads to does not help", append(missing.chain, serverOnly), missing.roots, false},
		{"nor does it harm", append(good.chain, serverOnly), good.roots, true},
		{"a self-signed leaf may be followed by others", append(lone.chain, stranger.Certificate), lone.roots, true},
		{"a self-signed CA may stand before an intermediate (RFC 8446 4.4.2)", reversed, unknown.roots, true},
		{"a known leaf is its own root", lone.chain, poolOf(lone.chain[0]), true},
		{"a self-signed client is no server", []*x509.Certificate{client}, stranger.Pool(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Verify(c.chain, c.roots, "", clock, Relax{SelfSigned: true, Hostname: true}); (err == nil) != c.good {
				t.Errorf("got %v, want accepted: %v", err, c.good)
			}
		})
	}
	if err := Verify(good.chain, x509.NewCertPool(), "good.test", clock, relax); err == nil {
		t.Error("a CA that was not sent passed")
	}
}

// TestVerifySaysWhatIsWrongBesides has chains of a self-signed certificate and a second defect.
func TestVerifySaysWhatIsWrongBesides(t *testing.T) {
	known := build(wrongUsage, false)
	for _, c := range []struct {
		name  string
		chain []*x509.Certificate
		roots *x509.CertPool
		want  string
	}{
		{"a self-signed client", build(selfSignedLeaf|wrongUsage, false).chain, stranger.Pool(), kind(x509.CertificateInvalidError{Reason: x509.IncompatibleUsage})},
		{"a self-signed client, and the system's roots", build(selfSignedLeaf|wrongUsage, false).chain, nil, kind(x509.CertificateInvalidError{Reason: x509.IncompatibleUsage})},
		{"a CA that is out of date", build(selfSignedCA|expiredRoot, false).chain, stranger.Pool(), kind(x509.CertificateInvalidError{Reason: x509.Expired})},
		{"a client of a known CA, with a stranger", append(known.chain, stranger.Certificate), known.roots, kind(x509.CertificateInvalidError{Reason: x509.IncompatibleUsage})},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Verify(c.chain, c.roots, "good.test", clock, Relax{SelfSigned: true}); kind(err) != c.want {
				t.Errorf("got %v, want reason %s", err, c.want)
			}
		})
	}
}

// TestVerifySignedByAServer has a certificate signed by one that is no CA, whose signature is right.
func TestVerifySignedByAServer(t *testing.T) {
	key := certstest.Must(certstest.NewKey(certstest.ECDSA))
	spec := inDate()
	spec.Name, spec.Signer = "Impostor", key
	server := certstest.Must(certstest.SelfSigned(spec)).TLS.Leaf
	ca := certstest.Must(certstest.NewCA(spec)) // of the same name and key
	spec.Name, spec.Signer = "", nil
	leaf := certstest.Must(ca.Issue(spec)).TLS.Leaf

	if err := Verify([]*x509.Certificate{leaf, ca.Certificate}, stranger.Pool(), "localhost", clock, Relax{SelfSigned: true}); err != nil {
		t.Fatalf("the chain is broken without the rule: %v", err)
	}
	for _, relax := range relaxations() {
		err := Verify([]*x509.Certificate{leaf, server}, stranger.Pool(), "localhost", clock, relax)
		if (err == nil) != relax.Everything {
			t.Errorf("%+v: got %v", relax, err)
		}
	}
}

// TestVerifySelfSignedIsOfOneName has a certificate signed with its own key under the name of another issuer. RFC 5280
// 3.2 calls that neither self-issued nor self-signed.
func TestVerifySelfSignedIsOfOneName(t *testing.T) {
	spec := inDate()
	spec.Signer = certstest.Must(certstest.NewKey(certstest.ECDSA))
	spec.Name = "Issuer"
	ca := certstest.Must(certstest.NewCA(spec))
	spec.Name = "Server"
	chain := []*x509.Certificate{certstest.Must(ca.Issue(spec)).TLS.Leaf}
	if err := Verify(chain, stranger.Pool(), "localhost", clock, Relax{SelfSigned: true}); err == nil {
		t.Error("passed")
	}
}

// TestWithoutSystemRootsASelfSignedRootStillHelps is a container that has no CA bundle. x509 loads the system's roots
// once for a process, so no test can take them away.
func TestWithoutSystemRootsASelfSignedRootStillHelps(t *testing.T) {
	if !lacksRoot(x509.SystemRootsError{}) {
		t.Error("the error is one that no other root mends")
	}
}

// TestVerifyFindsRootsOutOfDate has a root that was not sent, under a leaf whose dates do not tell the root's.
func TestVerifyFindsRootsOutOfDate(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to time.Duration // of the root
		leaf     certstest.Spec
		good     bool
	}{
		{"ended an hour ago", -2 * time.Hour, -time.Hour, inDate(), true},
		{"ended a month ago, after a month", -62 * days, -30 * days, inDate(), true},
		{"ended three years ago, after ten", -13 * 365 * days, -3 * 365 * days, inDate(), true},
		{"ended ten years ago, with the leaf", -11 * 365 * days, -10 * 365 * days, valid(-3660*days, -3640*days), true},
		{"begins in three years, for ten", 3 * 365 * days, 13 * 365 * days, inDate(), true},
		{"begins when the leaf has ended", 11 * days, 50 * days, inDate(), true},
		{"lasted an hour, a year ago: documented as not found", -365*days - time.Hour, -365 * days, inDate(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ca := certstest.Must(certstest.NewCA(valid(c.from, c.to)))
			chain := []*x509.Certificate{certstest.Must(ca.Issue(c.leaf)).TLS.Leaf}
			if err := Verify(chain, ca.Pool(), "localhost", clock, Relax{Expired: true}); (err == nil) != c.good {
				t.Errorf("got %v, want accepted: %v", err, c.good)
			}
			if err := Verify(chain, ca.Pool(), "localhost", clock, Relax{}); err == nil {
				t.Error("passed without Expired")
			}
		})
	}
}

// TestVerifyAtTheEpoch is a machine without a clock battery.
func TestVerifyAtTheEpoch(t *testing.T) {
	s := build(0, false)
	if err := Verify(s.chain, s.roots, "good.test", time.Unix(0, 0), Relax{Expired: true}); err != nil {
		t.Error(err)
	}
	if err := Verify(s.chain, s.roots, "good.test", time.Unix(0, 0), Relax{}); err == nil {
		t.Error("passed without Expired")
	}
}

// TestVerifyKeepsConstraintsOfOldRoots has a root that is out of date and may not stand for the chain.
func TestVerifyKeepsConstraintsOfOldRoots(t *testing.T) {
	ca := certstest.Must(certstest.NewCA(expired()))
	chain := []*x509.Certificate{certstest.Must(ca.Issue(inDate())).TLS.Leaf}
	pool := x509.NewCertPool()
	pool.AddCertWithConstraint(ca.Certificate, func([]*x509.Certificate) error { return errors.New("not for this chain") })
	if err := Verify(chain, pool, "localhost", clock, Relax{Expired: true}); err == nil {
		t.Error("the constraint was lost")
	}
}

// TestVerifyLeavesTheChainAlone looks for traces of the copies that have no dates.
func TestVerifyLeavesTheChainAlone(t *testing.T) {
	s := build(expiredLeaf|expiredIntermediate|expiredRoot, true)
	from, to := s.chain[0].NotBefore, s.chain[0].NotAfter
	for _, relax := range relaxations() {
		Verify(s.chain, s.roots, "good.test", clock, relax)
	}
	if !s.chain[0].NotBefore.Equal(from) || !s.chain[0].NotAfter.Equal(to) {
		t.Error("the leaf has other dates")
	}
	if err := Verify(s.chain, s.roots, "good.test", clock, Relax{}); err == nil {
		t.Error("an expired chain passes now")
	}
}

// entangled is a hostile chain. All but the leaf have one name, so that each may be the issuer of each and of the leaf,
// and there are as many as stay below the hundred signatures that x509 gives up at. The leaf leads through all but the last to nowhere, and the last leads to a root out of date,
// so that every search starts, tries all and finds nothing. It counts how often the root fits.
func entangled() (s scene, looks *int) {
	old, good := expired(), valid(-40*days, 10*days)
	old.Name, good.Name = "Same", "Same"
	root := certstest.Must(certstest.NewCA(old))
	above := certstest.Must(certstest.NewCA(good))
	for range 8 {
		above = certstest.Must(above.Intermediate(good))
		s.chain = append(s.chain, above.Certificate)
	}
	leaf := certstest.Must(above.Issue(good)).TLS.Leaf
	s.chain = slices.Concat([]*x509.Certificate{leaf}, s.chain, []*x509.Certificate{certstest.Must(root.Intermediate(good)).Certificate})
	looks = new(int)
	s.roots = x509.NewCertPool()
	s.roots.AddCertWithConstraint(root.Certificate, func([]*x509.Certificate) error {
		*looks++
		return nil
	})
	return s, looks
}

func TestVerifyOfAnEntangledChainEnds(t *testing.T) {
	s, looks := entangled()
	if err := Verify(s.chain, s.roots, "localhost", clock, Relax{SelfSigned: true, Expired: true, Hostname: true}); err == nil {
		t.Error("a chain to nowhere passed")
	}
	if *looks != maxTries {
		t.Errorf("a root that fits was tried at %d times, want %d", *looks, maxTries)
	}
}

// BenchmarkVerifyEntangled is what a hostile server may cost a client that is relaxed. Budget: 100 ms.
func BenchmarkVerifyEntangled(b *testing.B) {
	s, _ := entangled()
	for b.Loop() {
		if err := Verify(s.chain, s.roots, "localhost", clock, Relax{SelfSigned: true, Expired: true}); err == nil {
			b.Fatal("passed")
		}
	}
}

func poolOf(certs ...*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}

// BenchmarkVerify is an ordinary chain. Budget: 500 µs.
func BenchmarkVerify(b *testing.B) {
	s := build(0, false)
	for b.Loop() {
		if err := Verify(s.chain, s.roots, "good.test", clock, Relax{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyOldRoot looks for the time of a root that was not sent. Budget: 5 ms.
func BenchmarkVerifyOldRoot(b *testing.B) {
	s := build(expiredRoot, false)
	for b.Loop() {
		if err := Verify(s.chain, s.roots, "good.test", clock, Relax{Expired: true}); err != nil {
			b.Fatal(err)
		}
	}
}

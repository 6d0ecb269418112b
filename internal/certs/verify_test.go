package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// clock is when all tests of this package take place. It is not today, so that a forgotten now shows.
var clock = time.Date(2031, 5, 17, 12, 0, 0, 0, time.UTC)

const days = 24 * time.Hour

// valid is a Spec in date from one time to another, both relative to clock.
func valid(from, to time.Duration) certstest.Spec {
	return certstest.Spec{NotBefore: clock.Add(from), NotAfter: clock.Add(to)}
}

func inDate() certstest.Spec  { return valid(-10*days, 10*days) }
func expired() certstest.Spec { return valid(-90*days, -30*days) }
func future() certstest.Spec  { return valid(30*days, 90*days) }

// defect is one thing wrong with a chain. Several may be wrong at once.
type defect int

const (
	selfSignedLeaf defect = 1 << iota
	selfSignedCA
	issuerMissing
	expiredLeaf
	futureLeaf
	expiredIntermediate
	futureIntermediate
	expiredRoot
	futureRoot
	wrongName
	wrongUsage
	badLeafSignature
	badIntermediateSignature
	lastDefect
)

var defectNames = map[defect]string{
	selfSignedLeaf:           "self-signed leaf",
	selfSignedCA:             "self-signed CA in the chain",
	issuerMissing:            "unknown issuer missing",
	expiredLeaf:              "expired leaf",
	futureLeaf:               "leaf not yet valid",
	expiredIntermediate:      "expired intermediate",
	futureIntermediate:       "intermediate not yet valid",
	expiredRoot:              "expired root",
	futureRoot:               "root not yet valid",
	wrongName:                "wrong name",
	wrongUsage:               "wrong key usage",
	badLeafSignature:         "bad signature on the leaf",
	badIntermediateSignature: "bad signature on the intermediate",
}

func (d defect) String() string {
	var out []string
	for one := defect(1); one < lastDefect; one <<= 1 {
		if d&one != 0 {
			out = append(out, defectNames[one])
		}
	}
	if out == nil {
		return "good"
	}
	return strings.Join(out, " and ")
}

// relaxedBy are the defects that a relaxation forgives.
func relaxedBy(r Relax) (d defect) {
	if r.SelfSigned {
		d |= selfSignedLeaf | selfSignedCA
	}
	if r.Hostname {
		d |= wrongName
	}
	if r.Expired {
		d |= expiredLeaf | futureLeaf | expiredIntermediate | futureIntermediate | expiredRoot | futureRoot
	}
	if r.Everything {
		d |= lastDefect - 1
	}
	return d
}

// exclusive are sets of defects of which a chain can have one.
var exclusive = []defect{
	selfSignedLeaf | selfSignedCA | issuerMissing,
	expiredLeaf | futureLeaf,
	expiredIntermediate | futureIntermediate,
	expiredRoot | futureRoot,
	// These need certificates that a self-signed leaf has not.
	selfSignedLeaf | expiredIntermediate, selfSignedLeaf | futureIntermediate, selfSignedLeaf | badIntermediateSignature,
	selfSignedLeaf | expiredRoot, selfSignedLeaf | futureRoot,
}

func (d defect) possible() bool {
	for _, set := range exclusive {
		if both := d & set; both&(both-1) != 0 {
			return false
		}
	}
	return true
}

// dates picks a Spec by which of two defects is there.
func (d defect) dates(old, early defect) certstest.Spec {
	switch {
	case d&old != 0:
		return expired()
	case d&early != 0:
		return future()
	}
	return inDate()
}

// scene is what Verify is called with.
type scene struct {
	chain []*x509.Certificate
	roots *x509.CertPool
}

var stranger = certstest.Must(certstest.NewCA(valid(-1000*days, 1000*days)))

// build makes a chain with the defects d. With sendRoot a known root is sent along, as some servers do.
func build(d defect, sendRoot bool) scene {
	spec := d.dates(expiredLeaf, futureLeaf)
	spec.Hosts = []string{"good.test", "192.0.2.1", "2001:db8::1"}
	if d&wrongName != 0 {
		spec.Hosts = []string{"bad.test", "192.0.2.2"}
	}
	if d&wrongUsage != 0 {
		spec.Usage = certstest.Client
	}
	if d&selfSignedLeaf != 0 {
		leaf := certstest.Must(certstest.SelfSigned(spec)).TLS.Leaf
		return scene{damageIf(d&badLeafSignature != 0, leaf), stranger.Pool()}
	}
	top := d.dates(expiredRoot, futureRoot)
	top.Name = "Root"
	root := certstest.Must(certstest.NewCA(top))
	middle := d.dates(expiredIntermediate, futureIntermediate)
	middle.Name = "Intermediate"
	between := certstest.Must(root.Intermediate(middle))
	leaf := certstest.Must(between.Issue(spec)).TLS.Leaf

	s := scene{damageIf(d&badLeafSignature != 0, leaf), root.Pool()}
	s.chain = append(s.chain, damageIf(d&badIntermediateSignature != 0, between.Certificate)...)
	if d&(selfSignedCA|issuerMissing) != 0 {
		s.roots = stranger.Pool()
	}
	if d&selfSignedCA != 0 || sendRoot && d&issuerMissing == 0 {
		s.chain = append(s.chain, root.Certificate)
	}
	return s
}

// damageIf returns c alone, with a bit of its signature turned if damaged.
func damageIf(damaged bool, c *x509.Certificate) []*x509.Certificate {
	if !damaged {
		return []*x509.Certificate{c}
	}
	raw := append([]byte(nil), c.Raw...)
	raw[len(raw)-1] ^= 1
	return []*x509.Certificate{certstest.Must(x509.ParseCertificate(raw))}
}

func relaxations() (out []Relax) {
	for i := range 16 {
		out = append(out, Relax{SelfSigned: i&1 != 0, Hostname: i&2 != 0, Expired: i&4 != 0, Everything: i&8 != 0})
	}
	return out
}

// TestVerifyFailsIffADefectIsNotRelaxed has all single defects and all pairs, under all relaxations.
func TestVerifyFailsIffADefectIsNotRelaxed(t *testing.T) {
	for a := defect(1); a <= lastDefect; a <<= 1 {
		for b := a; b <= lastDefect; b <<= 1 {
			d := (a | b) &^ lastDefect // lastDefect stands for none
			if d.possible() {
				t.Run(d.String(), func(t *testing.T) { verifyAll(t, d) })
			}
		}
	}
}

func verifyAll(t *testing.T, d defect) {
	for _, sendRoot := range []bool{false, true} {
		s := build(d, sendRoot)
		for _, relax := range relaxations() {
			err := Verify(s.chain, s.roots, "good.test", clock, relax)
			if want := d&^relaxedBy(relax) != 0; (err != nil) != want {
				t.Errorf("root sent %v, %+v: got %v, want an error: %v", sendRoot, relax, err, want)
			}
		}
	}
}

// TestVerifyTripleDefects has chains that need each of two relaxations and a defect besides.
func TestVerifyTripleDefects(t *testing.T) {
	for one := defect(1); one < lastDefect; one <<= 1 {
		for _, d := range []defect{selfSignedCA | expiredRoot | one, selfSignedLeaf | expiredLeaf | one, wrongName | expiredRoot | one} {
			if d.possible() {
				t.Run(d.String(), func(t *testing.T) { verifyAll(t, d) })
			}
		}
	}
}

func TestVerifyErrorsAreThoseOfX509(t *testing.T) {
	for d, want := range map[defect]any{
		selfSignedLeaf:           x509.UnknownAuthorityError{},
		selfSignedCA:             x509.UnknownAuthorityError{},
		issuerMissing:            x509.UnknownAuthorityError{},
		badLeafSignature:         x509.UnknownAuthorityError{},
		badIntermediateSignature: x509.UnknownAuthorityError{},
		expiredLeaf:              x509.Expired,
		futureLeaf:               x509.Expired,
		expiredRoot:              x509.Expired,
		expiredIntermediate:      x509.Expired,
		wrongUsage:               x509.IncompatibleUsage,
		wrongName:                x509.HostnameError{},
	} {
		t.Run(d.String(), func(t *testing.T) {
			s := build(d, false)
			for _, relax := range relaxations() {
				err := Verify(s.chain, s.roots, "good.test", clock, relax)
				if err != nil && (kind(err) != fmt.Sprintf("%T", want) && kind(err) != fmt.Sprint(want) || !strings.HasPrefix(err.Error(), "certs: x509: ")) {
					t.Errorf("%+v: got %s, %v; want %v", relax, kind(err), err, want)
				}
			}
		})
	}
}

// kind is the type of x509's error in err, or its reason if the type has one.
func kind(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return fmt.Sprintf("%T", unknown)
	case errors.As(err, &name):
		return fmt.Sprintf("%T", name)
	case errors.As(err, &invalid):
		return fmt.Sprint(invalid.Reason)
	}
	return ""
}

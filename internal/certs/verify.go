package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// maxChain is how many certificates a server may send, as in GnuTLS. Real chains have two to four. A server may send
// as many as fit into 256 KiB, and each may be tried as the issuer of each.
const maxChain = 16

// Errors of Verify that are not about the certificates' content. All others wrap what crypto/x509 returned.
var (
	// ErrNoChain is a server that sent no certificate, which RFC 8446 4.4.2.4 has a client refuse.
	ErrNoChain = errors.New("certs: the server sent no certificate")
	// ErrChainTooLong is a server that sent more than sixteen certificates.
	ErrChainTooLong = errors.New("certs: the server sent too many certificates")
	// ErrNoName is an empty name where one is to be checked: this side's mistake.
	ErrNoName = errors.New("certs: no server name to check the certificate against")
)

// Relax says which checks of a server's certificates to leave out. Each leaves out its own and no other. Its zero
// value leaves out none.
type Relax struct {
	// SelfSigned takes a self-signed certificate that the server sent for a root: its own certificate, or that of a CA
	// that the others lead to. A chain whose issuer is neither known nor sent is still refused, and so is a
	// self-signed certificate whose signature is not right or uses SHA-1. It is LCCSCF_ALLOW_SELFSIGNED.
	SelfSigned bool
	// Hostname leaves out the server's name. It is LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK.
	Hostname bool
	// Expired leaves out the dates of all certificates, roots included: what is not valid yet passes too, since a
	// machine without a clock battery starts in 1970. It is LCCSCF_ALLOW_EXPIRED.
	Expired bool
	// Everything leaves out all: anyone may be the server. It is LCCSCF_ALLOW_INSECURE.
	Everything bool
}

// Verify checks what a server sent, its own certificate first and the others in any order, as a client does: a path of
// signatures to one of roots, dates, the right to be a server, and name. Nil roots are the system's. name is a DNS name
// or an IP address, which may have brackets and a zone. A zero now is time.Now.
//
// The error wraps x509.UnknownAuthorityError, x509.CertificateInvalidError or x509.HostnameError, or is one of this
// package. An intermediate or root that is out of date may leave no path at all, and then is an UnknownAuthorityError
// whose text names it.
//
// With relax.Expired, a root that is not in date is found by trying other dates, since an x509.CertPool cannot be
// listed. That finds it if a certificate sent begins or ends while the root is in date, or if the root has not been
// out of date for longer than it was in date.
func Verify(chain []*x509.Certificate, roots *x509.CertPool, name string, now time.Time, relax Relax) error {
	switch {
	case relax.Everything:
		return nil
	case len(chain) == 0:
		return ErrNoChain
	case len(chain) > maxChain:
		return ErrChainTooLong
	case name == "" && !relax.Hostname:
		return ErrNoName
	}
	if now.IsZero() {
		now = time.Now()
	}
	if err := verifyPath(chain, roots, now, relax); err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	if relax.Hostname {
		return nil
	}
	if err := chain[0].VerifyHostname(withoutZone(name)); err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	return nil
}

// verifyPath checks all but the name, first with roots and then with what the server wants to be a root. A path ends in
// one root, so nothing is lost by not mixing the two.
func verifyPath(chain []*x509.Certificate, roots *x509.CertPool, now time.Time, relax Relax) error {
	p := path{chain: chain, roots: roots}
	if relax.Expired {
		p.chain = timeless(chain)
	}
	err := p.verify(now)
	if relax.Expired && lacksRoot(err) {
		err = p.verifyAtOtherTimes(chain, now, err)
	}
	if err == nil || !relax.SelfSigned {
		return err
	}
	if p.roots = selfSigned(p.chain); p.roots == nil {
		return err
	}
	// The error that says more wins: a self-signed certificate may have been sent that no path leads to.
	if again := p.verify(now); again == nil || lacksRoot(err) {
		return again
	}
	return err
}

// lacksRoot tells the errors that another root, or the same at another time, may mend.
func lacksRoot(err error) bool {
	var unknown x509.UnknownAuthorityError
	var none x509.SystemRootsError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &unknown) || errors.As(err, &none) || errors.As(err, &invalid) && invalid.Reason == x509.Expired
}

// selfSigned returns those of chain that sign themselves, or nil if none does. Certificate.CheckSignatureFrom would
// not do: it wants the signer to be a CA, which a server's own certificate need not be.
func selfSigned(chain []*x509.Certificate) *x509.CertPool {
	var pool *x509.CertPool
	for _, c := range chain {
		if !bytes.Equal(c.RawSubject, c.RawIssuer) || c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) != nil {
			continue
		}
		if pool == nil {
			pool = x509.NewCertPool()
		}
		pool.AddCert(c)
	}
	return pool
}

// withoutZone cuts the zone of an IPv6 address, which says where to send and is in no certificate (RFC 4007 11).
func withoutZone(name string) string {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	if err != nil || ip.Zone() == "" {
		return name
	}
	return ip.WithZone("").String()
}

// path is one search for a path from the leaf to a root.
type path struct {
	chain []*x509.Certificate
	roots *x509.CertPool
}

func (p *path) verify(at time.Time) error {
	between := x509.NewCertPool()
	for _, c := range p.chain[1:] {
		between.AddCert(c)
	}
	_, err := p.chain[0].Verify(x509.VerifyOptions{
		Roots:         p.roots,
		Intermediates: between,
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

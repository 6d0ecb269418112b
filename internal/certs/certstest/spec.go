package certstest

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"time"
)

// Spec says what to make. Its zero value makes a certificate of localhost, valid for thirty days.
type Spec struct {
	// Name is the subject's common name. Empty means "Penstock Test CA" for a CA, and the first of Hosts for a leaf.
	// Two CAs of one chain want two names: a verifier finds the issuer by its name.
	Name string
	// Hosts are the DNS names and IP addresses a leaf is for. Nil means localhost, 127.0.0.1 and ::1; empty means none.
	Hosts []string
	// NotBefore and NotAfter are the first and the last second of validity. A zero NotBefore is an hour ago, so that
	// clocks may differ; a zero NotAfter is thirty days after NotBefore.
	NotBefore, NotAfter time.Time
	// Key is the kind of key to make.
	Key KeyType
	// Signer is the key to use instead of a new one. An RSA key takes long to make, so tests share one. For a leaf it
	// must be of a type that x509.MarshalPKCS8PrivateKey knows.
	Signer crypto.Signer
	// Usage is what a leaf may be used for.
	Usage Usage
}

// KeyType is a kind of key.
type KeyType int

// The kinds of keys that are common in TLS.
const (
	ECDSA   KeyType = iota // P-256
	RSA                    // 2048 bits; takes a good part of a second to make
	Ed25519                // not spoken by browsers
)

// Usage is which side of a connection a leaf may stand for.
type Usage int

// The sides of a connection.
const (
	Server Usage = iota
	Client
)

// NewKey makes a key, to be shared by several Specs as their Signer.
func NewKey(k KeyType) (crypto.Signer, error) {
	switch k {
	case ECDSA:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("unknown kind of key %d", k)
}

func (s Spec) signer() (crypto.Signer, error) {
	if s.Signer != nil {
		return s.Signer, nil
	}
	return NewKey(s.Key)
}

// base is what leaves and CAs have in common.
func (s Spec) base(name string) *x509.Certificate {
	from := s.NotBefore
	if from.IsZero() {
		from = time.Now().Add(-time.Hour)
	}
	to := s.NotAfter
	if to.IsZero() {
		to = from.AddDate(0, 0, 30)
	}
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: cmp.Or(s.Name, name)},
		NotBefore:             from,
		NotAfter:              to,
		BasicConstraintsValid: true,
	}
}

func (s Spec) authority() *x509.Certificate {
	c := s.base("Penstock Test CA")
	c.IsCA = true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return c
}

func (s Spec) leaf() *x509.Certificate {
	hosts := s.Hosts
	if hosts == nil {
		hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	c := s.base(append(hosts[:len(hosts):len(hosts)], "nobody")[0])
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if s.Usage == Client {
		c.ExtKeyUsage[0] = x509.ExtKeyUsageClientAuth
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	return c
}

package certstest

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
)

// CA is a certificate authority. It is not changed once made.
type CA struct {
	// Certificate is the CA's own.
	Certificate *x509.Certificate
	// PEM is Certificate in PEM, as for a file of trusted roots.
	PEM []byte

	key   crypto.Signer
	above [][]byte // what a leaf is sent with, in DER: this CA and up, without the root
}

// Issued is a leaf certificate with its private key.
type Issued struct {
	// TLS is ready for a tls.Config: the chain without the root, the key, and Leaf.
	TLS tls.Certificate
	// Cert, Chain and Key are PEM: the leaf alone, the leaf and all it is sent with, and the key in PKCS#8.
	Cert, Chain, Key []byte
}

// NewCA makes a root. Hosts and Usage of s are not looked at.
func NewCA(s Spec) (*CA, error) { return newCA(s, nil) }

// Intermediate makes a CA that ca vouches for. What it issues is sent with its certificate.
func (ca *CA) Intermediate(s Spec) (*CA, error) { return newCA(s, ca) }

// Pool returns a new pool that holds ca alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate)
	return pool
}

// Issue makes a leaf.
func (ca *CA) Issue(s Spec) (*Issued, error) { return issue(s, ca) }

// SelfSigned makes a leaf that vouches for itself and is no CA.
func SelfSigned(s Spec) (*Issued, error) { return issue(s, nil) }

// Must returns v, or panics with err: for tests, where a certificate that cannot be made is a broken test.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newCA makes a root if parent is nil.
func newCA(s Spec, parent *CA) (*CA, error) {
	cert, key, err := create(s, s.authority(), parent)
	if err != nil {
		return nil, err
	}
	ca := &CA{Certificate: cert, PEM: certPEM(cert.Raw), key: key}
	if parent != nil {
		ca.above = append([][]byte{cert.Raw}, parent.above...)
	}
	return ca, nil
}

// issue makes a leaf that signs itself if parent is nil.
func issue(s Spec, parent *CA) (*Issued, error) {
	cert, key, err := create(s, s.leaf(), parent)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("certstest: %w", err)
	}
	out := &Issued{
		TLS:  tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert},
		Cert: certPEM(cert.Raw),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}
	if parent != nil {
		out.TLS.Certificate = append(out.TLS.Certificate, parent.above...)
	}
	out.Chain = certPEM(out.TLS.Certificate...)
	return out, nil
}

// create signs template by parent, or by its own key if parent is nil.
func create(s Spec, template *x509.Certificate, parent *CA) (*x509.Certificate, crypto.Signer, error) {
	key, err := s.signer()
	if err != nil {
		return nil, nil, fmt.Errorf("certstest: %w", err)
	}
	by, byKey := template, key
	if parent != nil {
		by, byKey = parent.Certificate, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), byKey)
	if err != nil {
		return nil, nil, fmt.Errorf("certstest: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("certstest: %w", err)
	}
	return cert, key, nil
}

func certPEM(ders ...[]byte) []byte {
	var out [][]byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return slices.Concat(out...)
}

package certs

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"iter"
	"strings"
)

// Errors of loading, reachable with errors.Is. All other errors wrap what crypto/x509 said.
var (
	// ErrNoCertificate is an input without any certificate.
	ErrNoCertificate = errors.New("certs: no certificate found, neither PEM nor DER")
	// ErrNoKey is an input without a private key.
	ErrNoKey = errors.New("certs: no private key found, neither PEM nor DER")
	// ErrEncryptedKey is a private key that needs a passphrase, which there is no way to give.
	ErrEncryptedKey = errors.New("certs: the private key is encrypted: decrypt it first, as with openssl pkey")
	// ErrMismatch is a private key that does not belong to the first certificate.
	ErrMismatch = errors.New("certs: the private key is not that of the certificate")
)

// Pair makes what crypto/tls serves from a chain, leaf first, and the private key of the leaf. Each is PEM or DER, on
// its own. A chain in DER is one certificate after the other. The key is PKCS#8, PKCS#1 or SEC1. An empty key is looked
// for in cert, which then is PEM. NUL bytes behind either or between certificates do no harm: C strings end in one.
//
// Every certificate of the chain must parse, the key must be the leaf's, and Leaf is set. The result shares no memory
// with cert and key.
func Pair(cert, key []byte) (tls.Certificate, error) {
	chain, err := parseChain(cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	if len(bytes.Trim(key, "\x00")) == 0 {
		key = cert
		if !isPEM(cert) {
			return tls.Certificate{}, ErrNoKey
		}
	}
	signer, err := parseKey(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := match(chain[0], signer); err != nil {
		return tls.Certificate{}, err
	}
	pair := tls.Certificate{PrivateKey: signer, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair, nil
}

// Pool makes a pool of the CA certificates in b, as AppendPool does.
func Pool(b []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if err := AppendPool(pool, b); err != nil {
		return nil, err
	}
	return pool, nil
}

// AppendPool adds the CA certificates in b, PEM or DER, to pool. In PEM, all but certificates is passed over, and so
// are certificates that do not parse: bundles of the world's CAs hold some that only older libraries accept. In DER,
// each must parse. It is an error, and pool is as it was, if nothing is left to add.
func AppendPool(pool *x509.CertPool, b []byte) error {
	ders, err := certificates(b)
	if err != nil {
		return err
	}
	var good []*x509.Certificate
	var bad error
	for i, der := range ders {
		c, err := x509.ParseCertificate(der)
		switch {
		case err == nil:
			good = append(good, c)
		case bad == nil:
			bad = fmt.Errorf("certs: CA certificate %d: %w", i+1, err)
		}
	}
	if bad != nil && (len(good) == 0 || !isPEM(b)) {
		return bad
	}
	for _, c := range good {
		pool.AddCert(c)
	}
	return nil
}

// parseChain returns one certificate or more.
func parseChain(b []byte) ([]*x509.Certificate, error) {
	ders, err := certificates(b)
	if err != nil {
		return nil, err
	}
	chain := make([]*x509.Certificate, len(ders))
	for i, der := range ders {
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("certs: certificate %d: %w", i+1, err)
		}
	}
	return chain, nil
}

// certificates finds one certificate or more, not parsed.
func certificates(b []byte) (ders [][]byte, err error) {
	if isPEM(b) {
		for block := range blocks(b) {
			// Headers are those of RFC 1421, which no certificate has; crypto/x509 passes such blocks over too.
			if block.Type == "CERTIFICATE" && len(block.Headers) == 0 {
				ders = append(ders, block.Bytes)
			}
		}
	} else if ders, err = elements(b); err != nil {
		return nil, fmt.Errorf("certs: certificate %d: %w", len(ders)+1, err)
	}
	if len(ders) == 0 {
		return nil, ErrNoCertificate
	}
	return ders, nil
}

// parseKey returns the first private key in b.
func parseKey(b []byte) (crypto.Signer, error) {
	if isPEM(b) {
		for block := range blocks(b) {
			if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
				continue
			}
			// "ENCRYPTED PRIVATE KEY" is RFC 7468 11; the header, before PKCS#8, is RFC 1421 4.6.1.1.
			if strings.HasPrefix(block.Type, "ENCRYPTED") || strings.HasSuffix(block.Headers["Proc-Type"], ",ENCRYPTED") {
				return nil, ErrEncryptedKey
			}
			return parseKeyDER(block.Bytes)
		}
		return nil, ErrNoKey
	}
	ders, err := elements(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("certs: private key: %w", err)
	case len(ders) != 1:
		return nil, fmt.Errorf("certs: private key: %d DER values instead of one", len(ders))
	}
	return parseKeyDER(ders[0])
}

// parseKeyDER goes by what parses and not by the label of a PEM block, as crypto/tls does: old tools label wrongly.
func parseKeyDER(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if rsa, err := x509.ParsePKCS1PrivateKey(der); err == nil {
			return rsa, nil
		}
		if ec, err := x509.ParseECPrivateKey(der); err == nil {
			return ec, nil
		}
		return nil, fmt.Errorf("certs: private key: neither PKCS#1 nor SEC1, and not PKCS#8: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("certs: private key: %T cannot sign", key)
	}
	return signer, nil
}

// match tells whether key is the key of leaf.
func match(leaf *x509.Certificate, key crypto.Signer) error {
	public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok:
		return fmt.Errorf("certs: certificate 1: public key of an unknown kind, %v", leaf.PublicKeyAlgorithm)
	case !public.Equal(key.Public()):
		return fmt.Errorf("%w (subject %q)", ErrMismatch, leaf.Subject)
	}
	return nil
}

func isPEM(b []byte) bool { return bytes.Contains(b, []byte("-----BEGIN ")) }

// blocks yields the PEM blocks in b. A block starts and ends with a line, and a NUL is none to encoding/pem, so each
// becomes one: else the last block of a C string without a final newline would be lost.
func blocks(b []byte) iter.Seq[*pem.Block] {
	if bytes.IndexByte(b, 0) >= 0 {
		b = bytes.ReplaceAll(b, []byte{0}, []byte{'\n'})
	}
	return func(yield func(*pem.Block) bool) {
		rest := b
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil || !yield(block) {
				return
			}
		}
	}
}

// elements splits b into DER values. Their lengths tell where they end, so that NULs behind one are told from a
// signature that ends in zeros.
func elements(b []byte) (ders [][]byte, err error) {
	for b = bytes.TrimLeft(b, "\x00"); len(b) > 0; b = bytes.TrimLeft(b, "\x00") {
		var value asn1.RawValue
		if b, err = asn1.Unmarshal(b, &value); err != nil {
			return ders, err
		}
		ders = append(ders, bytes.Clone(value.FullBytes))
	}
	return ders, nil
}

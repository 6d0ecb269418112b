package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// material is a pair in all its forms.
type material struct {
	issued                 *certstest.Issued
	chainDER               []byte
	pkcs8, pkcs1, sec1     []byte // DER; pkcs1 and sec1 as far as the kind of key has one
	other                  *certstest.Issued
	certPEM, chainPEM      []byte
	keyPEM, traditionalPEM []byte
}

var rsaKey = sync.OnceValue(func() crypto.Signer { return certstest.Must(certstest.NewKey(certstest.RSA)) })

// makeMaterial has a leaf and an intermediate.
func makeMaterial(key crypto.Signer) material {
	ca := certstest.Must(certstest.NewCA(inDate()))
	between := certstest.Must(ca.Intermediate(valid(-5*days, 5*days)))
	spec := inDate()
	spec.Signer = key
	m := material{issued: certstest.Must(between.Issue(spec)), other: certstest.Must(between.Issue(inDate()))}
	m.chainDER = slices.Concat(m.issued.TLS.Certificate...)
	m.pkcs8 = certstest.Must(x509.MarshalPKCS8PrivateKey(key))
	m.certPEM, m.chainPEM, m.keyPEM = m.issued.Cert, m.issued.Chain, m.issued.Key
	m.traditionalPEM = m.keyPEM
	switch key := key.(type) {
	case *rsa.PrivateKey:
		m.pkcs1 = x509.MarshalPKCS1PrivateKey(key)
		m.traditionalPEM = block("RSA PRIVATE KEY", m.pkcs1)
	case *ecdsa.PrivateKey:
		m.sec1 = certstest.Must(x509.MarshalECPrivateKey(key))
		m.traditionalPEM = block("EC PRIVATE KEY", m.sec1)
	}
	return m
}

var ecdsaMaterial = sync.OnceValue(func() material {
	return makeMaterial(certstest.Must(certstest.NewKey(certstest.ECDSA)))
})

func block(kind string, b []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})
}

func nul(b []byte) []byte { return slices.Concat(b, []byte{0}) }

func TestPairTakesAllForms(t *testing.T) {
	ed := makeMaterial(certstest.Must(certstest.NewKey(certstest.Ed25519)))
	for name, m := range map[string]material{"ECDSA": ecdsaMaterial(), "RSA": makeMaterial(rsaKey()), "Ed25519": ed} {
		certs := map[string][]byte{"PEM": m.chainPEM, "DER": m.chainDER}
		keys := map[string][]byte{"PKCS#8 PEM": m.keyPEM, "PKCS#8 DER": m.pkcs8, "traditional PEM": m.traditionalPEM}
		if m.pkcs1 != nil {
			keys["PKCS#1 DER"] = m.pkcs1
		}
		if m.sec1 != nil {
			keys["SEC1 DER"] = m.sec1
		}
		for certForm, cert := range certs {
			for keyForm, key := range keys {
				t.Run(name+", chain in "+certForm+", key in "+keyForm, func(t *testing.T) {
					checkPair(t, m, cert, key)
					checkPair(t, m, nul(cert), nul(key))
					checkPair(t, m, nul(nul(cert)), nul(nul(key)))
				})
			}
		}
	}
}

// checkPair wants cert and key to load as m, and to work in a handshake.
func checkPair(t *testing.T, m material, cert, key []byte) {
	t.Helper()
	before := slices.Concat(cert, key)
	pair, err := Pair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(pair.Certificate, m.issued.TLS.Certificate, bytes.Equal) {
		t.Errorf("%d certificates, which are not those that were sent", len(pair.Certificate))
	}
	if pair.Leaf == nil || !pair.Leaf.Equal(m.issued.TLS.Leaf) {
		t.Error("Leaf is not the leaf")
	}
	if !holds(pair) {
		t.Error("the key is not the leaf's")
	}
	if !bytes.Equal(before, slices.Concat(cert, key)) {
		t.Error("the input was changed")
	}
}

// holds tells whether what the key signs, the leaf's public key confirms.
func holds(pair tls.Certificate) bool {
	public, ok := pair.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(pair.PrivateKey.(crypto.Signer).Public())
}

func TestPairInOneInput(t *testing.T) {
	m := ecdsaMaterial()
	params := block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7})
	for name, one := range map[string][]byte{
		"certificates, then the key":     slices.Concat(m.chainPEM, m.keyPEM),
		"the key, then certificates":     slices.Concat(m.keyPEM, m.chainPEM),
		"the key between certificates":   slices.Concat(m.certPEM, m.keyPEM, m.chainPEM[len(m.certPEM):]),
		"as openssl ecparam -genkey":     slices.Concat(params, m.traditionalPEM, m.chainPEM),
		"as openssl x509 -text":          slices.Concat([]byte("Certificate:\n    Data:\n"), m.chainPEM, []byte("Bag Attributes\n"), m.keyPEM),
		"as a C string":                  nul(slices.Concat(m.chainPEM, m.keyPEM)),
		"as two C strings":               slices.Concat(nul(m.chainPEM), nul(m.keyPEM)),
		"without a final newline, and 0": nul(bytes.TrimSpace(slices.Concat(m.keyPEM, m.chainPEM))),
		"with the newlines of Windows":   bytes.ReplaceAll(slices.Concat(m.keyPEM, m.chainPEM), []byte("\n"), []byte("\r\n")),
	} {
		t.Run(name, func(t *testing.T) {
			checkPair(t, m, one, nil)
			checkPair(t, m, one, []byte{0})
			checkPair(t, m, one, one)
		})
	}
}

// TestPairKeepsZerosOfDER has signatures and keys that end in a zero byte, which must not be cut with the C string's.
func TestPairKeepsZerosOfDER(t *testing.T) {
	m := makeMaterial(certstest.Must(certstest.NewKey(certstest.Ed25519)))
	for range 5000 {
		if m.issued.TLS.Certificate[0][len(m.issued.TLS.Certificate[0])-1] == 0 {
			break
		}
		m.issued = certstest.Must(certstest.SelfSigned(inDate()))
	}
	cert := m.issued.TLS.Certificate[0]
	if cert[len(cert)-1] != 0 {
		t.Fatal("no signature of 5000 ended in 0")
	}
	m.issued.TLS.Certificate = [][]byte{cert}
	checkPair(t, m, cert, m.issued.Key)
	checkPair(t, m, nul(cert), m.issued.Key)
}

func TestPairRefuses(t *testing.T) {
	m := ecdsaMaterial()
	rfc1421 := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: m.sec1,
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}})
	x25519 := certstest.Must(x509.MarshalPKCS8PrivateKey(certstest.Must(ecdh.X25519().GenerateKey(rand.Reader))))
	for _, c := range []struct {
		name      string
		cert, key []byte
		is        error  // or nil for any
		says      string // part of the text
	}{
		{"nothing at all", nil, nil, ErrNoCertificate, "certificate"},
		{"NULs only", []byte{0, 0}, []byte{0}, ErrNoCertificate, "certificate"},
		{"no certificate in PEM", m.keyPEM, m.keyPEM, ErrNoCertificate, "certificate"},
		{"text for a certificate", []byte("/etc/tls/cert.pem"), m.keyPEM, nil, "certificate 1"},
		{"a certificate that is cut short", m.chainDER[:100], m.pkcs8, nil, "certificate 1"},
		{"a second certificate that is cut short", m.chainDER[:len(m.chainDER)-1], m.pkcs8, nil, "certificate 2"},
		{"a certificate of nonsense in PEM", slices.Concat(m.certPEM, block("CERTIFICATE", []byte("no"))), m.keyPEM, nil, "certificate 2"},
		{"a key for a certificate", m.pkcs8, m.pkcs8, nil, "certificate 1"},
		{"no key beside DER", m.chainDER, nil, ErrNoKey, "private key"},
		{"no key beside PEM", m.chainPEM, nil, ErrNoKey, "private key"},
		{"no key in PEM, though there is one with the certificate", slices.Concat(m.chainPEM, m.keyPEM), m.chainPEM, ErrNoKey, "private key"},
		{"a public key", m.chainPEM, block("PUBLIC KEY", m.issued.TLS.Leaf.RawSubjectPublicKeyInfo), ErrNoKey, "private key"},
		{"text for a key", m.chainPEM, []byte("hunter2"), nil, "private key"},
		{"a key that is cut short", m.chainPEM, m.pkcs8[:40], nil, "private key"},
		{"two keys in DER", m.chainPEM, slices.Concat(m.pkcs8, m.pkcs8), nil, "private key: 2 DER values"},
		{"a certificate for a key", m.chainPEM, m.issued.TLS.Certificate[0], nil, "private key: neither"},
		{"a key that cannot sign", m.chainPEM, x25519, nil, "cannot sign"},
		{"a key encrypted as of RFC 5958", m.chainPEM, block("ENCRYPTED PRIVATE KEY", m.pkcs8), ErrEncryptedKey, "openssl"},
		{"a key encrypted as of RFC 1421", m.chainPEM, rfc1421, ErrEncryptedKey, "openssl"},
		{"an encrypted key with the certificate", slices.Concat(m.chainPEM, rfc1421), nil, ErrEncryptedKey, "openssl"},
		{"another's key", m.chainPEM, m.other.Key, ErrMismatch, "localhost"},
		{"a key of another kind", m.chainPEM, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey().(*rsa.PrivateKey))), ErrMismatch, "localhost"},
		{"a chain that does not begin with the leaf", slices.Concat(m.chainPEM[len(m.certPEM):], m.certPEM), m.keyPEM, ErrMismatch, "Penstock Test CA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair, err := Pair(c.cert, c.key)
			switch {
			case err == nil:
				t.Fatal("accepted")
			case c.is != nil && !errors.Is(err, c.is):
				t.Errorf("got %v, want %v", err, c.is)
			case !strings.HasPrefix(err.Error(), "certs: ") || !strings.Contains(err.Error(), c.says):
				t.Errorf("%q does not say %q", err, c.says)
			case pair.Certificate != nil || pair.PrivateKey != nil:
				t.Error("an error and a pair")
			}
		})
	}
}

// TestPairSharesNoMemory changes the input after loading.
func TestPairSharesNoMemory(t *testing.T) {
	m := ecdsaMaterial()
	cert, key := bytes.Clone(m.chainDER), bytes.Clone(m.pkcs8)
	pair := certstest.Must(Pair(cert, key))
	clear(cert)
	clear(key)
	if !slices.EqualFunc(pair.Certificate, m.issued.TLS.Certificate, bytes.Equal) || !holds(pair) {
		t.Error("the pair changed with its input")
	}
}

func FuzzPair(f *testing.F) {
	m := ecdsaMaterial()
	f.Add(m.chainPEM, m.keyPEM)
	f.Add(nul(m.chainDER), nul(m.pkcs8))
	f.Add(m.chainDER, m.sec1)
	f.Add(slices.Concat(nul(m.keyPEM), m.chainPEM), []byte(nil))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n\x00"), []byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		pair, err := Pair(cert, key)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "certs: ") {
				t.Errorf("%q does not say whose it is", err)
			}
			return
		}
		if pair.Leaf == nil || !bytes.Equal(pair.Leaf.Raw, pair.Certificate[0]) || !holds(pair) {
			t.Error("accepted without a leaf, or with a key that is not its own")
		}
		again, err := Pair(slices.Concat(pair.Certificate...), key)
		if key != nil && isPEM(key) && (err != nil || !again.Leaf.Equal(pair.Leaf)) {
			t.Errorf("not accepted in DER: %v", err)
		}
	})
}

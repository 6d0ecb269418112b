// Package cert makes certificates that are thrown away after a measurement.
package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Files are a certificate and its key, both in PEM.
type Files struct {
	// Cert is the certificate's path.
	Cert string
	// Key is the key's path.
	Key string
}

// MakeTemp is Make in a directory of its own, which remove deletes.
func MakeTemp() (f Files, remove func(), err error) {
	dir, err := os.MkdirTemp("", "cert")
	if err != nil {
		return f, nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	if f, err = Make(dir); err != nil {
		remove()
	}
	return f, remove, err
}

// Make writes a certificate for the loopback addresses, signed by itself, and its
// key into dir. The key is on P-256, as most of those are that servers use today.
func Make(dir string) (Files, error) {
	f := Files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return f, err
	}
	now := time.Now()
	model := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, model, model, key.Public(), key)
	if err != nil {
		return f, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return f, err
	}
	if err := write(f.Cert, "CERTIFICATE", cert); err != nil {
		return f, err
	}
	return f, write(f.Key, "PRIVATE KEY", private)
}

func write(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// Fill returns a command line with the files wherever args say {cert} and {key}.
func (f Files) Fill(args []string) []string {
	r := strings.NewReplacer("{cert}", f.Cert, "{key}", f.Key)
	filled := make([]string, len(args))
	for i, a := range args {
		filled[i] = r.Replace(a)
	}
	return filled
}

package wstest

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// Certificate is a throw-away certificate for localhost and 127.0.0.1, in files
// that go with the test.
type Certificate struct {
	// Cert and Key are the files of the certificate and of its private key.
	Cert, Key string
	// Both is one file with the two.
	Both string
	// CA is the file of the authority that has issued it.
	CA string
	// Trust is a client's that believes the authority.
	Trust *tls.Config
}

// MakeCertificate makes one, of a new authority.
func MakeCertificate(t testing.TB) Certificate {
	t.Helper()
	ca := certstest.Must(certstest.NewCA(certstest.Spec{}))
	c := certstest.Must(ca.Issue(certstest.Spec{}))
	dir := t.TempDir()
	return Certificate{
		Cert:  writeFile(t, dir, "cert.pem", c.Chain),
		Key:   writeFile(t, dir, "key.pem", c.Key),
		Both:  writeFile(t, dir, "both.pem", slices.Concat(c.Key, c.Chain)),
		CA:    writeFile(t, dir, "ca.pem", ca.PEM),
		Trust: &tls.Config{RootCAs: ca.Pool()},
	}
}

func writeFile(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

func namedCA(name string) *certstest.CA {
	spec := inDate()
	spec.Name = name
	return certstest.Must(certstest.NewCA(spec))
}

func TestPoolTakesAllForms(t *testing.T) {
	a, b := namedCA("A"), namedCA("B")
	both := poolOf(a.Certificate, b.Certificate)
	nonsense := block("CERTIFICATE", []byte("of a kind that nobody can parse"))
	withHeader := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Certificate.Raw, Headers: map[string]string{"A": "b"}})
	for name, c := range map[string]struct {
		in   []byte
		want *x509.CertPool
	}{
		"one in PEM":                      {a.PEM, a.Pool()},
		"one in DER":                      {a.Certificate.Raw, a.Pool()},
		"several in PEM":                  {slices.Concat(a.PEM, b.PEM), both},
		"several in DER":                  {slices.Concat(a.Certificate.Raw, b.Certificate.Raw), both},
		"the same twice":                  {slices.Concat(a.PEM, a.PEM), a.Pool()},
		"a C string of PEM":               {nul(a.PEM), a.Pool()},
		"C strings of PEM":                {slices.Concat(nul(a.PEM), nul(b.PEM)), both},
		"C strings of DER":                {slices.Concat(nul(a.Certificate.Raw), nul(b.Certificate.Raw)), both},
		"C strings without newlines":      {slices.Concat(nul(bytes.TrimSpace(a.PEM)), nul(bytes.TrimSpace(b.PEM))), both},
		"one with a header is passed by":  {slices.Concat(withHeader, a.PEM), a.Pool()},
		"text around PEM":                 {slices.Concat([]byte("# A\n====\n"), a.PEM, []byte("\n# B\n"), b.PEM, []byte("end")), both},
		"a certificate that is passed by": {slices.Concat(nonsense, a.PEM, nonsense, b.PEM), both},
		"a key that is passed by":         {slices.Concat(ecdsaMaterial().keyPEM, a.PEM), a.Pool()},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := Pool(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if !pool.Equal(c.want) {
				t.Error("the pool holds other certificates")
			}
		})
	}
}

func TestPoolRefuses(t *testing.T) {
	a := namedCA("A")
	for name, c := range map[string]struct {
		in []byte
		is error
	}{
		"nothing":                      {nil, ErrNoCertificate},
		"NULs only":                    {[]byte{0, 0, 0}, ErrNoCertificate},
		"PEM without a certificate":    {ecdsaMaterial().keyPEM, ErrNoCertificate},
		"PEM whose end is missing":     {a.PEM[:len(a.PEM)-20], ErrNoCertificate},
		"text":                         {[]byte("0: see ca.pem"), nil},
		"nonsense in PEM":              {block("CERTIFICATE", []byte("nonsense")), nil},
		"DER that is cut short":        {a.Certificate.Raw[:200], nil},
		"DER with something behind":    {slices.Concat(a.Certificate.Raw, []byte("tail")), nil},
		"DER of something else":        {ecdsaMaterial().pkcs8, nil},
		"DER with something else next": {slices.Concat(a.Certificate.Raw, ecdsaMaterial().pkcs8), nil},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := Pool(c.in)
			if err == nil || pool != nil || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("got %v, want %v", err, c.is)
			}
			if !strings.HasPrefix(err.Error(), "certs: ") || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("%q does not say what is wrong", err)
			}
			kept := a.Pool()
			if AppendPool(kept, c.in) == nil || !kept.Equal(a.Pool()) {
				t.Error("AppendPool added from an input it refused")
			}
		})
	}
}

func TestAppendPoolAdds(t *testing.T) {
	a, b := namedCA("A"), namedCA("B")
	pool := a.Pool()
	if err := AppendPool(pool, b.Certificate.Raw); err != nil {
		t.Fatal(err)
	}
	if !pool.Equal(poolOf(a.Certificate, b.Certificate)) {
		t.Error("the pool does not hold both")
	}
}

// FuzzPool wants a pool to hold what crypto/x509 finds in the same PEM.
func FuzzPool(f *testing.F) {
	a, b := namedCA("A"), namedCA("B")
	f.Add(slices.Concat(a.PEM, b.PEM))
	f.Add(slices.Concat(nul(a.Certificate.Raw), b.Certificate.Raw))
	f.Add(nul(a.PEM))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, in []byte) {
		pool, err := Pool(in)
		if (pool == nil) == (err == nil) {
			t.Fatalf("pool %v with error %v", pool, err)
		}
		if err == nil && pool.Equal(x509.NewCertPool()) {
			t.Error("accepted an input without a certificate")
		}
		if theirs := x509.NewCertPool(); !slices.Contains(in, 0) && theirs.AppendCertsFromPEM(in) && (err != nil || !pool.Equal(theirs)) {
			t.Errorf("crypto/x509 finds other certificates; error %v", err)
		}
	})
}

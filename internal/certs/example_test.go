package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/penstock-go/penstock/internal/certs"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

func ExamplePair() {
	made := certstest.Must(certstest.SelfSigned(certstest.Spec{}))
	cString := append(made.Cert, 0)
	pair, err := certs.Pair(cString, made.Key)
	fmt.Println(pair.Leaf.DNSNames, err)
	// Output: [localhost] <nil>
}

func ExamplePool() {
	ca := certstest.Must(certstest.NewCA(certstest.Spec{}))
	pool, err := certs.Pool(ca.PEM)
	fmt.Println(pool.Equal(ca.Pool()), err)
	// Output: true <nil>
}

func ExampleVerify() {
	self := certstest.Must(certstest.SelfSigned(certstest.Spec{Hosts: []string{"device.test"}}))
	sent := []*x509.Certificate{self.TLS.Leaf}
	fmt.Println(certs.Verify(sent, x509.NewCertPool(), "device.test", time.Time{}, certs.Relax{}))
	fmt.Println(certs.Verify(sent, x509.NewCertPool(), "device.test", time.Time{}, certs.Relax{SelfSigned: true}))
	fmt.Println(certs.Verify(sent, x509.NewCertPool(), "server.test", time.Time{}, certs.Relax{SelfSigned: true}))
	// Output:
	// certs: x509: certificate signed by unknown authority
	// <nil>
	// certs: x509: certificate is valid for device.test, not server.test
}

func ExampleOpenFiles() {
	dir, err := os.MkdirTemp("", "certs")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "both.pem")
	write := func(c *certstest.Issued) {
		if err := os.WriteFile(path, append(c.Chain, c.Key...), 0o600); err != nil {
			panic(err)
		}
	}

	write(certstest.Must(certstest.SelfSigned(certstest.Spec{Name: "old"})))
	files, err := certs.OpenFiles(path, "")
	if err != nil {
		panic(err)
	}
	config := tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return files.Certificate(), nil
	}}

	write(certstest.Must(certstest.SelfSigned(certstest.Spec{Name: "renewed"})))
	fmt.Println(files.Changed())
	now, _ := config.GetCertificate(nil)
	fmt.Println(now.Leaf.Subject.CommonName, certs.DaysLeft(now, time.Now()), "days left")
	// Output:
	// true <nil>
	// renewed 29 days left
}

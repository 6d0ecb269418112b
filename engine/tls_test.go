package engine_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

func selfSigned(t testing.TB) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestHTTPS(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Vhosts: []engine.Vhost{{
		TLS: &engine.ServerTLS{Config: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}},
		Protocols: []callbacks.Protocol{{Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.HTTP {
				return s.Respond(200, "text/plain", []byte("hello"))
			}
			return nil
		}}},
	}}})
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer tr.CloseIdleConnections()
	cl := http.Client{Transport: tr, Timeout: patience}
	for range 3 {
		r, err := cl.Get("https://" + v.addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		t.Logf("%s %q", r.Status, b)
	}
	t.Logf("%+v", v.Stats())
}

package tlsbridge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"
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

func TestPair(t *testing.T) {
	srv := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, DynamicRecordSizingDisabled: true}
	cli := &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true}
	for range 3 {
		var s, c Conn
		s.Init(Server, srv, nil, nil)
		c.Init(Client, cli, nil, nil)
		toS, toC := []byte(nil), []byte(nil)
		r := c.Step(nil)
		toS = append(toS, r.Output...)
		for i := 0; !s.Secured() || !c.Secured(); i++ {
			if i > 10 {
				t.Fatal("no end")
			}
			if !s.Secured() && HelloWhole(toS) {
				r := s.Step(toS)
				t.Logf("server %+v err %v", r.Status, r.Err)
				toS = toS[r.Used:]
				toC = append(toC, r.Output...)
			}
			if !c.Secured() {
				r := c.Step(toC)
				t.Logf("client %+v err %v", r.Status, r.Err)
				toC = toC[r.Used:]
				toS = append(toS, r.Output...)
			}
		}
		p, used, err := c.Open(nil, toC)
		t.Log(p, used, err, len(toC))
		msg := make([]byte, 100000)
		for i := range msg {
			msg[i] = byte(i * 7)
		}
		out, err := c.Seal(nil, msg)
		if err != nil {
			t.Fatal(err)
		}
		p, used, err = s.Open(nil, out)
		if string(p) != string(msg) || used != len(out) || err != nil {
			t.Fatal(len(p), used, err)
		}
		p, used, err = s.Open(p[:0], c.CloseNotify(nil))
		t.Log(len(p), used, err)
	}
}

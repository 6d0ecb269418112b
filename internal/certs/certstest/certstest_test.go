package certstest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

// handshake runs one over loopback and returns the client's error, or else the server's.
func handshake(server, client *tls.Config) error {
	l := Must(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	b := Must(net.Dial("tcp", l.Addr().String()))
	defer b.Close()
	a := Must(l.Accept())
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(a, server).Handshake()
		a.Close()
	}()
	err := tls.Client(b, client).Handshake()
	if serverErr := <-done; err == nil {
		err = serverErr
	}
	return err
}

func TestTheZeroSpecServesLocalhost(t *testing.T) {
	ca := Must(NewCA(Spec{}))
	server := &tls.Config{Certificates: []tls.Certificate{Must(ca.Issue(Spec{})).TLS}}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := handshake(server, &tls.Config{RootCAs: ca.Pool(), ServerName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"example.test", "127.0.0.2"} {
		if err := handshake(server, &tls.Config{RootCAs: ca.Pool(), ServerName: name}); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestKindsOfKeys(t *testing.T) {
	ca := Must(NewCA(Spec{}))
	for kind, want := range map[KeyType]any{ECDSA: &ecdsa.PrivateKey{}, RSA: &rsa.PrivateKey{}, Ed25519: ed25519.PrivateKey{}} {
		issued := Must(ca.Issue(Spec{Key: kind}))
		if reflect.TypeOf(issued.TLS.PrivateKey) != reflect.TypeOf(want) {
			t.Errorf("kind %d: got a %T", kind, issued.TLS.PrivateKey)
		}
		server := &tls.Config{Certificates: []tls.Certificate{issued.TLS}}
		if err := handshake(server, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
	for _, bad := range []KeyType{-1, 3} {
		if _, err := NewCA(Spec{Key: bad}); err == nil || !strings.HasPrefix(err.Error(), "certstest: ") {
			t.Errorf("kind %d: got %v", bad, err)
		}
		if _, err := SelfSigned(Spec{Key: bad}); err == nil {
			t.Errorf("kind %d: a leaf was made", bad)
		}
	}
}

func TestASignerIsUsed(t *testing.T) {
	key := Must(NewKey(Ed25519))
	if got := Must(SelfSigned(Spec{Signer: key, Key: RSA})).TLS.PrivateKey; !key.(ed25519.PrivateKey).Equal(got.(ed25519.PrivateKey)) {
		t.Error("another key was made")
	}
}

func TestPEMIsWhatTLSHolds(t *testing.T) {
	ca := Must(Must(NewCA(Spec{Name: "Root"})).Intermediate(Spec{Name: "Between"}))
	issued := Must(ca.Issue(Spec{}))
	pair, err := tls.X509KeyPair(issued.Chain, issued.Key)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(pair.Certificate, issued.TLS.Certificate) || len(pair.Certificate) != 2 {
		t.Errorf("%d certificates in PEM, %d in TLS, want 2", len(pair.Certificate), len(issued.TLS.Certificate))
	}
	if !bytes.HasPrefix(issued.Chain, issued.Cert) || len(issued.Chain) == len(issued.Cert) {
		t.Error("the chain does not begin with the leaf")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca.PEM) || !pool.Equal(ca.Pool()) {
		t.Error("PEM and Pool of the CA differ")
	}
}

// TestIntermediatesLeadToTheRoot has two of them.
func TestIntermediatesLeadToTheRoot(t *testing.T) {
	root := Must(NewCA(Spec{Name: "Root"}))
	issued := Must(Must(Must(root.Intermediate(Spec{Name: "1"})).Intermediate(Spec{Name: "2"})).Issue(Spec{}))
	if len(issued.TLS.Certificate) != 3 {
		t.Errorf("sent with %d certificates, want 3", len(issued.TLS.Certificate))
	}
	server := &tls.Config{Certificates: []tls.Certificate{issued.TLS}}
	if err := handshake(server, &tls.Config{RootCAs: root.Pool(), ServerName: "localhost"}); err != nil {
		t.Error(err)
	}
}

func TestUsage(t *testing.T) {
	ca := Must(NewCA(Spec{}))
	server, client := Must(ca.Issue(Spec{})).TLS, Must(ca.Issue(Spec{Usage: Client, Hosts: []string{}})).TLS
	for _, c := range []struct {
		name           string
		server, client tls.Certificate
		good           bool
	}{
		{"each in its place", server, client, true},
		{"a client that serves", client, client, false},
		{"a server that calls", server, server, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := handshake(
				&tls.Config{Certificates: []tls.Certificate{c.server}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert},
				&tls.Config{Certificates: []tls.Certificate{c.client}, RootCAs: ca.Pool(), ServerName: "localhost"})
			if (err == nil) != c.good {
				t.Errorf("got %v, want it to pass: %v", err, c.good)
			}
		})
	}
}

func TestDatesAndNames(t *testing.T) {
	from := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	to := from.AddDate(1, 0, 0)
	leaf := Must(SelfSigned(Spec{NotBefore: from, NotAfter: to, Hosts: []string{"a.test", "192.0.2.7"}})).TLS.Leaf
	if !leaf.NotBefore.Equal(from) || !leaf.NotAfter.Equal(to) {
		t.Errorf("in date from %v to %v", leaf.NotBefore, leaf.NotAfter)
	}
	if leaf.Subject.CommonName != "a.test" || leaf.VerifyHostname("192.0.2.7") != nil || leaf.IsCA {
		t.Errorf("subject %v, addresses %v, CA %v", leaf.Subject, leaf.IPAddresses, leaf.IsCA)
	}
	month := Must(SelfSigned(Spec{NotBefore: from, Hosts: []string{}})).TLS.Leaf
	if !month.NotAfter.Equal(from.AddDate(0, 0, 30)) || len(month.DNSNames) > 0 {
		t.Errorf("ends %v, for %v", month.NotAfter, month.DNSNames)
	}
	if ca := Must(NewCA(Spec{Name: "Mine"})); ca.Certificate.Subject.CommonName != "Mine" || !ca.Certificate.IsCA {
		t.Errorf("CA %v", ca.Certificate.Subject)
	}
}

func TestMustPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it did not")
		}
	}()
	Must(NewCA(Spec{Key: -1}))
}

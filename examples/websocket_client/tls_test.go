package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// startSecure runs an echo server with a certificate, and returns its wss URL.
func startSecure(t *testing.T, cert wstest.Certificate) (url string) {
	t.Helper()
	e, err := engine.New(engine.Config{Loops: 1, Vhosts: []engine.Vhost{{
		Listen: []string{"tcp://127.0.0.1:0"},
		TLS:    &engine.ServerTLS{CertFile: cert.Cert, KeyFile: cert.Key},
		Protocols: []callbacks.Protocol{{Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.Receive {
				return s.Write(in, s.Kind())
			}
			return nil
		}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server: %v", err)
		}
	})
	return "wss://" + e.Addrs()[0].String() + "/"
}

func TestSecure(t *testing.T) {
	wstest.NoLeaks(t)
	cert := wstest.MakeCertificate(t)
	url := startSecure(t, cert)
	for name, args := range map[string][]string{"trusted": {"-ca", cert.CA}, "insecure": {"-insecure"}} {
		t.Run(name, func(t *testing.T) {
			p := wstest.Run(t, run, append(args, "-url", url, "-message", "by wss")...)
			p.Prints("Received message: by wss\n", 1)
			p.Interrupt()
			if err := p.Wait(); err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
}

func TestUnknownAuthority(t *testing.T) {
	url := startSecure(t, wstest.MakeCertificate(t))
	other := wstest.MakeCertificate(t)
	for name, args := range map[string][]string{"the system's": nil, "another": {"-ca", other.CA}} {
		t.Run(name, func(t *testing.T) {
			err := wstest.Run(t, run, append(args, "-url", url)...).Wait()
			if wrong, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
				t.Errorf("run: %v, %v", err, wrong)
			}
		})
	}
}

func TestBadAuthorities(t *testing.T) {
	if err := wstest.Run(t, run, "-url", "wss://127.0.0.1:1/", "-ca", "no such file").Wait(); err == nil {
		t.Error("no error for a file that is not there")
	}
}

// A server that does not speak TLS is an error, and the client never shows it a
// request.
func TestPlainServer(t *testing.T) {
	l := wstest.Listen(t)
	p := wstest.Run(t, run, "-url", "wss://"+l.Addr().String()+"/", "-insecure")
	c := wstest.Accept(t, l)
	c.Expect("\x16\x03\x01") // a record with a ClientHello
	c.Send("HTTP/1.1 400 Bad Request\r\n\r\n")
	if _, err := io.ReadAll(c.R); err != nil { // the hello's rest, and an alert
		t.Error(err)
	}
	_ = c.Close()
	if err := p.Wait(); err == nil {
		t.Error("no error")
	}
}

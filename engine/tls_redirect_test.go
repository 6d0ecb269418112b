package engine_test

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/engine"
)

// secureFar is a server by TLS that notes the certificate and the name it was asked for.
func secureFar(t *testing.T, shown, asked chan<- string, serve func(*farConn, int)) *far {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return answers(t, tls.NewListener(l, &tls.Config{
		Certificates: []tls.Certificate{issue("localhost", "other.test").TLS}, ClientAuth: tls.RequestClientCert,
		VerifyConnection: func(st tls.ConnectionState) error {
			name := ""
			if len(st.PeerCertificates) > 0 {
				name = st.PeerCertificates[0].Subject.CommonName
			}
			shown <- name
			asked <- st.ServerName
			return nil
		},
	}), serve)
}

// atHost is an address with another host.
func atHost(f *far, host string) string {
	_, port, _ := net.SplitHostPort(f.addr())
	return net.JoinHostPort(host, port)
}

// TestRedirectFromTLS is refused unless it is wanted.
func TestRedirectFromTLS(t *testing.T) {
	shown, asked := make(chan string, 9), make(chan string, 9)
	plain := answers(t, overTCP.listen(t), redirecting(0, nil))
	f := secureFar(t, shown, asked, redirecting(302, map[string]string{"/": "ws://" + plain.addr() + "/b"}))
	info, _ := engine.ParseClientURL("wss://" + atHost(f, "localhost") + "/")
	info.TLS = trust(named(""))
	o := fateOf(t, info, nil)
	o.wantHandshakeError(t, 302, "body")
	if !strings.Contains(o.err.Error(), "away from TLS") || len(o.redirects)+len(plain.requests()) > 0 {
		t.Errorf("failed by %v after %q", o.err, o.redirects)
	}
	info.Flags |= engine.AcceptTLSDowngradeRedirects
	fateOf(t, info, nil).wantEcho(t)
}

// TestRedirectToTLS expects whom the new URL names.
func TestRedirectToTLS(t *testing.T) {
	shown, asked := make(chan string, 9), make(chan string, 9)
	f := secureFar(t, shown, asked, redirecting(0, nil))
	plain := answers(t, overTCP.listen(t), redirecting(302, map[string]string{"/": "https://" + atHost(f, "localhost") + "/b"}))
	info, _ := engine.ParseClientURL("ws://" + plain.addr() + "/")
	info.TLS = trust(named("wrong.test"), showing(issueClient("me")))
	o := fateOf(t, info, nil)
	o.wantEcho(t)
	if got := receive(t, "a name", asked); got != "localhost" {
		t.Errorf("asked for %q", got)
	}
	if got := receive(t, "a certificate", shown); got != "" {
		t.Errorf("%q was shown to whom it was not meant for", got)
	}
}

// TestRedirectBetweenTLS: what was meant for the first origin, credentials and
// leniency, does not go to another one.
func TestRedirectBetweenTLS(t *testing.T) {
	shown, asked := make(chan string, 9), make(chan string, 9)
	there := secureFar(t, shown, asked, redirecting(0, nil))
	for name, c := range map[string]struct {
		host   string // whose certificate the second origin has not, in one case
		change func(*engine.ClientConnectInfo)
		ok     bool
	}{
		"the certificate stays at home": {"localhost", func(i *engine.ClientConnectInfo) { i.TLS = trust(named(""), showing(issueClient("me"))) }, true},
		"AllowInsecure is for one":      {"127.0.0.1", func(i *engine.ClientConnectInfo) { i.Flags |= engine.AllowInsecure }, false},
		"the hostname's leniency too":   {"127.0.0.1", func(i *engine.ClientConnectInfo) { i.Flags |= engine.SkipServerCertHostnameCheck }, false},
		"InsecureSkipVerify too":        {"127.0.0.1", func(i *engine.ClientConnectInfo) { i.TLS = trust(anybody) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			first := make(chan string, 9)
			here := secureFar(t, first, make(chan string, 9), redirecting(307, map[string]string{"/": "wss://" + atHost(there, c.host) + "/b"}))
			info, _ := engine.ParseClientURL("wss://" + atHost(here, "localhost") + "/")
			info.TLS = trust(named(""))
			c.change(&info)
			o := fateOf(t, info, nil)
			var bad *tls.CertificateVerificationError
			switch {
			case c.ok:
				o.wantEcho(t)
				if a, b := receive(t, "a certificate", first), receive(t, "no certificate", shown); a != "me" || b != "" {
					t.Errorf("shown %q and %q", a, b)
				}
			case !errors.As(o.err, &bad) || len(o.redirects) != 1:
				t.Errorf("failed by %v", o.err)
			}
		})
	}
}

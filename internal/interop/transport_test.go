package interop

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
	"github.com/penstock-go/penstock/internal/wstest"
)

// What is under HTTP and WebSocket: the tests hold for both.

type transport struct {
	name   string
	secure bool
}

var transports = []transport{{"tcp", false}, {"tls", true}}

// overBoth runs f for each transport.
func overBoth(t *testing.T, f func(t *testing.T, x transport)) {
	for _, x := range transports {
		t.Run(x.name, func(t *testing.T) { f(t, x) })
	}
}

// withEcho runs f for each transport with an examples/echo that speaks it.
func withEcho(t *testing.T, f func(t *testing.T, p *process)) {
	overBoth(t, func(t *testing.T, x transport) { f(t, x.startEcho(t)) })
}

func (x transport) startEcho(t testing.TB, args ...string) *process {
	t.Helper()
	if x.secure {
		args = append(args, "-cert", issue(t, certstest.Spec{Signer: echoKey}).both)
	}
	return startEcho(t, args...)
}

// serve runs a server of net/http until the test ends.
func (x transport) serve(t testing.TB, h http.Handler) (url string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	t.Cleanup(s.Close)
	if x.secure {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{issue(t, certstest.Spec{}).tls}}
		s.StartTLS()
	} else {
		s.Start()
	}
	return s.URL
}

// server is a vhost's TLS, if it has any.
func (x transport) server(t testing.TB) *engine.ServerTLS {
	t.Helper()
	if !x.secure {
		return nil
	}
	return issue(t, certstest.Spec{}).server()
}

func (x transport) connect(t testing.TB, addr string) *wstest.Conn {
	t.Helper()
	if x.secure {
		return wstest.ConnectTLS(t, addr, trust())
	}
	return wstest.Connect(t, addr)
}

// scheme is that of a URL.
func (x transport) scheme(plain string) string {
	if x.secure {
		return plain + "s://"
	}
	return plain + "://"
}

// authority has issued what all but a few tests show each other.
var authority = certstest.Must(certstest.NewCA(certstest.Spec{}))

// echoKey is the key of every examples/echo: a browser knows it by that.
var echoKey = certstest.Must(certstest.NewKey(certstest.ECDSA))

// trust makes a client of crypto/tls believe it.
func trust() *tls.Config { return &tls.Config{RootCAs: authority.Pool()} }

// ours makes the clients of a vhost believe it.
func ours() *engine.ClientTLS { return &engine.ClientTLS{CAMem: authority.PEM} }

// issued is a certificate, also in files that go with the test.
type issued struct {
	tls             tls.Certificate
	chain, private  []byte
	cert, key, both string
}

func (c issued) server() *engine.ServerTLS {
	return &engine.ServerTLS{CertMem: c.chain, KeyMem: c.private}
}

func issue(t testing.TB, s certstest.Spec) issued {
	t.Helper()
	return issueBy(t, authority, s)
}

func issueBy(t testing.TB, ca *certstest.CA, s certstest.Spec) issued {
	t.Helper()
	c := certstest.Must(ca.Issue(s))
	return issued{
		tls: c.TLS, chain: c.Chain, private: c.Key,
		cert: file(t, "cert.pem", c.Chain),
		key:  file(t, "key.pem", c.Key),
		both: file(t, "both.pem", slices.Concat(c.Key, c.Chain)),
	}
}

// caFile is the authority's certificate in a file.
func caFile(t testing.TB) string { return file(t, "ca.pem", authority.PEM) }

// file writes b where the test's end removes it.
func file(t testing.TB, name string, b []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

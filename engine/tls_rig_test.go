package engine_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// authority is the CA that both sides of these tests trust.
var authority = sync.OnceValue(func() *certstest.CA {
	return certstest.Must(certstest.NewCA(certstest.Spec{Name: "the tests' CA"}))
})

// issue makes a server's certificate for names; none means localhost.
func issue(names ...string) *certstest.Issued {
	return certstest.Must(authority().Issue(certstest.Spec{Hosts: names}))
}

// issueClient makes a client's certificate.
func issueClient(name string) *certstest.Issued {
	return certstest.Must(authority().Issue(certstest.Spec{Name: name, Usage: certstest.Client}))
}

var localhost = sync.OnceValue(func() *certstest.Issued { return issue() })

// with is st with localhost's certificate.
func with(st engine.ServerTLS) *engine.ServerTLS {
	st.CertMem, st.KeyMem = localhost().Chain, localhost().Key
	return &st
}

// serveTLS runs one callback behind TLS.
func serveTLS(t *testing.T, st *engine.ServerTLS, f callbacks.Callback) *server {
	t.Helper()
	return startTLS(t, quick, engine.Vhost{TLS: st, Protocols: []callbacks.Protocol{{Name: "test", Callback: f}}})
}

// serveRawTLS is serveTLS for raw sessions.
func serveRawTLS(t *testing.T, lim engine.Limits, f callbacks.Callback) *server {
	t.Helper()
	return startTLS(t, lim, engine.Vhost{TLS: with(engine.ServerTLS{}), RawProtocol: "raw",
		Protocols: []callbacks.Protocol{{Name: "raw", Callback: f}}})
}

// startTLS runs vhosts on one loop and one address.
func startTLS(t *testing.T, lim engine.Limits, vhosts ...engine.Vhost) *server {
	t.Helper()
	lim.DrainTimeout = quick.DrainTimeout
	return start(t, engine.Config{Loops: 1, Limits: lim, Vhosts: vhosts})
}

// onePort is an address that vhosts can share: one that was free a moment ago.
func onePort(t *testing.T) []string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return []string{"tcp://" + l.Addr().String()}
}

// tellTLS answers requests with what Session.TLS tells.
func tellTLS(s callbacks.Session, r callbacks.Reason, _ []byte) error {
	if r != callbacks.HTTP {
		return nil
	}
	return s.Respond(200, "", []byte(describe(s)))
}

// describe is "vhost sni alpn client", with "-" for what there is not.
func describe(s callbacks.Session) string {
	st := s.TLS()
	if st == nil {
		return "plaintext"
	}
	client := ""
	if len(st.PeerCertificates) > 0 {
		client = st.PeerCertificates[0].Subject.CommonName
	}
	words := []string{s.Vhost(), st.ServerName, st.NegotiatedProtocol, client}
	for i, w := range words {
		if w == "" {
			words[i] = "-"
		}
	}
	return strings.Join(words, " ")
}

// trust is a client that trusts authority and expects localhost. X25519 alone
// makes handshakes cheap.
func trust(changes ...func(*tls.Config)) *tls.Config {
	cfg := &tls.Config{RootCAs: authority().Pool(), ServerName: "localhost", CurvePreferences: []tls.CurveID{tls.X25519}}
	for _, change := range changes {
		change(cfg)
	}
	return cfg
}

// named changes whom a client expects, and names by SNI.
func named(name string) func(*tls.Config) { return func(c *tls.Config) { c.ServerName = name } }

// offering changes what a client offers by ALPN.
func offering(names ...string) func(*tls.Config) { return func(c *tls.Config) { c.NextProtos = names } }

// showing gives a client a certificate, which it shows to every CA.
func showing(c *certstest.Issued) func(*tls.Config) {
	return func(cfg *tls.Config) {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.TLS, nil }
	}
}

// tls12 makes the version 1.2, whose handshake tells a client at once what the
// server thinks of it.
func tls12(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }

// tlsPeer is a client of crypto/tls.
type tlsPeer struct {
	*peer
	tls *tls.Conn
	tcp *net.TCPConn
	tap *tap // nil if the test has put something else between
}

// tap follows the records that come: crypto/tls takes a FIN between two of them for
// a good end.
type tap struct {
	net.Conn
	head       [5]byte // of the last record
	have, left int     // of its head, and missing of its body
	records    int     // so far
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for rest := b[:n]; len(rest) > 0; {
		k := min(c.left, len(rest))
		if c.left == 0 {
			k = copy(c.head[c.have:], rest)
			if c.have += k; c.have == len(c.head) {
				c.have, c.left = 0, c.length()
				c.records++
			}
		} else {
			c.left -= k
		}
		rest = rest[k:]
	}
	return n, err
}

func (c *tap) length() int { return int(c.head[3])<<8 | int(c.head[4]) }

// alerted tells whether the last record was an alert, which in TLS 1.3 only its
// length shows.
func (c *tap) alerted() bool {
	const alert, sealed, sealedAlert = 21, 23, 2 + 1 + 16
	return c.have == 0 && c.left == 0 && (c.head[0] == alert || c.head[0] == sealed && c.length() == sealedAlert)
}

// wantCloseNotify wants the server to end properly, and to say nothing before.
func (p *tlsPeer) wantCloseNotify() {
	p.t.Helper()
	p.wantEOF()
	if !p.tap.alerted() {
		p.t.Fatal("the end came without close_notify")
	}
}

// meet connects without shaking hands.
func (v *server) meet(t *testing.T, cfg *tls.Config) *tlsPeer {
	t.Helper()
	p := v.dial(t)
	c := &tap{Conn: p.Conn}
	s := p.over(tcpOf(p), tls.Client(c, cfg))
	s.tap = c
	return s
}

func (p *peer) over(tcp *net.TCPConn, c *tls.Conn) *tlsPeer {
	return &tlsPeer{&peer{c, p.t, bufio.NewReader(c)}, c, tcp, nil}
}

// dialTLS shakes hands.
func (v *server) dialTLS(t *testing.T, cfg *tls.Config) *tlsPeer {
	t.Helper()
	p := v.meet(t, cfg)
	if err := p.tls.Handshake(); err != nil {
		t.Fatal(err)
	}
	return p
}

// refusal is why the server does not take a client. With TLS 1.3 that is known
// only when something is read.
func (v *server) refusal(t *testing.T, cfg *tls.Config) error {
	t.Helper()
	p := v.meet(t, cfg)
	err := p.tls.Handshake()
	if err == nil {
		_, err = p.tls.Read(make([]byte, 1))
	}
	if err == nil || errors.Is(err, io.EOF) {
		t.Fatalf("the server took it: %v", err)
	}
	return err
}

// wantRefusal looks for an alert.
func (v *server) wantRefusal(t *testing.T, cfg *tls.Config, alert string) {
	t.Helper()
	if err := v.refusal(t, cfg); !strings.Contains(err.Error(), "remote error: tls: "+alert) {
		t.Errorf("the client was told %q, want %q", err, alert)
	}
}

// ask sends a request for a host and returns the status and the body.
func (p *tlsPeer) ask(host string) string {
	p.t.Helper()
	p.send("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
	r, body := p.response("GET")
	return fmt.Sprintf("%d %s", r.StatusCode, body)
}

// wantTold asks and compares.
func (p *tlsPeer) wantTold(want string) {
	p.t.Helper()
	if got := p.ask("localhost"); got != "200 "+want {
		p.t.Fatalf("got %q, want %q", got, want)
	}
}

// upgradeTLS opens a WebSocket on a connection.
func (p *tlsPeer) upgradeTLS() *tlsPeer {
	p.t.Helper()
	p.send(upgradeHead, "\r\n")
	if r, _ := p.response("GET"); r.StatusCode != 101 {
		p.t.Fatalf("upgrade: %s", r.Status)
	}
	return p
}

// receive takes a value from a channel that somebody is to send.
func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
		panic("not reached")
	}
}

// tcpOf is the connection below.
func tcpOf(p *peer) *net.TCPConn { return p.Conn.(*net.TCPConn) }

package tlsbridge

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// authority issues all certificates of the tests, each key once.
var authority = sync.OnceValue(func() *certstest.CA { return certstest.Must(certstest.NewCA(always(certstest.Spec{}))) })

// always makes a Spec valid also on the clock of testing/synctest, which stands in
// the year 2000.
func always(s certstest.Spec) certstest.Spec {
	s.NotBefore = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	s.NotAfter = s.NotBefore.AddDate(100, 0, 0)
	return s
}

var issued sync.Map // kind and usage to *certstest.Issued

func cert(kind certstest.KeyType, usage certstest.Usage) *certstest.Issued {
	name := [2]int{int(kind), int(usage)}
	if have, ok := issued.Load(name); ok {
		return have.(*certstest.Issued)
	}
	made := certstest.Must(authority().Issue(always(certstest.Spec{Key: kind, Usage: usage})))
	issued.Store(name, made)
	return made
}

// configs are those of a server and a client that trust each other, for one
// version of TLS; 0 leaves the choice to them.
func configs(version uint16) (server, client *tls.Config) {
	server = &tls.Config{
		Certificates:                []tls.Certificate{cert(certstest.ECDSA, certstest.Server).TLS},
		ClientCAs:                   authority().Pool(),
		MinVersion:                  version,
		MaxVersion:                  version,
		DynamicRecordSizingDisabled: true,
	}
	client = &tls.Config{
		RootCAs:                     authority().Pool(),
		ServerName:                  "localhost",
		MinVersion:                  version,
		MaxVersion:                  version,
		DynamicRecordSizingDisabled: true,
	}
	return server, client
}

// bothVersions runs a test with TLS 1.2 and with TLS 1.3.
func bothVersions(t *testing.T, test func(t *testing.T, version uint16)) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(v), func(t *testing.T) { test(t, v) })
	}
}

// bothModes runs a test with the buffers of crypto/tls known and not.
func bothModes(t *testing.T, test func(t *testing.T)) {
	if !inside.known {
		t.Fatal("the buffers of crypto/tls are not what inside.go knows: see pin_memory_test.go")
	}
	t.Run("known", test)
	t.Run("unknown", func(t *testing.T) {
		inUnknownMode(t)
		test(t)
	})
}

// inUnknownMode makes inside.go keep its hands off until the test ends.
func inUnknownMode(t testing.TB) {
	was := inside.known
	inside.known = false
	t.Cleanup(func() { inside.known = was })
}

// everyWay is bothVersions in bothModes.
func everyWay(t *testing.T, test func(t *testing.T, version uint16)) {
	bothModes(t, func(t *testing.T) { bothVersions(t, test) })
}

// pair is two ends, and what is on its way between them.
type pair struct {
	client, server     *Conn
	toServer, toClient []byte
	serverAsks         func(tls.ConnectionState) error // nil accepts
	clientAsks         func(tls.ConnectionState) error
	mangle             func([]byte) []byte // each output of a Step; nil leaves it
}

func newPair(server, client *tls.Config) *pair {
	p := &pair{client: new(Conn), server: new(Conn)}
	p.server.Init(Server, server, nil, nil)
	p.client.Init(Client, client, nil, nil)
	return p
}

// shake completes the handshake, and lets the client have the tickets.
func (p *pair) shake() (server, client error) {
	for range 20 {
		if client == nil && !p.client.Secured() {
			client = p.step(p.client, &p.toClient, &p.toServer, p.clientAsks)
		}
		if server == nil && !p.server.Secured() && HelloWhole(p.toServer) {
			server = p.step(p.server, &p.toServer, &p.toClient, p.serverAsks)
		}
		if p.server.Secured() && p.client.Secured() {
			_, used, err := p.client.Open(nil, p.toClient)
			p.toClient = p.toClient[used:]
			return server, err
		}
		if server != nil && client != nil {
			return server, client
		}
	}
	return cmp.Or(server, errStuck), cmp.Or(client, errStuck)
}

var errStuck = errors.New("nobody goes on")

// step is one end's turn.
func (p *pair) step(c *Conn, in, out *[]byte, asks func(tls.ConnectionState) error) error {
	r := c.Step(*in)
	for {
		*in = (*in)[r.Used:]
		if p.mangle != nil {
			r.Output = p.mangle(r.Output)
		}
		*out = append(*out, r.Output...)
		if r.Status != Asking {
			return r.Err
		}
		var verdict error
		if asks != nil {
			verdict = asks(c.State())
		}
		c.Answer(verdict)
		r = c.Step(nil)
	}
}

// secured is a pair whose handshake is done.
func secured(t testing.TB, server, client *tls.Config) *pair {
	t.Helper()
	p := newPair(server, client)
	if s, c := p.shake(); s != nil || c != nil {
		t.Fatalf("server: %v; client: %v", s, c)
	}
	if len(p.toServer)+len(p.toClient) != 0 {
		t.Fatalf("%d and %d bytes are left of the handshake", len(p.toServer), len(p.toClient))
	}
	return p
}

// carry sends message from one end to the other, and wants it there.
func carry(t testing.TB, from, to *Conn, message []byte) {
	t.Helper()
	sealed, err := from.Seal(nil, message)
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) > Sealed(len(message)) {
		t.Errorf("%d bytes have become %d, and Sealed says %d", len(message), len(sealed), Sealed(len(message)))
	}
	got, used, err := to.Open(nil, sealed)
	if err != nil || used != len(sealed) || !bytes.Equal(got, message) {
		t.Fatalf("%d bytes arrived of %d, %d used of %d: %v", len(got), len(message), used, len(sealed), err)
	}
	if to.in != nil {
		t.Error("Open keeps the caller's bytes")
	}
}

// part says goodbye on both sides.
func (p *pair) part(t testing.TB) {
	t.Helper()
	for _, way := range []struct{ from, to *Conn }{{p.client, p.server}, {p.server, p.client}} {
		bye := way.from.CloseNotify(nil)
		if got, used, err := way.to.Open(nil, bye); err != io.EOF || used != len(bye) || len(got) != 0 {
			t.Errorf("close_notify: %q, %d used of %d, %v", got, used, len(bye), err)
		}
	}
}

// pattern is n bytes that do not repeat at a record's length.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

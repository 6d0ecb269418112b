package engine

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// issuer is the tickets' side of a vhost whose clock the test sets.
type issuer struct {
	*serverTLS
	t   *testing.T
	now time.Time
}

func newIssuer(t *testing.T, change func(*tls.Config)) *issuer {
	t.Helper()
	i := &issuer{t: t, now: time.Now()}
	c := certstest.Must(certstest.SelfSigned(certstest.Spec{}))
	cfg := &tls.Config{Certificates: []tls.Certificate{c.TLS}, Time: func() time.Time { return i.now }}
	change(cfg)
	nothing := func(callbacks.Session, callbacks.Reason, []byte) error { return nil }
	e, err := New(Config{Vhosts: []Vhost{{TLS: &ServerTLS{Config: cfg}, Protocols: []callbacks.Protocol{{Callback: nothing}}}}})
	if err != nil {
		t.Fatal(err)
	}
	i.serverTLS = e.vhosts[0].tls
	return i
}

// handshake is one of TLS 1.2, within which a ticket comes. The client tries what is
// in its cache.
func (i *issuer) handshake(cache tls.ClientSessionCache) (resumed bool) {
	i.t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	done := make(chan error, 1)
	go func() { done <- tls.Server(b, i.current.Load()).Handshake() }()
	client := tls.Client(a, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", ClientSessionCache: cache, MaxVersion: tls.VersionTLS12})
	if err := client.Handshake(); err != nil {
		i.t.Fatal(err)
	}
	if err := <-done; err != nil {
		i.t.Fatal(err)
	}
	return client.ConnectionState().DidResume
}

// ticket is what a new client has been given.
func (i *issuer) ticket() []byte {
	i.t.Helper()
	cache := tls.NewLRUClientSessionCache(1)
	i.handshake(cache)
	s, ok := cache.Get("localhost")
	if !ok {
		i.t.Fatal("no ticket")
	}
	b, _, err := s.ResumptionState()
	if err != nil {
		i.t.Fatal(err)
	}
	return b
}

// opens tells whether there still is a key for b.
func (i *issuer) opens(b []byte) bool {
	i.t.Helper()
	s, err := i.current.Load().UnwrapSession(b, tls.ConnectionState{})
	if err != nil {
		i.t.Fatal(err)
	}
	return s != nil
}

// TestTLSTicketKeysAreRenewed: daily, and they are forgotten after a week, so that
// who steals the keys of today reads little of what was recorded. Before that neither
// a renewal nor a new certificate costs a client its ticket.
func TestTLSTicketKeysAreRenewed(t *testing.T) {
	i := newIssuer(t, func(*tls.Config) {})
	from := i.now
	at := func(d time.Duration) { i.now = from.Add(d) }
	cache := tls.NewLRUClientSessionCache(1)
	i.handshake(cache)
	first := i.ticket()

	at(25 * time.Hour)
	second := i.ticket() // by a new key
	if !i.opens(first) || !i.opens(second) || !i.handshake(cache) {
		t.Error("a ticket of yesterday is no good")
	}
	next := certstest.Must(certstest.SelfSigned(certstest.Spec{}))
	i.replace(&next.TLS)
	if !i.opens(first) || !i.opens(second) {
		t.Error("the keys did not outlive the certificate")
	}
	at(7*24*time.Hour - time.Minute)
	if !i.opens(first) {
		t.Error("a ticket of this week is no good")
	}
	at(8 * 24 * time.Hour)
	if i.opens(first) {
		t.Error("there still is a key of last week")
	}
	if !i.opens(second) {
		t.Error("the ticket of the second day has no key of its own")
	}
	if i.handshake(cache) {
		t.Error("a session of last week was resumed")
	}
	at(9 * 24 * time.Hour)
	if i.opens(second) {
		t.Error("there still is the second key of last week")
	}
}

// TestTLSTicketKeysOfTheUser stay, and open the tickets of another server that has
// them.
func TestTLSTicketKeysOfTheUser(t *testing.T) {
	keys := func(c *tls.Config) { c.SetSessionTicketKeys([][32]byte{{1, 2, 3}}) }
	one, two, stranger := newIssuer(t, keys), newIssuer(t, keys), newIssuer(t, func(*tls.Config) {})
	b := one.ticket()
	one.now = one.now.Add(30 * 24 * time.Hour)
	if !one.opens(b) || !two.opens(b) || stranger.opens(b) {
		t.Error("the tickets do not go by the user's keys")
	}
}

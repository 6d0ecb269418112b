package engine_test

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// TestTLSSameTicketKeysAreNoWayAround: a program may give two vhosts the same keys,
// or the same Config; a ticket still is that of the vhost which made it.
func TestTLSSameTicketKeysAreNoWayAround(t *testing.T) {
	cfg := new(tls.Config)
	cfg.SetSessionTicketKeys([][32]byte{{1}})
	list := vhostsFor(t, "a.test", "b.test")
	list[0].TLS.Config, list[1].TLS.Config = cfg, cfg
	v := startTLS(t, quick, list...)
	for _, version := range []func(*tls.Config){tls12, func(*tls.Config) {}} {
		client := []func(*tls.Config){believing(), version}
		for _, want := range []bool{false, true} {
			if got := v.resumes(t, trust(append(client, named("a.test"))...)); got != want {
				t.Errorf("resumed %v where the ticket is from", got)
			}
		}
		if v.resumes(t, trust(append(client, named("b.test"))...)) {
			t.Error("resumed at another vhost")
		}
	}
}

// TestTLSUpdateCertWhileCAsAreAdded: neither may undo the other.
func TestTLSUpdateCertWhileCAsAreAdded(t *testing.T) {
	second := issue("localhost")
	var e atomic.Pointer[engine.Engine]
	v, err := engine.New(engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{Listen: []string{"tcp://127.0.0.1:0"},
		TLS: with(engine.ServerTLS{}), Protocols: []callbacks.Protocol{{Name: "test",
			Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				if r == callbacks.OpenSSLLoadExtraServerVerifyCerts {
					if err := e.Load().UpdateCert("", second.Chain, second.Key); err != nil {
						t.Error(err)
					}
					s.VerifyCerts().AddCert(authority().Certificate)
				}
				return tellTLS(s, r, in)
			}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	e.Store(v)
	if err := v.Listen(); err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { ran <- v.Run(ctx) }()
	at := &server{Engine: v, addr: v.Addrs()[0].String()}
	at.wantRefusal(t, trust(tls12), "handshake failure")
	p := at.dialTLS(t, trust(showing(issueClient("alice"))))
	p.wantTold("- localhost - alice")
	if !p.tls.ConnectionState().PeerCertificates[0].Equal(second.TLS.Leaf) {
		t.Error("the certificate is the old one")
	}
	stop()
	<-ran
}

// TestTLSRecordsOfLittleComeInTurns: a read full of records that carry next to nothing
// is not opened at once, and nothing of it is lost.
func TestTLSRecordsOfLittleComeInTurns(t *testing.T) {
	const records = 20_000
	var most, got int
	ended := make(chan error, 1)
	v := startTLS(t, engine.Limits{}, engine.Vhost{TLS: with(engine.ServerTLS{}), RawProtocol: "raw",
		Protocols: []callbacks.Protocol{{Name: "raw", Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.RawRX:
				most = max(most, len(in))
				for _, b := range in {
					if b != byte(got) {
						t.Errorf("byte %d is %d", got, b)
					}
					got++
				}
			case callbacks.RawClose:
				ended <- s.Err()
			}
			return nil
		}}}})
	p := v.dial(t)
	w := &gather{Conn: p.Conn}
	c := tls.Client(w, trust())
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	w.on = true
	for i := range records {
		if _, err := c.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.CloseWrite() // which leaves a write deadline in the past
	_ = p.SetDeadline(time.Now().Add(patience))
	if _, err := p.Write(w.held); err != nil {
		t.Fatal(err)
	}
	_ = tcpOf(p).CloseWrite()
	if err := receive(t, "the session ends", ended); err != nil || got != records {
		t.Errorf("%d bytes of %d: %v", got, records, err)
	}
	if limit := 8<<10/23 + 1; most > limit { // a record of one byte has 23
		t.Errorf("%d bytes came at once, and %d are a turn's", most, limit)
	}
}

// gather holds back what is written, when it is on.
type gather struct {
	net.Conn
	on   bool
	held []byte
}

func (g *gather) Write(b []byte) (int, error) {
	if !g.on {
		return g.Conn.Write(b)
	}
	g.held = append(g.held, b...)
	return len(b), nil
}

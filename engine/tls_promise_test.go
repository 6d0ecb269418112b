package engine_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// TestTLSNameWithoutHost: a client of HTTP/1.0 that has named a vhost by SNI need not
// name it again.
func TestTLSNameWithoutHost(t *testing.T) {
	v := startTLS(t, quick, vhostsFor(t, "", "b.test")...)
	for sni, want := range map[string]string{"b.test": "b.test b.test - -", "default": "- default - -"} {
		p := v.dialTLS(t, trust(named(sni)))
		p.send("GET / HTTP/1.0\r\n\r\n").want(200, want)
		p.wantCloseNotify()
	}
}

// TestTLSAnyCAAsksForCertificates, wherever it is from.
func TestTLSAnyCAAsksForCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		st  engine.ServerTLS
		add bool
	}{
		"Config":                     {st: engine.ServerTLS{Config: &tls.Config{ClientCAs: authority().Pool()}}},
		"the program":                {add: true},
		"the program, to an old one": {engine.ServerTLS{Config: &tls.Config{ClientCAs: x509.NewCertPool()}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := serveTLS(t, with(c.st), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				if r == callbacks.OpenSSLLoadExtraServerVerifyCerts && c.add {
					s.VerifyCerts().AddCert(authority().Certificate)
				}
				return tellTLS(s, r, in)
			})
			v.wantRefusal(t, trust(), "certificate required")
			v.dialTLS(t, trust(showing(issueClient("alice")))).wantTold("- localhost - alice")
		})
	}
	looks := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.OpenSSLLoadExtraServerVerifyCerts {
			_ = s.VerifyCerts()
		}
		return tellTLS(s, r, in)
	}
	serveTLS(t, with(engine.ServerTLS{}), looks).dialTLS(t, trust()).wantTold("- localhost - -")
}

// TestTLSVerifyingNeedsACA: the system's would vouch for anybody.
func TestTLSVerifyingNeedsACA(t *testing.T) {
	over, cancel := context.WithCancel(t.Context()) // or Run would go on
	cancel()
	for _, mode := range []tls.ClientAuthType{tls.VerifyClientCertIfGiven, tls.RequireAndVerifyClientCert} {
		for name, st := range map[string]engine.ServerTLS{"ServerTLS": {ClientAuth: mode}, "Config": {Config: &tls.Config{ClientAuth: mode}}} {
			e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{Listen: []string{"tcp://127.0.0.1:0"}, TLS: with(st),
				Protocols: []callbacks.Protocol{{Name: "test", Callback: tellTLS}}}}})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Run(over); !errors.Is(err, engine.ErrConfig) {
				t.Errorf("%v by %s: Run returned %v", mode, name, err)
			}
		}
	}
}

// TestTLSHandlesOfRawSessionsDuringTheHandshake: what they ask for comes behind its end.
func TestTLSHandlesOfRawSessionsDuringTheHandshake(t *testing.T) {
	for name, plaintext := range map[string]bool{"TLS": false, "served plaintext": true} {
		t.Run(name, func(t *testing.T) {
			handles, heard := make(chan callbacks.Handle, 1), make(chan callbacks.Reason, 16)
			v := startTLS(t, quick, engine.Vhost{TLS: with(engine.ServerTLS{Plaintext: engine.PlaintextServe}), RawProtocol: "raw",
				Protocols: []callbacks.Protocol{{Name: "raw", Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
					switch r {
					case callbacks.WSICreate:
						handles <- s.Handle()
					case callbacks.RawAdopt, callbacks.RawWriteable:
						heard <- r
					case callbacks.RawRX:
						return s.Write(in, callbacks.WriteRaw)
					}
					return nil
				}}}})
			p := v.dial(t)
			h := receive(t, "the session", handles)
			delivered := make(chan struct{})
			err := errors.Join(h.RequestWriteable(), h.Write([]byte("early "), callbacks.WriteRaw), h.Write([]byte("and earlier "), callbacks.WriteRaw),
				h.Post(func(callbacks.Session) error { close(delivered); return nil }))
			if err != nil {
				t.Fatal(err)
			}
			receive(t, "all of it waits", delivered)
			if !plaintext {
				p = p.over(tcpOf(p), tls.Client(p.Conn, trust())).peer
			}
			p.send("echo")
			got := make([]byte, len("early and earlier echo"))
			if _, err := io.ReadFull(p.r, got); string(got) != "early and earlier echo" {
				t.Errorf("got %q, %v", got, err)
			}
			for _, want := range []callbacks.Reason{callbacks.RawAdopt, callbacks.RawWriteable} {
				if got := receive(t, want.String(), heard); got != want {
					t.Errorf("the program heard %v, want %v", got, want)
				}
			}
		})
	}
}

// TestTLSEarlyWritesHaveALimit: that of the send queue.
func TestTLSEarlyWritesHaveALimit(t *testing.T) {
	handles := make(chan callbacks.Handle, 1)
	f, ends := sessionEnds(func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.WSICreate {
			handles <- s.Handle()
		}
		return nil
	})
	const most = 1 << 20
	v := serveRawTLS(t, engine.Limits{SendQueue: most, SendHigh: most}, f)
	v.dial(t)
	h := receive(t, "the session", handles)
	for range 2 {
		if err := h.Write(make([]byte, most/2+1), callbacks.WriteRaw); err != nil {
			t.Fatal(err)
		}
	}
	if err := receive(t, "the session ends", ends); !errors.Is(err, callbacks.ErrSendQueueFull) {
		t.Errorf("it ended with %v", err)
	}
}

// logged is a Logger's output, line by line.
type logged chan string

func (l logged) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// TestTLSPanicOfTheConfigIsReported like that of a callback of the program's.
func TestTLSPanicOfTheConfigIsReported(t *testing.T) {
	f, ends := sessionEnds(tellTLS)
	log := make(logged, 16)
	cfg := &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName == "bad.test" {
			explode()
		}
		return &localhost().TLS, nil
	}}
	v := start(t, engine.Config{Loops: 1, Limits: quick, Logger: slog.New(slog.NewTextHandler(log, nil)), Vhosts: []engine.Vhost{{
		TLS: &engine.ServerTLS{Config: cfg}, Protocols: []callbacks.Protocol{{Name: "test", Callback: f}}}}})
	open := v.dialTLS(t, trust())
	open.wantTold("- localhost - -")
	bad := v.meet(t, trust(named("bad.test")))
	if err := bad.tls.Handshake(); err == nil {
		t.Error("the handshake was completed")
	}
	_ = bad.Close()
	var p *engine.PanicError
	if err := receive(t, "the session ends", ends); !errors.As(err, &p) || p.Value != "boom" || !strings.Contains(string(p.Stack), "explode") {
		t.Errorf("it ended with %v", err)
	}
	if line := receive(t, "a line of the log", log); !strings.Contains(line, "level=ERROR") || !strings.Contains(line, "boom") || !strings.Contains(line, "explode") {
		t.Errorf("logged: %s", line)
	}
	open.wantTold("- localhost - -")
	v.dialTLS(t, trust()).wantTold("- localhost - -")
}

func explode() { panic("boom") }

// TestTLSConfigForClientHasItsLimits: it chooses the certificate by itself, and cannot
// promise what the engine does not speak.
func TestTLSConfigForClientHasItsLimits(t *testing.T) {
	own := &tls.Config{Certificates: []tls.Certificate{localhost().TLS}, NextProtos: []string{"h2", "http/1.1"}}
	v := serveTLS(t, &engine.ServerTLS{Config: &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return own, nil }}}, tellTLS)
	v.dialTLS(t, trust(offering("h2", "http/1.1"))).wantTold("- localhost http/1.1 -")
	v.wantRefusal(t, trust(offering("h2")), "no application protocol")
	next := issue("second", "localhost")
	if err := v.UpdateCert("", next.Chain, next.Key); !errors.Is(err, engine.ErrConfig) {
		t.Errorf("UpdateCert returned %v", err)
	}
	if got := v.shown(t, trust()); got != "localhost" {
		t.Errorf("the certificate is that of %q", got)
	}
}

// TestTLSIsNothingWithoutAHandshake: a session that never got so far has no TLS to
// tell of when it ends.
func TestTLSIsNothingWithoutAHandshake(t *testing.T) {
	states := make(chan *tls.ConnectionState, 1)
	var inAsking *tls.ConnectionState
	f := func(do func(s callbacks.Session) error) callbacks.Callback {
		return func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.OpenSSLPerformClientCertVerification:
				inAsking = s.TLS()
				return do(s)
			case callbacks.WSIDestroy:
				states <- s.TLS()
			}
			return tellTLS(s, r, in)
		}
	}
	for name, do := range map[string]func(s callbacks.Session) error{
		"refused": func(callbacks.Session) error { return errors.New("no") },
		"closed":  func(s callbacks.Session) error { return s.Close(0, "") },
	} {
		v := serveTLS(t, with(engine.ServerTLS{ClientAuth: tls.RequestClientCert}), f(do))
		p := v.meet(t, trust(showing(issueClient("alice"))))
		_ = p.tls.Handshake()
		_ = p.hangUp()
		if st := receive(t, "the session ends", states); st != nil || inAsking == nil {
			t.Errorf("%s: %v at the end, %v before", name, st, inAsking)
		}
		silent := v.dial(t)
		_ = silent.Close()
		if st := receive(t, "the session ends", states); st != nil {
			t.Errorf("silent: %v", st)
		}
	}
}

// TestHSTSInWholeSeconds: less than one would tell browsers to forget.
func TestHSTSInWholeSeconds(t *testing.T) {
	for d, ok := range map[time.Duration]bool{-time.Second: false, -1: false, 1: false, time.Second - 1: false, 0: true, time.Second: true} {
		_, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{TLS: with(engine.ServerTLS{HSTS: d}),
			Protocols: []callbacks.Protocol{{Callback: nothing}}}}})
		if ok != (err == nil) || !ok && !errors.Is(err, engine.ErrConfig) {
			t.Errorf("HSTS of %v: %v", d, err)
		}
	}
}

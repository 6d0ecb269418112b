package engine_test

import (
	"context"
	"crypto/tls"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/engine"
)

// TestTLSCallbacksOfTheConfigFail: whatever the user's tls.Config does ends one
// handshake, and no more.
func TestTLSCallbacksOfTheConfigFail(t *testing.T) {
	type getCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	at := func(name string, do func() error) getCertificate {
		return func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if h.ServerName == name {
				if err := do(); err != nil {
					return nil, err
				}
			}
			return &localhost().TLS, nil
		}
	}
	good := at("nobody", nil)
	no := errors.New("no such thing")
	boom := func() error { panic("boom") }
	leave := func() error { runtime.Goexit(); return nil }
	for name, cfg := range map[string]*tls.Config{
		"GetCertificate fails":  {GetCertificate: at("bad.test", func() error { return no })},
		"GetCertificate panics": {GetCertificate: at("bad.test", boom)},
		"GetCertificate leaves": {GetCertificate: at("bad.test", leave)},
		"GetConfigForClient fails": {GetCertificate: good, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			_, err := at("bad.test", func() error { return no })(h)
			return nil, err
		}},
		"GetConfigForClient panics": {GetCertificate: good, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			_, err := at("bad.test", boom)(h)
			return nil, err
		}},
		"VerifyConnection panics": {GetCertificate: good, VerifyConnection: func(st tls.ConnectionState) error {
			_, err := at("bad.test", boom)(&tls.ClientHelloInfo{ServerName: st.ServerName})
			return err
		}},
		"VerifyConnection panics before the program is asked": {GetCertificate: good, ClientAuth: tls.RequestClientCert,
			VerifyConnection: func(st tls.ConnectionState) error {
				_, err := at("bad.test", boom)(&tls.ClientHelloInfo{ServerName: st.ServerName})
				return err
			}},
	} {
		t.Run(name, func(t *testing.T) {
			f, ends := sessionEnds(tellTLS)
			v := startTLS(t, engine.Limits{TLSHandshakes: 1, TLSHandshakeSteps: 1}, engine.Vhost{TLS: &engine.ServerTLS{Config: cfg},
				Protocols: []callbacks.Protocol{{Name: "test", Callback: f}}})
			for range 3 {
				bad := v.meet(t, trust(named("bad.test")))
				if err := bad.tls.Handshake(); err == nil {
					_ = bad.hangUp() // TLS 1.3 tells when something is read
				}
				_ = bad.Close()
				err := receive(t, "the session ends", ends)
				if err == nil || strings.HasSuffix(name, "panics") && !strings.Contains(err.Error(), "boom") {
					t.Errorf("the session ended with %v", err)
				}
			}
			v.dialTLS(t, trust()).wantTold("- localhost - -")
			eventually(t, "all is counted", func() bool {
				st := v.Stats()
				return st.TLSFailed == 3 && st.TLSHandshakes == 1 && st.TLSPending == 0
			})
		})
	}
}

// TestTLSConfigForClient: a user's GetConfigForClient still has the last word, and the
// program's verification holds for what it returns.
func TestTLSConfigForClient(t *testing.T) {
	other := issue("other", "localhost")
	refuse := errors.New("no")
	cfg := &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName == "none" {
			return nil, nil // the vhost's own
		}
		return &tls.Config{Certificates: []tls.Certificate{other.TLS}, ClientAuth: tls.RequireAnyClientCert}, nil
	}}
	v := serveTLS(t, with(engine.ServerTLS{Config: cfg}), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.OpenSSLPerformClientCertVerification && s.TLS().PeerCertificates[0].Subject.CommonName == "mallory" {
			return refuse
		}
		return tellTLS(s, r, in)
	})
	if got := v.shown(t, trust(showing(issueClient("alice")))); got != "other" {
		t.Errorf("the certificate is that of %q", got)
	}
	v.wantRefusal(t, trust(showing(issueClient("mallory"))), "bad certificate")
	v.wantRefusal(t, trust(), "certificate required")
	if got := v.shown(t, trust(named("none"), func(c *tls.Config) { c.InsecureSkipVerify = true })); got != "localhost" {
		t.Errorf("the certificate is that of %q", got)
	}
}

// TestTLSClosedWhileVerifying: the callback that is asked may also close, or panic.
func TestTLSClosedWhileVerifying(t *testing.T) {
	for name, do := range map[string]func(s callbacks.Session) error{
		"Close":        func(s callbacks.Session) error { return s.Close(0, "") },
		"Handle.Close": func(s callbacks.Session) error { return s.Handle().Close(0, "") },
		"panic":        func(callbacks.Session) error { panic("boom") },
		"ErrClose":     func(callbacks.Session) error { return callbacks.ErrClose },
	} {
		var rec callbackstest.Recorder
		v := serveTLS(t, with(engine.ServerTLS{ClientAuth: tls.RequestClientCert}),
			rec.Wrap(func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				if r == callbacks.OpenSSLPerformClientCertVerification {
					return do(s)
				}
				return tellTLS(s, r, in)
			}))
		p := v.meet(t, trust(showing(issueClient("alice"))))
		_ = p.tls.Handshake()
		_ = p.hangUp()
		eventually(t, name+": the session ends", func() bool { return v.Stats().Sessions == 0 && v.Stats().TLSPending == 0 })
		if f := rec.Faults(); len(f) > 0 || rec.Open() > 0 {
			t.Errorf("%s: %v", name, f)
		}
	}
	to, _ := listenTLS(t, showingTLS(localhost()))
	for name, do := range map[string]func(s callbacks.Session) error{
		"Close":  func(s callbacks.Session) error { return s.Close(0, "") },
		"panic":  func(callbacks.Session) error { panic("boom") },
		"an err": func(callbacks.Session) error { return errors.New("no") },
	} {
		d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.OpenSSLPerformServerCertVerification {
				return do(s)
			}
			return nil
		})
		if o := d.connect(to); o.err == nil {
			t.Errorf("%s: the client is connected", name)
		}
	}
}

// TestTLSShutdownDuringHandshakes: those in the middle, those that wait and those that
// are silent do not keep Run.
func TestTLSShutdownDuringHandshakes(t *testing.T) {
	v := serveStalling(t, engine.Limits{TLSHandshakes: 2, TLSHandshakesPerIP: 2})
	for range 4 {
		v.stall(t, "127.0.0.1")
	}
	v.dial(t).send(clientHello(t)[:30])
	v.dial(t)
	eventually(t, "all are there", func() bool {
		st := v.Stats()
		return st.Sessions == 6 && st.TLSPending == 2 && st.TLSWaiting == 2
	})
	d := connecting(t, nil, nil) // and a client whose server says nothing
	l := newListener(t)
	if _, err := d.Connect(engine.ClientConnectInfo{Address: "127.0.0.1", Port: portOf(l), Flags: engine.UseSSL, UserData: make(chan outcome, 1)}); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Read(make([]byte, 4096)) // its ClientHello
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, s := range []*server{v, d.server} {
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if st := s.Stats(); st.Sessions != 0 || st.TLSPending != 0 || st.TLSWaiting != 0 {
			t.Errorf("left: %+v", st)
		}
	}
}

// TestTLSShutdownWaitsForAKey: a callback that blocks is a goroutine of the engine's,
// and Run does not return before it.
func TestTLSShutdownWaitsForAKey(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	cfg := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		close(entered)
		<-leave
		return &localhost().TLS, nil
	}}
	v := serveTLS(t, &engine.ServerTLS{Config: cfg}, nothing)
	p := v.meet(t, trust())
	done := make(chan error, 1)
	go func() { done <- p.tls.Handshake() }()
	receive(t, "the callback blocks", entered)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := v.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v while a callback of the tls.Config runs", err)
	}
	if err := receive(t, "the client is cut off", done); err == nil {
		t.Error("the handshake was completed")
	}
	close(leave)
	if err := v.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestTLSHandlesDuringTheHandshake: they may be used from the session's first
// callback on.
func TestTLSHandlesDuringTheHandshake(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(h callbacks.Handle) error
		ends bool
	}{
		"Close":            {func(h callbacks.Handle) error { return h.Close(0, "") }, true},
		"RequestWriteable": {callbacks.Handle.RequestWriteable, false},
		"Post": {func(h callbacks.Handle) error {
			return h.Post(func(s callbacks.Session) error {
				if s.TLS() != nil || !errors.Is(s.Write([]byte("early"), callbacks.WriteRaw), callbacks.ErrRole) || s.Buffered() != 0 {
					return errors.New("there is something before TLS")
				}
				s.PauseReading()
				s.ResumeReading()
				return nil
			})
		}, false},
		"Timer": {func(h callbacks.Handle) error {
			return h.Post(func(s callbacks.Session) error { s.SetTimer(time.Nanosecond); return nil })
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			handles := make(chan callbacks.Handle, 1)
			f, ends := sessionEnds(func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				if r == callbacks.WSICreate {
					handles <- s.Handle()
				}
				return tellTLS(s, r, in)
			})
			v := startTLS(t, engine.Limits{TLSHandshakeTimeout: time.Hour}, engine.Vhost{TLS: with(engine.ServerTLS{}),
				Protocols: []callbacks.Protocol{{Name: "test", Callback: f}}})
			p := v.stall(t, "127.0.0.1")
			h := receive(t, "the session", handles)
			eventually(t, "the handshake has begun", func() bool { return v.Stats().TLSPending == 1 })
			if err := c.do(h); err != nil {
				t.Fatal(err)
			}
			if c.ends {
				receive(t, "the session ends", ends)
				if err := h.Write(nil, callbacks.WriteRaw); !errors.Is(err, callbacks.ErrClosed) {
					t.Errorf("Write returned %v behind the end", err)
				}
				return
			}
			p.goOn()
			p.wantTold("- localhost - -")
		})
	}
}

// TestTLSClientHandleWritesDuringTheHandshake: a client's writes wait for the end of
// both handshakes, as they do without TLS.
func TestTLSClientHandleWritesDuringTheHandshake(t *testing.T) {
	got := make(chan string, 1)
	v := serveTLS(t, with(engine.ServerTLS{}), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.Receive {
			got <- string(in)
		}
		return nil
	})
	d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, nil)
	info, err := engine.ParseClientURL("wss://" + v.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	h, err := d.Connect(info)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Write([]byte("early"), callbacks.WriteText); err != nil {
		t.Fatal(err)
	}
	if text := receive(t, "the message", got); text != "early" {
		t.Errorf("got %q", text)
	}
}

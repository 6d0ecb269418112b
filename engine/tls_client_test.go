package engine_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// outcome is what became of one Connect: an error, or what Session.TLS said.
type outcome struct {
	err   error
	text  string // that came with ClientConnectionError
	state *tls.ConnectionState
}

// dialers is an engine of clients.
type dialers struct {
	*server
	t *testing.T
}

// connecting runs an engine whose raw clients report what becomes of them, and
// close. f may be nil.
func connecting(t *testing.T, from *engine.ClientTLS, f callbacks.Callback) *dialers {
	t.Helper()
	report := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		to, ok := s.UserData().(chan outcome)
		if !ok {
			to = make(chan outcome, 1) // nobody wants to know
		}
		switch r {
		case callbacks.RawConnected:
			to <- outcome{state: s.TLS()}
			if s.TLS() == nil {
				return errors.New("connected without TLS")
			}
			_ = s.Write([]byte("!"), callbacks.WriteRaw)
		case callbacks.RawRX: // tickets have come before it
			return callbacks.ErrClose
		case callbacks.ClientConnectionError:
			to <- outcome{err: s.Err(), text: string(in)}
		default:
			if f != nil {
				return f(s, r, in)
			}
		}
		return nil
	}
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{Listen: []string{},
		ClientTLS: from, Protocols: []callbacks.Protocol{{Name: "raw", Callback: report}}}}})
	return &dialers{v, t}
}

// connect connects once. The session has ended when it returns, so that its
// ticket is there.
func (d *dialers) connect(info engine.ClientConnectInfo) outcome {
	d.t.Helper()
	to := make(chan outcome, 2)
	info.Method, info.UserData = "RAW", to
	info.Flags |= engine.UseSSL
	if _, err := d.Connect(info); err != nil {
		d.t.Fatal(err)
	}
	o := receive(d.t, "the client is connected or fails", to)
	eventually(d.t, "the client's session ends", func() bool { return d.Stats().Sessions == 0 })
	return o
}

func newListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// listenTLS is a server of crypto/tls that answers one byte with "?" and then waits for
// the client's end; it reports each handshake.
func listenTLS(t *testing.T, cfg *tls.Config) (engine.ClientConnectInfo, <-chan tls.ConnectionState) {
	t.Helper()
	l := newListener(t)
	seen := make(chan tls.ConnectionState, 64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				s := tls.Server(c, cfg)
				if s.Handshake() != nil {
					return
				}
				seen <- s.ConnectionState()
				_, _ = io.ReadFull(s, make([]byte, 1))
				_, _ = io.WriteString(s, "?")
				_, _ = io.Copy(io.Discard, s)
			}()
		}
	}()
	return engine.ClientConnectInfo{Address: "localhost", Port: portOf(l)}, seen
}

// showingTLS is a server's configuration.
func showingTLS(c *certstest.Issued) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.TLS}, CurvePreferences: []tls.CurveID{tls.X25519}}
}

// TestTLSClientCASources: by whom a server may be vouched for.
func TestTLSClientCASources(t *testing.T) {
	to, _ := listenTLS(t, showingTLS(localhost()))
	ca := authority()
	for name, from := range map[string]*engine.ClientTLS{
		"memory":                 {CAMem: ca.PEM},
		"memory with NUL":        {CAMem: append(append([]byte(nil), ca.PEM...), 0)},
		"DER":                    {CAMem: ca.Certificate.Raw},
		"file":                   {CAFile: write(t, "ca.pem", ca.PEM)},
		"Config":                 {Config: &tls.Config{RootCAs: ca.Pool()}},
		"memory, not the others": {CAMem: ca.PEM, CAFile: "no such file", Config: &tls.Config{RootCAs: x509.NewCertPool()}},
	} {
		if o := connecting(t, from, nil).connect(to); o.err != nil || len(o.state.VerifiedChains) == 0 {
			t.Errorf("%s: %v", name, o.err)
		}
	}
	other := certstest.Must(certstest.NewCA(certstest.Spec{Name: "other"}))
	for name, from := range map[string]*engine.ClientTLS{
		"the system's, without a ClientTLS": nil,
		"the system's":                      {},
		"another CA":                        {CAMem: other.PEM},
		"another CA in Config":              {Config: &tls.Config{RootCAs: other.Pool()}},
	} {
		o := connecting(t, from, nil).connect(to)
		var unverified *tls.CertificateVerificationError
		var unknown x509.UnknownAuthorityError
		if !errors.As(o.err, &unverified) || !errors.As(o.err, &unknown) {
			t.Errorf("%s: %v", name, o.err)
		} else if !unverified.UnverifiedCertificates[0].Equal(localhost().TLS.Leaf) || o.text != o.err.Error() {
			t.Errorf("%s: the error does not tell enough: %q", name, o.text)
		}
	}
}

// TestTLSClientConfigOfOneConnection: ClientConnectInfo.TLS stands in for the vhost's.
func TestTLSClientConfigOfOneConnection(t *testing.T) {
	cfg := showingTLS(localhost())
	cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, authority().Pool()
	to, seen := listenTLS(t, cfg)
	bob := issueClient("bob")
	d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM, CertMem: bob.Chain, KeyMem: bob.Key}, nil)
	who := func(info engine.ClientConnectInfo) string {
		t.Helper()
		if o := d.connect(info); o.err != nil {
			t.Fatal(o.err)
		}
		return receive(t, "a handshake", seen).PeerCertificates[0].Subject.CommonName
	}
	alice := to
	alice.TLS = trust(showing(issueClient("alice")), named(""))
	for _, want := range []string{"bob", "bob"} { // the second resumes
		if got := who(to); got != want {
			t.Errorf("the vhost's client is %q", got)
		}
		if got := who(alice); got != "alice" {
			t.Errorf("the other client is %q", got)
		}
	}
	if alice.TLS.ServerName != "" || alice.TLS.VerifyConnection != nil || d.Stats().TLSResumed == 0 {
		t.Errorf("the caller's tls.Config was changed, or %d connections resumed", d.Stats().TLSResumed)
	}
	files := connecting(t, &engine.ClientTLS{CAMem: authority().PEM, CertFile: write(t, "c", bob.Chain), KeyFile: write(t, "k", bob.Key)}, nil)
	if o := files.connect(to); o.err != nil || receive(t, "a handshake", seen).PeerCertificates[0].Subject.CommonName != "bob" {
		t.Errorf("a certificate in files: %v", o.err)
	}
}

// TestTLSClientResumption: the second Connect is cheaper without anybody's help.
func TestTLSClientResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := showingTLS(localhost())
		cfg.MaxVersion = version
		to, _ := listenTLS(t, cfg)
		d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, nil)
		for i, want := range []bool{false, true} {
			if o := d.connect(to); o.err != nil || o.state.DidResume != want || d.Stats().TLSResumed != int64(i) {
				t.Errorf("connection %d: %v, resumed %v", i, o.err, d.Stats().TLSResumed)
			}
		}
	}
}

// TestTLSClientResumesNothingUnverified: what AllowInsecure let in has no right to
// come back as somebody.
func TestTLSClientResumesNothingUnverified(t *testing.T) {
	to, _ := listenTLS(t, showingTLS(certstest.Must(certstest.SelfSigned(certstest.Spec{}))))
	d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, nil)
	loose := to
	loose.Flags = engine.AllowInsecure
	if o := d.connect(loose); o.err != nil {
		t.Fatal(o.err)
	}
	if o := d.connect(loose); o.err != nil || !o.state.DidResume {
		t.Fatalf("the second: %v", o.err)
	}
	for _, flags := range []engine.ClientFlags{0, engine.AllowExpired, engine.SkipServerCertHostnameCheck} {
		strict := to
		strict.Flags = flags
		if o := d.connect(strict); o.err == nil {
			t.Errorf("flags %d: a server that nobody knows came in on an old ticket", flags)
		}
	}
}

// TestTLSClientSNIAndALPN: who the server is asked to be, and what it is asked to
// speak.
func TestTLSClientSNIAndALPN(t *testing.T) {
	cfg := showingTLS(issue("localhost", "127.0.0.1", "b.test"))
	cfg.NextProtos = []string{"h2", "mqtt", "http/1.1"}
	to, seen := listenTLS(t, cfg)
	d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, nil)
	special := trust(offering("h2", "http/1.1"), named("b.test"))
	for name, c := range map[string]struct {
		change    func(*engine.ClientConnectInfo)
		sni, alpn string
	}{
		"Address":              {func(i *engine.ClientConnectInfo) {}, "localhost", ""},
		"an IP address":        {func(i *engine.ClientConnectInfo) { i.Address = "127.0.0.1" }, "", ""},
		"Host":                 {func(i *engine.ClientConnectInfo) { i.Host = "b.test" }, "b.test", ""},
		"Host with port":       {func(i *engine.ClientConnectInfo) { i.Host = "b.test:" + strconv.Itoa(i.Port) }, "b.test", ""},
		"ALPN":                 {func(i *engine.ClientConnectInfo) { i.ALPN = "mqtt, http/1.1" }, "localhost", "mqtt"},
		"ALPN without h2":      {func(i *engine.ClientConnectInfo) { i.ALPN = "h2,http/1.1" }, "localhost", "http/1.1"},
		"a Config":             {func(i *engine.ClientConnectInfo) { i.TLS = special }, "b.test", "http/1.1"},
		"ALPN before a Config": {func(i *engine.ClientConnectInfo) { i.TLS, i.ALPN = special, "mqtt" }, "b.test", "mqtt"},
	} {
		info := to
		c.change(&info)
		if o := d.connect(info); o.err != nil {
			t.Errorf("%s: %v", name, o.err)
			continue
		}
		if st := receive(t, "a handshake", seen); st.ServerName != c.sni || st.NegotiatedProtocol != c.alpn {
			t.Errorf("%s: SNI %q and ALPN %q, want %q and %q", name, st.ServerName, st.NegotiatedProtocol, c.sni, c.alpn)
		}
	}
}

// TestClientMeetsNoTLS: the error tells a wrong port from a wrong certificate.
func TestClientMeetsNoTLS(t *testing.T) {
	plain := serve(t, echoHTTP)
	d := connecting(t, nil, nil)
	_, port, _ := net.SplitHostPort(plain.addr)
	n, _ := strconv.Atoi(port)
	o := d.connect(engine.ClientConnectInfo{Address: "127.0.0.1", Port: n})
	var header tls.RecordHeaderError
	if !errors.As(o.err, &header) || !strings.Contains(o.text, "TLS handshake") {
		t.Errorf("a server without TLS: %v", o.err)
	}
	l := newListener(t)
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = c.Read(make([]byte, 4096))
			_ = c.Close()
		}
	}()
	o = d.connect(engine.ClientConnectInfo{Address: "127.0.0.1", Port: portOf(l)})
	if !errors.Is(o.err, io.ErrUnexpectedEOF) {
		t.Errorf("a server that hangs up: %v", o.err)
	}
}

func TestTLSParseWSSURL(t *testing.T) {
	for url, want := range map[string]engine.ClientConnectInfo{
		"wss://example.com/chat?a=b": {Address: "example.com", Port: 443, Path: "/chat?a=b", Flags: engine.UseSSL},
		"wss://example.com:8443":     {Address: "example.com", Port: 8443, Path: "/", Flags: engine.UseSSL},
		"wss://[::1]/":               {Address: "::1", Port: 443, Path: "/", Flags: engine.UseSSL},
		"ws://example.com/":          {Address: "example.com", Port: 80, Path: "/"},
	} {
		got, err := engine.ParseClientURL(url)
		if err != nil || got.Address != want.Address || got.Port != want.Port || got.Path != want.Path || got.Flags != want.Flags {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
}

package engine

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penstock-go/penstock/internal/certs"
	"github.com/penstock-go/penstock/reactor"
	"github.com/penstock-go/penstock/tlsbridge"
)

// ServerTLS makes the listeners of a vhost speak TLS. A certificate and its key
// are given by file, in memory, or in Config; the rest may be zero. Vhosts that
// share an address have TLS all or none, and a client's SNI chooses among them as
// Host does; a request whose Host belongs to another of them than its SNI is
// answered with 421 (RFC 9110 15.5.20). A client without SNI belongs to the first.
type ServerTLS struct {
	// Config is the ground on which the other fields are laid; it is cloned. Its
	// callbacks run on the goroutines of Limits.TLSHandshakeSteps and may block,
	// but they keep Run from returning until they do. Its NextProtos, if set, are
	// offered but for "h2", which the engine does not speak; otherwise "http/1.1",
	// "http/1.0" and the names of the vhost's protocols that have a Codec are, and a
	// client that chooses such a name gets a raw session of it. Session tickets are good on
	// all listeners of the vhost, and on no other vhost; they are encrypted with keys
	// that crypto/tls renews daily, or those of SetSessionTicketKeys. WrapSession and
	// UnwrapSession replace all that.
	Config *tls.Config

	// CertFile and KeyFile are PEM or DER files, libwebsockets' ssl_cert_filepath and
	// ssl_private_key_filepath. The certificate's issuers follow it. An empty
	// KeyFile means that the key is in CertFile. The files are looked at every 10
	// seconds, and read again when they have changed and fit each other.
	CertFile, KeyFile string
	// CertMem and KeyMem are the same in memory, server_ssl_cert_mem and
	// server_ssl_private_key_mem, and go before the files. A NUL at the end does not
	// matter. A certificate that is out of date is served with a warning in the log;
	// VhostCertAging tells in time.
	CertMem, KeyMem []byte

	// ClientCAFile and ClientCAMem, ssl_ca_filepath and server_ssl_ca_mem, are whose
	// client certificates are good.
	ClientCAFile string
	// ClientCAMem is ClientCAFile's content, and goes before it.
	ClientCAMem []byte
	// ClientAuth is whether clients are asked for a certificate. Zero means
	// Config's, and tls.RequireAndVerifyClientCert if that says nothing either but
	// there is a CA, be it from here, from Config or from
	// OpenSSLLoadExtraServerVerifyCerts. Verifying without one is ErrConfig, from
	// Run. Whatever it is, OpenSSLPerformClientCertVerification can refuse.
	ClientAuth tls.ClientAuthType

	// SmallKeyShares leaves the post-quantum key exchange out of crypto/tls's default,
	// if Config has no CurvePreferences: X25519 and P-256 are left. Handshakes cost
	// both sides a third less; but who records the traffic today may be able to read
	// it one day. Idle sessions are not smaller, unless the library is built with a
	// Go whose crypto/tls it does not know (see package tlsbridge): then each is, by
	// 2.8 kB.
	SmallKeyShares bool

	// Plaintext answers clients that do not speak TLS.
	Plaintext Plaintext
	// HSTS tells browsers for how long to come by https only
	// (Strict-Transport-Security, RFC 6797), in whole seconds; 0 does not. Responses
	// that the program writes head and all are its own.
	HSTS time.Duration
	// HSTSSubdomains extends HSTS to all names below.
	HSTSSubdomains bool
}

// serverTLS is a ServerTLS in use.
type serverTLS struct {
	mu        sync.Mutex                 // held to replace current
	current   atomic.Pointer[tls.Config] // never changed, only replaced
	tickets   *tls.Config                // has the keys of session tickets
	mark      []byte                     // is in them
	files     *certs.Files               // nil if the certificate is in no file
	plaintext Plaintext
	hsts      string // the field's value
}

// newServerTLS checks and loads what v says.
func newServerTLS(v *vhost, from *ServerTLS) (*serverTLS, error) {
	if from.HSTS < 0 || from.HSTS > 0 && from.HSTS < time.Second {
		return nil, configErrorf("HSTS of %v", from.HSTS)
	}
	t := &serverTLS{plaintext: from.Plaintext, hsts: from.hsts(), mark: []byte("penstock vhost " + v.name)}
	cfg := ownConfig(from.Config)
	cfg.DynamicRecordSizingDisabled = true
	cfg.NextProtos = v.nextProtos(cfg.NextProtos)
	if from.SmallKeyShares && cfg.CurvePreferences == nil {
		cfg.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	}
	if err := t.loadCertificate(cfg, from); err != nil {
		return nil, err
	}
	if err := from.loadClientCAs(cfg); err != nil {
		return nil, err
	}
	t.tickets = cfg.Clone()
	t.bindTickets(cfg)
	t.current.Store(cfg)
	return t, nil
}

// bindTickets makes cfg issue and take the vhost's own tickets: what one vhost knows
// about a client is no reason for another to trust it, not even if a program gave
// both the same keys. The keys stay when the certificate changes, and are the same
// on all the vhost's listeners.
func (t *serverTLS) bindTickets(cfg *tls.Config) {
	if cfg.WrapSession == nil && cfg.UnwrapSession == nil {
		cfg.WrapSession, cfg.UnwrapSession = t.wrap, t.unwrap
	}
}

func (t *serverTLS) wrap(st tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
	ss.Extra = append(ss.Extra, t.mark)
	return t.tickets.EncryptTicket(st, ss)
}

func (t *serverTLS) unwrap(ticket []byte, st tls.ConnectionState) (*tls.SessionState, error) {
	ss, err := t.tickets.DecryptTicket(ticket, st)
	if ss == nil || !slices.ContainsFunc(ss.Extra, func(x []byte) bool { return bytes.Equal(x, t.mark) }) {
		return nil, err
	}
	return ss, err
}

func (f *ServerTLS) hsts() string {
	if f.HSTS <= 0 {
		return ""
	}
	v := "max-age=" + strconv.FormatInt(int64(f.HSTS/time.Second), 10)
	if f.HSTSSubdomains {
		v += "; includeSubDomains"
	}
	return v
}

// nextProtos is what ALPN offers.
func (v *vhost) nextProtos(own []string) []string {
	if len(own) > 0 {
		return slices.DeleteFunc(slices.Clone(own), func(name string) bool { return name == "h2" })
	}
	var names []string
	for _, p := range v.protocols {
		if p.Codec != nil && p.Name != "" {
			names = append(names, p.Name)
		}
	}
	if v.raw == nil {
		names = append(names, "http/1.1", "http/1.0") // the latter is all that some clients of 1.0 offer
	}
	return names
}

func (t *serverTLS) loadCertificate(cfg *tls.Config, from *ServerTLS) error {
	switch {
	case from.CertMem != nil:
		c, err := certs.Pair(from.CertMem, from.KeyMem)
		if err != nil {
			return fmt.Errorf("%w: TLS.CertMem: %w", ErrConfig, err)
		}
		useCertificate(cfg, &c)
	case from.CertFile != "":
		f, err := certs.OpenFiles(from.CertFile, from.KeyFile)
		if err != nil {
			return fmt.Errorf("%w: TLS.CertFile: %w", ErrConfig, err)
		}
		t.files = f
		useCertificate(cfg, f.Certificate())
	case from.KeyFile != "" || from.KeyMem != nil:
		return configErrorf("TLS: a key without a certificate")
	case len(cfg.Certificates) == 0 && cfg.GetCertificate == nil && cfg.GetConfigForClient == nil:
		return configErrorf("TLS without a certificate")
	}
	return nil
}

func useCertificate(cfg *tls.Config, c *tls.Certificate) {
	cfg.Certificates, cfg.GetCertificate = []tls.Certificate{*c}, nil
}

func (f *ServerTLS) loadClientCAs(cfg *tls.Config) error {
	pool, err := loadCAs("TLS.ClientCA", f.ClientCAMem, f.ClientCAFile)
	if err != nil {
		return err
	}
	if pool != nil {
		cfg.ClientCAs = pool
	}
	if f.ClientAuth != tls.NoClientCert {
		cfg.ClientAuth = f.ClientAuth
	}
	return nil
}

// loadCAs reads certificates from memory or a file, the fields that begin with name;
// nil if there is neither.
func loadCAs(name string, mem []byte, file string) (pool *x509.CertPool, err error) {
	name += "Mem"
	if mem == nil && file != "" {
		name = strings.TrimSuffix(name, "Mem") + "File"
		if mem, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrConfig, name, err)
		}
	}
	if mem == nil {
		return nil, nil
	}
	if pool, err = certs.Pool(mem); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, name, err)
	}
	return pool, nil
}

// replace makes new handshakes use c. Tickets of sessions stay good.
func (t *serverTLS) replace(c *tls.Certificate) {
	_ = t.change(func(cfg *tls.Config) error { useCertificate(cfg, c); return nil })
}

// change replaces the current tls.Config by one that f has changed.
func (t *serverTLS) change(f func(cfg *tls.Config) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	cfg := t.current.Load().Clone()
	if err := f(cfg); err != nil {
		return err
	}
	t.current.Store(cfg)
	return nil
}

// tlsConfig is the listener's: it only finds the vhost's.
func (p *port) tlsConfig() *tls.Config {
	return &tls.Config{DynamicRecordSizingDisabled: true, GetConfigForClient: p.configFor}
}

func (p *port) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	v := p.byName(hello.ServerName)
	cfg := v.tls.current.Load()
	if f := cfg.GetConfigForClient; f != nil {
		own, err := f(hello)
		if err != nil {
			return nil, err
		}
		if own != nil {
			cfg = own.Clone()
			cfg.DynamicRecordSizingDisabled = true
			cfg.NextProtos = v.nextProtos(cfg.NextProtos)
			v.tls.bindTickets(cfg)
		}
	}
	if cfg.ClientAuth == tls.NoClientCert {
		return cfg, nil
	}
	cfg = cfg.Clone()
	cfg.VerifyConnection = asking(tlsbridge.Of(hello), cfg.VerifyConnection)
	return cfg, nil
}

// asking is a VerifyConnection that lets the program have the last word.
func asking(c *tlsbridge.Conn, first func(tls.ConnectionState) error) func(tls.ConnectionState) error {
	return func(st tls.ConnectionState) error {
		if first != nil {
			if err := first(st); err != nil {
				return err
			}
		}
		if len(st.PeerCertificates) == 0 {
			return nil
		}
		return c.Ask(st)
	}
}

// secure puts TLS on an accepted connection.
func (p *port) secure(s *session, c *reactor.Conn) reactor.Handler {
	s.role = &shaking
	t := &secured{s: s, c: c}
	t.shake(tlsbridge.Server, p.tls, p, func() { p.secured(s) })
	if s.l.draining {
		s.role.goodbye(s)
	}
	return t
}

// secured follows the handshake: SNI has chosen the vhost, ALPN may have chosen a
// protocol with a Codec.
func (p *port) secured(s *session) {
	st := s.TLS()
	s.vh = p.byName(st.ServerName)
	raw := s.vh.raw
	if chosen := s.vh.protocol(st.NegotiatedProtocol); st.NegotiatedProtocol != "" && chosen != nil && chosen.Codec != nil {
		raw = chosen
	}
	p.open(s, raw)
}

// UpdateCert replaces a vhost's certificate while the engine runs: cert and key
// are PEM or DER, as in ServerTLS. Sessions that are open keep the old one;
// VhostCertUpdate follows. It takes the place of all the vhost's certificates, and
// of Config.GetCertificate, until the vhost's files change; a vhost with a Config.GetConfigForClient chooses by
// itself, and gives ErrConfig. It may be called from any goroutine.
func (e *Engine) UpdateCert(vhost string, cert, key []byte) error {
	v := e.vhost(vhost)
	if v == nil || v.tls == nil {
		return configErrorf("no vhost %q with TLS", vhost)
	}
	if v.tls.current.Load().GetConfigForClient != nil {
		return configErrorf("vhost %q has a GetConfigForClient", vhost)
	}
	c, err := certs.Pair(cert, key)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	v.tls.replace(&c)
	e.warnOfAge(v)
	e.updated(v)
	return nil
}

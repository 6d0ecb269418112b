package engine

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/penstock-go/penstock/internal/certs"
	"github.com/penstock-go/penstock/tlsbridge"
)

// ClientTLS is what a vhost's clients trust and show when they connect with
// UseSSL and no tls.Config of their own. The zero value trusts the system's CAs.
type ClientTLS struct {
	// Config is the ground on which the other fields are laid; it is cloned. A
	// cache of sessions is put in if it has none, so that connecting again to the
	// same server is cheaper; one of your own is told of new sessions on the loop, so
	// its Put must not block. If a connection's flags relax the verification, its
	// VerifyPeerCertificate and VerifyConnection see no VerifiedChains.
	Config *tls.Config
	// CAFile and CAMem are whose server certificates are good, instead of the
	// system's: libwebsockets' client_ssl_ca_filepath and client_ssl_ca_mem, PEM or
	// DER. A NUL at the end does not matter.
	CAFile string
	// CAMem is CAFile's content, and goes before it.
	CAMem []byte
	// CertFile and KeyFile are the client's own certificate, client_ssl_cert_filepath
	// and client_ssl_private_key_filepath.
	CertFile, KeyFile string
	// CertMem and KeyMem are the same in memory.
	CertMem, KeyMem []byte
}

// sessionsKept is how many servers' sessions a vhost's clients remember.
const sessionsKept = 256

// newClientTLS loads what f, which may be nil, says.
func newClientTLS(f *ClientTLS) (*tls.Config, error) {
	if f == nil {
		f = new(ClientTLS)
	}
	cfg := ownConfig(f.Config)
	if cfg.ClientSessionCache == nil {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(sessionsKept)
	}
	pool, err := loadCAs("ClientTLS.CA", f.CAMem, f.CAFile)
	if err != nil {
		return nil, err
	}
	if pool != nil {
		cfg.RootCAs = pool
	}
	return cfg, f.loadCertificate(cfg)
}

func (f *ClientTLS) loadCertificate(cfg *tls.Config) error {
	var c tls.Certificate
	var err error
	switch {
	case f.CertMem != nil:
		c, err = certs.Pair(f.CertMem, f.KeyMem)
	case f.CertFile != "":
		var files *certs.Files
		if files, err = certs.OpenFiles(f.CertFile, f.KeyFile); err == nil {
			c = *files.Certificate()
		}
	case f.KeyFile != "" || f.KeyMem != nil:
		return configErrorf("ClientTLS: a key without a certificate")
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: ClientTLS.Cert: %w", ErrConfig, err)
	}
	cfg.Certificates, cfg.GetClientCertificate = []tls.Certificate{c}, nil
	return nil
}

// clientTLS is the tls.Config of one connection.
func (i *ClientConnectInfo) clientTLS(v *vhost) *tls.Config {
	from := i.TLS
	if from == nil {
		from = v.clientTLS
		if i.abroad {
			from = foreign(from)
		}
	}
	cfg := from.Clone()
	if cfg.RootCAs == nil {
		cfg.RootCAs = v.clientTLS.RootCAs
	}
	cfg.DynamicRecordSizingDisabled = true
	cfg.Renegotiation = tls.RenegotiateNever
	if cfg.ServerName == "" {
		cfg.ServerName = i.serverName()
	}
	cfg.NextProtos = i.alpn(cfg.NextProtos)
	return cfg
}

// alpn are the protocols to offer.
func (i *ClientConnectInfo) alpn(configured []string) []string {
	names := list(i.ALPN)
	if len(names) == 0 {
		names = slices.Clone(configured)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "h2" })
	if len(names) == 0 && i.Method != "RAW" {
		return []string{"http/1.1"}
	}
	return names
}

// serverName is whom the certificate has to name, and what SNI says.
func (i *ClientConnectInfo) serverName() string {
	name := i.Address
	if i.named != "" {
		name = i.named
	} else if i.Host != "" {
		name = string(withoutPort([]byte(i.Host)))
	}
	if strings.HasPrefix(name, "+") {
		return "localhost"
	}
	return strings.Trim(name, "[]")
}

// verifying gives c's tls.Config its verification, with what f relaxes: crypto/tls
// alone can do all of it or nothing. The program has the last word.
func verifying(cfg *tls.Config, c *tlsbridge.Conn, f ClientFlags) {
	relax := certs.Relax{
		SelfSigned: f&AllowSelfSigned != 0,
		Hostname:   f&SkipServerCertHostnameCheck != 0,
		Expired:    f&AllowExpired != 0,
		Everything: f&AllowInsecure != 0 || cfg.InsecureSkipVerify,
	}
	own := cfg.VerifyConnection
	if relax == (certs.Relax{}) {
		cfg.VerifyConnection = asking(c, own)
		return
	}
	now := time.Now
	if cfg.Time != nil {
		now = cfg.Time
	}
	cfg.InsecureSkipVerify = true
	cfg.VerifyConnection = func(st tls.ConnectionState) error {
		err := certs.Verify(st.PeerCertificates, cfg.RootCAs, cfg.ServerName, now(), relax)
		if err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: st.PeerCertificates, Err: err}
		}
		return asking(c, own)(st)
	}
}

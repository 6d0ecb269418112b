package engine_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// TestTLSMistakesAreNamed: each error is ErrConfig and says which field is wrong.
func TestTLSMistakesAreNamed(t *testing.T) {
	key := localhost().Key
	for want, v := range map[string]engine.Vhost{
		"TLS: a key without":           {TLS: &engine.ServerTLS{KeyMem: key}},
		"ClientTLS: a key without":     {ClientTLS: &engine.ClientTLS{KeyMem: key}},
		"TLS.CertMem: certs:":          {TLS: &engine.ServerTLS{CertMem: []byte("junk"), KeyMem: key}},
		"TLS.CertFile: ":               {TLS: &engine.ServerTLS{CertFile: "nowhere.pem"}},
		"TLS.ClientCAMem: certs:":      {TLS: with(engine.ServerTLS{ClientCAMem: []byte("junk")})},
		"TLS.ClientCAFile: open":       {TLS: with(engine.ServerTLS{ClientCAFile: "nowhere.pem"})},
		"ClientTLS.CAMem: certs:":      {ClientTLS: &engine.ClientTLS{CAMem: []byte("junk")}},
		"ClientTLS.CAFile: open":       {ClientTLS: &engine.ClientTLS{CAFile: "nowhere.pem"}},
		"ClientTLS.Cert: certs: open ": {ClientTLS: &engine.ClientTLS{CertFile: "nowhere.pem"}},
	} {
		v.Protocols = []callbacks.Protocol{{Name: "test", Callback: tellTLS}}
		_, err := engine.New(engine.Config{Vhosts: []engine.Vhost{v}})
		if !errors.Is(err, engine.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, without %q", err, want)
		}
	}
}

// TestTLSFlagsNeedTLS: one that relaxes a check of TLS and connects without any is a
// mistake, and not one to be found on the wire.
func TestTLSFlagsNeedTLS(t *testing.T) {
	v := serve(t, func(callbacks.Session, callbacks.Reason, []byte) error { return nil })
	for _, f := range []engine.ClientFlags{engine.AllowSelfSigned, engine.AllowInsecure, engine.AllowExpired | engine.SkipServerCertHostnameCheck} {
		if _, err := v.Connect(engine.ClientConnectInfo{Address: "127.0.0.1", Flags: f}); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("flags %#x: %v", f, err)
		}
	}
}

// TestTLSConnectionKeepsTheVhostsCAs: a tls.Config for one connection that says nothing
// about whom to trust trusts whom the vhost does.
func TestTLSConnectionKeepsTheVhostsCAs(t *testing.T) {
	d := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, nil)
	info, _ := listenTLS(t, showingTLS(localhost()))
	for _, c := range []struct {
		cfg  *tls.Config
		good bool
	}{
		{&tls.Config{Certificates: []tls.Certificate{issueClient("alice").TLS}}, true},
		{&tls.Config{RootCAs: certstest.Must(certstest.NewCA(certstest.Spec{})).Pool()}, false},
	} {
		info.TLS = c.cfg
		if o := d.connect(info); (o.err == nil) != c.good {
			t.Errorf("connecting: %v", o.err)
		}
	}
}

// TestTLSWarnsOfOldCertificates: nobody will accept them, and somebody should know.
func TestTLSWarnsOfOldCertificates(t *testing.T) {
	var log bytes.Buffer
	old := certstest.Must(certstest.SelfSigned(certstest.Spec{NotBefore: time.Now().Add(-72 * time.Hour), NotAfter: time.Now().Add(-36 * time.Hour)}))
	_, err := engine.New(engine.Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Vhosts: []engine.Vhost{{Name: "v",
		TLS:       &engine.ServerTLS{CertMem: old.Chain, KeyMem: old.Key},
		Protocols: []callbacks.Protocol{{Name: "test", Callback: tellTLS}}}}})
	if err != nil || !strings.Contains(log.String(), "out of date\" vhost=v days=2") {
		t.Errorf("%v, and the log has %q", err, log.String())
	}
}

package engine_test

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// TestTLSClientOffers: what ClientConnectInfo.ALPN says about itself.
func TestTLSClientOffers(t *testing.T) {
	offers := make(chan []string, 1)
	cfg := showingTLS(localhost())
	cfg.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		offers <- h.SupportedProtos
		return nil, nil
	}
	to, _ := listenTLS(t, cfg)
	plain := connecting(t, &engine.ClientTLS{CAMem: authority().PEM}, nil)
	configured := connecting(t, &engine.ClientTLS{CAMem: authority().PEM, Config: &tls.Config{NextProtos: []string{"h2", "vhost"}}}, nil)
	own, bare := trust(offering("own", "h2", "other"), named("")), trust(named(""))
	for name, c := range map[string]struct {
		from     *dialers
		cfg      *tls.Config
		alpn     string
		raw, web []string // what is offered by a raw session, and by others
	}{
		"nothing":                     {plain, nil, "", nil, []string{"http/1.1"}},
		"ALPN":                        {plain, nil, "a, b", []string{"a", "b"}, []string{"a", "b"}},
		"ALPN with h2":                {plain, nil, "h2,b", []string{"b"}, []string{"b"}},
		"ALPN of h2":                  {plain, nil, "h2", nil, []string{"http/1.1"}},
		"TLS":                         {plain, own, "", []string{"own", "other"}, []string{"own", "other"}},
		"TLS without":                 {plain, bare, "", nil, []string{"http/1.1"}},
		"TLS of h2":                   {plain, trust(offering("h2"), named("")), "", nil, []string{"http/1.1"}},
		"ALPN before TLS":             {plain, own, "a", []string{"a"}, []string{"a"}},
		"ClientTLS":                   {configured, nil, "", []string{"vhost"}, []string{"vhost"}},
		"ALPN before ClientTLS":       {configured, nil, "a", []string{"a"}, []string{"a"}},
		"TLS before ClientTLS":        {configured, own, "", []string{"own", "other"}, []string{"own", "other"}},
		"TLS without, before the two": {configured, bare, "", nil, []string{"http/1.1"}},
	} {
		for method, want := range map[string][]string{"RAW": c.raw, "": c.web} {
			info := to
			info.TLS, info.ALPN, info.Method, info.Flags = c.cfg, c.alpn, method, engine.UseSSL
			h, err := c.from.Connect(info)
			if err != nil {
				t.Fatal(err)
			}
			if got := receive(t, "a ClientHello", offers); !slices.Equal(got, want) {
				t.Errorf("%s, method %q: %q are offered, want %q", name, method, got, want)
			}
			_ = h.Close(0, "")
		}
	}
	if !slices.Equal(own.NextProtos, []string{"own", "h2", "other"}) {
		t.Errorf("the caller's list has become %q", own.NextProtos)
	}
}

// TestTLSConnectTakesWhatItIsGiven: what the caller does to it later is his own affair.
func TestTLSConnectTakesWhatItIsGiven(t *testing.T) {
	heads := make(chan string, 1)
	v := serveTLS(t, with(engine.ServerTLS{}), func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.FilterProtocolConnection {
			value, _ := s.Request().Header().Get("X-Kept")
			heads <- string(value)
		}
		return nil
	})
	info, err := engine.ParseClientURL("wss://" + v.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	info.TLS = trust(offering("http/1.1"))
	info.Header = []http1.Field{{Name: "X-Kept", Value: "yes"}}
	d := connecting(t, nil, func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.Connecting { // Connect has returned, or is about to; there is no connection yet
			info.TLS.RootCAs, info.TLS.ServerName, info.TLS.NextProtos = x509.NewCertPool(), "elsewhere", []string{"gopher"}
			info.Header[0] = http1.Field{Name: "X-Lost", Value: "no"}
		}
		return nil
	})
	if _, err := d.Connect(info); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, "the request", heads); got != "yes" {
		t.Errorf("the request has %q", got)
	}
}

package engine_test

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// bulk is what the tests below send at once, and bulkRecords the fewest records of 16
// KiB that hold it, with the head of a response or without.
const (
	bulk        = 100_000
	bulkRecords = 7
)

// TestTLSServersFillTheirRecords: crypto/tls would begin with small ones, of which
// there are more than a send queue counts with. It does not depend on where the
// tls.Config is from.
func TestTLSServersFillTheirRecords(t *testing.T) {
	own := &tls.Config{Certificates: []tls.Certificate{localhost().TLS}}
	for name, cfg := range map[string]*tls.Config{
		"Config":             own,
		"GetConfigForClient": {GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return own, nil }},
	} {
		v := serveTLS(t, &engine.ServerTLS{Config: cfg}, func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
			if r != callbacks.HTTP {
				return nil
			}
			return s.Respond(200, "", make([]byte, bulk))
		})
		for version, change := range map[string]func(*tls.Config){"1.2": tls12, "1.3": func(*tls.Config) {}} {
			p := v.dialTLS(t, trust(change))
			before := p.tap.records // there is no ticket, for who cannot keep one
			if _, body := p.send(get("/")).response("GET"); len(body) != bulk {
				t.Fatalf("%d bytes", len(body))
			}
			if n := p.tap.records - before; n != bulkRecords {
				t.Errorf("%s, TLS %s: %d bytes in %d records, want %d", name, version, bulk, n, bulkRecords)
			}
		}
	}
	if own.DynamicRecordSizingDisabled {
		t.Error("the engine has changed the user's tls.Config")
	}
}

// TestTLSClientsFillTheirRecords, too.
func TestTLSClientsFillTheirRecords(t *testing.T) {
	const handshake = 3 // ClientHello, change_cipher_spec, Finished
	l := newListener(t)
	records := make(chan int, 2)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			in := &tap{Conn: c}
			s := tls.Server(in, showingTLS(localhost()))
			_ = s.Handshake()
			n, _ := io.ReadFull(s, make([]byte, bulk))
			_ = c.Close()
			if n < bulk {
				in.records = 0
			}
			records <- in.records - handshake
		}
	}()
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: []engine.Vhost{{Listen: []string{}, ClientTLS: &engine.ClientTLS{CAMem: authority().PEM},
		Protocols: []callbacks.Protocol{{Name: "raw", Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
			if r != callbacks.RawConnected {
				return nil
			}
			return s.Write([]byte(strings.Repeat("x", bulk)), callbacks.WriteRaw)
		}}}}}})
	for name, cfg := range map[string]*tls.Config{"ClientTLS": nil, "a tls.Config of its own": trust()} {
		if _, err := v.Connect(engine.ClientConnectInfo{Address: "localhost", Port: portOf(l), Method: "RAW", Flags: engine.UseSSL, TLS: cfg}); err != nil {
			t.Fatal(err)
		}
		if n := receive(t, "all of it", records); n != bulkRecords {
			t.Errorf("%s: %d bytes in %d records, want %d", name, bulk, n, bulkRecords)
		}
	}
}

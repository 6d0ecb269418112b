package engine_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// transport is what the clients and servers of a test talk over: TLS of a version,
// or TCP alone.
type transport uint16

const overTCP transport = 0

// transports are those of TestOverTLS, by the names of its subtests.
var transports = map[string]transport{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// over is the transport of a test. Its name tells: all but the subtests of
// TestOverTLS are about TCP.
func over(t testing.TB) transport {
	_, name, _ := strings.Cut(t.Name(), "TestOverTLS/")
	version, _, _ := strings.Cut(name, "/")
	return transports[version]
}

// servers puts a transport under vhosts and their clients.
func (x transport) servers(list []engine.Vhost) []engine.Vhost {
	if x == overTCP {
		return list
	}
	for i := range list {
		list[i].TLS = with(engine.ServerTLS{})
		list[i].ClientTLS = &engine.ClientTLS{Config: trust(named(""), x.version)}
	}
	return list
}

// listen is for a server that is not an engine.
func (x transport) listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return x.wrap(l)
}

// wrap puts the transport on a listener.
func (x transport) wrap(l net.Listener) net.Listener {
	if x == overTCP {
		return l
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{localhost().TLS}}
	x.version(cfg)
	return tls.NewListener(l, cfg)
}

// scheme is that of a client's URL.
func (x transport) scheme() string {
	if x == overTCP {
		return "ws://"
	}
	return "wss://"
}

func (x transport) version(c *tls.Config) { c.MinVersion, c.MaxVersion = uint16(x), uint16(x) }

// wire is what a client does with a connection.
type wire interface {
	net.Conn
	CloseWrite() error // FIN, or close_notify
	SetLinger(seconds int) error
	SetReadBuffer(bytes int) error
}

// client shakes hands, if there is anything to shake, with a server of some host or of
// localhost.
func (x transport) client(ctx context.Context, c net.Conn, host string) (net.Conn, error) {
	if x == overTCP {
		return c, nil
	}
	cfg := trust(x.version)
	if host != "" {
		named(host)(cfg)
		anybody(cfg)
	}
	below := &tap{Conn: c}
	w := &tlsWire{Conn: tls.Client(below, cfg), below: below}
	return w, w.HandshakeContext(ctx)
}

// secure shakes hands on a connection of wstest's, which it returns. The server may
// be another process, with another certificate.
func (x transport) secure(c *wstest.Conn) *wstest.Conn {
	if x != overTCP {
		c.Secure(trust(x.version, anybody))
	}
	return c
}

func anybody(c *tls.Config) { c.InsecureSkipVerify = true }

// tlsWire is a wire by TLS.
type tlsWire struct {
	*tls.Conn
	below *tap
	mute  atomic.Bool // there is no close_notify at the end
}

// Read wants close_notify at the end.
func (w *tlsWire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err == io.EOF && !w.below.alerted() {
		err = errNoCloseNotify
	}
	return n, err
}

var errNoCloseNotify = errors.New("the end came without close_notify")

// Write leaves half a record behind when it fails; no alert can follow it.
func (w *tlsWire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if err != nil {
		w.mute.Store(true)
	}
	return n, err
}

func (w *tlsWire) SetReadBuffer(bytes int) error { return w.below.Conn.(wire).SetReadBuffer(bytes) }

func (w *tlsWire) SetLinger(seconds int) error {
	w.mute.Store(seconds == 0)
	return w.below.Conn.(wire).SetLinger(seconds)
}

// Close says close_notify, but not before a reset.
func (w *tlsWire) Close() error {
	if w.mute.Load() {
		return w.below.Close()
	}
	return w.Conn.Close()
}

// clientAllocs is how often a client allocates to write and read a little: crypto/tls
// makes a reader for each record.
func (x transport) clientAllocs() float64 {
	if x == overTCP {
		return 0
	}
	return 1
}

// stride is how many clients one stands for, where a test has hundreds: handshakes
// cost.
func (x transport) stride() int {
	if x == overTCP {
		return 1
	}
	return 5
}

// shaken waits until the server, too, is done with n handshakes: with TLS 1.3 it
// is so later than its clients.
func (v *server) shaken(t *testing.T, n int64) {
	t.Helper()
	if over(t) != overTCP {
		eventually(t, "the handshakes are done", func() bool { return v.Stats().TLSHandshakes == n })
	}
}

package load

import (
	"crypto/tls"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// secureEcho echoes messages through crypto/tls, on connections that go through
// wrap.
func secureEcho(t *testing.T, wrap func(net.Conn) net.Conn) netip.AddrPort {
	up := websocket.Upgrader{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			_, _ = io.WriteString(w, "hello")
			return
		}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for err == nil {
			var p []byte
			if _, p, err = c.ReadMessage(); err == nil {
				err = c.WriteMessage(websocket.BinaryMessage, p)
			}
		}
	}))
	s.Listener = wrapping{s.Listener, wrap}
	s.StartTLS()
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

type wrapping struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (w wrapping) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return w.wrap(c), nil
}

// crumbs sends every byte by itself, so that a record comes in as many pieces as
// it can.
type crumbs struct{ net.Conn }

func (c crumbs) Write(b []byte) (n int, err error) {
	for i := range b {
		if _, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

func TestRunOverTLS(t *testing.T) {
	whole := func(c net.Conn) net.Conn { return c }
	for _, c := range []struct {
		name string
		wrap func(net.Conn) net.Conn
		cfg  Config
		want string // of what is agreed upon
	}{
		{"small messages", whole, Config{Mode: WSS, Conns: 20, Size: 64, Depth: 16}, "TLS 1.3, TLS_AES_128_GCM_SHA256, X25519MLKEM768"},
		{"more than the sockets take", whole, Config{Mode: WSS, Conns: 3, Size: 1 << 20, Depth: 3}, "TLS 1.3"},
		{"records in pieces", func(c net.Conn) net.Conn { return crumbs{c} }, Config{Mode: WSS, Conns: 2, Size: 300, Depth: 2}, "TLS 1.3"},
		{"TLS 1.2", whole, Config{Mode: WSS, Size: 16 << 10, TLS: TLS{Version: tls.VersionTLS12}}, "TLS 1.2"},
		{"a group", whole, Config{Mode: HTTPS, Conns: 2, TLS: TLS{Groups: []tls.CurveID{tls.X25519}}}, ", X25519"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Addr = secureEcho(t, c.wrap)
			l, err := Open(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			r, err := l.Run(0, 30*time.Millisecond, noClock)
			if err != nil {
				t.Fatal(err)
			}
			if r.Messages == 0 && c.cfg.Size <= smallReply {
				t.Error("no message was answered")
			}
			if got := l.TLS(); !strings.Contains(got, c.want) {
				t.Errorf("agreed upon %q, want %q", got, c.want)
			}
		})
	}
}

// TestTLSRefused: a server without TLS is told apart from one with.
func TestTLSRefused(t *testing.T) {
	plain := serve(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	_, err := Open(Config{Addr: plain, Mode: WSS})
	if bad := (tls.RecordHeaderError{}); !errors.As(err, &bad) {
		t.Errorf("error %v from a server without TLS", err)
	}
}

func TestTLSFlags(t *testing.T) {
	parse := func(args ...string) (c TLS, err error) {
		f := flag.NewFlagSet("", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		c.Flags(f)
		return c, f.Parse(args)
	}
	got, err := parse("-tls", "1.2", "-groups", "X25519,CurveP256")
	if err != nil || got.Version != tls.VersionTLS12 || len(got.Groups) != 2 || got.Groups[1] != tls.CurveP256 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, args := range [][]string{{"-tls", "1.1"}, {"-tls", ""}, {"-groups", "X448"}, {"-groups", ""}} {
		if _, err := parse(args...); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

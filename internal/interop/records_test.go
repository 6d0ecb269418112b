package interop

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
	"github.com/penstock-go/penstock/internal/wstest"
)

// crypto/tls on the other side, with its records cut up on their way and of
// sizes that nobody chooses of his own will.

// chopped is a connection whose writes leave in pieces.
type chopped struct {
	net.Conn
	size int // of each piece; 0 does not cut
	at   int // where the stream is cut once; 0 does not
	done int
}

func (c *chopped) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		piece := len(p) - n
		if c.size > 0 {
			piece = min(piece, c.size)
		}
		if c.done < c.at {
			piece = min(piece, c.at-c.done)
		}
		piece, err = c.Conn.Write(p[n : n+piece])
		n += piece
		c.done += piece
	}
	return n, err
}

// limited writes records of at most so many bytes.
type limited struct {
	io.Writer
	most int
}

func (l limited) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		piece := min(len(p)-n, l.most)
		piece, err = l.Writer.Write(p[n : n+piece])
		n += piece
	}
	return n, err
}

// versionOnly makes cfg one of one version, with full records and no resumption.
func versionOnly(cfg *tls.Config, version uint16) *tls.Config {
	cfg.MinVersion, cfg.MaxVersion = version, version
	cfg.DynamicRecordSizingDisabled, cfg.SessionTicketsDisabled = true, true
	return cfg
}

// eachGoVersion runs f with versions of TLS as crypto/tls calls them.
func eachGoVersion(t *testing.T, f func(t *testing.T, version uint16)) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) { f(t, version) })
	}
}

// shapes are sizes of what is written to TCP, and of records.
var shapes = []struct{ piece, record int }{{1, 1}, {1, 16 << 10}, {0, 1}, {7, 3}, {1000, 16 << 10}, {0, 16 << 10}, {16 << 10, 1000}}

// goEcho is an echo server of crypto/tls; wrap makes the connections under TLS.
func goEcho(t *testing.T, cfg *tls.Config, record int, wrap func(net.Conn) net.Conn) (addr string) {
	t.Helper()
	l := wstest.Listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				s := tls.Server(wrap(c), cfg)
				_ = s.SetDeadline(deadline())
				_, _ = io.Copy(limited{s, record}, onlyReader{s})
				_ = s.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// onlyReader hides tls.Conn's other methods from io.Copy.
type onlyReader struct{ io.Reader }

func TestOurClientTakesAnyRecords(t *testing.T) {
	cert := issue(t, certstest.Spec{})
	eachGoVersion(t, func(t *testing.T, version uint16) {
		d := newDialer(t, issued{})
		for _, shape := range shapes {
			t.Run(fmt.Sprintf("%d of %d", shape.piece, shape.record), func(t *testing.T) {
				cfg := versionOnly(&tls.Config{Certificates: []tls.Certificate{cert.tls}}, version)
				c := d.connect(goEcho(t, cfg, shape.record, func(c net.Conn) net.Conn { return &chopped{Conn: c, size: shape.piece} }))
				for _, size := range []int{1, 100, 40_000} {
					want := strings.Repeat("0123456789abcdef", size)[:size]
					c.say(want)
					c.hears(want)
				}
				c.hangsUp()
			})
		}
	})
}

// handshakeMost is more than a server's part of a handshake takes with a
// certificate on P-256.
const handshakeMost = 1100

func TestOurClientTakesAnyCut(t *testing.T) {
	cert := issue(t, certstest.Spec{})
	eachGoVersion(t, func(t *testing.T, version uint16) {
		d := newDialer(t, issued{})
		var at atomic.Int64
		cfg := versionOnly(&tls.Config{Certificates: []tls.Certificate{cert.tls}}, version)
		addr := goEcho(t, cfg, 16<<10, func(c net.Conn) net.Conn { return &chopped{Conn: c, at: int(at.Load())} })
		for range handshakeMost / 3 {
			at.Add(3)
			c := d.connect(addr)
			c.say("hello")
			c.hears("hello")
			c.hangsUp()
		}
	})
}

func TestOurWebSocketTakesAnyRecords(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			h := httptest.NewUnstartedServer(s.handler)
			h.Listener = choppingListener{h.Listener}
			h.TLS = &tls.Config{Certificates: []tls.Certificate{issue(t, certstest.Spec{}).tls}}
			h.StartTLS()
			t.Cleanup(h.Close)
			c := connect(t, h.URL)
			wait(t, c.open)
			for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
				want := strings.Repeat("m", size)
				c.say(want)
				c.hears(callbacks.WriteText, want)
			}
		})
	}
}

// choppingListener's connections write byte by byte.
type choppingListener struct{ net.Listener }

func (l choppingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &chopped{Conn: c, size: 1}, err
}

// goClient connects crypto/tls to our server.
func goClient(t *testing.T, v *echoServer, version uint16, wrap func(net.Conn) net.Conn) *tls.Conn {
	t.Helper()
	c, err := net.Dial("tcp", v.addr)
	if err != nil {
		t.Fatal(err)
	}
	cfg := versionOnly(trust(), version)
	cfg.ServerName = "localhost"
	s := tls.Client(wrap(c), cfg)
	t.Cleanup(func() { _ = s.Close() })
	_ = s.SetDeadline(deadline())
	return s
}

// converses has bytes echoed that are written in records of at most so many.
func converses(t *testing.T, c *tls.Conn, record, size int) {
	t.Helper()
	want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	sent := make(chan error, 1)
	go func() {
		_, err := limited{c, record}.Write(want)
		sent <- err
	}()
	got := make([]byte, size)
	if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes of %d came back, or others: %v", n, size, err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestOurServerTakesAnyRecords(t *testing.T) {
	v := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{}).server()})
	eachGoVersion(t, func(t *testing.T, version uint16) {
		for _, shape := range shapes {
			t.Run(fmt.Sprintf("%d of %d", shape.piece, shape.record), func(t *testing.T) {
				c := goClient(t, v, version, func(c net.Conn) net.Conn { return &chopped{Conn: c, size: shape.piece} })
				for _, size := range []int{1, 100, 40_000} {
					converses(t, c, shape.record, size)
				}
				if err := c.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
					t.Errorf("then %d bytes, %v", len(rest), err)
				}
				_ = c.Close()
				if got := wait(t, v.ended); got.err != nil {
					t.Errorf("the session ended with %v", got.err)
				}
			})
		}
	})
}

// A client's part of a handshake is shorter than a server's.
func TestOurServerTakesAnyCut(t *testing.T) {
	v := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{}).server()})
	eachGoVersion(t, func(t *testing.T, version uint16) {
		for at := 1; at < handshakeMost/2; at += 2 {
			c := goClient(t, v, version, func(c net.Conn) net.Conn { return &chopped{Conn: c, at: at} })
			converses(t, c, 16<<10, 5)
			_ = c.Close()
			if got := wait(t, v.ended); got.err != nil {
				t.Fatalf("cut at %d, the session ended with %v", at, got.err)
			}
			<-v.opened
		}
	})
}

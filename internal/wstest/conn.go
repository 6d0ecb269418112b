package wstest

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Conn is a connection by TCP or TLS that a test writes bytes and frames on.
type Conn struct {
	net.Conn
	// R reads it.
	R *bufio.Reader
	// Head is the peer's part of the handshake: the fields of the 101 on a client,
	// of the request on a server.
	Head http.Header
	// Target is the request's, on a server.
	Target string

	t      testing.TB
	server bool
}

// Connect connects and sends nothing. The connection is closed when the test
// ends.
func Connect(t testing.TB, addr string) *Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		t.Fatal(err)
	}
	return newConn(t, c)
}

// ConnectTLS connects and shakes hands.
func ConnectTLS(t testing.TB, addr string, cfg *tls.Config) *Conn {
	t.Helper()
	c := Connect(t, addr)
	c.Secure(cfg)
	return c
}

// Secure shakes hands, as the client of a connection on which nothing was said. A
// server without a name in cfg is known by its address.
func (c *Conn) Secure(cfg *tls.Config) {
	c.t.Helper()
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		cfg.ServerName = c.RemoteAddr().(*net.TCPAddr).IP.String()
	}
	secured := tls.Client(c.Conn, cfg)
	c.t.Cleanup(func() { _ = secured.Close() })
	if err := secured.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.Conn = secured
	c.R.Reset(secured)
}

// Listen opens a port for Accept.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Accept waits for a connection and reads nothing.
func Accept(t testing.TB, l net.Listener) *Conn {
	t.Helper()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(Patience))
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn := newConn(t, c)
	conn.server = true
	return conn
}

func newConn(t testing.TB, c net.Conn) *Conn {
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(Patience))
	return &Conn{Conn: c, R: bufio.NewReaderSize(c, 64<<10), t: t}
}

// CloseWrite sends FIN, or TLS's close_notify: nothing more will be written.
func (c *Conn) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// SetLinger is net.TCPConn's; there is none by TLS.
func (c *Conn) SetLinger(seconds int) error { return c.Conn.(*net.TCPConn).SetLinger(seconds) }

// Send writes s as it is.
func (c *Conn) Send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Fatal(err)
	}
}

// Expect reads len(want) bytes.
func (c *Conn) Expect(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c.R, got); err != nil || string(got) != want {
		c.t.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
}

// ExpectEOF reads the peer's FIN. By TLS that is its close_notify or a FIN between
// records, which crypto/tls does not tell apart.
func (c *Conn) ExpectEOF() {
	c.t.Helper()
	if b, err := c.R.ReadByte(); err != io.EOF {
		c.t.Fatalf("read %q, %v; want the end", b, err)
	}
}

// Response reads the head of the response to a request of that method; its body
// reads on.
func (c *Conn) Response(method string) *http.Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.R, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

// Body reads the response to a request of that method, with its whole body.
func (c *Conn) Body(method string) (*http.Response, string) {
	c.t.Helper()
	resp := c.Response(method)
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(body)
}

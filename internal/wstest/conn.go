package wstest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Conn is a TCP connection that a test writes bytes and frames on.
type Conn struct {
	*net.TCPConn
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
	return &Conn{TCPConn: c.(*net.TCPConn), R: bufio.NewReaderSize(c, 64<<10), t: t}
}

// Send writes s as it is.
func (c *Conn) Send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.TCPConn, s); err != nil {
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

// ExpectEOF reads the peer's FIN.
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

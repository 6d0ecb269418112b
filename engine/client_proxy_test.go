package engine_test

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// way is a proxy that a test plays.
type way struct {
	net.Listener
	mu      sync.Mutex
	targets []string // that it was asked for, as "host:port"
}

// proxies runs a proxy whose exchanges are made by negotiate, which returns the
// target and what tells the client that it is reached; "" ends the connection. All names
// lead to loopback.
func proxies(t *testing.T, negotiate func(c net.Conn, r *bufio.Reader) (target, answer string)) *way {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{Listener: l}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				r := bufio.NewReader(c)
				target, answer := negotiate(c, r)
				w.mu.Lock()
				w.targets = append(w.targets, target)
				w.mu.Unlock()
				if target != "" {
					w.join(c, r, target, answer)
				}
			})
		}
	})
	return w
}

// join carries bytes. The answer leaves together with the first that the server says,
// if that says anything by itself.
func (w *way) join(c net.Conn, r *bufio.Reader, target, answer string) {
	_, port, _ := net.SplitHostPort(target)
	far, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return
	}
	defer far.Close()
	first := make([]byte, 512)
	_ = far.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	n, _ := far.Read(first)
	_ = far.SetReadDeadline(time.Time{})
	if _, err := c.Write(append([]byte(answer), first[:n]...)); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(far, r)
		_ = far.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	_, _ = io.Copy(c, far)
	_ = c.(*net.TCPConn).CloseWrite()
	<-done
}

// asked is the target of the last exchange.
func (w *way) asked() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.targets) == 0 {
		return ""
	}
	return w.targets[len(w.targets)-1]
}

const established = "HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n" // a length that means nothing

// byConnect is an HTTP proxy that wants credentials, if there are any.
func byConnect(credentials string) func(net.Conn, *bufio.Reader) (string, string) {
	return func(c net.Conn, r *bufio.Reader) (string, string) {
		req, err := http.ReadRequest(r)
		if err != nil || req.Method != "CONNECT" || req.Host != req.RequestURI {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			return "", ""
		}
		want := ""
		if credentials != "" {
			want = "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
		}
		if req.Header.Get("Proxy-Authorization") != want {
			_, _ = io.WriteString(c, "HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic\r\nContent-Length: 7\r\n\r\nnot you")
			return "", ""
		}
		return req.Host, established
	}
}

// bySocks is a SOCKS5 proxy that wants credentials, if there are any.
func bySocks(user, password string) func(net.Conn, *bufio.Reader) (string, string) {
	return func(c net.Conn, r *bufio.Reader) (string, string) {
		take := func(n int) []byte {
			b := make([]byte, n)
			if _, err := io.ReadFull(r, b); err != nil {
				b = make([]byte, n)
			}
			return b
		}
		counted := func() string { return string(take(int(take(1)[0]))) }
		head := take(2)
		methods := string(take(int(head[1])))
		switch {
		case user == "":
			_, _ = c.Write([]byte{5, 0})
		case !strings.Contains(methods, "\x02"):
			_, _ = c.Write([]byte{5, 0xff})
			return "", ""
		default:
			_, _ = c.Write([]byte{5, 2})
			if take(1)[0] != 1 || counted() != user || counted() != password {
				_, _ = c.Write([]byte{1, 1})
				return "", ""
			}
			_, _ = c.Write([]byte{1, 0})
		}
		host := ""
		switch take(4)[3] {
		case 1:
			host = net.IP(take(4)).String()
		case 3:
			host = counted()
		case 4:
			host = net.IP(take(16)).String()
		}
		return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(take(2))))), "\x05\x00\x00\x03\x04here\x00\x01"
	}
}

// TestProxies: a client reaches its server through a proxy, by name or address, as a
// WebSocket and raw, and with it what the server says first.
func TestProxies(t *testing.T) {
	for name, c := range map[string]struct {
		url  string
		with func(net.Conn, *bufio.Reader) (string, string)
	}{
		"CONNECT":                   {"http://<proxy>", byConnect("")},
		"CONNECT with credentials":  {"http://us%25er:p%3Ass@<proxy>/", byConnect("us%er:p:ss")},
		"SOCKS5":                    {"socks5://<proxy>", bySocks("", "")},
		"SOCKS5 with credentials":   {"socks5://user:pass@<proxy>", bySocks("user", "pass")},
		"SOCKS5 without a password": {"socks5h://user@<proxy>", bySocks("user", "")},
		"credentials nobody needs":  {"socks5://user:pass@<proxy>", bySocks("", "")},
	} {
		for _, host := range []string{"127.0.0.1", "localhost", "::1"} {
			t.Run(name+" to "+host, func(t *testing.T) {
				w := proxies(t, c.with)
				f := answers(t, over(t).listen(t), func(c *farConn, _ int) { c.upgrade(""); c.echo() })
				info := clientInfo(t, f.addr())
				info.Address, info.Host = host, "localhost"
				info.Proxy = strings.Replace(c.url, "<proxy>", w.Addr().String(), 1)
				o := fateOf(t, info, nil)
				o.wantEcho(t)
				if want := net.JoinHostPort(host, strconv.Itoa(info.Port)); w.asked() != want || o.remote != w.Addr().String() {
					t.Errorf("the proxy was asked for %q, want %q; the peer was %s", w.asked(), want, o.remote)
				}
			})
		}
	}
}

// TestRawClientsBehindProxies get what the server says first, though it comes with the
// proxy's answer.
func TestRawClientsBehindProxies(t *testing.T) {
	for scheme, negotiate := range map[string]func(net.Conn, *bufio.Reader) (string, string){"http": byConnect(""), "socks5": bySocks("", "")} {
		t.Run(scheme, func(t *testing.T) {
			w := proxies(t, negotiate)
			l := over(t).listen(t)
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				_, _ = io.WriteString(c, "hel")
				b := make([]byte, 5)
				if _, err := io.ReadFull(c, b); err == nil && string(b) == "hello" {
					_, _ = io.WriteString(c, "lo")
				}
				_, _ = io.Copy(io.Discard, c)
			}()
			info := clientInfo(t, l.Addr().String())
			info.Method, info.Proxy = "RAW", scheme+"://"+w.Addr().String()
			fateOf(t, info, nil).wantEcho(t)
		})
	}
}

// TestProxyRefusals are errors of their own type.
func TestProxyRefusals(t *testing.T) {
	says := func(ask int, answer string) func(net.Conn, *bufio.Reader) (string, string) {
		return func(c net.Conn, r *bufio.Reader) (string, string) {
			if ask == 0 {
				_, _ = http.ReadRequest(r)
			} else {
				_, _ = io.ReadFull(r, make([]byte, ask))
			}
			_, _ = io.WriteString(c, answer)
			return "", ""
		}
	}
	closed, _ := net.Listen("tcp", "127.0.0.1:0")
	closed.Close()
	for name, c := range map[string]struct {
		url  string
		with func(net.Conn, *bufio.Reader) (string, string)
		want engine.ProxyError
		text string
	}{
		"a wrong password":   {"http://a:b@<proxy>", byConnect("a:c"), engine.ProxyError{Status: 407, Body: []byte("not you")}, "status 407"},
		"not allowed":        {"http://<proxy>", says(0, "HTTP/1.0 403 No\r\n\r\nno way"), engine.ProxyError{Status: 403, Body: []byte("no way")}, "status 403"},
		"bad gateway":        {"http://<proxy>", says(0, "HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n"), engine.ProxyError{Status: 502}, "status 502"},
		"no HTTP":            {"http://<proxy>", says(0, "SSH-2.0-x\r\n"), engine.ProxyError{}, "no HTTP"},
		"silence":            {"http://<proxy>", says(0, ""), engine.ProxyError{}, "no answer: unexpected EOF"},
		"an upgrade":         {"http://<proxy>", says(0, "HTTP/1.1 101 Yes\r\n\r\n"), engine.ProxyError{Status: 101}, "no final"},
		"only interim":       {"http://<proxy>", says(0, strings.Repeat("HTTP/1.1 100 Wait\r\n\r\n", 20)), engine.ProxyError{Status: 100}, "no final"},
		"SOCKS4":             {"socks5://<proxy>", says(3, "\x00\x5a"), engine.ProxyError{}, "another protocol"},
		"no method":          {"socks5://<proxy>", bySocks("user", "x"), engine.ProxyError{}, "none of the authentications"},
		"a wrong user":       {"socks5://a:b@<proxy>", bySocks("user", "x"), engine.ProxyError{}, "user and password"},
		"connection refused": {"socks5://<proxy>", says(3, "\x05\x00\x05\x05"), engine.ProxyError{Reply: 5}, "connection refused"},
		"cut":                {"socks5://<proxy>", says(3, "\x05\x00\x05"), engine.ProxyError{}, "no answer"}, // a reset, if it has not read our second message
	} {
		t.Run(name, func(t *testing.T) {
			w := proxies(t, c.with)
			info := clientInfo(t, "127.0.0.1:1")
			info.Proxy = strings.Replace(c.url, "<proxy>", w.Addr().String(), 1)
			o := fateOf(t, info, nil)
			var p *engine.ProxyError
			if !errors.As(o.err, &p) || p.Status != c.want.Status || p.Reply != c.want.Reply || string(p.Body) != string(c.want.Body) ||
				!strings.Contains(o.err.Error(), c.text) || o.status != 0 {
				t.Errorf("failed by %#v, want %+v, %q", o.err, c.want, c.text)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		info := clientInfo(t, "127.0.0.1:1")
		info.Proxy = "socks5://" + closed.Addr().String()
		o := fateOf(t, info, nil)
		var p *engine.ProxyError
		var op *net.OpError
		if !errors.As(o.err, &p) || !errors.As(o.err, &op) || !strings.Contains(op.Addr.String(), closed.Addr().String()) {
			t.Errorf("failed by %#v", o.err)
		}
	})
}

// TestProxyTimeout: a proxy has the time of a handshake.
func TestProxyTimeout(t *testing.T) {
	w := proxies(t, func(c net.Conn, r *bufio.Reader) (string, string) {
		_, _ = io.Copy(io.Discard, r)
		return "", ""
	})
	got := make(chan error, 1)
	v := start(t, engine.Config{Loops: 1, Limits: engine.Limits{HandshakeTimeout: 50 * time.Millisecond, DrainTimeout: quick.DrainTimeout},
		Vhosts: vhost(callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
			if r == callbacks.ClientConnectionError {
				got <- s.Err()
			}
			return nil
		}})})
	info := clientInfo(t, "127.0.0.1:1")
	info.Proxy = "http://" + w.Addr().String()
	if _, err := v.Connect(info); err != nil {
		t.Fatal(err)
	}
	var p *engine.ProxyError
	if err := receive(t, "an error", got); !errors.As(err, &p) || !errors.Is(err, engine.ErrHandshakeTimeout) {
		t.Errorf("failed by %v", err)
	}
}

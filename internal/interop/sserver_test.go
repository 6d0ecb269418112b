package interop

import (
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// Our client against openssl's server, which prints what it gets and sends what
// the test types.

// sServer starts openssl's server with a certificate.
func sServer(t *testing.T, cert issued, args ...string) (p *terminal, addr string) {
	t.Helper()
	p = openssl(t, append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", cert.cert, "-key", cert.key}, args...)...)
	p.shows("ACCEPT 127.0.0.1:")
	return p, regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(p.Output())
}

// dialer is an engine for clients, which are raw ones if they do not say what
// they are.
type dialer struct {
	*runningEngine
	t *testing.T
}

// newDialer makes clients that show cert, if it is not zero.
func newDialer(t *testing.T, cert issued) *dialer {
	t.Helper()
	secure := ours()
	secure.CertMem, secure.KeyMem = cert.chain, cert.private
	return &dialer{t: t, runningEngine: newEngine(t, engine.Config{Loops: 1, Vhosts: []engine.Vhost{{
		ClientTLS: secure,
		Protocols: []callbacks.Protocol{{Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if c, ok := s.UserData().(*rawClient); ok {
				return c.callback(s, r, in)
			}
			return nil // what concerns no session
		}}},
	}}})}
}

// rawClient is a raw session of ours and what it was told.
type rawClient struct {
	t       *testing.T
	handle  callbacks.Handle
	version chan uint16 // once, when it is connected
	pieces  chan string
	heard   string
	ended   chan end
}

func (c *rawClient) callback(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.RawConnected:
		c.version <- s.TLS().Version
	case callbacks.RawRX:
		c.pieces <- string(in)
	case callbacks.RawClose:
		c.ended <- end{err: s.Err()}
	case callbacks.ClientConnectionError:
		c.ended <- end{err: s.Err(), failed: true}
	}
	return nil
}

// connect begins to connect to localhost.
func (d *dialer) connect(addr string) *rawClient {
	d.t.Helper()
	port := netip.MustParseAddrPort(addr).Port()
	c := &rawClient{t: d.t, version: make(chan uint16, 1), pieces: make(chan string, 100_000), ended: make(chan end, 1)}
	var err error
	c.handle, err = d.Connect(engine.ClientConnectInfo{
		Address: "127.0.0.1", Port: int(port), Host: "localhost", Method: "RAW", Flags: engine.UseSSL, UserData: c,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (c *rawClient) say(text string) {
	c.t.Helper()
	if err := c.handle.Write([]byte(text), callbacks.WriteBinary); err != nil {
		c.t.Fatal(err)
	}
}

// hears waits for a text, of which nothing may be missing in front.
func (c *rawClient) hears(want string) {
	c.t.Helper()
	for len(c.heard) < len(want) {
		c.heard += wait(c.t, c.pieces)
	}
	if !strings.HasPrefix(c.heard, want) {
		c.t.Fatalf("heard %d bytes that are others, %.100q for %.100q", len(c.heard), c.heard, want)
	}
	c.heard = c.heard[len(want):]
}

// hangsUp closes and waits for the end, which must be well.
func (c *rawClient) hangsUp() {
	c.t.Helper()
	if err := c.handle.Close(0, ""); err != nil {
		c.t.Fatal(err)
	}
	c.endsWell()
}

func (c *rawClient) endsWell() {
	c.t.Helper()
	if got := wait(c.t, c.ended); got.err != nil || got.failed {
		c.t.Errorf("ended with %v, failed %v", got.err, got.failed)
	}
}

func TestSServer(t *testing.T) {
	for _, k := range keys {
		t.Run(k.name, func(t *testing.T) {
			cert := issue(t, certstest.Spec{Key: k.key})
			eachVersion(t, func(t *testing.T, version, option string) {
				p, addr := sServer(t, cert, option)
				d := newDialer(t, issued{})
				for i := range 3 {
					c := d.connect(addr)
					if got := wait(t, c.version); tls.VersionName(got) != strings.Replace(version, "v", " ", 1) {
						t.Errorf("version %x", got)
					}
					for _, size := range []int{0, 1000, 16 << 10, 200_000} {
						line := fmt.Sprintf("line of %d behind %s\n", i, strings.Repeat("x", size))
						c.say(line)
						p.shows(line)
						p.types(line)
						c.hears(line)
					}
					c.hangsUp()
					p.Prints("DONE\n", i+1)
				}
				if strings.Contains(p.Output(), "unexpected eof") {
					t.Errorf("it said %s", p.Output())
				}
			})
		})
	}
}

// With -rev the server says close_notify, which is a good end. Upon Q it only
// closes the socket, and so could anybody between us.
func TestSServerCloses(t *testing.T) {
	cert := issue(t, certstest.Spec{})
	eachVersion(t, func(t *testing.T, _, option string) {
		_, addr := sServer(t, cert, option, "-rev")
		c := newDialer(t, issued{}).connect(addr)
		c.say("hello\n")
		c.hears("olleh\n")
		c.say("CLOSE\n")
		c.endsWell()

		p, addr := sServer(t, cert, option)
		c = newDialer(t, issued{}).connect(addr)
		c.say("hello\n")
		p.shows("hello\n")
		p.types("Q\n")
		if got := wait(t, c.ended); !errors.Is(got.err, io.ErrUnexpectedEOF) {
			t.Errorf("cut off, it ended with %v", got.err)
		}
	})
}

func TestSServerWantsCertificate(t *testing.T) {
	alice := issue(t, certstest.Spec{Name: "alice", Usage: certstest.Client})
	eve := issueBy(t, certstest.Must(certstest.NewCA(certstest.Spec{Name: "Elsewhere"})), certstest.Spec{Name: "eve", Usage: certstest.Client})
	cert := issue(t, certstest.Spec{})
	eachVersion(t, func(t *testing.T, _, option string) {
		p, addr := sServer(t, cert, option, "-Verify", "1", "-verify_return_error", "-CAfile", caFile(t))
		c := newDialer(t, alice).connect(addr)
		c.say("hello\n")
		p.shows("hello\n")
		p.shows("subject=CN = alice")
		c.hangsUp()
		for name, shown := range map[string]issued{"none": {}, "of another authority": eve} {
			if got := wait(t, newDialer(t, shown).connect(addr).ended); got.err == nil {
				t.Errorf("%s: the session ended well", name)
			}
		}
	})
}

// What our client distrusts, openssl hears of.
func TestSServerIsDistrusted(t *testing.T) {
	elsewhere := certstest.Must(certstest.NewCA(certstest.Spec{Name: "Elsewhere"}))
	for name, test := range map[string]struct {
		cert  issued
		alert string
	}{
		"unknown authority": {issueBy(t, elsewhere, certstest.Spec{}), "alert bad certificate"},
		"another name":      {issue(t, certstest.Spec{Hosts: []string{"other.test"}}), "alert bad certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			p, addr := sServer(t, test.cert)
			if got := wait(t, newDialer(t, issued{}).connect(addr).ended); !got.failed || got.err == nil {
				t.Errorf("ended as %+v", got)
			}
			p.shows(test.alert)
		})
	}
}

func TestSServerResumes(t *testing.T) {
	cert := issue(t, certstest.Spec{})
	eachVersion(t, func(t *testing.T, _, option string) {
		p, addr := sServer(t, cert, option)
		d := newDialer(t, issued{})
		for i := range 3 {
			c := d.connect(addr)
			c.say(fmt.Sprintf("hello %d\n", i))
			p.shows(fmt.Sprintf("hello %d\n", i))
			p.types("hello\n") // behind the tickets
			c.hears("hello\n")
			c.hangsUp()
			p.Prints("DONE\n", i+1)
		}
		if n := strings.Count(p.Output(), "Reused session-id"); n != 2 || d.Stats().TLSResumed != 2 {
			t.Errorf("openssl saw %d sessions resumed, we %d: %s", n, d.Stats().TLSResumed, p.Output())
		}
	})
}

// K asks our client to renew its keys as well, k does not.
func TestSServerRenewsKeys(t *testing.T) {
	p, addr := sServer(t, issue(t, certstest.Spec{}), "-tls1_3", "-msg")
	c := newDialer(t, issued{}).connect(addr)
	wait(t, c.version)
	updates := 0
	for i, command := range []string{"K", "k", "K", "K", "k"} {
		p.types(command + "\n")
		updates++
		p.Prints("], KeyUpdate", updates)
		line := fmt.Sprintf("line behind update %d\n", i)
		p.types(line)
		c.hears(line)
		c.say(line)
		if command == "K" {
			updates++
		}
		p.Prints("], KeyUpdate", updates)
		p.Prints(line, 1)
	}
	c.hangsUp()
}

// RFC 5746 leaves it to the client; ours ends the session.
func TestSServerDoesNotRenegotiate(t *testing.T) {
	p, addr := sServer(t, issue(t, certstest.Spec{}), "-tls1_2")
	d := newDialer(t, issued{})
	c := d.connect(addr)
	c.say("hello\n")
	p.shows("hello\n")
	p.types("R\n")
	if got := wait(t, c.ended); got.err == nil {
		t.Error("the session ended well")
	}
	c = d.connect(addr)
	c.say("another\n")
	p.shows("another\n")
	c.hangsUp()
}

func TestSServerChoosesALPN(t *testing.T) {
	cert := issue(t, certstest.Spec{})
	p, addr := sServer(t, cert, "-alpn", "http/1.1")
	connect(t, "https://"+addr)
	p.shows("ALPN protocols selected: http/1.1")
}

// The test plays a WebSocket server on openssl's terminal.
func TestSServerSpeaksWebSocket(t *testing.T) {
	p, addr := sServer(t, issue(t, certstest.Spec{}))
	c := connect(t, "https://"+addr)
	p.shows("Sec-WebSocket-Version: 13\r\n")
	p.shows("\r\n\r\n")
	key := regexp.MustCompile(`Sec-WebSocket-Key: (\S+)\r\n`).FindStringSubmatch(p.Output())[1]
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 4.2.2
	p.types("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
	wait(t, c.open)
	p.types("\x81\x05hello")
	c.hears(callbacks.WriteText, "hello")
	c.say("answer")
	p.shows("\x81\x86") // and a key and the payload, masked
	p.types("\x88\x05\x03\xe8bye")
	p.shows("\x88\x85")
	p.types("Q\n") // RFC 6455 7.1.1: it is the server that closes
	if got := wait(t, c.ended); got.code != ws.StatusNormalClosure || got.reason != "bye" {
		t.Errorf("ended as %+v", got)
	}
}

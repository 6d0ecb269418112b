package interop

import (
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/certs/certstest"
	"github.com/penstock-go/penstock/internal/wstest"
)

// openssl's client against our server, which sends back what it gets, in raw
// sessions.

// echoServer tells who has come, and how sessions have ended.
type echoServer struct {
	*runningEngine
	addr   string
	opened chan string // vhost and common name of the client
	ended  chan end
}

// serveRaw runs vhosts that have nothing but their TLS, and a name if there are
// several.
func serveRaw(t *testing.T, vhosts ...engine.Vhost) *echoServer {
	t.Helper()
	v := &echoServer{opened: make(chan string, 100), ended: make(chan end, 100)}
	for i := range vhosts {
		vhosts[i].Listen = []string{"tcp://127.0.0.1:0"}
		vhosts[i].RawProtocol = "echo"
		vhosts[i].Protocols = []callbacks.Protocol{{Name: "echo", Callback: v.callback}}
	}
	v.runningEngine = newEngine(t, engine.Config{Vhosts: vhosts})
	v.addr = v.Addrs()[0].String()
	return v
}

var errStranger = errors.New("nobody lets mallory in")

func (v *echoServer) callback(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.OpenSSLPerformClientCertVerification:
		if s.TLS().PeerCertificates[0].Subject.CommonName == "mallory" {
			return errStranger
		}
	case callbacks.RawAdopt:
		name := "-"
		if chain := s.TLS().PeerCertificates; len(chain) > 0 {
			name = chain[0].Subject.CommonName
		}
		v.opened <- s.Vhost() + " " + name
	case callbacks.RawRX:
		if string(in) == "bye\n" {
			return s.Close(0, "")
		}
		return s.Write(in, callbacks.WriteBinary)
	case callbacks.RawClose:
		v.ended <- end{err: s.Err()}
	}
	return nil
}

// sClient connects openssl's client, which checks the certificate.
func (v *echoServer) sClient(t *testing.T, args ...string) *terminal {
	t.Helper()
	return openssl(t, append([]string{"s_client", "-connect", v.addr, "-CAfile", caFile(t), "-verify_return_error"}, args...)...)
}

// echoes says something and wants it back. It must not begin with a letter that
// is a command to openssl.
func (p *terminal) echoes(text string) {
	p.t.Helper()
	p.types(text + "\n")
	p.shows(text + "\n")
}

// eachVersion runs f with the options of openssl that choose it.
func eachVersion(t *testing.T, f func(t *testing.T, version string, option string)) {
	for version, option := range map[string]string{"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"} {
		t.Run(version, func(t *testing.T) { f(t, version, option) })
	}
}

// keys are the kinds of certificates, and what openssl calls the key of each.
var keys = []struct {
	name, called string
	key          certstest.KeyType
}{
	{"RSA", "rsaEncryption, 2048", certstest.RSA}, {"ECDSA", "id-ecPublicKey, 256", certstest.ECDSA}, {"Ed25519", "ED25519, 256", certstest.Ed25519},
}

func TestSClient(t *testing.T) {
	for _, k := range keys {
		v := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{Key: k.key}).server()})
		t.Run(k.name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, version, option string) {
				c := v.sClient(t, option)
				c.shows("New, " + version)
				c.shows("a:PKEY: " + k.called)
				c.shows("Verify return code: 0 (ok)")
				for i := range 10 {
					c.echoes(fmt.Sprintf("line %d ", i) + strings.Repeat("x", i*i*20))
				}
				c.hangsUp()
				if got := wait(t, v.ended); got.err != nil {
					t.Errorf("the session ended with %v", got.err)
				}
			})
		})
	}
}

// The server closes, and says so inside TLS: openssl would complain of an
// unexpected EOF.
func TestSClientIsClosed(t *testing.T) {
	v := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{}).server()})
	eachVersion(t, func(t *testing.T, _, option string) {
		c := v.sClient(t, option)
		c.echoes("hello")
		c.types("bye\n")
		c.ends()
		if got := wait(t, v.ended); got.err != nil {
			t.Errorf("the session ended with %v", got.err)
		}
	})
	c := v.sClient(t)
	c.echoes("hello")
	v.stop()
	c.ends()
}

func TestSClientCiphers(t *testing.T) {
	rsa := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{Key: certstest.RSA}).server()})
	ecdsa := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{}).server()})
	for _, test := range []struct {
		server *echoServer
		suite  string
	}{
		{rsa, "ECDHE-RSA-AES128-GCM-SHA256"}, {rsa, "ECDHE-RSA-AES256-GCM-SHA384"}, {rsa, "ECDHE-RSA-CHACHA20-POLY1305"},
		{ecdsa, "ECDHE-ECDSA-AES128-GCM-SHA256"}, {ecdsa, "ECDHE-ECDSA-AES256-GCM-SHA384"}, {ecdsa, "ECDHE-ECDSA-CHACHA20-POLY1305"},
		{ecdsa, "TLS_AES_128_GCM_SHA256"}, {ecdsa, "TLS_AES_256_GCM_SHA384"}, {ecdsa, "TLS_CHACHA20_POLY1305_SHA256"},
	} {
		t.Run(test.suite, func(t *testing.T) {
			args := []string{"-tls1_2", "-cipher", test.suite}
			if strings.HasPrefix(test.suite, "TLS_") {
				args = []string{"-tls1_3", "-ciphersuites", test.suite}
			}
			c := test.server.sClient(t, args...)
			c.shows("Cipher is " + test.suite)
			c.echoes("hello")
			c.hangsUp()
		})
	}
}

func TestSClientGroups(t *testing.T) {
	v := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{Key: certstest.RSA}).server()})
	eachVersion(t, func(t *testing.T, _, option string) {
		for group, want := range map[string]string{"X25519": "X25519", "P-256": "ECDH, prime256v1", "P-384": "ECDH, secp384r1"} {
			c := v.sClient(t, option, "-groups", group)
			c.shows("Server Temp Key: " + want)
			c.echoes("hello")
			c.hangsUp()
		}
	})
}

// RFC 8446 4.1.4: the client is asked to say hello again, with another key.
func TestSClientSaysHelloAgain(t *testing.T) {
	secure := issue(t, certstest.Spec{}).server()
	secure.Config = &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}}
	c := serveRaw(t, engine.Vhost{TLS: secure}).sClient(t, "-tls1_3", "-groups", "P-256:X25519", "-msg")
	c.shows("Server Temp Key: X25519")
	c.echoes("hello")
	c.hangsUp()
	if n := strings.Count(c.Output(), "], ClientHello"); n != 2 {
		t.Errorf("%d hellos: %s", n, c.Output())
	}
}

func TestSClientResumes(t *testing.T) {
	v := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{}).server()})
	resumed := int64(0)
	eachVersion(t, func(t *testing.T, version, option string) {
		ticket := filepath.Join(t.TempDir(), "session")
		c := v.sClient(t, option, "-sess_out", ticket)
		c.shows("New, " + version)
		c.echoes("first")
		c.hangsUp()
		for range 2 { // TLS 1.3 gives a new ticket with each connection
			c = v.sClient(t, option, "-sess_in", ticket, "-sess_out", ticket)
			c.shows("Reused, " + version)
			c.echoes("again")
			c.hangsUp()
			resumed++
		}
	})
	if got := v.Stats(); got.TLSResumed != resumed || got.TLSHandshakes != resumed+2 {
		t.Errorf("%d handshakes, %d of them resumed", got.TLSHandshakes, got.TLSResumed)
	}
}

func TestSClientCertificate(t *testing.T) {
	secure := issue(t, certstest.Spec{}).server()
	secure.ClientCAMem = authority.PEM
	v := serveRaw(t, engine.Vhost{TLS: secure})
	client := func(name string, k certstest.KeyType) issued {
		return issue(t, certstest.Spec{Name: name, Usage: certstest.Client, Key: k})
	}
	elsewhere := certstest.Must(certstest.NewCA(certstest.Spec{Name: "Elsewhere"}))
	eve := issueBy(t, elsewhere, certstest.Spec{Name: "eve", Usage: certstest.Client})
	mallory := client("mallory", certstest.ECDSA)
	eachVersion(t, func(t *testing.T, version, option string) {
		for _, k := range keys {
			alice := client("alice by "+k.name, k.key)
			ticket := filepath.Join(t.TempDir(), "session")
			for _, sess := range []string{"-sess_out", "-sess_in"} { // a resumed session has a name as well
				c := v.sClient(t, option, "-cert", alice.cert, "-key", alice.key, sess, ticket)
				c.echoes("hello")
				if got := wait(t, v.opened); got != " alice by "+k.name {
					t.Errorf("it was %q", got)
				}
				c.hangsUp()
			}
		}
		missing := "handshake failure"
		if version == "TLSv1.3" {
			missing = "alert certificate required"
		}
		v.sClient(t, option).fails(missing)
		v.sClient(t, option, "-cert", eve.cert, "-key", eve.key).fails("alert unknown ca")
		v.sClient(t, option, "-cert", mallory.cert, "-key", mallory.key).fails("alert bad certificate")
	})
	if got := v.Stats(); got.TLSFailed != 6 || len(v.opened) != 0 {
		t.Errorf("%d handshakes failed; %d more were let in", got.TLSFailed, len(v.opened))
	}
}

// K asks the server to renew its keys as well, k does not.
func TestSClientRenewsKeys(t *testing.T) {
	v := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{}).server()})
	c := v.sClient(t, "-tls1_3", "-msg")
	c.echoes("before")
	for i, command := range []string{"K", "k", "K", "K", "k"} {
		c.types(command + "\n")
		c.Prints("KEYUPDATE", i+1)
		c.echoes(fmt.Sprintf("behind update %d", i))
	}
	c.hangsUp()
	if n := strings.Count(c.Output(), "], KeyUpdate"); n != 5+3 {
		t.Errorf("%d messages of KeyUpdate, by both sides: %s", n, c.Output())
	}
	if got := wait(t, v.ended); got.err != nil {
		t.Errorf("the session ended with %v", got.err)
	}
}

// Nobody else suffers from a client that wants to negotiate again.
func TestSClientDoesNotRenegotiate(t *testing.T) {
	v := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{}).server()})
	other := v.sClient(t, "-tls1_2")
	other.echoes("before")
	c := v.sClient(t, "-tls1_2")
	c.echoes("before")
	c.types("R\n")
	c.shows("RENEGOTIATING")
	c.fails("alert unexpected message")
	if got := wait(t, v.ended); got.err == nil {
		t.Error("the session ended well")
	}
	other.echoes("behind")
	other.hangsUp()
}

// Records of all sizes: one byte and a newline, as one types, and no more than
// openssl is told to put into one.
func TestSClientRecords(t *testing.T) {
	v := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{}).server()})
	eachVersion(t, func(t *testing.T, _, option string) {
		small := v.sClient(t, option, "-quiet")
		want := ""
		for range 50 {
			small.types("x")
			want += "x"
			small.shows(want)
		}
		small.types("bye\n")
		small.ends()
		for _, size := range []string{"512", "1000", "16384"} {
			c := v.sClient(t, option, "-quiet", "-max_send_frag", size, "-split_send_frag", size)
			c.echoes(strings.Repeat("0123456789abcdef", 20_000) + size)
			c.types("bye\n")
			c.ends()
		}
	})
}

func TestSClientALPN(t *testing.T) {
	e := newEngine(t, engine.Config{Vhosts: []engine.Vhost{{
		Listen: []string{"tcp://127.0.0.1:0"}, TLS: issue(t, certstest.Spec{}).server(), Protocols: []callbacks.Protocol{{Callback: whoami}},
	}}})
	v := &echoServer{runningEngine: e, addr: e.Addrs()[0].String()}
	eachVersion(t, func(t *testing.T, _, option string) {
		for offer, want := range map[string]string{
			"http/1.1": "ALPN protocol: http/1.1", "h2,http/1.1": "ALPN protocol: http/1.1", "": "No ALPN negotiated",
		} {
			args := []string{option}
			if offer != "" {
				args = append(args, "-alpn", offer)
			}
			c := v.sClient(t, args...)
			c.shows(want)
			c.types("GET / HTTP/1.0\r\n\r\n")
			c.shows("nobody at ")
			c.ends()
		}
		v.sClient(t, option, "-alpn", "h2").fails("alert no application protocol")
	})
}

func TestSClientNames(t *testing.T) {
	var vhosts []engine.Vhost
	for _, name := range []string{"one.test", "two.test"} {
		vhosts = append(vhosts, engine.Vhost{Name: name, TLS: issue(t, certstest.Spec{Hosts: []string{name}}).server()})
	}
	v := serveRaw(t, vhosts...)
	eachVersion(t, func(t *testing.T, _, option string) {
		for name, want := range map[string]string{"one.test": "one.test", "two.test": "two.test", "TWO.test": "two.test", "": "one.test", "other.test": "one.test"} {
			args := []string{option, "-noservername"}
			if name != "" {
				args = []string{option, "-servername", name}
			}
			c := v.sClient(t, args...)
			c.shows("subject=CN = " + want)
			c.echoes("hello")
			if got := wait(t, v.opened); got != want+" -" {
				t.Errorf("%q came to %q", name, got)
			}
			c.hangsUp()
		}
	})
}

func TestSClientOfOldVersions(t *testing.T) {
	wstest.NoLeaks(t)
	v := serveRaw(t, engine.Vhost{TLS: issue(t, certstest.Spec{}).server()})
	for _, option := range []string{"-tls1", "-tls1_1"} {
		v.sClient(t, option, "-cipher", "DEFAULT@SECLEVEL=0").fails("alert protocol version")
	}
	v.stop()
}

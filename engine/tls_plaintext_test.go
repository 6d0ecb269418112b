package engine_test

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// sessionEnds reports Session.Err of every session that ends.
func sessionEnds(f callbacks.Callback) (callbacks.Callback, <-chan error) {
	ends := make(chan error, 1024)
	return func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.WSIDestroy {
			ends <- s.Err()
		}
		return f(s, r, in)
	}, ends
}

func TestTLSPlaintextRefuse(t *testing.T) {
	v := serveTLS(t, with(engine.ServerTLS{HSTS: 3600e9}), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.FilterHTTPConnection || r == callbacks.HTTP || r == callbacks.HTTPConfirmUpgrade {
			t.Errorf("the program was asked: %v", r)
		}
		return nil
	})
	for _, request := range []string{get("/"), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", upgradeHead + "\r\n"} {
		p := v.dial(t).send(request)
		if r := p.want(400, "This port speaks TLS: ask by https.\n"); r.Header.Get("Strict-Transport-Security") != "" {
			t.Error("HSTS in plaintext")
		}
		p.wantEOF()
	}
}

// TestTLSPlaintextRedirect: to the same place by https, and with a method that the
// client keeps.
func TestTLSPlaintextRedirect(t *testing.T) {
	v := serveTLS(t, with(engine.ServerTLS{Plaintext: engine.PlaintextRedirect}), tellTLS)
	for _, c := range []struct {
		request, host, location string
		status                  int
	}{
		{"GET /a/b?c=d&e=%20f", "localhost", "https://localhost/a/b?c=d&e=%20f", 301},
		{"HEAD /", "localhost", "https://localhost/", 301},
		{"GET /?", "localhost", "https://localhost/?", 301},
		{"POST /form?x", "localhost:8443", "https://localhost:8443/form?x", 308},
		{"PUT /", "[::1]:8443", "https://[::1]:8443/", 308},
		{"DELETE /%2f..%2f", "localhost", "https://localhost/%2f..%2f", 308},
		{"GET http://elsewhere/x?y", "elsewhere", "https://elsewhere/x?y", 301},
	} {
		p := v.dial(t).send(c.request, " HTTP/1.1\r\nHost: ", c.host, "\r\n\r\n")
		method, _, _ := strings.Cut(c.request, " ")
		r, _ := p.response(method)
		if got := r.Header.Get("Location"); r.StatusCode != c.status || got != c.location {
			t.Errorf("%s, Host %s: %d to %q, want %d to %q", c.request, c.host, r.StatusCode, got, c.status, c.location)
		}
		p.wantEOF()
	}
	for name, request := range map[string]string{
		"no Host":       "GET / HTTP/1.0\r\n\r\n",
		"an empty Host": "GET / HTTP/1.1\r\nHost:\r\n\r\n",
		"no path":       "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"a tunnel":      "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
	} {
		if r, _ := v.dial(t).send(request).response("GET"); r.StatusCode/100 == 3 || r.Header["Location"] != nil {
			t.Errorf("%s: %d to %q", name, r.StatusCode, r.Header["Location"])
		}
	}
	v.dialTLS(t, trust()).wantTold("- localhost - -")
}

// TestTLSPlaintextServe: both on one port, and the program can tell them apart.
func TestTLSPlaintextServe(t *testing.T) {
	v := serveTLS(t, with(engine.ServerTLS{Plaintext: engine.PlaintextServe}),
		func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.Receive {
				return s.Write([]byte(describe(s)), callbacks.WriteText)
			}
			return tellTLS(s, r, in)
		})
	p := v.dial(t)
	for range 2 {
		p.send(get("/")).want(200, "plaintext")
	}
	w, _ := v.upgrade(t)
	w.frame(1, true, "?").wantFrames("1 plaintext")
	v.dialTLS(t, trust()).wantTold("- localhost - -")
	s := v.dialTLS(t, trust()).upgradeTLS()
	s.frame(1, true, "?").wantFrames("1 - localhost - -")
}

// TestTLSPlaintextByVhost: the Host decides about the answer, as SNI does not.
func TestTLSPlaintextByVhost(t *testing.T) {
	list := vhostsFor(t, "", "b.test", "c.test")
	list[1].TLS.Plaintext, list[2].TLS.Plaintext = engine.PlaintextServe, engine.PlaintextRedirect
	v := startTLS(t, quick, list...)
	for host, want := range map[string]int{"default": 400, "b.test": 200, "c.test": 301} {
		if r, _ := v.dial(t).send("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").response("GET"); r.StatusCode != want {
			t.Errorf("Host %s: %s, want %d", host, r.Status, want)
		}
	}
}

// TestTLSPlaintextRedirectStaysHome: a vhost with a name sends nobody to another.
func TestTLSPlaintextRedirectStaysHome(t *testing.T) {
	list := vhostsFor(t, "b.test", "*.c.test")
	list[0].TLS.Plaintext, list[1].TLS.Plaintext = engine.PlaintextRedirect, engine.PlaintextRedirect
	v := startTLS(t, quick, list...)
	for host, want := range map[string]string{
		"b.test": "https://b.test/x", "B.test:81": "https://B.test:81/x", "x.c.test": "https://x.c.test/x",
		"evil.test": "https://b.test/x", "evil.test:81": "https://b.test:81/x", "c.test": "https://b.test/x",
	} {
		r, _ := v.dial(t).send("GET /x HTTP/1.1\r\nHost: " + host + "\r\n\r\n").response("GET")
		if got := r.Header.Get("Location"); got != want {
			t.Errorf("Host %s: %d to %q, want %q", host, r.StatusCode, got, want)
		}
	}
}

// TestTLSPlaintextOfRawVhosts: a client that could not read HTTP is reset, or served.
func TestTLSPlaintextOfRawVhosts(t *testing.T) {
	for _, mode := range []engine.Plaintext{engine.PlaintextRefuse, engine.PlaintextRedirect, engine.PlaintextServe} {
		f, ends := sessionEnds(func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.RawRX {
				_ = s.Write([]byte(describe(s)), callbacks.WriteRaw)
				return callbacks.ErrClose
			}
			return nil
		})
		v := startTLS(t, quick, engine.Vhost{TLS: with(engine.ServerTLS{Plaintext: mode}), RawProtocol: "raw",
			Protocols: []callbacks.Protocol{{Name: "raw", Callback: f}}})
		p := v.dial(t).send("hello")
		got, err := io.ReadAll(p)
		_ = p.Close()
		end := receive(t, "the session ends", ends)
		if mode == engine.PlaintextServe {
			if string(got) != "plaintext" || err != nil || end != nil {
				t.Errorf("served: %q, %v, the session ended with %v", got, err, end)
			}
		} else if len(got) > 0 || !errors.Is(err, syscall.ECONNRESET) || end == nil || !strings.Contains(end.Error(), "plaintext") {
			t.Errorf("not served: %q, %v, the session ended with %v", got, err, end)
		}
	}
}

// TestTLSGarbageForAHello: what is neither TLS nor HTTP is refused at once, and what
// begins like TLS gets an alert.
func TestTLSGarbageForAHello(t *testing.T) {
	f, ends := sessionEnds(tellTLS)
	v := serveTLS(t, with(engine.ServerTLS{}), f)
	for name, c := range map[string]struct{ bytes, answer string }{
		"noise":                 {"\xff\xfe\xfd\r\n\r\n", "HTTP/1.1 400"},
		"NUL":                   {"\x00\x00\x00\x00\r\n", "HTTP/1.1 400"},
		"an alert":              {"\x15\x03\x01\x00\x02\x02\x28", "HTTP/1.1 400"},
		"SSLv2":                 {"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\r\n", "HTTP/1.1 400"},
		"a version of tomorrow": {"\x16\x7f\x01\x00\x04\x01\x00\x00\x00", ""},
		"an oversized record":   {"\x16\x03\x01\xff\xff\x01\x00\x00\x00", "\x15\x03"},
		"an empty record":       {"\x16\x03\x01\x00\x00" + strings.Repeat("\x16\x03\x01\x00\x00", 20), "\x15\x03"},
		"an empty hello":        {"\x16\x03\x01\x00\x04\x01\x00\x00\x00", "\x15\x03"},
		"a server's hello":      {"\x16\x03\x01\x00\x04\x02\x00\x00\x00", "\x15\x03"},
		"a hello without end":   {"\x16\x03\x01\x00\x04\x01\xff\xff\xff", "\x15\x03"},
	} {
		t.Run(name, func(t *testing.T) {
			p := v.dial(t).send(c.bytes)
			got := make([]byte, len(c.answer))
			if _, err := io.ReadFull(p.r, got); string(got) != c.answer {
				t.Errorf("the answer is %q, %v", got, err)
			}
			_ = p.Close()
			if err := receive(t, "the session ends", ends); err == nil {
				t.Error("it ended without an error")
			}
		})
	}
	// A hello that announces 64 KB in records of 16, which none of a client's has.
	_, _ = io.WriteString(v.dial(t), "\x16\x03\x01\x40\x00\x01\x00\xff\xff"+strings.Repeat("\x00", 16<<10-4)+"\x16\x03\x01\x40\x00")
	if err := receive(t, "the session ends", ends); err == nil || !strings.Contains(err.Error(), "ClientHello") {
		t.Errorf("too long a hello: %v", err)
	}
	v.dialTLS(t, trust()).wantTold("- localhost - -")
}

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// serveTLS runs the program with a certificate; connect makes clients of it.
func serveTLS(t *testing.T, args ...string) (p *wstest.Program, connect func() *wstest.Conn) {
	t.Helper()
	cert := wstest.MakeCertificate(t)
	p = wstest.Serve(t, run, append([]string{"-cert", cert.Cert, "-key", cert.Key}, args...)...)
	return p, func() *wstest.Conn {
		t.Helper()
		return wstest.ConnectTLS(t, p.Addr, cert.Trust)
	}
}

func TestSecureURLIsPrinted(t *testing.T) {
	p, _ := serveTLS(t)
	if ok, _ := regexp.MatchString(`^https://127\.0\.0\.1:[1-9]\d*/\n$`, p.Output()); !ok {
		t.Errorf("printed %q", p.Output())
	}
}

func TestSecurePlainIsExact(t *testing.T) {
	_, connect := serveTLS(t)
	plainIsExact(t, connect())
}

func TestSecurePage(t *testing.T) {
	_, connect := serveTLS(t)
	if _, body := ask(t, connect(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); body != string(page) {
		t.Errorf("got %d bytes", len(body))
	}
}

func TestSecureBodies(t *testing.T) {
	_, connect := serveTLS(t)
	c := connect()
	for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 8 << 20} {
		want := strings.Repeat("x", size)
		sent := make(chan error, 1)
		go func() {
			_, err := fmt.Fprintf(c.Conn, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", size, want)
			sent <- err
		}()
		if resp, body := c.Body("POST"); resp.StatusCode != 200 || body != want {
			t.Errorf("%s with %d bytes for %d, or others", resp.Status, len(body), size)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	c.Send("GET /plain HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	c.Body("GET")
	c.ExpectEOF()
}

func TestSecureWebSocket(t *testing.T) {
	_, connect := serveTLS(t)
	c := connect()
	c.Upgrade("/", "Sec-WebSocket-Protocol: echo-protocol")
	if got := c.Head.Get("Sec-WebSocket-Protocol"); got != "echo-protocol" {
		t.Errorf("agreed on %q", got)
	}
	for _, size := range []int{0, 1, 125, 126, 16 << 10, 65535, 65536, 1 << 20} {
		for _, op := range []byte{wstest.Text, wstest.Binary} {
			want := strings.Repeat("m", size)
			c.Frame(true, op, []byte(want))
			c.ExpectMessage(op, want)
		}
	}
	c.CloseFrame(1000, "bye")
	c.ExpectClose(1000, "bye")
	c.ExpectEOF()
}

// The longest message that is let in has room on its way out, sealed.
func TestSecureLongestMessage(t *testing.T) {
	_, connect := serveTLS(t, "-max-message", "4194304")
	c := connect()
	c.Upgrade("/")
	want := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(c.AppendFrame(nil, true, wstest.Binary, want))
		sent <- err
	}()
	if op, got := c.Message(); op != wstest.Binary || !bytes.Equal(got, want) {
		t.Errorf("opcode %d, %d bytes, or others", op, len(got))
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// An end of the data that TLS does not vouch for is no end of a body.
func TestSecureHalfClose(t *testing.T) {
	_, connect := serveTLS(t)
	c := connect()
	c.Send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nfirst")
	resp := c.Response("POST")
	c.Expect("first")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the answer ended well, with %q", rest)
	}
}

func TestSecureInterruptSaysGoingAway(t *testing.T) {
	wstest.NoLeaks(t)
	p, connect := serveTLS(t)
	open, idle, silent := connect(), connect(), wstest.Connect(t, p.Addr)
	open.Upgrade("/")
	ask(t, idle, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n")
	p.Interrupt()
	open.ExpectClose(1001, "")
	open.CloseFrame(1001, "")
	for _, c := range []*wstest.Conn{open, idle} {
		c.ExpectEOF()
		_ = c.Close()
	}
	_, _ = io.ReadAll(silent.R) // which has not begun to shake hands
	_ = silent.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestKeyInTheSameFile(t *testing.T) {
	cert := wstest.MakeCertificate(t)
	p := wstest.Serve(t, run, "-cert", cert.Both)
	if _, body := ask(t, wstest.ConnectTLS(t, p.Addr, cert.Trust), "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"); body != "Hello, World!" {
		t.Errorf("got %q", body)
	}
}

// Who forgets the s of https is told.
func TestPlaintextIsRefused(t *testing.T) {
	p, connect := serveTLS(t)
	c := wstest.Connect(t, p.Addr)
	if resp, _ := ask(t, c, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"); resp.StatusCode != 400 {
		t.Errorf("status %s", resp.Status)
	}
	c.ExpectEOF()
	if _, body := ask(t, connect(), "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"); body != "Hello, World!" {
		t.Errorf("then got %q", body)
	}
}

func TestStandardClientByTLS(t *testing.T) {
	cert := wstest.MakeCertificate(t)
	p := wstest.Serve(t, run, "-cert", cert.Cert, "-key", cert.Key)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := cert.Trust.Clone()
		cfg.MinVersion, cfg.MaxVersion = version, version
		transport := &http.Transport{TLSClientConfig: cfg}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: wstest.Patience}
		resp, err := client.Post("https://"+p.Addr+"/echo", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != "hello" || resp.TLS.Version != version {
			t.Errorf("%q by %s, %v", body, tls.VersionName(resp.TLS.Version), err)
		}
	}
}

func TestBadCertificate(t *testing.T) {
	cert, other := wstest.MakeCertificate(t), wstest.MakeCertificate(t)
	nonsense := t.TempDir() + "/nonsense.pem"
	if err := os.WriteFile(nonsense, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no certificate in it": {"-cert", nonsense, "-key", cert.Key},
		"no key in it":         {"-cert", cert.Cert, "-key", nonsense},
		"no key":               {"-cert", cert.Cert},
		"another's key":        {"-cert", cert.Cert, "-key", other.Key},
	} {
		t.Run(name, func(t *testing.T) {
			if err := wstest.Run(t, run, append(args, "-addr", "127.0.0.1:0")...).Wait(); err == nil {
				t.Error("no error")
			}
		})
	}
	err := wstest.Run(t, run, "-addr", "127.0.0.1:0", "-cert", nonsense+".none", "-key", cert.Key).Wait()
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

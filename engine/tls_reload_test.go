package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// TestTLSReloadLeavesSessionsAlone does it with real sockets: the files are read as
// the alarm would have them read.
func TestTLSReloadLeavesSessionsAlone(t *testing.T) {
	first, second := issued(t, 30), issued(t, 60)
	updated := make(chan struct{}, 1)
	w := serveFiles(t, first, Limits{}, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.VhostCertUpdate:
			updated <- struct{}{}
		case callbacks.RawRX:
			return s.Write(in, callbacks.WriteRaw)
		}
		return nil
	})
	echo := func(c *tls.Conn, text string) {
		t.Helper()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		got := make([]byte, len(text))
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
			t.Fatalf("echo %q, %v", got, err)
		}
	}
	open := w.dial()
	echo(open, "before")
	w.put(second)
	w.reload()
	<-updated
	fresh := w.dial()
	echo(fresh, "fresh")
	echo(open, "after")
	if !open.ConnectionState().PeerCertificates[0].Equal(first.TLS.Leaf) || !fresh.ConnectionState().PeerCertificates[0].Equal(second.TLS.Leaf) {
		t.Error("the wrong certificate was shown")
	}
	_, _ = open.Close(), fresh.Close()
	w.end()
}

// TestTLSHandshakesGoOnWhileTheDiskHangs: a pipe is a file that hangs.
func TestTLSHandshakesGoOnWhileTheDiskHangs(t *testing.T) {
	w := serveFiles(t, issued(t, 30), Limits{TLSHandshakeSteps: 1}, func(callbacks.Session, callbacks.Reason, []byte) error { return nil })
	if err := errors.Join(os.Remove(w.key), syscall.Mkfifo(w.key, 0o600)); err != nil {
		t.Fatal(err)
	}
	w.reload()
	pipe, err := os.OpenFile(w.key, os.O_WRONLY, 0) // once it is being read
	if err != nil {
		t.Fatal(err)
	}
	_ = w.dial().Close()
	_ = pipe.Close()
	w.end()
}

// serveFiles runs an engine with real sockets and one raw protocol.
func serveFiles(t *testing.T, c *certstest.Issued, limits Limits, f callbacks.Callback) *watched {
	t.Helper()
	dir := t.TempDir()
	w := &watched{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), done: make(chan error, 1)}
	w.put(c)
	e, err := New(Config{Loops: 1, Limits: limits, Logger: slog.New(slog.DiscardHandler), Vhosts: []Vhost{{
		Listen: []string{"tcp://127.0.0.1:0"}, TLS: &ServerTLS{CertFile: w.cert, KeyFile: w.key}, RawProtocol: "raw",
		Protocols: []callbacks.Protocol{{Name: "raw", Callback: f}}}}})
	if err == nil {
		err = e.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Engine = e
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	go func() { w.done <- e.Run(ctx) }()
	return w
}

func (w *watched) dial() *tls.Conn {
	w.t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", w.Addrs()[0].String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

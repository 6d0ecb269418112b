package tlsbridge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// patience is how long anything of openssl's may take.
const patience = 20 * time.Second

// openssl is its process, which is ended with the test.
type openssl struct {
	in    io.WriteCloser
	out   transcript
	err   bytes.Buffer
	done  chan error
	ended chan struct{}
}

// transcript is what somebody writes while somebody else looks on.
type transcript struct {
	mu   sync.Mutex
	b    bytes.Buffer
	grew chan struct{}
}

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.grew <- struct{}{}:
	default:
	}
	return s.b.Write(b)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func startOpenssl(t *testing.T, args ...string) *openssl {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed: it is the other side of this test")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	cmd := exec.CommandContext(ctx, path, args...)
	o := &openssl{done: make(chan error, 1), ended: make(chan struct{})}
	o.out.grew = make(chan struct{}, 1)
	o.in, err = cmd.StdinPipe()
	cmd.Stdout, cmd.Stderr = &o.out, &o.err
	if err = errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	go func() {
		o.done <- cmd.Wait()
		close(o.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-o.ended
		if t.Failed() {
			t.Logf("openssl %q said\n%s\n%s", args, o.out.String(), &o.err)
		}
	})
	return o
}

// wait is for openssl to end by itself.
func (o *openssl) wait(t *testing.T) {
	t.Helper()
	if err := <-o.done; err != nil {
		t.Errorf("openssl: %v", err)
	}
}

// after waits for a line that begins with prefix, and returns the rest of it.
func (o *openssl) after(t *testing.T, prefix string) string {
	t.Helper()
	for {
		for line := range strings.Lines(o.out.String()) {
			if rest, ok := strings.CutPrefix(line, prefix); ok && strings.HasSuffix(rest, "\n") {
				return strings.TrimSpace(rest)
			}
		}
		select {
		case <-o.out.grew:
		case <-o.ended:
			t.Fatalf("openssl ended without %q", prefix)
		}
	}
}

// wire drives a Conn over a socket that blocks.
type wire struct {
	receiver
	t      *testing.T
	socket net.Conn
}

func newWire(t *testing.T, role Role, cfg *tls.Config, socket net.Conn) *wire {
	w := &wire{t: t, socket: socket, receiver: receiver{Conn: new(Conn), server: role == Server}}
	w.Init(role, cfg, socket.LocalAddr(), socket.RemoteAddr())
	_ = socket.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() {
		w.Cancel()
		_ = socket.Close()
	})
	return w
}

// until reads until ready, and returns the error that Step, Open or the socket
// ended it with.
func (w *wire) until(ready func() bool) error {
	out, err := w.receive(nil)
	buf := make([]byte, 4096)
	for {
		if _, werr := w.socket.Write(out); werr != nil && err == nil {
			return werr
		}
		if err != nil || ready() {
			return err
		}
		n, rerr := w.socket.Read(buf)
		if n == 0 {
			return rerr
		}
		out, err = w.receive(buf[:n])
	}
}

func (w *wire) handshake() {
	w.t.Helper()
	if err := w.until(w.Secured); !w.Secured() { // what is right behind may be close_notify
		w.t.Fatal(err)
	}
}

// wants reads that much, and wants it to be the text.
func (w *wire) wants(text string) {
	w.t.Helper()
	if err := w.until(func() bool { return len(w.plain) >= len(text) }); err != nil && err != io.EOF || string(w.plain) != text {
		w.t.Fatalf("%d bytes came, not %d: %.50q, %v", len(w.plain), len(text), w.plain, err)
	}
	w.plain = nil
}

func (w *wire) send(text string) {
	w.t.Helper()
	if _, err := w.socket.Write(must(w.Seal(nil, []byte(text)))); err != nil {
		w.t.Fatal(err)
	}
}

// bye ends this side, and waits for the other's close_notify.
func (w *wire) bye() {
	w.t.Helper()
	_, _ = w.socket.Write(w.CloseNotify(nil))
	if err := w.until(func() bool { return false }); err != io.EOF {
		w.t.Errorf("instead of close_notify: %v", err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	return l
}

// accept is the server's side of one connection.
func accept(t *testing.T, l net.Listener, cfg *tls.Config) *wire {
	t.Helper()
	socket, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return newWire(t, Server, cfg, socket)
}

// files writes what openssl wants to read: the authority, and the chain and key of
// a leaf.
func files(t *testing.T, kind certstest.KeyType, usage certstest.Usage) (ca, chain, key string) {
	t.Helper()
	dir, leaf := t.TempDir(), cert(kind, usage)
	ca, chain, key = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	for name, b := range map[string][]byte{ca: authority().PEM, chain: leaf.Chain, key: leaf.Key} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ca, chain, key
}

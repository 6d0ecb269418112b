package tlsbridge

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

// serveOpenssl starts a server that sends lines back, reversed.
func serveOpenssl(t *testing.T, kind certstest.KeyType, args ...string) (*openssl, string) {
	t.Helper()
	ca, chain, key := files(t, kind, certstest.Server)
	args = append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", chain, "-key", key, "-CAfile", ca}, args...)
	o := startOpenssl(t, args...)
	return o, o.after(t, "ACCEPT ")
}

// TestOpensslServer talks to one of each kind, with a client's certificate, twice
// in a session.
func TestOpensslServer(t *testing.T) {
	for name, kind := range keyTypes {
		t.Run(name, func(t *testing.T) {
			everyWay(t, func(t *testing.T, version uint16) {
				_, cc := configs(version)
				cc.ClientSessionCache = tls.NewLRUClientSessionCache(1)
				cc.Certificates = []tls.Certificate{cert(kind, certstest.Client).TLS}
				o, addr := serveOpenssl(t, kind, opensslVersion[version], "-rev", "-naccept", "2", "-Verify", "1", "-verify_return_error", "-max_send_frag", "600")
				for i := range 2 {
					w := dial(t, cc, addr)
					w.handshake()
					if w.State().DidResume != (i == 1) {
						t.Errorf("connection %d: resumed %v", i, w.State().DidResume)
					}
					line := strings.Repeat("0123456789", 400)
					w.send(line + "\n")
					w.wants(strings.Repeat("9876543210", 400) + "\n")
					_, _ = w.socket.Write(w.CloseNotify(nil))
					_ = w.until(func() bool { return false })
					_ = w.socket.Close()
				}
				o.wait(t)
			})
		})
	}
}

// TestOpensslServerUpdatesKeys has it update its own keys, and ask for ours.
func TestOpensslServerUpdatesKeys(t *testing.T) {
	bothModes(t, func(t *testing.T) {
		_, cc := configs(tls.VersionTLS13)
		o, addr := serveOpenssl(t, certstest.ECDSA, "-tls1_3", "-naccept", "1", "-num_tickets", "0")
		w := dial(t, cc, addr)
		w.handshake()
		for _, command := range []string{"k\n", "K\n"} {
			before := w.opened
			_, _ = io.WriteString(o.in, command)
			if err := w.until(func() bool { return w.opened > before }); err != nil {
				t.Fatal(err)
			}
			w.send("behind " + command) // which openssl opens with its new keys, if it has any
			if rest := o.after(t, "behind "+command[:1]); rest != "" {
				t.Errorf("openssl has read %q too much", rest)
			}
		}
		_, _ = io.WriteString(o.in, "Q\n")
		if err := w.until(func() bool { return false }); err != io.EOF {
			t.Error(err)
		}
		_, _ = w.socket.Write(w.CloseNotify(nil))
		_ = w.socket.Close()
		o.wait(t)
	})
}

// TestOpensslServerMayNotRenegotiate has it ask.
func TestOpensslServerMayNotRenegotiate(t *testing.T) {
	bothModes(t, func(t *testing.T) {
		_, cc := configs(tls.VersionTLS12)
		cc.Renegotiation = tls.RenegotiateFreelyAsClient
		o, addr := serveOpenssl(t, certstest.ECDSA, "-tls1_2", "-naccept", "1")
		w := dial(t, cc, addr)
		w.handshake()
		_, _ = io.WriteString(o.in, "r\n")
		wantErrorWith(t, w.until(func() bool { return false }), "no renegotiation")
		_ = w.socket.Close()
	})
}

func dial(t *testing.T, cfg *tls.Config, addr string) *wire {
	t.Helper()
	socket, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	return newWire(t, Client, cfg, socket)
}

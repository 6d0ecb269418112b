package tlsbridge

import (
	"crypto/tls"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/certs/certstest"
)

var opensslVersion = map[uint16]string{tls.VersionTLS12: "-tls1_2", tls.VersionTLS13: "-tls1_3"}

// TestOpensslClient has one of each kind send a line, and read the answer.
func TestOpensslClient(t *testing.T) {
	for name, kind := range keyTypes {
		t.Run(name, func(t *testing.T) {
			everyWay(t, func(t *testing.T, version uint16) {
				sc, _ := configs(version)
				sc.Certificates = []tls.Certificate{cert(kind, certstest.Server).TLS}
				sc.ClientAuth = tls.RequireAndVerifyClientCert
				l := listen(t)
				ca, chain, key := files(t, kind, certstest.Client)
				o := startOpenssl(t, "s_client", "-connect", l.Addr().String(), opensslVersion[version], "-servername", "localhost",
					"-CAfile", ca, "-verify_return_error", "-cert", chain, "-key", key, "-quiet", "-no_ign_eof")
				w := accept(t, l, sc)
				w.handshake()
				_, _ = io.WriteString(o.in, "a line\n")
				w.wants("a line\n")
				answer := strings.Repeat("an answer\n", 20_000) + "the end\n"
				w.send(answer)
				o.after(t, "the end")
				_ = o.in.Close()
				w.bye()
				_ = w.socket.Close()
				o.wait(t)
				if o.out.String() != answer {
					t.Errorf("openssl has %d bytes of %d", len(o.out.String()), len(answer))
				}
			})
		})
	}
}

func TestOpensslClientResumes(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		sc, _ := configs(version)
		l := listen(t)
		session := filepath.Join(t.TempDir(), "session")
		for i, flag := range []string{"-sess_out", "-sess_in"} {
			o := startOpenssl(t, "s_client", "-connect", l.Addr().String(), opensslVersion[version], "-quiet", "-no_ign_eof", flag, session)
			w := accept(t, l, sc)
			w.handshake()
			if w.State().DidResume != (i == 1) {
				t.Errorf("connection %d: resumed %v", i, w.State().DidResume)
			}
			_, _ = io.WriteString(o.in, "a line\n")
			w.wants("a line\n")
			w.send("an answer\n") // behind the tickets, so that openssl has seen them
			_ = o.in.Close()
			w.bye()
			_ = w.socket.Close()
			o.wait(t)
		}
	})
}

// TestOpensslClientReconnects makes six connections with the session of the first.
func TestOpensslClientReconnects(t *testing.T) {
	bothModes(t, func(t *testing.T) {
		sc, _ := configs(tls.VersionTLS12)
		l := listen(t)
		o := startOpenssl(t, "s_client", "-connect", l.Addr().String(), "-tls1_2", "-reconnect", "-no_ign_eof")
		for i := range 6 {
			w := accept(t, l, sc)
			w.handshake()
			if w.State().DidResume != (i > 0) {
				t.Errorf("connection %d: resumed %v", i, w.State().DidResume)
			}
			if i == 5 {
				_ = o.in.Close()
			}
			_ = w.until(func() bool { return false })
			_ = w.socket.Close()
		}
		o.wait(t)
	})
}

// TestOpensslClientUpdatesKeys has it update its own keys, and ask for ours.
func TestOpensslClientUpdatesKeys(t *testing.T) {
	bothModes(t, func(t *testing.T) {
		sc, _ := configs(tls.VersionTLS13)
		l := listen(t)
		o := startOpenssl(t, "s_client", "-connect", l.Addr().String(), "-tls1_3")
		w := accept(t, l, sc)
		w.handshake()
		for _, command := range []string{"k\n", "K\n", "K\n"} { // one by one: a command is what a read begins with
			_, _ = io.WriteString(o.in, command)
			before := w.opened
			if err := w.until(func() bool { return w.opened > before }); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(o.in, "behind the update\n")
			w.wants("behind the update\n")
			w.send("an answer\n")
		}
		_, _ = io.WriteString(o.in, "Q\n")
		if err := w.until(func() bool { return false }); err != io.EOF {
			t.Error(err)
		}
		_, _ = w.socket.Write(w.CloseNotify(nil))
		_ = w.socket.Close()
		o.wait(t)
		if got := strings.Count(o.out.String()+o.err.String(), "KEYUPDATE"); got != 3 {
			t.Errorf("openssl has made %d updates", got)
		}
	})
}

func TestOpensslClientSendsSmallRecords(t *testing.T) {
	everyWay(t, func(t *testing.T, version uint16) {
		sc, _ := configs(version)
		l := listen(t)
		o := startOpenssl(t, "s_client", "-connect", l.Addr().String(), opensslVersion[version], "-quiet", "-no_ign_eof",
			"-max_send_frag", "512", "-split_send_frag", "512")
		w := accept(t, l, sc)
		w.handshake()
		text := strings.Repeat("0123456789abcdef", 5000) + "\n"
		_, _ = io.WriteString(o.in, text)
		w.wants(text)
		_ = o.in.Close()
		w.bye()
		_ = w.socket.Close()
		o.wait(t)
	})
}

// TestOpensslClientMayNotRenegotiate has it try.
func TestOpensslClientMayNotRenegotiate(t *testing.T) {
	bothModes(t, func(t *testing.T) {
		sc, _ := configs(tls.VersionTLS12)
		l := listen(t)
		o := startOpenssl(t, "s_client", "-connect", l.Addr().String(), "-tls1_2", "-legacy_renegotiation")
		w := accept(t, l, sc)
		w.handshake()
		_, _ = io.WriteString(o.in, "R\n")
		wantErrorWith(t, w.until(func() bool { return false }), "unexpected handshake message")
		_ = w.socket.Close()
		if err := <-o.done; err == nil {
			t.Error("openssl is content")
		}
	})
}

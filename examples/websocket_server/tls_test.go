package main

import (
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

func TestSecureConversation(t *testing.T) {
	wstest.NoLeaks(t)
	cert := wstest.MakeCertificate(t)
	p := wstest.Serve(t, run, "-cert", cert.Cert, "-key", cert.Key)
	c := wstest.ConnectTLS(t, p.Addr, cert.Trust)
	c.Upgrade("/")
	want := strings.Repeat("m", 3*receiveBuffer)
	c.Frame(true, wstest.Text, []byte(want))
	c.ExpectMessage(wstest.Text, want)
	c.CloseFrame(1000, "")
	c.ExpectClose(1000, "")
	c.ExpectEOF()
	_ = c.Close()
	p.Prints("Client disconnected\n", 1)
	p.Interrupt()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	if !strings.HasPrefix(p.Output(), "listening on wss://"+p.Addr+"/\nClient connected\n") {
		t.Errorf("printed %.200s", p.Output())
	}
}

func TestKeyInTheSameFile(t *testing.T) {
	cert := wstest.MakeCertificate(t)
	c := wstest.ConnectTLS(t, wstest.Serve(t, run, "-cert", cert.Both).Addr, cert.Trust)
	c.Upgrade("/")
	c.Frame(true, wstest.Binary, []byte("hello"))
	c.ExpectMessage(wstest.Binary, "hello")
}

package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

func TestSecurePost(t *testing.T) {
	wstest.NoLeaks(t)
	cert := wstest.MakeCertificate(t)
	p := wstest.Serve(t, run, "-cert", cert.Cert, "-key", cert.Key)
	c := wstest.ConnectTLS(t, p.Addr, cert.Trust)
	c.Send("POST /form HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
	if resp, body := c.Body("POST"); resp.StatusCode != 200 || body != responseJSON || !resp.Close {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
	c.ExpectEOF()
	_ = c.Close()
	p.Interrupt()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	want := "listening on https://" + p.Addr + "/\npath: /form\nrecv body: hello\nresponse: " + responseJSON + "\n"
	if p.Output() != want {
		t.Errorf("printed:\n%swant:\n%s", p.Output(), want)
	}
}

func TestStandardClientByTLS(t *testing.T) {
	cert := wstest.MakeCertificate(t)
	p := wstest.Serve(t, run, "-cert", cert.Both)
	transport := &http.Transport{TLSClientConfig: cert.Trust}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: wstest.Patience}
	for _, size := range []int{1, 100_000} { // each on a connection of its own
		resp, err := client.Post("https://"+p.Addr+"/", "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("status %s", resp.Status)
		}
	}
}

func TestBadCertificate(t *testing.T) {
	cert := wstest.MakeCertificate(t)
	if err := wstest.Run(t, run, "-addr", "127.0.0.1:0", "-cert", cert.Cert).Wait(); err == nil {
		t.Error("no error without a key")
	}
}

package engine_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/engine"
)

// TestProxySaysMoreThanItsAnswer: what comes behind it is the server's, and with TLS is
// that before the client has said anything.
func TestProxySaysMoreThanItsAnswer(t *testing.T) {
	for scheme, c := range map[string]struct {
		negotiate func(net.Conn, *bufio.Reader) (string, string)
	}{"http": {byConnect("")}, "socks5": {bySocks("", "")}} {
		t.Run(scheme, func(t *testing.T) {
			w := proxies(t, func(c2 net.Conn, r *bufio.Reader) (string, string) {
				target, answer := c.negotiate(c2, r)
				if target != "" {
					_, _ = io.WriteString(c2, answer+"HTTP/1.1 400 No TLS here\r\n\r\n")
					_, _ = io.Copy(io.Discard, r)
				}
				return "", ""
			})
			info, _ := engine.ParseClientURL("wss://server.invalid/")
			info.Proxy = scheme + "://" + w.Addr().String()
			o := fateOf(t, info, nil)
			if o.err == nil || errors.Is(o.err, engine.ErrTLSTimeout) || !strings.Contains(o.err.Error(), "tls") {
				t.Errorf("failed by %v", o.err)
			}
		})
	}
}

package engine_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// TestTLSIdleSessionsCostNoGoroutine: thousands of secure WebSockets, and each of
// them lives.
func TestTLSIdleSessionsCostNoGoroutine(t *testing.T) {
	const at = 16 // clients that shake hands at once
	n := 5000
	if raced {
		n = 500
	}
	v := startTLS(t, engine.Limits{}, engine.Vhost{TLS: with(engine.ServerTLS{SmallKeyShares: true}),
		Protocols: []callbacks.Protocol{{Name: "echo", Callback: echoWS}}})
	cfg := trust(remembering) // resuming spares both sides the signatures
	v.dialTLS(t, cfg).upgradeTLS().frame(1, true, "x").wantFrames("1 x")
	eventually(t, "the workers rest", func() bool { return v.Stats().TLSSteps == 0 })
	before := runtime.NumGoroutine()

	clients := make([]*tls.Conn, n)
	each := func(what string, do func(i int) error) {
		t.Helper()
		var group sync.WaitGroup
		errs := make(chan error, at)
		for part := range at {
			group.Go(func() {
				for i := part; i < n; i += at {
					if err := do(i); err != nil {
						errs <- fmt.Errorf("%s, client %d: %w", what, i, err)
						return
					}
				}
			})
		}
		group.Wait()
		if len(errs) > 0 {
			t.Fatal(<-errs)
		}
	}
	defer func() {
		for _, c := range clients {
			if c != nil {
				_ = c.NetConn().Close()
			}
		}
	}()
	each("opening", func(i int) (err error) {
		clients[i], err = openWSS(v.addr, cfg)
		return err
	})
	eventually(t, "the workers rest", func() bool { return v.Stats().TLSSteps == 0 })
	eventually(t, "all are counted", func() bool { return v.Stats().WebSockets == int64(n+1) })
	// A goroutine that group.Wait has seen done may be counted a moment longer.
	eventually(t, "no goroutine is behind a connection", func() bool { return runtime.NumGoroutine() <= before })
	each("echo", func(i int) error { return echoFrame(clients[i], fmt.Sprintf("%06d", i)) })
}

// openWSS opens a WebSocket by itself.
func openWSS(addr string, cfg *tls.Config) (*tls.Conn, error) {
	tcp, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_ = tcp.SetDeadline(time.Now().Add(10 * patience))
	c := tls.Client(tcp, cfg)
	if _, err := io.WriteString(c, upgradeHead+"\r\n"); err != nil {
		return c, err
	}
	var got strings.Builder
	for b := make([]byte, 512); !strings.HasSuffix(got.String(), "\r\n\r\n"); {
		n, err := c.Read(b)
		if err != nil {
			return c, err
		}
		got.Write(b[:n])
	}
	if !strings.HasPrefix(got.String(), "HTTP/1.1 101 ") {
		return c, errors.New(got.String())
	}
	return c, nil
}

// echoFrame sends a masked text frame and wants it back.
func echoFrame(c *tls.Conn, text string) error {
	frame := append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
	if _, err := c.Write(frame); err != nil {
		return err
	}
	got := make([]byte, 2+len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got[2:]) != text {
		return fmt.Errorf("got %q", got)
	}
	return nil
}

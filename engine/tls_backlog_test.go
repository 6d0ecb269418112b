package engine_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// backlogMost is what the engine may have read of a client that it has no time for: one
// read brings half of it before anybody can pause.
const backlogMost = 1 << 20

// heldBack sends the pattern until the kernel takes no more, waits for that, and returns
// a function that ends the sending, and how much it was.
func heldBack(t *testing.T, v *server, w *patient, out io.Writer) (finish func() int) {
	t.Helper()
	const most = 64 << 20 // more than the kernels' buffers hold
	stop, sent := make(chan struct{}), make(chan int, 1)
	go func() {
		var data pattern
		defer func() { sent <- data.at }()
		for b := make([]byte, 64<<10); data.at < most; {
			select {
			case <-stop:
				return
			default:
			}
			data.fill(b)
			if _, err := out.Write(b); err != nil {
				return
			}
		}
	}()
	select {
	case <-w.held:
	case n := <-sent:
		t.Fatalf("nothing held the sender back before %d bytes", n)
	}
	if n := v.Stats().BytesIn; n > backlogMost {
		t.Errorf("the engine has read %d bytes that it cannot use yet", n)
	}
	return func() int {
		close(stop)
		return receive(t, "the sender goes on", sent)
	}
}

// TestTLSHandshakeHoldsTheSender: what a client sends behind its part of the handshake
// stays with TCP while a worker is busy with it, and none of it is lost.
func TestTLSHandshakeHoldsTheSender(t *testing.T) {
	entered, answer := make(chan struct{}, 1), make(chan struct{})
	release := sync.OnceFunc(func() { close(answer) })
	st := with(engine.ServerTLS{Config: &tls.Config{ClientAuth: tls.RequireAnyClientCert, VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error {
		entered <- struct{}{}
		<-answer
		return nil
	}}})
	var got pattern
	ended := make(chan error, 1)
	v := startTLS(t, engine.Limits{}, engine.Vhost{TLS: st, RawProtocol: "raw", Protocols: []callbacks.Protocol{{Name: "raw",
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r == callbacks.RawRX && !got.matches(in) {
				return errors.New("the stream is broken")
			}
			if r == callbacks.RawClose {
				ended <- s.Err()
			}
			return nil
		}}}})
	t.Cleanup(release)
	p := v.dial(t)
	w := &patient{Conn: p.Conn, held: make(chan struct{})}
	c := tls.Client(w, trust(showing(issueClient("alice"))))
	if err := c.Handshake(); err != nil { // of TLS 1.3, whose client is done first
		t.Fatal(err)
	}
	receive(t, "the certificate is verified", entered)
	finish := heldBack(t, v, w, c)
	release()
	total := finish()
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = tcpOf(p).CloseWrite()
	if err := receive(t, "the session ends", ended); err != nil || got.at != total {
		t.Errorf("%d bytes of %d came: %v", got.at, total, err)
	}
}

// TestTLSWaitingClientThatTalks: one that waits for room gets no more than its share of
// memory, and is in nobody's way.
func TestTLSWaitingClientThatTalks(t *testing.T) {
	v := serveStalling(t, engine.Limits{TLSHandshakes: 1})
	first := v.stall(t, "127.0.0.1")
	eventually(t, "there is no room", func() bool { return v.Stats().TLSPending == 1 })
	p := v.dial(t).send(clientHello(t))
	eventually(t, "it waits", func() bool { return v.Stats().TLSWaiting == 1 })
	_, _ = p.Write(make([]byte, 256<<10)) // it may be cut off in the middle
	eventually(t, "it is cut off", func() bool { return v.Stats().TLSWaiting == 0 })
	first.goOn()
	v.dialTLS(t, trust()).wantTold("- localhost - -")
}

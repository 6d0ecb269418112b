package engine_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// pattern is the stream of the tests below: byte i tells where it stands, in a
// period that fits no buffer.
type pattern struct{ at int }

func (p *pattern) fill(b []byte) {
	for i := range b {
		b[i] = byte(p.at % 251)
		p.at++
	}
}

// matches compares b with what comes next.
func (p *pattern) matches(b []byte) bool {
	for _, got := range b {
		if got != byte(p.at%251) {
			return false
		}
		p.at++
	}
	return true
}

// patient is a connection whose writes may be held up for any time: it tries
// again, and tells once. Under a tls.Conn no write may fail.
type patient struct {
	net.Conn
	held chan struct{}
	told atomic.Bool
	sent atomic.Int64
}

func (p *patient) Write(b []byte) (n int, err error) {
	for n < len(b) {
		_ = p.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		m, err := p.Conn.Write(b[n:])
		n += m
		p.sent.Add(int64(m))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if m == 0 && p.told.CompareAndSwap(false, true) {
				close(p.held)
			}
		case err != nil:
			return n, err
		}
	}
	return n, nil
}

// TestTLSPausedSessionHoldsTheSender: what is not read stays with TCP, and comes when
// reading goes on. The pause comes in the middle, or before there was TLS.
func TestTLSPausedSessionHoldsTheSender(t *testing.T) {
	for name, c := range map[string]struct {
		at    callbacks.Reason
		plain bool
	}{
		"from the beginning":               {callbacks.FilterNetworkConnection, false},
		"when TLS is there":                {callbacks.RawAdopt, false},
		"in the middle":                    {callbacks.RawRX, false},
		"from the beginning, in plaintext": {callbacks.FilterNetworkConnection, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := &holding{at: c.at, handles: make(chan callbacks.Handle, 1), over: make(chan error, 1)}
			v := startTLS(t, engine.Limits{}, engine.Vhost{TLS: with(engine.ServerTLS{Plaintext: engine.PlaintextServe}),
				RawProtocol: "raw", Protocols: []callbacks.Protocol{{Name: "raw", Callback: h.callback}}})
			p := v.dial(t)
			w := &patient{Conn: p.Conn, held: make(chan struct{})}
			var out io.Writer = w
			if !c.plain {
				s := tls.Client(w, trust())
				if err := s.Handshake(); err != nil {
					t.Fatal(err)
				}
				defer s.CloseWrite()
				out = s
			}
			h.play(t, w, out)
			_ = p.Close()
		})
	}
}

// holding is a raw session that pauses, and what it gets.
type holding struct {
	at      callbacks.Reason
	handles chan callbacks.Handle
	over    chan error
	got     pattern
	early   atomic.Int64 // received while paused
	paused  bool
	resumed bool
}

func (h *holding) callback(s callbacks.Session, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.RawRX:
		if !h.got.matches(in) {
			return errors.New("the stream is broken")
		}
		if h.paused && !h.resumed {
			h.early.Add(int64(len(in)))
		}
	case callbacks.RawAdopt:
		h.handles <- s.Handle()
	case callbacks.RawClose:
		h.over <- s.Err()
	}
	if r == h.at && !h.paused {
		h.paused = true
		s.PauseReading()
	}
	return nil
}

// play sends until it is held back, lets the session go on, and compares.
func (h *holding) play(t *testing.T, w *patient, out io.Writer) {
	const most = 64 << 20 // more than the kernel and the engine hold
	stop, sent := make(chan struct{}), make(chan int, 1)
	go func() {
		var data pattern
		buf := make([]byte, 64<<10)
		for data.at < most {
			select {
			case <-stop:
				sent <- data.at
				return
			default:
			}
			data.fill(buf)
			if _, err := out.Write(buf); err != nil {
				break
			}
		}
		sent <- most
	}()
	handle := receive(t, "RawAdopt", h.handles)
	select {
	case <-w.held:
	case <-sent:
		t.Fatal("nothing held the sender back")
	}
	close(stop)
	if n := h.early.Load(); n > 0 {
		t.Errorf("%d bytes came all the same", n)
	}
	if err := handle.Post(func(s callbacks.Session) error { h.resumed = true; s.ResumeReading(); return nil }); err != nil {
		t.Fatal(err)
	}
	total := receive(t, "the sender goes on", sent)
	eventually(t, "all of it comes", func() bool {
		at := make(chan int, 1)
		if handle.Post(func(callbacks.Session) error { at <- h.got.at; return nil }) != nil {
			t.Fatalf("the session is gone: %v", <-h.over)
		}
		return <-at == total
	})
}

// TestSendQueueOverTLS: a write that does not fit is refused before anything of it
// is sealed, so that the stream goes on where it was.
func TestSendQueueOverTLS(t *testing.T) {
	const queue = 1 << 20
	accepted := make(chan int, 1)
	refusals := 0
	v := serveRawTLS(t, engine.Limits{SendQueue: queue, SendHigh: queue, StallTimeout: -1}, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r != callbacks.RawRX {
			return nil
		}
		if string(in) != "flood" {
			return s.Write(in, callbacks.WriteRaw)
		}
		var data pattern
		sizes := []int{1, 100, 16 << 10, 16<<10 + 1, 100_000, 300_000}
		for i := 0; refusals < 2*len(sizes); i++ {
			b := make([]byte, sizes[i%len(sizes)])
			next := data
			next.fill(b)
			switch err := s.Write(b, callbacks.WriteRaw); err {
			case nil:
				data = next
			case callbacks.ErrSendQueueFull:
				refusals++
			default:
				return err
			}
			if s.Buffered() > queue {
				t.Errorf("%d bytes are queued, of %d", s.Buffered(), queue)
			}
		}
		accepted <- data.at
		return nil
	})
	p := v.dialTLS(t, trust())
	p.send("flood")
	n := receive(t, "the queue is full", accepted)
	if n < queue/2 {
		t.Errorf("full at %d bytes of %d", n, queue)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(p.r, b); err != nil {
		t.Fatal(err)
	}
	var want pattern
	if !want.matches(b) {
		t.Fatalf("the stream is broken at %d", want.at)
	}
	p.send("still here")
	b = make([]byte, len("still here"))
	if _, err := io.ReadFull(p.r, b); err != nil || string(b) != "still here" {
		t.Errorf("behind the flood: %q, %v", b, err)
	}
}

// TestWriteableOverTLS: a program that writes only when asked to never meets a
// full queue, and its client gets every byte.
func TestWriteableOverTLS(t *testing.T) {
	const total = 16 << 20
	v := serveTLS(t, with(engine.ServerTLS{}), func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTP:
			s.SetUserData(new(pattern))
			s.RequestWriteable()
			return s.StartResponse(200, "", total)
		case callbacks.HTTPWriteable:
			if s.Buffered() > 512<<10 {
				t.Errorf("asked for more with %d bytes queued", s.Buffered())
			}
			data := s.UserData().(*pattern)
			b := make([]byte, min(100_000, total-data.at))
			data.fill(b)
			kind := callbacks.WriteHTTP
			if data.at == total {
				kind = callbacks.WriteHTTPFinal
			} else {
				s.RequestWriteable()
			}
			return s.Write(b, kind)
		}
		return nil
	})
	p := v.dialTLS(t, trust())
	p.send(get("/"))
	_, body := p.response("GET")
	var want pattern
	if len(body) != total || !want.matches([]byte(body)) {
		t.Errorf("%d bytes, the first wrong one at %d", len(body), want.at)
	}
}

// TestLargeEchoOverTLS: both ways at once, and every byte.
func TestLargeEchoOverTLS(t *testing.T) {
	total := 64 << 20
	if raced {
		total = 8 << 20
	}
	v := serveRawTLS(t, engine.Limits{}, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.RawRX {
			return s.Write(in, callbacks.WriteRaw)
		}
		return nil
	})
	p := v.dialTLS(t, trust())
	_ = p.SetDeadline(time.Time{})
	wrote := make(chan error, 1)
	block := make([]byte, 251*1024)
	new(pattern).fill(block)
	go func() {
		for left := total; left > 0; left -= len(block) {
			if _, err := p.tls.Write(block[:min(left, len(block))]); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- p.tls.CloseWrite()
	}()
	got := make([]byte, len(block))
	for left := total; left > 0; left -= len(block) {
		b := got[:min(left, len(block))]
		if _, err := io.ReadFull(p.tls, b); err != nil {
			t.Fatalf("%d bytes before the end: %v", left, err)
		}
		if !bytes.Equal(b, block[:len(b)]) {
			t.Fatalf("%d bytes before the end: not what was sent", left)
		}
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	p.wantCloseNotify()
}

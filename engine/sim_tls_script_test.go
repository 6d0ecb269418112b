package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/reactor"
	"github.com/penstock-go/penstock/tlsbridge"
)

// clientHello is what a client begins with.
func clientHello() string {
	cfg := newSimTLS().config
	var c tlsbridge.Conn
	c.Init(tlsbridge.Client, cfg, nil, nil)
	defer c.Cancel()
	return string(c.Step(nil).Output)
}

// destroyed notes what a session that never opened ends with.
func destroyed(err *error) callbacks.Callback {
	return func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
		if why == callbacks.WSIDestroy {
			*err = s.Err()
		}
		return nil
	}
}

func bare(p *peer) { p.bare = true }

// begun checks whether the server's handshake holds a tls.Conn and a coroutine.
func begun(t *testing.T, want bool) op {
	return do(func(p *peer) {
		found := 0
		p.w.e.loops[0].r.Each(func(c *reactor.Conn) {
			found++
			s := c.Handler().(*secured)
			if nothing := reflect.ValueOf(&s.tls).Elem().IsZero(); s.hs == nil || s.hs.begun != want || nothing == want {
				t.Errorf("%+v, want one that has begun %v", s.hs, want)
			}
		})
		if pending := p.w.e.Stats().TLSPending; found != 1 || pending != map[bool]int64{true: 1}[want] {
			t.Errorf("%d connections, %d handshakes are pending", found, pending)
		}
	})
}

func TestPeerThatStopsInItsHandshake(t *testing.T) {
	hello := clientHello()
	for _, n := range []int{0, 1, 5, 6, 100, len(hello) - 1, len(hello)} {
		for _, cut := range []int{len(hello), 10} {
			t.Run(fmt.Sprintf("behind %d bytes in records of %d", n, cut), func(t *testing.T) {
				sent := string(inPieces([]byte(hello), cut))
				if n < len(hello) {
					sent = sent[:n]
				}
				var err error
				p := script{program: destroyed(&err), limits: Limits{TLSHandshakeTimeout: 3 * time.Second}, peer: bare,
					ops: []op{sendNow(sent), wait(time.Second), begun(t, n == len(hello)), ended()}}.play(t, overTLS)
				if !errors.Is(err, ErrTLSTimeout) || !about(p.over, 3*time.Second) || !p.end.Broken() {
					t.Errorf("%v after %v, broken %v", err, p.over, p.end.Broken())
				}
				if answered := len(p.got) > 0; answered != (n == len(hello)) {
					t.Errorf("the server said %x", p.got)
				}
			})
		}
	}
}

// cutWire sends FIN without close_notify, behind all that is to be sent.
func cutWire() op {
	return func(p *peer) (simnet.Next, bool) {
		e := p.end.(*tlsEnd)
		sent := func() bool { return len(e.out) == 0 }
		if sent() {
			e.End.CloseWrite()
		}
		return p.w.net.Until(sent, p.patience), e.End.Shut()
	}
}

func TestFINWithoutCloseNotify(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: sim\r\n"
	spoilt := func(p *peer) { p.spoilt = true }
	for _, c := range []struct {
		name, port, sent string
		why              callbacks.Reason
		code             int
		is               error
	}{
		{"raw", "raw", "half of it", callbacks.RawClose, 0, ErrCutShort},
		{"raw lines", "line", "a line\nhalf a li", callbacks.RawClose, 0, ErrCutShort},
		{"an HTTP body", "http", post + "Content-Length: 10\r\n\r\n12345", callbacks.ClosedHTTP, 0, http1.ErrUnexpectedEOF},
		{"an HTTP body in chunks", "http", post + "Transfer-Encoding: chunked\r\n\r\n5\r\n12345", callbacks.ClosedHTTP, 0, http1.ErrUnexpectedEOF},
		{"a frame", "http", upgradeRequest + clientFrame(0x81, "not all of me")[:8], callbacks.Closed, 1006, nil},
		{"between frames", "http", upgradeRequest + clientFrame(0x81, "all of me"), callbacks.Closed, 1006, nil},
	} {
		for _, pause := range []time.Duration{0, time.Second} { // none is while a worker is at the handshake
			t.Run(c.name+" after "+pause.String(), func(t *testing.T) {
				var e end
				p := script{program: ending(&e), port: c.port, peer: spoilt,
					ops: []op{sendNow(c.sent), wait(pause), cutWire(), ended()}}.play(t, overTLS)
				if e.why != c.why || int(e.code) != c.code || c.is != nil && !errors.Is(e.err, c.is) {
					t.Errorf("the program heard %v, %d, %v", e.why, e.code, e.err)
				}
				if p.end.(*tlsEnd).err != nil || !about(p.over, pause) {
					t.Errorf("the peer: %v after %v", p.end.(*tlsEnd).err, p.over)
				}
			})
		}
	}
}

// Close_notify ends one direction (RFC 8446 6.1), and needs no FIN.
func TestAnswersBehindCloseNotify(t *testing.T) {
	program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
		switch why {
		case callbacks.HTTP:
			s.Hold()
			s.SetTimer(time.Second)
		case callbacks.Timer:
			return s.Respond(200, "", []byte("in time"))
		}
		return nil
	}
	bye := do(func(p *peer) { p.end.CloseWrite(); p.end.(*tlsEnd).fin = false })
	p := script{program: program, ops: []op{sendNow(getRequest + getRequest + getRequest), bye, ended()}}.play(t, overTLS)
	if n := strings.Count(string(p.got), "in time"); n != 3 || p.end.Broken() || !about(p.over, 3*time.Second) {
		t.Errorf("%d answers, broken %v, over after %v", n, p.end.Broken(), p.over)
	}
}

// A queue that is full to the last byte holds whole records, and close_notify
// still goes behind them.
func TestFullQueue(t *testing.T) {
	const most = 1 << 20 // in many records, each longer than what is in it
	written := 0
	program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
		if why != callbacks.RawRX {
			return nil
		}
		for n := most; n > 0; n /= 2 {
			for s.Write(make([]byte, n), callbacks.WriteRaw) == nil {
				written += n
			}
		}
		return callbacks.ErrClose
	}
	p := script{program: program, port: "raw", buffer: 64 << 10, limits: Limits{SendQueue: most, SendHigh: most},
		ops: []op{goDeaf(), sendNow("fill it"), wait(time.Second), hearAgain(), ended()}}.play(t, overTLS)
	if len(p.got) != written || written < most/2 || p.end.Broken() {
		t.Errorf("%d bytes came of %d, broken %v", len(p.got), written, p.end.Broken())
	}
}

// flip spoils what is sent next.
func flip() op {
	return do(func(p *peer) { p.mischief = &mischief{do: func(e *tlsEnd) { e.out[len(e.out)-1] ^= 1 }} })
}

func TestAlertsArrive(t *testing.T) {
	for _, c := range []struct {
		name, alert string
		tune        func(*tls.Config)
		ops         []op
	}{
		{"no protocol in common", "no application protocol", func(c *tls.Config) { c.NextProtos = []string{"gopher"} }, nil},
		{"an old version", "protocol version not supported",
			func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, nil},
		{"a bit has flipped", "bad record MAC", nil, []op{flip(), sendNow(getRequest)}},
		{"nonsense", "bad record MAC", nil, []op{do(func(p *peer) {
			e := p.end.(*tlsEnd)
			e.out = append(e.out, append(recordHead(99, 3), "abc"...)...)
		})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := script{program: destroyed(new(error)), peer: func(p *peer) { p.spoilt, p.tune = true, c.tune },
				ops: append(slices.Clone(c.ops), ended())}.play(t, overTLS)
			err := p.end.(*tlsEnd).err
			if err == nil || !strings.HasSuffix(err.Error(), "remote error: tls: "+c.alert) {
				t.Errorf("the peer: %v", err)
			}
		})
	}
}

// Servers that do not get through the handshake.
func TestHandshakesOfAClientThatFail(t *testing.T) {
	limits := Limits{TLSHandshakeTimeout: 3 * time.Second}
	speak := func(do func(e *tlsEnd)) op {
		return func(p *peer) (simnet.Next, bool) {
			p.spoilt = true
			do(p.end.(*tlsEnd))
			return p.w.net.Again(), true
		}
	}
	for _, c := range []struct {
		name  string
		do    func(e *tlsEnd)
		after time.Duration
		is    error
		text  string
	}{
		{"silence", func(e *tlsEnd) { e.mute = true }, 3 * time.Second, ErrTLSTimeout, ""},
		{"FIN", func(e *tlsEnd) { e.End.CloseWrite() }, 0, io.ErrUnexpectedEOF, ""},
		{"RST", func(e *tlsEnd) { e.Reset() }, 0, nil, "reset"},
		{"plaintext", func(e *tlsEnd) { e.out = []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }, 0, nil, "does not look like a TLS handshake"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, after := connectTo(t, overTLS, limits, simnet.Answer{}, speak(c.do), ended())
			if e.why != callbacks.ClientConnectionError || !about(after, c.after) ||
				c.is != nil && !errors.Is(e.err, c.is) || !strings.Contains(fmt.Sprint(e.err), c.text) {
				t.Errorf("%v, %v after %v", e.why, e.err, after)
			}
		})
	}
}

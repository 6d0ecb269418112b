package engine

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/simnet"
)

// drip sends a record that holds data, n bytes of it each second. It does not end
// before the connection has, or all is sent.
func drip(data string, n int) op {
	var left []byte
	begun := false
	return func(p *peer) (simnet.Next, bool) {
		e := p.end.(*tlsEnd)
		if len(e.out) > 0 {
			return p.w.net.Sleep(time.Millisecond), false
		}
		if !begun {
			begun = true
			left, e.err = e.tls.Seal(nil, []byte(data))
		}
		if len(left) == 0 || e.End.Shut() || p.end.Over() {
			return p.w.net.Again(), true
		}
		left = left[e.End.Send(left[:min(n, len(left))]):]
		return p.w.net.Sleep(time.Second), false
	}
}

// slowSigner makes the engine's steps take their time.
func slowSigner(d time.Duration) func(*tls.Config) {
	return func(c *tls.Config) {
		cert := c.Certificates[0]
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			<-time.After(d)
			return &cert, nil
		}
	}
}

// The time of the engine's steps is not the peer's, be it less or more than the
// limit; what the peer takes itself is counted together.
func TestHandshakeTimeoutCountsThePeersTime(t *testing.T) {
	const limit = 3 * time.Second
	limits := Limits{TLSHandshakeTimeout: limit}
	dripping := func(what string) op {
		return func(p *peer) (simnet.Next, bool) {
			p.end.Send([]byte(what))
			return p.w.net.Sleep(500 * time.Millisecond), p.end.Over()
		}
	}
	// RFC 8446 5: change_cipher_spec is ignored here, and makes a step all the same.
	ignored := string(recordHead(20, 1)) + "\x01"
	for _, ours := range []time.Duration{0, limit - time.Second/10, 100 * limit} {
		t.Run("a peer that needs its time, and a signature that takes "+ours.String(), func(t *testing.T) {
			p := script{limits: limits, program: ending(new(end)), tls: slowSigner(ours),
				peer: func(p *peer) { p.readMost, p.readWait, p.patience = 100, 100*time.Millisecond, time.Hour },
				ops:  []op{sendNow(getRequest), closeWrite(), ended()}}.play(t, overTLS)
			p.wants(t, "HTTP/1.1 200 ")
		})
		for name, then := range map[string][]op{"stops": {sendNow("\x17")},
			"drips": {sendNow(string(recordHead(23, 1000))), dripping("x")}, "drips records": {dripping(ignored)}} {
			t.Run("a peer that "+name+", and a signature that takes "+ours.String(), func(t *testing.T) {
				var err error
				flight := await("the server's flight", func(p *peer) bool { return len(p.got) > 0 })
				p := script{limits: limits, program: destroyed(&err), tls: slowSigner(ours), peer: bare,
					ops: append(append([]op{sendNow(clientHello()), flight}, then...), ended())}.play(t, overTLS)
				if !errors.Is(err, ErrTLSTimeout) || !about(p.over, ours+limit) {
					t.Errorf("%v after %v, want %v", err, p.over, ours+limit)
				}
			})
		}
	}
}

// Part of a record is a sign of life: a slow line carries large records, too.
func TestPartsOfARecordAreLife(t *testing.T) {
	t.Run("of a body", func(t *testing.T) {
		post := "POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 1000\r\n\r\n"
		p := script{limits: Limits{BodyTimeout: 3 * time.Second, BodyRate: 10}, program: ending(new(end)),
			ops: []op{sendNow(post), drip(strings.Repeat("x", 1000), 50), closeWrite(), ended()}}.play(t, overTLS)
		p.wants(t, "HTTP/1.1 200 ")
	})
	t.Run("of a message", func(t *testing.T) {
		p := script{limits: Limits{PingInterval: 5 * time.Second, HangupTimeout: 10 * time.Second},
			ops: []op{sendNow(upgradeRequest), drip(clientFrame(0x81, strings.Repeat("x", 1000)), 50), wait(time.Second),
				closeWrite(), ended()}}.play(t, overTLS)
		p.wants(t, strings.Repeat("x", 1000))
		if p.end.Broken() {
			t.Error("the peer was hung up on")
		}
	})
	t.Run("and stop being it", func(t *testing.T) {
		post := "POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 1000\r\n\r\n"
		p := script{limits: Limits{BodyTimeout: 3 * time.Second}, program: ending(new(end)), peer: func(p *peer) { p.spoilt = true },
			ops: []op{sendNow(post), do(func(p *peer) { p.end.(*tlsEnd).End.Send(recordHead(23, 1000)) }), ended()}}.play(t, overTLS)
		p.wants(t, "HTTP/1.1 408 ")
	})
}

// They do not put off the end of a client that has not asked for anything.
func TestPartsOfARecordAreNoRequest(t *testing.T) {
	limits := Limits{HeaderTimeout: 3 * time.Second, IdleTimeout: 7 * time.Second}
	for name, c := range map[string]struct {
		before op
		over   time.Duration
	}{
		"first":            {wait(0), 3 * time.Second},
		"behind a request": {sendNow(getRequest), 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			p := script{limits: limits, program: ending(new(end)), peer: func(p *peer) { p.spoilt = true },
				ops: []op{c.before, drip(getRequest, 1), ended()}}.play(t, overTLS)
			if !about(p.over, c.over) || p.end.Broken() {
				t.Errorf("over after %v, want %v, broken %v", p.over, c.over, p.end.Broken())
			}
		})
	}
}

// A clean end is one also if it comes in two segments.
func TestCloseNotifyInTwoSegments(t *testing.T) {
	for _, port := range []string{"line", "raw"} {
		t.Run(port, func(t *testing.T) {
			var e end
			var alert []byte
			p := script{program: ending(&e), port: port, ops: []op{sendNow("a line\n"), wait(time.Second),
				do(func(p *peer) {
					far := p.end.(*tlsEnd)
					alert, far.said = far.tls.CloseNotify(nil), true
					far.End.Send(alert[:3])
				}), wait(time.Second),
				do(func(p *peer) { p.end.(*tlsEnd).End.Send(alert[3:]) }), ended()}}.play(t, overTLS)
			if e.why != callbacks.RawClose || e.err != nil || !about(p.over, 2*time.Second) {
				t.Errorf("%v with %v after %v", e.why, e.err, p.over)
			}
		})
	}
}

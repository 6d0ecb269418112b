package engine

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/bufpool"
	"github.com/penstock-go/penstock/internal/handshakes"
	"github.com/penstock-go/penstock/internal/invariant"
	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/reactor"
)

// onSecured is an op that looks at the engine's end of the one connection.
func onSecured(t *testing.T, f func(s *secured)) op {
	return do(func(p *peer) {
		found := 0
		p.w.e.loops[0].r.Each(func(c *reactor.Conn) {
			found++
			f(c.Handler().(*secured))
		})
		if found != 1 {
			t.Errorf("%d connections", found)
		}
	})
}

// A client that talks on while it waits for room, which no TLS client has a reason to,
// holds no memory for that.
func TestWaitingForRoomWithMuchBehindTheHello(t *testing.T) {
	var place handshakes.Ticket
	var err error
	occupy := do(func(p *peer) { p.w.e.gate.Enter(&place, netip.Addr{}, nil) })
	much := strings.Repeat(string(recordHead(23, 11))+"hello world", securingMost/10)
	p := script{limits: Limits{TLSHandshakes: 1, TLSHandshakeTimeout: time.Minute}, program: destroyed(&err),
		peer: func(p *peer) { p.bare, p.spoilt = true, true },
		ops:  []op{occupy, sendNow(clientHello() + much), ended(), do(func(p *peer) { p.w.e.gate.Leave(&place) })}}.play(t, overTLS)
	if len(p.got) != 0 || !about(p.over, 0) || !errors.Is(err, errEager) {
		t.Errorf("answered with %.100q, over after %v: %v", p.got, p.over, err)
	}
}

// It waits for six times the limit, and no longer.
func TestWaitingForRoomInVain(t *testing.T) {
	var place handshakes.Ticket
	var err error
	occupy := do(func(p *peer) { p.w.e.gate.Enter(&place, netip.Addr{}, nil) })
	p := script{limits: Limits{TLSHandshakes: 1, TLSHandshakeTimeout: time.Minute}, program: destroyed(&err),
		peer: func(p *peer) { p.bare, p.spoilt = true, true },
		ops:  []op{occupy, sendNow(clientHello()), ended(), do(func(p *peer) { p.w.e.gate.Leave(&place) })}}.play(t, overTLS)
	if len(p.got) != 0 || !about(p.over, waitRounds*time.Minute) || !errors.Is(err, ErrTLSTimeout) {
		t.Errorf("answered with %.100q, over after %v: %v", p.got, p.over, err)
	}
}

// A handshake that has failed leaves room for the next at once, and its peer the time
// to read why.
func TestFailedHandshakeLeavesRoom(t *testing.T) {
	var err error
	left := do(func(p *peer) {
		if st := p.w.e.Stats(); st.TLSPending != 0 || st.TLSFailed != 1 || st.Connections != 1 {
			t.Errorf("%+v", st)
		}
	})
	stranger := func(p *peer) {
		p.spoilt, p.closes = true, false
		p.tune = func(c *tls.Config) { c.NextProtos = []string{"gopher"} }
	}
	p := script{limits: Limits{TLSHandshakes: 1}, program: destroyed(&err), peer: stranger,
		ops: []op{ended(), wait(time.Second), left, wait(time.Minute)}}.play(t, overTLS)
	if e := p.end.(*tlsEnd).err; e == nil || !strings.Contains(e.Error(), "no application protocol") || err == nil {
		t.Errorf("the peer was told %v, the program %v", e, err)
	}
}

// What was not delivered is nobody's once the session closes: a peer that lingers must
// not hold a buffer.
func TestCloseGivesBackWhatIsKept(t *testing.T) {
	lent := func() int64 { return invariant.Counts()[bufpool.Ledger] }
	before := lent()
	program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
		switch why {
		case callbacks.RawRX:
			s.PauseReading()
			s.SetTimer(2 * time.Second)
		case callbacks.Timer:
			return s.Close(0, "")
		}
		return nil
	}
	kept := func(want bool) op {
		return onSecured(t, func(s *secured) {
			if (s.kept != nil) != want {
				t.Errorf("plaintext is kept: %v", s.kept != nil)
			}
			if out := lent() - before; invariant.Enabled && (out > 0) != want {
				t.Errorf("%d buffers are out", out)
			}
		})
	}
	p := script{program: program, port: "line", peer: func(p *peer) { p.closes = false },
		ops: []op{sendNow("one\ntwo\nthree\n"), wait(time.Second), kept(true), wait(2 * time.Second), kept(false), wait(time.Minute)}}.play(t, overTLS)
	if !about(p.over, 2*time.Second) {
		t.Errorf("over after %v", p.over)
	}
}

// A Handle's write that comes when its session has just closed in the handshake is
// dropped; look finds what is left.
func TestWriteBehindTheEndOfAHandshake(t *testing.T) {
	program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
		switch why {
		case callbacks.WSICreate:
			s.SetTimer(time.Second)
		case callbacks.Timer:
			h := s.Handle()
			return errors.Join(h.Write([]byte("early"), callbacks.WriteRaw), s.Close(0, ""), h.Write([]byte("late"), callbacks.WriteRaw))
		}
		return nil
	}
	p := script{program: program, peer: bare, ops: []op{sendNow("\x16\x03"), ended()}}.play(t, overTLS)
	if !about(p.over, time.Second) {
		t.Errorf("over after %v", p.over)
	}
}

// A client hears that its server wants nothing of it, also if that one stays.
func TestClientThatIsRefusedInTheHandshake(t *testing.T) {
	alert := do(func(p *peer) {
		p.spoilt, p.closes = true, false
		p.end.(*tlsEnd).out = append(recordHead(21, 2), 2, 40) // handshake_failure
	})
	e, after := connectTo(t, overTLS, Limits{}, simnet.Answer{}, alert, wait(time.Minute))
	if e.why != callbacks.ClientConnectionError || e.err == nil || !strings.Contains(e.err.Error(), "handshake failure") || after > 10*time.Second {
		t.Errorf("%v, %v after %v", e.why, e.err, after)
	}
}

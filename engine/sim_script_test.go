package engine

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/simnet"
)

// script is one peer and an engine on a network without faults.
type script struct {
	limits  Limits
	program callbacks.Callback // nil is the usual one
	port    string             // "" is "http"
	buffer  int                // of the kernel; 0 is a megabyte
	peer    func(p *peer)      // changes its manners
	tls     func(*tls.Config)  // changes that of the engine and of the peer, if there is TLS
	ops     []op

	protocol func(*callbacks.Protocol) // changes those of the vhost, if set
}

// play runs s and returns the peer as it is at the end.
func (s script) play(t *testing.T, over transport) *peer {
	t.Helper()
	if s.port == "" {
		s.port = "http"
	}
	var p *peer
	simulate(t, scenario{name: t.Name(), over: over,
		config: func(w *world, nc *simnet.Config, cfg *Config) {
			nc.Faults, nc.Buffer = simnet.Faults{}, max(s.buffer, 1)
			if s.buffer == 0 {
				nc.Buffer = 1 << 20
			}
			cfg.Limits = s.limits
			w.custom = s.program
			w.calm = true
			for i := range cfg.Vhosts[0].Protocols {
				if s.protocol != nil {
					s.protocol(&cfg.Vhosts[0].Protocols[i])
				}
			}
			if s.tls != nil && w.tls != nil {
				s.tls(w.tls.config)
			}
		},
		play: func(w *world) {
			p = w.add("peer", append([]op{dial(func(w *world) int { return w.port[s.port] })}, s.ops...)...)
			p.readMost, p.readWait = 1<<20, 0
			if s.peer != nil {
				s.peer(p)
			}
		},
	}, 1)
	return p
}

// sendNow sends b in one piece.
func sendNow(b string) op {
	return func(p *peer) (simnet.Next, bool) {
		b = b[p.end.Send([]byte(b)):]
		return p.w.net.Sleep(time.Millisecond), b == "" || p.end.Shut()
	}
}

func clientFrame(first byte, data string) string {
	return string(appendFrame(nil, first, true, [4]byte{1, 2, 3, 4}, data))
}

const upgradeRequest = handshakeHead + "\r\n"

// got wants the peer to have received want, among others.
func (p *peer) wants(t *testing.T, want ...string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(string(p.got), s) {
			t.Errorf("no %q in %.2000q", s, p.got)
		}
	}
}

// A head that comes in two parts is parsed where it is kept, and that place is
// used again for the body.
func TestHeadInPartsStaysReadableUntilTheAnswer(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		p := script{ops: []op{sendNow("POST /first-part-"), wait(time.Second),
			sendNow("second-part HTTP/1.1\r\nHost: sim\r\nContent-Length: 30\r\n\r\n"), wait(time.Second),
			sendNow("123456789012345"), wait(time.Second), sendNow("678901234567890"), closeWrite(), ended()}}.play(t, over)
		p.wants(t, "\r\n\r\nPOST /first-part-second-part 123456789012345678901234567890")
	})
}

// A program that writes a response itself need not know that it answers HEAD.
func TestRawAnswerToHeadInPieces(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
			if why != callbacks.HTTP {
				return nil
			}
			for _, piece := range []string{"HTTP/1.1 200 OK\r\nContent-Le", "ngth: 8\r\n\r\n", "body", "body"} {
				if err := s.Write([]byte(piece), callbacks.WriteHTTP); err != nil {
					return err
				}
			}
			return nil
		}
		head, get := "HEAD / HTTP/1.1\r\nHost: sim\r\n\r\n", "GET / HTTP/1.1\r\nHost: sim\r\n\r\n"
		p := script{program: program, ops: []op{sendNow(head + get), wait(time.Second), closeWrite(), ended()}}.play(t, over)
		const answer = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"
		if want := answer + answer + "bodybody"; string(p.got) != want {
			t.Errorf("got  %q\nwant %q", p.got, want)
		}
	})
}

// The time to answer a close frame begins when the peer can have read it: what
// was written before still reaches a peer that reads slowly.
func TestCloseFrameBehindALongQueue(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		const size = 100_000
		program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
			if why != callbacks.Established {
				return nil
			}
			if err := s.Write(make([]byte, size), callbacks.WriteBinary); err != nil {
				return err
			}
			return s.Close(4000, "")
		}
		p := script{program: program, limits: Limits{CloseTimeout: time.Second}, buffer: 1000,
			peer: func(p *peer) {
				p.scan, p.readMost, p.readWait = scanFrames, 1000, 100*time.Millisecond
			},
			ops: []op{sendNow(upgradeRequest), await("the close frame", func(p *peer) bool { return p.frames.closed }),
				sendNow(clientFrame(0x88, closeData(4000, ""))), ended()}}.play(t, over)
		if f := &p.frames; f.code != 4000 || len(f.messages) != 1 || len(f.messages[0].data) != size || f.messages[0].op != ws.OpBinary {
			t.Errorf("closed with %d after %d messages", f.code, len(f.messages))
		}
		if p.end.Broken() || p.over < 10*time.Second {
			t.Errorf("broken %v, over after %v", p.end.Broken(), p.over)
		}
	})
}

// A peer that does not read what is before the close frame is given up.
func TestCloseFrameBehindAQueueThatNobodyReads(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
			if why != callbacks.Established {
				return nil
			}
			_ = s.Write(make([]byte, 100_000), callbacks.WriteBinary)
			return s.Close(4000, "")
		}
		p := script{program: program, limits: Limits{CloseTimeout: time.Second, StallTimeout: 3 * time.Second}, buffer: 1000,
			ops: []op{goDeaf(), sendNow(upgradeRequest), wait(5 * time.Second), hearAgain(), ended()}}.play(t, over)
		if !p.end.Broken() {
			t.Error("it was not")
		}
	})
}

// A message that came in pieces is lent to the program, also when it closes.
func TestMessageStaysWholeWhileTheProgramCloses(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		var after string
		program := func(s callbacks.Session, why callbacks.Reason, in []byte) error {
			if why != callbacks.Receive {
				return nil
			}
			err := s.Close(4000, "reason")
			_ = s.Handle().Write([]byte("something else"), callbacks.WriteText) // from the same pool
			after = string(in)
			return err
		}
		p := script{program: program, ops: []op{sendNow(upgradeRequest), sendNow(clientFrame(0x01, "in two ")),
			wait(time.Second), sendNow(clientFrame(0x80, "parts")), wait(time.Second), closeWrite(), ended()}}.play(t, over)
		if after != "in two parts" {
			t.Errorf("the message became %q", after)
		}
		p.wants(t, "\x88\x08\x0f\xa0reason")
	})
}

// An error between two requests closes without an answer, which would be taken
// for that to a request on its way.
func TestErrorBetweenRequestsIsNotAnAnswer(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
			switch why {
			case callbacks.HTTP:
				s.SetTimer(time.Second)
				return s.Respond(200, "", []byte("ok"))
			case callbacks.Timer:
				return errProgram
			}
			return nil
		}
		p := script{program: program, ops: []op{sendNow("GET / HTTP/1.1\r\nHost: sim\r\n\r\n"), ended()}}.play(t, over)
		if !strings.HasSuffix(string(p.got), "\r\n\r\nok") || p.end.Broken() {
			t.Errorf("got %q, broken %v", p.got, p.end.Broken())
		}
	})
}

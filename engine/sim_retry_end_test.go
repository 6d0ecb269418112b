package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/invariant"
	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/simnet"
)

// A server that refuses TLS may stay: the time to wait begins with its alert.
func TestRetryDoesNotWaitForWhoRefused(t *testing.T) {
	r := retrying{policy: &RetryPolicy{Conceal: 2, Jitter: -1}, rude: true, serve: func(int) []op {
		return []op{do(func(p *peer) {
			p.spoilt, p.closes = true, false
			p.end.(*tlsEnd).out = append(recordHead(21, 2), 2, 40) // handshake_failure
		}), wait(time.Minute)}
	}}
	r.play(t, overTLS)
	if got := r.times(callbacks.Connecting); !slices.Equal(got, []float64{0, 1, 4}) {
		t.Errorf("attempts at %v", got)
	}
	if len(r.errs) != 1 || !strings.Contains(r.errs[0].Error(), "handshake failure") {
		t.Errorf("ended by %v", r.errs)
	}
}

// A program that does not want a certificate does not want it the next time.
func TestRetryGivesUpOnTheProgramsVerdict(t *testing.T) {
	no := errors.New("not this one")
	r := retrying{policy: &RetryPolicy{Conceal: -1, Jitter: -1}, rude: true,
		serve: func(int) []op { return []op{do(func(p *peer) { p.spoilt = true }), ended()} },
		program: func(_ callbacks.Session, why callbacks.Reason, _ []byte) error {
			if why == callbacks.OpenSSLPerformServerCertVerification {
				return no
			}
			return nil
		}}
	r.play(t, overTLS)
	if n := len(r.times(callbacks.Connecting)); n != 1 || len(r.errs) != 1 || !errors.Is(r.errs[0], no) {
		t.Errorf("%d attempts, ended by %v", n, r.errs)
	}
}

// What is written while it waits is sent when there is a server, in order; the program's
// timer goes off meanwhile.
func TestWritesAndTimersWhileItWaits(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		var got []message
		timer := time.Duration(0)
		r := retrying{policy: &RetryPolicy{Jitter: -1}}
		r.connect = func(n int) simnet.Answer {
			if n < 3 {
				return refused(n)
			}
			return simnet.Answer{}
		}
		r.serve = func(int) []op {
			return accept(await("two messages", func(p *peer) bool { got = p.frames.messages; return len(got) == 2 }), closeBoth())
		}
		r.main = func(_ *world, h callbacks.Handle) []op {
			say := func(text string) op { return do(func(*peer) { _ = h.Write([]byte(text), callbacks.WriteText) }) }
			return []op{wait(500 * time.Millisecond), say("one"), wait(time.Second), say("two")}
		}
		r.program = func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
			switch why {
			case callbacks.WSICreate:
				s.SetTimer(2500 * time.Millisecond)
			case callbacks.Timer:
				timer = r.now()
			}
			return nil
		}
		r.play(t, over)
		if len(got) != 2 || got[0].data != "one" || got[1].data != "two" {
			t.Errorf("the server got %v", got)
		}
		if timer != 2500*time.Millisecond {
			t.Errorf("the timer went off at %v", timer)
		}
	})
}

// A server that reads no request stops the client from reading, but not the next
// attempt.
func TestRetryReadsAgain(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		asked := false
		r := retrying{policy: &RetryPolicy{Conceal: 1}, buffer: 2000, limits: Limits{SendHigh: 1, HandshakeTimeout: 2 * time.Second, StallTimeout: 2 * time.Second},
			serve: func(n int) []op {
				if n == 1 {
					return []op{goDeaf(), wait(20 * time.Second), closeBoth()}
				}
				return accept(wait(time.Second), closeBoth())
			},
			program: func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
				if first := !asked; why == callbacks.ClientAppendHandshakeHeader && first {
					asked = true
					return s.AddHeader("X-Long", strings.Repeat("x", 4000))
				}
				return nil
			}}
		r.play(t, over)
		if n := len(r.times(callbacks.ClientEstablished)); n != 1 {
			t.Errorf("established %d times: %v, %v", n, r.log, r.errs)
		}
	})
}

// A Handle closes what is ending already, too: there will be no other.
func TestCloseOfASessionThatEnds(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		r := retrying{policy: &RetryPolicy{Reconnect: true}, limits: Limits{CloseTimeout: 3 * time.Second},
			serve: func(int) []op { // closes, and does not go
				return accept(send(appendFrame(nil, 0x88, false, [4]byte{}, closeData(1001, ""))), do(func(p *peer) { p.closes = false }), wait(time.Minute))
			},
			main: func(_ *world, h callbacks.Handle) []op {
				return []op{wait(5 * time.Second), do(func(*peer) {
					if err := h.Close(0, ""); err != nil {
						t.Error(err)
					}
				})}
			}}
		r.play(t, over)
		if at := r.times(callbacks.ClientClosed); len(r.ids) != 1 || len(at) != 1 || at[0] < 6 {
			t.Errorf("%v", r.log)
		}
	})
}

// The policy's times are those of the WebSocket.
func TestRetryPolicyHasLiveness(t *testing.T) {
	r := retrying{policy: &RetryPolicy{PingInterval: 3 * time.Second, HangupTimeout: 5 * time.Second},
		serve: func(int) []op { return accept(ended()) }}
	r.play(t, plain)
	if at := r.times(callbacks.ClientClosed); len(at) != 1 || at[0] < 5 || at[0] > 5.2 || !errors.Is(r.errs[0], ErrHangup) {
		t.Errorf("closed at %v by %v", at, r.errs)
	}
}

// A loop that dies while a client waits ends that, too.
func TestLoopThatDiesEndsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Seed: 1, MaxSteps: 200, Connect: func(kernel.Target) simnet.Answer {
			return simnet.Answer{Err: unix.ECONNREFUSED}
		}})
		var last []callbacks.Reason
		e, err := New(Config{Loops: 1, Logger: slog.New(slog.DiscardHandler), kernel: net, Vhosts: []Vhost{{Protocols: []callbacks.Protocol{{
			Callback: func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
				if s.ID() != 0 {
					last = append(last, why)
				}
				return nil
			}}}}}})
		if err != nil {
			t.Fatal(err)
		}
		h, err := e.Connect(ClientConnectInfo{Address: "192.0.2.1", Retry: &RetryPolicy{Table: []time.Duration{time.Hour}, Reconnect: true}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Hour)
		defer stop()
		net.Add(idler{net})
		if err := e.Run(ctx); err == nil {
			t.Error("the loop did not die")
		}
		n := len(last)
		if n < 4 || last[n-3] != callbacks.WSClientDropProtocol || last[n-2] != callbacks.ClientConnectionError || last[n-1] != callbacks.WSIDestroy {
			t.Errorf("the program heard %v", last)
		}
		if s := e.Stats(); s.Sessions != 0 || len(invariant.Counts()) > 0 || !errors.Is(h.Close(0, ""), callbacks.ErrClosed) {
			t.Errorf("left: %d sessions, %v", s.Sessions, invariant.Counts())
		}
	})
}

// idler keeps a simulation busy without end.
type idler struct{ net *simnet.Net }

func (i idler) Step() simnet.Next { return i.net.Sleep(time.Second) }

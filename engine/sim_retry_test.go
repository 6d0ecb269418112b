package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/tlsbridge"
)

// retrying plays one client with a policy on a network without faults.
type retrying struct {
	policy  *RetryPolicy
	raw     bool
	limits  Limits
	connect func(n int) simnet.Answer // the n-th connection, from 1; nil is one that is made
	serve   func(n int) []op          // what its server does; nil is to be silent
	program callbacks.Callback        // besides; may be nil
	main    func(w *world, h callbacks.Handle) []op
	buffer  int  // of the kernel; 0 is a megabyte
	rude    bool // servers do not wait for the end of the TLS handshake

	w      *world
	log    []string // "1s Connecting"
	ids    []uint64
	errs   []error // of the terminal reasons
	served int
}

// play runs it.
func (r *retrying) play(t *testing.T, over transport) {
	t.Helper()
	simulate(t, scenario{name: t.Name(), over: over, config: func(w *world, nc *simnet.Config, cfg *Config) {
		r.w = w
		nc.Faults, nc.Buffer = simnet.Faults{}, 1<<20
		if r.buffer > 0 {
			nc.Buffer = r.buffer
		}
		cfg.Limits = r.limits
		w.calm = true
		w.custom = r.hear
		nc.Connect = r.connecting
	}, play: func(w *world) {
		w.e.loops[0].jitter = w.rng
		info := ClientConnectInfo{Address: "192.0.2.1", Protocol: "echo", Retry: r.policy, UserData: "mine"}
		if r.raw {
			info.Method = "RAW"
		}
		if w.tls != nil {
			info.Flags = UseSSL
		}
		h, err := w.e.Connect(info)
		if err != nil {
			t.Fatal(err)
		}
		ops := []op{wait(time.Second)}
		if r.main != nil {
			ops = r.main(w, h)
		}
		w.add("main", append(ops, until(func() bool { return len(r.ids) > 0 && len(w.rec.sessions) == r.ended() }))...)
	}}, 1)
}

// ended counts sessions that are over.
func (r *retrying) ended() (n int) {
	for _, c := range r.w.rec.sessions {
		if c.destroyed {
			n++
		}
	}
	return n
}

// until waits for something that is not the peer's.
func until(ok func() bool) op {
	return func(p *peer) (simnet.Next, bool) {
		if ok() {
			return simnet.Next{}, true
		}
		return p.w.net.Until(ok, 1000*time.Hour), false
	}
}

func (r *retrying) connecting(kernel.Target) simnet.Answer {
	r.served++
	n := r.served
	a := simnet.Answer{}
	if r.connect != nil {
		a = r.connect(n)
	}
	a.Accepted = func(end *simnet.End) {
		ops := []op{ended()}
		if r.serve != nil {
			ops = r.serve(n)
		}
		if !r.rude {
			ops = append([]op{shaken()}, ops...)
		}
		p := r.w.add(fmt.Sprintf("server %d", n), ops...)
		p.frames.masked, p.scan = !r.raw, scanFrames
		if r.raw {
			p.scan = nil
		}
		p.readMost, p.readWait = 1<<20, 0
		p.met(end, tlsbridge.Server)
	}
	return a
}

// now is the time since the beginning, to a tenth of a second.
func (r *retrying) now() time.Duration {
	return time.Duration(r.w.net.Now() - int64(time.Hour)).Truncate(100 * time.Millisecond)
}

func (r *retrying) hear(s callbacks.Session, why callbacks.Reason, in []byte) error {
	switch why {
	case callbacks.WSICreate:
		r.ids = append(r.ids, s.ID())
		if s.UserData() != "mine" {
			r.w.failf("user data %v", s.UserData())
		}
	case callbacks.Connecting, callbacks.ClientEstablished, callbacks.RawConnected, callbacks.ClientClosed, callbacks.RawClose,
		callbacks.ClientConnectionError:
		r.log = append(r.log, fmt.Sprint(r.now(), " ", why))
	}
	switch why {
	case callbacks.ClientClosed, callbacks.RawClose, callbacks.ClientConnectionError:
		r.errs = append(r.errs, s.Err())
	}
	if r.program != nil {
		return r.program(s, why, in)
	}
	return nil
}

// times are those of a reason, in seconds.
func (r *retrying) times(why callbacks.Reason) (at []float64) {
	for _, line := range r.log {
		when, name, _ := strings.Cut(line, " ")
		if d, err := time.ParseDuration(when); err == nil && name == why.String() {
			at = append(at, d.Seconds())
		}
	}
	return at
}

func refused(int) simnet.Answer { return simnet.Answer{Err: unix.ECONNREFUSED} }

// answerBy is a server that answers each handshake with a text.
func answerBy(text string) func(int) []op {
	return func(int) []op {
		return []op{await("the request", func(p *peer) bool { return p.frames.head != nil }), sendNow(text), closeBoth()}
	}
}

// accept opens the WebSocket, and goes on.
func accept(then ...op) []op {
	return append([]op{await("the request", func(p *peer) bool { return p.frames.head != nil }),
		sendLate(func(p *peer) []byte { return switching(p.frames.head) })}, then...)
}

func TestRetryTable(t *testing.T) {
	sec := func(list ...float64) []float64 { return list }
	none := func(p RetryPolicy) *RetryPolicy { p.Jitter = -1; return &p }
	busy := func(fields string) func(int) []op {
		return answerBy("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n" + fields + "\r\n")
	}
	overBoth(t, func(t *testing.T, over transport) {
		for _, c := range []struct {
			name    string
			policy  *RetryPolicy
			connect func(int) simnet.Answer
			serve   func(int) []op
			want    []float64 // when attempts begin
		}{
			{"no policy is no second attempt", nil, refused, nil, sec(0)},
			{"the default is libwebsockets'", none(RetryPolicy{}), refused, nil, sec(0, 1, 4, 13, 30)},
			{"behind the table its end goes on", none(RetryPolicy{Table: []time.Duration{2 * time.Second, 5 * time.Second}, Conceal: 5}), refused, nil, sec(0, 2, 7, 12, 17, 22)},
			{"a table longer than Conceal", none(RetryPolicy{Conceal: 1}), refused, nil, sec(0, 1)},
			{"a bad answer", none(RetryPolicy{Conceal: 2}), nil, answerBy("nonsense\r\n\r\n"), sec(0, 1, 4)},
			{"a wrong answer", none(RetryPolicy{Conceal: 2}), nil, answerBy("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), sec(0, 1, 4)},
			{"half an answer", none(RetryPolicy{Conceal: 2}), nil, answerBy("HTTP/1.1 101 Swi"), sec(0, 1, 4)},
			{"500", none(RetryPolicy{Conceal: 2}), nil, answerBy("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"), sec(0, 1, 4)},
			{"429", none(RetryPolicy{Conceal: 2}), nil, answerBy("HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n"), sec(0, 1, 4)},
			{"404 lasts", none(RetryPolicy{Conceal: 2}), nil, answerBy("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), sec(0)},
			{"a redirect that leads nowhere lasts", none(RetryPolicy{Conceal: 2}), nil, answerBy("HTTP/1.1 302 No\r\nLocation: ftp://a/\r\nContent-Length: 0\r\n\r\n"), sec(0)},
			{"Retry-After in seconds", none(RetryPolicy{Conceal: 1}), nil, busy("Retry-After: 40\r\n"), sec(0, 40)},
			{"Retry-After is no reason to hurry", none(RetryPolicy{Conceal: 2}), nil, busy("Retry-After: 2\r\n"), sec(0, 2, 5)},
			{"Retry-After has a cap", none(RetryPolicy{Conceal: 1, MaxRetryAfter: 15 * time.Second}), nil, busy("Retry-After: 40\r\n"), sec(0, 15)},
			{"Retry-After need not be heeded", none(RetryPolicy{Conceal: 1, MaxRetryAfter: -1}), nil, busy("Retry-After: 40\r\n"), sec(0, 1)},
			{"Retry-After beyond all numbers", none(RetryPolicy{Conceal: 1}), nil, busy("Retry-After: 99999999999999999999999\r\n"), sec(0, 300)},
			{"Retry-After by date", none(RetryPolicy{Conceal: 1}), nil, busy("Date: Mon, 07 Jul 2025 10:00:00 GMT\r\nRetry-After: Mon, 07 Jul 2025 10:00:50 GMT\r\n"), sec(0, 50)},
			{"Retry-After of the past", none(RetryPolicy{Conceal: 1}), nil, busy("Date: Mon, 07 Jul 2025 10:00:00 GMT\r\nRetry-After: Mon, 07 Jul 2025 09:00:50 GMT\r\n"), sec(0, 1)},
			{"Retry-After that is none", none(RetryPolicy{Conceal: 1}), nil, busy("Retry-After: soon\r\n"), sec(0, 1)},
			{"a redirect heeds Retry-After", none(RetryPolicy{Conceal: 1}), nil,
				func(n int) []op {
					return answerBy([]string{"HTTP/1.1 302 Found\r\nLocation: /b\r\nRetry-After: 7\r\n\r\n", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"}[n-1])(n)
				}, sec(0, 7)},
		} {
			t.Run(c.name, func(t *testing.T) {
				r := retrying{policy: c.policy, connect: c.connect, serve: c.serve}
				r.play(t, over)
				if got := r.times(callbacks.Connecting); !slices.Equal(got, c.want) || len(r.errs) != 1 || len(r.ids) != 1 {
					t.Errorf("attempts at %v, want %v; %v", got, c.want, r.log)
				}
			})
		}
	})
}

// The jitter is between nothing and its percentage, and not always the same.
func TestRetryJitter(t *testing.T) {
	r := retrying{policy: &RetryPolicy{Table: []time.Duration{10 * time.Second}, Conceal: 200, Jitter: 50}, connect: refused}
	r.play(t, plain)
	at := r.times(callbacks.Connecting)
	least, most := 100.0, 0.0
	for i := 1; i < len(at); i++ {
		d := at[i] - at[i-1]
		least, most = min(least, d), max(most, d)
	}
	if len(at) != 201 || least < 9.8 || least > 10.8 || most < 14.2 || most > 15.2 {
		t.Errorf("%d attempts, %v to %v apart", len(at), least, most)
	}
}

func TestRetryGivesUp(t *testing.T) {
	mine := errors.New("mine")
	return1 := func(at callbacks.Reason, err error) callbacks.Callback {
		return func(s callbacks.Session, why callbacks.Reason, in []byte) error {
			if why == at {
				return err
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		program callbacks.Callback
		serve   func(int) []op
		want    error
		tries   int
	}{
		"an error in ClientRetrying":    {return1(callbacks.ClientRetrying, mine), nil, mine, 1},
		"ErrClose keeps the cause":      {return1(callbacks.ClientRetrying, callbacks.ErrClose), nil, unix.ECONNREFUSED, 1},
		"an error in Connecting":        {return1(callbacks.Connecting, mine), nil, mine, 1},
		"an error in the request":       {return1(callbacks.ClientAppendHandshakeHeader, mine), func(int) []op { return []op{ended()} }, mine, 1},
		"an error behind the answer":    {return1(callbacks.ClientFilterPreEstablish, mine), func(int) []op { return accept(ended()) }, mine, 1},
		"an error about a redirect":     {return1(callbacks.ClientHTTPRedirect, mine), answerBy("HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n"), mine, 1},
		"Close in ClientRetrying":       {closing(callbacks.ClientRetrying), nil, callbacks.ErrClosed, 1},
		"Close in Connecting":           {closing(callbacks.Connecting), nil, callbacks.ErrClosed, 1},
		"Close in ClientHTTPRedirect":   {closing(callbacks.ClientHTTPRedirect), answerBy("HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n"), callbacks.ErrClosed, 1},
		"a timer ends the wait":         {timing(1500*time.Millisecond, mine), nil, mine, 2},
		"a timer that is no reason to":  {timing(1500*time.Millisecond, nil), nil, unix.ECONNREFUSED, 3},
		"a panic in ClientRetrying":     {panicking, nil, nil, 1},
		"a Write before there is a way": {writing, nil, unix.ECONNREFUSED, 3},
	} {
		t.Run(name, func(t *testing.T) {
			r := retrying{policy: &RetryPolicy{Conceal: 2, Jitter: -1}, serve: c.serve, program: c.program}
			if c.serve == nil {
				r.connect = refused
			}
			r.play(t, plain)
			if len(r.errs) != 1 || c.want != nil && !errors.Is(r.errs[0], c.want) {
				t.Errorf("ended by %v, want %v", r.errs, c.want)
			}
			if n := len(r.times(callbacks.Connecting)); n != c.tries {
				t.Errorf("%d attempts, want %d: %v", n, c.tries, r.log)
			}
		})
	}
}

func closing(at callbacks.Reason) callbacks.Callback {
	return func(s callbacks.Session, why callbacks.Reason, in []byte) error {
		if why == at {
			return s.Close(0, "")
		}
		return nil
	}
}

func timing(d time.Duration, err error) callbacks.Callback {
	return func(s callbacks.Session, why callbacks.Reason, in []byte) error {
		switch why {
		case callbacks.WSICreate:
			s.SetTimer(d)
		case callbacks.Timer:
			return err
		}
		return nil
	}
}

func panicking(_ callbacks.Session, why callbacks.Reason, _ []byte) error {
	if why == callbacks.ClientRetrying {
		panic("as requested")
	}
	return nil
}

func writing(s callbacks.Session, why callbacks.Reason, _ []byte) error {
	if why == callbacks.ClientRetrying && (s.Write([]byte("x"), callbacks.WriteText) != callbacks.ErrClosed || s.RemoteAddr() != nil) {
		return errors.New("a session without a connection that has one")
	}
	return nil
}

// What the program is told when it waits.
func TestRetryingTells(t *testing.T) {
	var in []string
	var causes []error
	var status []int
	r := retrying{policy: &RetryPolicy{Conceal: 1, Jitter: -1},
		serve: answerBy("HTTP/1.1 503 Busy\r\nContent-Length: 6\r\nX-Why: load\r\n\r\nbusy\r\n"),
		program: func(s callbacks.Session, why callbacks.Reason, b []byte) error {
			switch why {
			case callbacks.ClientRetrying, callbacks.ClientConnectionError:
				in, causes = append(in, string(b)), append(causes, s.Err())
				status = append(status, s.Response().Status())
			case callbacks.Connecting:
				if s.Err() != nil {
					return s.Err()
				}
			}
			return nil
		}}
	r.play(t, plain)
	const refusal = "engine: handshake: status 503: the server did not upgrade"
	if want := []string{"1s: " + refusal, refusal}; !slices.Equal(in, want) {
		t.Errorf("told %q, want %q", in, want)
	}
	var h *HandshakeError
	for _, err := range causes {
		if !errors.As(err, &h) || h.Status != 503 || string(h.Body) != "busy\r\n" {
			t.Errorf("cause %+v", err)
		}
	}
	if !slices.Equal(status, []int{503, 503}) {
		t.Errorf("responses %v", status)
	}
}

// A client that has lost its server comes back: with another session, the same user
// data and the same Handle.
func TestReconnect(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		for name, c := range map[string]struct {
			end  func() op
			code ws.StatusCode
			in   string
		}{
			"behind a close frame": {func() op { return send(appendFrame(nil, 0x88, false, [4]byte{}, closeData(1012, "restart"))) }, 1012, `2s: ws: closed by peer with 1012: "restart"`},
			"behind a FIN":         {closeBoth, 1006, "2s: engine: the peer closed the connection without a close frame"},
			"behind a reset":       {reset, 1006, "2s: "},
			"behind nonsense":      {func() op { return send([]byte{0xff, 0xff}) }, 1002, "2s: ws: closed with 1002"},
		} {
			t.Run(name, func(t *testing.T) {
				var handles []callbacks.Handle
				var in []string
				var codes []ws.StatusCode
				r := retrying{policy: &RetryPolicy{Table: []time.Duration{2 * time.Second, 3 * time.Second}, Conceal: 2, Jitter: -1, Reconnect: true},
					connect: func(n int) simnet.Answer {
						if n == 2 || n > 3 {
							return refused(n)
						}
						return simnet.Answer{}
					},
					serve: func(int) []op { return accept(wait(5*time.Second), c.end(), rest(time.Millisecond), closeBoth()) },
					main: func(_ *world, h callbacks.Handle) []op {
						handles = append(handles, h)
						return nil
					}}
				r.program = func(s callbacks.Session, why callbacks.Reason, b []byte) error {
					switch why {
					case callbacks.WSICreate:
						handles = append(handles, s.Handle())
					case callbacks.ClientRetrying:
						in = append(in, string(b))
					case callbacks.ClientClosed:
						code, _ := s.CloseStatus()
						codes = append(codes, code)
					}
					return nil
				}
				r.play(t, over)
				// Two are established; each loss is the first failure in its row.
				want := []float64{0, 7, 10, 17, 20}
				if got := r.times(callbacks.Connecting); !slices.EqualFunc(got, want, func(a, b float64) bool { return a-b < 0.3 && b-a < 0.3 }) ||
					len(r.ids) != 3 || r.ids[0] == r.ids[1] {
					t.Errorf("attempts at %v, want %v; sessions %v; %v", got, want, r.ids, r.log)
				}
				if !slices.Equal(codes, []ws.StatusCode{c.code, c.code}) || len(in) != 4 || !strings.HasPrefix(in[0], c.in) {
					t.Errorf("closed with %v, waited %q", codes, in)
				}
				for _, h := range handles {
					if h != handles[0] {
						t.Error("the Handles differ")
					}
				}
				if err := handles[0].Write(nil, callbacks.WriteText); !errors.Is(err, callbacks.ErrClosed) {
					t.Errorf("the Handle of what is over: %v", err)
				}
			})
		}
	})
}

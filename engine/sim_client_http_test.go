package engine

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/tlsbridge"
)

// TestSimClientHTTP has clients ask servers that answer in all framings, keep the
// connection or close it when they please, and cut answers short. Everybody hears the
// reasons in their order, nobody gets another's answer or half of one for a whole, and
// nothing is left.
func TestSimClientHTTP(t *testing.T) {
	runSeeds(t, scenario{name: "client http", config: func(w *world, nc *simnet.Config, cfg *Config) {
		f := &farm{w: w, asks: make(map[string]*ask)}
		w.custom = f.hear
		nc.Connect = f.connecting
		cfg.Limits.OriginConnections = w.rng.IntN(4) // 0 is no limit
		cfg.Limits.ResponseTimeout, cfg.Limits.ResponseBodyTimeout = 20*time.Minute, 20*time.Minute
		cfg.Limits.StallTimeout = 20 * time.Minute
		w.farm = f
	}, play: func(w *world) {
		w.farm.play()
		w.checks = append(w.checks, w.farm.check)
	}}, simCount)
}

// farm is some servers at one address, and those who ask them.
type farm struct {
	w     *world
	asks  map[string]*ask // by path
	order []*ask
	conns int
}

// ask is one transaction.
type ask struct {
	f        *farm
	path     string
	method   string
	up       string // the request's body
	chunked  bool   // ... of no known length
	sent     int
	down     string // the response's body
	status   int
	trailer  bool
	cut      int  // how much of the response is sent, -1 for all
	leaves   bool // the client gives up in the middle
	pauses   bool
	hearsay  string // what has come of the body
	heard    bool   // a response's head has
	complete bool
	gone     bool
	err      error
	asked    int // how often the server has seen it
}

func (f *farm) play() {
	w := f.w
	for i := range 1 + w.rng.IntN(6) {
		a := &ask{f: f, path: fmt.Sprintf("/%d", i), method: [...]string{"GET", "GET", "HEAD", "POST", "PUT", "DELETE"}[w.rng.IntN(6)],
			status: [...]int{200, 200, 200, 204, 304, 404, 503}[w.rng.IntN(7)], cut: -1, down: w.text(w.size()),
			leaves: w.rng.IntN(10) == 0, pauses: w.rng.IntN(3) == 0, trailer: w.rng.IntN(3) == 0}
		if a.method == "POST" || a.method == "PUT" {
			a.up, a.chunked = w.text(w.size()), w.rng.IntN(2) == 0
		}
		if w.rng.IntN(6) == 0 {
			a.cut = w.rng.IntN(200)
		}
		f.asks[a.path] = a
		f.order = append(f.order, a)
		w.add("ask "+a.path, rest(time.Duration(i)*time.Second), do(func(*peer) { a.connect() }), func(*peer) (simnet.Next, bool) {
			return w.net.Until(func() bool { return a.gone }, patience), a.gone
		})
	}
}

func (a *ask) connect() {
	w := a.f.w
	info := ClientConnectInfo{Address: "192.0.2.1", Port: 80, Path: a.path, Method: a.method, UserData: a, BodyLength: int64(len(a.up))}
	if a.chunked {
		info.BodyLength = -1
	}
	if w.rng.IntN(4) > 0 {
		info.Flags |= Pipeline
	}
	if w.tls != nil {
		info.Flags |= UseSSL
	}
	if w.rng.IntN(3) == 0 {
		info.ExpectContinue = info.BodyLength != 0
	}
	if _, err := w.e.Connect(info); err != nil {
		a.gone = true
		w.failf("%s: %v", a.path, err)
	}
}

func (f *farm) connecting(kernel.Target) simnet.Answer {
	return simnet.Answer{After: time.Duration(f.w.rng.IntN(200)) * time.Millisecond, Accepted: func(end *simnet.End) {
		f.conns++
		p := f.w.add(fmt.Sprintf("server %d", f.conns), shaken(), f.serve(0))
		p.met(end, tlsbridge.Server)
	}}
}

// serve answers the request behind the first used bytes, and then others.
func (f *farm) serve(used int) op {
	return func(p *peer) (simnet.Next, bool) {
		req, n := parseWhole(p.got[used:])
		if req == nil {
			if p.end.Over() || f.goOn(p, used) {
				return simnet.Next{}, true
			}
			return p.w.net.Until(func() bool {
				r, _ := parseWhole(p.got[used:])
				return r != nil || p.end.Over() || f.wantsContinue(p.got[used:])
			}, patience), false
		}
		a := f.asks[req.URL.Path]
		a.asked++
		if body, _ := io.ReadAll(req.Body); string(body) != a.up && !a.leaves {
			f.w.failf("%s: the server got %d bytes of %d", a.path, len(body), len(a.up))
		}
		f.answer(p, a, req.Close, used+n)
		return simnet.Next{}, true
	}
}

// wantsContinue tells whether b is a head whose body waits.
func (f *farm) wantsContinue(b []byte) bool {
	return bytes.Contains(b, []byte("Expect: 100-continue\r\n")) && bytes.HasSuffix(b, []byte("\r\n\r\n"))
}

// goOn lets a body come, if it waits: at times it does not, and the client gives up
// waiting.
func (f *farm) goOn(p *peer, used int) bool {
	if !f.wantsContinue(p.got[used:]) {
		return false
	}
	all := await("the body", func(p *peer) bool {
		r, _ := parseWhole(p.got[used:])
		return r != nil
	})
	script := []op{p.ops[0]}
	if f.w.rng.IntN(2) == 0 {
		script = append(script, send([]byte("HTTP/1.1 100 Continue\r\n\r\n")))
	}
	p.ops = append(script, all, f.serve(used))
	return true
}

// answer puts what answers a into p's script.
func (f *farm) answer(p *peer, a *ask, close bool, used int) {
	rng := f.w.rng
	whole, untilClose := a.response(rng.IntN(3))
	b := []byte(whole)
	ops := []op{p.ops[0]}
	switch {
	case a.cut >= 0 && a.cut < len(b):
		ops = append(ops, send(b[:a.cut]))
		if untilClose || rng.IntN(2) == 0 { // a FIN would be its good end
			ops = append(ops, reset())
		} else {
			ops = append(ops, closeBoth())
		}
	case untilClose || close || rng.IntN(4) == 0:
		a.cut = -1
		ops = append(ops, send(b), closeWrite(), ended())
	default:
		a.cut = -1
		ops = append(ops, send(b), f.serve(used))
	}
	p.ops = ops
}

// response is the whole of it, in one of the framings.
func (a *ask) response(framing int) (text string, untilClose bool) {
	head := fmt.Sprintf("HTTP/1.1 %d X\r\n", a.status)
	if a.f.w.rng.IntN(4) == 0 {
		head = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + head
	}
	bodyless := a.method == "HEAD" || a.status == 204 || a.status == 304
	switch {
	case bodyless:
		return head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(a.down)), false
	case framing == 0:
		return head + "\r\n" + a.down, true
	case framing == 1:
		return head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(a.down), a.down), false
	}
	var b strings.Builder
	b.WriteString(head + "Transfer-Encoding: chunked\r\n\r\n")
	for rest := a.down; len(rest) > 0; {
		n := 1 + a.f.w.rng.IntN(len(rest))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	b.WriteString("0\r\n")
	if a.trailer {
		b.WriteString("X-Sum: x\r\n")
	}
	b.WriteString("\r\n")
	return b.String(), false
}

// parseWhole reads a request that is there with all of its body.
func parseWhole(b []byte) (*http.Request, int) {
	if !bytes.Contains(b, []byte("\r\n\r\n")) {
		return nil, 0
	}
	src := bytes.NewReader(b)
	r := bufio.NewReader(src)
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, 0
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, 0
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	return req, len(b) - src.Len() - r.Buffered()
}

// hear is the program.
func (f *farm) hear(s callbacks.Session, why callbacks.Reason, in []byte) error {
	a, ok := s.UserData().(*ask)
	if !ok {
		return nil
	}
	rng := f.w.rng
	if a.leaves && why != callbacks.WSICreate && why != callbacks.WSIDestroy && rng.IntN(5) == 0 {
		return [...]error{errProgram, callbacks.ErrClose, s.Close(0, "")}[rng.IntN(3)]
	}
	switch why {
	case callbacks.ClientHTTPWriteable:
		return a.write(s)
	case callbacks.EstablishedClientHTTP:
		a.heard = true
		if s.Response().Status() != a.status {
			f.w.failf("%s: status %d, not %d", a.path, s.Response().Status(), a.status)
		}
	case callbacks.ReceiveClientHTTP:
		if a.pauses && rng.IntN(4) == 0 {
			s.PauseReading()
			s.SetTimer(time.Duration(rng.IntN(1000)) * time.Millisecond)
		}
	case callbacks.Timer:
		s.ResumeReading()
	case callbacks.ReceiveClientHTTPRead:
		a.hearsay += string(in)
	case callbacks.CompletedClientHTTP:
		a.complete = true
	case callbacks.ClosedClientHTTP, callbacks.ClientConnectionError:
		a.err = s.Err()
	case callbacks.WSIDestroy:
		a.gone = true
	}
	return nil
}

// write sends some of the body.
func (a *ask) write(s callbacks.Session) error {
	n := a.f.w.rng.IntN(len(a.up) - a.sent + 1)
	if a.sent+n == len(a.up) {
		a.sent = len(a.up)
		return s.Write([]byte(a.up[len(a.up)-n:]), callbacks.WriteHTTPFinal)
	}
	piece := a.up[a.sent : a.sent+n]
	a.sent += n
	s.RequestWriteable()
	return s.Write([]byte(piece), callbacks.WriteHTTP)
}

// check compares what was heard with what was said.
func (f *farm) check() {
	for _, a := range f.order {
		want := a.down
		if a.method == "HEAD" || a.status == 204 || a.status == 304 {
			want = ""
		}
		whole := a.heard && a.complete && a.hearsay == want
		switch {
		case !strings.HasPrefix(want, a.hearsay) && a.asked > 0:
			f.w.failf("%s: another's answer: %.100q for %.100q", a.path, a.hearsay, want)
		case a.complete && !whole:
			f.w.failf("%s: half of it for a whole", a.path)
		case a.leaves:
		case a.cut >= 0 && !a.complete && a.err == nil:
			f.w.failf("%s: cut short without an error", a.path)
		case a.cut < 0 && !whole && !a.mayFail():
			f.w.failf("%s %s %d: it had %d of %d bytes and %v", a.method, a.path, a.status, len(a.hearsay), len(want), a.err)
		case a.asked > 1 && !idempotent(a.method):
			f.w.failf("%s %s was asked %d times", a.method, a.path, a.asked)
		}
	}
}

// mayFail tells what a server that has just closed does to a request that cannot be
// made twice.
func (a *ask) mayFail() bool {
	return (!idempotent(a.method) || a.up != "" || a.chunked) && !a.heard && a.err != nil && !errors.Is(a.err, ErrResponseTimeout)
}

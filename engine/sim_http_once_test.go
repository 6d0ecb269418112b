package engine

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/internal/simnet"
)

// TestSimAnsweredOnce: whatever programs do, and whatever comes behind the good requests,
// each complete request gets one well-framed answer, in its turn, or the connection ends.
func TestSimAnsweredOnce(t *testing.T) {
	var o *once
	runSeeds(t, scenario{name: "once", config: func(w *world, _ *simnet.Config, cfg *Config) {
		o = &once{w: w, tasks: make(map[uint64]*task)}
		w.custom = o.program
		cfg.Limits.Pipelined = w.rng.IntN(4)
	}, play: func(w *world) {
		for i := range 1 + w.rng.IntN(4) {
			o.addClient(fmt.Sprintf("client %d", i))
		}
	}}, 2*simCount)
}

// once is a program that does anything with a request but forget what it does.
type once struct {
	w       *world
	tasks   map[uint64]*task // by session
	clients []*onceClient
}

// task is what is to become of a request.
type task struct {
	way    int
	number string
	left   []byte // to be written
	old    callbacks.Handle
}

const (
	onceNow = iota
	onceLate
	oncePosted
	onceWorked
	onceSized
	onceChunked
	onceRaw
	onceRawLate
	onceTwice
	onceNothing
	onceInterim
	onceEarly
	onceCloses // these and all behind
	onceError
	oncePanic
	onceErrorInside
	oncePanicInside
	onceNever
	onceShort
	onceWays
)

func (o *once) program(s callbacks.Session, why callbacks.Reason, in []byte) error {
	k := o.tasks[s.ID()]
	switch why {
	case callbacks.HTTPBindProtocol:
		number, _ := s.Request().Header().Get("X-Number")
		k = &task{way: o.w.rng.IntN(onceWays), number: string(number)}
		o.tasks[s.ID()] = k
		client, _ := s.Request().Header().Get("X-Client")
		if i, err := strconv.Atoi(string(client)); err == nil && i < len(o.clients) && k.way >= onceCloses {
			o.clients[i].closed = true
		}
	case callbacks.HTTPDropProtocol:
		delete(o.tasks, s.ID())
		if k.old = s.Handle(); o.w.rng.IntN(4) == 0 { // an answer that comes when its request is over
			_ = k.old.Write([]byte("HTTP/1.1 200 Late\r\nContent-Length: 0\r\nX-Number: late\r\n\r\n"), callbacks.WriteHTTP)
			_ = k.old.Post(func(s callbacks.Session) error { return s.Respond(200, "", []byte("late")) })
		}
	case callbacks.HTTP:
		if k.way == onceEarly || s.Request().Framing().Empty() && !expectsCompletion(s.Request()) {
			return o.begin(s, k)
		}
	case callbacks.HTTPBodyCompletion:
		if !s.Answered() {
			return o.begin(s, k)
		}
	case callbacks.HTTPWriteable, callbacks.Timer:
		if k != nil {
			return o.goOn(s, k)
		}
	}
	return nil
}

// begin does what is the way of the request.
func (o *once) begin(s callbacks.Session, k *task) error {
	w := o.w
	_ = s.AddHeader("X-Number", k.number)
	k.left = []byte(w.text(1 + w.rng.IntN(3000)))
	switch k.way {
	case onceLate, onceNever:
		s.Hold()
		s.SetTimer(w.soon())
		return nil
	case oncePosted:
		s.Hold()
		return s.Handle().Post(func(s callbacks.Session) error { return s.Respond(200, "", k.left) })
	case onceWorked:
		s.Hold()
		return s.Go(func() {}, func(s callbacks.Session) error { return s.Respond(200, "", k.left) })
	case onceSized, onceShort:
		s.RequestWriteable()
		return s.StartResponse(200, "", int64(len(k.left)))
	case onceChunked:
		s.RequestWriteable()
		return errors.Join(s.StartResponse(200, "", -1), s.AddTrailer("X-Sum", "1"))
	case onceRaw, onceRawLate:
		k.left = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nX-Number: %s\r\nContent-Length: %d\r\n\r\n%s", k.number, len(k.left), k.left)
		if k.way == onceRawLate {
			s.RequestWriteable()
			return s.Write(w.cutOff(&k.left), callbacks.WriteHTTP)
		}
		for len(k.left) > 0 {
			if err := s.Write(w.cutOff(&k.left), callbacks.WriteHTTP); err != nil {
				return err
			}
		}
		return nil
	}
	return o.beginBadly(s, k)
}

// beginBadly is the rest of begin: what a program should not do, and what it may.
func (o *once) beginBadly(s callbacks.Session, k *task) error {
	switch k.way {
	case onceCloses:
		return errors.Join(s.Respond(200, "", k.left), callbacks.ErrClose)
	case onceError:
		return http1.NewError(418, "a teapot")
	case oncePanic:
		panic("as the test wants")
	case onceErrorInside, oncePanicInside:
		length := int64(len(k.left))
		if o.w.rng.IntN(2) == 0 {
			length = -1
		}
		s.RequestWriteable()
		return s.StartResponse(200, "", length)
	case onceTwice:
		err := s.Respond(200, "", k.left)
		if second := alreadyAnswered(s.Respond(200, "", []byte("again"))); err == nil && second != nil {
			o.w.failf("%v", second)
		}
		return err
	case onceNothing:
		return nil
	case onceInterim:
		if err := s.Interim(103, http1.Field{Name: "Link", Value: "<x>"}); err != nil {
			return err
		}
	}
	return s.Respond(200, "", k.left)
}

// goOn is what comes of it later.
func (o *once) goOn(s callbacks.Session, k *task) error {
	switch k.way {
	case onceLate:
		return s.Respond(200, "", k.left)
	case onceNever:
		return s.Close(0, "")
	case onceErrorInside:
		return errProgram
	case oncePanicInside:
		panic("as the test wants")
	case onceShort:
		return s.Write(k.left[:len(k.left)-1], callbacks.WriteHTTPFinal)
	case onceSized, onceChunked, onceRawLate:
		if len(k.left) == 0 {
			return nil
		}
		b, kind := o.w.cutOff(&k.left), callbacks.WriteHTTP
		if len(k.left) == 0 {
			kind = callbacks.WriteHTTPFinal
		}
		s.RequestWriteable()
		return s.Write(b, kind)
	}
	return nil
}

// cutOff takes a piece off b.
func (w *world) cutOff(b *[]byte) []byte {
	n := 1 + w.rng.IntN(len(*b))
	piece := (*b)[:n]
	*b = (*b)[n:]
	return piece
}

// onceClient sends numbered requests.
type onceClient struct {
	w       *world
	p       *peer
	id      int
	methods []string
	tail    bool // something else is behind them
	closed  bool // the program has done something that ends the connection
}

// addClient adds a client that pipelines requests, and perhaps something broken
// behind them.
func (o *once) addClient(name string) {
	w := o.w
	c := &onceClient{w: w, id: len(o.clients)}
	o.clients = append(o.clients, c)
	ops := []op{rest(time.Second), dial(httpPort)}
	var out []byte
	for range 1 + w.rng.IntN(8) {
		out = append(out, c.request()...)
		if w.rng.IntN(4) == 0 {
			ops, out = append(ops, send(out), rest(time.Second)), nil
		}
	}
	if c.tail = w.rng.IntN(3) == 0; c.tail {
		n := len(c.methods)
		out = append(out, w.mutated(c.request())...)
		c.methods = c.methods[:n]
	}
	ops = append(ops, send(out))
	if !c.tail && w.rng.IntN(2) == 0 {
		ops = append(ops, await("the answers", func(p *peer) bool { n, _ := c.answers(); return n == len(c.methods) }))
	}
	ops = append(ops, closeWrite(), ended())
	c.p = w.add(name, ops...)
	if w.rng.IntN(6) == 0 { // one that goes in the middle gets what it gets
		w.spoils, c.p.spoilt = true, true
		w.spoil(c.p, 2)
		w.spoils = false
	}
	w.checks = append(w.checks, c.check)
}

// request is the next one.
func (c *onceClient) request() []byte {
	w := c.w
	method := [...]string{"GET", "HEAD", "POST", "PUT", "BREW"}[w.rng.IntN(5)]
	x := exchange{method: method, path: "/" + w.text(1+w.rng.IntN(9)), version: "1.1", fields: fmt.Sprintf("X-Client: %d\r\nX-Number: %d\r\n", c.id, len(c.methods))}
	if method[0] == 'P' {
		x.body, x.chunked = w.text(1+w.rng.IntN(2000)), w.rng.IntN(2) == 0
	}
	c.methods = append(c.methods, method)
	head, body := x.wire(w)
	return append(head, body...)
}

// mutated is b with a few bytes that are others, more, or missing.
func (w *world) mutated(b []byte) []byte {
	for range 1 + w.rng.IntN(3) {
		i := w.rng.IntN(len(b))
		other := "\r\n\x00 :;0aZ\xff"[w.rng.IntN(10)]
		switch w.rng.IntN(3) {
		case 0:
			b[i] = other
		case 1:
			b = append(b[:i:i], append([]byte{other}, b[i:]...)...)
		default:
			b = append(b[:i:i], b[i+1:]...)
		}
		if len(b) == 0 {
			b = []byte("x")
		}
	}
	return b
}

// answers reads what has come: how many answers are complete, and what is wrong with
// them.
func (c *onceClient) answers() (complete int, wrong string) {
	got := bytes.NewReader(c.p.got)
	b := bufio.NewReader(got)
	for i := 0; ; {
		method := "GET"
		if i < len(c.methods) {
			method = c.methods[i]
		}
		rest := c.p.got[len(c.p.got)-got.Len()-b.Buffered():]
		if !bytes.Contains(rest, []byte("\r\n\r\n")) {
			return i, "" // cut off in a head, or the end
		}
		r, err := http.ReadResponse(b, &http.Request{Method: method})
		if err != nil {
			return i, fmt.Sprintf("answer %d: %v", i, err)
		}
		_, err = io.Copy(io.Discard, r.Body)
		if err != nil {
			return i, ""
		}
		if r.StatusCode < 200 {
			continue
		}
		if n := r.Header.Get("X-Number"); n != "" && n != fmt.Sprint(i) && i < len(c.methods) {
			return i, fmt.Sprintf("answer %d is to request %s", i, n)
		}
		i++
		if _, err := b.Peek(1); err == nil && r.Close {
			return i, "something is behind the last answer"
		}
	}
}

func (c *onceClient) check() {
	if c.p.end == nil {
		return
	}
	n, wrong := c.answers()
	switch {
	case wrong != "":
		c.w.failf("%s: %s in %.2000q", c.p.name, wrong, c.p.got)
	case n > len(c.methods) && !c.tail:
		c.w.failf("%s: %d answers to %d requests: %.2000q", c.p.name, n, len(c.methods), c.p.got)
	case n < len(c.methods) && !c.p.end.Over() && !c.p.spoilt:
		c.w.failf("%s: %d answers to %d requests, and the connection is open: %.2000q", c.p.name, n, len(c.methods), c.p.got)
	case n < len(c.methods) && !c.p.spoilt && !c.closed && !c.tail:
		c.w.failf("%s: %d answers to %d requests, though nothing was to close: %.2000q", c.p.name, n, len(c.methods), c.p.got)
	}
}

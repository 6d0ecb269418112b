package engine

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// answer is the program's state of a request.
type answer struct {
	manner manner
	body   []byte // of the request
	left   []byte // of the response's body
	length int64  // it has announced
}

// manner is how the program answers. What comes of it is the same.
type manner int

const (
	respondNow manner = iota
	writeSized
	writeChunks // as the session becomes writeable
	answerInTimer
	answerByPost
	answerRaw
	writeInTimer
	answerInWriteable
	writeByHandle
	manners
)

// serveHTTP answers every request with its method, path and body, unless the path
// asks for something else.
func (w *world) serveHTTP(s callbacks.Session, why callbacks.Reason, in []byte) error {
	switch why {
	case callbacks.FilterHTTPConnection:
		return refuseIf(string(in) == "/forbidden")
	case callbacks.CheckAccessRights:
		return refuseIf(string(in) == "/private")
	case callbacks.HTTPBindProtocol:
		w.answers[s.ID()] = &answer{manner: manner(w.rng.IntN(int(manners)))}
	case callbacks.HTTPDropProtocol:
		delete(w.answers, s.ID())
	case callbacks.HTTP:
		return w.requested(s)
	case callbacks.HTTPBody:
		st := w.answers[s.ID()]
		st.body = append(st.body, in...)
	case callbacks.HTTPBodyCompletion:
		return w.answer(s)
	case callbacks.HTTPWriteable, callbacks.Timer:
		return w.answerMore(s)
	}
	return nil
}

func refuseIf(refuse bool) error {
	if refuse {
		return errProgram
	}
	return nil
}

func (w *world) requested(s callbacks.Session) error {
	r := s.Request()
	switch string(r.Path()) {
	case "/404":
		return nil
	case "/418":
		return http1.NewError(418, "a teapot")
	case "/fail":
		return errProgram
	case "/panic":
		panic("as requested")
	case "/close":
		return errors.Join(s.Respond(200, "", []byte("closing")), callbacks.ErrClose)
	case "/early":
		return s.Respond(200, "text/plain", []byte("early"))
	}
	if r.Framing().Empty() && !expectsCompletion(r) {
		return w.answer(s)
	}
	return nil
}

// answer begins to answer in the manner of the day.
func (w *world) answer(s callbacks.Session) error {
	st := w.answers[s.ID()]
	if p := s.Request().Path(); string(p) == "/404" {
		return nil
	}
	st.left = append([]byte(string(s.Request().Method())+" "+string(s.Request().Path())+" "), st.body...)
	st.length = int64(len(st.left))
	switch st.manner {
	case writeSized:
		return errors.Join(s.StartResponse(200, "text/plain", st.length), w.writeAll(s, st))
	case writeChunks:
		s.RequestWriteable()
		return s.StartResponse(200, "text/plain", -1)
	case writeInTimer:
		s.SetTimer(w.soon())
		return s.StartResponse(200, "text/plain", st.length)
	case answerInTimer:
		s.Hold()
		s.SetTimer(w.soon())
		return nil
	case answerInWriteable:
		s.Hold()
		return s.Handle().RequestWriteable()
	case answerByPost:
		s.Hold()
		return s.Handle().Post(func(s callbacks.Session) error { return w.answerMore(s) })
	case answerRaw:
		return w.answerRaw(s, st)
	case writeByHandle:
		return w.answerByHandle(s, st)
	}
	return s.Respond(200, "text/plain", st.left)
}

func (w *world) soon() time.Duration { return time.Duration(w.rng.IntN(500)) * time.Millisecond }

// writeAll sends the body in pieces.
func (w *world) writeAll(s callbacks.Session, st *answer) error {
	for len(st.left) > 0 {
		if err := s.Write(w.cut1(st), callbacks.WriteHTTP); err != nil {
			return err
		}
	}
	return nil
}

// cut1 takes a piece off what is left to send; the last one ends a body of a
// known length.
func (w *world) cut1(st *answer) []byte {
	b := st.left[:1+w.rng.IntN(len(st.left))]
	st.left = st.left[len(b):]
	return b
}

// answerMore goes on when the time has come.
func (w *world) answerMore(s callbacks.Session) error {
	st := w.answers[s.ID()]
	if st == nil || len(st.left) == 0 {
		return nil
	}
	switch st.manner {
	case answerInTimer, answerByPost, answerInWriteable:
		b := st.left
		st.left = nil
		return s.Respond(200, "text/plain", b)
	case writeInTimer:
		defer s.SetTimer(w.soon())
		return s.Write(w.cut1(st), callbacks.WriteHTTP)
	case writeChunks:
		b, kind := w.cut1(st), callbacks.WriteHTTP
		if len(st.left) == 0 {
			kind = callbacks.WriteHTTPFinal
		}
		s.RequestWriteable()
		return s.Write(b, kind)
	}
	return nil
}

// answerRaw writes a response that the program made itself.
func (w *world) answerRaw(s callbacks.Session, st *answer) error {
	b := http1.AppendContentLength([]byte("HTTP/1.1 200 OK\r\n"), st.length)
	st.left = append(http1.AppendEnd(b), st.left...)
	return w.writeAll(s, st)
}

// answerByHandle answers as another goroutine would.
func (w *world) answerByHandle(s callbacks.Session, st *answer) error {
	s.Hold()
	h := s.Handle()
	b, length := bytes.Clone(st.left), st.length
	err := h.Post(func(s callbacks.Session) error { return s.StartResponse(200, "text/plain", length) })
	n := w.rng.IntN(len(b))
	return errors.Join(err, h.Write(b[:n], callbacks.WriteHTTP), h.Write(b[n:], callbacks.WriteHTTPFinal))
}

// exchange is a request and what must come of it.
type exchange struct {
	method, path string
	version      string
	fields       string
	body         string
	chunked      bool
	expect       bool // the client waits for 100 before the body
	raw          string
	status       int
	answer       string
	closes       bool // nothing comes after it
}

// wire is the request as it is sent: the head, and the body.
func (x *exchange) wire(w *world) (head, body []byte) {
	if x.raw != "" {
		return []byte(x.raw), nil
	}
	h := x.method + " " + x.path + " HTTP/" + x.version + "\r\nHost: sim\r\n" + x.fields
	switch {
	case x.chunked:
		h += "Transfer-Encoding: chunked\r\n"
		for rest := x.body; rest != ""; {
			n := 1 + w.rng.IntN(len(rest))
			body = http1.AppendChunk(body, []byte(rest[:n]))
			rest = rest[n:]
		}
		body = http1.AppendLastChunk(body)
	case x.body != "" || x.method == "POST":
		h = string(http1.AppendContentLength([]byte(h), int64(len(x.body))))
		body = []byte(x.body)
	}
	if x.expect {
		h += "Expect: 100-continue\r\n"
	}
	return []byte(h + "\r\n"), body
}

// newExchange makes a request that ends well.
func (w *world) newExchange() exchange {
	x := exchange{method: "GET", path: "/" + w.text(1+w.rng.IntN(9)), version: "1.1", status: 200}
	switch w.rng.IntN(8) {
	case 0:
		x.method = "HEAD"
	case 1, 2, 3:
		x.method = [...]string{"POST", "PUT", "DELETE"}[w.rng.IntN(3)]
		x.body = w.text(w.size())
		x.chunked = w.rng.IntN(2) == 0
		x.expect = w.rng.IntN(4) == 0 && x.body != ""
	}
	x.answer = x.method + " " + x.path + " " + x.body
	return w.twist(x)
}

// twist asks for something else now and then.
func (w *world) twist(x exchange) exchange {
	text := func(status int) (int, string) { return status, http1.StatusText(status) + "\n" }
	switch w.rng.IntN(24) {
	case 0:
		x.path = "/404"
		x.status, x.answer = text(404)
		if x.body != "" || x.chunked || strings.HasPrefix(x.method, "P") {
			x.status, x.answer = text(500)
		}
	case 1:
		x.path, x.expect, x.answer = "/early", false, "early"
	case 2:
		x.path, x.expect = "/moved/on", false
		x.status, x.answer = 302, ""
	case 3:
		x.fields, x.closes = "Connection: close\r\n", true
	case 4:
		if !x.chunked {
			x.version, x.closes = "1.0", true
			x.expect = false
		}
	}
	return x
}

// fatalExchange makes a request after which the connection closes.
func (w *world) fatalExchange() exchange {
	bad := [...]exchange{
		{path: "/418", status: 418, answer: "418\n"}, {path: "/fail", status: 500}, {path: "/panic", status: 500},
		{path: "/forbidden", status: 403}, {path: "/private", status: 401},
		{path: "/close", status: 200, answer: "closing"},
		{raw: "GET / HTTP/1.1\r\n\r\n", status: 400}, {raw: "nonsense\r\n\r\n", status: 400},
		{raw: "GET / HTTP/2.0\r\nHost: sim\r\n\r\n", status: 505},
		{raw: "GET / HTTP/1.1\r\nHost: sim\r\nHost: sim\r\n\r\n", status: 400},
		{raw: "GET /" + w.text(9000) + " HTTP/1.1\r\nHost: sim\r\n\r\n", status: 414},
		{raw: "POST /x HTTP/1.1\r\nHost: sim\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", status: 400},
		{raw: "POST /x HTTP/1.1\r\nHost: sim\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", status: 400},
		{raw: "POST /x HTTP/1.1\r\nHost: sim\r\nContent-Length: 99999999\r\n\r\n", status: 413},
		{raw: "GET /ws HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", status: 426},
	}
	x := bad[w.rng.IntN(len(bad))]
	x.closes = true
	if x.answer == "" {
		x.answer = http1.StatusText(x.status) + "\n"
	}
	if x.raw == "" {
		x.method, x.version = "GET", "1.1"
	}
	return x
}

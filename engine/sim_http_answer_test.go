package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/internal/simnet"
)

// asked sends requests in one piece and FIN behind them, and returns what came back,
// without the Dates.
func asked(t *testing.T, over transport, program callbacks.Callback, requests string) string {
	t.Helper()
	p := script{program: program, ops: []op{sendNow(requests), closeWrite(), ended()}}.play(t, over)
	return dates.ReplaceAllString(string(p.got), "Date: -")
}

// onHTTP is a program that does f with each request.
func onHTTP(f func(s callbacks.Session) error) callbacks.Callback {
	return func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
		if why == callbacks.HTTP {
			return f(s)
		}
		return nil
	}
}

// raw writes a response in pieces.
func rawly(pieces ...string) func(s callbacks.Session) error {
	return func(s callbacks.Session) error {
		for _, p := range pieces {
			if err := s.Write([]byte(p), callbacks.WriteHTTP); err != nil {
				return err
			}
		}
		return nil
	}
}

// body starts a response and writes body in two pieces, as far as it is let.
func streamed(status int, length int64, body string) func(s callbacks.Session) error {
	return func(s callbacks.Session) error {
		err := s.StartResponse(status, "text/plain", length)
		if err == nil && s.Write([]byte(body[:1]), callbacks.WriteHTTP) == nil {
			err = s.Write([]byte(body[1:]), callbacks.WriteHTTPFinal)
		}
		return err
	}
}

// TestResponsesWithoutABody holds every way of answering to RFC 9110 9.3.2 and 15: the
// head is that of the answer to GET, nothing follows it, and the next answer is whole.
func TestResponsesWithoutABody(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nDate: -\r\nContent-Type: text/plain\r\n"
	respond := func(status int) func(s callbacks.Session) error {
		return func(s callbacks.Session) error { return s.Respond(status, "text/plain", []byte("body")) }
	}
	of := func(status int) string {
		return fmt.Sprintf("HTTP/1.1 %d %s\r\nDate: -\r\nContent-Type: text/plain\r\n", status, http1.StatusText(status))
	}
	overBoth(t, func(t *testing.T, over transport) {
		for name, c := range map[string]struct {
			method string
			answer func(s callbacks.Session) error
			want   string
		}{
			"HEAD, at once":               {"HEAD", respond(200), head + "Content-Length: 4\r\n\r\n"},
			"HEAD, an error":              {"HEAD", respond(404), of(404) + "Content-Length: 4\r\n\r\n"},
			"HEAD, streamed":              {"HEAD", streamed(200, 4, "body"), head + "Content-Length: 4\r\n\r\n"},
			"HEAD, chunked":               {"HEAD", streamed(200, -1, "body"), head + "Transfer-Encoding: chunked\r\n\r\n"},
			"HEAD, raw":                   {"HEAD", rawly("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo", "dy"), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"},
			"204, at once":                {"GET", respond(204), of(204) + "\r\n"},
			"204, streamed":               {"GET", streamed(204, 4, "body"), of(204) + "\r\n"},
			"204, of no length":           {"GET", streamed(204, -1, "body"), of(204) + "\r\n"},
			"204 to POST":                 {"POST", respond(204), of(204) + "\r\n"},
			"205, at once":                {"GET", respond(205), of(205) + "Content-Length: 0\r\n\r\n"},
			"205, streamed":               {"GET", streamed(205, 4, "body"), of(205) + "Content-Length: 0\r\n\r\n"},
			"304, at once":                {"GET", respond(304), of(304) + "Content-Length: 4\r\n\r\n"},
			"304, streamed":               {"GET", streamed(304, 4, "body"), of(304) + "Content-Length: 4\r\n\r\n"},
			"304, of no length":           {"GET", streamed(304, -1, "body"), of(304) + "\r\n"},
			"304, raw":                    {"GET", rawly("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n"), "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n"},
			"204, raw and without a CRLF": {"GET", rawly("HTTP/1.1 204 No Content\r\n", "\r\n"), "HTTP/1.1 204 No Content\r\n\r\n"},
			"nobody answers HEAD":         {"HEAD", func(callbacks.Session) error { return nil }, of(404) + "Content-Length: 10\r\n\r\n"},
		} {
			t.Run(name, func(t *testing.T) {
				first := true
				program := onHTTP(func(s callbacks.Session) error {
					if first {
						first = false
						return c.answer(s)
					}
					return s.Respond(200, "", []byte("next"))
				})
				request := c.method + " / HTTP/1.1\r\nHost: sim\r\n\r\n"
				got := asked(t, over, program, request+getRequest)
				if want := c.want + "HTTP/1.1 200 OK\r\nDate: -\r\nContent-Length: 4\r\n\r\nnext"; got != want {
					t.Errorf("got  %q\nwant %q", got, want)
				}
			})
		}
	})
}

// TestRawResponsesInAnyPieces cuts responses of a program's own at every offset: what is
// sent is the response, and a second answer is refused wherever it comes.
func TestRawResponsesInAnyPieces(t *testing.T) {
	const early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
	overBoth(t, func(t *testing.T, over transport) {
		for name, c := range map[string]struct{ send, want string }{
			"with a length":       {"HTTP/1.1 200 Fine\r\nContent-Length: 4\r\n\r\nbody", ""},
			"in chunks":           {"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX: y\r\n\r\n", ""},
			"behind interim ones": {early + early + "HTTP/1.1 200 Fine\r\nContent-Length: 4\r\n\r\nbody", ""},
			"behind a 100 that nobody waits for": {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nContent-Length: 4\r\n\r\nbody",
				"HTTP/1.1 200 Fine\r\nContent-Length: 4\r\n\r\nbody"},
		} {
			if c.want == "" {
				c.want = c.send
			}
			for i := 1; i <= len(c.send); i++ {
				got := asked(t, over, onHTTP(func(s callbacks.Session) error {
					if err := rawly(c.send[:i])(s); err != nil {
						return err
					}
					second := errors.Join(alreadyAnswered(s.Respond(200, "", nil)), alreadyAnswered(s.StartResponse(200, "", 1)), alreadyAnswered(s.AddHeader("A", "b")))
					if i == len(c.send) {
						second = errors.Join(second, alreadyAnswered(s.Write([]byte("x"), callbacks.WriteHTTP)))
					} else {
						second = errors.Join(second, rawly(c.send[i:])(s))
					}
					if second != nil {
						t.Errorf("%s: cut at %d: %v", name, i, second)
					}
					return nil
				}), getRequest)
				if got != c.want {
					t.Fatalf("%s: cut at %d: got %q", name, i, got)
				}
			}
		}
	})
}

// alreadyAnswered is nil if err is ErrAnswered.
func alreadyAnswered(err error) error {
	if err != callbacks.ErrAnswered {
		return fmt.Errorf("a second answer: %v", err)
	}
	return nil
}

// TestRawResponsesThatAreNone: what a program writes and is no response of its own is an
// error before anything of it is sent, and the request is answered all the same.
func TestRawResponsesThatAreNone(t *testing.T) {
	const sorry = "HTTP/1.1 500 Internal Server Error\r\nDate: -\r\nContent-Type: text/plain\r\nContent-Length: 22\r\nConnection: close\r\n\r\nInternal Server Error\n"
	overBoth(t, func(t *testing.T, over transport) {
		for name, answer := range map[string]func(s callbacks.Session) error{
			"no status line":           rawly("hello\r\n\r\n"),
			"two lengths":              rawly("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
			"a switch of protocols":    rawly("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
			"half a head and an error": func(s callbacks.Session) error { return errors.Join(rawly("HTTP/1.1 200 OK\r\nConte")(s), errProgram) },
			"half a head and a panic":  func(s callbacks.Session) error { _ = rawly("HTTP/1.1 200 OK\r\nConte")(s); panic("as the test wants") },
		} {
			t.Run(name, func(t *testing.T) {
				if got := asked(t, over, onHTTP(answer), getRequest); got != sorry {
					t.Errorf("got %q", got)
				}
			})
		}
	})
}

// TestInterimResponses come in front of the answer, and not to HTTP/1.0.
func TestInterimResponses(t *testing.T) {
	program := onHTTP(func(s callbacks.Session) error {
		for _, bad := range []error{s.Interim(101), s.Interim(200), s.Interim(99), s.Interim(103, http1.Field{Name: "A b", Value: "c"}),
			s.Interim(103, http1.Field{Name: "Content-Length", Value: "3"}), s.Interim(103, http1.Field{Name: "A", Value: "b\r\nC: d"})} {
			if bad == nil {
				return errors.New("a bad interim response was taken")
			}
		}
		err := errors.Join(s.Interim(102), s.Interim(100), s.Interim(103, http1.Field{Name: "Link", Value: "</a.css>"}, http1.Field{Name: "Link", Value: "</b.js>"}))
		if err != nil || s.Answered() {
			return fmt.Errorf("answered %v, %w", s.Answered(), err)
		}
		return errors.Join(s.Respond(200, "", nil), alreadyAnswered(s.Interim(103)))
	})
	const final = "HTTP/1.1 200 OK\r\nDate: -\r\nContent-Length: 0\r\n"
	overBoth(t, func(t *testing.T, over transport) {
		want := "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nLink: </b.js>\r\n\r\n" + final + "\r\n"
		if got := asked(t, over, program, getRequest); got != want {
			t.Errorf("got %q", got)
		}
		if got := asked(t, over, program, "GET / HTTP/1.0\r\n\r\n"); got != final+"Connection: close\r\n\r\n" {
			t.Errorf("HTTP/1.0 got %q", got)
		}
		early := onHTTP(rawly("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n"))
		if got := asked(t, over, early, "GET / HTTP/1.0\r\n\r\n"); got != "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n" {
			t.Errorf("HTTP/1.0 got, of a raw response, %q", got)
		}
	})
}

// TestContinueComesOnce holds the engine to RFC 9110 10.1.1: a client that waits for 100
// hears it once, when its body is wanted, and never behind the answer.
func TestContinueComesOnce(t *testing.T) {
	nothing := func(callbacks.Session) error { return nil }
	respond := func(s callbacks.Session) error { return s.Respond(200, "", nil) }
	const hundred, head = "HTTP/1.1 100 Continue\r\n\r\n", "POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 4\r\n"
	for name, c := range map[string]struct {
		first, last func(s callbacks.Session) error // in HTTP and in HTTPBodyCompletion
		want        int                             // how many
		refused     bool                            // the connection closes without the body
	}{
		"by default":               {nothing, respond, 1, false},
		"held":                     {func(s callbacks.Session) error { s.Hold(); return nil }, respond, 1, false},
		"asked for":                {func(s callbacks.Session) error { return s.Interim(100) }, respond, 1, false},
		"asked for twice":          {func(s callbacks.Session) error { return errors.Join(s.Interim(100), s.Interim(100)) }, respond, 1, false},
		"behind another interim":   {func(s callbacks.Session) error { return s.Interim(103) }, respond, 1, false},
		"the program's own":        {rawly(hundred), rawly("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 1, false},
		"a streamed answer":        {streamed(200, 4, "body"), nothing, 1, false},
		"a raw streamed answer":    {rawly("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), nothing, 1, false},
		"refused":                  {func(s callbacks.Session) error { return s.Respond(413, "", nil) }, nothing, 0, true},
		"refused with a stream":    {streamed(413, -1, "body"), nothing, 0, true},
		"refused raw":              {rawly("HTTP/1.1 413 No\r\nContent-Length: 1\r\n\r\nx"), nothing, 0, true},
		"refused by an error":      {func(callbacks.Session) error { return errProgram }, nothing, 0, true},
		"answered without a body":  {func(s callbacks.Session) error { return s.StartResponse(200, "", 0) }, nothing, 0, true},
		"refused, and later ended": {func(s callbacks.Session) error { s.RequestWriteable(); return s.StartResponse(403, "", 1) }, nothing, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, over transport) {
				got := waits(t, over, c.first, c.last, head)
				if n := strings.Count(got, " 100 Continue"); n != c.want || n > 0 && strings.LastIndex(got, " 100 Continue") > strings.Index(got, "200 OK") {
					t.Errorf("%d times 100 in %q", n, got)
				}
				if answers := strings.Count(got, "HTTP/1.1 "+map[bool]string{true: "4", false: "2"}[c.refused]); c.refused && name != "refused by an error" &&
					name != "answered without a body" && answers != 1 {
					t.Errorf("%d answers in %q", answers, got)
				}
				if next := strings.Contains(got, "\r\n\r\nnext"); next == c.refused {
					t.Errorf("the next request was answered: %v; %q", next, got)
				}
			})
		})
	}
}

// waits is a client that sends its body once it has heard 100, and then another request.
func waits(t *testing.T, over transport, first, last func(callbacks.Session) error, head string) string {
	t.Helper()
	begun := false
	program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
		switch {
		case why == callbacks.HTTP && begun:
			return s.Respond(200, "", []byte("next"))
		case why == callbacks.HTTP:
			begun = true
			return first(s)
		case why == callbacks.HTTPWriteable:
			return s.Write([]byte("x"), callbacks.WriteHTTP)
		case why == callbacks.HTTPBodyCompletion:
			return last(s)
		}
		return nil
	}
	heard := func(p *peer) bool { return strings.Contains(string(p.got), " 100 Continue") }
	p := script{program: program, ops: []op{sendNow(head + "Expect: 100-continue\r\n\r\n"), await("100", heard),
		func(p *peer) (next simnet.Next, done bool) {
			if !heard(p) {
				return next, true
			}
			return sendNow("body" + getRequest)(p)
		}, closeWrite(), ended()}}.play(t, over)
	if p.end.Broken() {
		t.Errorf("reset")
	}
	return string(p.got)
}

// TestTrailers go behind a chunked body, and come from behind one.
func TestTrailers(t *testing.T) {
	chunked := "POST / HTTP/1.1\r\nHost: sim\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\nX-Sum: 43\r\n\r\n"
	overBoth(t, func(t *testing.T, over transport) {
		for name, c := range map[string]struct {
			length  int64
			version string
			want    string // behind the head
		}{
			"chunked":      {-1, "1.1", "4\r\nbody\r\n0\r\nX-A: b\r\nX-A: c\r\n\r\n"},
			"of a length":  {4, "1.1", "body"},
			"for HTTP/1.0": {-1, "1.0", "body"},
		} {
			program := onHTTP(func(s callbacks.Session) error {
				for _, bad := range []error{s.AddTrailer("Content-Length", "3"), s.AddTrailer("Transfer-Encoding", "x"), s.AddTrailer("Host", "x"),
					s.AddTrailer("A b", "c"), s.AddTrailer("A", "b\r\n")} {
					if bad != callbacks.ErrHeader {
						t.Errorf("%s: a field that is no trailer: %v", name, bad)
					}
				}
				err := errors.Join(s.AddHeader("Trailer", "X-A"), s.StartResponse(200, "", c.length), s.AddTrailer("X-A", "b"))
				if c.length < 0 {
					err = errors.Join(err, s.Write([]byte("body"), callbacks.WriteHTTP), s.AddTrailer("X-A", "c"), s.Write(nil, callbacks.WriteHTTPFinal))
				} else {
					err = errors.Join(err, s.Write([]byte("body"), callbacks.WriteHTTPFinal))
				}
				return errors.Join(err, alreadyAnswered(s.AddTrailer("X-A", "d")))
			})
			got := asked(t, over, program, "GET / HTTP/"+c.version+"\r\nHost: sim\r\n\r\n")
			head, body, _ := strings.Cut(got, "\r\n\r\n")
			if body != c.want || !strings.Contains(head, "\r\nTrailer: X-A") {
				t.Errorf("%s: got %q", name, got)
			}
		}
		sums := ""
		program := func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
			switch why {
			case callbacks.HTTP, callbacks.HTTPBody:
				if s.Trailer() != nil {
					t.Errorf("trailers in %v", why)
				}
			case callbacks.HTTPBodyCompletion:
				s.Hold()
				s.SetTimer(time.Second)
			case callbacks.Timer:
				if tr := s.Trailer(); tr != nil {
					for i := range tr.Len() {
						n, v := tr.At(i)
						sums += string(n) + "=" + string(v) + " "
					}
				}
				return s.Respond(200, "", nil)
			}
			return nil
		}
		asked(t, over, program, chunked+chunked+"POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 1\r\n\r\nx")
		if sums != "X-Sum=42 X-Sum=43 X-Sum=42 X-Sum=43 " {
			t.Errorf("trailers %q", sums)
		}
	})
}

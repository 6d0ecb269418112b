package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// echoHTTP answers with method, path and body.
func echoHTTP(s callbacks.Session, r callbacks.Reason, in []byte) error {
	q := s.Request()
	switch r {
	case callbacks.HTTP:
		if q.Framing().Empty() && string(q.Method()) != "POST" {
			return s.Respond(200, "text/plain", []byte(string(q.Method())+" "+string(in)))
		}
	case callbacks.HTTPBody:
		body, _ := s.UserData().(string)
		s.SetUserData(body + string(in))
	case callbacks.HTTPBodyCompletion:
		body, _ := s.UserData().(string)
		s.SetUserData(nil)
		return s.Respond(200, "text/plain", []byte(string(q.Method())+" "+string(q.Path())+" "+body))
	}
	return nil
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n" }

// TestBadRequests holds the server to RFC 9110 and 9112: each of these is refused
// with its status and a close, and answered once.
func TestBadRequests(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Vhosts: vhost(callbacks.Protocol{Callback: echoHTTP})})
	for name, c := range map[string]struct {
		status int
		send   string
	}{
		"Content-Length with Transfer-Encoding": {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		"two Content-Lengths":                   {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
		"equal Content-Lengths":                 {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
		"Content-Length with a sign":            {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"},
		"Content-Length with letters":           {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5abc\r\n\r\nhello"},
		"negative Content-Length":               {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello"},
		"unknown transfer coding":               {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
		"chunked is not last":                   {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
		"no Host":                               {400, "GET / HTTP/1.1\r\n\r\n"},
		"two Hosts":                             {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
		"bare line feeds":                       {400, "GET / HTTP/1.1\nHost: a\n\n"},
		"space before the colon":                {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
		"folded line":                           {400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"},
		"NUL in a value":                        {400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\x00c\r\n\r\n"},
		"HTTP/2.5":                              {505, "GET / HTTP/2.5\r\nHost: a\r\n\r\n"},
		"a TLS ClientHello":                     {400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
		"long head":                             {431, "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 17<<10)},
		"long target":                           {414, "GET /" + strings.Repeat("x", 9<<10)},
		"many fields":                           {431, "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 200) + "\r\n"},
		"unknown expectation":                   {417, "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n"},
		"bad chunk size":                        {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
		"bare line feed behind a chunk size":    {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n"},
		"body over the limit":                   {413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"},
		"an absolute target without a host":     {400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := v.dial(t).send(get("/first"), c.send)
			p.want(200, "GET /first")
			r, _ := p.response("GET")
			if r.StatusCode != c.status || !r.Close {
				t.Fatalf("got %s, close %v; want %d and a close", r.Status, r.Close, c.status)
			}
			p.wantEOF()
		})
	}
}

func TestGoodRequests(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Vhosts: vhost(callbacks.Protocol{Callback: echoHTTP})})
	p := v.dial(t)
	for _, c := range [][2]string{
		{get("/a/b?c=d"), "GET /a/b"},
		{"GET http://test/x HTTP/1.1\r\nHost: test\r\n\r\n", "GET /x"},
		{"OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n", "OPTIONS *"},
		{"BREW /pot HTTP/1.1\r\nHost: test\r\n\r\n", "BREW /pot"},
		{"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello", "POST / hello"},
		{"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n", "POST / "},
		{"POST / HTTP/1.1\r\nHost: test\r\n\r\n", "POST / "},
		{"DELETE / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n", "DELETE /"},
		{"PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: t\r\n\r\n", "PUT / abcde"},
		{"GET /upgrade HTTP/1.1\r\nHost: test\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n", "GET /upgrade"},
		{"\r\nGET /blank HTTP/1.1\r\nHost: test\r\n\r\n", "GET /blank"},
		{"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /old"},
	} {
		p.send(c[0]).want(200, c[1])
	}
	p.send("GET /last HTTP/1.0\r\n\r\n").want(200, "GET /last")
	p.wantEOF()
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	v := serve(t, echoHTTP)
	p := v.dial(t).send(get("/1") + "POST /2 HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx" + get("/3"))
	p.want(200, "GET /1")
	p.want(200, "POST /2 x")
	p.want(200, "GET /3")
}

// TestAnswersMayComeLater holds the first of three pipelined requests until it is
// answered from a timer, a Writeable callback, or another goroutine.
func TestAnswersMayComeLater(t *testing.T) {
	answer := func(s callbacks.Session) error { return s.Respond(200, "", []byte("later")) }
	for name, hold := range map[string]func(s callbacks.Session){
		"timer":     func(s callbacks.Session) { s.SetTimer(time.Millisecond) },
		"writeable": func(s callbacks.Session) { s.RequestWriteable() },
		"handle":    func(s callbacks.Session) { h := s.Handle(); go func() { _ = h.Post(answer) }() },
	} {
		t.Run(name, func(t *testing.T) {
			v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				switch {
				case r == callbacks.HTTP && string(in) == "/hold":
					s.Hold()
					hold(s)
				case r == callbacks.Timer || r == callbacks.HTTPWriteable:
					return answer(s)
				case r == callbacks.HTTP:
					return s.Respond(200, "", in)
				}
				return nil
			})
			p := v.dial(t).send(get("/hold") + get("/2") + get("/hold") + get("/4"))
			for _, want := range []string{"later", "/2", "later", "/4"} {
				p.want(200, want)
			}
		})
	}
}

// TestClientWhoLeavesIsNoticed: also while its answer is being waited for.
func TestClientWhoLeavesIsNoticed(t *testing.T) {
	held, gone := make(chan struct{}), make(chan error, 1)
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTP:
			s.Hold()
			close(held)
		case callbacks.ClosedHTTP:
			gone <- s.Err()
		}
		return nil
	})
	p := v.dial(t).send(get("/"))
	<-held
	_ = p.Conn.(wire).SetLinger(0)
	p.Close()
	if err := <-gone; err == nil {
		t.Error("a reset is no error")
	}
}

func TestUnansweredRequests(t *testing.T) {
	v := serve(t, func(callbacks.Session, callbacks.Reason, []byte) error { return nil })
	p := v.dial(t).send(get("/"))
	p.want(404, "Not Found\n")
	p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").want(500, "Internal Server Error\n")
	p.send(get("/")).want(404, "Not Found\n")
}

func TestErrorsChooseTheAnswer(t *testing.T) {
	errs := map[string]error{
		"/teapot": http1.NewError(418, "short and stout"),
		"/odd":    errors.New("odd"),
		"/close":  callbacks.ErrClose,
	}
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r != callbacks.HTTP {
			return nil
		}
		if string(in) == "/panic" {
			panic("boom")
		}
		return errs[string(in)]
	})
	for path, status := range map[string]int{"/teapot": 418, "/odd": 500, "/panic": 500} {
		p := v.dial(t).send(get(path))
		if r, _ := p.response("GET"); r.StatusCode != status || !r.Close {
			t.Errorf("%s: %s, close %v", path, r.Status, r.Close)
		}
		p.wantEOF()
	}
	v.dial(t).send(get("/close")).wantEOF()
}

func TestExpectContinue(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP && string(in) == "/no" {
			return s.Respond(413, "", nil)
		}
		return echoHTTP(s, r, in)
	})
	head := " HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
	p := v.dial(t).send("POST /yes" + head)
	if r, _ := p.response("POST"); r.StatusCode != 100 {
		t.Fatalf("first came %s", r.Status)
	}
	p.send("hello").want(200, "POST /yes hello")
	p.send("POST /no" + head)
	if r, _ := p.response("POST"); r.StatusCode != 413 || !r.Close {
		t.Fatalf("%s, close %v: the client will not send the body, so the connection cannot go on", r.Status, r.Close)
	}
	p.wantEOF()
}

func TestHeadHasNoBody(t *testing.T) {
	v := serve(t, echoHTTP)
	p := v.dial(t).send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")
	r, body := p.response("HEAD")
	if r.ContentLength != int64(len("HEAD /x")) || body != "" {
		t.Fatalf("length %d, body %q", r.ContentLength, body)
	}
	p.send(get("/y")).want(200, "GET /y")
}

func TestResponseHeader(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, ServerString: "penstock", Vhosts: vhost(callbacks.Protocol{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r != callbacks.HTTP {
				return nil
			}
			for name, value := range map[string]string{"Content-Length": "1", "Transfer-Encoding": "x", "Bad Name": "x", "X-Bad": "a\r\nb"} {
				if err := s.AddHeader(name, value); err != callbacks.ErrHeader {
					t.Errorf("AddHeader(%q, %q) = %v", name, value, err)
				}
			}
			if err := s.AddHeader("Set-Cookie", "a=b"); err != nil {
				return err
			}
			return s.Respond(204, "", nil)
		},
	})})
	p := v.dial(t).send(get("/"))
	r, _ := p.response("GET")
	if r.StatusCode != 204 || r.Header.Get("Set-Cookie") != "a=b" || r.Header.Get("Server") != "penstock" || r.Header.Get("Content-Length") != "" {
		t.Fatalf("%s %v", r.Status, r.Header)
	}
	if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", r.Header.Get("Date")); err != nil {
		t.Error(err)
	}
	if r, _ := p.send(get("/")).response("GET"); len(r.Header.Values("Set-Cookie")) != 1 {
		t.Errorf("fields stay for the next response: %v", r.Header)
	}
}

// TestStreamedResponses sends a body in pieces: with a length, chunked, and ended
// by closing for HTTP/1.0.
func TestStreamedResponses(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTP:
			length := int64(-1)
			if string(in) == "/counted" {
				length = 6
			}
			s.RequestWriteable()
			return s.StartResponse(200, "text/plain", length)
		case callbacks.HTTPWriteable:
			if s.UserData() == nil {
				s.SetUserData(1)
				s.RequestWriteable()
				return s.Write([]byte("one"), callbacks.WriteHTTP)
			}
			s.SetUserData(nil)
			return s.Write([]byte("two"), callbacks.WriteHTTPFinal)
		}
		return nil
	})
	p := v.dial(t).send(get("/counted") + get("/chunked"))
	if r := p.want(200, "onetwo"); r.ContentLength != 6 {
		t.Errorf("length %d", r.ContentLength)
	}
	if r := p.want(200, "onetwo"); len(r.TransferEncoding) != 1 {
		t.Error("not chunked")
	}
	p.send("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").want(200, "onetwo")
	p.wantEOF()
}

func TestWritesThatDoNotFitTheResponse(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r != callbacks.HTTP {
			return nil
		}
		check := func(what string, got, want error) {
			if got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		check("start", s.StartResponse(200, "", 3), nil)
		check("too long", s.Write([]byte("1234"), callbacks.WriteHTTP), callbacks.ErrTooLong)
		check("second answer", s.Respond(200, "", nil), callbacks.ErrAnswered)
		check("text", s.Write([]byte("x"), callbacks.WriteText), callbacks.ErrKind)
		check("body", s.Write([]byte("123"), callbacks.WriteHTTP), nil)
		check("after the end", s.Write([]byte("4"), callbacks.WriteHTTP), callbacks.ErrAnswered)
		check("field", s.AddHeader("X", "y"), callbacks.ErrAnswered)
		return nil
	})
	v.dial(t).send(get("/")).want(200, "123")
}

// TestRawResponses lets the program write the response itself, as the programs of
// libwebsockets' introduction do.
func TestRawResponses(t *testing.T) {
	responses := map[string][]string{
		"/whole":   {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"},
		"/split":   {"HTTP/1.1 200 OK\r\nConte", "nt-Length: 4\r\n", "\r\nhi", "hi"},
		"/chunked": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\nhi\r\n", "0\r\n\r\n"},
		"/interim": {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		"/close":   {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"},
	}
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP {
			for _, part := range responses[string(in)] {
				if err := s.Write([]byte(part), callbacks.WriteHTTP); err != nil {
					return err
				}
			}
		}
		return callbacks.CallbackHTTPDummy(s, r, in)
	})
	p := v.dial(t).send(get("/whole") + get("/split") + get("/chunked") + get("/nothing"))
	p.want(200, "hi")
	p.want(200, "hihi")
	p.want(200, "hi")
	p.want(404, "404 Not Found\n")
	if r, _ := p.send(get("/interim")).response("GET"); r.StatusCode != 103 {
		t.Fatal(r.Status)
	}
	p.want(200, "")
	p.send(strings.Replace(get("/whole"), "GET", "HEAD", 1))
	if _, body := p.response("HEAD"); body != "" {
		t.Fatalf("HEAD got %q", body)
	}
	p.send(get("/close")).want(200, "hi")
	p.wantEOF()
}

func TestMalformedRawResponseIsAnError(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP {
			return s.Write([]byte("not HTTP at all\r\n\r\n"), callbacks.WriteHTTP)
		}
		return nil
	})
	p := v.dial(t).send(get("/"))
	p.want(500, "Internal Server Error\n")
	p.wantEOF()
}

func TestFiltersRefuse(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.FilterHTTPConnection && string(in) == "/forbidden":
			return errors.New("no")
		case r == callbacks.FilterHTTPConnection && string(in) == "/gone":
			return http1.NewError(410, "gone")
		case r == callbacks.CheckAccessRights && string(in) == "/private":
			_ = s.AddHeader("WWW-Authenticate", "Basic")
			return errors.New("who are you")
		case r == callbacks.HTTP:
			t.Errorf("%s got through", in)
		}
		return nil
	})
	for path, status := range map[string]int{"/forbidden": 403, "/gone": 410, "/private": 401} {
		p := v.dial(t).send(get(path))
		if r, _ := p.response("GET"); r.StatusCode != status {
			t.Errorf("%s: %s", path, r.Status)
		} else if status == 401 && r.Header.Get("WWW-Authenticate") != "Basic" {
			t.Error("the refusal lost the program's field")
		}
		p.wantEOF()
	}
}

// TestBodiesThatNobodyWants are read to keep the connection when they are short,
// and cost the connection when they are long.
func TestBodiesThatNobodyWants(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTP:
			return s.Respond(200, "", in)
		case callbacks.HTTPBody, callbacks.HTTPBodyCompletion:
			t.Error("a body was delivered behind the answer")
		}
		return nil
	})
	p := v.dial(t).send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000))
	p.want(200, "/1")
	p.send(get("/2")).want(200, "/2")
	p.send("POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n").want(200, "/3")
	go func() { _, _ = p.Write(make([]byte, 1000000)) }()
	p.wantEOF()
}

// TestHalfClose sends FIN right behind the request; the answer still comes whole.
func TestHalfClose(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.HTTP {
			return s.Respond(200, "", []byte(big))
		}
		return nil
	})
	p := v.dial(t).send(get("/"))
	_ = p.Conn.(wire).CloseWrite()
	p.want(200, big)
	p.wantEOF()
}

func TestEOFInsideABody(t *testing.T) {
	ended := make(chan error, 1)
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		if r == callbacks.ClosedHTTP {
			ended <- s.Err()
		}
		return nil
	})
	p := v.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfive!")
	_ = p.Conn.(wire).CloseWrite()
	p.want(400, "Bad Request\n")
	p.wantEOF()
	p.Close() // the engine lingers for who has closed nothing but TLS
	if err := <-ended; !errors.Is(err, http1.ErrUnexpectedEOF) {
		t.Fatalf("ended with %v", err)
	}
}

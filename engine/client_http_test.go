package engine_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// fetched is what became of a client's transaction.
type fetched struct {
	status    int
	head      string // of the response
	body      string
	trailer   string
	redirects []string
	reasons   string // without those that come again and again
	completed bool
	err       error // Session.Err at the end
}

// fetcher is the program of a client: it sends the body in pieces, and collects.
type fetcher struct {
	pieces []string // of the request's body; none is no body
	end    callbacks.Kind
	also   callbacks.Callback // is asked first, if set

	got  fetched
	over chan fetched
}

func (f *fetcher) hear(s callbacks.Session, r callbacks.Reason, in []byte) error {
	if f.also != nil {
		if err := f.also(s, r, in); err != nil {
			return err
		}
	}
	g := &f.got
	switch r {
	case callbacks.ClientHTTPWriteable:
		return f.send(s)
	case callbacks.ClientHTTPRedirect:
		g.redirects = append(g.redirects, string(in))
	case callbacks.EstablishedClientHTTP:
		g.status, g.head = s.Response().Status(), string(s.Response().Raw())
	case callbacks.ReceiveClientHTTPRead:
		g.body += string(in)
	case callbacks.CompletedClientHTTP:
		g.completed = true
		if tr := s.Trailer(); tr != nil {
			for i := range tr.Len() {
				name, value := tr.At(i)
				g.trailer += fmt.Sprintf("%s: %s;", name, value)
			}
		}
	case callbacks.ClientConnectionError, callbacks.ClosedClientHTTP:
		g.err = s.Err()
	case callbacks.WSIDestroy:
		f.over <- *g
	}
	return nil
}

// send writes one piece and asks for the next call.
func (f *fetcher) send(s callbacks.Session) error {
	if len(f.pieces) == 0 {
		return nil
	}
	piece, kind := f.pieces[0], callbacks.WriteHTTP
	if f.pieces = f.pieces[1:]; len(f.pieces) == 0 {
		kind = f.end
	} else {
		s.RequestWriteable()
	}
	if err := s.Write([]byte(piece), kind); err != nil && !errors.Is(err, callbacks.ErrAnswered) {
		return err
	}
	return nil
}

// transact runs one transaction and waits for its end.
func transact(t *testing.T, info engine.ClientConnectInfo, f *fetcher) fetched {
	t.Helper()
	f.over = make(chan fetched, 1)
	if f.end == 0 {
		f.end = callbacks.WriteHTTPFinal
	}
	v, rec := connectTo(t, info, f.hear)
	got := receive(t, "the transaction ends", f.over)
	got.reasons = rec.Reasons(1)
	eventually(t, "the session ends", func() bool { return rec.Open() == 0 && v.Stats().Sessions == 0 })
	if faults := rec.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
	return got
}

// httpInfo is where a server is, as what a client connects to.
func httpInfo(t *testing.T, addr, method string) engine.ClientConnectInfo {
	t.Helper()
	info, err := engine.ParseClientURL(strings.Replace(over(t).scheme(), "ws", "http", 1) + addr + "/path?query")
	if err != nil {
		t.Fatal(err)
	}
	info.Method = method
	return info
}

// serveNet runs a server of net/http on the test's transport, and returns its address.
func serveNet(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	l := over(t).listen(t)
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	srv.Start()
	t.Cleanup(srv.Close)
	return l.Addr().String()
}

// echoRequest answers with all that it can see of the request.
func echoRequest(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.Header().Set("X-Seen", fmt.Sprintf("%s %s %s length=%d %v err=%v", r.Method, r.RequestURI, r.Host, r.ContentLength, r.TransferEncoding, err))
	for name, values := range r.Trailer {
		w.Header().Set("X-Trailer-"+name, strings.Join(values, ","))
	}
	if t := r.Header.Get("Content-Type"); t != "" {
		w.Header().Set("X-Type", t)
	}
	_, _ = w.Write(body)
}

const getReasons = "WSICreate ClientHTTPBindProtocol Connecting %sClientAppendHandshakeHeader ClientFilterPreEstablish " +
	"EstablishedClientHTTP ReceiveClientHTTP ReceiveClientHTTPRead CompletedClientHTTP ClientHTTPDropProtocol ClosedClientHTTP WSIDestroy"

func TestClientGet(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Mine") != "yes" || r.Header.Get("X-Late") != "too" || r.Header.Get("User-Agent") != "" {
			t.Errorf("header %v", r.Header)
		}
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI+" "+r.Host)
	})
	info := httpInfo(t, addr, "GET")
	info.Header = []http1.Field{{Name: "X-Mine", Value: "yes"}}
	got := transact(t, info, &fetcher{also: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.ClientAppendHandshakeHeader {
			return s.AddHeader("X-Late", "too")
		}
		return nil
	}})
	verified := ""
	if over(t) != overTCP {
		verified = "OpenSSLPerformServerCertVerification "
	}
	if want := fmt.Sprintf(getReasons, verified); got.reasons != want {
		t.Errorf("got  %s\nwant %s", got.reasons, want)
	}
	if got.status != 200 || got.body != "GET /path?query "+addr || !got.completed || got.err != nil {
		t.Errorf("%+v", got)
	}
}

// TestClientMethods: every method arrives as it is, with and without a body.
func TestClientMethods(t *testing.T) {
	addr := serveNet(t, echoRequest)
	long := strings.Repeat("0123456789abcdef", 20_000)
	for _, c := range []struct {
		method string
		length int64
		pieces []string
		seen   string // length and coding
	}{
		{"GET", 0, nil, "length=0 []"},
		{"HEAD", 0, nil, "length=0 []"},
		{"DELETE", 0, nil, "length=0 []"},
		{"OPTIONS", 0, nil, "length=0 []"},
		{"WHATEVER", 0, nil, "length=0 []"},
		{"POST", 0, nil, "length=0 []"},
		{"POST", 5, []string{"he", "llo"}, "length=5 []"},
		{"PUT", 320_000, []string{long}, "length=320000 []"},
		{"PATCH", -1, []string{"a", "", "b", long, ""}, "length=-1 [chunked]"},
		{"POST", -1, []string{""}, "length=-1 [chunked]"},
		{"GET", 4, []string{"body"}, "length=4 []"},
	} {
		t.Run(fmt.Sprint(c.method, c.length), func(t *testing.T) {
			info := httpInfo(t, addr, c.method)
			info.BodyLength = c.length
			got := transact(t, info, &fetcher{pieces: c.pieces})
			body := strings.Join(c.pieces, "")
			if c.method == "HEAD" {
				body = ""
			}
			seen := "X-Seen: " + c.method + " /path?query " + addr + " " + c.seen + " err=<nil>\r\n"
			if got.status != 200 || !strings.Contains(got.head, seen) || got.body != body || !got.completed || got.err != nil {
				t.Errorf("%d %.300q, %d bytes of body, completed %v, %v", got.status, got.head, len(got.body), got.completed, got.err)
			}
		})
	}
}

func TestClientForm(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.PostFormValue("a")) })
	info := httpInfo(t, addr, "POST")
	info.Flags |= engine.HTTPXWWWFormURLEncoded
	info.BodyLength = int64(len("a=b+c"))
	if got := transact(t, info, &fetcher{pieces: []string{"a=b+c"}}); got.body != "b c" {
		t.Errorf("%+v", got)
	}
}

func TestClientTrailers(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "got "+r.Trailer.Get("X-Mine"))
	})
	info := httpInfo(t, addr, "POST")
	info.BodyLength = -1
	info.Header = []http1.Field{{Name: "Trailer", Value: "X-Mine"}}
	got := transact(t, info, &fetcher{pieces: []string{"a"}, also: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r != callbacks.ClientAppendHandshakeHeader && r != callbacks.ClientHTTPWriteable {
			return nil
		}
		if r == callbacks.ClientAppendHandshakeHeader {
			if err := s.AddTrailer("X-Mine", "early"); !errors.Is(err, callbacks.ErrRole) {
				t.Errorf("a trailer before there is a request: %v", err)
			}
			return nil
		}
		if err := s.AddTrailer("Content-Length", "1"); !errors.Is(err, callbacks.ErrHeader) {
			t.Errorf("a trailer about framing: %v", err)
		}
		return s.AddTrailer("X-Mine", "sum")
	}})
	if got.trailer != "X-Sum: got sum;" || got.body != "body" {
		t.Errorf("%+v", got)
	}
}

// scripted is a server that reads a request's head and sends what it is told, and
// closes, or leaves without a word.
func scripted(t *testing.T, answer string) string {
	t.Helper()
	l := over(t).listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				readHead(c)
				_, _ = io.WriteString(c, answer)
			}()
		}
	}()
	return l.Addr().String()
}

// readHead reads up to the empty line.
func readHead(c net.Conn) string {
	var head []byte
	one := make([]byte, 1)
	for !strings.HasSuffix(string(head), "\r\n\r\n") {
		if _, err := io.ReadFull(c, one); err != nil {
			break
		}
		head = append(head, one[0])
	}
	return string(head)
}

// TestClientFramings: where a response ends is what RFC 9112 6.3 says.
func TestClientFramings(t *testing.T) {
	for name, c := range map[string]struct{ method, answer, body, err string }{
		"length":                  {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", "body", ""},
		"more than the length":    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\n\r\n", "body", ""},
		"chunked":                 {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\n\r\n", "body", ""},
		"until close":             {"GET", "HTTP/1.1 200 OK\r\n\r\nbody", "body", ""},
		"until close, 1.0":        {"GET", "HTTP/1.0 200 OK\r\n\r\nbody", "body", ""},
		"HEAD":                    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "", ""},
		"HEAD with a body":        {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", "", ""},
		"204":                     {"GET", "HTTP/1.1 204 No Content\r\n\r\n", "", ""},
		"304":                     {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", "", ""},
		"interim":                 {"GET", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", "body", ""},
		"no length, and 0":        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", ""},
		"cut in the length":       {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbod", "bod", "unexpected EOF"},
		"cut in the chunk":        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbod", "bod", "unexpected EOF"},
		"cut before the last":     {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n", "body", "unexpected EOF"},
		"cut in the trailers":     {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX: y\r\n", "body", "unexpected EOF"},
		"nothing":                 {"GET", "", "", "without a response: unexpected EOF"},
		"half a head":             {"GET", "HTTP/1.1 200 OK\r\nConte", "", "without a response: unexpected EOF"},
		"interim only":            {"GET", "HTTP/1.1 100 Continue\r\n\r\n", "", "without a response: unexpected EOF"},
		"endless interim":         {"GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20), "", "too many interim"},
		"no HTTP":                 {"GET", "hello\r\n\r\n", "", "no HTTP response"},
		"two lengths":             {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", "both Content-Length"},
		"length twice":            {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody", "", "Content-Length"},
		"negative length":         {"GET", "HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nbody", "", "Content-Length"},
		"unknown coding":          {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nbody", "", "transfer coding"},
		"chunks that are none":    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", "malformed chunk"},
		"folded":                  {"GET", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "", "white space"},
		"101 that nobody asked":   {"GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "", "status 101"},
		"head without an end":     {"GET", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 30), "", "head too large"},
		"another kind of version": {"GET", "HTTP/2.0 200 OK\r\n\r\n", "", "version"},
	} {
		t.Run(name, func(t *testing.T) {
			got := transact(t, httpInfo(t, scripted(t, c.answer), c.method), new(fetcher))
			if got.body != c.body || got.completed != (c.err == "") || (got.err == nil) != (c.err == "") {
				t.Fatalf("%+v", got)
			}
			var r *engine.ResponseError
			if c.err != "" && (!errors.As(got.err, &r) || !strings.Contains(got.err.Error(), c.err)) {
				t.Errorf("failed with %v, want %q", got.err, c.err)
			}
			if strings.Contains(c.err, "unexpected EOF") && !errors.Is(got.err, io.ErrUnexpectedEOF) {
				t.Errorf("%v is no io.ErrUnexpectedEOF", got.err)
			}
		})
	}
}

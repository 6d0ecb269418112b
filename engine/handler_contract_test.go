package engine_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// contractCase is a handler and what it is sent. Whatever net/http's own server makes of
// it, the engine has to make, too.
type contractCase struct {
	name string
	// send is the requests, with @ where the handler's path goes.
	send []string
	h    http.HandlerFunc
}

// TestHandlerContract plays every case to net/http's server and to the engine and
// compares what clients see: the interim responses, status, header, body, trailers, how
// the body ends, and whether the connection lives on.
func TestHandlerContract(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/probe", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "probed") })
	cases := slices.Concat(requestCases, replyCases, framingCases, bodyCases, brokenCases)
	if len(cases) < 60 {
		t.Fatalf("there are %d cases only", len(cases))
	}
	for i, c := range cases {
		mux.HandleFunc(fmt.Sprintf("/case%d/", i), c.h)
	}
	theirs := httptest.NewUnstartedServer(mux)
	theirs.Listener.Close()
	theirs.Listener = over(t).listen(t)
	theirs.Config.ErrorLog = log.New(io.Discard, "", 0)
	theirs.Start()
	defer theirs.Close()
	ours := serveHandler(t, mux, engine.Limits{})
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var raw []string
			for _, r := range c.send {
				raw = append(raw, strings.ReplaceAll(r, "@", fmt.Sprintf("/case%d/", i)))
			}
			want := play(t, theirs.Listener.Addr().String(), raw)
			got := play(t, ours.addr, raw)
			if got != want {
				t.Errorf("net/http:\n%s\nthe engine:\n%s", want, got)
			}
		})
	}
}

// serveHandler runs an engine with one handler for everything.
func serveHandler(t *testing.T, h http.Handler, lim engine.Limits) *server {
	t.Helper()
	if lim.DrainTimeout == 0 {
		lim.DrainTimeout = quick.DrainTimeout
	}
	v := vhost(callbacks.Protocol{Name: "test", Callback: nothing})
	v[0].Mounts = []engine.Mount{engine.Handler("/", h)}
	return start(t, engine.Config{Loops: 1, Limits: lim, Vhosts: v, Logger: slog.New(slog.DiscardHandler)})
}

// play sends requests on one connection and describes what comes back.
func play(t *testing.T, addr string, raw []string) string {
	t.Helper()
	p := (&server{addr: addr}).dial(t)
	defer p.Close()
	p.send(raw...)
	var out strings.Builder
	for _, r := range raw {
		method, _, _ := strings.Cut(r, " ")
		if !describeResponse(&out, p.r, method) {
			return out.String()
		}
	}
	_, _ = io.WriteString(p, get("/probe"))
	r, err := http.ReadResponse(p.r, nil)
	switch {
	case err != nil:
		out.WriteString("then: closed\n")
	default:
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(&out, "then: %d %s\n", r.StatusCode, b)
	}
	return out.String()
}

// describeResponse tells whether there is a connection left behind a response.
func describeResponse(out *strings.Builder, r *bufio.Reader, method string) bool {
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			out.WriteString("no response\n")
			return false
		}
		fmt.Fprintf(out, "%d\n", resp.StatusCode)
		resp.Header.Del("Date")
		describeFields(out, "", resp.Header)
		if resp.StatusCode < 200 {
			continue
		}
		fmt.Fprintf(out, "length %d, coding %q, close %v, announced %q\n", resp.ContentLength, resp.TransferEncoding, resp.Close,
			slices.Sorted(maps.Keys(resp.Trailer)))
		body, err := io.ReadAll(resp.Body)
		fmt.Fprintf(out, "%d bytes: %.300q\n", len(body), body)
		describeFields(out, "behind it ", resp.Trailer)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			out.WriteString("cut off\n")
		case err != nil:
			out.WriteString("reset\n")
		}
		return err == nil
	}
}

func describeFields(out *strings.Builder, what string, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(out, "%s%s: %q\n", what, name, h[name])
	}
}

const (
	oneGet  = "GET @ HTTP/1.1\r\nHost: test\r\n\r\n"
	oneHead = "HEAD @ HTTP/1.1\r\nHost: test\r\n\r\n"
	oldGet  = "GET @ HTTP/1.0\r\n\r\n"
	oldKeep = "GET @ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
)

func post(body string) string {
	return fmt.Sprintf("POST @ HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func postChunks(behind string, chunks ...string) string {
	s := "POST @ HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n" + behind
	for _, c := range chunks {
		s += fmt.Sprintf("%x\r\n%s\r\n", len(c), c)
	}
	return s
}

// tell answers with what the handler was given.
func tell(w http.ResponseWriter, r *http.Request) {
	u := *r.URL
	fmt.Fprintf(w, "%s %q %q %d.%d %q\n", r.Method, r.RequestURI, r.Proto, r.ProtoMajor, r.ProtoMinor, r.Host)
	fmt.Fprintf(w, "scheme %q host %q path %q raw %q query %q opaque %q\n", u.Scheme, u.Host, u.Path, u.RawPath, u.RawQuery, u.Opaque)
	fmt.Fprintf(w, "length %d coding %q close %v pattern %q\n", r.ContentLength, r.TransferEncoding, r.Close, strings.TrimLeft(r.Pattern, "/case0123456789"))
	fmt.Fprintf(w, "body %v none %v getbody %v form %v tls %v\n", r.Body != nil, r.Body == http.NoBody, r.GetBody != nil, r.Form != nil, r.TLS != nil)
	var s strings.Builder
	describeFields(&s, "", r.Header)
	describeFields(&s, "trailer ", r.Trailer)
	io.WriteString(w, s.String())
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	_, served := r.Context().Value(http.ServerContextKey).(*http.Server)
	fmt.Fprintf(w, "from %s %v, to %v %v, served %v, context %v\n", host, err, ok, ok && strings.HasPrefix(local.String(), "127.0.0.1:"), served, r.Context().Err())
	b, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "read %q %v\n", b, err)
	s.Reset()
	describeFields(&s, "then trailer ", r.Trailer)
	io.WriteString(w, s.String())
}

// requestCases are about what handlers are given.
var requestCases = []contractCase{
	{"a plain GET", []string{oneGet}, tell},
	{"two on one connection", []string{oneGet, oneGet}, tell},
	{"many fields, some twice, in any case", []string{"GET @a%2Fb?c=d&e HTTP/1.1\r\nhOST: Test:80\r\nx-One: 1\r\nX-ONE:\t2 \r\nx_two: \r\nAccept:a\r\nCookie: a=b\r\n\r\n"}, tell},
	{"Pragma means Cache-Control", []string{"GET @ HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n"}, tell},
	{"absolute form", []string{"GET http://other:81@x?y HTTP/1.1\r\nHost: test\r\n\r\n"}, tell},
	{"HTTP/1.0 without Host", []string{oldGet}, tell},
	{"HTTP/1.0 kept alive", []string{oldKeep}, tell},
	{"close", []string{"GET @ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}, tell},
	{"an unknown method", []string{"BREW @ HTTP/1.1\r\nHost: a\r\n\r\n"}, tell},
	{"a body of known length", []string{post("hello")}, tell},
	{"a body of length 0", []string{post("")}, tell},
	{"a body in chunks", []string{postChunks("\r\n", "hel", "lo") + "0\r\n\r\n"}, tell},
	{"trailers", []string{postChunks("Trailer: X-A, x-b\r\n\r\n", "hello") + "0\r\nX-A: 1\r\nX-C: 2\r\n\r\n"}, tell},
	{"a GET with a body", []string{"GET @ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", oneGet}, tell},
	{"the asterisk", []string{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", oneGet}, tell},
	{"OPTIONS of something", []string{"OPTIONS @ HTTP/1.1\r\nHost: a\r\n\r\n"}, tell},
	{"query only", []string{"GET @?a=%20;b HTTP/1.1\r\nHost: a\r\n\r\n"}, tell},
	{"a path with spaces and UTF-8", []string{"GET @a%20b/%c3%bc HTTP/1.1\r\nHost: a\r\n\r\n"}, tell},
	{"an upgrade to a WebSocket", []string{"GET @ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"}, tell},
	{"forms", []string{"POST @?a=1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=2&b=3"},
		func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.FormValue("a"), r.PostForm, r.Form, r.ParseForm())
		}},
	{"multipart", []string{"POST @ HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 71\r\n\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\nc\r\n--x--\r\n"},
		func(w http.ResponseWriter, r *http.Request) {
			f, fh, err := r.FormFile("a")
			if err != nil {
				fmt.Fprint(w, err)
				return
			}
			b, _ := io.ReadAll(f)
			fmt.Fprintf(w, "%s %q", fh.Filename, b)
		}},
	{"basic auth and cookies", []string{"GET @ HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\nCookie: a=b; c=d\r\n\r\n"},
		func(w http.ResponseWriter, r *http.Request) {
			user, pass, ok := r.BasicAuth()
			http.SetCookie(w, &http.Cookie{Name: "x", Value: "y"})
			fmt.Fprint(w, user, pass, ok, r.Cookies())
		}},
}

// setting answers with a header.
func setting(fields ...string) func(w http.ResponseWriter, body string) {
	return func(w http.ResponseWriter, body string) {
		for i := 0; i < len(fields); i += 2 {
			w.Header().Add(fields[i], fields[i+1])
		}
		io.WriteString(w, body)
	}
}

// withBody makes a handler of one of these.
func withBody(f func(http.ResponseWriter, string), body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { f(w, body) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// replyCases are about the header and the status.
var replyCases = []contractCase{
	{"nothing at all", []string{oneGet}, func(http.ResponseWriter, *http.Request) {}},
	{"nothing at all, HEAD", []string{oneHead, oneGet}, func(http.ResponseWriter, *http.Request) {}},
	{"a type is guessed", []string{oneGet, oneHead}, withBody(setting(), "<html>")},
	{"a type is not guessed of a coding", []string{oneGet}, withBody(setting("Content-Encoding", "gzip"), "abc")},
	{"a type is guessed with an empty coding", []string{oneGet}, withBody(setting("Content-Encoding", ""), "abc")},
	{"no type is wanted", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		io.WriteString(w, "abc")
	}},
	{"a type is guessed of many writes", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		for _, s := range []string{"%P", "DF", "-1.4"} {
			io.WriteString(w, s)
		}
	}},
	{"201 and fields", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/x")
		w.Header()["x-Raw"] = []string{"1", "2"}
		w.WriteHeader(201)
		w.Header().Set("X-Late", "never")
		io.WriteString(w, "made")
	}},
	{"line ends in values", []string{oneGet}, withBody(setting("X-A", "1\r\nX-Evil: 2", "X-B", "\n3\n\n4 "), "")},
	{"names that are none", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X Evil"] = []string{"1"}
		w.Header()["X\r\nEvil"] = []string{"2"}
		w.Header()[""] = []string{"3"}
		w.Header()["X-Good"] = []string{"4"}
	}},
	{"its own Date", []string{oneGet}, withBody(setting("Date", "yesterday"), "x")},
	{"204", []string{oneGet}, status(204)},
	{"204 with a length", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.WriteHeader(204)
	}},
	{"304 with a type", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "a/b")
		w.Header().Set("Etag", `"x"`)
		w.WriteHeader(304)
	}},
	{"writing to 204", []string{oneGet}, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(204)
		_, err := io.WriteString(w, "x")
		if !errors.Is(err, http.ErrBodyNotAllowed) {
			panic(err)
		}
	}},
	{"499 and 599", []string{oneGet}, status(499)},
	{"two WriteHeaders", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(202)
		w.WriteHeader(500)
	}},
	{"a WriteHeader that is no status", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		defer func() { fmt.Fprint(w, recover() != nil) }()
		w.WriteHeader(99)
	}},
	{"103 and 102", []string{oneGet, oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.Header().Set("Link", "</b>")
		w.WriteHeader(102)
		io.WriteString(w, "done")
	}},
	{"the handler closes", []string{oneGet}, withBody(setting("Connection", "close"), "bye")},
	{"the handler keeps HTTP/1.0 alive", []string{oldKeep}, withBody(setting("Connection", "keep-alive", "Content-Length", "2"), "hi")},
	{"connection options", []string{oneGet}, withBody(setting("Connection", "x-thing", "X-Thing", "1"), "x")},
	{"http.Error", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }},
	{"http.NotFound", []string{oneGet}, http.NotFound},
	{"http.Redirect", []string{oneGet}, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "../x", http.StatusFound) }},
	{"HEAD with a body", []string{oneHead, oneGet}, withBody(setting(), strings.Repeat("x", 1000))},
	{"HEAD with a long body", []string{oneHead, oneGet}, withBody(setting(), strings.Repeat("x", 100_000))},
	{"HEAD with a length", []string{oneHead}, withBody(setting("Content-Length", "1234"), "")},
}

// framingCases are about where bodies end.
var framingCases = []contractCase{
	{"a long body in chunks", []string{oneGet, oneGet}, withBody(setting(), strings.Repeat("0123456789", 20_000))},
	{"a long body, HTTP/1.0", []string{oldGet}, withBody(setting(), strings.Repeat("0123456789", 20_000))},
	{"a long body, HTTP/1.0 kept alive", []string{oldKeep}, withBody(setting(), strings.Repeat("0123456789", 20_000))},
	{"a short body, HTTP/1.0 kept alive", []string{oldKeep}, withBody(setting(), "short")},
	{"a length that is right", []string{oneGet, oneGet}, withBody(setting("Content-Length", "5"), "hello")},
	{"a length that is exceeded", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3")
		n, err := io.WriteString(w, "abcd")
		if n != 0 || !errors.Is(err, http.ErrContentLength) {
			panic(err)
		}
	}},
	{"a length that is not reached", []string{oneGet}, withBody(setting("Content-Length", "5"), "abc")},
	{"a length that is none", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "-5")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		io.WriteString(w, "abc")
	}},
	{"identity", []string{oneGet}, withBody(setting("Transfer-Encoding", "identity"), "abc")},
	{"chunked by hand", []string{oneGet, oneGet}, withBody(setting("Transfer-Encoding", "chunked", "Content-Type", "a/b"), "abc")},
	{"a flush makes chunks", []string{oneGet, oneHead}, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		io.WriteString(w, "b")
		w.(http.Flusher).Flush()
		w.(http.Flusher).Flush()
	}},
	{"a flush before anything", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
	}},
	{"a flush with a length", []string{oneGet, oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "2")
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		io.WriteString(w, "b")
	}},
	{"trailers that are announced", []string{oneGet, oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-A, x-b")
		w.Header().Add("Trailer", "Content-Length")
		io.WriteString(w, "body")
		w.Header().Set("X-A", "1")
		w.Header().Set("X-C", "2")
	}},
	{"trailers by prefix", []string{oneGet, oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"X-A", "1")
	}},
	{"ReadFrom", []string{oneGet, oneHead, oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		n, err := io.Copy(w, strings.NewReader(strings.Repeat("y", 50_000)))
		if n != 50_000 || err != nil {
			panic(err)
		}
	}},
	{"ReadFrom a little", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.(io.ReaderFrom).ReadFrom(strings.NewReader("little"))
	}},
}

func echoBody(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%d %.20q %v", len(b), b, err)
}

const awaiting = "POST @ HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"

// bodyCases are about reading.
var bodyCases = []contractCase{
	{"a long body", []string{post(strings.Repeat("z", 300_000)), oneGet}, echoBody},
	{"a long body in chunks", []string{postChunks("\r\n", strings.Repeat("z", 200_000), "y") + "0\r\n\r\n", oneGet}, echoBody},
	{"a body that is not read", []string{post(strings.Repeat("z", 10_000)), oneGet}, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "no") }},
	{"a body that is half read", []string{post(strings.Repeat("z", 100_000)), oneGet}, func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, 1000)
		io.WriteString(w, "enough")
	}},
	{"a body that is closed", []string{post(strings.Repeat("z", 10_000)), oneGet}, func(w http.ResponseWriter, r *http.Request) {
		r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, errors.Is(err, http.ErrBodyReadAfterClose) || r.ContentLength == 0)
	}},
	{"reading again after the end", []string{post("abc")}, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		n, err := r.Body.Read(make([]byte, 5))
		fmt.Fprint(w, n, err, r.Body.Close())
	}},
	{"reading nothing", []string{post("abc")}, func(w http.ResponseWriter, r *http.Request) {
		n, err := r.Body.Read(nil)
		fmt.Fprint(w, n, err)
	}},
	{"no 100 when it is not", []string{awaiting}, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "no need") }},
	{"100 by hand", []string{awaiting + "hello"}, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(100)
		echoBody(w, r)
	}},
	{"no 100 for no body", []string{"GET @ HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"}, echoBody},
	{"MaxBytesReader", []string{post(strings.Repeat("z", 1000))}, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 10))
		var tooLong *http.MaxBytesError
		w.Header().Set("Connection", "close") // which net/http does by itself
		if errors.As(err, &tooLong) {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		}
	}},
	{"full duplex", []string{post("abc"), oneGet}, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			panic(err)
		}
		io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
		echoBody(w, r)
	}},
}

// brokenCases are about handlers that do not come to an end of their own.
var brokenCases = []contractCase{
	{"ErrAbortHandler before anything", []string{oneGet}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	{"ErrAbortHandler after a little", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}},
	{"ErrAbortHandler after some of what was promised", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}},
	{"a panic after a little", []string{oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
		panic("help")
	}},
	{"a panic that is caught", []string{oneGet, oneGet}, func(w http.ResponseWriter, _ *http.Request) {
		defer func() { http.Error(w, fmt.Sprint(recover()), 500) }()
		panic("help")
	}},
	{"TimeoutHandler in time", []string{oneGet, oneGet}, http.TimeoutHandler(http.HandlerFunc(echoBody), time.Minute, "late").ServeHTTP},
	{"TimeoutHandler too late", []string{oneGet, oneGet}, http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}), time.Millisecond, "late").ServeHTTP},
	{"StripPrefix", []string{oneGet}, func(w http.ResponseWriter, r *http.Request) {
		http.StripPrefix(r.URL.Path, http.HandlerFunc(tell)).ServeHTTP(w, r)
	}},
	{"MaxBytesHandler", []string{post("hello"), oneGet}, http.MaxBytesHandler(http.HandlerFunc(echoBody), 100).ServeHTTP},
}

package engine_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// TestClientFollowsRedirects: what becomes of method and body is RFC 9110 15.4's.
func TestClientFollowsRedirects(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		if status, _ := fmt.Sscan(strings.TrimPrefix(r.URL.Path, "/"), new(int)); status == 0 {
			echoRequest(w, r)
			return
		}
		var status int
		_, _ = fmt.Sscan(strings.TrimPrefix(r.URL.Path, "/"), &status)
		w.Header().Set("Location", "/end?x")
		w.WriteHeader(status)
	})
	for _, c := range []struct {
		method  string
		status  int
		body    bool
		flags   engine.ClientFlags
		want    int
		arrives string // method and body
	}{
		{"GET", 301, false, 0, 200, "GET "}, {"GET", 302, false, 0, 200, "GET "}, {"GET", 307, false, 0, 200, "GET "},
		{"HEAD", 303, false, 0, 200, "HEAD "}, {"DELETE", 302, false, 0, 200, "DELETE "}, {"DELETE", 303, false, 0, 200, "GET "},
		{"POST", 301, true, 0, 200, "GET "}, {"POST", 302, true, 0, 200, "GET "}, {"POST", 303, true, 0, 200, "GET "},
		{"PUT", 303, true, 0, 200, "GET "}, {"POST", 308, false, 0, 200, "POST "},
		{"POST", 307, true, 0, 307, ""}, {"PUT", 301, true, 0, 301, ""}, // the body is gone
		{"GET", 302, false, engine.HTTPNoFollowRedirect, 302, ""}, {"GET", 300, false, 0, 300, ""}, {"GET", 304, false, 0, 304, ""},
	} {
		t.Run(fmt.Sprintf("%s %d body %v flags %d", c.method, c.status, c.body, c.flags), func(t *testing.T) {
			info := httpInfo(t, addr, c.method)
			info.Path = fmt.Sprintf("/%d", c.status)
			info.Flags |= c.flags | engine.HTTPXWWWFormURLEncoded
			f := new(fetcher)
			if c.body {
				info.BodyLength, f.pieces = 4, []string{"body"}
			}
			got := transact(t, info, f)
			if got.status != c.want || !got.completed || got.err != nil {
				t.Fatalf("%+v", got)
			}
			if c.want != 200 {
				return
			}
			seen, _, _ := strings.Cut(c.arrives, " ")
			if !strings.Contains(got.head, "X-Seen: "+seen+" /end?x ") || len(got.redirects) != 1 || !strings.HasSuffix(got.redirects[0], addr+"/end?x") {
				t.Errorf("%+v", got)
			}
			if typed := strings.Contains(got.head, "X-Type: "); typed != (seen != "GET" || c.method == "GET") {
				t.Errorf("Content-Type %v: %s", typed, got.head)
			}
		})
	}
}

// TestClientRedirectsThatEnd: too many, to nowhere, away from TLS, or refused.
func TestClientRedirectsThatEnd(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", strings.TrimPrefix(r.URL.Path, "/"))
		if r.URL.Path == "/loop" {
			w.Header().Set("Location", "/loop")
		}
		w.WriteHeader(302)
	})
	no := errors.New("no")
	for path, want := range map[string]string{"/loop": "too many redirects", "/ftp://x": "leads nowhere", "/refused": "no", "/http://127.0.0.1:1/": ""} {
		t.Run(path, func(t *testing.T) {
			info := httpInfo(t, addr, "GET")
			info.Path = path
			got := transact(t, info, &fetcher{also: func(_ callbacks.Session, r callbacks.Reason, _ []byte) error {
				if r == callbacks.ClientHTTPRedirect && path == "/refused" {
					return no
				}
				return nil
			}})
			if want == "" {
				if want = "connection refused"; over(t) != overTCP {
					want = "away from TLS"
				}
			}
			if got.status != 0 || got.err == nil || !strings.Contains(got.err.Error(), want) || !strings.Contains(got.reasons, "ClientConnectionError") {
				t.Errorf("%+v, want %q", got, want)
			}
		})
	}
}

// TestClientUploadsWithBackPressure: a body that never ends meets a server that does
// not read, and only so much of it is asked for.
func TestClientUploadsWithBackPressure(t *testing.T) {
	reading := make(chan struct{})
	const size = 64 << 20
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		<-reading
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	})
	info := httpInfo(t, addr, "PUT")
	info.BodyLength = size
	piece := make([]byte, 256<<10)
	asked := 0
	quiet := make(chan int, 1)
	f := &fetcher{also: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		switch r {
		case callbacks.ClientHTTPWriteable:
			asked++
			s.SetTimer(200 * time.Millisecond)
			if asked < size/len(piece) {
				s.RequestWriteable()
			}
			if n := s.Buffered(); n > 2<<20 {
				t.Errorf("%d bytes wait", n)
			}
			return s.Write(piece, callbacks.WriteHTTP)
		case callbacks.Timer:
			select {
			case quiet <- asked:
			default:
			}
		}
		return nil
	}}
	over := make(chan fetched, 1)
	f.over = over
	v, _ := connectTo(t, info, f.hear)
	if n := receive(t, "nothing more is asked for", quiet); n*len(piece) > size/2 {
		t.Errorf("%d MiB were asked for while nobody read", n*len(piece)>>20)
	}
	close(reading)
	if got := receive(t, "the transaction ends", over); got.body != fmt.Sprint(size, nil) {
		t.Errorf("%+v", got)
	}
	v.eventuallyIdle(t)
}

// TestClientWritesThatDoNotFit the length that was said.
func TestClientWritesThatDoNotFit(t *testing.T) {
	addr := serveNet(t, echoRequest)
	for name, c := range map[string]struct {
		length int64
		writes func(s callbacks.Session) error
		want   error
		status int
	}{
		"too long":  {3, func(s callbacks.Session) error { return s.Write([]byte("four"), callbacks.WriteHTTP) }, callbacks.ErrTooLong, 0},
		"too short": {5, func(s callbacks.Session) error { return s.Write([]byte("four"), callbacks.WriteHTTPFinal) }, callbacks.ErrTooShort, 0},
		"text":      {5, func(s callbacks.Session) error { return s.Write([]byte("four"), callbacks.WriteText) }, callbacks.ErrKind, 0},
		"exactly":   {4, func(s callbacks.Session) error { return s.Write([]byte("four"), callbacks.WriteHTTP) }, nil, 200},
		"final, nothing": {4, func(s callbacks.Session) error {
			return errors.Join(s.Write([]byte("four"), callbacks.WriteHTTP), s.Write(nil, callbacks.WriteHTTPFinal))
		}, nil, 200},
		"behind the end": {4, func(s callbacks.Session) error {
			_ = s.Write([]byte("four"), callbacks.WriteHTTPFinal)
			if err := s.Write([]byte("x"), callbacks.WriteHTTP); !errors.Is(err, callbacks.ErrTooLong) {
				t.Errorf("behind the end: %v", err)
			}
			return nil
		}, nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			info := httpInfo(t, addr, "POST")
			info.BodyLength = c.length
			got := transact(t, info, &fetcher{also: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
				if r == callbacks.ClientHTTPWriteable {
					return c.writes(s)
				}
				return nil
			}})
			if got.status != c.status || !errors.Is(got.err, c.want) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestClientExpectsContinue: the body waits for 100, for a second at most, and is kept
// back if there is another answer.
func TestClientExpectsContinue(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for name, c := range map[string]struct {
		flag    bool
		length  int64
		answers func(c net.Conn, r *bufio.Reader) // behind the head
		asks    bool
		sends   bool
	}{
		"100":     {true, 4, func(c net.Conn, r *bufio.Reader) { _, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") }, true, true},
		"silence": {true, 4, func(net.Conn, *bufio.Reader) {}, true, true},
		"102":     {true, 4, func(c net.Conn, r *bufio.Reader) { _, _ = io.WriteString(c, "HTTP/1.1 102 Processing\r\n\r\n") }, true, true},
		"417": {true, 4, func(c net.Conn, r *bufio.Reader) {
			_, _ = io.WriteString(c, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
		}, true, false},
		"200":   {true, 4, func(c net.Conn, r *bufio.Reader) { _, _ = io.WriteString(c, ok) }, true, false},
		"long":  {false, 2 << 20, func(c net.Conn, r *bufio.Reader) { _, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") }, true, true},
		"short": {false, 1 << 20, func(net.Conn, *bufio.Reader) {}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			type seen struct {
				head string
				body int
			}
			saw := make(chan seen, 1)
			addr := answering(t, func(conn net.Conn, r *bufio.Reader, _ int) {
				var s seen
				for !strings.HasSuffix(s.head, "\r\n\r\n") {
					line, err := r.ReadString('\n')
					if err != nil {
						break
					}
					s.head += line
				}
				c.answers(conn, r)
				n, err := io.CopyN(io.Discard, r, c.length)
				if s.body = int(n); err == nil {
					_, _ = io.WriteString(conn, ok)
				}
				saw <- s
			})
			info := httpInfo(t, addr, "PUT")
			info.BodyLength, info.ExpectContinue = c.length, c.flag
			got := transact(t, info, &fetcher{pieces: []string{strings.Repeat("x", int(c.length))}})
			s := receive(t, "the server has seen it", saw)
			if asks := strings.Contains(s.head, "Expect: 100-continue\r\n"); asks != c.asks || (s.body > 0) != c.sends || !got.completed {
				t.Errorf("asked %v, %d bytes came, %+v", asks, s.body, got)
			}
		})
	}
}

// TestClientHearsAnEarlyAnswer, and stops sending.
func TestClientHearsAnEarlyAnswer(t *testing.T) {
	addr := answering(t, func(c net.Conn, r *bufio.Reader, _ int) {
		_, _ = http.ReadRequest(r)
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
		_, _ = io.Copy(io.Discard, r)
	})
	info := pooled(httpInfo(t, addr, "PUT"))
	info.BodyLength = -1
	var last error
	late := 0
	got := transact(t, info, &fetcher{also: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		switch r {
		case callbacks.ClientHTTPWriteable:
			if s.Response() != nil {
				late++
			}
			s.RequestWriteable()
			return s.Write(make([]byte, 1000), callbacks.WriteHTTP)
		case callbacks.ReceiveClientHTTPRead:
			last = s.Write([]byte("more"), callbacks.WriteHTTP)
		}
		return nil
	}})
	if got.status != 413 || got.body != "no" || !got.completed || !errors.Is(last, callbacks.ErrAnswered) || late > 0 {
		t.Errorf("%+v, then %v, asked %d times for more", got, last, late)
	}
}

// TestClientPausesReading: what has come waits until the program has resumed, in the
// same order.
func TestClientPausesReading(t *testing.T) {
	text := strings.Repeat("0123456789", 100_000)
	for _, at := range []callbacks.Reason{callbacks.EstablishedClientHTTP, callbacks.ReceiveClientHTTP, callbacks.ReceiveClientHTTPRead} {
		for _, head := range []string{"Content-Length: 1000000\r\n\r\n" + text, "Transfer-Encoding: chunked\r\n\r\n" + chunks(text, 777), "\r\n" + text} {
			t.Run(fmt.Sprintf("%v %.5s", at, head), func(t *testing.T) {
				addr := scripted(t, "HTTP/1.1 200 OK\r\n"+head)
				pauses := 0
				paused := false
				got := transact(t, httpInfo(t, addr, "GET"), &fetcher{also: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
					switch {
					case paused && r == callbacks.ReceiveClientHTTPRead && at != r:
						t.Error("a piece came while reading was paused")
					case r == at && pauses < 20:
						pauses++
						paused = true
						s.PauseReading()
						s.SetTimer(0)
					case r == callbacks.Timer:
						paused = false
						s.ResumeReading()
					}
					return nil
				}})
				if got.body != text || !got.completed || pauses == 0 {
					t.Errorf("%d bytes, completed %v, %d pauses, %v", len(got.body), got.completed, pauses, got.err)
				}
			})
		}
	}
}

// chunks is text in chunks of n bytes.
func chunks(text string, n int) string {
	var b strings.Builder
	for len(text) > 0 {
		piece := text[:min(n, len(text))]
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(piece), piece)
		text = text[len(piece):]
	}
	return b.String() + "0\r\n\r\n"
}

// TestClientTimes: each of them ends the transaction, and tells which it was.
func TestClientTimes(t *testing.T) {
	const short = 30 * time.Millisecond
	for name, c := range map[string]struct {
		answer string
		lim    engine.Limits
		whole  time.Duration
		want   error
		status int
	}{
		"response":           {"", engine.Limits{ResponseTimeout: short}, 0, engine.ErrResponseTimeout, 0},
		"interim":            {"HTTP/1.1 103 Early Hints\r\n\r\n", engine.Limits{ResponseTimeout: short}, 0, engine.ErrResponseTimeout, 0},
		"half":               {"HTTP/1.1 200 OK\r\nConte", engine.Limits{ResponseTimeout: short}, 0, engine.ErrResponseTimeout, 0},
		"body":               {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbo", engine.Limits{ResponseBodyTimeout: short}, 0, engine.ErrResponseBodyTimeout, 200},
		"no body":            {"HTTP/1.1 200 OK\r\n\r\n", engine.Limits{ResponseBodyTimeout: short}, 0, engine.ErrResponseBodyTimeout, 200},
		"whole":              {"", engine.Limits{}, short, engine.ErrTimeout, 0},
		"whole, in the body": {"HTTP/1.1 200 OK\r\n\r\n", engine.Limits{}, short, engine.ErrTimeout, 200},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			addr := answering(t, func(conn net.Conn, r *bufio.Reader, _ int) {
				next(r)
				_, _ = io.WriteString(conn, c.answer)
				<-release
			})
			v := newClients(t, 1, c.lim)
			info := httpInfo(t, addr, "GET")
			info.Timeout = c.whole
			got := v.do(t, info)
			close(release)
			if !errors.Is(got.err, c.want) || got.status != c.status || got.completed {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestClientEndsItself: by an error or by closing, in every reason.
func TestClientEndsItself(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 1000))
	})
	no := errors.New("no")
	for _, at := range []callbacks.Reason{callbacks.ClientHTTPBindProtocol, callbacks.Connecting, callbacks.ClientAppendHandshakeHeader,
		callbacks.ClientHTTPWriteable, callbacks.ClientFilterPreEstablish, callbacks.EstablishedClientHTTP, callbacks.ReceiveClientHTTP,
		callbacks.ReceiveClientHTTPRead, callbacks.CompletedClientHTTP} {
		for _, how := range []string{"error", "panic", "ErrClose", "Close"} {
			t.Run(fmt.Sprint(at, " ", how), func(t *testing.T) {
				info := pooled(httpInfo(t, addr, "POST"))
				info.BodyLength = 4
				got := transact(t, info, &fetcher{pieces: []string{"body"}, also: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
					if r != at {
						return nil
					}
					switch how {
					case "error":
						return no
					case "panic":
						panic("no")
					case "ErrClose":
						return callbacks.ErrClose
					}
					return s.Close(0, "")
				}})
				end := "ClientConnectionError"
				if strings.Contains(got.reasons, "EstablishedClientHTTP") {
					end = "ClosedClientHTTP"
				}
				if n := strings.Count(got.reasons, end); n != 1 || got.err == nil || how == "error" && !errors.Is(got.err, no) {
					t.Errorf("%d times %s, %v: %s", n, end, got.err, got.reasons)
				}
			})
		}
	}
}

// TestClientRetriesRequests that have not been answered, if they may arrive twice.
func TestClientRetriesRequests(t *testing.T) {
	for _, c := range []struct {
		method, body string
		tries        int
	}{{"GET", "", 3}, {"PUT", "", 3}, {"POST", "", 1}, {"PUT", "body", 1}} {
		t.Run(c.method+c.body, func(t *testing.T) {
			tries := make(chan int, 10)
			addr := answering(t, func(conn net.Conn, r *bufio.Reader, number int) {
				next(r)
				tries <- number
				if number == 3 {
					_, _ = io.WriteString(conn, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
				}
			})
			info := httpInfo(t, addr, c.method)
			info.BodyLength = int64(len(c.body))
			info.Retry = &engine.RetryPolicy{Table: []time.Duration{time.Millisecond}, Conceal: -1}
			f := new(fetcher)
			if c.body != "" {
				f.pieces = []string{c.body}
			}
			got := transact(t, info, f)
			if len(tries) != c.tries || (got.status == 503) != (c.tries == 3) || strings.Count(got.reasons, "ClientRetrying") != c.tries-1 {
				t.Errorf("%d tries: %+v", len(tries), got)
			}
		})
	}
}

package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// TestRequestsByProxies: where there is TLS by a tunnel, and otherwise the proxy makes
// the request, which it is told in the absolute form.
func TestRequestsByProxies(t *testing.T) {
	n := countConns(t, echoRequest)
	var mu sync.Mutex
	var seen []string
	forward := answering(t, func(c net.Conn, r *bufio.Reader, _ int) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			mu.Lock()
			seen = append(seen, fmt.Sprint(req.Method, " ", req.RequestURI, " ", req.Host, " ", req.Header.Get("Proxy-Authorization")))
			mu.Unlock()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nby")
		}
	})
	tunnel := proxies(t, byConnect("me:secret"))
	socks := proxies(t, bySocks("", ""))
	for name, via := range map[string]string{"HTTP": "http://me:secret@" + tunnel.Addr().String(), "SOCKS": "socks5://" + socks.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			want := "body"
			if name == "HTTP" && over(t) == overTCP {
				via, want = "http://me:secret@"+forward, "by"
			}
			client, _ := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(via) }})
			for range 3 {
				r, err := client.Post(urlOf(t, n.addr)+"/a?b", "", strings.NewReader("body"))
				if got := all(t, r, err); got != want {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	if over(t) == overTCP {
		ask := "POST http://" + n.addr + "/a?b " + n.addr + " Basic bWU6c2VjcmV0"
		if fmt.Sprint(seen) != fmt.Sprint([]string{ask, ask, ask}) {
			t.Errorf("the proxy saw %q", seen)
		}
	} else if tunnel.asked() != n.addr || len(tunnel.targets) != 1 {
		t.Errorf("the proxy was asked for %q", tunnel.targets)
	}
	if socks.asked() != n.addr || len(socks.targets) != 1 {
		t.Errorf("the proxy was asked for %q", socks.targets)
	}
}

// TestClientJar: a Jar's cookies go and come with HTTP, too.
func TestClientJar(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes", Path: "/"})
		_, _ = io.WriteString(w, r.Header.Get("Cookie"))
	})
	jar, _ := cookiejar.New(nil)
	c := newClients(t, 1, engine.Limits{})
	for _, want := range []string{"", "seen=yes"} {
		info := httpInfo(t, addr, "GET")
		info.Jar = jar
		if got := c.do(t, info); got.body != want {
			t.Errorf("got %q, want %q", got.body, want)
		}
	}
}

// TestClientUploadStalls: a server that takes nothing more is given up, and one that
// takes all but does not answer, too.
func TestClientUploadStalls(t *testing.T) {
	release := make(chan struct{})
	addr := answering(t, func(_ net.Conn, r *bufio.Reader, _ int) {
		_, _ = r.ReadByte()
		<-release
	})
	defer close(release)
	c := newClients(t, 1, engine.Limits{StallTimeout: 50 * time.Millisecond, ResponseTimeout: 100 * time.Millisecond})
	info := httpInfo(t, addr, "PUT")
	info.BodyLength = -1
	f, _ := c.begin(t, info, &fetcher{also: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.ClientHTTPWriteable {
			s.RequestWriteable()
			return s.Write(make([]byte, 100_000), callbacks.WriteHTTP)
		}
		return nil
	}})
	if got := receive(t, "it is given up", f.over); !errors.Is(got.err, engine.ErrStalled) {
		t.Errorf("%+v", got)
	}
	info.BodyLength = 4
	f, _ = c.begin(t, info, &fetcher{pieces: []string{"body"}})
	if got := receive(t, "it is given up", f.over); !errors.Is(got.err, engine.ErrResponseTimeout) {
		t.Errorf("%+v", got)
	}
}

// TestClientResponsesCutAnywhere: however much of a response comes, all of it is needed
// for success, and what has come is the beginning of what was to come.
func TestClientResponsesCutAnywhere(t *testing.T) {
	const whole = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n" +
		"5;a=b\r\nhello\r\n7\r\n, world\r\n0\r\nX: y\r\n\r\n"
	answers := make(chan string, 1)
	addr := answering(t, func(c net.Conn, r *bufio.Reader, _ int) {
		for next(r) != nil {
			text := <-answers
			_, _ = io.WriteString(c, text)
			if text != whole {
				return
			}
		}
	})
	c := newClients(t, 1, engine.Limits{})
	for n := len(whole); n >= 0; n-- {
		answers <- whole[:n]
		got := c.do(t, pooled(httpInfo(t, addr, "POST")))
		ok := got.completed && got.err == nil && got.body == "hello, world" && got.trailer == "X: y;"
		if ok != (n == len(whole)) || !strings.HasPrefix("hello, world", got.body) {
			t.Fatalf("cut behind %d bytes: %+v", n, got)
		}
		if n < len(whole) && !errors.Is(got.err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut behind %d bytes: %v", n, got.err)
		}
	}
}

// TestRoundTripLeavesNothing, whatever becomes of the requests.
func TestRoundTripLeavesNothing(t *testing.T) {
	n := countConns(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			if _, err := io.Copy(io.Discard, r.Body); err == nil { // the context notices only then
				<-r.Context().Done()
			}
			return
		}
		echoRequest(w, r)
	})
	if over(t) == overTCP { // in other tests the listener's goroutines come and go
		wstest.NoLeaks(t)
	}
	client, v := tripper(t, 2, engine.Limits{}, engine.RoundTripperConfig{})
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%7)*5*time.Millisecond)
			defer cancel()
			path := "/"
			if i%3 == 0 {
				path = "/hang"
			}
			up, w := io.Pipe()
			go func() {
				_, _ = w.Write(make([]byte, 10_000))
				if i%2 == 0 {
					_ = w.Close()
				} // else whoever reads has to close it
			}()
			req, _ := http.NewRequestWithContext(ctx, "POST", urlOf(t, n.addr)+path, up)
			if r, err := client.Do(req); err == nil {
				_, _ = io.CopyN(io.Discard, r.Body, int64(i*300))
				_ = r.Body.Close()
			}
		})
	}
	wg.Wait()
	v.eventuallyIdle(t)
	client.CloseIdleConnections()
	eventually(t, "the connections are closed", func() bool { return v.Stats().ClientIdle == 0 && n.now.Load() == 0 })
}

// TestClientHearsAnAnswerWhileItCannotSend: the queue is full, and what says that
// nobody wants the rest is read all the same.
func TestClientHearsAnAnswerWhileItCannotSend(t *testing.T) {
	stuck := make(chan struct{})
	release := make(chan struct{})
	addr := answering(t, func(c net.Conn, r *bufio.Reader, _ int) {
		_, _ = r.ReadByte() // and with TLS the handshake
		<-stuck
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
		<-release
	})
	defer close(release)
	info := httpInfo(t, addr, "PUT")
	info.BodyLength = -1
	var once sync.Once
	c := newClients(t, 1, engine.Limits{})
	f, _ := c.begin(t, info, &fetcher{also: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		switch r {
		case callbacks.ClientHTTPWriteable:
			s.SetTimer(200 * time.Millisecond)
			s.RequestWriteable()
			return s.Write(make([]byte, 100_000), callbacks.WriteHTTP)
		case callbacks.Timer:
			once.Do(func() { close(stuck) })
		}
		return nil
	}})
	if got := receive(t, "the transaction ends", f.over); got.status != 413 || got.body != "no" || !got.completed {
		t.Errorf("%+v", got)
	}
}

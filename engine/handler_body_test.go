package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/engine"
)

// outcomes is a handler's way to tell a test.
type outcomes chan string

func (c outcomes) tell(format string, args ...any) { c <- fmt.Sprintf(format, args...) }

// want waits for what the handler tells.
func (c outcomes) want(t *testing.T, want string) {
	t.Helper()
	if got := receive(t, want, c); got != want {
		t.Fatalf("the handler tells %q, want %q", got, want)
	}
}

const chunkedPost = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"

// inMost is how much of a body waits for its handler.
const inMost = 256 << 10

// postRoot is a request for /.
func postRoot(body string) string { return strings.Replace(post(body), "@", "/", 1) }

// TestHandlerContinue: a client that waits for 100 gets it when the handler first reads,
// and not before.
func TestHandlerContinue(t *testing.T) {
	read := make(chan struct{})
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-read
		echoBody(w, r)
	}), engine.Limits{})
	p := v.dial(t).send("POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	_ = p.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if b, err := p.r.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("before the handler reads: %q, %v", b, err)
	}
	_ = p.SetReadDeadline(time.Now().Add(patience))
	close(read)
	p.want(100, "")
	p.send("hello")
	p.want(200, `5 "hello" <nil>`)
	p.send(get("/")).want(200, `0 "" <nil>`)
}

// TestHandlerBodyGoesWrong: what a handler reads of a body that is not as it should be,
// and what the client is told.
func TestHandlerBodyGoesWrong(t *testing.T) {
	read, running := make(outcomes, 1), make(chan struct{}, 1)
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running <- struct{}{}
		_, err := io.Copy(io.Discard, r.Body)
		var long *http.MaxBytesError
		switch {
		case errors.As(err, &long):
			read.tell("more than %d", long.Limit)
		case err == io.ErrUnexpectedEOF:
			read.tell("unexpected EOF, as it is")
		default:
			read.tell("unexpected EOF %v", errors.Is(err, io.ErrUnexpectedEOF))
		}
		<-r.Context().Done()
		_, werr := io.WriteString(w, strings.Repeat("x", 100_000))
		read.tell("gone %v", errors.Is(werr, net.ErrClosed))
	}), engine.Limits{Body: 1000, BodyTimeout: 50 * time.Millisecond})
	for name, c := range map[string]struct {
		send   string
		hangUp bool
		status int
		read   string
	}{
		"a broken chunk":      {chunkedPost + "5\r\nhello\r\nzz\r\n", false, 400, "unexpected EOF true"},
		"the client stops":    {chunkedPost + "5\r\nhel", false, 408, "unexpected EOF true"},
		"the client shuts":    {chunkedPost + "5\r\nhel", true, 400, "unexpected EOF, as it is"},
		"too long":            {chunkedPost + "3e8\r\n" + strings.Repeat("x", 1000) + "\r\n1\r\ny\r\n0\r\n\r\n", false, 413, "more than 1000"},
		"the length is short": {"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhel", true, 400, "unexpected EOF, as it is"},
	} {
		t.Run(name, func(t *testing.T) {
			head, body, _ := strings.Cut(c.send, "\r\n\r\n")
			p := v.dial(t).send(head, "\r\n\r\n")
			<-running // or it would never begin
			p.send(body)
			if c.hangUp {
				if err := p.Conn.(wire).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			read.want(t, c.read)
			read.want(t, "gone true")
			r, _ := p.response("POST")
			if r.StatusCode != c.status || !r.Close {
				t.Errorf("%d, close %v; want %d and a close", r.StatusCode, r.Close, c.status)
			}
			p.wantEOF()
		})
	}
}

// TestHandlerBodyOverTheLimit: a length that is too long is refused before the handler
// hears of it.
func TestHandlerBodyOverTheLimit(t *testing.T) {
	v := serveHandler(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the handler was called")
	}), engine.Limits{Body: 1000})
	r, _ := v.dial(t).send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1001\r\n\r\n").response("POST")
	if r.StatusCode != 413 {
		t.Error(r.Status)
	}
}

// TestHandlerDoesNotRead: the client is held back by TCP while the handler does not read.
// What the handler leaves is taken off the client up to 256 KiB, or costs the connection.
func TestHandlerDoesNotRead(t *testing.T) {
	answer := make(chan struct{})
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-answer
		_, err := io.CopyN(io.Discard, r.Body, 1<<20)
		fmt.Fprint(w, err)
	}), engine.Limits{})
	p := v.dial(t)
	const most = 64 << 20 // beyond what the kernel's buffers hold
	p.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", most))
	sent, piece := 0, make([]byte, 1<<20)
	_ = p.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	for sent < most {
		n, err := p.Write(piece)
		sent += n
		if err != nil {
			break
		}
	}
	if sent > most/2 {
		t.Fatalf("%d bytes were taken while nobody read", sent)
	}
	close(answer)
	r, body := p.response("POST")
	if r.StatusCode != 200 || body != "<nil>" || !r.Close {
		t.Errorf("%s %q, close %v", r.Status, body, r.Close)
	}

	p = v.dial(t) // all of it is there, and has stopped the reading, when it turns out that nobody wants it
	for range 50 {
		p.send(postRoot(strings.Repeat("x", 1<<20+inMost))).want(200, "<nil>")
	}

	q := v.dial(t)
	short := 1<<20 + 200_000
	q.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", short), strings.Repeat("x", short))
	q.want(200, "<nil>")
	q.send(postRoot(strings.Repeat("y", 1<<20))).want(200, "<nil>")
}

// TestHandlerClosesTheBody: a client whose body was closed cannot send all of it, and
// what is left when the answer is given costs the connection if it is much.
func TestHandlerClosesTheBody(t *testing.T) {
	answer := make(chan struct{})
	v := serveHandler(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.Body.Close()
		_ = r.Body.Close()
		<-answer
	}), engine.Limits{})
	const most = 64 << 20 // beyond what the kernel's buffers hold
	p := v.dial(t).send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", most))
	sent, piece := 0, make([]byte, 1<<20)
	_ = p.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	for sent < most {
		n, err := p.Write(piece)
		sent += n
		if err != nil {
			break
		}
	}
	if sent > most/2 {
		t.Fatalf("%d bytes were taken for nobody", sent)
	}
	q := v.dial(t).send(postRoot(strings.Repeat("x", inMost)))
	close(answer)
	if r, _ := p.response("POST"); r.StatusCode != 200 || !r.Close {
		t.Errorf("%s, close %v", r.Status, r.Close)
	}
	q.want(200, "")
	q.send(postRoot("again")).want(200, "")
}

// TestHandlerReadDeadline: http.ResponseController's deadline ends a Read that waits, and
// can be moved.
func TestHandlerReadDeadline(t *testing.T) {
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		b := make([]byte, 10)
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		n, err := r.Body.Read(b)
		fmt.Fprint(w, n, errors.Is(err, os.ErrDeadlineExceeded))
		_ = c.SetReadDeadline(time.Now().Add(-time.Second))
		_, err = r.Body.Read(b)
		fmt.Fprint(w, errors.Is(err, os.ErrDeadlineExceeded))
		_ = c.SetReadDeadline(time.Time{})
		_ = c.Flush()
		n, err = io.ReadFull(r.Body, b[:5])
		fmt.Fprint(w, n, err)
	}), engine.Limits{})
	p := v.dial(t).send(strings.TrimSuffix(postRoot("hello"), "hello"))
	r, err := http.ReadResponse(p.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.send("hello")
	b, err := io.ReadAll(r.Body)
	if string(b) != "0 truetrue5 <nil>" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// TestHandlerContext: a handler's context ends with its client, with itself, and with
// the engine's patience.
func TestHandlerContext(t *testing.T) {
	seen, contexts := make(outcomes, 1), make(chan context.Context, 1)
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/now" {
			contexts <- r.Context()
			return
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		seen.tell("%v", r.Context().Err())
	}), engine.Limits{})
	p := v.dial(t).send(get("/now")).want(200, "")
	_ = p
	select {
	case <-receive(t, "a context", contexts).Done():
	case <-time.After(patience):
		t.Error("the context outlives its handler")
	}
	for _, leave := range []func(w wire){
		func(w wire) { _ = w.CloseWrite() },
		func(w wire) { _ = w.SetLinger(0); _ = w.Close() },
	} {
		c := v.dial(t).send(get("/"))
		if _, err := http.ReadResponse(c.r, nil); err != nil {
			t.Fatal(err)
		}
		leave(c.Conn.(wire))
		seen.want(t, "context canceled")
	}
	v.dial(t).send(get("/"))
	eventually(t, "it is running", func() bool { return v.Stats().Requests == 4 })
	v.stop()
	seen.want(t, "context canceled")
}

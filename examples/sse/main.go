package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

//go:embed page.html
var page []byte

// behind is how many bytes may wait for one listener before it misses events.
const behind = 16 << 10

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("sse", flag.ContinueOnError)
	f.SetOutput(out)
	addr := f.String("addr", "127.0.0.1:7683", "`address` to listen on")
	loops := f.Int("loops", 0, "event loops; 0 is one for each processor")
	tick := f.Duration("tick", time.Second, "time between two events")
	alive := f.Duration("alive", 15*time.Second, "silence after which a comment is sent")
	cert := f.String("cert", "", "certificate `file`, PEM or DER: speak https")
	key := f.String("key", "", "its private key's `file`, if it is not in the same")
	if err := f.Parse(args); err != nil {
		return err
	}
	scheme, secure := "http", (*engine.ServerTLS)(nil)
	if *cert != "" || *key != "" {
		scheme, secure = "https", &engine.ServerTLS{CertFile: *cert, KeyFile: *key}
	}
	v := newServer(*alive)
	e, err := engine.New(v.config(*addr, *loops, secure))
	if err != nil {
		return err
	}
	if err := e.Listen(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s://%s/\n", scheme, e.Addrs()[0])
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go v.clock(ctx, *tick)
	return e.Run(ctx)
}

func newServer(alive time.Duration) *server {
	return &server{feed: feed{here: make(map[callbacks.Handle]struct{}), wake: wake}, alive: alive}
}

func (v *server) config(addr string, loops int, secure *engine.ServerTLS) engine.Config {
	return engine.Config{
		Loops:  loops,
		Limits: engine.Limits{SendHigh: behind, SendQueue: 4 * behind},
		Vhosts: []engine.Vhost{{
			Listen:    []string{"tcp://" + addr},
			Protocols: []callbacks.Protocol{{Name: "sse", Callback: callbacks.WithState(v.callback)}},
			TLS:       secure,
		}},
	}
}

// clock publishes the time.
func (v *server) clock(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			v.feed.publish("clock", now.Format(time.TimeOnly))
		case <-ctx.Done(): // Run waits for requests in hand
			v.feed.end()
			return
		}
	}
}

type server struct {
	feed  feed
	alive time.Duration
}

// listener is the state of a request for the stream.
type listener struct {
	v     *server // nil if it is another request
	h     callbacks.Handle
	next  uint64 // number of the event that it gets next
	quiet bool   // nothing was sent since the last Timer
	buf   []byte
}

func (v *server) callback(s callbacks.Session, l *listener, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.HTTP:
		return v.request(s, l, string(in))
	case callbacks.HTTPWriteable:
		return l.catchUp(s)
	case callbacks.Timer:
		return l.keepAlive(s)
	case callbacks.HTTPDropProtocol:
		if l.v != nil {
			s.SetTimer(-1)
			v.feed.leave(l.h)
		}
	}
	return nil
}

func (v *server) request(s callbacks.Session, l *listener, path string) error {
	q := s.Request()
	switch method := string(q.Method()); {
	case path != "/" && path != "/events":
		return nil // 404
	case method != "GET" && method != "HEAD":
		_ = s.AddHeader("Allow", "GET, HEAD")
		return s.Respond(405, "text/plain", []byte("GET it\n"))
	case path == "/":
		return s.Respond(200, "text/html; charset=utf-8", page)
	}
	_ = s.AddHeader("Cache-Control", "no-store")
	if err := s.StartResponse(200, http1.EventStream, -1); err != nil {
		return err
	}
	if string(q.Method()) == "HEAD" {
		return s.Write(nil, callbacks.WriteHTTPFinal)
	}
	hello, _ := http1.AppendEvent(nil, &http1.Event{Retry: 2 * time.Second})
	if err := s.Write(hello, callbacks.WriteHTTP); err != nil {
		return err
	}
	seen, _ := q.Header().Get("Last-Event-ID")
	l.v, l.h = v, s.Handle()
	l.next = v.feed.join(l.h, string(seen))
	s.SetTimer(v.alive)
	return nil
}

// wake runs on the session's loop when there is something new.
func wake(s callbacks.Session) error { return s.UserData().(*listener).catchUp(s) }

// catchUp writes what the listener has not got. Whoever has more waiting than it should
// gets the rest when it has read, as far as that is remembered then.
func (l *listener) catchUp(s callbacks.Session) error {
	if s.Buffered() >= behind {
		s.RequestWriteable()
		return nil
	}
	l.buf, l.next = l.v.feed.since(l.buf[:0], l.next)
	if len(l.buf) == 0 {
		return nil
	}
	l.quiet = false
	return s.Write(l.buf, callbacks.WriteHTTP)
}

// keepAlive sends a comment if nothing else was sent for a while.
func (l *listener) keepAlive(s callbacks.Session) error {
	s.SetTimer(l.v.alive)
	if !l.quiet || s.Buffered() > 0 {
		l.quiet = true
		return nil
	}
	return s.Write(http1.AppendEventComment(nil, "still here"), callbacks.WriteHTTP)
}

package engine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/internal/bufpool"
	"github.com/penstock-go/penstock/internal/invariant"
)

// TestStream: what is pushed in any pieces is popped in any pieces, and the buffers go
// back.
func TestStream(t *testing.T) {
	defer checkBuffers(t)()
	rng := rand.New(rand.NewPCG(1, 2))
	var q stream
	var want bytes.Buffer
	p := make([]byte, 300<<10)
	for i := range 3000 {
		if rng.IntN(2) == 0 {
			b := p[:rng.IntN(1<<rng.IntN(18))]
			for k := range b {
				b[k] = byte(i + k)
			}
			q.push(b)
			want.Write(b)
		} else {
			b := p[:rng.IntN(1<<rng.IntN(19))]
			n := q.pop(b)
			if n != min(len(b), want.Len()) || !bytes.Equal(b[:n], want.Next(n)) {
				t.Fatalf("step %d: %d bytes of %d, or not the right ones", i, n, len(b))
			}
		}
		if q.size != want.Len() || len(q.bufs) > want.Len()/(inPiece/2)+2 {
			t.Fatalf("step %d: %d bytes in %d buffers, want %d", i, q.size, len(q.bufs), want.Len())
		}
	}
	q.drop()
}

// requestSeeds are heads that net/http and the parser both take.
var requestSeeds = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"\r\nGET /a%2fb?c=d&e#f HTTP/1.1\r\nHost: a:80\r\nx-a: 1\r\nX-A:2\r\nAccept: \t x \t\r\nX-Empty:\r\n\r\n",
	"POST http://h/p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x, y\r\nTrailer: z\r\n\r\n",
	"OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\nPragma: no-cache\r\n\r\n",
	"CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\nPragma: no-cache\r\nCache-Control: x\r\n\r\n",
	"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nConnection: close, x\r\nExpect: 100-continue\r\n\r\n",
	"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
}

// FuzzNewRequest: what a handler gets of a head is what net/http's reader makes of it,
// or the target is one that it does not take.
func FuzzNewRequest(f *testing.F) {
	for _, s := range requestSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var q http1.Request
		n, err := http1.ParseRequest(b, &q, nil)
		if err != nil || n == 0 {
			return
		}
		got, err := newRequest(&q, context.Background())
		lines := b[:n]
		for bytes.HasPrefix(lines, []byte("\r\n")) { // net/http has no patience for these
			lines = lines[2:]
		}
		want, werr := http.ReadRequest(bufio.NewReader(bytes.NewReader(lines)))
		if (err == nil) != (werr == nil) {
			if err == nil && strings.Contains(fmt.Sprint(werr), "trailer") {
				return // it refuses names that we leave out
			}
			t.Fatalf("%q: %v; net/http: %v", b[:n], err, werr)
		}
		if err != nil {
			return
		}
		want = want.WithContext(context.Background())
		want.Body, got.Body = nil, nil
		if len(want.Trailer) == 0 {
			want.Trailer = nil
		}
		for name := range want.Trailer {
			if !http1.ValidTrailer(name) {
				delete(want.Trailer, name)
			}
		}
		if len(want.Trailer) == 0 && len(got.Trailer) == 0 {
			want.Trailer, got.Trailer = nil, nil
		}
		if minor := want.ProtoMinor; minor > 1 {
			want.Proto, want.ProtoMinor = got.Proto, got.ProtoMinor
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q:\n%#v\nnet/http:\n%#v", b[:n], got, want)
		}
	})
}

// TestAppendCleanSmugglesNothing: whatever a handler sets, what is sent is one field, or
// none.
func TestAppendCleanSmugglesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const letters = "aB-: \t\r\n\x00\x7f\xc3\xbc"
	random := func() string {
		b := make([]byte, rng.IntN(8))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		return string(b)
	}
	for range 20_000 {
		name, value := random(), random()
		b := appendClean(nil, name, value)
		if len(b) == 0 && !http1.ValidName(name) {
			continue
		}
		var r http1.Response
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\n%s\r\n", b)
		n, err := http1.ParseResponse([]byte(head), &r, nil)
		if err != nil || n != len(head) || r.Header().Len() != 1 {
			t.Fatalf("%q: %q becomes %q: %v", name, value, b, err)
		}
	}
}

// TestConduitTakes: little before the worker reads, more afterwards, and what nobody
// wants only so far.
func TestConduitTakes(t *testing.T) {
	defer checkBuffers(t)()
	e := quietEngine(t)
	c := &hijackedConn{}
	c.init(&session{l: e.loops[0]}, c)
	p := make([]byte, 2*inMost)
	bring := func(when string, want int) {
		t.Helper()
		if room := c.takes(); room != want {
			t.Errorf("%s there is room for %d, want %d", when, room, want)
		}
		if n, pause := c.bring(p[:want-1]); n != want-1 || pause {
			t.Errorf("%s, but for a byte: %d taken, pause %v", when, n, pause)
		}
		if n, pause := c.bring(p); n != 1 || !pause {
			t.Errorf("%s: %d taken, pause %v", when, n, pause)
		}
	}
	bring("at first", inFirst)
	if _, err := c.read(p[:1]); err != nil || c.wants&wantMore == 0 {
		t.Errorf("%v, wants %b", err, c.wants)
	}
	bring("behind the first Read", inMost-inFirst+1)
	c.wants = 0
	c.stopReading(http.ErrBodyReadAfterClose)
	if c.wants&wantMore == 0 {
		t.Error("a worker that stops reading does not let the client go on")
	}
	bring("for nobody", drainMost)
	c.wants = 0
	if c.stopReading(http.ErrBodyReadAfterClose); c.wants != 0 {
		t.Error("stopping twice reads twice as much")
	}
}

// TestHijackGivesTheRoleBackLater: the connection's former role is not anybody else's
// before the event is over that hijacked it.
func TestHijackGivesTheRoleBackLater(t *testing.T) {
	l := quietEngine(t).loops[0]
	s := &session{l: l}
	h := &httpRole{flags: httpServed}
	s.role = h
	x := &handling{service: &handlerService{}, cancel: func() {}}
	x.init(s, x)
	x.hijack(h)
	if _, ok := s.role.(*hijackedRole); !ok || len(l.httpRoles) != 0 || h.flags&httpServed == 0 {
		t.Errorf("role %T, %d given back, flags %b", s.role, len(l.httpRoles), h.flags)
	}
}

// quietEngine is one whose loops do not run.
func quietEngine(t *testing.T) *Engine {
	t.Helper()
	e, err := New(Config{Loops: 1, Vhosts: []Vhost{{Listen: []string{"tcp://127.0.0.1:0"}, Protocols: []callbacks.Protocol{{Name: "quiet", Callback: func(callbacks.Session, callbacks.Reason, []byte) error { return nil }}}}}})
	if err == nil {
		err = e.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.r.Discard)
	return e
}

// checkBuffers is to be deferred, called.
func checkBuffers(t *testing.T) func() {
	before := invariant.Counts()[bufpool.Ledger]
	return func() {
		if after := invariant.Counts()[bufpool.Ledger]; after != before {
			t.Errorf("%d buffers are out, %d before", after, before)
		}
	}
}

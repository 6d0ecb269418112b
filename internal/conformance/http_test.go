package conformance

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/wstest"
)

// httpCase is bytes that a client sends on a connection of its own, and what it must
// get: the answers, and then what the ending says.
type httpCase struct {
	name    string
	in      string
	answers []answer
	ending  ending
	status  int  // of a refusal; 0 is any of 400 to 599
	fin     bool // the client's FIN follows
}

type ending uint8

const (
	stays   ending = iota // the connection takes another request
	closes                // it is closed, and the last answer says so
	refuses               // one more answer says what is wrong, and closes
	cutOff                // the same, or the answer in hand breaks off: its request never ended
)

// answer is what a request must get.
type answer struct {
	status int
	body   string
	head   bool // a Content-Length, perhaps, and no body
	any    bool // of body
}

var (
	plain    = answer{status: 200, body: "Hello, World!"}
	nothing  = answer{status: 200}
	headOnly = answer{status: 200, head: true}
	fifty    = slices.Repeat([]answer{plain}, 50)
)

func echoed(body string) answer { return answer{status: 200, body: body} }

// good is answered and leaves the connection open.
func good(name, in string, answers ...answer) httpCase {
	return httpCase{name: name, in: in, answers: answers}
}

// final is answered and closes the connection.
func final(name, in string, answers ...answer) httpCase {
	return httpCase{name: name, in: in, answers: answers, ending: closes}
}

// bad is refused, behind answers to what comes before.
func bad(status int, name, in string, answers ...answer) httpCase {
	return httpCase{name: name, in: in, answers: answers, ending: refuses, status: status}
}

// cut ends in the middle of a request.
func cut(name, in string, answers ...answer) httpCase {
	return httpCase{name: name, in: in, answers: answers, ending: cutOff, fin: true}
}

// ends is c with a FIN behind it.
func (c httpCase) ends() httpCase {
	c.fin = true
	return c
}

// msg is a head of these lines.
func msg(first string, more ...string) string {
	return strings.Join(append([]string{first}, more...), "\r\n") + "\r\n\r\n"
}

// get is a request that is answered by plain.
func get(lines ...string) string {
	return msg("GET /plain HTTP/1.1", append([]string{"Host: a"}, lines...)...)
}

// post is a request with a body and that value for its Content-Length.
func post(length, body string, lines ...string) string {
	return msg("POST /echo HTTP/1.1", append([]string{"Host: a", "Content-Length: " + length}, lines...)...) + body
}

// chunks is a request with a chunked body.
func chunks(body string) string {
	return msg("POST /echo HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + body
}

// httpSuite are the tables of the other files.
var httpSuite = []struct {
	name  string
	cases []httpCase
}{
	{"beginning", httpBeginnings},
	{"method", httpMethods},
	{"request line", httpRequestLines},
	{"target", httpTargets},
	{"form of target", httpForms},
	{"Host", httpHosts},
	{"field", httpFields},
	{"length", httpLengths},
	{"coding", httpCodings},
	{"chunk", httpChunks},
	{"extension", httpExtensions},
	{"trailer", httpTrailers},
	{"connection", httpConnections},
	{"upgrade", httpUpgrades},
	{"expectation", httpExpectations},
	{"pipeline", httpPipelines},
}

func TestHTTP(t *testing.T) {
	for _, m := range []mode{{}, {tls: true}} {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			g := serve(t, m)
			failed := 0
			for _, part := range httpSuite {
				for _, c := range part.cases {
					ok := t.Run(part.name+"/"+c.name, c.play(g))
					board.count("http "+m.String(), part.name, ok)
					if !ok {
						failed++
					}
				}
				if failed > enough && !full() {
					t.Fatalf("what comes behind %s is left out", part.name)
				}
			}
			g.server.interrupt()
		})
	}
}

func TestHTTPCasesAreMany(t *testing.T) {
	n, names := 0, map[string]bool{}
	for _, part := range httpSuite {
		for _, c := range part.cases {
			if names[part.name+c.name] {
				t.Errorf("two cases are called %s", c.name)
			}
			names[part.name+c.name] = true
			n++
		}
	}
	if n < 700 {
		t.Errorf("only %d cases", n)
	}
}

// probe follows a case, in the same segment. It is answered if the case leaves the
// connection open, and never else.
const probe = "POST /probe HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nprobe"

var probed = echoed("probe")

// play runs the case in several ways, on connections of their own.
func (c httpCase) play(g *target) func(t *testing.T) {
	return func(t *testing.T) {
		alone := c.connect(g, t)
		alone.send(c.in)
		alone.finish(true)
		if c.fin {
			return
		}
		if c.ending == stays {
			alone.send(probe)
			alone.expect(probed)
		}
		behind := c.connect(g, t)
		behind.send(c.in + probe)
		behind.finish(true)
		if c.ending == stays {
			behind.expect(probed)
		}
		cuts := c.connect(g, t)
		for _, at := range c.cutsFor(g) {
			if cuts.over {
				cuts = c.connect(g, t)
			}
			// The answer to a first request says that the server has seen the beginning of
			// the second one, and had to wait for the rest.
			cuts.send(get() + c.in[:at])
			cuts.expect(plain)
			cuts.send(c.in[at:] + probe)
			cuts.finish(false)
			if c.ending == stays {
				cuts.expect(probed)
			}
		}
	}
}

// cutsFor are the offsets at which the case is cut in two: all that cost no connection,
// and a few of those that do.
func (c httpCase) cutsFor(g *target) []int {
	most := 200
	switch {
	case c.ending == stays && raced:
		most = 20
	case c.ending != stays && (raced || g.mode.tls):
		most = 1
	case c.ending != stays:
		most = 6
	}
	step := max(1, len(c.in)/most)
	if full() && c.ending == stays {
		step = max(1, len(c.in)/5000)
	}
	var at []int
	for i := step; i < len(c.in); i += step {
		at = append(at, i)
	}
	return at
}

// exchange is a connection on which a case is played.
type exchange struct {
	*wstest.Conn
	t    *testing.T
	c    httpCase
	over bool // it is closed
}

func (c httpCase) connect(g *target, t *testing.T) *exchange {
	t.Helper()
	p := g.connect(t)
	_ = p.SetDeadline(time.Now().Add(wstest.Patience / 3))
	return &exchange{Conn: p.Conn, t: t, c: c}
}

// send is what the server may have ceased to read.
func (x *exchange) send(s string) {
	x.t.Helper()
	if _, err := io.WriteString(x.Conn.Conn, s); err != nil && x.c.ending == stays {
		x.t.Fatal(err)
	}
	if x.c.fin {
		if err := x.CloseWrite(); err != nil {
			x.t.Fatal(err)
		}
	}
}

// segment is what surely arrives at once, by TLS too.
const segment = 4 << 10

// finish expects what the case says. Whole tells that it was sent at once: then an
// answer that has begun is taken back when the body turns out to be broken.
func (x *exchange) finish(whole bool) {
	x.t.Helper()
	for i, a := range x.c.answers {
		resp := x.expect(a)
		if i == len(x.c.answers)-1 && x.c.ending == closes && !resp.Close && !x.c.fin {
			x.t.Errorf("the last answer does not close: %v", resp.Header)
		}
	}
	switch x.c.ending {
	case stays:
		return
	case refuses:
		x.refusal(whole && len(x.c.in) < segment)
	case cutOff:
		x.refusal(false)
	}
	x.over = true
	if rest, err := io.ReadAll(x.R); err != nil || len(rest) > 0 {
		x.t.Fatalf("behind the end: %q, %v", rest, err)
	}
}

// expect reads an answer, and 100 (Continue) before it.
func (x *exchange) expect(want answer) *http.Response {
	x.t.Helper()
	resp, body, err := x.read(want.head)
	switch {
	case err != nil:
		x.t.Fatalf("no answer: %v", err)
	case resp.StatusCode != want.status || !want.any && !want.head && body != want.body:
		x.t.Fatalf("answered %s %.100q, want %d %.100q", resp.Status, body, want.status, want.body)
	}
	return resp
}

func (x *exchange) read(head bool) (*http.Response, string, error) {
	method := "GET"
	if head {
		method = "HEAD"
	}
	for interim := 0; ; interim++ {
		resp, err := http.ReadResponse(x.R, &http.Request{Method: method})
		if err != nil {
			return nil, "", err
		}
		if resp.StatusCode != 100 {
			body, err := io.ReadAll(resp.Body)
			return resp, string(body), err
		}
		if interim > 0 || !strings.Contains(strings.ToLower(x.c.in), "100-continue") {
			return nil, "", errors.New("100 (Continue) twice, or unasked for")
		}
	}
}

// refusal reads the answer that says what is wrong. If the request came in parts,
// the good part may have been answered; then the connection breaks off.
func (x *exchange) refusal(whole bool) {
	x.t.Helper()
	resp, body, err := x.read(false)
	switch {
	case !whole && errors.Is(err, io.ErrUnexpectedEOF) && resp != nil && resp.StatusCode == 200:
		return
	case x.c.ending == cutOff && !whole && err != nil && resp == nil:
		x.t.Fatalf("no answer to half a request: %v", err)
	case err != nil:
		x.t.Fatalf("no refusal: %v", err)
	case resp.StatusCode < 400 || x.c.status != 0 && resp.StatusCode != x.c.status:
		x.t.Fatalf("answered %s %.100q, want %d", resp.Status, body, x.c.status)
	case !resp.Close:
		x.t.Errorf("the refusal does not close: %v", resp.Header)
	}
}

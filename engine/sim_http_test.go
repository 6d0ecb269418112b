package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/penstock-go/penstock/codec/http1"
)

func TestSimHTTP(t *testing.T) {
	runSeeds(t, scenario{name: "HTTP", play: func(w *world) {
		for i := range 1 + w.rng.IntN(4) {
			w.addHTTPClient(fmt.Sprintf("client %d", i))
		}
	}}, simCount)
}

// httpClient is what a client asks for.
type httpClient struct {
	w         *world
	p         *peer
	exchanges []exchange
}

// addHTTPClient adds a client whose requests are well formed, with at most one
// at the end that is not.
func (w *world) addHTTPClient(name string) {
	c := &httpClient{w: w}
	ops := []op{rest(time.Second), dial(httpPort)}
	for range w.rng.IntN(6) {
		c.exchanges = append(c.exchanges, w.newExchange())
	}
	if w.rng.IntN(3) == 0 {
		c.exchanges = append(c.exchanges, w.fatalExchange())
	}
	var out []byte
	for i := range c.exchanges {
		x := &c.exchanges[i]
		head, body := x.wire(w)
		out = append(out, head...)
		if x.expect {
			ops = append(ops, send(out), await("100", c.continued(i)))
			out = nil
		}
		out = append(out, body...)
		if w.rng.IntN(3) == 0 {
			ops = append(ops, send(out), rest(time.Second))
			out = nil
		}
	}
	ops = append(append(ops, send(out)), c.ending()...)
	c.p = w.add(name, ops...)
	w.checks = append(w.checks, c.check)
}

// ending is how the client leaves: every way still gets it all its answers.
func (c *httpClient) ending() []op {
	if c.w.rng.IntN(2) == 0 {
		return []op{closeWrite(), ended()}
	}
	return []op{await("the answers", func(p *peer) bool { return len(c.responses()) >= c.expected() }), closeWrite(), ended()}
}

// expected is how many answers must come.
func (c *httpClient) expected() int {
	for i, x := range c.exchanges {
		if x.closes {
			return i + 1
		}
	}
	return len(c.exchanges)
}

// continued waits for the 100 that belongs to request i, or for an answer.
func (c *httpClient) continued(i int) func(*peer) bool {
	want := 0
	for _, x := range c.exchanges[:i+1] {
		if x.expect {
			want++
		}
	}
	return func(p *peer) bool {
		return bytes.Count(p.got, []byte(" 100 Continue\r\n")) >= want || len(c.responses()) > i
	}
}

// response is an answer as net/http reads it.
type response struct {
	status int
	body   string
	length int64
}

// responses reads those that are complete.
func (c *httpClient) responses() (out []response) {
	b := bufio.NewReader(bytes.NewReader(c.p.got))
	for i := 0; i < len(c.exchanges); {
		resp, err := http.ReadResponse(b, &http.Request{Method: c.exchanges[i].method})
		if err != nil {
			return out
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.ContentLength < 0 && resp.TransferEncoding == nil && !c.p.end.FIN() {
			return out
		}
		if resp.StatusCode != 100 {
			out = append(out, response{resp.StatusCode, string(body), resp.ContentLength})
			i++
		}
	}
	if rest, _ := io.ReadAll(b); len(rest) > 0 && !c.w.spoils {
		c.w.failf("%s: bytes behind the last answer: %.100q in %.1000q, asked for %v", c.p.name, rest, c.p.got, c.exchanges)
	}
	return out
}

// check compares what came with what must have.
func (c *httpClient) check() {
	if c.p.end == nil {
		return
	}
	got, want := c.responses(), c.expected()
	for i, r := range got {
		x := &c.exchanges[i]
		body := x.answer
		if x.method == "HEAD" {
			if r.length >= 0 && r.length != int64(len(body)) {
				c.w.failf("%s: HEAD %d announces %d bytes instead of %d", c.p.name, i, r.length, len(body))
			}
			body = ""
		}
		if r.status != x.status || r.body != body {
			c.w.failf("%s: answer %d (%s %.80s%.80s) is %d %.80q instead of %d %.80q", c.p.name, i,
				x.method, x.path, x.raw, r.status, r.body, x.status, body)
			return
		}
	}
	if len(got) > want || len(got) < want && !c.w.cut {
		c.w.failf("%s: %d answers instead of %d: %.3000q, asked for %v", c.p.name, len(got), want, c.p.got, c.exchanges)
	}
	if !c.w.cut && (c.p.end.Broken() || bytes.Contains(c.p.got, []byte(http1.StatusText(408)))) {
		c.w.failf("%s: cut off: broken %v, got %q", c.p.name, c.p.end.Broken(), c.p.got)
	}
}

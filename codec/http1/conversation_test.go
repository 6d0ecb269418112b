package http1

import (
	"fmt"
	"strings"
	"testing"
)

// A conversation is one direction of a connection: heads and bodies behind each
// other, read the way an engine reads them, and written down as events. However
// the bytes are cut, the events must be the same.

// reader is the smallest server side there can be.
type reader struct {
	held   []byte // a head that is not complete
	req    Request
	body   Body
	inBody bool
	over   bool // an error, or a message that ends the connection
	events []string
	data   strings.Builder
}

// receive takes bytes off the wire.
func (c *reader) receive(p []byte) {
	c.held = append(c.held, p...)
	for !c.over && c.step() {
		continue
	}
}

// step reads one head or one piece of a body, and says whether to go on.
func (c *reader) step() bool {
	if c.inBody {
		return c.bodyStep()
	}
	n, err := ParseRequest(c.held, &c.req, nil)
	switch {
	case err != nil:
		c.fail(err)
		return false
	case n == 0:
		return false
	}
	c.event("%s %s %v", c.req.Method(), c.req.Target(), c.req.Framing().Kind)
	if c.req.ExpectContinue() {
		c.event("100")
	}
	c.body.Start(c.req.Framing(), nil)
	c.inBody = true
	c.held = c.held[n:]
	return true
}

func (c *reader) bodyStep() bool {
	n, data, done, err := c.body.Next(c.held)
	c.held = c.held[n:]
	c.data.Write(data)
	if err != nil {
		c.fail(err)
		return false
	}
	if done {
		c.endBody()
		return true
	}
	return len(c.held) > 0
}

func (c *reader) endBody() {
	c.inBody = false
	c.event("body %q", c.data.String())
	c.data.Reset()
	if h := c.body.Trailer(); h != nil {
		c.event("trailer %s", describeHeader(h))
	}
	c.over = c.over || !c.req.KeepAlive()
}

func (c *reader) fail(err error) {
	c.over = true
	c.event("%d %v", err.(*Error).Status, err)
}

func (c *reader) event(format string, args ...any) {
	c.events = append(c.events, fmt.Sprintf(format, args...))
}

// conversations are what the probes of other engines found wrong in them.
var conversations = []struct {
	name, in string
	want     []string
}{
	{
		"three GETs in one segment",
		head("GET /1 HTTP/1.1", "Host: a") + head("GET /2 HTTP/1.1", "Host: a") + head("GET /3 HTTP/1.1", "Host: a"),
		[]string{"GET /1 no body", `body ""`, "GET /2 no body", `body ""`, "GET /3 no body", `body ""`},
	},
	{
		"POST of five bytes and the next request",
		head("POST /p HTTP/1.1", "Host: a", "Content-Length: 5") + "hello" + head("GET /next HTTP/1.1", "Host: a"),
		[]string{"POST /p content length", `body "hello"`, "GET /next no body", `body ""`},
	},
	{
		"POST of nothing and the next request",
		head("POST /p HTTP/1.1", "Host: a", "Content-Length: 0") + head("GET /next HTTP/1.1", "Host: a"),
		[]string{"POST /p content length", `body ""`, "GET /next no body", `body ""`},
	},
	{
		"chunked POST with trailers and the next request",
		head("POST /c HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") +
			"5\r\nhello\r\n1;last\r\n!\r\n0\r\nX-Sum: 6\r\n\r\n" + head("GET /next HTTP/1.1", "Host: a"),
		[]string{"POST /c chunked", `body "hello!"`, "trailer [X-Sum=6]", "GET /next no body", `body ""`},
	},
	{
		"old clients put a CRLF behind a body",
		head("POST / HTTP/1.1", "Host: a", "Content-Length: 2") + "ab\r\n" + head("GET /next HTTP/1.1", "Host: a"),
		[]string{"POST / content length", `body "ab"`, "GET /next no body", `body ""`},
	},
	{
		"Expect is answered before the body",
		head("PUT / HTTP/1.1", "Host: a", "Expect: 100-continue", "Content-Length: 2") + "ab",
		[]string{"PUT / content length", "100", `body "ab"`},
	},
	{
		"close ends the connection",
		head("GET /1 HTTP/1.1", "Host: a", "Connection: close") + head("GET /2 HTTP/1.1", "Host: a"),
		[]string{"GET /1 no body", `body ""`},
	},
	{
		"close ends it behind the body",
		head("POST / HTTP/1.1", "Host: a", "Connection: close", "Content-Length: 2") + "abGET / HTTP/1.1\r\n",
		[]string{"POST / content length", `body "ab"`},
	},
	{
		"smuggled by CL and TE",
		head("POST / HTTP/1.1", "Host: a", "Content-Length: 6", "Transfer-Encoding: chunked") + "0\r\n\r\nG",
		[]string{"400 http1: both Content-Length and Transfer-Encoding"},
	},
	{
		"smuggled by two lengths",
		head("POST / HTTP/1.1", "Host: a", "Content-Length: 0", "Content-Length: 44") + get(),
		[]string{"400 http1: malformed or repeated Content-Length"},
	},
	{
		"smuggled by a space before the colon",
		head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding : chunked") + "0\r\n\r\n",
		[]string{"400 http1: malformed field name"},
	},
	{
		"smuggled by a vertical tab",
		head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: \x0bchunked") + "0\r\n\r\n",
		[]string{"400 http1: control character in head"},
	},
	{
		"smuggled by a folded coding",
		head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding:", " chunked") + "0\r\n\r\n",
		[]string{"400 http1: malformed Transfer-Encoding"},
	},
	{
		"smuggled by the size of a chunk",
		head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1\r\nZ\r\nQ\r\n\r\n",
		[]string{"POST / chunked", "400 http1: malformed chunk"},
	},
	{
		"smuggled by an overflowing size",
		head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "100000000000000000\r\n" + get(),
		[]string{"POST / chunked", "400 http1: malformed chunk"},
	},
	{
		"smuggled by a bare LF behind an extension",
		head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "2;\nxx\r\n4c\r\n0\r\n\r\n",
		[]string{"POST / chunked", "400 http1: malformed chunk"},
	},
	{
		"smuggled by a trailer",
		head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "0\r\nContent-Length: 50\r\n\r\n",
		[]string{"POST / chunked", "400 http1: field not allowed in trailers"},
	},
	{
		"TE that nobody knows",
		head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: xchunked"),
		[]string{"501 http1: unknown transfer coding"},
	},
	{
		"a body nobody announced is the next request",
		get() + "hello",
		[]string{"GET / no body", `body ""`},
	},
	{
		"and is refused as soon as it cannot be one",
		get() + "{\"hello\"}",
		[]string{"GET / no body", `body ""`, "400 http1: malformed method"},
	},
}

func TestConversations(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) {
			want := strings.Join(c.want, "\n")
			equal(t, "whole", converse(c.in, whole()), want)
			for n := 1; n <= 3; n++ {
				equal(t, fmt.Sprint("pieces of ", n), converse(c.in, pieces(n)), want)
			}
			for n := range len(c.in) {
				equal(t, fmt.Sprint("cut at ", n), converse(c.in, cutAt(n)), want)
			}
		})
	}
}

func converse(in string, size func() int) string {
	var c reader
	for at := 0; at < len(in) && !c.over; {
		end := min(at+size(), len(in))
		c.receive([]byte(in[at:end]))
		at = end
	}
	return strings.Join(c.events, "\n")
}

// TestEveryConversationAfterEveryOther: nothing of one message leaks into the
// next, whatever it was.
func TestEveryConversationAfterEveryOther(t *testing.T) {
	for _, first := range conversations {
		var c reader
		c.receive([]byte(first.in))
		if c.over || c.inBody || len(c.held) > 0 {
			continue
		}
		for _, second := range conversations {
			got := converse(first.in+second.in, pieces(11))
			want := strings.Join(append(append([]string{}, first.want...), second.want...), "\n")
			equal(t, first.name+", then "+second.name, got, want)
		}
	}
}

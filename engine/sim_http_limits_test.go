package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// padded is a GET whose head has n bytes.
func padded(n int) string {
	const head, end = "GET / HTTP/1.1\r\nHost: sim\r\nX: ", "\r\n\r\n"
	return head + strings.Repeat("x", n-len(head)-len(end)) + end
}

// chunkedBody is a POST with a body in chunks of size bytes, n in all, and what is given
// behind each size and behind the last chunk.
func chunkedBody(n, size int, extension, trailers string) string {
	b := strings.Builder{}
	b.WriteString(chunkedPost)
	for n > 0 {
		k := min(n, size)
		fmt.Fprintf(&b, "%x%s\r\n%s\r\n", k, extension, strings.Repeat("x", k))
		n -= k
	}
	return b.String() + "0\r\n" + trailers + "\r\n"
}

// TestLimitsOfRequestsAtTheirEdge sends what is just within each limit of a request, and
// one more, which is refused as the limit's documentation says.
func TestLimitsOfRequestsAtTheirEdge(t *testing.T) {
	limits := Limits{Body: 1000, HTTP: http1.Limits{RequestLine: 100, Head: 600, Fields: 10, ChunkExtension: 64, Trailer: 200}}
	for name, c := range map[string]struct {
		edge    int
		request func(n int) string
		status  string
	}{
		"request line": {100, func(n int) string {
			return "GET /" + strings.Repeat("x", n-len("GET / HTTP/1.1")) + " HTTP/1.1\r\nHost: sim\r\n\r\n"
		}, "414"},
		"head": {600, padded, "431"},
		"fields": {10, func(n int) string {
			return "GET / HTTP/1.1\r\nHost: sim\r\n" + strings.Repeat("X: y\r\n", n-1) + "\r\n"
		}, "431"},
		"body of a length": {1000, func(n int) string {
			return fmt.Sprintf("POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n))
		}, "413"},
		"body in chunks":         {1000, func(n int) string { return chunkedBody(n, 300, "", "") }, "413"},
		"body in chunks of one":  {1000, func(n int) string { return chunkedBody(n, 1, "", "") }, "413"},
		"size line of one chunk": {64, func(n int) string { return chunkedBody(100, 100, ";"+strings.Repeat("x", n-len("64;\r\n")), "") }, "400"},
		"extensions of all":      {8, func(n int) string { return chunkedBody(n*100, 100, ";1234567", "") }, "400"},
		"trailer": {200, func(n int) string {
			return chunkedBody(1, 1, "", "X: "+strings.Repeat("x", n-len("X: \r\n\r\n"))+"\r\n")
		}, "431"},
		"fields of a trailer": {10, func(n int) string { return chunkedBody(1, 1, "", strings.Repeat("X: y\r\n", n)) }, "431"},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, over transport) {
				for n, want := range map[int]string{c.edge: "200", c.edge + 1: c.status} {
					p := script{limits: limits, program: ending(new(end)), ops: []op{sendNow(c.request(n)), closeWrite(), ended()}}.play(t, over)
					got := string(p.got)
					if !strings.HasPrefix(got, "HTTP/1.1 "+want+" ") || strings.Count(got, "HTTP/1.1 ") != 1 || p.end.Broken() {
						t.Errorf("%d: answered with %q, broken %v; want %s", n, got, p.end.Broken(), want)
					}
					if want != "200" && !strings.Contains(got, "\r\nConnection: close\r\n") {
						t.Errorf("%d: %q does not say that it is the last", n, got)
					}
				}
			})
		})
	}
}

// TestSendQueueAtItsEdge: a response that is longer than Limits.SendQueue is refused, and
// nothing of it is sent; the longest that is not is sent whole, and the next one too.
func TestSendQueueAtItsEdge(t *testing.T) {
	const queue = 10_000
	overBoth(t, func(t *testing.T, over transport) {
		sent := 0
		p := script{limits: Limits{SendQueue: queue, SendHigh: queue}, program: onHTTP(func(s callbacks.Session) error {
			for n := queue; n > 0; n-- {
				err := s.Respond(200, "", []byte(strings.Repeat("x", n)))
				if err == nil {
					sent = n
					break
				} else if err != callbacks.ErrSendQueueFull || s.Answered() {
					return fmt.Errorf("%d bytes: %w, answered %v", n, err, s.Answered())
				}
			}
			return nil
		}), ops: []op{sendNow(getRequest), wait(slack), sendNow(getRequest), closeWrite(), ended()}}.play(t, over)
		if n := strings.Count(string(p.got), "x"); n != 2*sent || sent < queue-1000 || p.end.Broken() {
			t.Errorf("%d bytes were the longest response, %d came: %.200q", sent, n, p.got)
		}
	})
}

// TestStreamingAgainstASendQueueThatIsFull: a stream that fills the queue is told so, and
// goes on when its reader has made room.
func TestStreamingAgainstASendQueueThatIsFull(t *testing.T) {
	const most = 300_000
	overBoth(t, func(t *testing.T, over transport) {
		full, left := 0, most
		stream := func(s callbacks.Session) error {
			for left > 0 {
				err := s.Write(make([]byte, min(left, 1000)), callbacks.WriteHTTP)
				if err == callbacks.ErrSendQueueFull {
					full++
					s.RequestWriteable()
					return nil
				}
				if err != nil {
					return err
				}
				left -= min(left, 1000)
			}
			return nil
		}
		p := script{limits: Limits{SendQueue: 20_000, SendHigh: 10_000}, buffer: 2000, program: func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
			switch why {
			case callbacks.HTTP:
				if err := s.StartResponse(200, "", most); err != nil {
					return err
				}
				return stream(s)
			case callbacks.HTTPWriteable:
				return stream(s)
			}
			return nil
		}, ops: []op{sendNow(getRequest), closeWrite(), ended()}}.play(t, over)
		if n := strings.Count(string(p.got), "\x00"); n != most || full == 0 || p.end.Broken() {
			t.Errorf("%d bytes came, %d times there was no room", n, full)
		}
	})
}

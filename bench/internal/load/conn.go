//go:build linux

package load

import (
	"bytes"
	"fmt"
	"time"
)

// conn is one connection with its messages in flight.
type conn struct {
	x     *exchange
	wire  wire
	out   []byte          // the request as often as may be in flight
	sent  []time.Duration // when each of those was sent, a ring
	fd    int
	id    int
	owed  int  // bytes to send
	off   int  // of out, where they start
	at    int  // bytes of the answer in hand that have come
	seq   int  // answers so far
	wait  int  // messages not answered yet
	full  bool // the socket takes no more for now
	armed bool // watched for writing
}

func newConn(w wire, fd, id, depth int, x *exchange) *conn {
	return &conn{x: x, wire: w, out: bytes.Repeat(x.request, depth), sent: make([]time.Duration, depth), fd: fd, id: id}
}

// ask sends n more messages, or owes what the socket does not take.
func (c *conn) ask(n int, now time.Duration) error {
	for range n {
		c.sent[(c.seq+c.wait)%len(c.sent)] = now
		c.wait++
	}
	c.owed += n * len(c.x.request)
	return c.write()
}

// write sends what is owed, as far as the socket takes it.
func (c *conn) write() error {
	for c.owed > 0 {
		n, err := c.wire.write(c.out[c.off:min(len(c.out), c.off+c.owed)])
		if err != nil {
			return fmt.Errorf("load: connection %d: %w", c.id, err)
		}
		if n == 0 {
			break
		}
		c.owed -= n
		c.off = (c.off + n) % len(c.x.request)
	}
	sent, err := c.wire.flush()
	if err != nil {
		return fmt.Errorf("load: connection %d: %w", c.id, err)
	}
	c.full = c.owed > 0 || !sent
	return nil
}

// read takes what has come and returns how many answers are complete.
func (c *conn) read(buf []byte, now time.Duration, h *Histogram) (done int, err error) {
	for more := true; more; {
		var n int
		if n, more, err = c.wire.read(buf); err != nil {
			return done, fmt.Errorf("load: connection %d: %w", c.id, err)
		}
		answers, err := c.take(buf[:n], now, h)
		done += answers
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// take checks b and counts.
func (c *conn) take(b []byte, now time.Duration, h *Histogram) (done int, err error) {
	for len(b) > 0 {
		if c.wait == 0 {
			return done, fmt.Errorf("load: connection %d: %d bytes that nothing asked for: %.80q", c.id, len(b), b)
		}
		n := min(len(b), len(c.x.reply)-c.at)
		if !c.x.matches(c.at, b[:n], c.seq%sampleEvery == 0) {
			return done, fmt.Errorf("load: connection %d: answer %d is not as expected: %.80q at byte %d", c.id, c.seq, b[:n], c.at)
		}
		b = b[n:]
		if c.at += n; c.at < len(c.x.reply) {
			break
		}
		h.Add(now - c.sent[c.seq%len(c.sent)])
		c.at = 0
		c.seq++
		c.wait--
		done++
	}
	return done, nil
}

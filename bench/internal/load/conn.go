//go:build linux

package load

import (
	"fmt"
	"time"
)

// conn is one connection with its messages in flight.
type conn struct {
	out     *outgoing
	replies replies
	wire    wire
	sent    []time.Duration // when each of those in flight was sent, a ring
	fd      int
	id      int
	owed    int  // bytes to send
	off     int  // of out, where they start
	asked   int  // messages so far
	seq     int  // answers so far
	wait    int  // answers that have not come yet
	full    bool // the socket takes no more for now
	armed   bool // watched for writing
}

// expect counts n more answers that were asked for.
func (c *conn) expect(n int, now time.Duration) {
	for range n {
		c.sent[(c.seq+c.wait)%len(c.sent)] = now
		c.wait++
	}
}

// ask sends n more messages, or owes what the socket does not take.
func (c *conn) ask(n int) error {
	for range n {
		c.owed += c.out.size(c.asked)
		c.asked++
	}
	return c.write()
}

// write sends what is owed, as far as the socket takes it.
func (c *conn) write() error {
	for c.owed > 0 {
		n, err := c.wire.write(c.out.bytes[c.off:min(len(c.out.bytes), c.off+c.owed)])
		if err != nil {
			return fmt.Errorf("load: connection %d: %w", c.id, err)
		}
		if n == 0 {
			break
		}
		c.owed -= n
		c.off = c.out.wrap(c.off + n)
	}
	sent, err := c.wire.flush()
	if err != nil {
		return fmt.Errorf("load: connection %d: %w", c.id, err)
	}
	c.full = c.owed > 0 || !sent
	return nil
}

// read takes what has come and returns how many answers are complete.
func (c *conn) read(buf []byte, now time.Duration, r *Result) (done int, err error) {
	for more := true; more; {
		var n int
		if s, ok := c.replies.(*skimmed); ok && s.unseen(c.seq) > 0 {
			whole, err := c.skim(s, now, r)
			if err != nil || !whole {
				return done, err
			}
			done++
			continue
		}
		if n, more, err = c.wire.read(buf); err != nil {
			return done, fmt.Errorf("load: connection %d: %w", c.id, err)
		}
		r.Received += n
		answers, err := c.take(buf[:n], now, &r.Latency)
		done += answers
		if err != nil {
			return done, fmt.Errorf("load: connection %d: %w", c.id, err)
		}
	}
	return done, nil
}

// skim lets what has come of the answer in hand go by. It returns whether that was all
// of it.
func (c *conn) skim(s *skimmed, now time.Duration, r *Result) (whole bool, err error) {
	n, err := discard(c.fd, s.unseen(c.seq))
	if err != nil {
		return false, fmt.Errorf("load: connection %d: %w", c.id, err)
	}
	r.Received += n
	if !s.pass(n) {
		return false, nil
	}
	c.answered(now, &r.Latency)
	return true, nil
}

// answered counts an answer.
func (c *conn) answered(now time.Duration, h *Histogram) {
	h.Add(now - c.sent[c.seq%len(c.sent)])
	c.seq++
	c.wait--
}

// take checks b and counts.
func (c *conn) take(b []byte, now time.Duration, h *Histogram) (done int, err error) {
	for len(b) > 0 {
		if c.wait == 0 {
			return done, fmt.Errorf("%d bytes that nothing asked for: %.80q", len(b), b)
		}
		n, whole, err := c.replies.take(b, c.seq)
		if err != nil {
			return done, err
		}
		b = b[n:]
		if !whole {
			break
		}
		c.answered(now, h)
		done++
	}
	return done, nil
}

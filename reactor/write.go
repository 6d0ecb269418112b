package reactor

import (
	"cmp"
	"net"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/bufpool"
)

// The way out, in order:
//
//	Write, WriteTwo  straight to the socket while nothing is queued
//	SendFile         the same for a part of a file, see sendfile.go
//	push             what the socket refused, copied to the queue
//	flush            on the next writable event, until it refuses again
//	drained          Handler.Writable, or the FIN of a connection that is closing,
//	                 wholly or this way only

const (
	// segmentSize is how much small writes are gathered in one buffer of the
	// queue, so that a flush needs few system calls.
	segmentSize = 64 << 10

	// flushBudget is what one connection may send in one turn: a fast reader of a
	// long queue must not keep the others waiting.
	flushBudget = 1 << 20
)

// queue holds what the socket has not taken yet.
type queue struct {
	segs  []segment
	off   int   // of the bytes of segs[0] that have been sent
	size  int   // bytes still to send, without those of files
	files int64 // bytes of files still to send
	left  int64 // of both, and of what the kernel holds, when the stall clock last looked
	fin   bool  // CloseWrite was called: FIN follows
}

// segment is bytes or a part of a file.
type segment struct {
	buf  *bufpool.Buffer
	file *File
}

// Write sends b now or queues a copy of what the socket does not take. The
// caller keeps b. ErrQueueFull means that nothing was taken; any other error is
// the end of the connection, and Handler.Closed follows.
func (c *Conn) Write(b []byte) error {
	if err := c.admit(len(b)); err != nil || len(b) == 0 {
		return err
	}
	if c.out == nil {
		n, err := c.send(b, nil)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	c.push(b)
	return nil
}

// WriteTwo is Write of a followed by b, without joining them first.
func (c *Conn) WriteTwo(a, b []byte) error {
	if err := c.admit(len(a) + len(b)); err != nil {
		return err
	}
	if c.out == nil {
		n, err := c.send(a, b)
		if err != nil {
			return err
		}
		if n < len(a) {
			a = a[n:]
		} else {
			b = b[n-len(a):]
			a = nil
		}
	}
	c.push(a)
	c.push(b)
	return nil
}

// Pending returns how many bytes are queued, not counting those of files.
func (c *Conn) Pending() int {
	if c.out == nil {
		return 0
	}
	return c.out.size
}

// Room returns how many bytes may be written before ErrQueueFull.
func (c *Conn) Room() int { return max(0, c.limits().Hard-c.Pending()) }

// Fits tells whether n bytes may be written. If not, and there is a queue,
// Handler.Writable says when to try again.
func (c *Conn) Fits(n int) bool {
	if n <= c.limits().Hard-c.Pending() {
		return true
	}
	if c.out != nil {
		c.flags |= flagHigh // the writer waits, wherever the mark is
	}
	return false
}

// High tells whether the queue has reached the high water mark, had a file, or refused
// a write, and not drained since: Handler.Writable is to come.
func (c *Conn) High() bool { return c.flags&flagHigh != 0 }

// HighMark is the high water mark, in bytes.
func (c *Conn) HighMark() int { return c.limits().High }

// Progressed tells whether the peer has read anything of what was written since
// the last time it was asked; the first time, and without a queue, it has. What
// the kernel has taken counts as unread until the peer acknowledges it: the
// socket's buffer holds megabytes, and a slow reader may be at it for minutes.
func (c *Conn) Progressed() bool {
	if c.out == nil {
		return true
	}
	was := c.out.left
	c.out.left = c.out.files + int64(c.out.size+c.loop.k.Unread(int(c.fd)))
	return was == 0 || c.out.left < was
}

// SetWriteLimits replaces the reactor's limits for this connection. lim is
// taken as it is (see WithDefaults), shared, and must not change.
func (c *Conn) SetWriteLimits(lim *WriteLimits) {
	if c.state != stateClosed {
		c.flags |= flagLimits
		c.loop.limits[c] = lim
	}
}

func (c *Conn) limits() *WriteLimits {
	if c.flags&flagLimits != 0 {
		return c.loop.limits[c]
	}
	return &c.loop.r.cfg.Write
}

func (c *Conn) admit(n int) error {
	if c.state != stateOpen || c.out != nil && c.out.fin {
		return net.ErrClosed
	}
	if !c.Fits(n) {
		return ErrQueueFull
	}
	return nil
}

// send is one write(2), of at most WriteLimits.Chunk bytes.
func (c *Conn) send(a, b []byte) (int, error) {
	if chunk := c.limits().Chunk; chunk > 0 {
		if len(a) > chunk {
			a = a[:chunk]
		}
		if len(b) > chunk-len(a) {
			b = b[:chunk-len(a)]
		}
	}
	n, e := 0, unix.Errno(0)
	if len(b) == 0 {
		n, e = c.loop.k.Write(int(c.fd), a)
	} else {
		n, e = c.loop.k.WriteTwo(int(c.fd), a, b)
	}
	return c.wrote("write", n, e)
}

// push copies b behind the queue.
func (c *Conn) push(b []byte) {
	if len(b) == 0 {
		return
	}
	q := c.queue()
	q.size += len(b)
	last := len(q.segs) - 1
	if last < 0 || q.segs[last].buf == nil || len(q.segs[last].buf.B)+len(b) > segmentSize {
		q.segs = append(q.segs, segment{buf: bufpool.Get()})
		last++
	}
	q.segs[last].buf.B = append(q.segs[last].buf.B, b...)
	if q.size >= c.limits().High {
		c.flags |= flagHigh
	}
}

// queue is c's, begun if there was none, and watched.
func (c *Conn) queue() *queue {
	if c.out == nil {
		c.out = new(queue)
		c.rewatch()
	}
	return c.out
}

// flush sends what is queued, within the turn's budget.
func (l *Loop) flush(c *Conn) {
	q := c.out
	if q == nil {
		return
	}
	for budget := flushBudget; len(q.segs) > 0 && budget > 0 && c.state != stateClosed; {
		n, all, err := c.flushFirst(budget)
		if err != nil {
			return
		}
		budget -= n
		if !all {
			break
		}
	}
	if len(q.segs) == 0 && c.out == q {
		c.out = nil
		c.rewatch()
		if q.fin && c.state == stateOpen {
			c.sendFIN()
		}
	}
	c.drained()
}

// flushFirst sends what the socket takes of the first segment; all says that it took
// what it was offered.
func (c *Conn) flushFirst(budget int) (n int, all bool, err error) {
	q := c.out
	if f := q.segs[0].file; f != nil {
		offered := min(f.Length, int64(budget))
		if n, err = c.sendPart(f, budget); err != nil {
			return 0, false, err
		}
		q.files -= int64(n)
		if f.Length == 0 {
			q.pop()
			f.Sent.FileSent(f, nil)
		}
		return n, int64(n) == offered, nil
	}
	b := q.segs[0].buf.B[q.off:]
	if n, err = c.send(b[:min(len(b), budget)], nil); err != nil {
		return 0, false, err
	}
	q.drop(n)
	return n, n == len(b), nil
}

// drop forgets the first n bytes; n does not reach beyond the first segment.
func (q *queue) drop(n int) {
	q.off += n
	q.size -= n
	if q.off == len(q.segs[0].buf.B) {
		bufpool.Put(q.segs[0].buf)
		q.pop()
	}
}

func (q *queue) pop() {
	q.segs[0] = segment{}
	q.segs = q.segs[1:]
	q.off = 0
}

// drained acts on a queue that has become short enough or empty.
func (c *Conn) drained() {
	switch {
	case c.state == stateDraining && c.out == nil:
		c.finish()
	case c.state == stateOpen && c.flags&flagHigh != 0 && c.Pending() <= c.limits().Low && (c.out == nil || c.out.files == 0):
		c.flags &^= flagHigh
		c.h.Writable(c)
	}
}

// dropQueue forgets what is left, for err.
func (c *Conn) dropQueue(err error) {
	if c.out == nil {
		return
	}
	segs := c.out.segs
	c.out = nil
	for _, s := range segs {
		if s.file != nil {
			s.file.Sent.FileSent(s.file, cmp.Or(err, net.ErrClosed))
		} else {
			bufpool.Put(s.buf)
		}
	}
}

//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// conn is one connection with its messages in flight.
type conn struct {
	x     *exchange
	out   []byte          // the request as often as may be in flight
	sent  []time.Duration // when each of those was sent, a ring
	fd    int
	id    int
	owed  int  // bytes to send
	off   int  // of out, where they start
	at    int  // bytes of the answer in hand that have come
	seq   int  // answers so far
	wait  int  // messages not answered yet
	armed bool // watched for writing
}

func newConn(fd, id, depth int, x *exchange) *conn {
	return &conn{x: x, out: bytes.Repeat(x.request, depth), sent: make([]time.Duration, depth), fd: fd, id: id}
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

func (c *conn) write() error {
	for c.owed > 0 {
		b := c.out[c.off:min(len(c.out), c.off+c.owed)]
		n, errno := syscall3(unix.SYS_WRITE, c.fd, b)
		switch {
		case errno == unix.EAGAIN:
			return nil
		case errno == unix.EINTR:
			continue
		case errno != 0:
			return fmt.Errorf("load: connection %d: %w", c.id, os.NewSyscallError("write", errno))
		}
		c.owed -= n
		c.off = (c.off + n) % len(c.x.request)
	}
	return nil
}

// read takes what has come and returns how many answers are complete.
func (c *conn) read(buf []byte, now time.Duration, h *Histogram) (done int, err error) {
	n, errno := syscall3(unix.SYS_READ, c.fd, buf)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno != 0:
		return 0, fmt.Errorf("load: connection %d: %w", c.id, os.NewSyscallError("read", errno))
	case n == 0:
		return 0, fmt.Errorf("load: connection %d: %w", c.id, errClosed)
	}
	return c.take(buf[:n], now, h)
}

var errClosed = errors.New("the server closed")

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

// syscall3 skips the scheduler: the descriptor does not block.
func syscall3(trap uintptr, fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

package engine

import (
	"net"
	"os"
	"sync"
	"time"

	"github.com/penstock-go/penstock/internal/bufpool"
	"github.com/penstock-go/penstock/reactor"
)

// A conduit is what lies between a session's loop and a goroutine that may block:
//
//	loop ── bring ──> in ── read ──> worker      reading pauses while in is long
//	loop <── take ── out <── deposit ── worker     write waits while out is, or the link's queue
//
// The worker's wishes are bits in wants. Whatever it has for the loop goes by one
// letter, the conduit's owner itself, which is in the mailbox once at most: so that
// much costs one letter, and a letter costs no memory.

const (
	// inMost is how much waits for the worker at most: reading pauses there, and what
	// has been read already stays where it is, with the reactor. It is as much of an
	// unread body as net/http takes off a client that sends all of it before it reads
	// the answer.
	inMost = 256 << 10

	// inLow is where reading goes on.
	inLow = inMost / 4

	// inFirst takes inMost's place until the worker reads for the first time. It may not
	// have begun: a great many requests may wait for a worker, each with a body. Most
	// bodies are shorter, so that neither pausing nor going on costs them anything.
	inFirst = inLow

	// outMost is how much waits for the loop. The worker fills it while the loop
	// sends what was there before.
	outMost = 64 << 10

	// inPiece is the length of the buffers in which bytes wait: they are given back
	// one by one.
	inPiece = 64 << 10
)

// wants is a set of what a worker wants of its loop.
type wants uint16

const (
	wantMore      wants = 1 << iota // read on
	wantBody                        // the client may send the body that it holds back
	wantEnd                         // that was all
	wantAbort                       // ... and it is not whole
	wantRefusal                     // nothing was sent, and nothing will be: 500
	wantHijack                      // the connection itself
	wantFIN                         // no more is sent
	wantContinued                   // an interim response says 100 (Continue)
	wantBusy                        // the request has waited for too long: 503
	wantDue                         // the body is waited for, and 100 does not come any more
)

// conduit is embedded in what uses it. Fields below mu are under it, and may be
// reached by either side.
type conduit struct {
	s      *session
	letter reactor.Letter // the owner
	most   int            // of out

	mu       sync.Mutex
	canRead  sync.Cond
	canWrite sync.Cond

	in     stream
	inErr  error // behind it, once no more comes
	wasted int   // what came for nobody
	paused bool  // in is long, or enough was wasted, and the session does not read
	begun  bool  // the worker has read, or tried to
	deaf   bool  // nobody reads any more

	out    *bufpool.Buffer // nil while there is nothing
	outErr error           // once nothing can be sent any more
	full   bool            // the link has as much to send as it may

	wants           wants
	posted          bool // the letter is on its way
	readBy, writeBy timeLimit
}

func (c *conduit) init(s *session, letter reactor.Letter) {
	c.s, c.letter = s, letter
	c.most = min(outMost, max(s.l.e.limits.SendQueue/4, headRoom))
	c.canRead.L, c.canWrite.L = &c.mu, &c.mu
}

// post tells the loop that there is something to do. Under mu.
func (c *conduit) post() {
	if c.posted {
		return
	}
	c.posted = true
	if c.s.l.r.Post(c.letter) != nil { // the loops have ended, and all sessions with them
		c.posted = false
		c.inErr, c.outErr = firstError(c.inErr, net.ErrClosed), firstError(c.outErr, net.ErrClosed)
		c.wake()
	}
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (c *conduit) want(w wants) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wants |= w
	c.post()
}

func (c *conduit) wake() {
	c.canRead.Broadcast()
	c.canWrite.Broadcast()
}

// takes is how much there is room for; while the session reads there is some. Bytes that
// nobody wants take none.
func (c *conduit) takes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.space()
}

func (c *conduit) space() int {
	switch {
	case c.deaf:
		return max(0, drainMost-c.wasted)
	case c.begun:
		return max(0, inMost-c.in.size)
	}
	return max(0, inFirst-c.in.size)
}

// bring is the loop's: what there is room for of p, which is lent, waits for the worker.
// It tells how much that is, and whether the session should pause: there is no more room.
// A worker that wants nothing any more and goes on for long is no reason to read for
// ever, so the client is held back then, too.
func (c *conduit) bring(p []byte) (n int, pause bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(len(p), c.space())
	if c.deaf {
		c.wasted += n
	} else {
		c.in.push(p[:n])
		c.canRead.Broadcast()
	}
	c.paused = c.space() == 0
	return n, c.paused
}

// end is the loop's: nothing comes behind what is there. The first reason stays.
func (c *conduit) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inErr = firstError(c.inErr, err)
	c.canRead.Broadcast()
}

// stopReading is the worker's: what has come is thrown away, and so is drainMost of what
// comes.
func (c *conduit) stopReading(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	already := c.deaf
	c.deaf = true
	c.in.drop()
	c.inErr = err
	c.canRead.Broadcast()
	if c.paused && !already { // else enough was wasted
		c.paused = false
		c.wants |= wantMore
		c.post()
	}
}

// read is the worker's.
func (c *conduit) read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p = p[:min(len(p), inPiece)] // the loop must not wait long for the mutex
	c.begun = true
	for len(p) > 0 {
		if c.readBy.passed {
			return 0, os.ErrDeadlineExceeded
		}
		if n := c.in.pop(p); n > 0 {
			if c.paused && c.in.size <= inLow {
				c.paused = false
				c.wants |= wantMore
				c.post()
			}
			return n, nil
		}
		if c.inErr != nil {
			return 0, c.inErr
		}
		c.canRead.Wait()
	}
	return 0, nil
}

// deposit is the worker's. It returns when all of p is on its way to the loop.
func deposit[T text](c *conduit, p T) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(p) > 0 {
		room, err := c.room()
		if err != nil {
			return n, err
		}
		k := min(len(p), room)
		if c.out == nil {
			c.out = bufpool.Get()
		}
		c.out.B = append(c.out.B, p[:k]...)
		p = p[k:]
		n += k
		c.post()
	}
	return n, nil
}

// room waits until something can be put into out, and returns how much. Under mu.
func (c *conduit) room() (int, error) {
	for {
		waiting := 0
		if c.out != nil {
			waiting = len(c.out.B)
		}
		switch {
		case c.outErr != nil:
			return 0, c.outErr
		case c.writeBy.passed:
			return 0, os.ErrDeadlineExceeded
		case !c.full && waiting < c.most:
			return c.most - waiting, nil
		}
		c.canWrite.Wait()
	}
}

// sent is the loop's: what it took has been written to the link.
func (c *conduit) sent() {
	full := c.s.state == stateOpen && c.s.link.High()
	c.mu.Lock()
	c.full = full
	if !full {
		c.canWrite.Broadcast()
	}
	c.mu.Unlock()
	if full {
		c.s.RequestWriteable()
	}
}

// over is the loop's: the connection is lost to the worker.
func (c *conduit) over(in, out error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inErr, c.outErr = firstError(c.inErr, in), firstError(c.outErr, out)
	c.dropOut()
	c.readBy.stop()
	c.writeBy.stop()
	c.wake()
}

func (c *conduit) dropOut() {
	if c.out != nil {
		bufpool.Put(c.out)
		c.out = nil
	}
}

func (c *conduit) setReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readBy.set(t, &c.canRead)
	return nil
}

func (c *conduit) setWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeBy.set(t, &c.canWrite)
	return nil
}

// timeLimit is a deadline of a net.Conn's kind.
type timeLimit struct {
	passed bool
	timer  *time.Timer
}

// set replaces the deadline; the zero time is none. Under the mutex of cond.
func (d *timeLimit) set(t time.Time, cond *sync.Cond) {
	d.stop()
	d.passed = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		cond.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		cond.L.Lock()
		defer cond.L.Unlock()
		if d.timer == timer { // else it has been moved meanwhile
			d.passed = true
			cond.Broadcast()
		}
	})
	d.timer = timer
}

func (d *timeLimit) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// stream is bytes that wait, in pooled buffers.
type stream struct {
	bufs []*bufpool.Buffer
	off  int // of bufs[0] that has been read
	size int
}

// push copies p behind the rest.
func (q *stream) push(p []byte) {
	q.size += len(p)
	for len(p) > 0 {
		last := len(q.bufs) - 1
		if last < 0 || len(q.bufs[last].B) >= inPiece {
			q.bufs = append(q.bufs, bufpool.Get())
			last++
		}
		n := min(len(p), inPiece-len(q.bufs[last].B))
		q.bufs[last].B = append(q.bufs[last].B, p[:n]...)
		p = p[n:]
	}
}

// pop moves what fits to p.
func (q *stream) pop(p []byte) (n int) {
	for n < len(p) && len(q.bufs) > 0 {
		b := q.bufs[0]
		k := copy(p[n:], b.B[q.off:])
		n += k
		q.off += k
		if q.off == len(b.B) {
			bufpool.Put(b)
			q.bufs[0] = nil
			q.bufs = q.bufs[1:]
			q.off = 0
		}
	}
	if len(q.bufs) == 0 {
		q.bufs = nil
	}
	q.size -= n
	return n
}

func (q *stream) drop() {
	for _, b := range q.bufs {
		bufpool.Put(b)
	}
	*q = stream{}
}

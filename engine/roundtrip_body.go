package engine

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/penstock-go/penstock/callbacks"
)

const (
	// downMost is from which length on of what the caller has not read the session
	// stops reading. A read on the loop may add its own length once.
	downMost = 256 << 10

	// downLow is where it goes on.
	downLow = downMost / 4

	// downKeep is the longest buffer that stays when all of it has been read.
	downKeep = 16 << 10

	// upPiece is how much of a request's body is handed over at once, where SendQueue has
	// room for several of them.
	upPiece = 32 << 10

	// closeMost is how much of a response is still read when its Body is closed, so
	// that the connection can be used again.
	closeMost = 32 << 10

	// closeTime is how long all of that may take. A server from which it does not come
	// in this time holds no connection for it.
	closeTime = time.Second
)

// flow is a response's body between the loop and who reads it.
type flow struct {
	mu     sync.Mutex
	cond   sync.Cond
	buf    []byte
	off    int   // of buf that has been read
	left   int64 // that the reader has not had, of a body of known length
	err    error // behind buf, once no more comes
	paused bool  // buf is long, and the session does not read
	deaf   bool  // nobody reads any more

	trailer http.Header // what came behind all of it
}

// put takes a copy of p, and tells whether that is enough for now.
func (f *flow) put(p []byte) (pause bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deaf || f.err != nil {
		return false
	}
	if f.off > 0 && len(f.buf)+len(p) > cap(f.buf) {
		f.buf = f.buf[:copy(f.buf, f.buf[f.off:])]
		f.off = 0
	}
	f.buf = append(f.buf, p...)
	f.cond.Broadcast()
	if len(f.buf)-f.off > downMost && !f.paused {
		f.paused, pause = true, true
	}
	return pause
}

// keep has the trailers.
func (f *flow) keep(trailer http.Header) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trailer = trailer
}

// end says that all has come.
func (f *flow) end() { f.fail(io.EOF) }

// fail says what is behind that which has come; the first one stays.
func (f *flow) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return
	}
	f.err = err
	f.cond.Broadcast()
}

// read waits for something, and tells whether the session is to go on reading.
func (f *flow) read(p []byte) (n int, resume bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.deaf && f.off == len(f.buf) && f.err == nil {
		if len(p) == 0 {
			return 0, false, nil
		}
		f.cond.Wait()
	}
	switch {
	case f.deaf:
		return 0, false, http.ErrBodyReadAfterClose
	case f.off == len(f.buf):
		return 0, false, f.err
	}
	n = copy(p, f.buf[f.off:])
	f.off += n
	f.left -= int64(n)
	left := len(f.buf) - f.off
	if left == 0 {
		f.buf, f.off = f.buf[:0], 0
		if cap(f.buf) > downKeep {
			f.buf = nil
		}
		if f.err == io.EOF {
			err = io.EOF
		}
	}
	if f.paused && left <= downLow {
		f.paused, resume = false, true
	}
	return n, resume, err
}

// trailers returns what came behind all of it, once.
func (f *flow) trailers() http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	tr := f.trailer
	f.trailer = nil
	return tr
}

// close says that nobody reads any more. What is to come is nothing, or left, which is
// negative if nobody knows.
func (f *flow) close() (open bool, left int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	open = !f.deaf && f.err == nil
	f.deaf, f.paused, f.buf, f.off = true, false, nil, 0
	f.cond.Broadcast()
	return open, f.left
}

// tripBody is a Response.Body.
type tripBody struct {
	t    *trip
	resp *http.Response
}

// Read implements io.Reader.
func (b *tripBody) Read(p []byte) (int, error) {
	n, resume, err := b.t.down.read(p)
	if resume {
		b.t.resume()
	}
	if err == io.EOF {
		b.trail()
	}
	return n, err
}

// trail puts the trailers where net/http has them. That is the reader's work, as the
// Response is the caller's since RoundTrip has returned it.
func (b *tripBody) trail() {
	for name, values := range b.t.down.trailers() {
		if b.resp.Trailer == nil {
			b.resp.Trailer = make(http.Header)
		}
		b.resp.Trailer[name] = values
	}
}

// Close breaks the response off, unless little of it is left, and soon there.
func (b *tripBody) Close() error {
	open, left := b.t.down.close()
	switch {
	case !open:
	case left >= 0 && left <= closeMost:
		b.t.drain()
	default:
		b.t.abandon(callbacks.ErrClosed)
	}
	return nil
}

func (t *trip) resume() {
	_ = t.h.Post(func(s callbacks.Session) error {
		s.ResumeReading()
		return nil
	})
}

// drain reads the rest, which nobody wants, for a while.
func (t *trip) drain() {
	_ = t.h.Post(func(s callbacks.Session) error {
		s.SetTimer(closeTime)
		s.ResumeReading()
		return nil
	})
}

// piece is how much is handed over at once: so that some fit the queue, however short.
func (t *trip) piece() int {
	return min(upPiece, max(t.rt.e.limits.write().Hard/4, 1))
}

// send is the goroutine of a request's body.
func (t *trip) send() {
	defer t.body.close()
	buf := make([]byte, t.piece())
	left := t.length
	for {
		n, err := t.body.Read(buf)
		final := err == io.EOF
		switch {
		case err != nil && !final:
			t.breakOff(err)
			return
		case left >= 0 && (int64(n) > left || final && int64(n) < left):
			t.breakOff(fmt.Errorf("engine: the request's body is not as long as its ContentLength, %d", t.length))
			return
		}
		if left >= 0 {
			left -= int64(n)
			final = left == 0
		}
		if (n > 0 || final) && !t.pass(buf[:n], final) || final {
			return
		}
	}
}

// pass gives p to the loop, waits until it may be used again and there is room for
// more, and tells whether more is wanted.
func (t *trip) pass(p []byte, final bool) bool {
	err := t.h.Post(func(s callbacks.Session) error {
		t.write(s.(*session), p, final)
		return nil
	})
	if err != nil {
		return false
	}
	select {
	case more := <-t.wrote:
		return more
	case <-t.gone: // and nobody looks at p any more
		return false
	}
}

// tripConn is the Body of a 101: the connection, with another protocol on it.
type tripConn struct {
	*tripBody
	mu sync.Mutex // one Write at a time
}

// Write implements io.Writer.
func (c *tripConn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(p) > 0 {
		piece := p[:min(len(p), c.t.piece())]
		if !c.t.pass(piece, false) {
			return n, callbacks.ErrClosed
		}
		n += len(piece)
		p = p[len(piece):]
	}
	return n, nil
}

// Close sends what was written, and closes.
func (c *tripConn) Close() error {
	c.t.down.close()
	_ = c.t.h.Post(func(s callbacks.Session) error {
		s.(*session).shut(nil)
		return nil
	})
	return nil
}

// gunzip decompresses a body for who reads it, in the reader's goroutine.
type gunzip struct {
	body *tripBody
	mu   sync.Mutex
	z    *gzip.Reader
	err  error
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.z == nil && g.err == nil {
		g.z, g.err = gzip.NewReader(g.body)
	}
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.z.Read(p)
	g.err = err
	return n, err
}

// Close closes the body that is decompressed.
func (g *gunzip) Close() error { return g.body.Close() }

// The rest of a net.Conn for addresses.

func (addresses) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (addresses) Write([]byte) (int, error)        { return 0, net.ErrClosed }
func (addresses) Close() error                     { return nil }
func (a addresses) LocalAddr() net.Addr            { return a.local }
func (a addresses) RemoteAddr() net.Addr           { return a.remote }
func (addresses) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (addresses) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (addresses) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

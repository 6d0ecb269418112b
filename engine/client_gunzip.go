package engine

import (
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// The way of a gzip body, for ClientConnectInfo.Gzip:
//
//	inflate   what has come, as it is lent, piece by piece to the program
//	rest      when a turn has brought gunzipSlice of plaintext, or cost as much, or the
//	          program pauses: what is left is kept, and the session does not read
//	goOn      the next slice, in the loop's next turn
//
// A byte on the wire may become a thousand. So plaintext is never gathered: a piece goes
// to the program before the next is made, and the sockets have their turn between slices.
// It may as well become nothing, at no less cost: so what is read counts, too.

const (
	// gunzipPiece is how long the pieces are that the program is given.
	gunzipPiece = 32 << 10

	// gunzipSlice is how much plaintext one turn of the loop may bring: some hundred
	// microseconds of work.
	gunzipSlice = 256 << 10

	// gunzipFeed is how much is given to the coroutine at once, so that it pauses also
	// where nothing comes of it.
	gunzipFeed = 4 << 10

	// gunzipCost is what a compressed byte counts in gunzipSlice: a block that has nothing
	// but its own code costs a fifth of a microsecond for each, so that a turn reads as
	// much as one of a compressed message.
	gunzipCost = gunzipSlice / deflate.Slice
)

// gunzipper decompresses a response's body on its loop. It is a coroutine, as
// klauspost's reader cannot be left in the middle but by its input.
type gunzipper struct {
	in    []byte // what the coroutine may read: the next of rest
	rest  []byte // lent, or kept
	kept  bool   // rest is a copy, as the session rests
	done  bool   // there is no more behind rest
	piece [gunzipPiece]byte
	out   int64 // bytes of plaintext so far
	err   error
	next  func() ([]byte, bool) // a piece, or nil if it wants more
	stop  func()
}

func newGunzipper() *gunzipper {
	g := new(gunzipper)
	g.next, g.stop = iter.Pull(g.run)
	return g
}

// run is the coroutine.
func (g *gunzipper) run(yield func([]byte) bool) {
	z, err := gzip.NewReader(&gunzipSource{g, yield})
	for err == nil {
		var n int
		n, err = z.Read(g.piece[:])
		if n > 0 && !yield(g.piece[:n]) {
			return
		}
	}
	if err != io.EOF {
		g.err = err
	}
}

// gunzipSource is what the coroutine reads from. It is an io.ByteReader, so that the
// reader puts no buffer in front of it.
type gunzipSource struct {
	g     *gunzipper
	yield func([]byte) bool
}

var errStopped = errors.New("engine: nobody wants the rest")

// wait yields until there is something to read.
func (r *gunzipSource) wait() error {
	for len(r.g.in) == 0 {
		if r.g.done && len(r.g.rest) == 0 {
			return io.EOF
		}
		if !r.yield(nil) {
			return errStopped
		}
	}
	return nil
}

func (r *gunzipSource) Read(p []byte) (int, error) {
	if err := r.wait(); err != nil {
		return 0, err
	}
	n := copy(p, r.g.in)
	r.g.in = r.g.in[n:]
	return n, nil
}

func (r *gunzipSource) ReadByte() (byte, error) {
	if err := r.wait(); err != nil {
		return 0, err
	}
	c := r.g.in[0]
	r.g.in = r.g.in[1:]
	return c, nil
}

// asksForGzip tells whether the engine adds Accept-Encoding to the request: not if
// the program has an opinion of its own, or wants a part of what may be compressed.
func (d *dialRole) asksForGzip() bool {
	if !d.info.Gzip || d.plain || d.info.Method == "HEAD" {
		return false
	}
	for _, f := range d.info.Header {
		if againstGzip(f.Name) {
			return false
		}
	}
	return true
}

func againstGzip(name string) bool {
	return strings.EqualFold(name, "Accept-Encoding") || strings.EqualFold(name, "Range")
}

// gzipped tells whether that is what has come.
func gzipped(h *http1.Header) bool {
	coding, ok := h.Get("Content-Encoding")
	return ok && strings.EqualFold(string(coding), "gzip") && h.Count("Content-Encoding") == 1
}

// inflate gives the program what data decompresses to, and tells whether that was all;
// otherwise the session rests now.
func (c *clientRole) inflate(s *session, data []byte) (all bool, err error) {
	g := c.d.x.zip
	g.rest, g.kept = data, false
	return c.slice(s)
}

// slice goes on with what is left, for a turn of the loop.
func (c *clientRole) slice(s *session) (all bool, err error) {
	g := c.d.x.zip
	for {
		s.l.inflateWork += g.feed()
		out, more := g.next()
		if !more && g.err != nil {
			s.abort(c.broken(g.err))
			return false, nil
		}
		if g.out += int64(len(out)); g.out > s.l.e.limits.Inflated {
			s.abort(c.broken(errInflated))
			return false, nil
		}
		if len(out) > 0 {
			if err := s.lend(callbacks.ReceiveClientHTTPRead, out); err != nil || s.state != stateOpen {
				return false, err
			}
		}
		s.l.inflateWork += len(out)
		over := out == nil && len(g.rest) == 0 // it wants more, or has ended
		switch {
		case s.l.inflateWork >= gunzipSlice, s.paused != 0 && !over:
			g.keep()
			s.l.rest(s)
			s.pause(pauseInflate)
			return false, nil
		case over:
			g.in, g.rest = nil, nil
			return true, nil
		}
	}
}

// feed gives the coroutine more to read if it has nothing, and returns what that costs.
func (g *gunzipper) feed() int {
	if len(g.in) > 0 {
		return 0
	}
	n := min(len(g.rest), gunzipFeed)
	g.in, g.rest = g.rest[:n], g.rest[n:]
	return n * gunzipCost
}

// keep makes what is left the gunzipper's own.
func (g *gunzipper) keep() {
	if g.kept {
		return
	}
	left := make([]byte, 0, len(g.in)+len(g.rest))
	left = append(append(left, g.in...), g.rest...)
	g.in, g.rest, g.kept = left[:len(g.in)], left[len(g.in):], true
}

var errInflated = errors.New("engine: it inflates to more than Limits.Inflated")

// goOn is the next turn of a session that rests.
func (c *clientRole) goOn(s *session) {
	if s.paused != pauseInflate { // it comes again when the program reads on
		return
	}
	s.l.inflateWork = 0
	all, err := c.slice(s)
	if err == nil && all {
		if c.d.x.zip.done {
			err = c.complete(s)
		}
		s.unpause(pauseInflate)
	}
	if err != nil {
		s.fail(err)
	}
}

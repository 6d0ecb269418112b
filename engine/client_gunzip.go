package engine

import (
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// The way of a gzip body, for ClientConnectInfo.Gzip:
//
//	inflate   what has come, as it is lent, piece by piece to the program
//	rest      when a turn has brought gunzipSlice of plaintext, or the program pauses:
//	          what is left is kept, and the session does not read
//	goOn      the next slice, in the loop's next turn
//
// A byte on the wire may become a thousand. So plaintext is never gathered: a piece goes
// to the program before the next is made, and the sockets have their turn between slices.

const (
	// gunzipPiece is how long the pieces are that the program is given.
	gunzipPiece = 32 << 10

	// gunzipSlice is how much plaintext one turn of the loop may bring: some hundred
	// microseconds of work.
	gunzipSlice = 256 << 10
)

// gunzipper decompresses a response's body on its loop. It is a coroutine, as
// klauspost's reader cannot be left in the middle but by its input.
type gunzipper struct {
	in    []byte // lent, or held
	held  []byte // what was left when the session began to rest
	done  bool   // there is no more behind in
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
		if r.g.done {
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
	g.in = data
	for {
		out, more := g.next()
		switch {
		case !more && g.err != nil:
			s.abort(c.broken(g.err))
			return false, nil
		case out == nil:
			return true, nil
		}
		if g.out += int64(len(out)); g.out > s.l.e.limits.Inflated {
			s.abort(c.broken(errInflated))
			return false, nil
		}
		if err := s.lend(callbacks.ReceiveClientHTTPRead, out); err != nil || s.state != stateOpen {
			return false, err
		}
		if s.l.inflateWork += len(out); s.l.inflateWork >= gunzipSlice || s.paused != 0 {
			g.held = append(g.held[:0], g.in...)
			s.l.rest(s)
			s.pause(pauseInflate)
			return false, nil
		}
	}
}

var errInflated = errors.New("engine: it inflates to more than Limits.Inflated")

// goOn is the next turn of a session that rests.
func (c *clientRole) goOn(s *session) {
	if s.paused != pauseInflate { // it comes again when the program reads on
		return
	}
	s.l.inflateWork = 0
	g := c.d.x.zip
	held := g.held
	g.held = nil
	all, err := c.inflate(s, held)
	if err == nil && all {
		if g.done {
			err = c.complete(s)
		}
		s.unpause(pauseInflate)
	}
	if err != nil {
		s.fail(err)
	}
}

package deflate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// source is what a reader reads: the bytes of a message, and an end behind them that
// no peer has sent. A short message is copied together with its end. A long one stays
// where it is, and is read a slice at a time, with a Yield in between.
//
// Both readers are of types that klauspost's inflater has loops of its own for.
type source struct {
	short bytes.Reader
	whole []byte // what short reads

	buffered *bufio.Reader // of a slice, made for the first long message
	p        []byte        // what it has not got yet
	end      string
	yield    func() bool
	begun    bool
	long     bool
}

// errGivenUp is what the inflater learns when Yield wants no more; nobody else does.
var errGivenUp = errors.New("deflate: given up")

// open makes p and end what is read next.
func (s *source) open(p []byte, end string, yield func() bool) {
	s.long = len(p) > Slice
	if !s.long {
		s.whole = append(append(s.whole[:0], p...), end...)
		s.short.Reset(s.whole)
		return
	}
	s.p, s.end, s.yield, s.begun = p, end, yield, false
	if s.buffered == nil {
		s.buffered = bufio.NewReaderSize(nil, Slice)
	}
	s.buffered.Reset(s)
}

// close lets go of everything.
func (s *source) close() {
	s.short.Reset(nil)
	s.p, s.end, s.yield, s.long = nil, "", nil, false
}

func (s *source) reader() io.Reader {
	if s.long {
		return s.buffered
	}
	return &s.short
}

// left is how much nobody has read.
func (s *source) left() int {
	if s.long {
		return s.buffered.Buffered() + len(s.p) + len(s.end)
	}
	return s.short.Len()
}

// Read gives a slice.
func (s *source) Read(b []byte) (int, error) {
	if len(s.p)+len(s.end) == 0 {
		return 0, io.EOF
	}
	if s.begun && s.yield != nil && !s.yield() {
		return 0, errGivenUp
	}
	s.begun = true
	b = b[:min(len(b), Slice)]
	n := copy(b, s.p)
	s.p = s.p[n:]
	if len(s.p) == 0 {
		k := copy(b[n:], s.end)
		s.end = s.end[k:]
		n += k
	}
	return n, nil
}

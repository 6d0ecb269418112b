package load

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
)

// framed is a stream of answers that are text in one frame each. A compressed one
// has whatever length the server gives it.
type framed struct {
	plain    [][]byte // the texts, in turn
	z        *inflater
	longest  int     // payload of an answer
	deflated bool    // an answer may be compressed
	recent   *recent // what compressed answers may refer to; nil for nothing
	part     []byte  // an answer that has not come whole
}

// inflateEvery is how many compressed answers pass for one that is looked into. It
// has no factor in common with the number of texts, so each has its turn.
const inflateEvery = 17

// longestDeflated is how long a payload of size bytes may become at most: DEFLATE
// stores what it cannot shrink.
func longestDeflated(size int) int { return size + size/8 + 64 }

// take parses a frame.
func (f *framed) take(b []byte, k int) (n int, done bool, err error) {
	had := len(f.part)
	if had > 0 {
		f.part = append(f.part, b...)
		b = f.part
	}
	head, size := frameSizes(b)
	if err := f.checkHeader(b, head, size); err != nil {
		return 0, false, fmt.Errorf("answer %d is not as expected: %w: %.80q", k, err, b)
	}
	if head == 0 || len(b) < head+size {
		if had == 0 {
			f.part = append(f.part, b...)
		}
		return len(b) - had, false, nil
	}
	f.part = f.part[:0]
	if err := f.check(b[0]&compressed != 0, b[head:head+size], k); err != nil {
		return 0, false, fmt.Errorf("answer %d is not as expected: %w: %.80q", k, err, b[:head+size])
	}
	return head + size - had, true, nil
}

// checkHeader looks at as much of it as has come; head is 0 if that is not all.
func (f *framed) checkHeader(b []byte, head, size int) error {
	switch first := b[0]; {
	case first != textFrame && (first != textFrame|compressed || !f.deflated):
		return fmt.Errorf("a frame that begins with %#x", first)
	case len(b) > 1 && b[1]&maskBit != 0:
		return fmt.Errorf("masked")
	case head > 0 && (size < 0 || size > f.longest):
		return fmt.Errorf("%d bytes of payload", size)
	}
	return nil
}

// check compares the payload with what was sent. Long ones are compared whole now
// and then, and compressed ones looked into.
func (f *framed) check(deflated bool, p []byte, k int) (err error) {
	want := f.plain[k%len(f.plain)]
	if deflated {
		if k%inflateEvery == 0 {
			err = f.z.check(p, f.recent.bytes(f.plain), want)
		}
		f.recent.add(k % len(f.plain))
		return err
	}
	if len(p) != len(want) {
		return fmt.Errorf("%d bytes of payload", len(p))
	}
	if len(p) > smallReply && k%inflateEvery != 0 {
		p, want = p[:16], want[:16]
	}
	if !bytes.Equal(p, want) {
		return fmt.Errorf("another message")
	}
	return nil
}

// recent is which texts the last compressed answers had: as many as fit a window.
// A nil one remembers nothing.
type recent struct {
	texts []int
	room  int
}

func newRecent(size int) *recent { return &recent{room: defaultWindow/size + 1} }

func (r *recent) add(text int) {
	if r == nil {
		return
	}
	if len(r.texts) == 2*r.room {
		r.texts = r.texts[:copy(r.texts, r.texts[r.room:])]
	}
	r.texts = append(r.texts, text)
}

// bytes is what an answer may refer to.
func (r *recent) bytes(plain [][]byte) (dict []byte) {
	if r == nil {
		return nil
	}
	for _, k := range r.texts[max(0, len(r.texts)-r.room):] {
		dict = append(dict, plain[k]...)
	}
	return dict
}

// inflater looks into compressed answers, by another library than the servers'.
type inflater struct {
	r   io.ReadCloser
	in  bytes.Reader
	buf []byte
	out []byte
}

// ending is a flush's marker, and a final block behind it for the reader to end with.
const ending = flushMarker + "\x01\x00\x00\xff\xff"

// check wants p to be want.
func (z *inflater) check(p, dict, want []byte) error {
	z.buf = append(append(z.buf[:0], p...), ending...)
	z.in.Reset(z.buf)
	if z.r == nil {
		z.r = flate.NewReader(&z.in)
	}
	if err := z.r.(flate.Resetter).Reset(&z.in, dict); err != nil {
		return err
	}
	out := bytes.NewBuffer(z.out[:0])
	_, err := out.ReadFrom(io.LimitReader(z.r, int64(len(want))+1))
	z.out = out.Bytes()
	switch {
	case err != nil:
		return err
	case !bytes.Equal(z.out, want):
		return fmt.Errorf("inflated, it is another message: %.80q", z.out)
	}
	return nil
}

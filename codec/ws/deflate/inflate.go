package deflate

import (
	"io"
	"math"
	"slices"

	"github.com/klauspost/compress/flate"

	"github.com/penstock-go/penstock/codec/ws"
)

// The way of a message through this file:
//
//  1. Append lays the compressed bytes out with what the sender took off behind
//     them, and an empty final block, so that the reader ends by itself. A long
//     message is left where it is, see source.go.
//  2. streams inflates up to a final block, and what follows one likewise
//     (RFC 7692 section 7.2.3.4 allows them, 7.2.3.5 several blocks).
//  3. read counts what comes out against the limit.
//  4. Append keeps the end of the plaintext, if the next message may need it.

const (
	// marker is what section 7.2.1 has a sender take off, and section 7.2.2 a
	// receiver put back.
	marker = "\x00\x00\xff\xff"
	// stop is an empty final block. No other state of a reader than the one
	// between two blocks gets through it to an end: inside a block these bits
	// are data or a bad header, and then the next block is missing.
	stop = "\x01\x00\x00\xff\xff"

	// maxStreams is how many final blocks a message may have. Behind each the
	// reader starts anew, some 2 us for two bytes of input, and no known sender
	// makes more than one.
	maxStreams = 1000

	// streamCost is what the beginning of a stream counts as work: as many bytes
	// as can take as long, when the worst are inflated.
	streamCost = 16

	// plainCost is how much plaintext counts as one byte of work: a thousand bytes of
	// zeros are one on the wire, and take as long as eight others.
	plainCost = 128

	// firstOutput is how much room there is at least for the plaintext.
	firstOutput = 512

	maxWindow = 1 << maxWindowBits
)

// Slice is how many compressed bytes of a long message are inflated between two
// calls of Inflater.Yield, and how many a message may have without any. A byte
// takes up to 0.2 us, if it describes codes that are not used, so others wait for less
// than 2 ms; one of zeros up to 2 us, but then the limit of the plaintext is near.
const Slice = 8 << 10

// Inflater inflates messages of any number of sessions, one after the other. The
// zero value is ready; the first message makes it allocate about 40 KB. One a
// loop is enough, but that it is not to be used for another message while Yield
// runs.
type Inflater struct {
	// Yield, if set, is called while a message of more than Slice compressed
	// bytes is inflated, before each slice but the first. It may let others have
	// their turn. If it returns false the message is given up: Append fails, and
	// nothing else is promised of what it has to do with.
	Yield func() bool

	r      flateReader
	src    source
	window []byte // what may be referred to behind a final block
	work   int
}

// flateReader is what klauspost's NewReader returns.
type flateReader interface {
	io.Reader
	flate.Resetter
}

// Work returns what f has done since the last call: how many compressed bytes were
// inflated, and something for each message.
func (f *Inflater) Work() (bytes int) {
	bytes, f.work = f.work, 0
	return bytes
}

// Append inflates p, a whole message without what its sender took off, and
// returns dst with the plaintext behind it. d and h are the session's for what
// it receives; h may be nil if d has no takeover. p is not kept.
//
// limit is the longest plaintext in bytes; 0 or less means
// ws.DefaultMessageLimit. A longer one is ws.ErrMessageTooBig, and no more than
// 32 KiB beyond limit were inflated to find out. Other errors are ErrCorrupt and
// ErrTooManyStreams. The connection ends with any of them; dst is then returned
// as it was.
func (f *Inflater) Append(dst, p []byte, d Direction, h *History, limit int64) ([]byte, error) {
	if len(p) == 0 {
		// Not even the block header of section 7.2.3.6. Zlib's inflate takes
		// it for an empty message, so senders may get away with it.
		return dst, nil
	}
	start := len(dst)
	dst, _, err := f.streams(dst, p, marker+stop, h.bytes(), plainLimit(limit))
	if err != nil {
		return dst[:start], err
	}
	if d.Takeover {
		h.keep(dst[start:], d.window())
	}
	return dst, nil
}

// streams inflates p and end, which is not the peer's, with references to dict. It
// also returns how many bytes were left when it ended.
func (f *Inflater) streams(dst, p []byte, end string, dict []byte, limit int64) (out []byte, unread int, err error) {
	f.src.open(p, end, f.Yield)
	defer f.src.close()
	f.work += len(p)
	start := len(dst)
	room := firstRoom(len(p), limit)
	known := dict
	for range maxStreams {
		f.work += streamCost
		f.reset(known)
		dst, err = f.read(dst, start, room, limit)
		unread = f.src.left()
		// The peer's bytes may also end with a final block and no more. The
		// marker would not fit behind that.
		if err != nil || unread == 0 || unread == len(end) {
			return dst, unread, err
		}
		known = f.behind(dict, dst[start:])
	}
	return dst, unread, ErrTooManyStreams
}

// firstRoom guesses how much plaintext n bytes make. JSON shrinks to a quarter.
func firstRoom(n int, limit int64) int {
	return int(min(max(4*int64(n), firstOutput), limit+1))
}

// read appends one DEFLATE stream, up to and with its final block.
func (f *Inflater) read(dst []byte, start, room int, limit int64) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, room)
		}
		n, err := f.r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		f.work += n / plainCost
		switch {
		case int64(len(dst)-start) > limit:
			return dst, ws.ErrMessageTooBig
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, ErrCorrupt
		}
	}
}

// reset makes the reader start at the rest of the input.
func (f *Inflater) reset(dict []byte) {
	if f.r == nil {
		f.r = flate.NewReaderDict(f.src.reader(), dict).(flateReader)
		return
	}
	f.r.Reset(f.src.reader(), dict) // never fails: see klauspost's code
}

// behind returns what a stream may refer to that follows out in one message:
// no RFC says that a final block ends the window.
func (f *Inflater) behind(dict, out []byte) []byte {
	if len(out) >= maxWindow {
		return out
	}
	keep := min(len(dict), maxWindow-len(out))
	f.window = append(append(f.window[:0], dict[len(dict)-keep:]...), out...)
	return f.window
}

// plainLimit reads a limit of which 0 stands for the default, and keeps it so
// that sums of a few do not overflow.
func plainLimit(limit int64) int64 {
	if limit <= 0 {
		return ws.DefaultMessageLimit
	}
	return min(limit, math.MaxInt64/4)
}

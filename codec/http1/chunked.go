package http1

import (
	"bytes"
	"math"
)

// chunkState is where in the chunked coding the next byte stands. RFC 9112 7.1,
// in wire order:
//
//	chunked-body = *chunk last-chunk trailer-section CRLF
//	chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//	chunk-ext    = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
//
//	 size ──> digits ─┬──────────────────────────────> lineLF ─> data ─> dataCR ─> dataLF ─> size
//	                  └> gap ─> name ─> value ─> end ─┘   └ size 0 ─> trailers ─> (done)
//
// The zero value is the start of the body.
type chunkState uint8

const (
	atSize       chunkState = iota // first digit of chunk-size
	atDigits                       // more digits, or what ends them
	atExtGap                       // white space where only ";" may follow
	atNameFirst                    // behind ";": white space or the name
	atName                         // in the name
	atNameGap                      // white space behind the name: "=" or ";"
	atValueFirst                   // behind "=": white space or the value
	atValue                        // in a token value
	atQuoted                       // in a quoted string
	atQuotedPair                   // behind its backslash
	atQuotedEnd                    // behind its closing quote
	atLineLF                       // behind the CR of the size line
	atData                         // in chunk-data
	atDataCR                       // behind chunk-data
	atDataLF                       // behind the CR of that
	atTrailers                     // behind the last chunk's size line
	atLastLF                       // behind the CR that stands where a trailer could
)

// earnedPerChunk and earnedPerByte are how much overhead a chunk may have before
// it counts against the sender: room for an honest size line, and for a short
// extension.
const (
	earnedPerChunk = 16
	earnedPerByte  = 2
)

// maxSizeDigits is 16 hex digits, what fits in 64 bits; RFC 9112 7.1 asks
// recipients to expect large numbers and to beware of overflow.
const maxSizeDigits = 16

// nextChunked is Next for a chunked body. It stops in front of a second piece of
// data, so framing bytes behind the piece, and with them the end of the body,
// are taken in the same call.
func (b *Body) nextChunked(p []byte) (n int, data []byte, done bool, err error) {
	for n < len(p) && !b.over {
		switch {
		case b.state == atData && data != nil:
			return n, data, false, nil
		case b.state == atData:
			data = b.chunkData(p[n:])
			n += len(data)
			continue
		case b.state == atTrailers:
			var m int
			m, err = b.trailerLine(p[n:])
			n += m
		default:
			err = b.framingByte(p[n])
			n++
		}
		if err != nil {
			return b.stop(n, data, err)
		}
	}
	return n, data, b.over, nil
}

// stop keeps the error. Data in front of it goes out first.
func (b *Body) stop(n int, data []byte, err error) (int, []byte, bool, error) {
	b.fail(err)
	if data != nil {
		return n - 1, data, false, nil
	}
	return 0, nil, false, err
}

// chunkData takes what p has of the chunk's data.
func (b *Body) chunkData(p []byte) []byte {
	if int64(len(p)) >= b.left {
		p = p[:b.left:b.left]
		b.state = atDataCR
	}
	b.left -= int64(len(p))
	return p
}

// framingByte takes one byte that is neither data nor trailer.
func (b *Body) framingByte(c byte) error {
	b.excess++
	if b.excess > int64(b.limit) {
		return ErrChunkOverhead
	}
	switch b.state {
	case atSize, atDigits:
		return b.sizeByte(c)
	case atLineLF:
		if c != '\n' {
			return ErrChunk
		}
		b.beginChunk()
		return nil
	case atDataCR:
		return b.expect(c, '\r', atDataLF)
	case atDataLF:
		return b.expect(c, '\n', atSize)
	case atLastLF:
		b.over = c == '\n'
		return b.expect(c, '\n', atLastLF)
	}
	b.extent++
	if b.extent > b.limit {
		return ErrChunkOverhead
	}
	next, ok := extensionByte(b.state, c)
	if !ok {
		return ErrChunk
	}
	b.state = next
	return nil
}

func (b *Body) expect(c, want byte, next chunkState) error {
	if c != want {
		return ErrChunk
	}
	b.state = next
	return nil
}

// sizeByte takes a byte of chunk-size, or what may follow it.
func (b *Body) sizeByte(c byte) error {
	if d := unhex(c); d < 16 {
		if b.digits == maxSizeDigits || b.left > math.MaxInt64>>4 {
			return ErrChunk
		}
		b.left = b.left<<4 | int64(d)
		b.digits++
		b.state = atDigits
		return nil
	}
	if b.state == atSize {
		return ErrChunk
	}
	next, ok := lineEnd(c, atExtGap)
	if !ok {
		return ErrChunk
	}
	b.state = next
	return nil
}

// beginChunk knows the size and has the size line behind it.
func (b *Body) beginChunk() {
	b.digits = 0
	if b.left == 0 {
		b.state = atTrailers
		return
	}
	b.state = atData
	b.excess = max(b.excess-earnedPerChunk-min(b.left, math.MaxInt32)*earnedPerByte, -2)
}

// extensionByte is the grammar of chunk-ext.
func extensionByte(s chunkState, c byte) (next chunkState, ok bool) {
	switch s {
	case atExtGap:
		return either(c, ';', atNameFirst, atExtGap)
	case atNameFirst:
		return word(c, atNameFirst, atName)
	case atName:
		if class[c]&isToken != 0 {
			return atName, true
		}
		if c == '=' {
			return atValueFirst, true
		}
		return lineEnd(c, atNameGap)
	case atNameGap:
		if c == '=' {
			return atValueFirst, true
		}
		return either(c, ';', atNameFirst, atNameGap)
	case atValueFirst:
		if c == '"' {
			return atQuoted, true
		}
		return word(c, atValueFirst, atValue)
	case atValue:
		if class[c]&isToken != 0 {
			return atValue, true
		}
		return lineEnd(c, atExtGap)
	case atQuoted:
		return quoted(c)
	case atQuotedPair:
		return atQuoted, class[c]&isText != 0
	}
	return lineEnd(c, atExtGap) // atQuotedEnd
}

// lineEnd is where the size line may end, go on with ";", or go on with white
// space if that leads there.
func lineEnd(c byte, gap chunkState) (chunkState, bool) {
	if c == '\r' {
		return atLineLF, true
	}
	return either(c, ';', atNameFirst, gap)
}

// either takes mark, or white space in front of it.
func either(c, mark byte, next, gap chunkState) (chunkState, bool) {
	if isOWS(c) {
		return gap, true
	}
	return next, c == mark
}

// word takes the first byte of a token, or white space in front of it.
func word(c byte, gap, in chunkState) (chunkState, bool) {
	if isOWS(c) {
		return gap, true
	}
	return in, class[c]&isToken != 0
}

// quoted takes a byte of a quoted string, RFC 9110 5.6.4.
func quoted(c byte) (chunkState, bool) {
	switch c {
	case '"':
		return atQuotedEnd, true
	case '\\':
		return atQuotedPair, true
	}
	return atQuoted, class[c]&isQuotable != 0
}

// unhex returns the value of a hex digit, 16 or more for anything else.
func unhex(c byte) uint8 {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// trailerLine takes what p has of the trailer section, up to the end of a line.
func (b *Body) trailerLine(p []byte) (n int, err error) {
	if b.trailer == nil {
		if p[0] == '\r' {
			b.state = atLastLF
			return 1, nil
		}
		b.trailer = new(trailer)
	}
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		p = p[:i+1]
	}
	b.over, err = b.trailer.add(p, b.limits)
	return len(p), err
}

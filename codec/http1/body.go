package http1

import "math"

// Body reads the body of a message out of the bytes behind its head. The zero
// value is a message without one; Start makes it another. Unlike the parsers of
// heads it keeps its own state: every byte is given to it once.
//
// What the framing costs is bounded. Let a chunk's overhead be its size line and
// the CRLF behind its data, with all extensions. A chunk earns 16 bytes of
// overhead, and 2 more for each byte of data; when the overhead has run ahead of
// what was earned by more than Limits.ChunkExtension, or extensions alone add up
// to more than that, the body is refused with ErrChunkOverhead. So one byte per
// chunk is fine for ever, and padding is not. (net/http has the same rule.)
type Body struct {
	left    int64 // of a ContentLength body, or of the current chunk
	err     error // the first one stays
	trailer *trailer
	excess  int64 // overhead not earned, may be negative within a chunk
	extent  int32 // bytes of extensions so far
	limit   int32 // of excess and of extent
	limits  trailerLimits
	kind    FramingKind
	state   chunkState
	digits  uint8 // of the current chunk's size
	over    bool
}

// Start makes b read a body that is framed as f says. A nil lim means the
// defaults. Memory held for an earlier body's trailers is let go.
func (b *Body) Start(f Framing, lim *Limits) {
	*b = Body{
		kind:   f.Kind,
		left:   f.Length,
		over:   f.Empty(),
		limit:  int32(lim.chunkExtension()),
		limits: trailerLimits{int32(lim.trailer()), int32(min(lim.fields(), math.MaxInt32))},
	}
}

// Next reads on. It takes the first n bytes of p, which must not be given again,
// and returns at most one piece of data, a part of p[:n] that is valid as long
// as p is. Done means that the body and its trailers are complete and p[n:]
// belongs to what follows. Data may come with done.
//
// While n < len(p) and done is false there is more to be had from p[n:]; an n of
// len(p) asks for more bytes. Next keeps nothing of p. The error is one of this
// package's *Errors, comes without data, and comes again on every later call.
func (b *Body) Next(p []byte) (n int, data []byte, done bool, err error) {
	switch {
	case b.err != nil:
		return 0, nil, false, b.err
	case b.kind == Chunked:
		return b.nextChunked(p)
	case b.kind == UntilClose:
		return len(p), p, false, nil
	case b.done():
		return 0, nil, true, nil
	}
	data = p
	if int64(len(p)) > b.left {
		data = p[:b.left:b.left]
	}
	b.left -= int64(len(data))
	b.over = b.left == 0
	return len(data), data, b.over, nil
}

// EOF says what it means that the peer closes now: nil if the body is complete,
// which a body framed UntilClose is by just that, else ErrUnexpectedEOF or the
// error that stopped Next (RFC 9112 8).
func (b *Body) EOF() error {
	switch {
	case b.err != nil:
		return b.err
	case b.kind == UntilClose || b.done():
		b.over = true
		return nil
	}
	return ErrUnexpectedEOF
}

// Trailer returns the trailer fields (RFC 9110 6.5), nil if there are none. They
// are complete when Next is done, and are b's own memory: valid until the next
// Start, or for good if the caller keeps them.
func (b *Body) Trailer() *Header {
	if b.trailer == nil || !b.over {
		return nil
	}
	return &b.trailer.head
}

func (b *Body) done() bool { return b.over || b.kind == NoBody }

// fail keeps the first error.
func (b *Body) fail(err error) error {
	b.err = err
	return err
}

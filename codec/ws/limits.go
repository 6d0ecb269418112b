package ws

import "math"

// DefaultMessageLimit is the longest message in bytes that is taken where no
// limit is set: 16 MiB, far above chat and telemetry and far below a machine's
// memory.
const DefaultMessageLimit = 16 << 20

// Limits bounds what a peer may send. A breach is refused when its header
// arrives, before any of its payload, and costs the peer the connection
// ([StatusMessageTooBig]). Control frames have the protocol's own limit.
// Lengths are those on the wire: what a compressed message inflates to is for
// the inflater to bound. On the wire it may be an eighth and 64 bytes longer than
// others, for what cannot be compressed grows by being so.
type Limits struct {
	// Frame is the longest payload of one data frame in bytes; 0 means
	// Message.
	Frame int64
	// Message is the longest message in bytes, the sum of its frames; 0 means
	// DefaultMessageLimit.
	Message int64
	// Piece is the longest payload of one Data event in bytes: a longer one is
	// reported in pieces, by as many calls of Receive. 0 means no limit, as for
	// messages that are compressed, whose pieces have other lengths once inflated.
	Piece int
}

// piece returns how much of n bytes are reported at once.
func (l *Limits) piece(n int) int {
	if l == nil || l.Piece <= 0 {
		return n
	}
	return min(n, l.Piece)
}

// check tells whether a data frame of length bytes may continue a message of
// which total bytes are known already. A nil receiver means the defaults.
func (l *Limits) check(length, total uint64, compressed bool) error {
	frame, message := int64(0), int64(0)
	if l != nil {
		frame, message = l.Frame, l.Message
	}
	message = limitOr(message, DefaultMessageLimit)
	frame = limitOr(frame, message)
	if compressed {
		frame, message = wireLimit(frame), wireLimit(message)
	}
	if length > uint64(frame) {
		return ErrFrameTooBig
	}
	// The sum does not overflow: both are at most the limits of int64.
	if total+length > uint64(message) {
		return ErrMessageTooBig
	}
	return nil
}

// wireLimit is how long what inflates to limit bytes may be on the wire.
func wireLimit(limit int64) int64 {
	return min(limit, math.MaxInt64/2) + min(limit, math.MaxInt64/2)/8 + 64
}

// limitOr reads a limit of which 0 (and, as there is no better meaning, less)
// stands for a default.
func limitOr(limit, def int64) int64 {
	if limit <= 0 {
		return def
	}
	return limit
}

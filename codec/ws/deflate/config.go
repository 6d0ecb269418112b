package deflate

import (
	"fmt"

	"github.com/penstock-go/penstock/codec/ws"
)

const (
	// DefaultLevel is the level that is used where none is set. Of those that
	// take about the same time on messages of 1 KiB it makes the smallest.
	DefaultLevel = 2

	// DefaultThreshold is the length in bytes below which messages are sent as they
	// are, where none is set. Text of half of it gets only a third smaller, at the
	// price of several copies of itself.
	DefaultThreshold = 512

	// DefaultTakeoverThreshold is the same where a message may refer to the ones
	// before it, which makes short ones much smaller. Levels 1 to 6 find no matches
	// in less: klauspost's writer only codes such blocks by Huffman, or stores them.
	DefaultTakeoverThreshold = 128

	// The window sizes of RFC 7692 section 7.1.2, as powers of two.
	minWindowBits = 8
	maxWindowBits = 15
)

// Config is what one end wishes of permessage-deflate. The zero value is good
// for many connections: level 2, and no takeover either way, so that a session
// at rest holds nothing. Methods do not change it.
type Config struct {
	// Level is how hard to compress, from 1 (fast) to 9; 0 means DefaultLevel.
	// A peer that asks for windows of less than 32 KiB gets a fixed level,
	// about 5, for messages longer than the window.
	Level int
	// Threshold is the length in bytes of the shortest message to compress; 0 means
	// DefaultThreshold, or DefaultTakeoverThreshold. 1 compresses all but empty ones.
	Threshold int
	// Server is what to allow of the server's messages, and Client of the
	// client's. The peer may agree on less, and a server that is asked for no
	// takeover need not heed it.
	Server, Client Direction
}

// Direction is how the messages of one side are compressed.
type Direction struct {
	// Takeover lets a message refer to the ones before it. It makes messages
	// that resemble each other a quarter to a half smaller, and costs memory
	// on both sides, see the package comment.
	Takeover bool
	// WindowBits limits how far back, to 2^WindowBits bytes: 8 to 15, and 0
	// means 15.
	WindowBits uint8
}

// bits returns the window with its default.
func (d Direction) bits() uint8 {
	if d.WindowBits == 0 {
		return maxWindowBits
	}
	return d.WindowBits
}

// window returns the window in bytes.
func (d Direction) window() int { return 1 << d.bits() }

// valid reports whether the window is one that RFC 7692 knows.
func (d Direction) valid() bool {
	return d.bits() >= minWindowBits && d.bits() <= maxWindowBits
}

// Validate returns an error if a field of c has a value that it must not have.
// The other functions take a valid Config only.
func (c *Config) Validate() error {
	switch {
	case c.Level < 0 || c.Level > 9:
		return fmt.Errorf("deflate: level %d is not in 0 to 9", c.Level)
	case c.Threshold < 0:
		return fmt.Errorf("deflate: threshold %d is negative", c.Threshold)
	case !c.Server.valid():
		return fmt.Errorf("deflate: server window of %d bits is not in 8 to 15", c.Server.WindowBits)
	case !c.Client.valid():
		return fmt.Errorf("deflate: client window of %d bits is not in 8 to 15", c.Client.WindowBits)
	}
	return nil
}

// Worth reports whether a message of n bytes is long enough to compress by the
// terms d.
func (c *Config) Worth(n int, d Direction) bool {
	switch {
	case c.Threshold > 0:
		return n >= c.Threshold
	case d.Takeover:
		return n >= DefaultTakeoverThreshold
	}
	return n >= DefaultThreshold
}

// Params is what both ends agreed on: how each side's messages are compressed.
// WindowBits are then never 0.
type Params struct {
	// Server is for the server's messages, and Client for the client's.
	Server, Client Direction

	// The offer named server_max_window_bits, so the response must too.
	windowAsked bool
}

// From returns how the messages that side sends are compressed: a server
// compresses as From(ws.Server) says and inflates what is From(ws.Client).
func (p *Params) From(side ws.Side) Direction {
	if side == ws.Client {
		return p.Client
	}
	return p.Server
}

package load

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Config says what to send where.
type Config struct {
	// Addr is the server, by IPv4.
	Addr netip.AddrPort
	// Mode is what travels.
	Mode Mode
	// Conns is how many connections there are; 0 means 1.
	Conns int
	// Size is a message's payload in bytes. HTTP does not use it.
	Size int
	// Depth is how many messages a connection has in flight; 0 means 1, and Fan has
	// no more.
	Depth int
	// Takeover lets messages of WSZ refer to those before them.
	Takeover bool
	// OneWay takes that back for the client's messages.
	OneWay bool
	// Path is what HTTP gets and where WS shakes hands; "" means "/".
	Path string
	// TLS is what WSS and HTTPS offer.
	TLS TLS
}

const (
	maxConns = 20_000
	maxDepth = 4096
	maxTotal = 512 << 20 // bytes of all messages in flight, which are kept ready
)

func (c Config) withDefaults() (Config, error) {
	c.Conns = max(c.Conns, 1)
	c.Depth = max(c.Depth, 1)
	if c.Path == "" {
		c.Path = "/"
	}
	switch {
	case c.Mode.Plain() == "":
		return c, fmt.Errorf("load: no mode %q; there are %s", c.Mode, slices.Sorted(maps.Keys(modes)))
	case c.Size < c.Mode.smallest():
		return c, fmt.Errorf("load: a message of %d bytes", c.Size)
	case c.Mode.Fans() && c.Depth > 1:
		return c, fmt.Errorf("load: mode %s has one message in flight, not %d", c.Mode, c.Depth)
	case c.OneWay && !c.Takeover:
		return c, fmt.Errorf("load: no takeover, and that one way")
	case c.Takeover && c.Mode != WSZ:
		return c, fmt.Errorf("load: mode %s has no takeover", c.Mode)
	case c.Conns > maxConns || c.Depth > maxDepth || c.Conns*c.Depth*c.Size > maxTotal:
		return c, fmt.Errorf("load: %d connections x %d messages x %d bytes are too much", c.Conns, c.Depth, c.Size)
	case !c.Addr.Addr().Is4():
		return c, fmt.Errorf("load: %v is not an IPv4 address", c.Addr)
	}
	return c, nil
}

// Result is what a run found.
type Result struct {
	// Messages were answered within Elapsed.
	Messages int
	// Elapsed is the measured time.
	Elapsed time.Duration
	// CPU is what the server's clock advanced meanwhile.
	CPU time.Duration
	// Received is how many bytes came within Elapsed, above TLS.
	Received int
	// Latency is how long the answers took.
	Latency Histogram
}

// PerMessage is the server's processor time for one message.
func (r *Result) PerMessage() time.Duration {
	return time.Duration(float64(r.CPU) / float64(max(r.Messages, 1)))
}

// NanosPerMessage is PerMessage without rounding.
func (r *Result) NanosPerMessage() float64 { return float64(r.CPU) / float64(max(r.Messages, 1)) }

// ReceivedPerMessage is the length of an answer on the wire.
func (r *Result) ReceivedPerMessage() float64 {
	return float64(r.Received) / float64(max(r.Messages, 1))
}

// Rate is how many messages were answered in a second.
func (r *Result) Rate() float64 { return float64(r.Messages) / r.Elapsed.Seconds() }

// Busy is the share of the time that the server was running: near 1, one of its
// threads was the bottleneck.
func (r *Result) Busy() float64 { return float64(r.CPU) / float64(r.Elapsed) }

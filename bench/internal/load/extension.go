package load

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/klauspost/compress/flate"
)

const (
	// defaultWindow is what a side may refer back to if nothing is said, in bytes
	// (RFC 7692 7.1.2).
	defaultWindow = 32 << 10

	// history is how much of what it has sent the generator refers to, if messages may
	// refer to others. It is what gws gives a client by default, so that servers get
	// the same bytes.
	history = 4 << 10

	// level is zlib's default, and so a browser's.
	level = 6

	// flushMarker ends a compressed message and is not sent (RFC 7692 7.2.1).
	flushMarker = "\x00\x00\xff\xff"
)

// offer is the Sec-WebSocket-Extensions of a request, or nothing.
func (c *Config) offer() string {
	switch {
	case !c.Mode.Deflated():
		return ""
	case c.OneWay:
		return "permessage-deflate; client_no_context_takeover"
	case c.Takeover:
		return "permessage-deflate; client_max_window_bits"
	}
	return "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
}

// terms is what the server has made of the offer.
type terms struct {
	header string // as it came
	window int    // in bytes, what the client may refer back to beyond its message
}

// parseTerms wants what was offered: another amount of work would be compared
// otherwise.
func (c *Config) parseTerms(header string) (terms, error) {
	t := terms{header: header, window: defaultWindow}
	if !c.Mode.Deflated() {
		if header != "" {
			return t, fmt.Errorf("the server agrees to %q, which was not offered", header)
		}
		return t, nil
	}
	has := map[string]string{}
	for p := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		has[name] = value
	}
	_, deflate := has["permessage-deflate"]
	_, serverForgets := has["server_no_context_takeover"]
	_, clientForgets := has["client_no_context_takeover"]
	if !deflate || serverForgets == c.Takeover || clientForgets != c.OneWay && c.Takeover {
		return t, fmt.Errorf("the server answers the offer %q with %q", c.offer(), header)
	}
	if c.OneWay {
		t.window = 0
		return t, nil
	}
	if bits := has["client_max_window_bits"]; bits != "" {
		n, err := strconv.Atoi(bits)
		if err != nil || n < 8 || n > 15 {
			return t, fmt.Errorf("the server agrees to a window of %q bits", bits)
		}
		t.window = 1 << n
	}
	if t.window < defaultWindow && c.Size > t.window { // which the compressor here does not know
		return t, fmt.Errorf("messages of %d bytes do not fit the server's window of %d", c.Size, t.window)
	}
	return t, nil
}

// compressor makes the payloads of compressed messages.
type compressor struct {
	w   *flate.Writer
	out []byte
}

// Write appends, for w.
func (z *compressor) Write(p []byte) (int, error) {
	z.out = append(z.out, p...)
	return len(p), nil
}

// compress returns p compressed with references to dict.
func (z *compressor) compress(p, dict []byte) []byte {
	if z.w == nil {
		z.w, _ = flate.NewWriter(nil, level) // the level exists
	}
	z.out = nil
	z.w.ResetDict(z, dict)
	_, _ = z.w.Write(p) // appending does not fail
	_ = z.w.Flush()
	return z.out[:len(z.out)-len(flushMarker)]
}

// dictionary is what message k may refer to: the end of those before it, and of the
// last round's if they come again.
func dictionary(all [][]byte, k, window int, again bool) (dict []byte) {
	room := min(history, window) - len(all[k])
	for back := 1; back < len(all) && room > 0 && (again || back <= k); back++ {
		p := all[(k-back+len(all))%len(all)]
		p = p[max(0, len(p)-room):]
		dict = append(p[:len(p):len(p)], dict...)
		room -= len(p)
	}
	return dict
}

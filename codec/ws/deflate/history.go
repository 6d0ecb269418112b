package deflate

// History is what one direction of a session keeps of its plaintext, for the
// next message to refer to: bytes, and none while nothing is needed. The zero
// value is the start of a connection. A copy of one in use must not be used.
type History struct {
	b []byte
}

// Size returns how many bytes h holds in memory.
func (h *History) Size() int { return cap(h.b) }

// Release drops the bytes. A sender may do so between messages at any time, and
// only the next messages grow by it. A receiver that has agreed to takeover may
// not, until the connection ends.
func (h *History) Release() { h.b = nil }

// bytes returns what can be referred to. A nil History has nothing.
func (h *History) bytes() []byte {
	if h == nil {
		return nil
	}
	return h.b
}

// keep makes h hold the last most bytes of what it holds and p.
func (h *History) keep(p []byte, most int) {
	if len(p) >= most {
		h.b, p = h.b[:0], p[len(p)-most:]
	} else if over := len(h.b) + len(p) - most; over > 0 {
		h.b = h.b[:copy(h.b, h.b[over:])]
	}
	if need := len(h.b) + len(p); need > cap(h.b) {
		// By doubling, and never beyond what can be asked for.
		grown := make([]byte, len(h.b), min(max(need, 2*cap(h.b)), most))
		copy(grown, h.b)
		h.b = grown
	}
	h.b = append(h.b, p...)
}

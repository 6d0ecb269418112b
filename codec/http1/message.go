package http1

// message is what requests and responses have in common.
type message struct {
	head    Header
	err     error // the first one stays until reset
	cur     cursor
	lengths lengths
	upgrade uint32 // 1 + index of the first Upgrade line
	minor   uint8
	flags   flags
	phase   phase
	mem     []byte // our own memory for head.raw, used again by copyTo and own
}

type flags uint8

const (
	flagClose flags = 1 << iota
	flagKeepAlive
	flagConnectionUpgrade
	flagHost
	flagContinue
)

// phase is how far the parse of a head is.
type phase uint8

const (
	phaseStartLine phase = iota
	phaseFields
	phaseDone
)

// Header returns the field lines. It is part of the message and valid as long.
func (m *message) Header() *Header { return &m.head }

// Minor returns the minor version: 0 for HTTP/1.0, 1 for HTTP/1.1 and every
// later 1.x, which RFC 9110 2.5 makes the same.
func (m *message) Minor() int { return int(m.minor) }

// Raw returns the head as it came, with the empty line that ends it.
func (m *message) Raw() []byte { return m.head.raw }

// KeepAlive reports whether the sender lets the connection live after this
// message (RFC 9112 9.3): HTTP/1.1 unless it says close, HTTP/1.0 only if it
// says keep-alive. A response with UntilClose framing ends its connection
// whatever KeepAlive says.
func (m *message) KeepAlive() bool {
	return m.flags&flagClose == 0 && (m.minor == 1 || m.flags&flagKeepAlive != 0)
}

// Upgrade returns the value of the first Upgrade line, and true, if the message
// is HTTP/1.1 and its Connection lists upgrade; otherwise the field means
// nothing (RFC 9110 7.8). The value is a list; Header().HasToken("Upgrade", name)
// looks a protocol up in it.
func (m *message) Upgrade() (protocols []byte, ok bool) {
	if m.upgrade == 0 || m.minor == 0 || m.flags&flagConnectionUpgrade == 0 {
		return nil, false
	}
	return m.head.value(int(m.upgrade - 1)), true
}

// reset makes m as new and keeps its memory.
func (m *message) reset() {
	m.head.reset()
	m.err = nil
	m.cur = cursor{}
	m.lengths = lengths{}
	m.upgrade, m.minor, m.flags, m.phase = 0, 0, 0, phaseStartLine
	if cap(m.mem) > memKeep {
		m.mem = nil
	}
}

// memKeep is the largest head whose memory is kept for the next one.
const memKeep = 4096

// copyTo makes dst equal to m with memory of its own, which it keeps from one
// copy to the next.
func (m *message) copyTo(dst *message) {
	mem, lines := dst.mem, dst.head.lines
	*dst = *m
	dst.mem = append(mem[:0], m.head.raw...)
	dst.head.raw = dst.mem
	dst.head.lines = append(lines[:0], m.head.lines...)
}

// own gives m memory of its own for the bytes that it points to.
func (m *message) own() {
	if len(m.mem) == 0 || len(m.head.raw) == 0 || &m.mem[0] != &m.head.raw[0] {
		m.mem = append(m.mem[:0], m.head.raw...)
		m.head.raw = m.mem
	}
}

// finish binds the offsets to their bytes.
func (m *message) finish(head []byte) {
	m.head.raw = head
	m.phase = phaseDone
}

// incomplete answers for a head of which b, cut at the limit max, is not all.
func (m *message) incomplete(b []byte, max int) error {
	if err := m.cur.earlyField(b); err != nil {
		return err
	}
	if len(b) >= max {
		return ErrHeadTooLarge
	}
	return nil
}

// field takes the field line that ends at end. Name and value alias b.
func (m *message) field(b []byte, end int, limit int) (name, value []byte, err error) {
	name, value, err = m.head.add(b, int(m.cur.line), end, limit)
	if err != nil {
		return nil, nil, err
	}
	m.cur.advance(end)
	switch len(name) {
	case len("upgrade"):
		switch {
		case m.upgrade == 0 && equalFold(name, "upgrade"):
			m.upgrade = uint32(len(m.head.lines))
		case equalFold(name, "trailer"):
			m.lengths.addTrailers(value)
		}
	case len("connection"):
		if equalFold(name, "connection") {
			m.addConnection(value)
		}
	case len("content-length"):
		if equalFold(name, "content-length") {
			err = m.lengths.addLength(value)
		}
	case len("transfer-encoding"):
		if equalFold(name, "transfer-encoding") {
			err = m.lengths.addCodings(value)
		}
	}
	return name, value, err
}

// addConnection reads a Connection line (RFC 9110 7.6.1).
func (m *message) addConnection(list []byte) {
	for list != nil {
		var elem []byte
		elem, list = nextElement(list)
		switch {
		case equalFold(elem, "close"):
			m.flags |= flagClose
		case equalFold(elem, "keep-alive"):
			m.flags |= flagKeepAlive
		case equalFold(elem, "upgrade"):
			m.flags |= flagConnectionUpgrade
		}
	}
}

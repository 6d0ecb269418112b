package http1

import "iter"

// Header is the field lines of a head or trailer section, in the order they
// came. Names compare without regard to ASCII case. What it returns aliases the
// bytes it was parsed from and must not be modified; see Request and Body for
// how long those are valid.
type Header struct {
	raw   []byte
	lines []line
}

// line is one field line, as offsets so that a copy of the bytes is a copy of
// the header.
type line struct {
	name, nameEnd, value, valueEnd uint32
}

// fieldsAtFirst is how many lines the first growth makes room for: a browser
// sends 10 to 16, and 16 lines are 256 bytes.
const fieldsAtFirst = 16

// Len returns the number of field lines.
func (h *Header) Len() int { return len(h.present()) }

// At returns field line i, 0 <= i < Len(), the value without the white space
// around it.
func (h *Header) At(i int) (name, value []byte) {
	l := &h.lines[i]
	return h.raw[l.name:l.nameEnd:l.nameEnd], h.value(i)
}

// Get returns the value of the first line named name.
func (h *Header) Get(name string) (value []byte, ok bool) {
	for i := range h.present() {
		if h.is(i, name) {
			return h.value(i), true
		}
	}
	return nil, false
}

// Count returns how many lines are named name.
func (h *Header) Count(name string) int {
	n := 0
	for i := range h.present() {
		if h.is(i, name) {
			n++
		}
	}
	return n
}

// Values yields the values of all lines named name. RFC 9110 5.3 says that they
// mean the same as one line with the values joined by commas.
func (h *Header) Values(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range h.present() {
			if h.is(i, name) && !yield(h.value(i)) {
				return
			}
		}
	}
}

// HasToken reports whether the comma-separated list made of all lines named
// name has token as an element, without regard to ASCII case. It is meant for
// lists of tokens such as Connection and Upgrade: a comma inside a quoted
// string splits too.
func (h *Header) HasToken(name, token string) bool {
	for i := range h.present() {
		if h.is(i, name) && hasElement(h.value(i), token) {
			return true
		}
	}
	return false
}

// present returns the lines that can be read: none while a head is incomplete.
func (h *Header) present() []line {
	if h.raw == nil {
		return nil
	}
	return h.lines
}

func (h *Header) is(i int, name string) bool {
	l := &h.lines[i]
	return int(l.nameEnd-l.name) == len(name) && equalFold(h.raw[l.name:l.nameEnd], name)
}

func (h *Header) value(i int) []byte {
	l := &h.lines[i]
	return h.raw[l.value:l.valueEnd:l.valueEnd]
}

// reset forgets the lines and keeps their room.
func (h *Header) reset() {
	h.raw, h.lines = nil, h.lines[:0]
}

// add parses the field line b[start:end] (RFC 9112 5), whose bytes are known to
// be text, and returns its name and value.
func (h *Header) add(b []byte, start, end, limit int) (name, value []byte, err error) {
	text := b[start:end]
	n := span(text, 0, isToken)
	if err := nameEnd(text, n); err != nil {
		return nil, nil, err
	}
	if len(h.lines) >= limit {
		return nil, nil, ErrTooManyFields
	}
	v, e := n+1, len(text)
	for v < e && isOWS(text[v]) {
		v++
	}
	for e > v && isOWS(text[e-1]) {
		e--
	}
	if h.lines == nil {
		h.lines = make([]line, 0, fieldsAtFirst)
	}
	at := uint32(start)
	h.lines = append(h.lines, line{at, at + uint32(n), at + uint32(v), at + uint32(e)})
	return text[:n], text[v:e], nil
}

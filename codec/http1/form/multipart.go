package form

import "bytes"

// multipart parses multipart/form-data (RFC 7578, RFC 2046 5.1):
//
//	preamble --delimiter--> tail --CRLF--> header --empty line--> content --+
//	                         ^ | "--"                                       |
//	                         | +----> last --CRLF--> epilogue               |
//	                         +------------------delimiter-------------------+
//
// A delimiter is CRLF "--" boundary. A boundary has no CR, so bytes that turn out not to be
// a delimiter can only contain the beginning of another where they end, and how much
// of one has come is a number.
type multipart struct {
	f       *Form
	delim   []byte
	state   multipartState
	matched int  // of delim, if state is content
	lent    int  // how much of that has not come: the CRLF of an empty line
	cr      bool // the CR of a CRLF has come, in tail and last
	dash    bool // the first of "--", in tail
	padded  bool // there was white space, in tail
	header  []byte
	line    int // where the last line of header begins
	part    part
	size    int64 // of the file in hand
}

type multipartState uint8

const (
	stateContent multipartState = iota // preamble too
	stateTail
	stateHeader
	stateLast
	stateEpilogue
)

// part is what content belongs to.
type part uint8

const (
	partNone part = iota
	partField
	partFile
)

func newMultipart(f *Form, boundary string) *multipart {
	m := &multipart{f: f, delim: []byte("\r\n--" + boundary)}
	m.startContent()
	return m
}

// startContent says that content follows an empty line, or nothing at all. A delimiter's
// CRLF may be that of the line.
func (m *multipart) startContent() { m.state, m.matched, m.lent = stateContent, 2, 2 }

func (m *multipart) write(p []byte) error {
	for len(p) > 0 {
		var n int
		var err error
		switch m.state {
		case stateContent:
			n, err = m.content(p)
		case stateTail:
			n, err = 1, m.tail(p[0])
		case stateHeader:
			n, err = m.headerLine(p)
		case stateLast:
			n, err = 1, m.last(p[0])
		case stateEpilogue:
			return nil
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// content looks for the next delimiter.
func (m *multipart) content(p []byte) (n int, err error) {
	if m.matched > 0 {
		return m.resume(p)
	}
	if i := bytes.Index(p, m.delim); i >= 0 {
		if err := m.deliver(p[:i]); err != nil {
			return 0, err
		}
		return i + len(m.delim), m.endPart()
	}
	end := len(p)
	if i := bytes.LastIndexByte(p[max(0, end-len(m.delim)):], '\r'); i >= 0 {
		if i += max(0, end-len(m.delim)); bytes.HasPrefix(m.delim, p[i:]) {
			m.matched, m.lent = end-i, 0
			end = i
		}
	}
	return len(p), m.deliver(p[:end])
}

// resume goes on with a delimiter of which the beginning has come.
func (m *multipart) resume(p []byte) (n int, err error) {
	for n < len(p) && m.matched < len(m.delim) && p[n] == m.delim[m.matched] {
		n++
		m.matched++
	}
	switch {
	case m.matched == len(m.delim):
		return n, m.endPart()
	case n == len(p):
		return n, nil
	}
	held := m.delim[m.lent:m.matched]
	m.matched = 0
	return n, m.deliver(held)
}

// deliver takes content to where it belongs.
func (m *multipart) deliver(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	switch m.part {
	case partField:
		return m.f.add(p)
	case partFile:
		if m.size += int64(len(p)); m.size > m.f.lim.File {
			return ErrFile
		}
		return m.f.store(p)
	}
	if len(bytes.Trim(p, "\r\n")) > 0 { // of a preamble, which nobody sends, others see delimiters where we see none
		return ErrBoundary
	}
	return nil
}

// endPart follows a delimiter.
func (m *multipart) endPart() error {
	was := m.part
	m.state, m.matched, m.part = stateTail, 0, partNone
	m.cr, m.dash, m.padded = false, false, false
	switch was {
	case partField:
		m.f.keep()
	case partFile:
		return m.f.stored()
	}
	return nil
}

// tail takes a byte behind a delimiter: white space that gateways may have added, and
// CRLF, or "--".
func (m *multipart) tail(c byte) error {
	switch {
	case m.cr && c == '\n':
		m.state, m.header, m.line = stateHeader, m.header[:0], 0
	case m.dash && c == '-':
		m.state, m.dash = stateLast, false
	case m.cr || m.dash:
		return ErrBoundary
	case c == ' ' || c == '\t':
		m.padded = true
	case c == '\r':
		m.cr = true
	case c == '-' && !m.padded:
		m.dash = true
	default:
		return ErrBoundary
	}
	return nil
}

// last takes a byte behind the last delimiter.
func (m *multipart) last(c byte) error {
	switch {
	case m.cr && c == '\n':
		m.state = stateEpilogue
	case m.cr:
		return ErrBoundary
	case c == '\r':
		m.cr = true
	case c != ' ' && c != '\t':
		return ErrBoundary
	}
	return nil
}

// headerLine takes bytes of a part's header, up to the end of a line.
func (m *multipart) headerLine(p []byte) (n int, err error) {
	n = bytes.IndexByte(p, '\n') + 1
	whole := n > 0
	if !whole {
		n = len(p)
	}
	if len(m.header)+n > m.f.lim.Header {
		return 0, ErrPartHeader
	}
	m.header = append(m.header, p[:n]...)
	if !whole {
		return n, nil
	}
	line := m.header[m.line:]
	switch {
	case len(line) < 2 || line[len(line)-2] != '\r':
		return 0, ErrHeader
	case len(line) > 2:
		m.line = len(m.header)
		return n, nil
	}
	m.part, err = m.f.startPart(m.header[:m.line])
	m.size = 0
	m.startContent()
	return n, err
}

func (m *multipart) end() error {
	if m.state == stateEpilogue || m.state == stateLast && !m.cr {
		return nil
	}
	return ErrIncomplete
}

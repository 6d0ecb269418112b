package http1

// cursor walks a head line by line over calls that present ever more of it. It
// holds offsets only, so the bytes may move between calls.
type cursor struct {
	line uint32 // where the unfinished line begins
	seen uint32 // bytes before it were searched for the line's end
	mark uint32 // bytes before it were judged before their line ended
	part uint8  // which part of the line mark is in, see earlyField
}

// next returns where the current line's CRLF stands, or -1 if it has not come
// yet. No byte is searched twice, and none that may not stand in a head passes.
func (c *cursor) next(b []byte) (int, error) {
	i := textEnd(b, int(c.seen))
	if i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' {
		return i, nil
	}
	c.seen = uint32(i)
	if i == len(b) || b[i] == '\r' && i+1 == len(b) {
		return -1, nil
	}
	return -1, notText(b[i])
}

// advance moves behind the CRLF that stands at end.
func (c *cursor) advance(end int) {
	c.line = uint32(end + 2)
	c.seen = c.line
}

func notText(c byte) error {
	switch c {
	case '\n':
		return ErrBareLF
	case '\r':
		return ErrBareCR
	}
	return ErrControl
}

// The parts of a line that is still coming.
const (
	partFirst = iota // method, field name
	partTarget
	partVersion
	partRest // anything the line search alone judges
)

// The functions below judge a line that is not complete, so that what can no
// longer become right is refused now and not when the peer chooses to end the
// line. Each byte is judged once. They find nothing that the parse of the whole
// line would not find.

// restart begins the judging of a new line.
func (c *cursor) restart() {
	if c.mark < c.line {
		c.mark, c.part = c.line, partFirst
	}
}

// earlyField judges the name of an unfinished field line.
func (c *cursor) earlyField(b []byte) error {
	c.restart()
	if c.part != partFirst || c.mark >= c.seen {
		return nil
	}
	i := span(b[:c.seen], int(c.mark), isToken)
	c.mark = uint32(i)
	if i == int(c.seen) {
		return nil
	}
	c.part = partRest
	return nameEnd(b[c.line:], i-int(c.line))
}

// nameEnd judges the byte behind a field name of n bytes.
func nameEnd(line []byte, n int) error {
	switch {
	case n == 0 && (line[0] == ' ' || line[0] == '\t'):
		return ErrFold
	case n == 0 || n == len(line) || line[n] != ':':
		return ErrFieldName
	}
	return nil
}

// earlyRequest judges an unfinished request line. The mark stays at the version,
// of which a few bytes are all there can be. Target is the class of the target.
func (c *cursor) earlyRequest(b []byte, target uint8) error {
	c.restart()
	b = b[:c.seen]
	if c.part == partFirst {
		if err := c.earlyWord(b, isToken, ErrMethod); err != nil {
			return err
		}
	}
	if c.part == partTarget {
		if err := c.earlyWord(b, target, ErrTarget); err != nil {
			return err
		}
	}
	if c.part == partVersion {
		return earlyVersion(b[c.mark:])
	}
	return nil
}

// earlyWord judges a word of one class that ends in one SP.
func (c *cursor) earlyWord(b []byte, bit uint8, broken error) error {
	i := span(b, int(c.mark), bit)
	c.mark = uint32(i)
	switch {
	case i == len(b):
		return nil
	case b[i] != ' ' || i == int(c.line) || b[i-1] == ' ':
		return broken
	}
	c.mark++
	c.part++
	return nil
}

// earlyVersion judges the beginning of an HTTP-version.
func earlyVersion(v []byte) error {
	const shape = "HTTP/1.1"
	if len(v) > len(shape) {
		return ErrVersion
	}
	for i, c := range v {
		if c != shape[i] && (shape[i] != '1' || c < '0' || c > '9') {
			return ErrVersion
		}
	}
	if len(v) == len(shape) && v[5] != '1' {
		return ErrUnsupportedVersion
	}
	return nil
}

// version reads a whole HTTP-version, RFC 9112 2.3. Minor versions above 1 mean
// what 1 means, RFC 9110 2.5.
func version(v []byte) (minor uint8, err error) {
	if len(v) != len("HTTP/1.1") {
		return 0, ErrVersion
	}
	if string(v[:7]) == "HTTP/1." && v[7]-'0' <= 9 {
		return min(v[7]-'0', 1), nil
	}
	return 0, earlyVersion(v)
}

package http1

// Request is the head of a request. The zero value is ready for ParseRequest and
// is used again for the next request by passing it again.
//
// Every slice it returns aliases the bytes given to ParseRequest, is valid as
// long as those are, and must not be modified. CopyTo makes a copy that lives
// on its own. Until ParseRequest has succeeded there is nothing to read: slices
// are nil and the header is empty.
type Request struct {
	message
	method, target, path, query, host words
	framing                           Framing
	singles                           uint8 // which of singletons have come
}

// words is a piece of the head, as offsets.
type words struct{ start, end uint32 }

// of returns the piece, nil while the head is incomplete and b is nil.
func (w words) of(b []byte) []byte {
	if int(w.end) > len(b) {
		return nil
	}
	return b[w.start:w.end:w.end]
}

// maxEmptyLines is how many empty lines before a request are forgiven. RFC 9112
// 2.2 asks for at least one: old clients send a CRLF behind a body.
const maxEmptyLines = 2

// ParseRequest parses the head of the request that b begins with. It returns
//
//	0, nil      b does not hold the whole head; call again with the same bytes
//	            and more behind them, at any address
//	n, nil      the head is b[:n] and r describes it; a body may follow
//	0, an error the bytes break a rule; it is one of this package's *Errors, and
//	            comes again until r is Reset
//
// Errors come as early as the bytes allow, and a head that comes byte by byte is
// looked at once. A nil lim means the defaults. Rules: RFC 9112 2.2 to 6.3.
func ParseRequest(b []byte, r *Request, lim *Limits) (n int, err error) {
	switch {
	case r.phase == phaseDone:
		r.Reset()
	case r.err != nil:
		return 0, r.err
	}
	n, r.err = r.parse(b, lim)
	return n, r.err
}

// Method returns the method, RFC 9110 9. It is case-sensitive.
func (r *Request) Method() []byte { return r.method.of(r.head.raw) }

// Target returns the request-target as it was sent (RFC 9112 3.2).
func (r *Request) Target() []byte { return r.target.of(r.head.raw) }

// Path returns the path without the query, percent-escapes as sent (they are
// valid): "/" for an absolute-form without one, "*" for the asterisk-form, nil
// for the authority-form of CONNECT. UnescapePath decodes it.
func (r *Request) Path() []byte {
	if r.path.end == 0 {
		return nil
	}
	return r.path.of(r.head.raw)
}

// Query returns what stands behind the first question mark, undecoded; nil if
// there is none. QueryValue looks a name up in it.
func (r *Request) Query() []byte {
	if r.query.end == 0 {
		return nil
	}
	return r.query.of(r.head.raw)
}

// Host returns the host[:port] the request is for: the authority of an
// absolute-form or authority-form target, else the Host field (RFC 9112 3.2.2,
// 3.3). It is empty if HTTP/1.0 says nothing or Host is empty.
func (r *Request) Host() []byte { return r.host.of(r.head.raw) }

// ExpectContinue reports whether the client waits for a 100 (Continue) before it
// sends the body (RFC 9110 10.1.1). It is false for HTTP/1.0, where the
// expectation must be ignored, and if there is no body to wait for.
func (r *Request) ExpectContinue() bool {
	return r.flags&flagContinue != 0 && r.minor == 1 && !r.framing.Empty()
}

// Framing returns where the body ends, RFC 9112 6.3: NoBody, ContentLength or
// Chunked.
func (r *Request) Framing() Framing { return r.framing }

// Reset makes r as new, keeping memory for the next parse.
func (r *Request) Reset() {
	r.message.reset()
	r.method, r.target, r.path, r.query, r.host = words{}, words{}, words{}, words{}, words{}
	r.framing, r.singles = Framing{}, 0
}

// Own gives r memory of its own, so that it outlives the bytes it was parsed
// from. Slices that were taken before still point to those. The memory is used
// again by the next Own, and by CopyTo into r.
func (r *Request) Own() { r.message.own() }

// CopyTo makes dst equal to r, with memory of its own that later copies to dst
// use again.
func (r *Request) CopyTo(dst *Request) {
	if dst == r {
		return
	}
	kept := dst.message
	*dst = *r
	dst.message = kept
	r.message.copyTo(&dst.message)
}

func (r *Request) parse(b []byte, lim *Limits) (n int, err error) {
	max := lim.head()
	if len(b) > max {
		b = b[:max]
	}
	if len(b) < int(r.cur.seen) {
		return 0, nil // less than last time
	}
	if r.phase == phaseStartLine {
		if ok, err := r.startLine(b, lim); !ok {
			return 0, err
		}
	}
	fields := lim.fields()
	for {
		end, err := r.cur.next(b)
		switch {
		case err != nil:
			return 0, err
		case end < 0:
			return 0, r.incomplete(b, max)
		case end == int(r.cur.line):
			return r.end(b[:end+2])
		}
		name, value, err := r.field(b, end, fields)
		if err != nil {
			return 0, err
		}
		if err := r.requestField(name, value); err != nil {
			return 0, err
		}
	}
}

// startLine parses the request line once it is there.
func (r *Request) startLine(b []byte, lim *Limits) (ok bool, err error) {
	for {
		window := b
		if max := int(r.cur.line) + lim.requestLine() + 2; len(window) > max {
			window = window[:max]
		}
		end, err := r.cur.next(window)
		switch {
		case err != nil:
			return false, err
		case end < 0:
			return false, r.incompleteLine(window, lim)
		case end > int(r.cur.line):
			if err := r.requestLine(b, int(r.cur.line), end, lim.targetClass()); err != nil {
				return false, err
			}
			r.cur.advance(end)
			r.phase = phaseFields
			return true, nil
		case end >= 2*maxEmptyLines:
			return false, ErrEmptyLines
		}
		r.cur.advance(end)
	}
}

// incompleteLine answers for a request line of which window is not all.
func (r *Request) incompleteLine(window []byte, lim *Limits) error {
	if err := r.cur.earlyRequest(window, lim.targetClass()); err != nil {
		return err
	}
	if len(window) >= int(r.cur.line)+lim.requestLine()+2 || len(window) >= lim.head() {
		return ErrRequestLineTooLong
	}
	return nil
}

// requestLine parses b[start:end]: method SP request-target SP HTTP-version,
// RFC 9112 3. What may stand in the target is bit's class.
func (r *Request) requestLine(b []byte, start, end int, bit uint8) (err error) {
	b = b[:end]
	m := span(b, start, isToken)
	if m == start || m == end || b[m] != ' ' {
		return ErrMethod
	}
	if bit == isTarget && m+1 < end && b[m+1] == '/' {
		bit = isPath // brackets are for hosts
	}
	t := span(b, m+1, bit)
	switch {
	case t == m+1 || t < end && b[t] != ' ':
		return ErrTarget
	case t == end:
		return ErrVersion
	}
	if r.minor, err = version(b[t+1:]); err != nil {
		return err
	}
	r.method = words{uint32(start), uint32(m)}
	r.target = words{uint32(m + 1), uint32(t)}
	return r.parseTarget(b[:t], bit)
}

// requestField takes the fields that mean something in requests only.
func (r *Request) requestField(name, value []byte) error {
	switch len(name) {
	case len("host"):
		if equalFold(name, "host") {
			return r.addHost(value)
		}
	case len("expect"):
		if r.minor == 1 && equalFold(name, "expect") {
			return r.addExpect(value)
		}
	case len("range"), len("if-range"), len("authorization"), len("if-modified-since"), len("if-unmodified-since"):
		return r.addSingleton(name)
	}
	return nil
}

// singletons are fields that cannot be read as a list, so that RFC 9110 5.3 forbids
// to send them twice, and of which two recipients would choose different ones: who
// asks, and for what. (Others, such as Content-Type, are repeated by honest programs,
// and mean the same to everyone as far as framing and access go.)
var singletons = [...]string{
	"Authorization", "Proxy-Authorization", "Range", "If-Range", "Content-Range", "If-Modified-Since", "If-Unmodified-Since",
}

// addSingleton refuses the second line of one.
func (r *Request) addSingleton(name []byte) error {
	for i, s := range singletons {
		if equalFold(name, s) {
			if r.singles&(1<<i) != 0 {
				return ErrRepeated
			}
			r.singles |= 1 << i
		}
	}
	return nil
}

// addHost takes the one Host line, RFC 9112 3.2.
func (r *Request) addHost(value []byte) error {
	if r.flags&flagHost != 0 || len(value) > 0 && !validHost(value) {
		return ErrHost
	}
	r.flags |= flagHost
	if r.host.end == 0 {
		l := &r.head.lines[len(r.head.lines)-1]
		r.host = words{l.value, l.valueEnd}
	}
	return nil
}

// addExpect reads an Expect line, RFC 9110 10.1.1.
func (r *Request) addExpect(list []byte) error {
	for list != nil {
		var elem []byte
		elem, list = nextElement(list)
		switch {
		case len(elem) == 0:
		case equalFold(elem, "100-continue"):
			r.flags |= flagContinue
		default:
			return ErrExpectation
		}
	}
	return nil
}

// end checks what only the whole head can tell.
func (r *Request) end(head []byte) (n int, err error) {
	if r.flags&flagHost == 0 && r.minor == 1 {
		return 0, ErrHost
	}
	if r.framing, err = r.lengths.requestFraming(r.minor); err != nil {
		return 0, err
	}
	r.finish(head)
	return len(head), nil
}

package http1

// Response is the head of a response. The zero value is ready for ParseResponse
// and is used again for the next response by passing it again.
//
// Every slice it returns aliases the bytes given to ParseResponse, is valid as
// long as those are, and must not be modified. CopyTo makes a copy that lives
// on its own. Until ParseResponse has succeeded there is nothing to read: slices
// are nil and the header is empty.
type Response struct {
	message
	status uint16
	phrase words
}

// ParseResponse parses the head of the response that b begins with, and is to be
// called like ParseRequest. Interim responses (1xx) are responses like others;
// the caller goes on to the next. It also tells a program that lets its users
// write raw responses what they wrote.
//
// The status line is HTTP-version SP 3DIGIT SP [ phrase ] (RFC 9112 4), the
// status from 100 to 599. The second SP may be missing if the phrase is: many
// servers send it so and nothing can be mistaken.
func ParseResponse(b []byte, r *Response, lim *Limits) (n int, err error) {
	switch {
	case r.phase == phaseDone:
		r.Reset()
	case r.err != nil:
		return 0, r.err
	}
	n, r.err = r.parse(b, lim)
	return n, r.err
}

// Status returns the status code, 100 to 599 (RFC 9110 15).
func (r *Response) Status() int { return int(r.status) }

// Phrase returns the reason phrase, which may be empty and means nothing.
func (r *Response) Phrase() []byte { return r.phrase.of(r.head.raw) }

// Framing returns where the body ends, RFC 9112 6.3, which depends on the method
// of the request (case-sensitive): a response to HEAD has none. After a 2xx to
// CONNECT or a 101 the bytes behind the head are no longer HTTP. The error is
// ErrCoding for a transfer coding other than chunked.
func (r *Response) Framing(requestMethod string) (Framing, error) {
	return r.lengths.responseFraming(requestMethod, int(r.status), r.minor)
}

// Reset makes r as new, keeping memory for the next parse.
func (r *Response) Reset() {
	r.message.reset()
	r.status, r.phrase = 0, words{}
}

// CopyTo makes dst equal to r, with memory of its own that later copies to dst
// use again.
func (r *Response) CopyTo(dst *Response) {
	if dst == r {
		return
	}
	dst.status, dst.phrase = r.status, r.phrase
	r.message.copyTo(&dst.message)
}

func (r *Response) parse(b []byte, lim *Limits) (n int, err error) {
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
		if _, _, err := r.field(b, end, fields); err != nil {
			return 0, err
		}
	}
}

// startLine parses the status line once it is there.
func (r *Response) startLine(b []byte, lim *Limits) (ok bool, err error) {
	max := lim.requestLine() + 2
	if len(b) > max {
		b = b[:max]
	}
	end, err := r.cur.next(b)
	if err != nil {
		return false, err
	}
	if end < 0 {
		if err := earlyStatus(b[:min(int(r.cur.seen), phraseAt)]); err != nil {
			return false, err
		}
		if len(b) >= max || len(b) >= lim.head() {
			return false, ErrStatusLine
		}
		return false, nil
	}
	if err := r.statusLine(b[:end]); err != nil {
		return false, err
	}
	r.cur.advance(end)
	r.phase = phaseFields
	return true, nil
}

// What stands where in a status line.
const (
	statusAt = len("HTTP/1.1 ")
	phraseAt = len("HTTP/1.1 200 ")
)

// earlyStatus judges what has come of a status line up to its phrase. That is so
// little that it may be judged anew on every call.
func earlyStatus(b []byte) error {
	if err := earlyVersion(b[:min(len(b), statusAt-1)]); err != nil {
		return err
	}
	for i := statusAt - 1; i < len(b); i++ {
		if !statusByte(i, b[i]) {
			return ErrStatusLine
		}
	}
	return nil
}

// statusByte reports whether c may stand at i of a status line, behind the
// version and before the phrase.
func statusByte(i int, c byte) bool {
	switch i {
	case statusAt - 1, phraseAt - 1:
		return c == ' '
	case statusAt:
		return '1' <= c && c <= '5'
	}
	return '0' <= c && c <= '9'
}

// statusLine parses a whole status line, RFC 9112 4.
func (r *Response) statusLine(b []byte) (err error) {
	if len(b) < statusAt {
		return ErrStatusLine
	}
	if r.minor, err = version(b[:statusAt-1]); err != nil {
		return err
	}
	if len(b) < phraseAt-1 {
		return ErrStatusLine
	}
	for i := statusAt - 1; i < min(len(b), phraseAt); i++ {
		if !statusByte(i, b[i]) {
			return ErrStatusLine
		}
	}
	r.status = uint16(b[statusAt]-'0')*100 + uint16(b[statusAt+1]-'0')*10 + uint16(b[statusAt+2]-'0')
	r.phrase = words{uint32(min(phraseAt, len(b))), uint32(len(b))}
	return nil
}

// end checks what only the whole head can tell.
func (r *Response) end(head []byte) (n int, err error) {
	if err := r.lengths.conflict(r.minor); err != nil {
		return 0, err
	}
	r.finish(head)
	return len(head), nil
}

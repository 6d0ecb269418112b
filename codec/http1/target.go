package http1

import "bytes"

// parseTarget finds out which of the four forms of RFC 9112 3.2 the target is.
// b ends with the target, whose bytes are of bit's class.
func (r *Request) parseTarget(b []byte, bit uint8) error {
	start := int(r.target.start)
	method := r.method.of(b)
	switch {
	// 3.2.3: the authority-form is for CONNECT alone, and CONNECT has no other.
	case string(method) == "CONNECT":
		r.host = r.target
		if !validAuthority(r.target.of(b)) {
			return ErrTarget
		}
		return nil
	// 3.2.1: origin-form.
	case b[start] == '/':
		return r.parsePath(b, start, bit)
	// 3.2.4: the asterisk-form is for OPTIONS alone.
	case b[start] == '*' && start+1 == len(b) && string(method) == "OPTIONS":
		r.path = r.target
		return nil
	}
	return r.parseAbsolute(b, start, bit)
}

// parsePath takes path and query of the target, from start to the end of b.
func (r *Request) parsePath(b []byte, start int, bit uint8) error {
	end := len(b)
	if i := bytes.IndexByte(b[start:], '?'); i >= 0 {
		end = start + i
		r.query = words{uint32(end + 1), uint32(len(b))}
	}
	r.path = words{uint32(start), uint32(end)}
	if bit == isLoose {
		b = b[:end] // the query is as it is
	}
	if !validEscapes(b[start:]) {
		return ErrEscape
	}
	return nil
}

// parseAbsolute takes an absolute-form, RFC 9112 3.2.2, with the rules of
// RFC 9110 4.2 for http URIs: a host, and no userinfo (4.2.4).
func (r *Request) parseAbsolute(b []byte, start int, bit uint8) error {
	n := schemeLen(b[start:])
	if n == 0 {
		return ErrTarget
	}
	host := start + n
	end := host
	for end < len(b) && b[end] != '/' && b[end] != '?' {
		end++
	}
	if !validHost(b[host:end]) {
		return ErrTarget
	}
	if bit == isTarget && span(b, end, isPath) < len(b) {
		return ErrTarget // brackets are for hosts
	}
	r.host = words{uint32(host), uint32(end)}
	if end < len(b) && b[end] == '/' {
		return r.parsePath(b, end, bit)
	}
	// No path means "/", RFC 9110 4.2.3: the second slash before the host is
	// one, so that the path is a piece of the head like any other.
	r.path = words{uint32(host - 1), uint32(host)}
	if end < len(b) {
		r.query = words{uint32(end + 1), uint32(len(b))}
	}
	if bit != isLoose && !validEscapes(b[end:]) {
		return ErrEscape
	}
	return nil
}

// schemeLen returns the length of the "http://" or "https://" b begins with.
func schemeLen(b []byte) int {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(b) > len(scheme) && equalFold(b[:len(scheme)], scheme) {
			return len(scheme)
		}
	}
	return 0
}

// validEscapes reports whether each percent sign has its two hex digits.
func validEscapes(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '%')
		if i < 0 {
			return true
		}
		if !isEscape(b[i:]) {
			return false
		}
		b = b[i+3:]
	}
}

// isEscape reports whether b, which begins with a percent sign, begins with a
// whole escape.
func isEscape(b []byte) bool {
	return len(b) >= 3 && class[b[1]]&class[b[2]]&isHex != 0
}

package http1

import "bytes"

// UnescapePath appends path to dst with its percent-escapes decoded (RFC 3986
// 2.1) and returns the extended slice. A plus sign stays one. It fails with
// ErrEscape, and returns dst as it was, for a broken escape and for %00, which
// no file name has.
//
// The result may have slashes and dot segments that came from escapes: clean it
// after decoding, not before.
func UnescapePath(dst, path []byte) ([]byte, error) {
	was := len(dst)
	for {
		i := bytes.IndexByte(path, '%')
		if i < 0 {
			return append(dst, path...), nil
		}
		dst = append(dst, path[:i]...)
		if path = path[i:]; !isEscape(path) || path[1] == '0' && path[2] == '0' {
			return dst[:was], ErrEscape
		}
		dst = append(dst, unhex(path[1])<<4|unhex(path[2]))
		path = path[3:]
	}
}

// QueryValue returns the value of the first name=value in a query as browsers
// write forms: pairs parted by "&", escapes decoded in both, plus meaning space.
// A name without "=" has the value "". A pair with a broken escape is passed
// over, like url.ParseQuery does.
func QueryValue(query []byte, name string) (value string, ok bool) {
	for len(query) > 0 {
		pair, rest, _ := bytes.Cut(query, []byte{'&'})
		query = rest
		k, v, _ := bytes.Cut(pair, []byte{'='})
		if len(pair) == 0 || !validEscapes(k) || !validEscapes(v) || !isFormText(k, name) {
			continue
		}
		return formText(v), true
	}
	return "", false
}

// isFormText reports whether b, whose escapes are valid, decodes to s.
func isFormText(b []byte, s string) bool {
	for len(b) > 0 {
		c, rest := formByte(b)
		if s == "" || s[0] != c {
			return false
		}
		b, s = rest, s[1:]
	}
	return s == ""
}

// formText decodes b, whose escapes are valid.
func formText(b []byte) string {
	if bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return string(b)
	}
	text := make([]byte, 0, len(b))
	for len(b) > 0 {
		var c byte
		c, b = formByte(b)
		text = append(text, c)
	}
	return string(text)
}

// formByte decodes the first byte of b.
func formByte(b []byte) (c byte, rest []byte) {
	switch b[0] {
	case '%':
		return unhex(b[1])<<4 | unhex(b[2]), b[3:]
	case '+':
		return ' ', b[1:]
	}
	return b[0], b[1:]
}

// Cookie returns the value of the first cookie named name (case-sensitive) in
// the Cookie lines of a request, as it was sent, with quotes if it has them (RFC
// 6265 4.2). A name without "=" is no cookie. The value aliases h.
func Cookie(h *Header, name string) (value []byte, ok bool) {
	for i := range h.present() {
		if !h.is(i, "Cookie") {
			continue
		}
		if value, ok := cookieIn(h.value(i), name); ok {
			return value, true
		}
	}
	return nil, false
}

func cookieIn(list []byte, name string) (value []byte, ok bool) {
	for len(list) > 0 {
		pair, rest, _ := bytes.Cut(list, []byte{';'})
		list = rest
		k, v, found := bytes.Cut(pair, []byte{'='})
		if found && string(trimOWS(k)) == name {
			return trimOWS(v), true
		}
	}
	return nil, false
}

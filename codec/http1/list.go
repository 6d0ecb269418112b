package http1

import "bytes"

// trimOWS drops SP and HTAB from both ends.
func trimOWS(b []byte) []byte {
	for len(b) > 0 && isOWS(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isOWS(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isOWS(c byte) bool { return c == ' ' || c == '\t' }

// nextElement splits the first element off a comma-separated list (RFC 9110
// 5.6.1). It knows no quoted strings: the fields it is used for have none.
// Rest is nil after the last element and not nil before it.
func nextElement(list []byte) (elem, rest []byte) {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		return trimOWS(list[:i]), list[i+1:]
	}
	return trimOWS(list), nil
}

// hasElement reports whether list has token as an element.
func hasElement(list []byte, token string) bool {
	for list != nil {
		var elem []byte
		if elem, list = nextElement(list); equalFold(elem, token) {
			return true
		}
	}
	return false
}

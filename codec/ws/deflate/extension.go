package deflate

import (
	"bytes"
	"iter"
)

// visitor is told what a list of extensions consists of, in order. The slices
// are the list's; value is nil if the parameter has none.
type visitor interface {
	extension(name []byte)
	param(name, value []byte)
}

// parseExtensions reads the values of Sec-WebSocket-Extensions fields, which
// RFC 6455 section 9.1 lets a sender split over several. It reads to the end
// whatever v does, so that a list is malformed or not on its own.
func parseExtensions(values iter.Seq[[]byte], v visitor) error {
	for value := range values {
		if !parseList(value, v) {
			return ErrExtensionList
		}
	}
	return nil
}

// parseList reads one field's value:
//
//	extension-list  = 1#extension
//	extension       = extension-token *( ";" extension-param )
//	extension-param = token [ "=" (token | quoted-string) ]
//
// Empty elements are skipped: RFC 9110 section 5.6.1.2 has recipients do so.
func parseList(b []byte, v visitor) bool {
	for {
		b = skipSpace(b)
		switch {
		case len(b) == 0:
			return true
		case b[0] == ',':
			b = b[1:]
			continue
		}
		name, rest := cutToken(b)
		if len(name) == 0 {
			return false
		}
		v.extension(name)
		var ok bool
		if b, ok = parseParams(rest, v); !ok {
			return false
		}
	}
}

// parseParams reads what follows an extension's name, and leaves the comma.
func parseParams(b []byte, v visitor) (rest []byte, ok bool) {
	for {
		b = skipSpace(b)
		if len(b) == 0 || b[0] == ',' {
			return b, true
		}
		if b[0] != ';' {
			return nil, false
		}
		name, rest := cutToken(skipSpace(b[1:]))
		if len(name) == 0 {
			return nil, false
		}
		var value []byte
		if b = skipSpace(rest); len(b) > 0 && b[0] == '=' {
			if value, b = cutValue(skipSpace(b[1:])); len(value) == 0 {
				return nil, false
			}
		}
		v.param(name, value)
	}
}

// cutValue splits a parameter's value off b; an empty one means that there is
// none. "When using the quoted-string syntax variant, the value after
// quoted-string unescaping MUST conform to the 'token' ABNF."
func cutValue(b []byte) (value, rest []byte) {
	if len(b) == 0 || b[0] != '"' {
		return cutToken(b)
	}
	end := 1
	escaped := false
	for ; end < len(b) && b[end] != '"'; end++ {
		if b[end] == '\\' {
			escaped = true
			end++
		}
	}
	if end >= len(b) {
		return nil, nil
	}
	value = b[1:end]
	if escaped {
		value = unescape(value)
	}
	if token, more := cutToken(value); len(more) > 0 {
		return nil, nil
	} else {
		return token, b[end+1:]
	}
}

// unescape returns a copy of the inside of a quoted-string without the
// backslashes that quote.
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' {
			i++
		}
		out = append(out, b[i])
	}
	return out
}

// cutToken splits the longest token (RFC 9110 section 5.6.2) off b.
func cutToken(b []byte) (token, rest []byte) {
	n := 0
	for n < len(b) && isTokenByte(b[n]) {
		n++
	}
	return b[:n:n], b[n:]
}

func isTokenByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

package ws

import (
	"bytes"
	"errors"
	"iter"
	"slices"
)

// maxProtocols is how many subprotocols an offer may list. No client needs a
// tenth of it, and it bounds the search for duplicates.
const maxProtocols = 64

// ErrProtocolList says that the values of Sec-WebSocket-Protocol are not a list
// of distinct tokens. The server answers with 400.
var ErrProtocolList = errors.New("ws: malformed Sec-WebSocket-Protocol")

// SelectProtocol picks the subprotocol a server speaks: the first one the
// client lists that is in supported, or "" if there is none, RFC 6455 section
// 4.2.2 item 5.5. Names are compared byte for byte.
//
// offered yields the values of the request's Sec-WebSocket-Protocol fields in
// order; section 11.3.4 lets a client split its list over several. Section 4.1
// item 10 has the elements be tokens, all different: an offer that breaks that,
// or has more than 64, is refused whole with ErrProtocolList.
//
// offered's slices are not kept; the result is an element of supported.
func SelectProtocol(offered iter.Seq[[]byte], supported []string) (string, error) {
	var l protocolList
	for value := range offered {
		for name := range bytes.SplitSeq(value, []byte{','}) {
			if !l.add(bytes.Trim(name, " \t")) {
				return "", ErrProtocolList
			}
		}
	}
	for _, name := range l.names[:l.n] {
		if i := slices.Index(supported, string(name)); i >= 0 {
			return supported[i], nil
		}
	}
	return "", nil
}

// protocolList is what a client offers, in its order.
type protocolList struct {
	names [maxProtocols][]byte
	n     int
}

// add appends name, unless the offer becomes malformed by it. Empty elements
// are skipped: RFC 9110 section 5.6.1.2 has recipients do so.
func (l *protocolList) add(name []byte) bool {
	if len(name) == 0 {
		return true
	}
	if l.n == len(l.names) || !isToken(name) {
		return false
	}
	for _, other := range l.names[:l.n] {
		if bytes.Equal(other, name) {
			return false
		}
	}
	l.names[l.n] = name
	l.n++
	return true
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2.
func isToken(s []byte) bool {
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0:
		default:
			return false
		}
	}
	return len(s) > 0
}

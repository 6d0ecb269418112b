package http1

import (
	"bytes"
	"iter"
)

// Cookie returns the value of the first cookie named name; see the function Cookie.
func (r *Request) Cookie(name string) (value []byte, ok bool) { return Cookie(r.Header(), name) }

// Cookies yields the names and values of all cookies in the Cookie lines of a request,
// in their order and as they were sent, quotes included. What has no "=" or no name is
// no cookie. They alias h.
func Cookies(h *Header) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for list := range h.Values("Cookie") {
			for len(list) > 0 {
				pair, rest, _ := bytes.Cut(list, []byte{';'})
				list = rest
				name, value, found := bytes.Cut(pair, []byte{'='})
				if name = trimOWS(name); found && len(name) > 0 && !yield(name, trimOWS(value)) {
					return
				}
			}
		}
	}
}

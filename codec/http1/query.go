package http1

import (
	"bytes"
	"iter"
)

// QueryValue returns the value of the first name in the request's query; see the
// function QueryValue. A query has no limit of its own: it is part of the request
// line.
func (r *Request) QueryValue(name string) (value string, ok bool) {
	return QueryValue(r.Query(), name)
}

// AppendQueryValue is QueryValue without a string: it appends the value to dst and
// returns the extended slice, or dst as it was if there is none.
func AppendQueryValue(dst, query []byte, name string) (value []byte, ok bool) {
	for k, v := range Pairs(query) {
		if validEscapes(k) && validEscapes(v) && isFormText(k, name) {
			return appendFormText(dst, v), true
		}
	}
	return dst, false
}

// Pairs yields the names and values of a query, or of a whole form of the type
// application/x-www-form-urlencoded, in their order and as they were sent: pairs are
// parted by "&", a name without "=" has an empty value, and of "&&" nothing comes.
// UnescapeForm decodes them. They alias query.
func Pairs(query []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for len(query) > 0 {
			pair, rest, _ := bytes.Cut(query, []byte{'&'})
			query = rest
			if len(pair) == 0 {
				continue
			}
			name, value, _ := bytes.Cut(pair, []byte{'='})
			if !yield(name, value) {
				return
			}
		}
	}
}

// UnescapeForm appends text to dst as it is meant in a form or query: escapes are
// decoded and plus means space. It fails with ErrEscape, and returns dst as it was, for
// a broken escape. The result may have any bytes: a NUL, and what is no UTF-8.
func UnescapeForm(dst, text []byte) ([]byte, error) {
	if !validEscapes(text) {
		return dst, ErrEscape
	}
	return appendFormText(dst, text), nil
}

// appendFormText decodes text, whose escapes are valid.
func appendFormText(dst, text []byte) []byte {
	for len(text) > 0 {
		var c byte
		c, text = formByte(text)
		dst = append(dst, c)
	}
	return dst
}

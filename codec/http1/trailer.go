package http1

// trailer is the trailer section of a chunked body (RFC 9112 7.1.2). It is made
// when a body turns out to have one, and keeps a copy of the bytes, since they
// come one by one and are read when the body is over.
type trailer struct {
	head Header
	cur  cursor
}

type trailerLimits struct{ bytes, fields int32 }

// add takes more bytes, of one line at most, and says whether the section is
// over.
func (t *trailer) add(p []byte, lim trailerLimits) (over bool, err error) {
	if len(t.head.raw)+len(p) > int(lim.bytes) {
		return false, ErrTrailerTooLarge
	}
	t.head.raw = append(t.head.raw, p...)
	end, err := t.cur.next(t.head.raw)
	switch {
	case err != nil:
		return false, err
	case end < 0:
		return false, t.cur.earlyField(t.head.raw)
	case end == int(t.cur.line):
		return true, nil
	}
	name, _, err := t.head.add(t.head.raw, int(t.cur.line), end, int(lim.fields))
	switch {
	case err == ErrTooManyFields:
		return false, ErrTrailerTooLarge
	case err != nil:
		return false, err
	case forbiddenInTrailer(name):
		return false, ErrTrailer
	}
	t.cur.advance(end)
	return false, nil
}

// ValidTrailer reports whether name may be that of a trailer field: it is a token and
// none of those that decide about framing, routing, authentication, request modifiers,
// response control or the content's form (RFC 9110 6.5.1).
func ValidTrailer(name string) bool {
	return ValidName(name) && !forbiddenInTrailer([]byte(name))
}

// forbiddenInTrailer knows the fields that decide about framing, routing,
// authentication, request modifiers, response control or the content's form,
// RFC 9110 6.5.1. A field that a recipient must have before the body is of no
// use behind it, and one merged into the head by a careless user is a weapon.
func forbiddenInTrailer(name []byte) bool {
	for _, f := range forbiddenTrailers {
		if equalFold(name, f) {
			return true
		}
	}
	return false
}

var forbiddenTrailers = [...]string{
	// Framing and routing.
	"Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Connection",
	"TE", "Trailer", "Transfer-Encoding", "Upgrade",
	// Authentication and cookies.
	"Authorization", "Cookie", "Proxy-Authenticate", "Proxy-Authorization",
	"Set-Cookie", "WWW-Authenticate",
	// Request modifiers.
	"Cache-Control", "Expect", "If-Match", "If-Modified-Since", "If-None-Match",
	"If-Range", "If-Unmodified-Since", "Max-Forwards", "Pragma", "Range",
	// Response control.
	"Age", "Date", "Expires", "Location", "Retry-After", "Vary", "Warning",
	// Form of the content.
	"Content-Encoding", "Content-Range", "Content-Type",
}

package http1

// What the zero value of each limit means.
const (
	DefaultRequestLine    = 8192
	DefaultHead           = 16384
	DefaultFields         = 100
	DefaultChunkExtension = 16384
	DefaultTrailer        = 8192
)

// Limits bounds what a peer may send. A zero (or negative) field means its
// default, and a nil *Limits means all defaults. The body's size is not here:
// whoever calls Body.Next counts.
type Limits struct {
	// RequestLine is the longest request line or status line in bytes, without
	// its CRLF. 0 = 8192, which RFC 9112 3 recommends as the least. A breach is
	// ErrRequestLineTooLong (414), and of a status line ErrStatusLine.
	RequestLine int
	// Head is the longest head in bytes: start line, fields, the empty line, all
	// with their CRLFs. 0 = 16384. A breach is ErrHeadTooLarge (431), or that of
	// RequestLine if the start line alone is longer. At most 1 GiB is honoured,
	// so that offsets into a head fit in 32 bits.
	Head int
	// Fields is the largest number of field lines in a head, and in a trailer
	// section. 0 = 100. A breach is ErrTooManyFields (431).
	Fields int
	// ChunkExtension is how many bytes of chunk extensions one body may have in
	// all, and how far chunk framing may run ahead of data: see Body. 0 = 16384.
	// A breach is ErrChunkOverhead (400).
	ChunkExtension int
	// Trailer is the longest trailer section in bytes. 0 = 8192. A breach is
	// ErrTrailerTooLarge (431).
	Trailer int
	// StrictTarget refuses, with ErrTarget and ErrEscape (400), what RFC 3986 has no
	// place for in the path and query of a request, as RFC 9112 3.2 asks: [ ] \ ^ `
	// { | }, and in the query percent signs without their two hex digits. Without it
	// they pass, since browsers send them bare: "?a[]=1" is what many forms make.
	// Whoever passes such a target on must know how the next reads it.
	StrictTarget bool
}

const maxHead = 1 << 30

func (l *Limits) requestLine() int {
	if l == nil || l.RequestLine <= 0 {
		return DefaultRequestLine
	}
	return min(l.RequestLine, maxHead)
}

func (l *Limits) head() int {
	if l == nil || l.Head <= 0 {
		return DefaultHead
	}
	return min(l.Head, maxHead)
}

// targetClass is what may stand in a request-target.
func (l *Limits) targetClass() uint8 {
	if l != nil && l.StrictTarget {
		return isTarget
	}
	return isLoose
}

func (l *Limits) fields() int {
	if l == nil || l.Fields <= 0 {
		return DefaultFields
	}
	return l.Fields
}

func (l *Limits) chunkExtension() int {
	if l == nil || l.ChunkExtension <= 0 {
		return DefaultChunkExtension
	}
	return min(l.ChunkExtension, maxHead)
}

func (l *Limits) trailer() int {
	if l == nil || l.Trailer <= 0 {
		return DefaultTrailer
	}
	return min(l.Trailer, maxHead)
}

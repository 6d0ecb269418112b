package http1

// FramingKind says what ends a body.
type FramingKind uint8

// The kinds of framing. The zero value is a message without a body.
const (
	// NoBody is a message that ends with its head.
	NoBody FramingKind = iota
	// ContentLength is a body of a known number of bytes, which may be 0.
	ContentLength
	// Chunked is a body in the chunked coding (RFC 9112 7.1).
	Chunked
	// UntilClose is a response's body that the server's closing ends.
	UntilClose
)

// String returns the kind's name.
func (k FramingKind) String() string {
	switch k {
	case NoBody:
		return "no body"
	case ContentLength:
		return "content length"
	case Chunked:
		return "chunked"
	case UntilClose:
		return "until close"
	}
	return "unknown framing"
}

// Framing is where the body of a message ends.
type Framing struct {
	// Kind is the rule that ends the body.
	Kind FramingKind
	// Length is the number of bytes of a ContentLength body, 0 otherwise.
	Length int64
}

// Empty reports whether nothing at all follows the head.
func (f Framing) Empty() bool {
	return f.Kind == NoBody || f.Kind == ContentLength && f.Length == 0
}

// lengths gathers what the head says about its body, line by line.
type lengths struct {
	length    int64
	hasLength bool
	framers   bool // Trailer announces a field that decides about framing
	coding    coding
}

// coding is what the Transfer-Encoding lines say when read as one list.
type coding uint8

const (
	codingNone    coding = iota
	codingChunked        // chunked, once and last
	codingUnknown        // others only, so far
	codingMixed          // others, and then chunked
)

// requestFraming is RFC 9112 6.3 for requests.
func (l *lengths) requestFraming(minor uint8) (Framing, error) {
	// Steps 1 and 2 speak of responses.
	// Step 3: Transfer-Encoding with Content-Length ought to be an error.
	if err := l.conflict(minor); err != nil {
		return Framing{}, err
	}
	switch l.coding {
	// Step 4: Transfer-Encoding and chunked is the final coding. With a coding
	// we do not know under it (6.1): 501.
	case codingChunked:
		return Framing{Kind: Chunked}, nil
	case codingMixed:
		return Framing{}, ErrCoding
	// Step 4, of a request whose final coding is not chunked: the length cannot
	// be determined. A list of nothing but unknown codings is 501 (6.1), anything
	// else never gets here.
	case codingUnknown:
		return Framing{}, ErrCoding
	}
	// Step 5: an invalid Content-Length was refused where it stood.
	// Step 6: a valid one is the length.
	if l.hasLength {
		return Framing{Kind: ContentLength, Length: l.length}, nil
	}
	// Step 7: a request with neither has no body.
	return Framing{}, nil
}

// responseFraming is RFC 9112 6.3 for responses to method.
func (l *lengths) responseFraming(method string, status int, minor uint8) (Framing, error) {
	// Step 1: responses to HEAD and all 1xx, 204, 304 end with the head, whatever
	// it says.
	if method == "HEAD" || status < 200 || status == 204 || status == 304 {
		return Framing{}, nil
	}
	// Step 2: 2xx to CONNECT makes the connection a tunnel.
	if method == "CONNECT" && status < 300 {
		return Framing{}, nil
	}
	// Step 3: both is an error.
	if err := l.conflict(minor); err != nil {
		return Framing{}, err
	}
	switch l.coding {
	// Step 4: chunked is the final coding.
	case codingChunked:
		return Framing{Kind: Chunked}, nil
	// Step 4, otherwise: the body would end with the connection, in a coding we
	// do not know. Its bytes are of no use.
	case codingMixed, codingUnknown:
		return Framing{}, ErrCoding
	}
	// Steps 5 and 6 as above.
	if l.hasLength {
		return Framing{Kind: ContentLength, Length: l.length}, nil
	}
	// Step 8: a response without a declared length ends with the connection.
	return Framing{Kind: UntilClose}, nil
}

// conflict refuses what can only be an error or an attack: two lengths, a
// Transfer-Encoding from a sender that does not know of it (RFC 9112 6.1), and
// chunks behind which framing fields are to come (RFC 9110 6.5.1).
func (l *lengths) conflict(minor uint8) error {
	switch {
	case l.coding == codingNone:
		return nil
	case l.hasLength:
		return ErrTwoLengths
	case minor == 0:
		return ErrTransferEncoding
	case l.framers && l.coding == codingChunked:
		return ErrTrailer
	}
	return nil
}

// addLength reads a Content-Length line: 1*DIGIT (RFC 9110 8.6). Lists and
// repetitions are refused even when their members are equal.
func (l *lengths) addLength(value []byte) error {
	if l.hasLength || len(value) == 0 {
		return ErrContentLength
	}
	var n uint64
	for _, c := range value {
		d := uint64(c - '0')
		if d > 9 || n > (1<<63-1-d)/10 {
			return ErrContentLength
		}
		n = n*10 + d
	}
	l.length, l.hasLength = int64(n), true
	return nil
}

// addCodings reads a Transfer-Encoding line (RFC 9112 6.1). Empty elements and
// parameters of chunked (7.1) are refused.
func (l *lengths) addCodings(list []byte) error {
	for list != nil {
		var elem []byte
		elem, list = nextElement(list)
		name := span(elem, 0, isToken)
		rest := trimOWS(elem[name:])
		chunked := equalFold(elem[:name], "chunked")
		switch {
		case name == 0 || len(rest) > 0 && (rest[0] != ';' || chunked):
			return ErrTransferEncoding
		case l.coding == codingChunked || l.coding == codingMixed:
			return ErrTransferEncoding // something behind chunked, or chunked twice
		case !chunked:
			l.coding = codingUnknown
		case l.coding == codingUnknown:
			l.coding = codingMixed
		default:
			l.coding = codingChunked
		}
	}
	return nil
}

// addTrailers reads a Trailer line (RFC 9110 6.6.2). It is a hint, and what it
// names is judged when it comes; but a sender that means to say behind the body
// how long that is has lost its way.
func (l *lengths) addTrailers(list []byte) {
	for _, name := range [...]string{"Content-Length", "Transfer-Encoding", "Trailer"} {
		l.framers = l.framers || hasElement(list, name)
	}
}

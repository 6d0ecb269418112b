package http1

// Error is a message that breaks a rule, with the answer the rule asks for.
// The errors of the parsers are the variables below: compare with == or
// errors.Is. A callback that wants to choose an answer makes one by NewError.
//
// What ParseResponse and the Body of a response refuse has no one to be answered
// to; a gateway says 502 to its own client, whatever Status says.
type Error struct {
	// Status is the status code to answer with: 400, 413, 431, 501 ...
	// After an error of a parser the connection must be closed, since nobody
	// knows where the next message begins.
	Status int
	// Text says what is wrong, without the package's name in front.
	Text string
	// Remote is true if the peer broke the rule, false if this side did.
	Remote bool
}

// NewError returns an error that stands for the answer status. Text is for logs
// and is not sent to the peer.
func NewError(status int, text string) *Error {
	return &Error{Status: status, Text: text}
}

// Error returns Text with the package's name in front.
func (e *Error) Error() string { return "http1: " + e.Text }

func remote(status int, text string) *Error {
	return &Error{Status: status, Text: text, Remote: true}
}

// Errors of lines, common to requests, responses and trailers.
var (
	// ErrBareLF is a line that ends without CR (RFC 9112 2.2).
	ErrBareLF = remote(400, "line feed without carriage return")
	// ErrBareCR is a CR that does not end a line (RFC 9112 2.2).
	ErrBareCR = remote(400, "carriage return without line feed")
	// ErrControl is a control character in a head (RFC 9110 5.5). On a plain
	// port it is most often the first byte of a TLS ClientHello.
	ErrControl = remote(400, "control character in head")
	// ErrVersion is a malformed HTTP-version, or none (RFC 9112 2.3).
	ErrVersion = remote(400, "malformed HTTP version")
	// ErrUnsupportedVersion is a major version other than 1 (RFC 9110 15.6.6).
	ErrUnsupportedVersion = remote(505, "unsupported HTTP version")
)

// Errors of the request line and of the fields only a request has.
var (
	// ErrEmptyLines is a third empty line before a request (RFC 9112 2.2 asks
	// to ignore at least one).
	ErrEmptyLines = remote(400, "too many empty lines before the request")
	// ErrMethod is a method that is no token (RFC 9112 3.1).
	ErrMethod = remote(400, "malformed method")
	// ErrTarget is a request-target that has none of the four forms, or not the
	// one its method asks for (RFC 9112 3.2).
	ErrTarget = remote(400, "malformed request target")
	// ErrEscape is a percent sign without two hex digits (RFC 3986 2.1).
	ErrEscape = remote(400, "malformed percent escape")
	// ErrHost is a missing, repeated or malformed Host (RFC 9112 3.2).
	ErrHost = remote(400, "missing, repeated or malformed Host")
	// ErrExpectation is an expectation other than 100-continue (RFC 9110 10.1.1).
	ErrExpectation = remote(417, "unknown expectation")
	// ErrRequestLineTooLong is a breach of Limits.RequestLine (RFC 9112 3).
	ErrRequestLineTooLong = remote(414, "request line too long")
)

// ErrStatusLine is a malformed status line (RFC 9112 4), or one longer than
// Limits.RequestLine.
var ErrStatusLine = remote(502, "malformed status line")

// Errors of field lines.
var (
	// ErrFieldName is a field name that is no token, is empty, or is followed by
	// white space or no colon at all (RFC 9112 5.1).
	ErrFieldName = remote(400, "malformed field name")
	// ErrFold is a field line that begins with white space: obs-fold, or a space
	// after the start line (RFC 9112 2.2 and 5.2).
	ErrFold = remote(400, "field line begins with white space")
	// ErrRepeated is a second line of a field that is no list and that says who asks
	// or for what part: Authorization, Range, If-Range and their like (RFC 9110 5.3).
	ErrRepeated = remote(400, "repeated field that may come once")
	// ErrHeadTooLarge is a breach of Limits.Head (RFC 6585 5).
	ErrHeadTooLarge = remote(431, "head too large")
	// ErrTooManyFields is a breach of Limits.Fields (RFC 6585 5).
	ErrTooManyFields = remote(431, "too many fields")
)

// Errors of framing (RFC 9112 6).
var (
	// ErrContentLength is a Content-Length that is not plain digits, does not
	// fit in an int64, or repeats (RFC 9110 8.6).
	ErrContentLength = remote(400, "malformed or repeated Content-Length")
	// ErrTransferEncoding is a Transfer-Encoding that is malformed, empty, does
	// not end in chunked once, or comes in HTTP/1.0 (RFC 9112 6.1).
	ErrTransferEncoding = remote(400, "malformed Transfer-Encoding")
	// ErrTwoLengths is Content-Length beside Transfer-Encoding (RFC 9112 6.3).
	ErrTwoLengths = remote(400, "both Content-Length and Transfer-Encoding")
	// ErrCoding is a transfer coding other than chunked (RFC 9112 6.1).
	ErrCoding = remote(501, "unknown transfer coding")
)

// Errors of bodies.
var (
	// ErrChunk is malformed chunked framing (RFC 9112 7.1).
	ErrChunk = remote(400, "malformed chunk")
	// ErrChunkOverhead is a breach of Limits.ChunkExtension (RFC 9112 7.1.1).
	ErrChunkOverhead = remote(400, "chunk framing far above the data")
	// ErrTrailer is a trailer field that may only stand in a head, or the
	// announcement of one that decides about framing (RFC 9110 6.5.1).
	ErrTrailer = remote(400, "field not allowed in trailers")
	// ErrTrailerTooLarge is a breach of Limits.Trailer or Limits.Fields.
	ErrTrailerTooLarge = remote(431, "trailers too large")
	// ErrUnexpectedEOF is a peer that closed before the end of a body
	// (RFC 9112 8).
	ErrUnexpectedEOF = remote(400, "connection closed inside a body")
)

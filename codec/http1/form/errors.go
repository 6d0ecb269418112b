package form

import "github.com/penstock-go/penstock/codec/http1"

func refusal(status int, text string) *http1.Error {
	return &http1.Error{Status: status, Text: "form: " + text, Remote: true}
}

// Errors of forms. Compare with == or errors.Is.
var (
	// ErrType is a Content-Type that is none of the two, or none, or a Content-Encoding.
	ErrType = refusal(415, "the body is no form")
	// ErrContentType is a Content-Type that is malformed or repeated, or one of
	// multipart/form-data without a good boundary (RFC 2046 5.1.1).
	ErrContentType = refusal(400, "malformed Content-Type")
	// ErrEscape is a percent sign without two hex digits in an urlencoded form.
	ErrEscape = refusal(400, "malformed percent escape")
	// ErrBoundary is a delimiter with something behind it, or the first one with something
	// in front.
	ErrBoundary = refusal(400, "malformed boundary delimiter")
	// ErrHeader is a malformed header of a part, or one without Content-Disposition
	// of the type form-data and a name (RFC 7578 4.2).
	ErrHeader = refusal(400, "malformed header of a part")
	// ErrEncoding is a part with a Content-Transfer-Encoding (RFC 7578 4.7).
	ErrEncoding = refusal(415, "a part has a transfer encoding")
	// ErrIncomplete is a body that ends before its last delimiter, or in an escape.
	ErrIncomplete = refusal(400, "the form is not complete")

	// ErrFields is a breach of Limits.Fields, and so are the other five.
	ErrFields = refusal(413, "too many fields")
	// ErrName is about Limits.Name.
	ErrName = refusal(413, "a name is too long")
	// ErrValue is about Limits.Value.
	ErrValue = refusal(413, "a value is too long")
	// ErrMemory is about Limits.Memory.
	ErrMemory = refusal(413, "the fields are too long")
	// ErrPartHeader is about Limits.Header.
	ErrPartHeader = refusal(413, "the header of a part is too long")
	// ErrFile is about Limits.File.
	ErrFile = refusal(413, "a file is too long")
)

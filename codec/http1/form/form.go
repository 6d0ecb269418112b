package form

import (
	"io"
	"iter"

	"github.com/penstock-go/penstock/codec/http1"
)

// Form is a form that is being received, or has been. It is not safe for concurrent use.
type Form struct {
	lim    Limits
	onFile func(*File) (io.WriteCloser, error)
	parser interface {
		write(p []byte) error
		end() error
	}
	sink   io.WriteCloser // of the file in hand, nil if there is none or nobody wants it
	err    error          // the first one stays
	closed bool
	count  int // fields and files
	fields
}

// File is what a part of multipart/form-data says of a file. It is the callee's.
type File struct {
	// Name is the field's.
	Name string
	// FileName is what the file is called at the client, without the folders that some
	// send: the last element by slashes and backslashes. It is any text that has
	// neither, also "..": use it to show, not to open. It is not empty: if no file was
	// chosen there is a field with an empty value instead.
	FileName string
	// ContentType is what the client takes the file for, "" if it does not say.
	ContentType string
	// Header is the part's header as it came.
	Header []http1.Field
}

// New begins to receive the body of the request. Files, which only multipart/form-data has,
// are given to onFile when they begin, and their content to the writer that it returns:
// any number of pieces, lent for the call, and Close when the file is complete. If the
// form ends before that, a method CloseWithError, which *io.PipeWriter has, is called in
// the place of Close. A nil writer, and a nil onFile, is for who does not want the
// content. Errors of onFile and the writer are those of Form.Write. Both are called from
// there, which in a callback is on the loop: whatever is slow belongs on other goroutines.
//
// The error is ErrType or ErrContentType.
func New(req *http1.Request, lim *Limits, onFile func(*File) (io.WriteCloser, error)) (*Form, error) {
	h := req.Header()
	value, _ := h.Get("Content-Type")
	switch {
	case h.Count("Content-Type") > 1:
		return nil, ErrContentType
	case encoded(h):
		return nil, ErrType
	}
	f := &Form{lim: lim.withDefaults(), onFile: onFile}
	if err := f.choose(string(value)); err != nil {
		return nil, err
	}
	return f, nil
}

// encoded tells of a body that is compressed (RFC 9110 8.4).
func encoded(h *http1.Header) bool {
	for value := range h.Values("Content-Encoding") {
		if string(value) != "" && string(value) != "identity" {
			return true
		}
	}
	return false
}

// Write takes the next piece of the body, which is the caller's again when it returns.
// The first error comes again.
func (f *Form) Write(p []byte) error {
	if f.err == nil && f.closed {
		f.err = ErrIncomplete
	}
	if f.err == nil {
		f.fail(f.parser.write(p))
	}
	return f.err
}

// Close says that the body is complete. The error is that of Write, or ErrIncomplete.
func (f *Form) Close() error {
	if f.err == nil && !f.closed {
		f.fail(f.parser.end())
	}
	f.closed = true
	return f.err
}

// Abort says that no more of the body comes, because the client has gone or nobody wants
// it. It does nothing after Close and after an error, so it may always be called in the
// end.
func (f *Form) Abort() {
	if !f.closed {
		f.fail(ErrIncomplete)
		f.closed = true
	}
}

// fail keeps the first error and tells the file in hand.
func (f *Form) fail(err error) {
	if err == nil || f.err != nil {
		return
	}
	f.err = err
	sink := f.sink
	if f.sink = nil; sink == nil {
		return
	}
	if c, ok := sink.(interface{ CloseWithError(error) error }); ok {
		_ = c.CloseWithError(err)
	} else {
		_ = sink.Close()
	}
}

// begin counts a field or file in.
func (f *Form) begin() error {
	if f.count++; f.count > f.lim.Fields {
		return ErrFields
	}
	return nil
}

// Value returns the value of the first field named name, "" if there is none. What has
// been received can be asked for before the form is complete; a field is there when it
// is whole.
func (f *Form) Value(name string) string {
	for n, v := range f.All() {
		if n == name {
			return v
		}
	}
	return ""
}

// Values returns the values of all fields named name in their order.
func (f *Form) Values(name string) (values []string) {
	for n, v := range f.All() {
		if n == name {
			values = append(values, v)
		}
	}
	return values
}

// Has tells whether there is a field named name.
func (f *Form) Has(name string) bool {
	for n := range f.All() {
		if n == name {
			return true
		}
	}
	return false
}

// Len returns how many fields there are, without files.
func (f *Form) Len() int { return len(f.list) }

// All yields names and values of the fields in their order.
func (f *Form) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, v := range f.list {
			if !yield(v.name, v.value) {
				return
			}
		}
	}
}

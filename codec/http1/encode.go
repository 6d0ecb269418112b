package http1

import "strconv"

// Field is a field line to be sent. ValidName and ValidValue say what may stand
// in it.
type Field struct {
	// Name is a token.
	Name string
	// Value is text without white space at its ends.
	Value string
}

// AppendRequestLine appends "method target HTTP/1.1" and its CRLF (RFC 9112 3).
// It checks neither: the caller knows that method is a token and that target has
// no white space or control characters.
func AppendRequestLine(dst []byte, method, target string) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendStatusLine appends the status line with the phrase of StatusText and its
// CRLF. For a code without one the phrase is empty and the space before it is
// there, as RFC 9112 4 wants. Status must have three digits.
func AppendStatusLine(dst []byte, status int) []byte {
	if status == 200 {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, StatusText(status)...)
	return append(dst, "\r\n"...)
}

// AppendField appends the field line "name: value" and its CRLF (RFC 9112 5). It
// checks nothing: what comes from outside must have passed ValidName and
// ValidValue, or whoever sent it writes the rest of the message.
func AppendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendFieldBytes is AppendField for bytes, such as a parsed field passed on.
func AppendFieldBytes(dst, name, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendContentLength appends the field line of a Content-Length of n >= 0
// (RFC 9110 8.6).
func AppendContentLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "\r\n"...)
}

// AppendEnd appends the empty line that ends a head.
func AppendEnd(dst []byte) []byte { return append(dst, "\r\n"...) }

// AppendChunk appends data as one chunk (RFC 9112 7.1). No data is no chunk,
// since a chunk of size 0 would end the body.
func AppendChunk(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst
	}
	dst = AppendChunkSize(dst, int64(len(data)))
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

// AppendChunkSize appends the size line of a chunk of n > 0 bytes, for data that
// is sent without being copied; the caller sends the data and a CRLF after it.
func AppendChunkSize(dst []byte, n int64) []byte {
	dst = strconv.AppendInt(dst, n, 16)
	return append(dst, "\r\n"...)
}

// AppendLastChunk appends the end of a chunked body without trailers.
func AppendLastChunk(dst []byte) []byte { return append(dst, "0\r\n\r\n"...) }

// AppendTrailer appends the end of a chunked body with trailer fields (RFC 9112
// 7.1.2), which are not checked, as in AppendField. Fields that decide about
// framing, routing or authentication must not be among them (RFC 9110 6.5.1).
func AppendTrailer(dst []byte, fields ...Field) []byte {
	dst = append(dst, "0\r\n"...)
	for _, f := range fields {
		dst = AppendField(dst, f.Name, f.Value)
	}
	return AppendEnd(dst)
}

// ValidName reports whether name is a token and so may be a field name, or a
// method (RFC 9110 5.6.2).
func ValidName(name string) bool {
	for i := range len(name) {
		if class[name[i]]&isToken == 0 {
			return false
		}
	}
	return name != ""
}

// ValidHost reports whether host may be sent as the value of Host: uri-host
// [ ":" port ] (RFC 9110 7.2), and not empty.
func ValidHost(host string) bool { return validHost([]byte(host)) }

// ValidValue reports whether value may be sent as a field value: no CR, LF, NUL
// or other control character but HTAB (RFC 9110 5.5).
func ValidValue(value string) bool {
	for i := range len(value) {
		if class[value[i]]&isText == 0 {
			return false
		}
	}
	return true
}

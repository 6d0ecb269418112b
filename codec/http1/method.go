package http1

// KnownMethod tells whether method is one of RFC 9110 9.3 or RFC 5789. A server
// that cannot do anything with another answers 501 (RFC 9110 9.1).
func KnownMethod(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return true
	}
	return false
}

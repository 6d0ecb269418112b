package proxy

import "encoding/base64"

// AppendConnect appends the request for a tunnel to authority, which is host:port
// with an IPv6 address in brackets (RFC 9110 9.3.6), and returns the result.
func (s *Server) AppendConnect(dst []byte, authority string) []byte {
	dst = append(append(dst, "CONNECT "...), authority...)
	dst = append(append(dst, " HTTP/1.1\r\nHost: "...), authority...)
	dst = s.AppendAuthorization(append(dst, "\r\n"...))
	return append(dst, "\r\n"...)
}

// AppendAuthorization appends the field line that says who asks the proxy (RFC 7617),
// if anybody does, and returns the result.
func (s *Server) AppendAuthorization(dst []byte) []byte {
	if s.User == "" {
		return dst
	}
	dst = append(dst, "Proxy-Authorization: Basic "...)
	dst = base64.StdEncoding.AppendEncode(dst, []byte(s.User+":"+s.Password))
	return append(dst, "\r\n"...)
}

package proxy

import "encoding/base64"

// AppendConnect appends the request for a tunnel to authority, which is host:port
// with an IPv6 address in brackets (RFC 9110 9.3.6), and returns the result.
func (s *Server) AppendConnect(dst []byte, authority string) []byte {
	dst = append(append(dst, "CONNECT "...), authority...)
	dst = append(append(dst, " HTTP/1.1\r\nHost: "...), authority...)
	if s.User != "" { // RFC 7617
		dst = append(dst, "\r\nProxy-Authorization: Basic "...)
		dst = base64.StdEncoding.AppendEncode(dst, []byte(s.User+":"+s.Password))
	}
	return append(dst, "\r\n\r\n"...)
}

// Package proxy is the client's side of what is said to a proxy before it is a
// tunnel: the request of HTTP's CONNECT, and all of SOCKS5. It reads and writes no
// socket; it appends what is to be sent and parses what has come.
//
//	Parse         the proxy's URL
//	AppendConnect HTTP: the request; the response is HTTP like any other
//	Socks5        RFC 1928, with user and password of RFC 1929
package proxy

package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Socks5 asks a proxy for a connection, by RFC 1928:
//
//	greeting --method 0--------------------> request --reply--> done
//	    +------method 2--> password --ok-------^
//
// Greet begins; then each message of the proxy's goes through Next, which appends the
// answer, until Done.
type Socks5 struct {
	host  string
	port  uint16
	from  *Server
	phase phase
}

type phase uint8

const (
	phaseGreeting phase = iota // the proxy is to choose a method
	phasePassword              // the proxy is to judge the credentials
	phaseRequest               // the proxy is to connect
	phaseDone
)

const (
	version         = 5
	passwordVersion = 1 // RFC 1929
	connect         = 1

	methodNone     = 0
	methodPassword = 2

	addressIPv4 = 1
	addressName = 3
	addressIPv6 = 4
)

// Reply is the proxy's answer to the request, if it is no success (RFC 1928 6).
type Reply uint8

// The replies that say why there is no connection.
const (
	ReplyFailure            Reply = 1
	ReplyNotAllowed         Reply = 2
	ReplyNetworkUnreachable Reply = 3
	ReplyHostUnreachable    Reply = 4
	ReplyRefused            Reply = 5
	ReplyTTLExpired         Reply = 6
	ReplyCommand            Reply = 7
	ReplyAddressType        Reply = 8
)

var replies = [...]string{"succeeded", "general failure", "not allowed by the proxy's rules", "network unreachable",
	"host unreachable", "connection refused", "TTL expired", "command not supported", "address type not supported"}

// Error names the reply.
func (r Reply) Error() string {
	if int(r) < len(replies) {
		return "socks5: " + replies[r]
	}
	return fmt.Sprintf("socks5: reply %d", uint8(r))
}

// What a proxy may do wrong, or does not want.
var (
	// ErrVersion is an answer that is not SOCKS5.
	ErrVersion = errors.New("socks5: the answer is of another protocol")
	// ErrMethod is a proxy that wants another authentication than it was offered.
	ErrMethod = errors.New("socks5: the proxy accepts none of the authentications offered")
	// ErrPassword is a proxy that does not know the user or the password.
	ErrPassword = errors.New("socks5: the proxy refused the user and password")
	// ErrAddress is a reply with an address of no known type.
	ErrAddress = errors.New("socks5: the reply has no address")
)

// Greet begins to ask s for a connection to host and port, which Reaches has looked
// at, appends the first message to dst and returns the result.
func (x *Socks5) Greet(dst []byte, s *Server, host string, port uint16) []byte {
	*x = Socks5{host: host, port: port, from: s}
	if s.User == "" {
		return append(dst, version, 1, methodNone)
	}
	return append(dst, version, 2, methodNone, methodPassword)
}

// Done tells whether the proxy is a tunnel: what follows is the server's.
func (x *Socks5) Done() bool { return x.phase == phaseDone }

// Next takes the first n bytes of b, one message of the proxy's, and appends what is
// to be sent then to dst; an n of 0 asks for more bytes. It keeps nothing of b. A
// Reply, and the errors of this file, end the exchange.
func (x *Socks5) Next(dst, b []byte) (out []byte, n int, err error) {
	switch x.phase {
	case phaseGreeting:
		return x.method(dst, b)
	case phasePassword:
		return x.judged(dst, b)
	case phaseRequest:
		n, err = x.reply(b)
	}
	return dst, n, err
}

// method is RFC 1928 3: VER METHOD.
func (x *Socks5) method(dst, b []byte) ([]byte, int, error) {
	switch {
	case len(b) > 0 && b[0] != version:
		return dst, 0, ErrVersion
	case len(b) < 2:
		return dst, 0, nil
	case b[1] == methodNone:
		return x.request(dst), 2, nil
	case b[1] == methodPassword && x.from.User != "":
		x.phase = phasePassword
		return x.password(dst), 2, nil
	}
	return dst, 0, ErrMethod
}

// password is RFC 1929 2: VER ULEN UNAME PLEN PASSWD.
func (x *Socks5) password(dst []byte) []byte {
	dst = append(append(dst, passwordVersion, byte(len(x.from.User))), x.from.User...)
	return append(append(dst, byte(len(x.from.Password))), x.from.Password...)
}

// judged is RFC 1929 2: VER STATUS. There are proxies that say 5 for the version, so
// only the status counts.
func (x *Socks5) judged(dst, b []byte) ([]byte, int, error) {
	switch {
	case len(b) < 2:
		return dst, 0, nil
	case b[1] != 0:
		return dst, 0, ErrPassword
	}
	return x.request(dst), 2, nil
}

// request is RFC 1928 4: VER CMD RSV ATYP DST.ADDR DST.PORT.
func (x *Socks5) request(dst []byte) []byte {
	x.phase = phaseRequest
	dst = append(dst, version, connect, 0)
	a, err := netip.ParseAddr(x.host)
	switch {
	case err != nil:
		dst = append(append(dst, addressName, byte(len(x.host))), x.host...)
	case a.Unmap().Is4():
		dst = append(append(dst, addressIPv4), a.Unmap().AsSlice()...)
	default:
		dst = append(append(dst, addressIPv6), a.AsSlice()...)
	}
	return binary.BigEndian.AppendUint16(dst, x.port)
}

// reply is RFC 1928 6: VER REP RSV ATYP BND.ADDR BND.PORT. What comes behind a
// failure does not matter, and does not always come.
func (x *Socks5) reply(b []byte) (int, error) {
	switch {
	case len(b) > 0 && b[0] != version:
		return 0, ErrVersion
	case len(b) >= 2 && b[1] != 0:
		return 0, Reply(b[1])
	case len(b) < 5:
		return 0, nil
	}
	n := 4 + 2 // the rest, the port
	switch b[3] {
	case addressIPv4:
		n += 4
	case addressIPv6:
		n += 16
	case addressName:
		n += 1 + int(b[4])
	default:
		return 0, ErrAddress
	}
	if len(b) < n {
		return 0, nil
	}
	x.phase = phaseDone
	return n, nil
}

package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// Kind is what a proxy speaks.
type Kind uint8

// The kinds of proxies.
const (
	HTTP Kind = iota
	SOCKS5
)

// Server is a proxy, and who asks.
type Server struct {
	// Kind is what it speaks.
	Kind Kind
	// Host is its name or address, Port its port.
	Host string
	Port uint16
	// User and Password are the credentials; without a User there are none.
	User, Password string
}

const (
	httpPort  = 80
	socksPort = 1080

	// nameMost is the longest name, user or password that SOCKS5 has room for.
	nameMost = 255
)

// errURL does not repeat the URL: it may have a password in it.
var errURL = errors.New("proxy: the URL is not of the form http://user:password@host:port or socks5://host:port")

// Parse reads a proxy's URL.
func Parse(text string) (*Server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errURL
	}
	s := &Server{Host: u.Hostname(), Port: httpPort, User: u.User.Username()}
	s.Password, _ = u.User.Password()
	switch u.Scheme {
	case "http":
	case "socks5", "socks5h":
		s.Kind, s.Port = SOCKS5, socksPort
	default:
		return nil, fmt.Errorf("proxy: scheme %q: only http, socks5 and socks5h", u.Scheme)
	}
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("proxy: port %q", text)
		}
		s.Port = uint16(n)
	}
	if s.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || !s.validCredentials() {
		return nil, errURL
	}
	return s, nil
}

// validCredentials tells whether there is room for them (RFC 1929 2), or a way to
// take them apart again (RFC 7617 2).
func (s *Server) validCredentials() bool {
	if s.User == "" {
		return s.Password == ""
	}
	if s.Kind == SOCKS5 {
		return len(s.User) <= nameMost && len(s.Password) <= nameMost
	}
	return !strings.Contains(s.User, ":") && !strings.ContainsFunc(s.User+s.Password, unicode.IsControl)
}

// Reaches tells whether the proxy can be asked for a host.
func (s *Server) Reaches(host string) error {
	a, err := netip.ParseAddr(host)
	switch {
	case err == nil && a.Zone() != "": // which means something to this end only
		return fmt.Errorf("proxy: address %q has a zone", host)
	case err != nil && len(host) > nameMost:
		return errors.New("proxy: the host's name is too long")
	}
	return nil
}

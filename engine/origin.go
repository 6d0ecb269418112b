package engine

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-go/penstock/codec/http1"
)

// origins is a Protocol.Origins, ready for use.
type origins struct {
	list []origin
	same bool // what the request's Host names
	null bool // the origin of sandboxed pages and of files
}

// origin is one of RFC 6454: where a page comes from. Scheme and host are in lower
// case, and the port is never left out if the scheme has a default.
type origin struct {
	scheme, host string
	port         int  // 0 for none
	below        bool // any name below host
}

// newOrigins parses what a program allows; nil is everything.
func newOrigins(allowed []string) (*origins, error) {
	if len(allowed) == 0 {
		return nil, nil
	}
	set := &origins{}
	for _, text := range allowed {
		switch text {
		case "same":
			set.same = true
			continue
		case "null":
			set.null = true
			continue
		}
		o, ok := parseOrigin(text, true)
		if !ok {
			return nil, configErrorf("origin %q", text)
		}
		set.list = append(set.list, o)
	}
	return set, nil
}

// parseOrigin takes a serialized origin apart (RFC 6454 6.2): a scheme, a host, perhaps
// a port, and nothing behind. A wildcard stands for one or more labels in front.
func parseOrigin(text string, wildcards bool) (o origin, ok bool) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found || !validScheme(scheme) {
		return o, false
	}
	o.scheme = strings.ToLower(scheme)
	host, port, ok := splitHost(rest)
	if !ok {
		return o, false
	}
	if wildcards {
		host, o.below = strings.CutPrefix(host, "*.")
	}
	if o.host, ok = canonicalHost(host); !ok || o.below && o.host[0] == '[' {
		return o, false
	}
	if o.port, ok = parsePort(port); !ok {
		return o, false
	}
	if o.port == 0 {
		o.port = defaultPort(o.scheme)
	}
	return o, true
}

// validScheme tells whether s is one by RFC 3986 3.1.
func validScheme(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}

// splitHost cuts the port off. Of an IPv6 address the brackets stay.
func splitHost(s string) (host, port string, ok bool) {
	end := strings.IndexByte(s, ']') + 1 // 0 if there is none
	i := strings.IndexByte(s[end:], ':')
	if i < 0 {
		return s, "", true
	}
	return s[:end+i], s[end+i+1:], end+i+1 < len(s)
}

// canonicalHost returns a name in lower case and an IPv6 address in its shortest form.
// Names that are not ASCII come as browsers send them, with "xn--".
func canonicalHost(s string) (string, bool) {
	if in, found := strings.CutPrefix(s, "["); found {
		in, found = strings.CutSuffix(in, "]")
		ip, err := netip.ParseAddr(in)
		if !found || err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", false
		}
		return "[" + ip.String() + "]", true
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return "", false
		}
	}
	return strings.ToLower(s), s != "" && s[0] != '.'
}

// parsePort returns 0 for no port; there is none of that number.
func parsePort(s string) (port int, ok bool) {
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil && n > 0
}

func defaultPort(scheme string) int {
	switch scheme {
	case "http", "ws":
		return 80
	case "https", "wss":
		return 443
	}
	return 0
}

// covers tells whether a page of another origin is one that o allows.
func (o *origin) covers(page origin) bool {
	if o.scheme != page.scheme || o.port != page.port {
		return false
	}
	if !o.below {
		return o.host == page.host
	}
	return strings.HasSuffix(page.host, "."+o.host)
}

// allow tells whether the value of an Origin field may pass. host is the request's, and
// secure whether it came by TLS. A list of origins, which RFC 6454 7.1 lets redirects
// make, names no single one and does not.
func (set *origins) allow(value, host string, secure bool) bool {
	if value == "null" {
		return set.null
	}
	page, ok := parseOrigin(value, false)
	if !ok {
		return false
	}
	return slices.ContainsFunc(set.list, func(o origin) bool { return o.covers(page) }) || set.same && page.serves(host, secure)
}

// serves tells whether the page is of the host that its request goes to. What this end
// hears as TCP may be TLS that ends at a proxy, so https passes there, but where this
// end speaks TLS a page that came without was anybody's to change.
func (page *origin) serves(host string, secure bool) bool {
	if page.scheme != "https" && (page.scheme != "http" || secure) {
		return false
	}
	own, ok := parseOrigin(page.scheme+"://"+host, false)
	return ok && own == *page
}

var (
	errOrigin  = &http1.Error{Status: 403, Text: "the page's origin is not allowed", Remote: true}
	errOrigins = &http1.Error{Status: 400, Text: "more than one Origin (RFC 6454 7.3)", Remote: true}
)

// checkOrigin holds the request's Origin against what the protocol allows.
func (h *httpRole) checkOrigin(s *session, set *origins) *http1.Error {
	if set == nil {
		return nil
	}
	f := h.req.Header()
	switch value, found := f.Get("Origin"); {
	case f.Count("Origin") > 1:
		return errOrigins
	case found && !set.allow(string(value), string(h.req.Host()), s.secure()):
		return errOrigin
	}
	return nil
}

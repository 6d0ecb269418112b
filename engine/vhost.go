package engine

import (
	"bytes"
	"crypto/tls"
	"slices"
	"strings"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// vhost is a Vhost in use.
type vhost struct {
	name      string
	suffix    string // of "*.suffix", with the dot
	protocols []*callbacks.Protocol
	names     []string // of the protocols, for subprotocol selection
	origins   map[*callbacks.Protocol]*origins
	mounts    []*mount // longest path first
	raw       *callbacks.Protocol
	tls       *serverTLS  // nil without
	clientTLS *tls.Config // what a client without a tls.Config of its own has
	fields    *fields     // of responses to requests for no mount
	pages     map[int]*ErrorPage
	busy      []byte // what a connection over the limit is told
	accessLog func(*AccessEntry)
}

func newVhost(cfg Vhost, server string) (v *vhost, err error) {
	v = &vhost{name: hostName(cfg.Name), origins: make(map[*callbacks.Protocol]*origins), accessLog: cfg.AccessLog}
	if rest, ok := strings.CutPrefix(v.name, "*"); ok {
		v.suffix = rest
	}
	if len(cfg.Protocols) == 0 {
		cfg.Protocols = []callbacks.Protocol{{Callback: mountsOnly}}
	}
	for _, p := range slices.Clone(cfg.Protocols) {
		if p.Deflate != nil {
			own := *p.Deflate
			p.Deflate = &own
		}
		p.Origins = slices.Clone(p.Origins)
		v.origins[&p], _ = newOrigins(p.Origins) // New has checked it
		v.protocols = append(v.protocols, &p)
		if p.Name != "" {
			v.names = append(v.names, p.Name)
		}
	}
	for _, m := range cfg.Mounts {
		v.mounts = append(v.mounts, newMount(m, v))
	}
	slices.SortStableFunc(v.mounts, func(a, b *mount) int { return len(b.route) - len(a.route) })
	if cfg.RawProtocol != "" {
		v.raw = v.protocol(cfg.RawProtocol)
	}
	if cfg.TLS != nil {
		if v.tls, err = newServerTLS(v, cfg.TLS); err != nil {
			return nil, err
		}
	}
	if err := v.prepare(cfg, server); err != nil {
		return nil, err
	}
	v.clientTLS, err = newClientTLS(cfg.ClientTLS)
	return v, err
}

// mountsOnly is the Callback of a vhost without protocols.
func mountsOnly(s callbacks.Session, r callbacks.Reason, in []byte) error {
	if r == callbacks.HTTPConfirmUpgrade {
		return errNoWebSockets
	}
	return callbacks.CallbackHTTPDummy(s, r, in)
}

var errNoWebSockets = http1.NewError(404, "there are no WebSockets here")

// prepare writes what is sent again and again.
func (v *vhost) prepare(cfg Vhost, server string) (err error) {
	hsts := ""
	if v.tls != nil {
		hsts = v.tls.hsts
	}
	v.fields = newFields(server, hsts, cfg.Header)
	for _, m := range v.mounts {
		m.fields = v.fields
		if len(m.Header) > 0 {
			m.fields = newFields(server, hsts, cfg.Header, m.Header)
		}
	}
	if v.pages, err = loadErrorPages(cfg.ErrorPages); err != nil {
		return err
	}
	v.busy = v.busyAnswer()
	return nil
}

// hostName is how names of hosts are compared: without regard to case, and to the dot
// that ends a name which is no abbreviation (RFC 3986 3.2.2).
func hostName(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// protocol finds one by name, or nil.
func (v *vhost) protocol(name string) *callbacks.Protocol {
	for _, p := range v.protocols {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// first is the protocol that gets what belongs to no other.
func (v *vhost) first() *callbacks.Protocol { return v.protocols[0] }

// port is the vhosts that share a listening socket; the first is the default.
type port struct {
	vhosts []*vhost
	tls    *tls.Config // nil without TLS
}

func newPort(v *vhost) *port {
	p := &port{vhosts: []*vhost{v}}
	if v.tls != nil {
		p.tls = p.tlsConfig()
	}
	return p
}

// byHost finds the vhost for the value of Host: the exact name, the longest
// "*.suffix", the first.
func (p *port) byHost(host []byte) *vhost {
	if len(p.vhosts) == 1 {
		return p.vhosts[0]
	}
	name := hostName(string(withoutPort(host)))
	best := p.vhosts[0]
	for _, v := range p.vhosts {
		if v.name == name && name != "" {
			return v
		}
	}
	longest := 0
	for _, v := range p.vhosts {
		if len(v.suffix) > longest && len(name) > len(v.suffix) && strings.HasSuffix(name, v.suffix) {
			best, longest = v, len(v.suffix)
		}
	}
	return best
}

// canonical is host if it is the vhost's, the vhost's name if that is one, or nothing: who
// is sent to a host that it has named itself may have been made to name it.
func (v *vhost) canonical(host []byte) []byte {
	switch {
	case v.answersTo(host):
		return host
	case v.suffix != "":
		return nil
	}
	return []byte(v.name)
}

// answersTo tells whether host, without a port, is the vhost's name, or it has none.
func (v *vhost) answersTo(host []byte) bool {
	name := hostName(string(host))
	if v.suffix != "" {
		return len(name) > len(v.suffix) && strings.HasSuffix(name, v.suffix)
	}
	return v.name == "" || v.name == name
}

// byName is byHost for the name in a ClientHello.
func (p *port) byName(name string) *vhost { return p.byHost([]byte(name)) }

// withoutPort cuts ":port" off, but not into an IPv6 address.
func withoutPort(host []byte) []byte {
	i := bytes.LastIndexByte(host, ':')
	if i < 0 || bytes.IndexByte(host[i:], ']') >= 0 {
		return host
	}
	return host[:i]
}

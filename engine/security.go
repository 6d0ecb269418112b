package engine

import (
	"bytes"
	"strings"

	"github.com/penstock-go/penstock/codec/http1"
)

// SecurityHeader returns fields for Vhost.Header or Mount.Header that make browsers
// careful, libwebsockets' LWS_SERVER_OPTION_HTTP_HEADERS_SECURITY_BEST_PRACTICES_ENFORCE:
//
//	Content-Security-Policy     nothing but what the site itself has, and WebSockets;
//	                            no scripts inside of pages, no frames around them
//	X-Content-Type-Options      types are what Content-Type says
//	X-Frame-Options             the same about frames, for old browsers
//	Referrer-Policy             other sites are not told where a visitor came from
//	Cross-Origin-Opener-Policy  windows of other sites have no hold on these
//
// The list is the caller's to change. Strict-Transport-Security is ServerTLS.HSTS.
func SecurityHeader() []http1.Field {
	return []http1.Field{
		{Name: "Content-Security-Policy", Value: "default-src 'none'; img-src 'self' data:; script-src 'self'; font-src 'self'; style-src 'self'; " +
			"connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
		{Name: "X-Frame-Options", Value: "DENY"},
		{Name: "Referrer-Policy", Value: "no-referrer"},
		{Name: "Cross-Origin-Opener-Policy", Value: "same-origin"},
	}
}

// defaults are the fields of a response that the program has not added itself. They are
// written once, when the engine is made.
type defaults struct {
	names []string
	lines [][]byte // by names
	all   []byte
}

// newDefaults makes one list of several, of which a later one replaces the fields that
// the earlier ones have too.
func newDefaults(levels ...[]http1.Field) *defaults {
	d := new(defaults)
	for i, level := range levels {
		for _, f := range level {
			if !replaced(f.Name, levels[i+1:]) {
				d.names = append(d.names, f.Name)
				d.lines = append(d.lines, http1.AppendField(nil, f.Name, f.Value))
			}
		}
	}
	d.all = bytes.Join(d.lines, nil)
	return d
}

func replaced(name string, levels [][]http1.Field) bool {
	for _, level := range levels {
		for _, f := range level {
			if strings.EqualFold(f.Name, name) {
				return true
			}
		}
	}
	return false
}

// append appends what is not in extra, the program's own fields.
func (d *defaults) append(b, extra []byte) []byte {
	if len(extra) == 0 {
		return append(b, d.all...)
	}
	for i, name := range d.names {
		if !hasField(extra, name) {
			b = append(b, d.lines[i]...)
		}
	}
	return b
}

// hasField tells whether one of the field lines has the name.
func hasField(lines []byte, name string) bool {
	for len(lines) > len(name) {
		if lines[len(name)] == ':' && bytes.EqualFold(lines[:len(name)], []byte(name)) {
			return true
		}
		lines = lines[bytes.IndexByte(lines, '\n')+1:]
	}
	return false
}

// fields are the defaults of a vhost or mount, without TLS and with it, where
// Strict-Transport-Security is one (RFC 6797 7.2).
type fields struct{ plain, secure *defaults }

func newFields(server, hsts string, levels ...[]http1.Field) *fields {
	var own []http1.Field
	if server != "" {
		own = append(own, http1.Field{Name: "Server", Value: server})
	}
	use := &fields{plain: newDefaults(append([][]http1.Field{own}, levels...)...)}
	use.secure = use.plain
	if hsts != "" {
		own = append(own, http1.Field{Name: "Strict-Transport-Security", Value: hsts})
		use.secure = newDefaults(append([][]http1.Field{own}, levels...)...)
	}
	return use
}

// of are the defaults of a response of s.
func (f *fields) of(s *session) *defaults {
	if s.secure() {
		return f.secure
	}
	return f.plain
}

// defaults are those of the response in hand.
func (h *httpRole) defaults(s *session) *defaults {
	if h.mount != nil {
		return h.mount.fields.of(s)
	}
	return s.vh.fields.of(s)
}

package engine

import (
	"net/url"
	"strings"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// Mount sends requests for a path, and all below it, somewhere. Callback, Redirect and
// their like make one; what is set in its fields afterwards is for the requests that
// it gets.
type Mount struct {
	path string
	to   target

	// Body is the longest request body in bytes; 413. 0 leaves it to Limits.Body, a
	// negative value is no limit.
	Body int64
	// Header is sent with every response that the mount's requests get, those that
	// refuse one included. It replaces what Vhost.Header has of the same names, and what
	// the program adds replaces it.
	Header []http1.Field
	// BasicAuth asks for a name and a password; nil lets everybody in.
	BasicAuth *BasicAuth
	// Options are for the protocol of a mount by Callback, libwebsockets'
	// per-mount options: HTTPPMO brings them before each HTTP, so that one Callback can
	// serve several mounts. The names are the program's.
	Options []Option
	// Files is how a mount of Files serves.
	Files FileOptions
}

// Option is one of Mount.Options.
type Option struct {
	// Name and Value are any text.
	Name, Value string
}

// target is where a mount leads: to the callbacks of a protocol, or to a service.
type target struct {
	protocol string
	service  service
}

// service answers the requests of a mount in the place of the program's callbacks.
type service interface {
	// check finds what New refuses.
	check() error
	// serve begins to answer the request that h has in hand; path is what is behind
	// the mount point. It answers by h's respond, or start and write, and returns nil
	// when it has, or it sets httpHeld and returns who goes on.
	serve(h *httpRole, s *session, path []byte) answering
	// upgrades tells whether it wants requests for a WebSocket as they are.
	upgrades() bool
}

// answering is a request in the hands of a service. What it does in these calls may
// end the transaction, when they have returned, and the session.
type answering interface {
	// body brings a piece of the request's body, which is lent for the call. Who cannot
	// take more pauses the session, with pauseService.
	body(h *httpRole, s *session, p []byte)
	// bodyEnd says that the body is complete.
	bodyEnd(h *httpRole, s *session)
	// writeable follows Session.RequestWriteable.
	writeable(h *httpRole, s *session)
	// left says that the client sends no more. It may read on.
	left(h *httpRole, s *session)
	// dropped says that the transaction is over, answered or not.
	dropped(s *session)
}

// Callback mounts a protocol: its Callback gets the requests, with the path behind
// the mount point, and WebSockets that ask for no subprotocol.
func Callback(path, protocol string) Mount {
	return Mount{path: path, to: target{protocol: protocol}}
}

// mount is a Mount in use.
type mount struct {
	Mount
	route    string              // the path without escapes, and without a slash at its end
	protocol *callbacks.Protocol // the vhost's first one if a service answers
	auth     *authentication
	fields   *fields
	query    []byte // Options, as HTTPPMO has them
}

func newMount(m Mount, v *vhost) *mount {
	route := m.route() // New has checked it
	m.path = strings.TrimRight(m.path, "/")
	use := &mount{Mount: m, route: route, protocol: v.first(), auth: newAuthentication(m.BasicAuth)}
	if m.to.service == nil {
		use.protocol = v.protocol(m.to.protocol)
	}
	if f, ok := m.to.service.(*fileMount); ok {
		use.to.service = f.use(&m)
	}
	for i, o := range m.Options {
		if i > 0 {
			use.query = append(use.query, '&')
		}
		use.query = append(use.query, url.QueryEscape(o.Name)+"="+url.QueryEscape(o.Value)...)
	}
	return use
}

// service is who answers in the program's place, or nil.
func (m *mount) service() service {
	if m == nil {
		return nil
	}
	return m.to.service
}

// authentication is who may pass, or nil.
func (m *mount) authentication() *authentication {
	if m == nil {
		return nil
	}
	return m.auth
}

// options are what HTTPPMO brings, or nil.
func (m *mount) options() []byte {
	if m == nil {
		return nil
	}
	return m.query
}

// bodyMost is the longest body that m takes.
func (m *mount) bodyMost(lim *Limits) int64 {
	switch {
	case m == nil || m.Body == 0:
		return lim.Body
	case m.Body < 0:
		return noLimit
	}
	return m.Body
}

// route is the mount point as requests are held against it.
func (m *Mount) route() string {
	decoded, err := http1.UnescapePath(nil, []byte(m.path))
	if err != nil {
		decoded = []byte(m.path)
	}
	return strings.TrimRight(string(decoded), "/")
}

func (m *Mount) check(names map[string]bool) error {
	switch {
	case !strings.HasPrefix(m.path, "/"):
		return configErrorf("mount point %q does not begin with a slash", m.path)
	case !plainPath([]byte(m.route())):
		return configErrorf("mount point %q has empty or dot segments", m.path)
	case m.to.service == nil && !names[m.to.protocol]:
		return configErrorf("mount %q names no protocol: %q", m.path, m.to.protocol)
	}
	if err := checkHeader(m.Header); err != nil {
		return configErrorf("mount %q: %w", m.path, err)
	}
	if m.BasicAuth != nil {
		if err := m.BasicAuth.check(); err != nil {
			return configErrorf("mount %q: basic authentication: %w", m.path, err)
		}
	}
	if len(m.Options) > 0 && m.to.service != nil {
		return configErrorf("mount %q has options and no protocol", m.path)
	}
	if err := m.Files.check(); err != nil {
		return configErrorf("mount %q: %w", m.path, err)
	}
	if m.to.service != nil {
		if err := m.to.service.check(); err != nil {
			return configErrorf("mount %q: %w", m.path, err)
		}
	}
	return nil
}

package engine

import (
	"bytes"
	"slices"
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
	// refuse one included. A field that the program adds comes beside it.
	Header []http1.Field
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

// Redirect mounts a redirect with the status (301, 302, 303, 307 or 308) to location.
func Redirect(path string, status int, location string) Mount {
	return Mount{path: path, to: target{service: &redirection{status, location}}}
}

// redirection is the service of Redirect.
type redirection struct {
	status   int
	location string
}

func (r *redirection) check() error {
	if !redirects(r.status) || !http1.ValidValue(r.location) {
		return configErrorf("redirect with %d to %q", r.status, r.location)
	}
	return nil
}

func redirects(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

func (r *redirection) serve(h *httpRole, s *session, _ []byte) answering {
	_ = h.addHeader("Location", r.location)
	h.called(s, h.respond(s, r.status, "", nil))
	return nil
}

func (r *redirection) upgrades() bool { return true }

// mount is a Mount in use.
type mount struct {
	Mount
	protocol *callbacks.Protocol // the vhost's first one if a service answers
	fields   []byte              // Header as it is sent
}

func newMount(m Mount, v *vhost) *mount {
	m.path = strings.TrimRight(m.path, "/")
	m.Header = slices.Clone(m.Header)
	use := &mount{Mount: m, protocol: v.first()}
	if m.to.service == nil {
		use.protocol = v.protocol(m.to.protocol)
	}
	for _, f := range m.Header {
		use.fields = http1.AppendField(use.fields, f.Name, f.Value)
	}
	return use
}

// mounted finds where path leads, or nil.
func (v *vhost) mounted(path []byte) *mount {
	for _, m := range v.mounts {
		if rest, ok := bytes.CutPrefix(path, []byte(m.path)); ok && (len(rest) == 0 || rest[0] == '/') {
			return m
		}
	}
	return nil
}

// behind is what is left of a path that leads to m, which may be nil.
func (m *mount) behind(path []byte) []byte {
	if m == nil {
		return path
	}
	return path[len(m.path):]
}

// service is who answers in the program's place, or nil.
func (m *mount) service() service {
	if m == nil {
		return nil
	}
	return m.to.service
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

func (m *Mount) check(names map[string]bool) error {
	switch {
	case !strings.HasPrefix(m.path, "/"):
		return configErrorf("mount point %q does not begin with a slash", m.path)
	case m.to.service == nil && !names[m.to.protocol]:
		return configErrorf("mount %q names no protocol: %q", m.path, m.to.protocol)
	}
	for _, f := range m.Header {
		if checkField(f.Name, f.Value) != nil {
			return configErrorf("mount %q: header field %q: %q", m.path, f.Name, f.Value)
		}
	}
	if m.to.service != nil {
		if err := m.to.service.check(); err != nil {
			return configErrorf("mount %q: %w", m.path, err)
		}
	}
	return nil
}

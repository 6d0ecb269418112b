package engine

import (
	"bytes"
	"errors"

	"github.com/penstock-go/penstock/codec/http1"
)

// Plaintext is what happens to a client that speaks HTTP without TLS to a
// listener with TLS. The first byte tells.
type Plaintext uint8

// The answers to plaintext. On a vhost with a RawProtocol, whose clients could not
// read them, the first two reset the connection.
const (
	// PlaintextRefuse answers 400 and closes.
	PlaintextRefuse Plaintext = iota
	// PlaintextRedirect answers with a redirect to the same target by https, 301 to
	// GET and HEAD and 308 to the rest, and closes: libwebsockets'
	// REDIRECT_HTTP_TO_HTTPS.
	PlaintextRedirect
	// PlaintextServe serves it like any other: ALLOW_HTTP_ON_HTTPS_LISTENER.
	// Session.TLS tells the program.
	PlaintextServe
)

// errPlaintext ends a session of a listener with TLS that did not speak it.
var errPlaintext = errors.New("engine: plaintext on a TLS listener")

// plaintext goes on without TLS.
func (t *secured) plaintext(b []byte) (used int) {
	s, hs := t.s, t.hs
	t.hs = nil
	s.link = t.c
	h := (*plainHandler)(s)
	t.c.SetHandler(h)
	if s.paused != 0 {
		t.c.PauseRead()
	}
	if s.vh.raw != nil && s.vh.tls.plaintext != PlaintextServe {
		hs.early.drop()
		s.abort(errPlaintext)
		return len(b)
	}
	hs.port.open(s, s.vh.raw)
	hs.catchUp()
	return h.Data(t.c, b)
}

// transport checks that a request came the way its vhost wants it. It reports
// whether to go on.
func (h *httpRole) transport(s *session, v *vhost) bool {
	if h.port.tls == nil {
		return true
	}
	if s.secure() {
		if v != s.vh {
			h.refuse(s, errMisdirected, 421)
		}
		return v == s.vh
	}
	s.vh = v
	switch {
	case v.tls.plaintext == PlaintextServe:
		return true
	case v.tls.plaintext == PlaintextRedirect && len(h.authority(v)) > 0 && bytes.HasPrefix(h.req.Path(), []byte("/")):
		h.toHTTPS(s)
	default:
		h.flags &^= httpReusable
		_ = h.respond(s, 400, "text/plain", []byte("This port speaks TLS: ask by https.\n"))
		h.refuse(s, errPlaintext, 400)
	}
	return false
}

var errMisdirected = &http1.Error{Status: 421, Text: "the host is not the one that TLS was set up for", Remote: true}

// authority is where the request goes, host and port, or nothing if v is not there.
func (h *httpRole) authority(v *vhost) []byte {
	host := h.req.Host()
	name := withoutPort(host)
	if c := v.canonical(name); !bytes.Equal(c, name) {
		if len(c) == 0 {
			return nil
		}
		return append(bytes.Clone(c), host[len(name):]...)
	}
	return host
}

func (h *httpRole) toHTTPS(s *session) {
	status := 308
	if m := string(h.req.Method()); m == "GET" || m == "HEAD" {
		status = 301
	}
	target := string(h.req.Path())
	if q := h.req.Query(); q != nil {
		target += "?" + string(q)
	}
	_ = h.addHeader("Location", "https://"+string(h.authority(s.vh))+target)
	h.refuse(s, errPlaintext, status)
}

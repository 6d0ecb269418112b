package engine

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/penstock-go/penstock/codec/http1"
)

// Redirect mounts a redirect with the status (301, 302, 303, 307 or 308) to location,
// whatever is behind the path.
func Redirect(path string, status int, location string) Mount {
	return redirect(path, redirectFixed, status, location)
}

// RedirectBelow mounts a redirect that keeps what is behind the path, and the query: with
// base "/new" for the path "/old", /old/a?b leads to /new/a?b. The base is a path, or a
// URL without a query. What a client can ask for is never more than a path of base's
// host: slashes at its beginning become one, since browsers take "//host/" for
// another host.
func RedirectBelow(path string, status int, base string) Mount {
	return redirect(path, redirectBelow, status, base)
}

// RedirectHTTPS mounts a redirect to the same host, path and query by https, on port 443
// if port is "" and on that one otherwise. The host is what the request was for, if that
// is the vhost's name or it has none. A vhost that takes requests for other names,
// because it is the first, sends them to its own name; if that is a wildcard it refuses
// with 421.
func RedirectHTTPS(path string, status int, port string) Mount {
	return redirect(path, redirectHTTPS, status, port)
}

// redirection is the service of Redirect and its like.
type redirection struct {
	form   redirectForm
	status int
	to     string
}

type redirectForm uint8

const (
	redirectFixed redirectForm = iota
	redirectBelow
	redirectHTTPS
)

func redirect(path string, form redirectForm, status int, to string) Mount {
	return Mount{path: path, to: target{service: &redirection{form, status, to}}}
}

func (r *redirection) check() error {
	switch r.status {
	case 301, 302, 303, 307, 308:
	default:
		return configErrorf("redirect with %d", r.status)
	}
	good := r.to != "" && http1.ValidValue(r.to) && !strings.ContainsAny(r.to, " \t")
	switch r.form {
	case redirectBelow:
		good = good && !strings.ContainsAny(r.to, "?#")
	case redirectHTTPS:
		n, err := strconv.ParseUint(r.to, 10, 16)
		good = r.to == "" || err == nil && n > 0
	}
	if !good {
		return configErrorf("redirect to %q", r.to)
	}
	return nil
}

func (r *redirection) serve(h *httpRole, s *session, path []byte) answering {
	b := append(h.extra, "Location: "...)
	switch r.form {
	case redirectFixed:
		b = append(b, r.to...)
	case redirectBelow:
		b = r.below(b, h.req, path)
	case redirectHTTPS:
		if b = r.https(b, h.req, s.vh); b == nil {
			h.refuse(s, errMisdirected, 421)
			return nil
		}
	}
	h.extra = append(b, "\r\n"...)
	h.called(s, h.respond(s, r.status, "", nil))
	return nil
}

func (r *redirection) upgrades() bool { return true }

// below appends base and path.
func (r *redirection) below(b []byte, req *http1.Request, path []byte) []byte {
	b = append(b, strings.TrimRight(r.to, "/")...)
	if rest := bytes.TrimLeft(path, `/\`); len(rest) < len(path) {
		b = append(append(b, '/'), rest...)
	} else if strings.HasSuffix(r.to, "/") {
		b = append(b, '/')
	}
	return appendQuery(b, req)
}

func appendQuery(b []byte, req *http1.Request) []byte {
	if q := req.Query(); q != nil {
		b = append(append(b, '?'), q...)
	}
	return b
}

// https appends the URL of the request by https, or returns nil if it has none here.
func (r *redirection) https(b []byte, req *http1.Request, v *vhost) []byte {
	host, path := v.canonical(withoutPort(req.Host())), req.Path()
	if len(host) == 0 || !bytes.HasPrefix(path, []byte{'/'}) {
		return nil
	}
	b = append(append(b, "https://"...), host...)
	if r.to != "" && r.to != "443" {
		b = append(append(b, ':'), r.to...)
	}
	return appendQuery(append(b, path...), req)
}

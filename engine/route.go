package engine

import (
	"bytes"
	"strings"

	"github.com/penstock-go/penstock/codec/http1"
)

// A path may be spelled in many ways: "/%61dmin", "//admin" and "/./admin" are "/admin" to
// whoever decodes it, as file mounts and handlers do. A mount point that only one
// spelling leads to would be a door with a password beside an open window, so all of
// them do. Escaped slashes separate here, since some decode before they look for slashes.
//
// Dot segments ("..") are the client's to resolve (RFC 3986 5.2.4). One that is still
// there may stay within a mount point; a path that it leads to another one is refused.

// errLeavesMount refuses a path that means one mount point to who resolves "..", and
// another to who does not.
var errLeavesMount = &http1.Error{Status: 400, Text: "a path whose dot segments leave the mount point", Remote: true}

// route finds the mount that path leads to, nil for none, and how much of path is the
// mount point.
func (v *vhost) route(path []byte) (m *mount, prefix int, err error) {
	if len(v.mounts) == 0 {
		return nil, 0, nil
	}
	if plainPath(path) {
		m := v.mounted(path)
		if m == nil {
			return nil, 0, nil
		}
		return m, len(m.route), nil
	}
	for _, one := range v.mounts {
		if rest, ok := spells(path, one.route); ok {
			m, prefix = one, len(path)-len(rest)
			break
		}
	}
	if resolved, dots := resolve(path); dots && v.mounted(resolved) != m {
		return nil, 0, errLeavesMount
	}
	return m, prefix, nil
}

// mounted finds where a path without escapes leads, or nil.
func (v *vhost) mounted(path []byte) *mount {
	for _, m := range v.mounts {
		rest, ok := bytes.CutPrefix(path, []byte(m.route))
		if ok && (len(rest) == 0 || rest[0] == '/' || m.route == "") { // the root has the asterisk-form, too
			return m
		}
	}
	return nil
}

// plainPath tells whether path can be spelled in no plainer way.
func plainPath(path []byte) bool {
	was := byte(0)
	for _, c := range path {
		if c == '%' || was == '/' && (c == '/' || c == '.') {
			return false
		}
		was = c
	}
	return true
}

// spells tells whether path begins with route, however it is spelled, and returns what is
// behind: nothing, or something that begins with a slash.
func spells(path []byte, route string) (rest []byte, ok bool) {
	for i := range len(route) {
		if route[i] == '/' {
			n := slashes(path)
			if n == 0 {
				return nil, false
			}
			path = path[n:]
			continue
		}
		c, n := octet(path)
		if n == 0 || c != route[i] {
			return nil, false
		}
		path = path[n:]
	}
	if route == "" || len(path) == 0 {
		return path, true
	}
	c, _ := octet(path)
	return path, c == '/'
}

// octet is what the first byte of path, or its first escape, stands for.
func octet(path []byte) (c byte, n int) {
	if len(path) == 0 {
		return 0, 0
	}
	if path[0] != '%' || len(path) < 3 {
		return path[0], 1
	}
	var room [1]byte
	b, err := http1.UnescapePath(room[:0], path[:3])
	if err != nil || len(b) != 1 {
		return path[0], 1
	}
	return b[0], 3
}

// slashes is how long the slash is that path begins with: with other slashes behind it,
// and with segments of one dot between them.
func slashes(path []byte) (n int) {
	for {
		c, k := octet(path[n:])
		switch {
		case k > 0 && c == '/':
			n += k
		case n > 0 && k > 0 && c == '.' && endsSegment(path[n+k:]):
			n += k
		default:
			return n
		}
	}
}

func endsSegment(path []byte) bool {
	c, n := octet(path)
	return n == 0 || c == '/'
}

// resolve is path as a file system reads it, without escapes and dot segments. Dots tells
// whether it had any of two.
func resolve(path []byte) (resolved []byte, dots bool) {
	decoded, err := http1.UnescapePath(nil, path)
	if err != nil {
		return path, false
	}
	var kept []string
	for segment := range strings.SplitSeq(string(decoded), "/") {
		switch segment {
		case "", ".":
		case "..":
			dots = true
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, segment)
		}
	}
	return []byte("/" + strings.Join(kept, "/")), dots
}

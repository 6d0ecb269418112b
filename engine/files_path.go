package engine

import (
	"bytes"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/penstock-go/penstock/codec/http1"
)

// filePath is what a path asks for: a name as package fs has it, and whether a slash was
// behind it.
type filePath struct {
	name  string
	slash bool
}

// rootPath is where FileOptions.Fallback leads.
var rootPath = filePath{name: ".", slash: true}

// pathOfFile reads the path behind a mount point. A status that is not 0 answers it: 400
// for what is no path, 404 for one that no file of a mount has. Escapes are decoded once,
// and an escaped slash or any backslash is refused rather than taken for either thing
// that somebody else may take it for. So is "..": who resolves it may do so before or
// behind a symbolic link.
func pathOfFile(path []byte, dotfiles bool) (w filePath, status int) {
	var room [256]byte
	decoded, err := http1.UnescapePath(room[:0], path)
	switch {
	case err != nil || bytes.IndexByte(decoded, 0) >= 0:
		return w, 400
	case !utf8.Valid(decoded) || bytes.IndexByte(decoded, '\\') >= 0 || len(decoded) < len(path) && hasEscapedSlash(path):
		return w, 404
	}
	w.slash = len(decoded) > 0 && decoded[len(decoded)-1] == '/'
	clean, depth := decoded[:0], 0
	for rest := decoded; len(rest) > 0; {
		var element []byte
		element, rest, _ = bytes.Cut(rest, []byte{'/'})
		switch {
		case len(element) == 0 || string(element) == ".":
			continue
		case string(element) == "..":
			return w, 404
		case element[0] == '.' && !dotfiles && (depth > 0 || string(element) != ".well-known"):
			return w, 404
		}
		if depth++; depth > 1 {
			clean = append(clean, '/')
		}
		clean = append(clean, element...) // never overtakes what is still to be read
	}
	if w.name = string(clean); w.name == "" {
		w.name = "."
	}
	return w, 0
}

func hasEscapedSlash(path []byte) bool {
	for i := 0; i+2 < len(path); i++ {
		if path[i] == '%' && path[i+1] == '2' && path[i+2]|0x20 == 'f' {
			return true
		}
	}
	return false
}

// key is what w is called in a cache.
func (w filePath) key() string {
	if w.slash {
		return w.name + "/"
	}
	return w.name
}

// page tells whether w looks like a page rather than a part of one.
func (w filePath) page() bool {
	return w.name == "." || strings.IndexByte(w.name[strings.LastIndexByte(w.name, '/')+1:], '.') < 0
}

// location is where w is with its slash behind it. It begins with one slash, so that it
// leads to no other host. The mount point is in it as requests have it.
func (w filePath) location(prefix string, query []byte) string {
	p := prefix + "/"
	if w.name != "." {
		p += (&url.URL{Path: w.name + "/"}).EscapedPath()
	}
	if len(query) > 0 {
		p += "?" + string(query)
	}
	return p
}

package tidy

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// arrows are the imports within the root module that code, not tests, may have: the first row whose package is the
// importer's or above it counts, and "below" includes what lies in folders below.
var arrows = []struct {
	from string
	to   []string
}{
	{"engine", []string{"engine", "callbacks", "codec", "tlsbridge", "reactor", "internal"}},
	{"callbacks", []string{"callbacks", "codec", "internal"}},
	{"codec/http1", []string{"codec/http1", "internal"}},
	{"codec/ws", []string{"codec/ws", "internal"}},
	{"codec", []string{"internal"}},
	{"tlsbridge", []string{"tlsbridge", "internal"}},
	{"reactor", []string{"reactor", "internal"}},
	{"internal/interop", []string{""}},
	{"internal", []string{"internal"}},
	{"examples", []string{""}},
	{"bench", []string{""}},
}

const gnet = "github.com/panjf2000/gnet"

func importArrows(t *tree) (off []string) {
	for _, f := range t.goFile {
		for _, spec := range f.ast.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has seen to it
			}
			if why := forbidden(f, to); why != "" {
				off = append(off, fmt.Sprintf("%s imports %s: %s", t.at(spec.Pos()), to, why))
			}
		}
	}
	return off
}

// forbidden says why f may not import to, or nothing.
func forbidden(f *goFile, to string) string {
	switch {
	case below(to, gnet):
		if !below(f.dir, "reactor") && f.module == "." {
			return "only reactor knows gnet"
		}
	case below(to, rootModule):
		if !f.test && !arrowAllowed(f.dir, strings.TrimPrefix(strings.TrimPrefix(to, rootModule), "/")) {
			return "against the arrows"
		}
	case foreign(to) && below(f.dir, "internal") && f.module == ".":
		// bufpool exists to be the one place that lends buffers of the pool and counts them.
		if !below(to, "golang.org/x/sys") && !(f.dir == "internal/bufpool" && to == "github.com/valyala/bytebufferpool") {
			return "internal packages use the standard library and golang.org/x/sys"
		}
	}
	return ""
}

func arrowAllowed(from, to string) bool {
	for _, a := range arrows {
		if below(from, a.from) {
			return slices.ContainsFunc(a.to, func(allowed string) bool { return below(to, allowed) })
		}
	}
	return false
}

// below tells whether an import path or folder is base or lies below it.
func below(p, base string) bool {
	return base == "" || p == base || strings.HasPrefix(p, base+"/")
}

// foreign tells a module's package from the standard library's: its first element has a dot.
func foreign(to string) bool {
	first, _, _ := strings.Cut(to, "/")
	return strings.Contains(first, ".")
}

// allowedRequirements is what the library itself may import.
var allowedRequirements = []string{
	"github.com/panjf2000/gnet/v2",
	"github.com/gobwas/ws",
	"github.com/valyala/bytebufferpool",
	"github.com/klauspost/compress",
	"golang.org/x/sys",
}

// directRequirements reads the root's go.mod by its lines, which go mod keeps in shape.
func directRequirements(t *tree) (off []string) {
	block := ""
	for i, line := range strings.Split(string(t.text["go.mod"]), "\n") {
		word := strings.Fields(line)
		switch {
		case len(word) == 0:
			continue
		case word[0] == ")":
			block = ""
			continue
		case len(word) == 2 && word[1] == "(":
			block = word[0]
			continue
		case block != "":
			word = append([]string{block}, word...)
		}
		if why := badDirective(word); why != "" {
			off = append(off, fmt.Sprintf("go.mod:%d: %s", i+1, why))
		}
	}
	return off
}

func badDirective(word []string) string {
	switch word[0] {
	case "tool", "replace", "exclude":
		return "no " + word[0] + " in the root"
	case "require":
		direct := !strings.HasSuffix(strings.Join(word, " "), "// indirect")
		if direct && !slices.Contains(allowedRequirements, path.Clean(word[1])) {
			return word[1] + " is not on the list of direct requirements"
		}
	}
	return ""
}

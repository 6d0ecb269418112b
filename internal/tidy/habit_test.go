package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

const shortestReason = 20

// parserPackages read what a peer sent.
var parserPackages = []string{"codec/http1", "codec/ws"}

// skips wants a reason, written down where the skip is.
func skips(t *tree) (off []string) {
	for _, f := range t.goFile {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isSkip(call) && !hasReason(call) {
				off = append(off, t.at(call.Pos()))
			}
			return true
		})
	}
	return off
}

// isSkip knows the receivers that tests, benchmarks and fuzz targets have by custom; parsers skip too.
func isSkip(call *ast.CallExpr) bool {
	on, name := selector(call.Fun)
	return slices.Contains([]string{"t", "b", "f", "tb"}, on) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, name)
}

func hasReason(call *ast.CallExpr) bool {
	if len(call.Args) == 0 {
		return false
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return false
	}
	reason, err := strconv.Unquote(lit.Value)
	return err == nil && len(strings.TrimSpace(reason)) >= shortestReason
}

func sleeps(t *tree) (off []string) {
	for _, f := range t.goFile {
		if f.test {
			off = append(off, uses(t, f, "time", "Sleep")...)
		}
	}
	return off
}

// leftoverPrints looks for prints in the library, where the only voice is the logger in the config.
func leftoverPrints(t *tree) (off []string) {
	for _, f := range t.goFile {
		if f.test || !f.library() {
			continue
		}
		off = append(off, uses(t, f, "fmt", "Print", "Printf", "Println")...)
		off = append(off, uses(t, f, "log", "Print", "Printf", "Println")...)
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if id, ok := call.Fun.(*ast.Ident); ok && (id.Name == "print" || id.Name == "println") {
				off = append(off, t.at(id.Pos())+": "+id.Name)
			}
			return true
		})
	}
	return off
}

// uses finds the named members of an imported package, whatever it is called in f.
func uses(t *tree, f *goFile, pkg string, names ...string) (off []string) {
	local := localName(f, pkg)
	if local == "" {
		return nil
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		if on, name := selector(e); on == local && slices.Contains(names, name) {
			off = append(off, fmt.Sprintf("%s: %s.%s", t.at(n.Pos()), pkg, name))
		}
		return true
	})
	return off
}

// selector splits x.y.
func selector(e ast.Expr) (x, y string) {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	return id.Name, sel.Sel.Name
}

// localName is what f calls the package it imports from to, or nothing if it does not.
func localName(f *goFile, to string) string {
	for _, spec := range f.ast.Imports {
		switch {
		case spec.Path.Value != strconv.Quote(to):
		case spec.Name != nil:
			return spec.Name.Name
		default:
			return path.Base(to)
		}
	}
	return ""
}

func fuzzTargets(t *tree) (off []string) {
	for _, dir := range parserPackages {
		code, fuzz := false, false
		for _, f := range t.goFile {
			if f.dir == dir {
				code = code || !f.test
				fuzz = fuzz || f.test && hasFuzz(f)
			}
		}
		if code && !fuzz {
			off = append(off, dir+" has none")
		}
	}
	return off
}

func hasFuzz(f *goFile) bool {
	return slices.ContainsFunc(f.ast.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		return ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz")
	})
}

package tidy

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const rootModule = "github.com/penstock-go/penstock"

// tree is a checkout as the rules see it.
type tree struct {
	fset   *token.FileSet
	goFile []*goFile
	text   map[string][]byte // all files that are text, Go or not, by path
	broken []string          // Go files that do not parse
	module []string          // folders that hold a go.mod, "." for the root
}

type goFile struct {
	path   string
	dir    string
	module string // the folder of its go.mod
	src    []byte
	ast    *ast.File
	test   bool
}

// load reads everything below fsys but what no commit holds.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet(), text: make(map[string][]byte)}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipFolder(name):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		return t.read(fsys, name)
	})
	if err != nil {
		return nil, err
	}
	for _, name := range t.paths() {
		if path.Ext(name) == ".go" && !strings.Contains(name, "testdata/") {
			t.parse(name)
		}
	}
	return t, nil
}

func skipFolder(name string) bool {
	base := path.Base(name)
	return base == ".git" || base == "node_modules" || name == "bin" || strings.HasPrefix(base, "_")
}

func (t *tree) read(fsys fs.FS, name string) error {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	if bytes.IndexByte(src[:min(len(src), 8000)], 0) < 0 && ignored[path.Ext(name)] == "" {
		t.text[name] = src
	}
	if path.Base(name) == "go.mod" {
		t.module = append(t.module, path.Dir(name))
	}
	return nil
}

// ignored are the extensions that .gitignore names.
var ignored = map[string]string{".test": "a test binary", ".out": "a profile", ".prof": "a profile"}

func (t *tree) parse(name string) {
	src := t.text[name]
	f, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.broken = append(t.broken, err.Error())
		return
	}
	t.goFile = append(t.goFile, &goFile{
		path: name, dir: path.Dir(name), module: t.moduleOf(name), src: src, ast: f,
		test: strings.HasSuffix(name, "_test.go"),
	})
}

// moduleOf is the deepest folder above name that holds a go.mod.
func (t *tree) moduleOf(name string) string {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if slices.Contains(t.module, dir) {
			return dir
		}
	}
	return "."
}

// paths lists the text files in order, so that offences come in order.
func (t *tree) paths() []string {
	var out []string
	for name := range t.text {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// library tells whether f is part of what users import: the root module without its examples.
func (f *goFile) library() bool {
	return f.module == "." && f.ast.Name.Name != "main" && !strings.HasPrefix(f.path, "examples/")
}

func (t *tree) line(p token.Pos) int { return t.fset.Position(p).Line }

// at is where p is, as editors and go vet write it.
func (t *tree) at(p token.Pos) string {
	pos := t.fset.Position(p)
	pos.Column = 0
	return pos.String()
}

// root walks up to the go.mod of the root module.
func root(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.Contains(string(mod), "module "+rootModule+"\n") {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod of " + rootModule + " above this folder")
		}
		dir = up
	}
}

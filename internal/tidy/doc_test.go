package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
)

// packageDocs wants one doc comment per package, in doc.go once the package has several files. A package of tests
// only has it in any of them.
func packageDocs(t *tree) (off []string) {
	byDir := make(map[string][]*goFile)
	var dirs []string
	for _, f := range t.goFile {
		if byDir[f.dir] == nil {
			dirs = append(dirs, f.dir)
		}
		byDir[f.dir] = append(byDir[f.dir], f)
	}
	slices.Sort(dirs)
	for _, dir := range dirs {
		off = append(off, packageDoc(dir, byDir[dir])...)
	}
	return off
}

func packageDoc(dir string, files []*goFile) (off []string) {
	code := slices.DeleteFunc(slices.Clone(files), func(f *goFile) bool { return f.test })
	if len(code) == 0 {
		code = files
	}
	documented := false
	for _, f := range code {
		if f.ast.Doc == nil {
			continue
		}
		documented = true
		if len(code) > 1 && path.Base(f.path) != "doc.go" && !f.test {
			off = append(off, f.path+": the package comment belongs in doc.go")
		}
	}
	if !documented {
		off = append(off, dir+": no package comment")
	}
	return off
}

// exportedDocs wants a comment on all that go doc shows. One comment covers the names of its group: constants and
// variables of a declaration, and fields or methods up to the next blank line.
func exportedDocs(t *tree) (off []string) {
	for _, f := range t.goFile {
		if f.test || f.ast.Name.Name == "main" {
			continue
		}
		for _, d := range f.ast.Decls {
			for _, id := range undocumented(t, d) {
				off = append(off, fmt.Sprintf("%s: %s", t.at(id.Pos()), id.Name))
			}
		}
	}
	return off
}

func undocumented(t *tree, d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && receiverExported(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var out []*ast.Ident
		for _, s := range d.Specs {
			out = append(out, undocumentedSpec(t, d, s)...)
		}
		return out
	}
	return nil
}

// receiverExported looks below the star and the type parameters of a receiver.
func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func undocumentedSpec(t *tree, d *ast.GenDecl, s ast.Spec) []*ast.Ident {
	switch s := s.(type) {
	case *ast.ValueSpec:
		if d.Doc == nil && s.Doc == nil && s.Comment == nil {
			return exported(s.Names)
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return nil
		}
		out := undocumentedMembers(t, s.Type)
		if s.Doc == nil && s.Comment == nil && (d.Doc == nil || len(d.Specs) > 1) {
			out = append(out, s.Name)
		}
		return out
	}
	return nil
}

// undocumentedMembers looks at the fields of a struct or the methods of an interface.
func undocumentedMembers(t *tree, typ ast.Expr) (out []*ast.Ident) {
	var list *ast.FieldList
	switch typ := typ.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return nil
	}
	covered, last := false, token.Pos(0)
	for _, f := range list.List {
		adjacent := last.IsValid() && t.line(f.Pos()) == t.line(last)+1
		covered = f.Doc != nil || f.Comment != nil || covered && adjacent
		if !covered {
			out = append(out, exported(f.Names)...)
		}
		last = f.End()
	}
	return out
}

func exported(names []*ast.Ident) (out []*ast.Ident) {
	for _, id := range names {
		if id.IsExported() {
			out = append(out, id)
		}
	}
	return out
}

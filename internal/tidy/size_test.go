package tidy

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"
	"slices"
)

const (
	medianFunction  = 10
	p95Function     = 45
	longestFunction = 100
	longestFile     = 600
	testPerCode     = 1.5
	ratioFrom       = 4000 // lines of library code; below it the ratio says little
)

type function struct {
	name  string
	where string
	lines int
}

// functionLengths looks at functions outside of tests, from the line of func to that of the closing brace.
func functionLengths(t *tree) []string {
	fns := functions(t)
	if len(fns) == 0 {
		return nil
	}
	slices.SortStableFunc(fns, func(a, b function) int { return b.lines - a.lines })
	var off []string
	if m := fns[len(fns)/2].lines; m > medianFunction {
		off = append(off, fmt.Sprintf("the median of %d functions is %d lines, over %d", len(fns), m, medianFunction))
	}
	p95 := fns[len(fns)/20].lines
	if p95 > p95Function {
		off = append(off, fmt.Sprintf("the 95th percentile is %d lines, over %d", p95, p95Function))
	}
	for _, f := range fns {
		if f.lines > longestFunction || p95 > p95Function && f.lines > p95Function {
			off = append(off, fmt.Sprintf("%s: %s has %d lines", f.where, f.name, f.lines))
		}
	}
	return off
}

func functions(t *tree) (out []function) {
	for _, f := range t.goFile {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if d, ok := d.(*ast.FuncDecl); ok {
				out = append(out, function{d.Name.Name, t.at(d.Pos()), t.line(d.End()) - t.line(d.Pos()) + 1})
			}
		}
	}
	return out
}

func fileLengths(t *tree) (off []string) {
	for _, f := range t.goFile {
		if n := bytes.Count(f.src, []byte("\n")); n > longestFile {
			off = append(off, fmt.Sprintf("%s has %d lines, over %d", f.path, n, longestFile))
		}
	}
	return off
}

// testRatio compares lines that hold code; comments and blank lines count for neither side. The interop module is
// test code of the library that needs other modules.
func testRatio(t *tree) []string {
	code, test := codeAndTest(t)
	if code <= ratioFrom || float64(test) >= testPerCode*float64(code) {
		return nil
	}
	return []string{fmt.Sprintf("%d lines of test code for %d of code: %.2f, under %.1f", test, code, float64(test)/float64(code), testPerCode)}
}

func codeAndTest(t *tree) (code, test int) {
	for _, f := range t.goFile {
		switch {
		case f.test && (f.library() || f.module == "internal/interop"):
			test += codeLines(f.src)
		case !f.test && f.library():
			code += codeLines(f.src)
		}
	}
	return code, test
}

// codeLines counts the lines that a token starts or ends on or spans.
func codeLines(src []byte) int {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(src))
	s.Init(file, src, nil, 0)
	n, last := 0, 0
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return n
		}
		if tok == token.SEMICOLON && lit == "\n" {
			continue // put there by the scanner
		}
		first := file.Line(pos)
		end := first + bytes.Count([]byte(lit), []byte("\n"))
		n += end - max(first-1, last)
		last = end
	}
}

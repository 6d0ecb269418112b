package tidy

import (
	"bytes"
	"fmt"
	"go/format"
	"path"
	"regexp"
	"strings"
)

var (
	openEnd   = regexp.MustCompile(`\b(` + word("TO", "DO") + `|` + word("FIX", "ME") + `|` + word("XX", "X") + `|` + word("HA", "CK") + `)\b(\(#[0-9]+\))?`)
	closedEnd = regexp.MustCompile(`^` + word("TO", "DO") + `\(#[0-9]+\)$`)

	// A path starts after nothing, a space, a quote or an assignment, so that a URL's path does not look like one.
	place = regexp.MustCompile("(?m)(?:^|[\\s\"'`(=:,])(" + `/(?:` + word("wo", "rk") + `|` + word("ro", "ot") + ")(?:/[^\\s\"'`)]*|$|[\\s\"'`),:]))")

	registry = regexp.MustCompile(strings.Join([]string{
		word(`proxy\.gol`, `ang\.org`), word(`sum\.gol`, `ang\.org`), word(`registry\.npm`, `js\.org`),
		word(`deb\.deb`, `ian\.org`), word(`py`, `pi\.org`), word(`cra`, `tes\.io`),
	}, "|"))
)

// openEnds looks at the comments of Go files, and at all of scripts and Makefiles.
func openEnds(t *tree) (off []string) {
	for _, f := range t.goFile {
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				off = append(off, openIn(t.at(c.Pos()), c.Text)...)
			}
		}
	}
	for _, name := range t.paths() {
		if isScript(name) {
			off = append(off, openIn(name, string(t.text[name]))...)
		}
	}
	return off
}

func openIn(where, text string) (off []string) {
	for _, m := range openEnd.FindAllString(text, -1) {
		if !closedEnd.MatchString(m) {
			off = append(off, where+": "+m)
		}
	}
	return off
}

func isScript(name string) bool {
	switch path.Ext(name) {
	case ".sh", ".yml", ".yaml", ".mk":
		return true
	}
	return path.Base(name) == "Makefile" || path.Dir(name) == ".ci"
}

func gofmt(t *tree) (off []string) {
	for _, f := range t.goFile {
		if want, err := format.Source(f.src); err != nil || !bytes.Equal(want, f.src) {
			off = append(off, f.path)
		}
	}
	return off
}

// places looks at every text file of the checkout.
func places(t *tree) (off []string) {
	for _, name := range t.paths() {
		src := t.text[name]
		for _, m := range place.FindAllSubmatchIndex(src, -1) {
			off = append(off, found(name, src, m[2], m[3]))
		}
		for _, m := range registry.FindAllIndex(src, -1) {
			off = append(off, found(name, src, m[0], m[1]))
		}
	}
	return off
}

func found(name string, src []byte, from, to int) string {
	line := 1 + bytes.Count(src[:from], []byte("\n"))
	return fmt.Sprintf("%s:%d: %s", name, line, bytes.TrimSpace(src[from:to]))
}

package tidy

import (
	"os"
	"strings"
	"testing"
)

// rule is one sentence of the style. check returns its offences, one a line, each with its place.
type rule struct {
	name   string
	advice string // what to do about an offence
	check  func(*tree) []string
}

var rules = []rule{
	{"parses", "Make it compile.", func(t *tree) []string { return t.broken }},
	{"function lengths", "Split what is listed along its steps; name the parts after what they do.", functionLengths},
	{"file lengths", "Split it into files named after their parts, 100 to 250 lines each.", fileLengths},
	{"test code", "Write the tests that are missing: each rule of the protocol, each error, each limit.", testRatio},
	{"package docs", "Say in doc.go what the package is, which goroutine runs it, who owns which bytes.", packageDocs},
	{"exported docs", "Say what it is for, with units, lifetimes, errors and who may call it; or unexport it.", exportedDocs},
	{"import arrows", "Imports point down only. Move the shared thing below both, or pass it in as a value.", importArrows},
	{"direct requirements", "Nested modules take what only tests, tools or examples need.", directRequirements},
	{"open ends", "Do it now, delete it, or write " + word("TO", "DO") + "(#12) with the number of an issue.", openEnds},
	{"skips", "Give t.Skip a string of 20 characters or more: what is missing, and how to get it.", skips},
	{"sleeps", "Wait for the event itself: a channel, a virtual clock, testing/synctest.", sleeps},
	{"leftover prints", "Delete it, or log through the slog.Logger of the config.", leftoverPrints},
	{"fuzz targets", "Add func FuzzX(f *testing.F) that checks a property, not only that nothing panics.", fuzzTargets},
	{"gofmt", "Run make fmt.", gofmt},
	{"places", "Name no path of a build machine and no host of a package registry.", places},
}

func TestTidy(t *testing.T) {
	tree, err := load(os.DirFS(root(t)))
	if err != nil {
		t.Fatal(err)
	}
	code, test := codeAndTest(tree)
	t.Logf("%d lines of code in the library, %d of tests: %.2f", code, test, float64(test)/float64(max(code, 1)))
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if off := r.check(tree); len(off) > 0 {
				t.Errorf("%s\n\t%s", r.advice, strings.Join(off, "\n\t"))
			}
		})
	}
}

// word joins what must not stand in one piece in a file that is itself looked at.
func word(parts ...string) string { return strings.Join(parts, "") }

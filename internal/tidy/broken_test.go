package tidy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const rootMod = "module " + rootModule + "\n\ngo 1.26\n"

// sample is a small tree and what one rule must say of it: the start of each offence, in order.
type sample struct {
	rule  string
	name  string
	files map[string]string
	want  []string
}

func TestRulesFindWhatBreaksThem(t *testing.T) {
	for _, s := range slices.Concat(sizeSamples, docSamples, arrowSamples, habitSamples, textSamples) {
		t.Run(s.rule+"/"+s.name, func(t *testing.T) {
			got := offences(t, s)
			ok := len(got) == len(s.want)
			for i := 0; ok && i < len(got); i++ {
				ok = strings.HasPrefix(got[i], s.want[i])
			}
			if !ok {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(s.want, "\n\t"))
			}
		})
	}
}

func TestEveryRuleHasSamplesOfBothKinds(t *testing.T) {
	all := slices.Concat(sizeSamples, docSamples, arrowSamples, habitSamples, textSamples)
	for _, r := range rules {
		good := slices.ContainsFunc(all, func(s sample) bool { return s.rule == r.name && s.want == nil })
		bad := slices.ContainsFunc(all, func(s sample) bool { return s.rule == r.name && s.want != nil })
		if !good || !bad {
			t.Errorf("rule %q: kept by a sample %v, broken by one %v", r.name, good, bad)
		}
	}
}

func offences(t *testing.T, s sample) []string {
	fsys := fstest.MapFS{"go.mod": {Data: []byte(rootMod)}}
	for name, src := range s.files {
		fsys[name] = &fstest.MapFile{Data: []byte(src)}
	}
	tree, err := load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if r.name == s.rule {
			return r.check(tree)
		}
	}
	t.Fatalf("no rule %q", s.rule)
	return nil
}

// one is a tree of one file.
func one(name, src string) map[string]string { return map[string]string{name: src} }

// funcs writes functions of the given lengths.
func funcs(lengths ...int) string {
	var b strings.Builder
	b.WriteString("package p\n")
	for i, n := range lengths {
		fmt.Fprintf(&b, "func f%d() {\n%s}\n", i, strings.Repeat("\tg()\n", n-2))
	}
	return b.String()
}

// many is n lengths.
func many(n, length int) []int { return slices.Repeat([]int{length}, n) }

// vars writes n lines of code.
func vars(n int) string { return "package p\n" + strings.Repeat("var _ = 1\n\n// Not code.\n", n-1) }

var sizeSamples = []sample{
	{"parses", "it does", one("a.go", "package a\n"), nil},
	{"parses", "it does not", one("a.go", "package a\nfunc {\n"), []string{"a.go:2"}},
	{"parses", "testdata need not", one("x/testdata/a.go", "package"), nil},

	{"function lengths", "short", one("a.go", funcs(many(20, 10)...)), nil},
	{"function lengths", "one of a hundred lines", one("a.go", funcs(append(many(20, 3), 100)...)), nil},
	{"function lengths", "one over a hundred", one("b/a.go", funcs(append(many(20, 3), 101)...)),
		[]string{"b/a.go:62: f20 has 101 lines"}},
	{"function lengths", "the median", one("a.go", funcs(append(many(3, 3), many(4, 11)...)...)),
		[]string{"the median of 7 functions is 11 lines, over 10"}},
	{"function lengths", "the percentile names all that are long", one("a.go", funcs(append(many(18, 3), 46, 47)...)),
		[]string{"the 95th percentile is 46 lines, over 45", "a.go:102: f19 has 47", "a.go:56: f18 has 46"}},
	{"function lengths", "tests may be long", one("a_test.go", funcs(300)), nil},
	{"function lengths", "nested modules count", map[string]string{"bench/go.mod": "module b\n", "bench/a.go": funcs(append(many(20, 3), 101)...)},
		[]string{"bench/a.go:62"}},

	{"file lengths", "600", one("a.go", "package a\n"+strings.Repeat("\n", 599)), nil},
	{"file lengths", "601", one("a.go", "package a\n"+strings.Repeat("\n", 600)), []string{"a.go has 601 lines"}},
	{"file lengths", "tests too", one("a_test.go", "package a\n"+strings.Repeat("\n", 600)), []string{"a_test.go has 601"}},

	{"test code", "enough", map[string]string{"p/a.go": vars(5000), "p/a_test.go": vars(7500)}, nil},
	{"test code", "too little", map[string]string{"p/a.go": vars(5000), "p/a_test.go": vars(7499)},
		[]string{"7499 lines of test code for 5000 of code: 1.50, under 1.5"}},
	{"test code", "a young tree", one("p/a.go", vars(4000)), nil},
	{"test code", "interop counts", map[string]string{"p/a.go": vars(5000), "internal/interop/go.mod": "module i\n", "internal/interop/a_test.go": vars(7500)}, nil},
	{"test code", "bench is neither", map[string]string{"p/a.go": vars(5000), "bench/go.mod": "module b\n", "bench/a_test.go": vars(9000), "bench/a.go": vars(9000)},
		[]string{"0 lines of test code for 5000"}},
}

var docSamples = []sample{
	{"package docs", "one file", one("p/p.go", "// Package p is.\npackage p\n"), nil},
	{"package docs", "none", one("p/p.go", "package p\n"), []string{"p: no package comment"}},
	{"package docs", "doc.go", map[string]string{"p/doc.go": "// Package p is.\npackage p\n", "p/p.go": "package p\n"}, nil},
	{"package docs", "not in doc.go", map[string]string{"p/q.go": "package p\n", "p/p.go": "// Package p is.\npackage p\n"},
		[]string{"p/p.go: the package comment belongs in doc.go"}},
	{"package docs", "tests do not count", map[string]string{"p/p.go": "package p\n", "p/p_test.go": "// Package p is.\npackage p\n"},
		[]string{"p: no package comment"}},
	{"package docs", "only tests", map[string]string{"p/a_test.go": "package p\n", "p/p_test.go": "// Package p is.\npackage p\n"}, nil},

	{"exported docs", "all there", one("p/p.go", `package p

// A is.
type A struct {
	// B and C are.
	B int
	C int

	D int // is

	e int
}

// M does.
func (a *A) M() {}

type b struct{ F int }

func (b) M() {}

// The errors.
var (
	ErrX = 1
	ErrY = 2
)

// I is.
type I interface {
	// Do does.
	Do()
	Too()
}
`), nil},
	{"exported docs", "none there", one("p/p.go", `package p

type A struct {
	b int

	C int
}

func (a A) M() {}
func (a *G[T]) N() {}
func F() {}

const X, y = 1, 2

// I is.
type I interface {
	// Do does.
	Do()

	Not()
}
`), []string{"p/p.go:6: C", "p/p.go:3: A", "p/p.go:9: M", "p/p.go:10: N", "p/p.go:11: F", "p/p.go:13: X", "p/p.go:20: Not"}},
	{"exported docs", "a group of types is no doc", one("p/p.go", "package p\n\n// Types.\ntype (\n\tA int\n\tB int // is\n)\n"),
		[]string{"p/p.go:5: A"}},
	{"exported docs", "programs need none", one("p/p.go", "package main\n\nfunc F() {}\n"), nil},
}

func imports(pkg string, paths ...string) string {
	return "package " + pkg + "\n\nimport _ \"" + strings.Join(paths, "\"\nimport _ \"") + "\"\n"
}

func ours(pkg, what string) string { return imports(pkg, rootModule+"/"+what) }

var arrowSamples = []sample{
	{"import arrows", "down", map[string]string{
		"engine/a.go":        imports("engine", rootModule+"/callbacks", rootModule+"/codec/ws", rootModule+"/reactor", rootModule+"/tlsbridge", rootModule+"/internal/wheel"),
		"callbacks/a.go":     ours("callbacks", "codec/http1"),
		"reactor/a.go":       imports("reactor", gnet+"/v2/pkg/netpoll", rootModule+"/internal/wheel"),
		"codec/ws/a.go":      imports("ws", "github.com/gobwas/ws"),
		"internal/x/a.go":    imports("x", "golang.org/x/sys/unix", rootModule+"/internal/wheel", "net/http"),
		"examples/e/a.go":    ours("main", "engine"),
		"bench/go.mod":       "module b\n",
		"bench/a.go":         imports("main", gnet+"/v2", rootModule+"/engine"),
		"codec/ws/a_test.go": ours("ws", "codec/http1"),
	}, nil},
	{"import arrows", "up", one("reactor/a.go", ours("reactor", "engine")), []string{"reactor/a.go:3 imports " + rootModule + "/engine"}},
	{"import arrows", "codecs know nothing of each other", map[string]string{
		"codec/http1/a.go": ours("http1", "codec/ws"), "codec/ws/a.go": ours("ws", "codec/http1"),
	}, []string{"codec/http1/a.go:3", "codec/ws/a.go:3"}},
	{"import arrows", "callbacks above reactor", one("callbacks/a.go", ours("callbacks", "reactor")), []string{"callbacks/a.go:3"}},
	{"import arrows", "gnet outside of reactor", map[string]string{
		"engine/a.go": imports("engine", gnet+"/v2"), "tlsbridge/a_test.go": imports("tlsbridge", gnet+"/v2"),
	}, []string{"engine/a.go:3", "tlsbridge/a_test.go:3"}},
	{"import arrows", "internal uses foreign code", one("internal/x/a.go", imports("x", "github.com/gobwas/ws")), []string{"internal/x/a.go:3"}},
	{"import arrows", "internal uses the library", one("internal/x/a.go", ours("x", "reactor")), []string{"internal/x/a.go:3"}},
	{"import arrows", "code in the root", one("a.go", ours("penstock", "engine")), []string{"a.go:3"}},
	{"import arrows", "a prefix is no folder", one("reactor/a.go", ours("reactor", "internals")), []string{"reactor/a.go:3"}},

	{"direct requirements", "listed and indirect", one("go.mod", rootMod+"\nrequire golang.org/x/sys v0.1.0\n\nrequire (\n\tgithub.com/gobwas/ws v1.5.0\n\tx.y/z v1.0.0 // indirect\n)\n"), nil},
	{"direct requirements", "unlisted", one("go.mod", rootMod+"\nrequire x.y/one v1.0.0\n\nrequire (\n\tgithub.com/gobwas/ws v1.5.0\n\tx.y/z v1.0.0\n)\n"),
		[]string{"go.mod:5: x.y/one", "go.mod:9: x.y/z"}},
	{"direct requirements", "tools and replacements", one("go.mod", rootMod+"\ntool x.y/z\n\nreplace (\n\ta.b/c => ../c\n)\n"),
		[]string{"go.mod:5: no tool", "go.mod:8: no replace"}},
	{"direct requirements", "other modules are free", map[string]string{"bench/go.mod": "module b\n\nrequire x.y/z v1.0.0\n"}, nil},
}

func testFile(body string) string {
	return "package p\n\nimport (\n\t\"testing\"\n\tclock \"time\"\n)\n\nfunc TestX(t *testing.T) {\n\t" + body + "\n}\n"
}

var habitSamples = []sample{
	{"skips", "a reason", one("p/p_test.go", testFile(`t.Skip("needs CAP_NET_ADMIN for a namespace")`)), nil},
	{"skips", "none", one("p/p_test.go", testFile("t.SkipNow(); t.Skip()")), []string{"p/p_test.go:9", "p/p_test.go:9"}},
	{"skips", "a short one", one("p/p_test.go", testFile(`t.Skipf("flaky %d", 1)`)), []string{"p/p_test.go:9"}},
	{"skips", "spaces are none", one("p/p_test.go", testFile(`t.Skip("flaky                    ")`)), []string{"p/p_test.go:9"}},
	{"skips", "a value", one("p/p_test.go", testFile("t.Skip(t.Context().Err())")), []string{"p/p_test.go:9"}},
	{"skips", "a parser's", one("p/p_test.go", testFile("dec.Skip(3)")), nil},

	{"sleeps", "none", one("p/p_test.go", testFile("<-clock.After(1)")), nil},
	{"sleeps", "one, under another name", one("p/p_test.go", testFile("clock.Sleep(1)")), []string{"p/p_test.go:9: time.Sleep"}},
	{"sleeps", "as a value", one("p/p_test.go", testFile("f := clock.Sleep; f(1)")), []string{"p/p_test.go:9: time.Sleep"}},
	{"sleeps", "outside of tests", one("p/p.go", testFile("clock.Sleep(1)")), nil},

	{"leftover prints", "none", one("p/p.go", "package p\n\nimport \"fmt\"\n\nvar s = fmt.Sprint(1)\n"), nil},
	{"leftover prints", "all kinds", one("p/p.go", `package p

import (
	"fmt"
	"log"
)

func f() {
	fmt.Println(1)
	fmt.Printf("x")
	log.Print(1)
	println(1)
}
`), []string{"p/p.go:9: fmt.Println", "p/p.go:10: fmt.Printf", "p/p.go:11: log.Print", "p/p.go:12: println"}},
	{"leftover prints", "programs, examples and tests print", map[string]string{
		"cmd/a.go":        "package main\n\nfunc main() { println(1) }\n",
		"examples/x/a.go": "package x\n\nfunc f() { println(1) }\n",
		"p/a_test.go":     "package p\n\nfunc f() { println(1) }\n",
		"bench/go.mod":    "module b\n",
		"bench/load/a.go": "package load\n\nfunc f() { println(1) }\n",
	}, nil},

	{"fuzz targets", "there", map[string]string{"codec/ws/a.go": "package ws\n", "codec/ws/a_test.go": "package ws\n\nfunc FuzzX() {}\n"}, nil},
	{"fuzz targets", "not there", map[string]string{"codec/ws/a.go": "package ws\n", "codec/ws/a_test.go": "package ws\n\nfunc TestX() {}\n"},
		[]string{"codec/ws has none"}},
	{"fuzz targets", "one for each", map[string]string{"codec/http1/a.go": "package http1\n", "codec/ws/a_test.go": "package ws\n\nfunc FuzzX() {}\n"},
		[]string{"codec/http1 has none"}},
}

var textSamples = []sample{
	{"open ends", "with an issue", one("a.go", "package a\n\n// TODO(#12): more.\n"), nil},
	{"open ends", "a word inside a word", one("a.go", "package a\n\n// HACKER and XXXL.\n"), nil},
	{"open ends", "each word", one("a.go", "package a\n\n// TODO: x\n/* FIXME */\nvar a = 1 // XXX\n// HACK TODO(me)\n"),
		[]string{"a.go:3: TODO", "a.go:4: FIXME", "a.go:5: XXX", "a.go:6: HACK", "a.go:6: TODO"}},
	{"open ends", "only that word takes an issue", one("a.go", "package a\n\n// HACK(#1)\n"), []string{"a.go:3: HACK(#1)"}},
	{"open ends", "scripts", map[string]string{"Makefile": "# TODO x\n", ".ci/run": "# FIXME\n", "s.sh": "# XXX\n"},
		[]string{".ci/run: FIXME", "Makefile: TODO", "s.sh: XXX"}},
	{"open ends", "a string is data", one("a.go", "package a\n\nvar a = \"XXX\"\n"), nil},

	{"gofmt", "clean", one("a.go", "package a\n\nvar a = 1\n"), nil},
	{"gofmt", "spaces", one("a.go", "package a\nvar  a = 1\n"), []string{"a.go"}},

	{"places", "none", one("a.md", "GET /workers and /rooted, ./wor"+"k/x, a/roo"+"t/b\n"), nil},
	{"places", "a folder here", one("a.md", "one\nsee `/wor"+"k/shared/x`\n"), []string{"a.md:2: /wor" + "k/shared/x"}},
	{"places", "a home", map[string]string{"a.go": "package a\n\nvar a = \"/roo" + "t\"\n", "b.sh": "x=/roo" + "t/go\n"},
		[]string{"a.go:3: /roo" + "t", "b.sh:1: /roo" + "t/go"}},
	{"places", "a registry", one(".ci/run", "curl https://registry.npm"+"js.org/x\nGOPROXY=https://proxy.gol"+"ang.org\n"),
		[]string{".ci/run:1: registry", ".ci/run:2: proxy"}},
	{"places", "binaries are not read", one("a.bin", "\x00 /wor"+"k/x"), nil},
}

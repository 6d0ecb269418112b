package engine

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/internal/invariant"
)

var rewrite = flag.Bool("rewrite", false, "write what the golden traces should say")

// A golden trace is a text file with, in this order,
//
//	# what it shows
//	recv "GET / HTTP/1.1\r\n"    bytes that the engine receives, as a Go string
//	recv hex 81 80 00 00 00 00   or in hex
//	eof                          the peer's FIN, if it sends one
//	reason HTTP "/"              a callback and its in
//	sent "HTTP/1.1 200 OK\r\n"   bytes that the engine sends, with Date masked
//	end fin                      how the connection ended: fin or reset
//
// Pieces of a stream are one reason, however they came.
type golden struct {
	about string
	recv  []string // as written
	input []byte
	eof   bool
	want  outcome
}

// outcome is what must not depend on how the input was cut.
type outcome struct {
	reasons []string
	sent    []byte
	end     string
}

func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) < 20 {
		t.Fatalf("only %d traces", len(files))
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			g := readGolden(t, name)
			if *rewrite {
				g.want = g.replay(t, plain, g.input)
				if err := os.WriteFile(name, g.text(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			overBoth(t, func(t *testing.T, over transport) {
				step := goldenStep * (1 + len(g.input)/1000)
				if over == overTLS {
					step *= 4 * tlsShare
				}
				g.check(t, over, "whole", g.input)
				for i := 1; i < len(g.input); i += step {
					g.check(t, over, fmt.Sprintf("cut at %d", i), g.input[:i], g.input[i:])
				}
				g.check(t, over, "byte by byte", bytes.SplitAfter(g.input, nil)...)
			})
		})
	}
}

func readGolden(t *testing.T, name string) *golden {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		if err := g.line(word, rest); err != nil {
			t.Fatalf("%s:%d: %v", name, i+1, err)
		}
	}
	return g
}

func (g *golden) line(word, rest string) (err error) {
	switch word {
	case "#":
		g.about += "# " + rest + "\n"
	case "recv":
		g.recv = append(g.recv, rest)
		var b []byte
		if digits, ok := strings.CutPrefix(rest, "hex "); ok {
			b, err = hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		} else {
			var s string
			s, err = strconv.Unquote(rest)
			b = []byte(s)
		}
		g.input = append(g.input, b...)
	case "eof":
		g.eof = true
	case "reason":
		g.want.reasons = append(g.want.reasons, rest)
	case "sent":
		s, err := strconv.Unquote(rest)
		g.want.sent = append(g.want.sent, s...)
		return err
	case "end":
		g.want.end = rest
	default:
		return fmt.Errorf("what is %q", word)
	}
	return err
}

// text is the file.
func (g *golden) text() []byte {
	var b bytes.Buffer
	b.WriteString(g.about)
	for _, r := range g.recv {
		fmt.Fprintf(&b, "recv %s\n", r)
	}
	if g.eof {
		b.WriteString("eof\n")
	}
	for _, r := range g.want.reasons {
		fmt.Fprintf(&b, "reason %s\n", r)
	}
	for line := range bytes.Lines(g.want.sent) {
		fmt.Fprintf(&b, "sent %q\n", line)
	}
	fmt.Fprintf(&b, "end %s\n", g.want.end)
	return b.Bytes()
}

func (g *golden) check(t *testing.T, over transport, how string, pieces ...[]byte) {
	t.Helper()
	got := g.replay(t, over, pieces...)
	if !bytes.Equal(got.sent, g.want.sent) {
		t.Errorf("%s: sent\n%q\nwant\n%q", how, got.sent, g.want.sent)
	}
	if a, b := strings.Join(got.reasons, "\n"), strings.Join(g.want.reasons, "\n"); a != b || got.end != g.want.end {
		t.Errorf("%s: reasons\n%s\nend %s, want\n%s\nend %s", how, a, got.end, b, g.want.end)
	}
	if t.Failed() {
		t.FailNow()
	}
}

var dates = regexp.MustCompile(`Date: [^\r]*`)

// replay sends the pieces one after the other and notes what happens.
func (g *golden) replay(t *testing.T, over transport, pieces ...[]byte) (got outcome) {
	t.Helper()
	notes := &notes{}
	var ops []op
	for _, piece := range pieces {
		ops = append(ops, sendNow(string(piece)))
	}
	if g.eof {
		ops = append(ops, closeWrite())
	}
	p := script{program: notes.wrap(goldenProgram), limits: Limits{Body: 1000, Message: 1000}, ops: append(ops, ended())}.play(t, over)
	got.end = "fin"
	if p.end.Broken() {
		got.end = "reset"
	}
	got.reasons = notes.lines()
	got.sent = dates.ReplaceAll(p.got, []byte("Date: -"))
	return got
}

// notes are the reasons of one session.
type notes struct {
	why []callbacks.Reason
	in  [][]byte
}

func (n *notes) wrap(next callbacks.Callback) callbacks.Callback {
	return func(s callbacks.Session, why callbacks.Reason, in []byte) error {
		last := len(n.why) - 1
		if why == callbacks.HTTPBody && last >= 0 && n.why[last] == why {
			n.in[last] = append(n.in[last], in...)
		} else {
			n.why, n.in = append(n.why, why), append(n.in, bytes.Clone(in))
		}
		return next(s, why, in)
	}
}

func (n *notes) lines() (out []string) {
	for i, why := range n.why {
		line := why.String()
		if len(n.in[i]) > 0 {
			line += " " + strconv.Quote(string(n.in[i]))
		}
		out = append(out, line)
	}
	return out
}

// goldenProgram is what the traces talk to.
func goldenProgram(s callbacks.Session, why callbacks.Reason, in []byte) error {
	switch why {
	case callbacks.HTTPBindProtocol:
		s.SetUserData(new([]byte))
	case callbacks.HTTP:
		return goldenRequest(s, string(in))
	case callbacks.HTTPBody:
		form := s.UserData().(*[]byte)
		*form = append(*form, in...)
	case callbacks.HTTPBodyCompletion:
		if !s.Answered() {
			return s.Respond(200, "text/html", fmt.Appendf(nil, "<p>posted: %s</p>", *s.UserData().(*[]byte)))
		}
	case callbacks.Timer:
		if string(s.Request().Path()) == "/later" {
			return s.Proceed()
		}
		return s.Respond(200, "text/plain", []byte("held\n"))
	case callbacks.HTTPConfirmUpgrade, callbacks.FilterProtocolConnection:
		return goldenUpgrade(s, why, string(s.Request().Path()))
	case callbacks.Receive:
		if string(in) == "close me" {
			return s.Close(4000, "done")
		}
		return s.Write(in, s.Kind())
	}
	return nil
}

func goldenUpgrade(s callbacks.Session, why callbacks.Reason, path string) error {
	switch {
	case why == callbacks.HTTPConfirmUpgrade && path == "/choose":
		return s.SelectProtocol("echo")
	case why == callbacks.FilterProtocolConnection && path == "/challenge":
		_ = s.AddHeader("WWW-Authenticate", `Basic realm="trace"`)
		return s.Respond(401, "text/html", []byte("<p>who are you?</p>"))
	case why == callbacks.FilterProtocolConnection && (path == "/later" || path == "/never"):
		s.Hold()
		s.SetTimer(time.Second)
	}
	return nil
}

func goldenRequest(s callbacks.Session, path string) error {
	switch path {
	case "/":
		return s.Respond(200, "text/plain", []byte("hello\n"))
	case "/held":
		s.Hold()
		s.SetTimer(time.Second)
	case "/stream":
		_ = s.StartResponse(200, "text/plain", -1)
		_ = s.Write([]byte("one "), callbacks.WriteHTTP)
		return s.Write([]byte("two\n"), callbacks.WriteHTTPFinal)
	case "/raw":
		_ = s.Write([]byte("HTTP/1.1 200 Fine\r\nX-Mine: yes\r\nContent-Le"), callbacks.WriteHTTP)
		return s.Write([]byte("ngth: 3\r\n\r\nraw"), callbacks.WriteHTTP)
	case "/teapot":
		return http1.NewError(418, "short and stout")
	case "/panic":
		panic("as the trace wants")
	}
	return nil
}

// goldenStep is 1 to cut everywhere; slower builds take every seventh offset.
var goldenStep = map[bool]int{false: 1, true: 7}[invariant.Enabled || simCount < 240]

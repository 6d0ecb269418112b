package http1

import (
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
)

// outcome is what a body came to.
type outcome struct {
	data    string
	trailer string
	used    int // bytes of the input that were the body's
	done    bool
	err     error
}

// drain reads in as a body in pieces of the sizes that size returns, the way an
// engine does, and checks the rules of Next on the way.
func drain(t testing.TB, f Framing, lim *Limits, in string, size func() int) outcome {
	t.Helper()
	var b Body
	var o outcome
	b.Start(f, lim)
	data := new(strings.Builder)
	for at := 0; ; {
		p := []byte(in[at:min(at+size(), len(in))])
		at += len(p)
		for first := true; (first || len(p) > 0) && !o.done; first = false {
			n, piece, done, err := b.Next(p)
			checkNext(t, p, n, piece, done, err)
			data.Write(piece)
			o.used, o.done, o.err = o.used+n, done, err
			if err != nil {
				_, _, _, again := b.Next(nil)
				equal(t, "error of a second call", again, err)
				o.data = data.String()
				return o
			}
			p = p[n:]
		}
		if o.done || at == len(in) {
			break
		}
	}
	o.data = data.String()
	if h := b.Trailer(); h != nil {
		o.trailer = describeHeader(h)
	}
	return o
}

// checkNext holds Next to its contract.
func checkNext(t testing.TB, p []byte, n int, data []byte, done bool, err error) {
	t.Helper()
	switch {
	case n < 0 || n > len(p):
		t.Fatalf("Next took %d of %d bytes", n, len(p))
	case len(data) > n:
		t.Fatalf("%d bytes of data from %d", len(data), n)
	case err != nil && (n != 0 || data != nil || done):
		t.Fatalf("error %v beside n %d, data %q, done %v", err, n, data, done)
	case err == nil && !done && n == 0 && len(p) > 0:
		t.Fatalf("no progress on %q", p)
	case len(data) > 0 && !bytes.Contains(p[:n], data):
		t.Fatalf("data %q is not from %q", data, p[:n])
	}
}

func whole() func() int       { return func() int { return 1 << 30 } }
func pieces(n int) func() int { return func() int { return n } }

// cutAt is one piece of n bytes and then the rest.
func cutAt(n int) func() int {
	return func() int { m := n; n = 1 << 30; return m }
}

// everyWay drains in whole, byte by byte and cut at every offset, and demands
// the same outcome.
func everyWay(t *testing.T, f Framing, lim *Limits, in string) outcome {
	t.Helper()
	want := drain(t, f, lim, in, whole())
	compare := func(got outcome, how string, n int) {
		t.Helper()
		if got.err != nil {
			got.used = want.used // data in front of an error may come in other pieces
		}
		if got != want {
			t.Fatalf("%s %d: got %+v, want %+v", how, n, got, want)
		}
	}
	for n := 1; n < 4; n++ {
		compare(drain(t, f, lim, in, pieces(n)), "pieces of", n)
	}
	for n := range len(in) {
		compare(drain(t, f, lim, in, cutAt(n)), "cut at", n)
	}
	return want
}

func TestBodyOfKnownLength(t *testing.T) {
	got := everyWay(t, Framing{ContentLength, 5}, nil, "helloGET /next")
	equal(t, "outcome", got, outcome{data: "hello", used: 5, done: true})
	got = everyWay(t, Framing{ContentLength, 5}, nil, "hell")
	equal(t, "outcome", got, outcome{data: "hell", used: 4})
}

func TestEmptyBodiesAreDoneAtOnce(t *testing.T) {
	for _, f := range []Framing{{}, {ContentLength, 0}} {
		got := drain(t, f, nil, "GET /next", whole())
		equal(t, "outcome", got, outcome{done: true})
	}
	var zero Body
	if n, data, done, err := zero.Next([]byte("x")); n != 0 || data != nil || !done || err != nil {
		t.Error("the zero Body is not done:", n, data, done, err)
	}
	equal(t, "EOF of the zero Body", zero.EOF(), nil)
}

// TestDataCannotBeAppendedTo: what follows the body is somebody else's.
func TestDataCannotBeAppendedTo(t *testing.T) {
	for in, f := range map[string]Framing{
		"helloGET /":                   {ContentLength, 5},
		"5\r\nhello\r\n0\r\n\r\nGET /": {Kind: Chunked},
	} {
		p := []byte(in)
		var b Body
		b.Start(f, nil)
		_, data, _, err := b.Next(p)
		if string(data) != "hello" || err != nil {
			t.Fatal(data, err)
		}
		_ = append(data, '!')
		equal(t, "input", string(p), in)
	}
}

func TestBodyUntilClose(t *testing.T) {
	got := everyWay(t, Framing{Kind: UntilClose}, nil, "all of it")
	equal(t, "outcome", got, outcome{data: "all of it", used: 9})
}

// TestBodyEOF has RFC 9112 8: what closing means for each framing.
func TestBodyEOF(t *testing.T) {
	for _, c := range []struct {
		name string
		f    Framing
		in   string
		want error
	}{
		{"no body", Framing{}, "", nil},
		{"length, complete", Framing{ContentLength, 2}, "ab", nil},
		{"length, short", Framing{ContentLength, 2}, "a", ErrUnexpectedEOF},
		{"length, nothing", Framing{ContentLength, 2}, "", ErrUnexpectedEOF},
		{"chunked, complete", Framing{Kind: Chunked}, "1\r\na\r\n0\r\n\r\n", nil},
		{"chunked, without the last chunk", Framing{Kind: Chunked}, "1\r\na\r\n", ErrUnexpectedEOF},
		{"chunked, without the last line", Framing{Kind: Chunked}, "1\r\na\r\n0\r\n", ErrUnexpectedEOF},
		{"chunked, inside the trailers", Framing{Kind: Chunked}, "0\r\nX: y\r\n", ErrUnexpectedEOF},
		{"chunked, after an error", Framing{Kind: Chunked}, "x", ErrChunk},
		{"until close", Framing{Kind: UntilClose}, "abc", nil},
		{"until close, nothing", Framing{Kind: UntilClose}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b Body
			b.Start(c.f, nil)
			for p := []byte(c.in); len(p) > 0; {
				n, _, _, err := b.Next(p)
				if err != nil {
					break
				}
				p = p[n:]
			}
			equal(t, "EOF", b.EOF(), c.want)
		})
	}
	if !ErrUnexpectedEOF.Remote || errors.Is(ErrUnexpectedEOF, io.EOF) {
		t.Error("ErrUnexpectedEOF must blame the peer and not look like a clean end")
	}
}

func TestBodyIsStartedAgain(t *testing.T) {
	var b Body
	b.Start(Framing{Kind: Chunked}, nil)
	if _, _, _, err := b.Next([]byte("zz")); err == nil {
		t.Fatal("accepted")
	}
	b.Start(Framing{ContentLength, 1}, nil)
	if n, data, done, err := b.Next([]byte("ab")); n != 1 || string(data) != "a" || !done || err != nil {
		t.Error(n, data, done, err)
	}
	equal(t, "trailer", b.Trailer(), nil)
}

// TestChunksOfOthersAreRead takes what net/http's own writer makes.
func TestChunksOfOthersAreRead(t *testing.T) {
	var wire bytes.Buffer
	w := httputil.NewChunkedWriter(&wire)
	want := ""
	for _, n := range []int{1, 15, 16, 17, 255, 4096} {
		s := strings.Repeat("x", n)
		want += s
		io.WriteString(w, s)
	}
	w.Close()
	wire.WriteString("\r\n") // NewChunkedWriter leaves the trailers to its caller
	got := drain(t, Framing{Kind: Chunked}, nil, wire.String(), pieces(7))
	equal(t, "outcome", got, outcome{data: want, used: wire.Len(), done: true})
}

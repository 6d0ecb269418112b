package http1

import (
	"fmt"
	"strings"
	"testing"
)

// goodChunks are chunked bodies that must be read, named by the rule of RFC 9112.
var goodChunks = []struct{ name, in, data, trailer string }{
	{"7.1 empty", "0\r\n\r\n", "", ""},
	{"7.1 one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello", ""},
	{"7.1 two chunks", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", ""},
	{"7.1 size in both cases", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a", ""},
	{"7.1 leading zeros", "0000000000000002\r\nab\r\n000\r\n\r\n", "ab", ""},
	{"7.1 data that looks like chunks", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n", ""},
	{"7.1.1 extension", "1;a\r\nx\r\n0\r\n\r\n", "x", ""},
	{"7.1.1 extension with value", "1;a=b\r\nx\r\n0;c=d\r\n\r\n", "x", ""},
	{"7.1.1 extension with quoted value", "1;a=\"b;\\\"\\\\\t \xe9\"\r\nx\r\n0\r\n\r\n", "x", ""},
	{"7.1.1 empty quoted value", "1;a=\"\"\r\nx\r\n0\r\n\r\n", "x", ""},
	{"7.1.1 several", "1;a;b=c;d=\"e\";f\r\nx\r\n0\r\n\r\n", "x", ""},
	{"7.1.1 bad white space", "1 ;\ta = \"b\" ; c\t=\td ;e\r\nx\r\n0\r\n\r\n", "x", ""},
	{"7.1.2 trailer", "0\r\nX-Sum: 1\r\n\r\n", "", "[X-Sum=1]"},
	{"7.1.2 trailers", "1\r\nx\r\n0\r\nA: 1\r\nB:\t2 \r\nA:\r\n\r\n", "x", "[A=1][B=2][A=]"},
}

func TestGoodChunksAreRead(t *testing.T) {
	for _, c := range goodChunks {
		t.Run(c.name, func(t *testing.T) {
			got := everyWay(t, Framing{Kind: Chunked}, nil, c.in+"GET /")
			equal(t, "outcome", got, outcome{data: c.data, trailer: c.trailer, used: len(c.in), done: true})
			for cut := range len(c.in) {
				part := drain(t, Framing{Kind: Chunked}, nil, c.in[:cut], whole())
				if part.done || part.err != nil || part.used != cut || !strings.HasPrefix(c.data, part.data) {
					t.Fatalf("after %q: %+v", c.in[:cut], part)
				}
			}
		})
	}
}

// badChunks are bodies that must be refused, after handing out data.
var badChunks = []struct {
	name, in, data string
	want           *Error
}{
	{"7.1 no size", "\r\n", "", ErrChunk},
	{"7.1 size that is not hex", "g\r\n", "", ErrChunk},
	{"7.1 size with 0x", "0x5\r\nhello\r\n", "", ErrChunk},
	{"7.1 plus", "+5\r\nhello\r\n", "", ErrChunk},
	{"7.1 minus", "-5\r\nhello\r\n", "", ErrChunk},
	{"7.1 space before the size", " 5\r\nhello\r\n", "", ErrChunk},
	{"7.1 underscore", "1_0\r\n", "", ErrChunk},
	{"7.1 size over int64", "8000000000000000\r\n", "", ErrChunk},
	{"7.1 size over uint64", "10000000000000000\r\n", "", ErrChunk},
	{"7.1 17 digits", "00000000000000001\r\n", "", ErrChunk},
	{"7.1 bare LF behind the size", "5\nhello\r\n", "", ErrChunk},
	{"7.1 bare CR behind the size", "5\rhello\r\n", "", ErrChunk},
	{"7.1 two CRs", "5\r\r\nhello\r\n", "", ErrChunk},
	{"7.1 NUL behind the size", "5\x00\r\nhello\r\n", "", ErrChunk},
	{"7.1 data longer than its size", "5\r\nhello!\r\n", "hello", ErrChunk},
	{"7.1 bare LF behind the data", "5\r\nhello\n0\r\n\r\n", "hello", ErrChunk},
	{"7.1 CR and something behind the data", "5\r\nhello\rx", "hello", ErrChunk},
	{"7.1 no CRLF behind the data", "5\r\nhello0\r\n\r\n", "hello", ErrChunk},
	{"7.1 bare LF at the end", "0\r\n\n", "", ErrBareLF},
	{"7.1 bare CR at the end", "0\r\n\rx", "", ErrChunk},
	{"7.1.1 space and no extension", "5 \r\nhello\r\n", "", ErrChunk},
	{"7.1.1 words without semicolon", "5 hello\r\n", "", ErrChunk},
	{"7.1.1 no name", "5;\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 no name but a value", "5;=x\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 two semicolons", "5;;a\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 no value", "5;a=\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 no value before the next", "5;a=;b\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 white space at the end", "5;a \r\nhello\r\n", "", ErrChunk},
	{"7.1.1 white space behind the value", "5;a=b \r\nhello\r\n", "", ErrChunk},
	{"7.1.1 two words for a name", "5;a b\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 two words for a value", "5;a=b c\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 name that is no token", "5;a(\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 value that is no token", "5;a=b(\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 bare LF in an extension", "5;a\nhello\r\n", "", ErrChunk},
	{"7.1.1 bare LF behind a value", "5;a=b\nhello\r\n", "", ErrChunk},
	{"7.1.1 quoted string over the line", "5;a=\"b\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 control in a quoted string", "5;a=\"\x00\"\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 line end in a quoted pair", "5;a=\"\\\r\nhello\r\n", "", ErrChunk},
	{"7.1.1 text behind a quoted string", "5;a=\"b\"c\r\nhello\r\n", "", ErrChunk},
	{"7.1.2 trailer without colon", "0\r\nfoo\r\n\r\n", "", ErrFieldName},
	{"7.1.2 space before the colon", "0\r\nfoo : x\r\n\r\n", "", ErrFieldName},
	{"7.1.2 folded", "0\r\nX: a\r\n b\r\n\r\n", "", ErrFold},
	{"7.1.2 bare LF", "0\r\nX: a\n\r\n", "", ErrBareLF},
	{"7.1.2 bare CR", "0\r\nX: a\rb\r\n\r\n", "", ErrBareCR},
	{"7.1.2 control character", "0\r\nX: a\x00\r\n\r\n", "", ErrControl},
	{"7.1.2 the next request", "0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "", ErrFieldName},
	{"6.5.1 Content-Length", "0\r\nContent-Length: 5\r\n\r\n", "", ErrTrailer},
	{"6.5.1 Transfer-Encoding in any case", "0\r\ntransfer-encoding: chunked\r\n\r\n", "", ErrTrailer},
	{"6.5.1 Host", "0\r\nA: b\r\nHOST: x\r\n\r\n", "", ErrTrailer},
	{"6.5.1 Authorization", "0\r\nAuthorization: x\r\n\r\n", "", ErrTrailer},
	{"6.5.1 Set-Cookie", "0\r\nSet-Cookie: x\r\n\r\n", "", ErrTrailer},
	{"6.5.1 Content-Type", "0\r\nContent-Type: x\r\n\r\n", "", ErrTrailer},
	{"6.5.1 Cache-Control", "0\r\nCache-Control: x\r\n\r\n", "", ErrTrailer},
}

func TestBadChunksAreRefused(t *testing.T) {
	for _, c := range badChunks {
		t.Run(c.name, func(t *testing.T) {
			got := everyWay(t, Framing{Kind: Chunked}, nil, c.in)
			equal(t, "error", got.err, error(c.want))
			equal(t, "data before it", got.data, c.data)
		})
	}
}

func TestEveryForbiddenTrailerIsRefused(t *testing.T) {
	for _, name := range forbiddenTrailers {
		got := drain(t, Framing{Kind: Chunked}, nil, "0\r\n"+strings.ToUpper(name)+": x\r\n\r\n", whole())
		equal(t, name, got.err, error(ErrTrailer))
		equal(t, name+" may be sent", ValidTrailer(strings.ToLower(name)), false)
	}
	for name, want := range map[string]bool{"X-Sum": true, "Content-MD5": true, "": false, "a b": false, "X:": false} {
		equal(t, name+" may be sent", ValidTrailer(name), want)
	}
}

// TestHugeChunkIsDataAtOnce: the largest size there is does not overflow anything.
func TestHugeChunkIsDataAtOnce(t *testing.T) {
	got := everyWay(t, Framing{Kind: Chunked}, nil, "7fffffffffffffff\r\nabc")
	equal(t, "outcome", got, outcome{data: "abc", used: 21})
}

// TestOnePieceAndTheEndInOneCall: the last data and the end of the body arrive
// together, so that nobody has to ask for the end alone.
func TestOnePieceAndTheEndInOneCall(t *testing.T) {
	var b Body
	b.Start(Framing{Kind: Chunked}, nil)
	n, data, done, err := b.Next([]byte("2\r\nab\r\n0\r\n\r\nrest"))
	if n != 12 || string(data) != "ab" || !done || err != nil {
		t.Errorf("%d, %q, %v, %v", n, data, done, err)
	}
}

// TestChunkOverhead has the rule in the comment on Body.
func TestChunkOverhead(t *testing.T) {
	ext := func(n int) string { return ";" + strings.Repeat("x", n-1) } // n bytes of extension
	for _, c := range []struct {
		name, in string
		lim      *Limits
		want     error
	}{
		{"one byte per chunk, for ever", strings.Repeat("1\r\nx\r\n", 100000), nil, nil},
		{"16 bytes a chunk are earned", strings.Repeat("1"+ext(12)+"\r\nx\r\n", 1000), nil, nil},
		{"but extensions add up", strings.Repeat("1"+ext(12)+"\r\nx\r\n", 2000), nil, ErrChunkOverhead},
		{"padding is not earned", strings.Repeat("1"+ext(100)+"\r\nx\r\n", 200), nil, ErrChunkOverhead},
		{"18 bytes for one of data are just earned", strings.Repeat("00000000000001\r\nx\r\n", 50000), nil, nil},
		{"19 are not", strings.Repeat("000000000000001\r\nx\r\n", 50000), nil, ErrChunkOverhead},
		{"zeros are padding", strings.Repeat("0000000000000001\r\nx\r\n", 10000), nil, ErrChunkOverhead},
		{"an endless extension", "1" + ext(20000), nil, ErrChunkOverhead},
		{"an endless quoted string", "1;a=\"" + strings.Repeat("x", 20000), nil, ErrChunkOverhead},
		{"a long extension in the limit", "1" + ext(16000) + "\r\nx\r\n", nil, nil},
		{"an own limit, kept", "1" + ext(90) + "\r\nx\r\n", &Limits{ChunkExtension: 100}, nil},
		{"an own limit, broken", "1" + ext(110) + "\r\nx\r\n", &Limits{ChunkExtension: 100}, ErrChunkOverhead},
		{
			"data does not pay for later padding",
			"fffff\r\n" + strings.Repeat("x", 0xfffff) + "\r\n" + strings.Repeat("0000000000000001\r\nx\r\n", 10000), nil, ErrChunkOverhead,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{1 << 30, 1000} {
				got := drain(t, Framing{Kind: Chunked}, c.lim, c.in, pieces(size))
				equal(t, "error", got.err, c.want)
			}
		})
	}
}

func TestTrailerLimits(t *testing.T) {
	section := func(n int) string { // a trailer section of n bytes
		return "X: " + strings.Repeat("x", n-7) + "\r\n\r\n"
	}
	many := strings.Repeat("A: b\r\n", 101)
	for _, c := range []struct {
		name, in string
		lim      *Limits
		want     error
	}{
		{"at the default", section(8192), nil, nil},
		{"over the default", section(8193), nil, ErrTrailerTooLarge},
		{"at the limit", section(50), &Limits{Trailer: 50}, nil},
		{"over the limit", section(51), &Limits{Trailer: 50}, ErrTrailerTooLarge},
		{"without an end", strings.Repeat("x", 20000), nil, ErrTrailerTooLarge},
		{"too many", many, nil, ErrTrailerTooLarge},
		{"fields over the limit", "A: b\r\nC: d\r\n\r\n", &Limits{Fields: 1}, ErrTrailerTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{1 << 30, 1, 7} {
				got := drain(t, Framing{Kind: Chunked}, c.lim, "0\r\n"+c.in, pieces(size))
				equal(t, "error", got.err, c.want)
				equal(t, "done", got.done, c.want == nil)
			}
		})
	}
}

// TestBadTrailerIsRefusedWithoutALine: like a bad field name in a head.
func TestBadTrailerIsRefusedWithoutALine(t *testing.T) {
	for in, want := range map[string]error{
		"F(": ErrFieldName, " ": ErrFold, "Foo ": ErrFieldName, "X: \x00": ErrControl, "Foo": nil, "X: y": nil,
	} {
		got := everyWay(t, Framing{Kind: Chunked}, nil, "0\r\n"+in)
		equal(t, in, got.err, want)
	}
}

// TestTrailersAreNotLent: they must outlive the input.
func TestTrailersAreNotLent(t *testing.T) {
	in := []byte("0\r\nX-Sum: 1234\r\n\r\n")
	var b Body
	b.Start(Framing{Kind: Chunked}, nil)
	if b.Trailer() != nil {
		t.Error("trailers before the body")
	}
	if _, _, done, err := b.Next(in); !done || err != nil {
		t.Fatal(done, err)
	}
	clear(in)
	value, _ := b.Trailer().Get("x-sum")
	equal(t, "trailer", string(value), "1234")
	kept := b.Trailer()
	b.Start(Framing{Kind: Chunked}, nil)
	equal(t, "trailer after the next Start", describeHeader(kept), "[X-Sum=1234]")
}

// TestTrailersShowOnlyWhenComplete: half a section is not for reading.
func TestTrailersShowOnlyWhenComplete(t *testing.T) {
	var b Body
	b.Start(Framing{Kind: Chunked}, nil)
	in := "0\r\nX: y\r\n\r\n"
	for i := range len(in) {
		if b.Trailer() != nil {
			t.Fatalf("trailers after %q", in[:i])
		}
		if _, _, _, err := b.Next([]byte(in[i : i+1])); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "fields", fmt.Sprint(b.Trailer().Len()), "1")
}

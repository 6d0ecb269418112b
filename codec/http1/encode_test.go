package http1

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAppendStatusLine(t *testing.T) {
	for status, want := range map[int]string{
		101: "HTTP/1.1 101 Switching Protocols\r\n",
		200: "HTTP/1.1 200 OK\r\n",
		206: "HTTP/1.1 206 Partial Content\r\n",
		431: "HTTP/1.1 431 Request Header Fields Too Large\r\n",
		299: "HTTP/1.1 299 \r\n",
		599: "HTTP/1.1 599 \r\n",
	} {
		got := AppendStatusLine([]byte("kept "), status)
		equal(t, "status line", string(got), "kept "+want)
		r := parseResponse(t, want+"\r\n")
		equal(t, "status read back", r.Status(), status)
		equal(t, "phrase read back", string(r.Phrase()), StatusText(status))
	}
}

// TestStatusTextAgreesWithNetHTTP, but for the phrases that RFC 9110 renamed and
// the code that net/http does not know.
func TestStatusTextAgreesWithNetHTTP(t *testing.T) {
	renamed := map[int]string{
		104: "Upload Resumption Supported",
		413: "Content Too Large",
		414: "URI Too Long",
		416: "Range Not Satisfiable",
		418: "", // (Unused) in the registry
		422: "Unprocessable Content",
	}
	for status := -1; status < 1100; status++ {
		want, ok := renamed[status]
		if !ok {
			want = http.StatusText(status)
		}
		equal(t, "phrase", StatusText(status), want)
	}
}

func TestAppendRequest(t *testing.T) {
	b := AppendRequestLine(nil, "POST", "/p?q")
	b = AppendField(b, "Host", "a")
	b = AppendFieldBytes(b, []byte("X"), []byte("y"))
	b = AppendContentLength(b, 3)
	b = AppendEnd(b)
	equal(t, "bytes", string(b), "POST /p?q HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 3\r\n\r\n")
	r := parse(t, string(b))
	equal(t, "fields", describeHeader(r.Header()), "[Host=a][X=y][Content-Length=3]")
	equal(t, "framing", r.Framing(), Framing{ContentLength, 3})
}

func TestAppendChunks(t *testing.T) {
	b := AppendChunk(nil, []byte("hello"))
	b = AppendChunk(b, nil)
	b = AppendChunk(b, []byte{})
	b = AppendChunk(b, []byte(strings.Repeat("x", 27)))
	b = append(AppendChunkSize(b, 255), strings.Repeat("y", 255)+"\r\n"...)
	wire := "5\r\nhello\r\n1b\r\n" + strings.Repeat("x", 27) + "\r\nff\r\n" + strings.Repeat("y", 255) + "\r\n"
	data := "hello" + strings.Repeat("x", 27) + strings.Repeat("y", 255)

	plain := string(AppendLastChunk(b))
	equal(t, "wire", plain, wire+"0\r\n\r\n")
	got := drain(t, Framing{Kind: Chunked}, nil, plain, pieces(10))
	equal(t, "read back", got, outcome{data: data, used: len(plain), done: true})

	trailed := string(AppendTrailer(b, Field{"X-Sum", "1"}, Field{"Y", ""}))
	equal(t, "wire with trailers", trailed, wire+"0\r\nX-Sum: 1\r\nY: \r\n\r\n")
	got = drain(t, Framing{Kind: Chunked}, nil, trailed, pieces(10))
	equal(t, "read back", got, outcome{data: data, trailer: "[X-Sum=1][Y=]", used: len(trailed), done: true})

	equal(t, "no trailers", string(AppendTrailer(nil)), "0\r\n\r\n")
}

// TestValidNameAndValue has RFC 9110 5.6.2 and 5.5.
func TestValidNameAndValue(t *testing.T) {
	for name, want := range map[string]bool{
		"X-A": true, "a": true, "!#$%&'*+-.^_`|~09": true,
		"": false, "X A": false, "X:": false, "X\r\n": false, "caf\xc3\xa9": false, "a\x00": false, "(": false,
	} {
		equal(t, "ValidName "+name, ValidName(name), want)
	}
	for value, want := range map[string]bool{
		"": true, "a b": true, "a\tb": true, "caf\xc3\xa9": true, "\xff": true,
		"a\rb": false, "a\nb": false, "a\r\nSet-Cookie: x": false, "\x00": false, "\x7f": false, "\x1b": false,
	} {
		equal(t, "ValidValue "+value, ValidValue(value), want)
	}
}

// TestValidFieldsAreReadBack: what passes the checks comes out as it went in.
func TestValidFieldsAreReadBack(t *testing.T) {
	for c := range 256 {
		name, value := "x"+string([]byte{byte(c)}), "x"+string([]byte{byte(c)})+"x"
		_, err := ParseResponse(AppendEnd(AppendField(AppendStatusLine(nil, 200), name, "v")), new(Response), nil)
		equal(t, "name "+name, err == nil || c == ':', ValidName(name) || c == ':')
		_, err = ParseResponse(AppendEnd(AppendField(AppendStatusLine(nil, 200), "n", value)), new(Response), nil)
		equal(t, "value "+value, err == nil, ValidValue(value))
	}
}

func TestNewErrorIsOurs(t *testing.T) {
	err := NewError(413, "the album is full")
	equal(t, "text", err.Error(), "http1: the album is full")
	equal(t, "status", err.Status, 413)
	equal(t, "remote", err.Remote, false)
}

func TestAppendDate(t *testing.T) {
	when := time.Date(1994, 11, 6, 9, 49, 37, 999, time.FixedZone("CET", 3600))
	equal(t, "date", string(AppendDate([]byte("Date: "), when)), "Date: Sun, 06 Nov 1994 08:49:37 GMT")
}

// TestParseDate has the formats of RFC 9110 5.6.7.
func TestParseDate(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	rfc := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, c := range []struct {
		name, in string
		want     time.Time
		ok       bool
	}{
		{"IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT", rfc, true},
		{"RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", rfc, true},
		{"asctime", "Sun Nov  6 08:49:37 1994", rfc, true},
		{"two digits, soon", "Sunday, 06-Nov-30 08:49:37 GMT", rfc.AddDate(36, 0, 0), true},
		{"two digits, 50 years ahead", "Saturday, 31-Oct-76 08:49:37 GMT", time.Date(2076, 10, 31, 8, 49, 37, 0, time.UTC), true},
		{"two digits, more than 50 years ahead", "Saturday, 06-Nov-76 08:49:37 GMT", time.Date(1976, 11, 6, 8, 49, 37, 0, time.UTC), true},
		{"other zone", "Sun, 06 Nov 1994 08:49:37 CET", time.Time{}, false},
		{"numeric zone", "Sun, 06 Nov 1994 08:49:37 +0000", time.Time{}, false},
		{"no such day", "Sun, 31 Feb 1994 08:49:37 GMT", time.Time{}, false},
		{"empty", "", time.Time{}, false},
		{"seconds", "784111777", time.Time{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := parseDate(c.in, now)
			equal(t, "ok", ok, c.ok)
			if ok && !got.Equal(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	got, ok := ParseDate(string(AppendDate(nil, now)))
	if !ok || !got.Equal(now) {
		t.Errorf("read back as %v", got)
	}
}

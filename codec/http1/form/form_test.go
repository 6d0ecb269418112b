package form

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/codec/http1"
)

// request is the head of a POST with a Content-Type, and other lines.
func request(t testing.TB, contentType string, lines ...string) *http1.Request {
	t.Helper()
	head := "POST / HTTP/1.1\r\nHost: test\r\n"
	if contentType != "" {
		head += "Content-Type: " + contentType + "\r\n"
	}
	for _, l := range lines {
		head += l + "\r\n"
	}
	r := new(http1.Request)
	if n, err := http1.ParseRequest([]byte(head+"\r\n"), r, nil); n == 0 || err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	return r
}

// recorder notes what a form is about: fields in their order, files with their content
// and how they ended.
type recorder struct {
	events []string
	open   int // files
}

// receive feeds body in pieces of the sizes, the last of which repeats.
func receive(t testing.TB, req *http1.Request, lim *Limits, body string, sizes ...int) (*recorder, error) {
	t.Helper()
	r := new(recorder)
	f, err := New(req, lim, r.file)
	if err != nil {
		if f != nil {
			t.Error("a form beside an error")
		}
		return r, err
	}
	for len(body) > 0 && err == nil {
		n := min(max(sizes[0], 1), len(body))
		piece := []byte(body[:n])
		err = f.Write(piece)
		clear(piece) // it was lent
		body = body[n:]
		if len(sizes) > 1 {
			sizes = sizes[1:]
		}
	}
	if again := f.Close(); err == nil {
		err = again
	} else if again != err {
		t.Errorf("Close says %v after %v", again, err)
	}
	f.Abort()
	for name, value := range f.All() {
		r.events = append(r.events, fmt.Sprintf("%s=%q", name, value))
	}
	if r.open != 0 {
		t.Errorf("%d files are open", r.open)
	}
	return r, err
}

func (r *recorder) file(f *File) (io.WriteCloser, error) {
	r.open++
	return &sink{r: r, file: f}, nil
}

type sink struct {
	r    *recorder
	file *File
	text strings.Builder
}

func (s *sink) Write(p []byte) (int, error) { return s.text.Write(p) }

func (s *sink) Close() error { return s.CloseWithError(nil) }

func (s *sink) CloseWithError(err error) error {
	how := ""
	if err != nil {
		how = " cut"
	}
	s.r.open--
	s.r.events = append(s.r.events, fmt.Sprintf("%s<%s;%s>%q%s", s.file.Name, s.file.FileName, s.file.ContentType, s.text.String(), how))
	return nil
}

// everyWay wants the same of a body whole, byte by byte, and cut in two at every place.
func everyWay(t *testing.T, req *http1.Request, lim *Limits, body string, want []string, wantErr error) {
	t.Helper()
	try := func(sizes ...int) {
		t.Helper()
		r, err := receive(t, req, lim, body, sizes...)
		if !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
			t.Fatalf("cut by %d: error %v, want %v", sizes, err, wantErr)
		}
		if err == nil && !slices.Equal(r.events, want) {
			t.Fatalf("cut by %d:\n got %q\nwant %q", sizes, r.events, want)
		}
	}
	try(len(body))
	try(1)
	try(2)
	for i := range body {
		try(i, len(body))
	}
}

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		name, contentType string
		lines             []string
		want              error
	}{
		{"urlencoded", "application/x-www-form-urlencoded", nil, nil},
		{"in other letters and with a charset", "Application/X-WWW-Form-URLEncoded; charset=UTF-8", nil, nil},
		{"multipart", "multipart/form-data; boundary=x", nil, nil},
		{"a quoted boundary", `multipart/form-data; boundary="a b:c"`, nil, nil},
		{"a boundary of 70", "multipart/form-data; boundary=" + strings.Repeat("x", 70), nil, nil},
		{"identity", "application/x-www-form-urlencoded", []string{"Content-Encoding: identity"}, nil},
		{"no type", "", nil, ErrType},
		{"another type", "application/json", nil, ErrType},
		{"another multipart", "multipart/mixed; boundary=x", nil, ErrType},
		{"compressed", "application/x-www-form-urlencoded", []string{"Content-Encoding: gzip"}, ErrType},
		{"malformed", "multipart/form-data; boundary", nil, ErrContentType},
		{"two types", "application/x-www-form-urlencoded", []string{"Content-Type: multipart/form-data; boundary=x"}, ErrContentType},
		{"two boundaries", "multipart/form-data; boundary=x; boundary=y", nil, ErrContentType},
		{"no boundary", "multipart/form-data", nil, ErrContentType},
		{"an empty boundary", `multipart/form-data; boundary=""`, nil, ErrContentType},
		{"a boundary of 71", "multipart/form-data; boundary=" + strings.Repeat("x", 71), nil, ErrContentType},
		{"a space at its end", `multipart/form-data; boundary="x "`, nil, ErrContentType},
		{"an odd byte in it", `multipart/form-data; boundary="x*"`, nil, ErrContentType},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := New(request(t, c.contentType, c.lines...), nil, nil)
			if err != c.want || (f == nil) != (c.want != nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestURLEncoded(t *testing.T) {
	req := request(t, "application/x-www-form-urlencoded")
	for _, c := range []struct {
		name, body string
		want       []string
		err        error
	}{
		{"nothing", "", nil, nil},
		{"one", "a=b", []string{`a="b"`}, nil},
		{"in their order", "b=1&a=2&b=3", []string{`b="1"`, `a="2"`, `b="3"`}, nil},
		{"plus is space", "a+b=c+d", []string{`a b="c d"`}, nil},
		{"escapes", "%61=%C3%b6%26%3D%25%00", []string{`a="ö&=%\x00"`}, nil},
		{"an escaped plus", "a=%2B", []string{`a="+"`}, nil},
		{"no value", "a&b=", []string{`a=""`, `b=""`}, nil},
		{"no name", "=a", []string{`="a"`}, nil},
		{"the second sign is the value's", "a=b=c==", []string{`a="b=c=="`}, nil},
		{"empty pairs are none", "&&a=b&&", []string{`a="b"`}, nil},
		{"semicolons are text", "a=b;c=d", []string{`a="b;c=d"`}, nil},
		{"no hex", "a=%4g", nil, ErrEscape},
		{"no hex at all", "a=%&b=c", nil, ErrEscape},
		{"half an escape in the end", "a=b%4", nil, ErrEscape},
		{"an escape in a name", "%=b", nil, ErrEscape},
	} {
		t.Run(c.name, func(t *testing.T) { everyWay(t, req, nil, c.body, c.want, c.err) })
	}
}

// parts writes a body with the boundary x out of parts, which are "header\n\ncontent" with
// LF for CRLF in the header.
func parts(list ...string) string {
	var b strings.Builder
	for _, p := range list {
		header, content, _ := strings.Cut(p, "\n\n")
		b.WriteString("--x\r\n" + strings.ReplaceAll(header, "\n", "\r\n") + "\r\n\r\n" + content + "\r\n")
	}
	b.WriteString("--x--\r\n")
	return b.String()
}

func textPart(name, value string) string {
	return `Content-Disposition: form-data; name="` + name + `"` + "\n\n" + value
}

func filePart(name, fileName, content string) string {
	return `Content-Disposition: form-data; name="` + name + `"; filename="` + fileName + `"` + "\nContent-Type: text/plain\n\n" + content
}

func TestMultipart(t *testing.T) {
	req := request(t, "multipart/form-data; boundary=x")
	for _, c := range []struct {
		name, body string
		want       []string
		err        error
	}{
		{"no part", "--x--\r\n", nil, nil},
		{"no line end behind the last delimiter", "--x--", nil, nil},
		{"fields and files", parts(textPart("a", "1"), filePart("f", "n.txt", "hello"), textPart("b", "")), []string{`f<n.txt;text/plain>"hello"`, `a="1"`, `b=""`}, nil},
		{"an empty file", parts(filePart("f", "n", "")), []string{`f<n;text/plain>""`}, nil},
		{"no file chosen", parts(filePart("f", "", "")), []string{`f=""`}, nil},
		{"folders of the client's", parts(filePart("f", `C:\tmp\n.txt`, ""), filePart("f", "../../etc/passwd", ""), filePart("f", "a/", "")),
			[]string{`f<n.txt;text/plain>""`, `f<passwd;text/plain>""`, `f<a;text/plain>""`}, nil},
		{"a folder and nothing else", parts(filePart("f", "/", "")), []string{`f=""`}, nil},
		{"UTF-8 names", parts(textPart("grün", "ß")), []string{`grün="ß"`}, nil},
		{"names in other letters", parts("content-DISPOSITION: Form-Data; NAME=a\n\nb"), []string{`a="b"`}, nil},
		{"content like delimiters", parts(textPart("a", "\r\n--\r\n--y\r\n-\r-\r\r\n--")), []string{`a="\r\n--\r\n--y\r\n-\r-\r\r\n--"`}, nil},
		{"content that begins like one", parts(textPart("a", "--y")), []string{`a="--y"`}, nil},
		{"a boundary without its line", parts(textPart("a", "b--x--x")), []string{`a="b--x--x"`}, nil},
		{"a bare line feed is content", parts(textPart("a", "b\n--x\n")), []string{`a="b\n--x\n"`}, nil},
		{"no empty line for no content", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n--x--", []string{`a=""`}, nil},
		{"white space behind delimiters", "--x \t\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x-- \r\n", []string{`a="b"`}, nil},
		{"an epilogue", parts(textPart("a", "b")) + "bye\r\n--x\r\n", []string{`a="b"`}, nil},
		{"empty lines before", "\r\n\r\n" + parts(textPart("a", "b")), []string{`a="b"`}, nil},
		{"binary is no encoding", parts("Content-Transfer-Encoding: Binary\n" + textPart("a", "b")), []string{`a="b"`}, nil},

		{"no body", "", nil, ErrIncomplete},
		{"no delimiter", "hello", nil, ErrBoundary},
		{"a preamble", "hello\r\n" + parts(textPart("a", "b")), nil, ErrBoundary},
		{"half a delimiter before", "\r\n--\r\n" + parts(textPart("a", "b")), nil, ErrBoundary},
		{"a delimiter behind a bare line feed", "\n" + parts(textPart("a", "b")), nil, ErrBoundary},
		{"cut in content", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb", nil, ErrIncomplete},
		{"cut in a file", strings.TrimSuffix(parts(filePart("f", "n", "abc")), "--x--\r\n"), nil, ErrIncomplete},
		{"cut in a header", "--x\r\nContent-Disp", nil, ErrIncomplete},
		{"cut in the last delimiter", "--x-", nil, ErrIncomplete},
		{"cut behind it", "--x--\r", nil, ErrIncomplete},
		{"something behind the boundary", "--xy\r\n", nil, ErrBoundary},
		{"one dash behind it", "--x-\r\n", nil, ErrBoundary},
		{"dashes behind white space", "--x --\r\n", nil, ErrBoundary},
		{"a bare line feed behind it", "--x\n", nil, ErrBoundary},
		{"a bare carriage return", "--x\ra", nil, ErrBoundary},
		{"something behind the last delimiter", "--x--a", nil, ErrBoundary},
		{"a bare line feed there", "--x--\n", nil, ErrBoundary},
		{"a carriage return there", "--x--\r\r", nil, ErrBoundary},
		{"no header", "--x\r\n\r\nb\r\n--x--", nil, ErrHeader},
		{"no disposition", parts("Content-Type: text/plain\n\nb"), nil, ErrHeader},
		{"another disposition", parts("Content-Disposition: attachment; name=a\n\nb"), nil, ErrHeader},
		{"no name", parts("Content-Disposition: form-data\n\nb"), nil, ErrHeader},
		{"two names", parts("Content-Disposition: form-data; name=a; name=b\n\nb"), nil, ErrHeader},
		{"two dispositions", parts("Content-Disposition: form-data; name=a\n" + textPart("b", "")), nil, ErrHeader},
		{"two types", parts("Content-Type: text/plain\n" + filePart("b", "n", "")), nil, ErrHeader},
		{"two empty types", parts("Content-Type:\nContent-Type:\n" + textPart("b", "")), nil, ErrHeader},
		{"a folded line", parts("Content-Disposition: form-data;\n name=a\n\nb"), nil, ErrHeader},
		{"a space before the colon", parts("Content-Disposition : form-data; name=a\n\nb"), nil, ErrHeader},
		{"a line without a colon", parts("hello\n" + textPart("a", "b")), nil, ErrHeader},
		{"a control character", parts("X: \x01\n" + textPart("a", "b")), nil, ErrHeader},
		{"a bare line feed in a header", "--x\r\nContent-Disposition: form-data; name=a\n\r\nb\r\n--x--", nil, ErrHeader},
		{"a short line with a bare line feed", "--x\r\nContent-Disposition: form-data; name=a\r\na\nb\r\n--x--", nil, ErrHeader},
		{"quoted-printable", parts("Content-Transfer-Encoding: quoted-printable\n" + textPart("a", "b")), nil, ErrEncoding},
	} {
		t.Run(c.name, func(t *testing.T) { everyWay(t, req, nil, c.body, c.want, c.err) })
	}
}

func TestLimits(t *testing.T) {
	const urlencoded, multipart = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
	for _, c := range []struct {
		name, contentType string
		lim               Limits
		fits, breaks      string
		want              error
	}{
		{"fields", urlencoded, Limits{Fields: 2}, "a&b", "a&b&c", ErrFields},
		{"parts", multipart, Limits{Fields: 2}, parts(textPart("a", ""), filePart("f", "n", "")), parts(textPart("a", ""), filePart("f", "n", ""), textPart("b", "")), ErrFields},
		{"a name", urlencoded, Limits{Name: 3}, "a%62c", "a%62cd", ErrName},
		{"a part's name", multipart, Limits{Name: 3}, parts(textPart("abc", "")), parts(textPart("abcd", "")), ErrName},
		{"a file's name", multipart, Limits{Name: 3}, parts(filePart("abc", "n", "")), parts(filePart("abcd", "n", "")), ErrName},
		{"a value", urlencoded, Limits{Value: 3}, "name=a+c", "name=a+cd", ErrValue},
		{"a part's value", multipart, Limits{Value: 3}, parts(textPart("name", "abc")), parts(textPart("name", "abcd")), ErrValue},
		{"all values", urlencoded, Limits{Memory: 8}, "aa=bb&c=ddd", "aa=bb&c=dddd", ErrMemory},
		{"all parts", multipart, Limits{Memory: 8}, parts(textPart("aa", "bb"), textPart("c", "ddd")), parts(textPart("aa", "bb"), textPart("c", "dddd")), ErrMemory},
		{"a header", multipart, Limits{Header: 44}, parts("Content-Disposition:form-data;name=a\nA:\n\n"), parts("Content-Disposition:form-data;name=a\nA:b\n\n"), ErrPartHeader},
		{"a file", multipart, Limits{File: 3}, parts(filePart("f", "n", "abc"), filePart("f", "n", "abc")), parts(filePart("f", "n", "abcd")), ErrFile},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := request(t, c.contentType)
			for size := range len(c.fits) {
				if _, err := receive(t, req, &c.lim, c.fits, size+1); err != nil {
					t.Fatalf("what fits: %v, in pieces of %d", err, size+1)
				}
			}
			everyWay(t, req, &c.lim, c.breaks, nil, c.want)
		})
	}
}

// TestHeaderWithoutEnd: a client cannot make a header grow that never ends.
func TestHeaderWithoutEnd(t *testing.T) {
	f, err := New(request(t, "multipart/form-data; boundary=x"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Write([]byte("--x\r\nA: "))
	piece, sent := []byte(strings.Repeat("a", 1000)), 0
	for ; err == nil && sent < 100; sent++ {
		err = f.Write(piece)
	}
	if err != ErrPartHeader || sent > 5 || cap(f.parser.(*multipart).header) > 2*DefaultHeader {
		t.Errorf("%v after %d pieces", err, sent)
	}
}

func TestDefaultLimits(t *testing.T) {
	l := (*Limits)(nil).withDefaults()
	if l != (Limits{256, 256, 64 << 10, 256 << 10, 4096, 1<<63 - 1}) || (&Limits{}).withDefaults() != l || (&Limits{-1, -1, -1, -1, -1, -1}).withDefaults() != l {
		t.Errorf("%+v", l)
	}
}

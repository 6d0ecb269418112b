package http1

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// ask parses a GET of the target with header lines.
func ask(t testing.TB, target string, lines ...string) *Request {
	t.Helper()
	head := "GET " + target + " HTTP/1.1\r\nHost: a\r\n"
	for _, l := range lines {
		head += l + "\r\n"
	}
	r := new(Request)
	if n, err := ParseRequest([]byte(head+"\r\n"), r, nil); n == 0 || err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	return r
}

func TestPairs(t *testing.T) {
	for _, c := range []struct {
		name, query string
		want        []string
	}{
		{"none", "", nil},
		{"in their order and as sent", "b=%41&a=x+y&b=2", []string{"b", "%41", "a", "x+y", "b", "2"}},
		{"without a sign", "a&b=&=c&d=e=f", []string{"a", "", "b", "", "", "c", "d", "e=f"}},
		{"nothing between", "&&a=b&&", []string{"a", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for k, v := range Pairs([]byte(c.query)) {
				got = append(got, string(k), string(v))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	for range Pairs([]byte("a&b")) {
		break // and nothing panics
	}
}

func TestUnescapeForm(t *testing.T) {
	for _, c := range []struct {
		in, want string
		err      error
	}{
		{"a+b%20c%2B%00", "a b c+\x00", nil},
		{"", "", nil},
		{"a%2", "", ErrEscape},
		{"%zz", "", ErrEscape},
	} {
		got, err := UnescapeForm([]byte("kept"), []byte(c.in))
		equal(t, c.in, string(got), "kept"+c.want)
		equal(t, c.in+": error", err, c.err)
	}
}

func TestRequestQueryValue(t *testing.T) {
	r := ask(t, "/p?a=%41+b&c")
	value, ok := r.QueryValue("a")
	equal(t, "a", value, "A b")
	equal(t, "a is there", ok, true)
	_, ok = ask(t, "/p").QueryValue("a")
	equal(t, "there is one without a query", ok, false)

	b, ok := AppendQueryValue([]byte("kept"), r.Query(), "a")
	equal(t, "appended", string(b), "keptA b")
	equal(t, "appended is there", ok, true)
	_, ok = AppendQueryValue(nil, []byte("bad=%z"), "bad")
	equal(t, "a broken escape is there", ok, false)
	b, ok = AppendQueryValue([]byte("kept"), r.Query(), "x")
	equal(t, "of what is not there", string(b), "kept")
	equal(t, "what is not there is there", ok, false)
}

func TestCookies(t *testing.T) {
	r := ask(t, "/", `Cookie: a=1; b="2" ;c=; d; =e;; f=g=h`, "Cookie: a=3")
	var got []string
	for name, value := range Cookies(r.Header()) {
		got = append(got, string(name)+"="+string(value))
	}
	if want := []string{"a=1", `b="2"`, "c=", "f=g=h", "a=3"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for range Cookies(r.Header()) {
		break
	}
	value, ok := r.Cookie("a")
	equal(t, "the first", string(value), "1")
	equal(t, "the first is there", ok, true)
	_, ok = r.Cookie("A")
	equal(t, "names in other letters are there", ok, false)
}

func TestBasicAuth(t *testing.T) {
	of := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		name           string
		lines          []string
		user, password string
		ok             bool
	}{
		{"RFC 7617's", []string{"Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, "Aladdin", "open sesame", true},
		{"and its UTF-8", []string{"Authorization: Basic dGVzdDoxMjPCow=="}, "test", "123£", true},
		{"scheme in other letters", []string{"Authorization: bASIC " + of("a:b")}, "a", "b", true},
		{"more spaces", []string{"Authorization: Basic   " + of("a:b")}, "a", "b", true},
		{"the first colon parts", []string{"Authorization: Basic " + of("a:b:c")}, "a", "b:c", true},
		{"nothing on both sides", []string{"Authorization: Basic " + of(":")}, "", "", true},
		{"none", nil, "", "", false},
		{"another scheme", []string{"Authorization: Bearer " + of("a:b")}, "", "", false},
		{"only a scheme", []string{"Authorization: Basic"}, "", "", false},
		{"no colon", []string{"Authorization: Basic " + of("ab")}, "", "", false},
		{"no base64", []string{"Authorization: Basic a*b"}, "", "", false},
		{"no padding", []string{"Authorization: Basic " + strings.TrimRight(of("a:bc"), "=")}, "", "", false},
		{"stray bits in the end", []string{"Authorization: Basic YTpiYz=="}, "", "", false},
		{"a control character", []string{"Authorization: Basic " + of("a:\x00b")}, "", "", false},
		{"a line feed", []string{"Authorization: Basic " + of("a\n:b")}, "", "", false},
		{"DEL", []string{"Authorization: Basic " + of("a:b\x7f")}, "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ask(t, "/", c.lines...)
			user, password, ok := r.BasicAuth()
			equal(t, "user", user, c.user)
			equal(t, "password", password, c.password)
			equal(t, "ok", ok, c.ok)
			both, ok := r.AppendBasicAuth([]byte("kept"))
			want := "kept"
			if c.ok {
				want += c.user + ":" + c.password
			}
			equal(t, "appended", string(both), want)
			equal(t, "appended is ok", ok, c.ok)
			std := http.Request{Header: http.Header{}}
			for _, l := range c.lines {
				name, value, _ := strings.Cut(l, ": ")
				std.Header.Add(name, value)
			}
			if u, p, there := std.BasicAuth(); ok && there && (u != c.user || p != c.password) {
				t.Errorf("net/http reads %q %q", u, p)
			}
		})
	}
}

func TestAppendChallenge(t *testing.T) {
	equal(t, "a word", string(AppendChallenge([]byte("kept"), "site")), `keptBasic realm="site", charset="UTF-8"`)
	equal(t, "quotes", string(AppendChallenge(nil, `a "b\c"`)), `Basic realm="a \"b\\c\"", charset="UTF-8"`)
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, head, method, target string }{
		{"a bad field", "GET /a?b HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", "GET", "/a?b"},
		{"no Host", "PUT /a HTTP/1.1\r\n\r\n", "PUT", "/a"},
		{"a long head", "GET /a HTTP/1.1\r\nX: " + strings.Repeat("x", DefaultHead), "GET", "/a"},
		{"a bad version", "GET /a HTTP/3.0\r\n", "", ""},
		{"a bad method", "G{T /a HTTP/1.1\r\n", "", ""},
		{"a long target", "GET /" + strings.Repeat("a", DefaultRequestLine+1), "", ""},
		{"TLS", "\x16\x03\x01", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Request
			if _, err := ParseRequest([]byte(c.head), &r, nil); err == nil {
				t.Fatal("it was not refused")
			}
			method, target := r.Refused([]byte(c.head))
			equal(t, "method", string(method), c.method)
			equal(t, "target", string(target), c.target)
			if method, target = r.Refused(nil); len(method) > 0 || len(target) > 0 {
				t.Errorf("%q %q out of nothing", method, target)
			}
		})
	}
	good := ask(t, "/")
	if method, _ := good.Refused(good.Raw()); method != nil {
		t.Error("a good request was refused")
	}
}

// TestValuesAllocateNothing: what does not return a string costs none.
func TestValuesAllocateNothing(t *testing.T) {
	r := ask(t, "/?a=1&b=two+words", "Cookie: x=1; y=2", "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
	buf := make([]byte, 0, 64)
	n := 0
	if allocs := testing.AllocsPerRun(100, func() {
		b, _ := AppendQueryValue(buf, r.Query(), "b")
		v, _ := r.Cookie("y")
		both, _ := r.AppendBasicAuth(buf)
		n += len(b) + len(v) + len(both)
		for k, v := range Cookies(r.Header()) {
			n += len(k) + len(v)
		}
		_, _ = r.QueryValue("x")
	}); allocs != 0 || n == 0 {
		t.Errorf("%v allocations", allocs)
	}
}

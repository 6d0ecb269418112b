package http1

import (
	"net/url"
	"strings"
	"testing"
)

func TestUnescapePath(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		err            error
	}{
		{"plain", "/a/b", "/a/b", nil},
		{"escapes", "/a%20b%2fC", "/a b/C", nil},
		{"UTF-8", "/caf%c3%A9", "/café", nil},
		{"plus stays", "/a+b", "/a+b", nil},
		{"dots come out as they are", "/%2e%2e/x", "/../x", nil},
		{"decoded once", "/%2541", "/%41", nil},
		{"empty", "", "", nil},
		{"short", "/%4", "", ErrEscape},
		{"alone", "/%", "", ErrEscape},
		{"no hex", "/%g1", "", ErrEscape},
		{"NUL", "/a%00.png", "", ErrEscape},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := UnescapePath([]byte("kept"), []byte(c.in))
			equal(t, "path", string(got), "kept"+c.want)
			equal(t, "error", err, c.err)
			if want, err := url.PathUnescape(c.in); c.err == nil && (err != nil || want != c.want) {
				t.Errorf("net/url says %q, %v", want, err)
			}
		})
	}
}

func TestQueryValue(t *testing.T) {
	const query = "a=1&b=two+words&c=%26%3D&d&e=&a=2&=nameless&caf%C3%A9=x&f+g=y&bad=%zz&bad=ok&h=a=b"
	for _, c := range []struct {
		name, want string
		ok         bool
	}{
		{"a", "1", true},
		{"b", "two words", true},
		{"c", "&=", true},
		{"d", "", true},
		{"e", "", true},
		{"", "nameless", true},
		{"café", "x", true},
		{"f g", "y", true},
		{"bad", "ok", true},
		{"h", "a=b", true},
		{"A", "", false},
		{"aa", "", false},
		{"zz", "", false},
	} {
		value, ok := QueryValue([]byte(query), c.name)
		equal(t, c.name, value, c.want)
		equal(t, c.name+" is there", ok, c.ok)
		all, _ := url.ParseQuery(query)
		equal(t, c.name+" in net/url", all.Get(c.name), value)
	}
	if _, ok := QueryValue(nil, ""); ok {
		t.Error("an empty query has a value")
	}
}

// TestCookie has RFC 6265 4.2.
func TestCookie(t *testing.T) {
	h := header(t, "Cookie: a=1; b=\"two\";c=x=y ; empty=; flag", "X: z=9", "cookie: d=4; a=second")
	for _, c := range []struct {
		name, want string
		ok         bool
	}{
		{"a", "1", true},
		{"b", "\"two\"", true},
		{"c", "x=y", true},
		{"empty", "", true},
		{"d", "4", true},
		{"A", "", false},
		{"flag", "", false},
		{"z", "", false},
		{"", "", false},
	} {
		value, ok := Cookie(h, c.name)
		equal(t, c.name, string(value), c.want)
		equal(t, c.name+" is there", ok, c.ok)
	}
	if _, ok := Cookie(new(Header), "a"); ok {
		t.Error("the zero Header has a cookie")
	}
}

func TestLongNamesDoNotMatchByPrefix(t *testing.T) {
	long := strings.Repeat("n", 100)
	if _, ok := QueryValue([]byte(long+"=1"), long[:99]); ok {
		t.Error("query: a prefix matched")
	}
	if _, ok := Cookie(header(t, "Cookie: "+long+"=1"), long[:99]); ok {
		t.Error("cookie: a prefix matched")
	}
}

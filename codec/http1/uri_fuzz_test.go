package http1

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The small parsers against the standard library's.

func FuzzUnescapePath(f *testing.F) {
	for _, s := range []string{"/a%20b", "/%", "/%4", "/%zz", "/%00", "/+", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, err := UnescapePath(nil, []byte(path))
		want, theirs := url.PathUnescape(path)
		if strings.Contains(path, "%00") {
			if err == nil {
				t.Fatalf("%q: a NUL came through", path)
			}
			return
		}
		equal(t, "accepted", err == nil, theirs == nil)
		if err == nil {
			equal(t, "path", string(got), want)
		}
		equal(t, "validEscapes", validEscapes([]byte(path)), theirs == nil)
	})
}

func FuzzQueryValue(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a", "a=%", "%61=x+y", "&&=", "a=1;b=2"} {
		f.Add(s, "a")
	}
	f.Fuzz(func(t *testing.T, query, name string) {
		if strings.Contains(query, ";") {
			return // url.ParseQuery refuses what semicolons part
		}
		got, ok := QueryValue([]byte(query), name)
		all, _ := url.ParseQuery(query)
		values, theirs := all[name]
		equal(t, "is there", ok, theirs)
		if ok {
			equal(t, "value", got, values[0])
		}
	})
}

func FuzzCookie(f *testing.F) {
	for _, s := range []string{"a=b", "a=b; c=d", "a=\"b\"", ";;a=", "a=b=c", "a = b"} {
		f.Add(s, "a")
	}
	f.Fuzz(func(t *testing.T, list, name string) {
		if !ValidValue(list) || !ValidName(name) {
			return
		}
		r := parse(t, get("Cookie: "+list))
		theirs := http.Request{Header: http.Header{"Cookie": {list}}}
		want, err := theirs.Cookie(name)
		if err != nil || want.Value == "" {
			return // net/http is strict about values, and takes a name without "="
		}
		got, ok := Cookie(r.Header(), name)
		equal(t, "is there", ok, true)
		if all := theirs.CookiesNamed(name); ok && strings.Count(list, name) == len(all) {
			equal(t, "value", strings.Trim(string(got), "\" \t"), strings.Trim(want.Value, "\" \t"))
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseDate(s)
		want, err := http.ParseTime(s)
		if !ok {
			return // net/http takes other zones in RFC 850 dates
		}
		if err != nil {
			t.Fatalf("net/http refuses %q", s)
		}
		if got.Year()%100 != want.Year()%100 || got.Sub(want) != 0 && got.Year() == want.Year() {
			t.Fatalf("%q: got %v, want %v", s, got, want)
		}
		if again, ok := ParseDate(string(AppendDate(nil, got))); got.Year() > 0 && (!ok || !again.Equal(got.Truncate(time.Second))) {
			t.Fatalf("%q came back as %v", s, again)
		}
	})
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"a", "a:80", "[::1]:80", "[::]", "a%41", ":", "[v1.a]", "1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !validHost([]byte(host)) {
			if validAuthority([]byte(host)) {
				t.Fatalf("%q is an authority and no host", host)
			}
			return
		}
		if strings.ContainsAny(host, "/?#@\\ \t\r\n\x00\"<>") {
			t.Fatalf("%q is no host", host)
		}
		// Wherever a host may stand, it comes out whole.
		r := parse(t, head("GET http://"+host+"/p HTTP/1.1", "Host: "+host))
		equal(t, "absolute-form", string(r.Host()), host)
		r = parse(t, head("GET /p HTTP/1.1", "Host: "+host))
		equal(t, "field", string(r.Host()), host)
	})
}

package http1

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzPairs: what net/url reads of a query, we read the same way, by iteration and by name.
func FuzzPairs(f *testing.F) {
	for _, s := range []string{"a=b&c", "a=%41+b&&=c", "%=", "a=b=c;d", "a&a=2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, broken := url.Values{}, false
		for k, v := range Pairs([]byte(query)) {
			name, err := UnescapeForm(nil, k)
			value, err2 := UnescapeForm(nil, v)
			if err != nil || err2 != nil {
				broken = true
				continue
			}
			got.Add(string(name), string(value))
		}
		want, err := url.ParseQuery(query)
		if strings.Contains(query, ";") { // a separator once, which net/url refuses and we take for text
			return
		}
		if got.Encode() != want.Encode() || broken != (err != nil) {
			t.Fatalf("%v, broken %v; net/url has %v, %v", got, broken, want, err)
		}
		for name, values := range got {
			one, ok := QueryValue([]byte(query), name)
			b, there := AppendQueryValue(nil, []byte(query), name)
			if !ok || !there || one != values[0] || string(b) != one {
				t.Fatalf("%q is %q and %q, not %q", name, one, b, values)
			}
		}
	})
}

// FuzzRequestFields: whatever is taken for credentials or a cookie, net/http takes for the
// same.
func FuzzRequestFields(f *testing.F) {
	f.Add("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "a=b; c=d")
	f.Add("basic  Og==", "a; =b;; c = d;e=f=g")
	f.Fuzz(func(t *testing.T, authorization, cookie string) {
		head := "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: " + authorization + "\r\nCookie: " + cookie + "\r\n\r\n"
		var r Request
		if n, err := ParseRequest([]byte(head), &r, nil); err != nil || n != len(head) || r.Header().Len() != 3 {
			return
		}
		std := http.Request{Header: http.Header{"Authorization": {strings.Trim(authorization, " \t")}, "Cookie": {cookie}}}
		if user, password, ok := r.BasicAuth(); ok {
			if u, p, ok := std.BasicAuth(); ok && (u != user || p != password) {
				t.Fatalf("%q %q, net/http has %q %q", user, password, u, p)
			} else if !ok && !strings.Contains(strings.Trim(authorization, " \t"), "  ") {
				t.Fatalf("%q %q, net/http has none", user, password)
			}
		}
		for _, c := range std.Cookies() {
			if c.Value == "" { // to net/http, what has no "=" is one too
				continue
			}
			found := false
			for name, value := range Cookies(r.Header()) {
				found = found || string(name) == c.Name && strings.Trim(string(value), "\" \t") == strings.Trim(c.Value, "\" \t")
			}
			if !found {
				t.Fatalf("net/http has the cookie %q, we have none such in %q", c, cookie)
			}
			if _, ok := r.Cookie(c.Name); !ok {
				t.Fatalf("no %q in %q", c.Name, cookie)
			}
		}
	})
}

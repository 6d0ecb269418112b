package engine

import (
	"errors"
	"strconv"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
)

func TestOrigins(t *testing.T) {
	type list []string
	for _, c := range []struct {
		rule    string
		allowed list
		origin  string
		host    string
		tls, ok bool
	}{
		{"the very one", list{"https://example.com"}, "https://example.com", "", false, true},
		{"scheme and host without case", list{"HTTPS://Example.COM"}, "https://eXample.com", "", false, true},
		{"another scheme", list{"https://example.com"}, "http://example.com", "", false, false},
		{"another scheme at the same port", list{"https://example.com:8443"}, "http://example.com:8443", "", false, false},
		{"another host", list{"https://example.com"}, "https://example.org", "", false, false},
		{"a name below without a wildcard", list{"https://example.com"}, "https://a.example.com", "", false, false},
		{"a prefix is no match", list{"https://example.com"}, "https://example.com.evil.test", "", false, false},
		{"a suffix is no match", list{"https://example.com"}, "https://evilexample.com", "", false, false},
		{"default port", list{"https://example.com"}, "https://example.com:443", "", false, true},
		{"default port of the list", list{"http://example.com:80"}, "http://example.com", "", false, true},
		{"another port", list{"https://example.com"}, "https://example.com:8443", "", false, false},
		{"the port of the list", list{"https://example.com:8443"}, "https://example.com:8443", "", false, true},
		{"a port that the list has and the page not", list{"https://example.com:8443"}, "https://example.com", "", false, false},
		{"one of several", list{"https://a.test", "https://b.test"}, "https://b.test", "", false, true},
		{"a scheme without a default port", list{"chrome-extension://abcdef"}, "chrome-extension://abcdef", "", false, true},

		{"wildcard", list{"https://*.example.com"}, "https://a.example.com", "", false, true},
		{"wildcard, two labels", list{"https://*.example.com"}, "https://a.b.example.com", "", false, true},
		{"wildcard is not the name itself", list{"https://*.example.com"}, "https://example.com", "", false, false},
		{"wildcard is no suffix", list{"https://*.example.com"}, "https://evilexample.com", "", false, false},
		{"wildcard and port", list{"https://*.example.com:8443"}, "https://a.example.com:8443", "", false, true},
		{"wildcard and another port", list{"https://*.example.com:8443"}, "https://a.example.com", "", false, false},
		{"a page is no wildcard", list{"https://a.example.com"}, "https://*.example.com", "", false, false},
		{"nothing in front", list{"https://*.example.com"}, "https://.example.com", "", false, false},

		{"null is not listed", list{"https://example.com", "same"}, "null", "null", false, false},
		{"null is listed", list{"null"}, "null", "", false, true},
		{"null is case-sensitive", list{"null"}, "NULL", "", false, false},

		{"same", list{"same"}, "https://example.com", "example.com", true, true},
		{"same, without case", list{"same"}, "https://Example.com", "eXample.com", true, true},
		{"same with a port", list{"same"}, "https://example.com:8443", "example.com:8443", true, true},
		{"same with the default port", list{"same"}, "https://example.com", "example.com:443", true, true},
		{"same host, another port", list{"same"}, "https://example.com", "example.com:8443", true, false},
		{"another host", list{"same"}, "https://evil.test", "example.com", true, false},
		{"same behind a proxy that ends TLS", list{"same"}, "https://example.com", "example.com", false, true},
		{"same without TLS", list{"same"}, "http://example.com", "example.com", false, true},
		{"a page without TLS where there is TLS", list{"same"}, "http://example.com", "example.com", true, false},
		{"same of another scheme", list{"same"}, "ftp://example.com", "example.com", false, false},
		{"same without Host", list{"same"}, "http://example.com", "", false, false},
		{"same and others", list{"same", "https://b.test"}, "https://b.test", "example.com", true, true},

		{"an address", list{"http://127.0.0.1:8080"}, "http://127.0.0.1:8080", "", false, true},
		{"an IPv6 address", list{"http://[::1]:8080"}, "http://[0:0::1]:8080", "", false, true},
		{"an IPv6 address as same", list{"same"}, "http://[::1]:8080", "[::1]:8080", false, true},

		{"a path", list{"https://example.com"}, "https://example.com/", "", false, false},
		{"userinfo", list{"https://example.com"}, "https://me@example.com", "", false, false},
		{"an empty port", list{"https://example.com"}, "https://example.com:", "", false, false},
		{"a port that is none", list{"https://example.com"}, "https://example.com:+443", "", false, false},
		{"two origins", list{"https://example.com"}, "https://example.com https://example.com", "", false, false},
		{"nothing", list{"https://example.com", "same"}, "", "", false, false},
		{"no scheme", list{"https://example.com"}, "example.com", "", false, false},
	} {
		set, err := newOrigins(c.allowed)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
		} else if set.allow(c.origin, c.host, c.tls) != c.ok {
			t.Errorf("%s: %q of %q: %v", c.rule, c.origin, c.allowed, !c.ok)
		}
	}
}

func TestNewRefusesBadOrigins(t *testing.T) {
	for _, bad := range []string{"", "*", "example.com", "https://", "https://*", "https://*.", "https://*.*.com", "https://a*.com", "https://example.com/",
		"https://example.com:", "https://example.com:0", "https://example.com:65536", "https://exämple.com", "https://a b", "https://[::1", "https://*.[::1]",
		"https://[127.0.0.1]", "1http://a", "://a", "https://.a", "Same"} {
		_, err := New(Config{Vhosts: []Vhost{{Protocols: []callbacks.Protocol{{Callback: callbacks.CallbackHTTPDummy, Origins: []string{"same", bad}}}}}})
		if !errors.Is(err, ErrConfig) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Whatever a client sends, an origin that is taken is taken in its canonical form too,
// and means the same.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"https://example.com", "http://[::1]:80", "https://*.a.b:8443", "null", "a+b://c", "HTTP://A:00080"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, wildcards := range []bool{false, true} {
			o, ok := parseOrigin(text, wildcards)
			if !ok {
				continue
			}
			again, ok := parseOrigin(o.text(), wildcards)
			if !ok || again != o || o.host == "" || o.below && !wildcards {
				t.Errorf("%q is %+v, but %q is %+v, %v", text, o, o.text(), again, ok)
			}
			if !o.below && !(&origins{list: []origin{o}}).allow(text, "", false) {
				t.Errorf("%q does not allow itself", text)
			}
		}
	})
}

// text is the origin as RFC 6454 6.2 writes it, with the port always.
func (o *origin) text() string {
	text := o.scheme + "://"
	if o.below {
		text += "*."
	}
	text += o.host
	if o.port != 0 {
		text += ":" + strconv.Itoa(o.port)
	}
	return text
}

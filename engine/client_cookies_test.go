package engine_test

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// TestCookies: the Jar is asked for each request and told by each answer, also those
// that redirect or refuse.
func TestCookies(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := answers(t, over(t).listen(t), func(c *farConn, n int) {
		switch n {
		case 1:
			c.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: one=1; Path=/\r\nSet-Cookie: bad\r\nSet-Cookie: two=2; Path=/b\r\n\r\n")
		case 2:
			c.upgrade("Set-Cookie: three=3; Path=/\r\n")
			c.echo()
		default:
			c.say("HTTP/1.1 403 No\r\nSet-Cookie: one=; Path=/; Max-Age=0\r\nContent-Length: 0\r\n\r\n")
		}
	})
	info := clientInfo(t, f.addr())
	info.Jar, info.Header = jar, []http1.Field{{Name: "cookie", Value: "own=0"}}
	add := func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r == callbacks.ClientAppendHandshakeHeader {
			return s.AddHeader("Cookie", "added=4")
		}
		return nil
	}
	fateOf(t, info, add).wantEcho(t)
	fateOf(t, info, nil).wantHandshakeError(t, 403, "")
	var got []string
	for _, r := range f.requests() {
		got = append(got, strings.Join(r.Header["Cookie"], "|"))
	}
	want := []string{"own=0; added=4", "own=0; added=4; two=2; one=1", "own=0; one=1; three=3"}
	if !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	u, _ := url.Parse("http://" + f.addr() + "/")
	if over(t) != overTCP {
		u.Scheme = "https"
	}
	if left := jar.Cookies(u); len(left) != 1 || left[0].Name != "three" {
		t.Errorf("left in the jar: %v", left)
	}
}

// badJar is one that panics.
type badJar struct{ set bool }

func (b badJar) Cookies(*url.URL) []*http.Cookie {
	if !b.set {
		panic("no cookies")
	}
	return []*http.Cookie{{Name: "a", Value: "b\r\nX-Evil: c"}, {Name: "bad name", Value: "x"}}
}

func (b badJar) SetCookies(*url.URL, []*http.Cookie) { panic("no room") }

// TestCookieJarsThatMisbehave end one session, and break no header.
func TestCookieJarsThatMisbehave(t *testing.T) {
	f := answers(t, over(t).listen(t), func(c *farConn, _ int) {
		c.upgrade("Set-Cookie: a=b\r\n")
		c.echo()
	})
	for _, jar := range []badJar{{false}, {true}} {
		info := clientInfo(t, f.addr())
		info.Jar = jar
		o := fateOf(t, info, nil)
		var p *engine.PanicError
		if !errors.As(o.err, &p) {
			t.Errorf("%+v: failed by %v", jar, o.err)
		}
	}
	if all := f.requests(); len(all) != 1 || all[0].Header.Get("X-Evil") != "" || len(all[0].Header["Cookie"]) != 1 {
		t.Errorf("%d requests, %v", len(all), all[0].Header)
	}
}

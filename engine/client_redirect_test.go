package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// redirecting answers a path that has a Location with it, and opens a WebSocket at
// every other.
func redirecting(status int, locations map[string]string) func(c *farConn, n int) {
	return func(c *farConn, _ int) {
		to, ok := locations[c.asked.URL.RequestURI()]
		if !ok {
			c.upgrade("")
			c.echo()
			return
		}
		c.say(fmt.Sprintf("HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 4\r\n\r\nbody", status, to))
	}
}

// TestRedirects: a client goes where it is sent, and says so.
func TestRedirects(t *testing.T) {
	here := "<here>" // the first server's URL
	for name, c := range map[string]struct {
		status    int
		locations map[string]string
		asked     []string // paths, of the first server
		redirects []string
		refused   int // the status, if it is not followed
		why       string
	}{
		"301, by path":             {301, map[string]string{"/chat?x=y": "/b"}, []string{"/b"}, []string{here + "/b"}, 0, ""},
		"302, relative":            {302, map[string]string{"/chat?x=y": "b?z"}, []string{"/b?z"}, []string{here + "/b?z"}, 0, ""},
		"303, with a fragment":     {303, map[string]string{"/chat?x=y": "/b#c"}, []string{"/b"}, []string{here + "/b"}, 0, ""},
		"307, by URL":              {307, map[string]string{"/chat?x=y": here + "/b"}, []string{"/b"}, []string{here + "/b"}, 0, ""},
		"308, of HTTP":             {308, map[string]string{"/chat?x=y": strings.Replace(here, "<", "<http:", 1) + "/b"}, []string{"/b"}, []string{here + "/b"}, 0, ""},
		"only the query":           {307, map[string]string{"/chat?x=y": "?z"}, []string{"/chat?z"}, []string{here + "/chat?z"}, 0, ""},
		"without a scheme":         {307, map[string]string{"/chat?x=y": strings.Replace(here, "<", "<//", 1)}, []string{"/"}, []string{here}, 0, ""},
		"escapes stay":             {307, map[string]string{"/chat?x=y": "/a%2Fb%20c"}, []string{"/a%2Fb%20c"}, []string{here + "/a%2Fb%20c"}, 0, ""},
		"four in a row":            {301, map[string]string{"/chat?x=y": "/1", "/1": "/2", "/2": "/3", "/3": "/4"}, []string{"/1", "/2", "/3", "/4"}, []string{here + "/1", here + "/2", here + "/3", here + "/4"}, 0, ""},
		"five in a row":            {301, map[string]string{"/chat?x=y": "/1", "/1": "/2", "/2": "/3", "/3": "/4", "/4": "/5"}, []string{"/1", "/2", "/3", "/4"}, []string{here + "/1", here + "/2", here + "/3", here + "/4"}, 301, "too many redirects"},
		"in a circle":              {301, map[string]string{"/chat?x=y": "/chat?x=y"}, slices.Repeat([]string{"/chat?x=y"}, 4), slices.Repeat([]string{here + "/chat?x=y"}, 4), 301, "too many redirects"},
		"300 is none":              {300, map[string]string{"/chat?x=y": "/b"}, nil, nil, 300, "did not upgrade"},
		"304 is none":              {304, map[string]string{"/chat?x=y": "/b"}, nil, nil, 304, "did not upgrade"},
		"another scheme":           {301, map[string]string{"/chat?x=y": "ftp://127.0.0.1/"}, nil, nil, 301, "ftp"},
		"no URL":                   {301, map[string]string{"/chat?x=y": "http://[::1"}, nil, nil, 301, "nowhere"},
		"no host":                  {301, map[string]string{"/chat?x=y": "ws:///b"}, nil, nil, 301, "no address"},
		"a port beyond all":        {301, map[string]string{"/chat?x=y": "ws://127.0.0.1:99999/"}, nil, nil, 301, "port"},
		"to a unix socket, surely": {301, map[string]string{"/chat?x=y": "ws://+abstract/"}, nil, nil, 301, "host"},
	} {
		t.Run(name, func(t *testing.T) {
			l := over(t).listen(t)
			url := over(t).scheme() + l.Addr().String()
			plain := l.Addr().String()
			resolve := strings.NewReplacer("<here>", url, "<http:here>", strings.Replace(url, "ws", "http", 1), "<//here>", "//"+plain)
			locations := map[string]string{}
			for from, to := range c.locations {
				locations[from] = resolve.Replace(to)
			}
			f := answers(t, l, redirecting(c.status, locations))
			o := fateOf(t, clientInfo(t, plain), nil)
			var asked, want []string
			for _, r := range f.requests() {
				asked = append(asked, r.URL.RequestURI())
				if r.Host != plain {
					t.Errorf("Host %q", r.Host)
				}
			}
			for _, u := range c.redirects {
				want = append(want, resolve.Replace(u))
			}
			if !slices.Equal(asked[1:], c.asked) && len(asked[1:])+len(c.asked) > 0 || !slices.Equal(o.redirects, want) {
				t.Errorf("asked %q, announced %q; want %q, %q", asked, o.redirects, c.asked, want)
			}
			if c.refused == 0 {
				o.wantEcho(t)
				return
			}
			body := "body"
			if c.refused == 304 {
				body = ""
			}
			o.wantHandshakeError(t, c.refused, body)
			if !strings.Contains(o.err.Error(), c.why) {
				t.Errorf("failed by %v, want %q", o.err, c.why)
			}
		})
	}
}

func TestRedirectsCanBeRefused(t *testing.T) {
	f := answers(t, over(t).listen(t), redirecting(302, map[string]string{"/chat?x=y": "/b"}))
	info := clientInfo(t, f.addr())
	info.Flags |= engine.HTTPNoFollowRedirect
	o := fateOf(t, info, nil)
	o.wantHandshakeError(t, 302, "body")
	if len(o.redirects) > 0 {
		t.Errorf("announced %q", o.redirects)
	}
	no := errors.New("no")
	o = fateOf(t, clientInfo(t, f.addr()), func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		if r != callbacks.ClientHTTPRedirect {
			return nil
		}
		if s.Response().Status() != 302 {
			t.Errorf("response %d", s.Response().Status())
		}
		return no
	})
	if !errors.Is(o.err, no) || len(f.requests()) != 2 {
		t.Errorf("failed by %v after %d requests", o.err, len(f.requests()))
	}
}

// TestRedirectToAnotherOrigin: it is told nothing that was meant for the first one.
func TestRedirectToAnotherOrigin(t *testing.T) {
	for name, elsewhere := range map[string]bool{"the same origin": false, "another origin": true} {
		t.Run(name, func(t *testing.T) {
			there := answers(t, over(t).listen(t), redirecting(0, nil))
			l := over(t).listen(t)
			to := "/b"
			if elsewhere {
				to = over(t).scheme() + there.addr() + "/b"
			}
			here := answers(t, l, redirecting(301, map[string]string{"/chat?x=y": to}))
			if !elsewhere {
				there = here
			}
			info := clientInfo(t, here.addr())
			info.Host = "localhost:1234"
			info.Header = []http1.Field{{Name: "authorization", Value: "secret"}, {Name: "Cookie", Value: "a=b"}, {Name: "X-A", Value: "public"}}
			fateOf(t, info, func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
				if r == callbacks.ClientAppendHandshakeHeader { // of each of the two requests
					return s.AddHeader("Proxy-Authorization", "mine")
				}
				return nil
			}).wantEcho(t)
			all := there.requests()
			got := all[len(all)-1]
			host, auth, cookie, added := info.Host, "secret", "a=b", "mine"
			if elsewhere {
				host, auth, cookie, added = there.addr(), "", "", ""
			}
			if got.Header.Get("Proxy-Authorization") != added {
				t.Errorf("it was told what a callback adds: %v", got.Header)
			}
			if got.Host != host || got.Header.Get("Authorization") != auth || got.Header.Get("Cookie") != cookie || got.Header.Get("X-A") != "public" {
				t.Errorf("it was told %s, %v", got.Host, got.Header)
			}
			if first := here.requests()[0].Header; first.Get("Authorization") != "secret" || first.Get("Cookie") != "a=b" {
				t.Errorf("the first was told %v", first)
			}
		})
	}
}

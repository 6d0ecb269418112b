package engine_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// mounted starts a server with mounts; its protocol "test" answers with the path.
func mounted(t *testing.T, f callbacks.Callback, mounts ...engine.Mount) *server {
	t.Helper()
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: f})}
	cfg.Vhosts[0].Mounts = mounts
	return start(t, cfg)
}

// location asks for the target and returns where the answer leads.
func (p *peer) location(target, host string, status int) string {
	p.t.Helper()
	r := p.send("GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n").want(status, "")
	if n := len(r.Header.Values("Location")); n != 1 {
		p.t.Fatalf("%d Locations", n)
	}
	return r.Header.Get("Location")
}

func TestRedirectMounts(t *testing.T) {
	v := mounted(t, echoHTTP,
		engine.Redirect("/fixed", 301, "https://other.test/x?y"),
		engine.RedirectBelow("/old", 308, "/new"),
		engine.RedirectBelow("/slash/", 302, "/new/"),
		engine.RedirectBelow("/away", 307, "https://other.test"),
		engine.RedirectBelow("/awaydir", 303, "https://other.test/dir/"),
		engine.RedirectBelow("/top", 301, "/"))
	p := v.dial(t)
	for _, c := range []struct {
		status       int
		target, want string
	}{
		{301, "/fixed/a?b", "https://other.test/x?y"},
		{308, "/old", "/new"},
		{308, "/old/", "/new/"},
		{308, "/old/a/b%20c?d=e&f", "/new/a/b%20c?d=e&f"},
		{308, "/old?", "/new?"},
		{308, "/old//evil.test", "/new/evil.test"},
		{308, "http://test/old/a", "/new/a"},
		{302, "/slash", "/new/"},
		{302, "/slash/", "/new/"},
		{302, "/slash/a", "/new/a"},
		{307, "/away", "https://other.test"},
		{307, "/away/a", "https://other.test/a"},
		{307, "/away/@evil.test/", "https://other.test/@evil.test/"},
		{303, "/awaydir/a?b", "https://other.test/dir/a?b"},
		{301, "/top", "/"},
		{301, "/top/a", "/a"},
		{301, "/top//evil.test", "/evil.test"},
		{301, "/top///evil.test/%2f", "/evil.test/%2f"},
		{301, "/top/?//evil.test", "/?//evil.test"},
	} {
		if got := p.location(c.target, "test", c.status); got != c.want {
			t.Errorf("%s leads to %q, want %q", c.target, got, c.want)
		}
	}
	p.send(get("/older")).want(200, "GET /older")
}

// TestRedirectsStayOnTheirHost: whatever is asked for, a browser that follows a redirect
// below a path is still at the same host.
func TestRedirectsStayOnTheirHost(t *testing.T) {
	v := mounted(t, echoHTTP, engine.RedirectBelow("/a", 301, "/"), engine.RedirectBelow("/", 302, "/b/.."), engine.RedirectBelow("/c", 301, "//test/d"))
	base, _ := url.Parse("http://test/")
	p := v.dial(t)
	for _, target := range []string{
		"/a//evil.test", "/a/////evil.test/x", "/a/%2f/evil.test", "/a/.//evil.test", "/a/b/..//evil.test", "/a/@evil.test", "/a/:80", "/a/http://evil.test",
		"//evil.test", "//evil.test//x", "/http://evil.test", "/%5cevil.test", "/c//evil.test", "/c/.evil.test",
	} {
		status := 301
		if !strings.HasPrefix(target, "/a") && !strings.HasPrefix(target, "/c") {
			status = 302
		}
		got := p.location(target, "test", status)
		to, err := base.Parse(got)
		if err != nil || to.Host != "test" || strings.ContainsAny(got, "\\\t\r\n ") || strings.HasPrefix(got, "//") && !strings.HasPrefix(got, "//test/") {
			t.Errorf("%s leads to %q: %v", target, got, err)
		}
	}
}

func TestRedirectToHTTPS(t *testing.T) {
	test := callbacks.Protocol{Name: "test", Callback: echoHTTP}
	listen := []string{"tcp://127.0.0.1:0"}
	to := func(port string) []engine.Mount { return []engine.Mount{engine.RedirectHTTPS("/", 308, port)} }
	for name, c := range map[string]struct {
		vhosts []engine.Vhost
		want   map[string]string // Location by Host, "" for 421
	}{
		"no name": {[]engine.Vhost{{Mounts: to("")}}, map[string]string{
			"any.test": "https://any.test/a?b", "any.test:8080": "https://any.test/a?b", "[::1]:80": "https://[::1]/a?b", "": ""}},
		"a port": {[]engine.Vhost{{Mounts: to("8443")}}, map[string]string{"any.test:8080": "https://any.test:8443/a?b", "[::1]": "https://[::1]:8443/a?b"}},
		"443":    {[]engine.Vhost{{Mounts: to("443")}}, map[string]string{"any.test": "https://any.test/a?b"}},
		"a name": {[]engine.Vhost{{Name: "one.test", Mounts: to("")}}, map[string]string{
			"one.test": "https://one.test/a?b", "ONE.test.:80": "https://ONE.test./a?b", "evil.test": "https://one.test/a?b"}},
		"a wildcard": {[]engine.Vhost{{Name: "*.test", Mounts: to("")}}, map[string]string{
			"one.test": "https://one.test/a?b", "evil": "", "test": ""}},
		"two": {[]engine.Vhost{{Name: "one.test", Mounts: to("")}, {Name: "*.test", Mounts: to("444")}}, map[string]string{
			"one.test": "https://one.test/a?b", "two.test": "https://two.test:444/a?b", "evil": "https://one.test/a?b"}},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range c.vhosts {
				c.vhosts[i].Listen, c.vhosts[i].Protocols = listen, []callbacks.Protocol{test}
			}
			v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: c.vhosts})
			for host, want := range c.want {
				p := v.dial(t)
				if want == "" {
					p.send("GET /a?b HTTP/1.1\r\nHost: "+host+"\r\n\r\n").want(421, "Misdirected Request\n")
				} else if got := p.location("/a?b", host, 308); got != want {
					t.Errorf("%s leads to %q, want %q", host, got, want)
				}
			}
		})
	}
}

func TestMountsThatCannotBe(t *testing.T) {
	options := engine.Redirect("/", 301, "/x")
	options.Options = []engine.Option{{Name: "a"}}
	header := engine.Callback("/", "test")
	header.Header = []http1.Field{{Name: "Content-Length", Value: "1"}}
	for name, list := range map[string][]engine.Mount{
		"redirect below nothing":     {engine.RedirectBelow("/", 301, "")},
		"redirect below a query":     {engine.RedirectBelow("/", 301, "/a?b")},
		"redirect below a fragment":  {engine.RedirectBelow("/", 301, "/a#b")},
		"redirect with a line":       {engine.RedirectBelow("/", 301, "/a\r\n")},
		"redirect to nothing":        {engine.Redirect("/", 301, "")},
		"redirect with a space":      {engine.Redirect("/", 301, "/a b")},
		"redirect that is none":      {engine.RedirectBelow("/", 304, "/a")},
		"redirect to no port":        {engine.RedirectHTTPS("/", 301, "x")},
		"redirect to port 0":         {engine.RedirectHTTPS("/", 301, "0")},
		"redirect to a large port":   {engine.RedirectHTTPS("/", 301, "65536")},
		"options of a redirect":      {options},
		"a header of the engine's":   {header},
		"equal mounts":               {engine.Callback("/a", "test"), engine.Redirect("/a", 301, "/b")},
		"equal but for a slash":      {engine.Callback("/a/", "test"), engine.Callback("/a", "test")},
		"equal roots":                {engine.Callback("/", "test"), engine.Callback("//", "test")},
		"equal with others between":  {engine.Callback("/a", "test"), engine.Callback("/b", "test"), engine.Callback("/a", "test")},
		"a mount that is not rooted": {engine.Callback("", "test")},
	} {
		cfg := engine.Config{Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: nothing})}
		cfg.Vhosts[0].Mounts = list
		if _, err := engine.New(cfg); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := engine.Config{Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: nothing})}
	cfg.Vhosts[0].Mounts = []engine.Mount{engine.Callback("/a", "test"), engine.Callback("/A", "test"), engine.Callback("/a/b", "test"), engine.Callback("/", "test")}
	if _, err := engine.New(cfg); err != nil {
		t.Errorf("different mounts: %v", err)
	}
}

// TestMountOptions: one callback serves two mounts, and knows which by their options.
func TestMountOptions(t *testing.T) {
	var order []callbacks.Reason
	v := mounted(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTPPMO, callbacks.CheckAccessRights:
			order = append(order, r)
		case callbacks.HTTP:
			order = append(order, r)
			return s.Respond(200, "", fmt.Appendf(nil, "%v %s%v", s.UserData(), in, order))
		case callbacks.HTTPDropProtocol:
			order = nil
			s.SetUserData(nil)
		}
		if r == callbacks.HTTPPMO {
			color, _ := http1.QueryValue(in, "colour & co")
			if color == "red" {
				return http1.NewError(402, "red costs")
			}
			if color == "grey" {
				return s.Respond(203, "", []byte("grey"))
			}
			s.SetUserData(color)
		}
		return nil
	}, with3(engine.Callback("/green", "test"), "green=ö+%"), with3(engine.Callback("/red", "test"), "red"), with3(engine.Callback("/grey", "test"), "grey"), engine.Callback("/plain", "test"))
	p := v.dial(t)
	p.send(get("/green/x")).want(200, "green=ö+% /x[CheckAccessRights HTTPPMO HTTP]")
	p.send(get("/plain/x")).want(200, "<nil> /x[CheckAccessRights HTTP]")
	p.send(get("/")).want(200, "<nil> /[CheckAccessRights HTTP]")
	p.send(get("/grey")).want(203, "grey")
	p.send(get("/red")).want(402, "Payment Required\n")
	p.wantEOF()
}

// with3 gives a mount three options, of which the second is what the test is about.
func with3(m engine.Mount, color string) engine.Mount {
	m.Options = []engine.Option{{Name: "first", Value: "&colour"}, {Name: "colour & co", Value: color}, {Name: "last"}}
	return m
}

// TestBodyLimitOfAMount: by its length a body is refused before the program hears of it, by
// chunks when there is too much, and the mount's limit may be below and above the engine's.
func TestBodyLimitOfAMount(t *testing.T) {
	small, large, none := engine.Callback("/small", "test"), engine.Callback("/large", "test"), engine.Callback("/none", "test")
	small.Body, large.Body, none.Body = 3, 20, -1
	lim := quick
	lim.Body = 10
	cfg := engine.Config{Loops: 1, Limits: lim, Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: echoHTTP})}
	cfg.Vhosts[0].Mounts = []engine.Mount{small, large, none}
	v := start(t, cfg)
	for path, most := range map[string]int{"/small": 3, "/": 10, "/large/x": 20, "/none": 1 << 16} {
		for _, n := range []int{0, most, most + 1} {
			body := strings.Repeat("x", n)
			chunks := ""
			for i := range n {
				if n < 100 || i == 0 {
					chunks += fmt.Sprintf("%x\r\n%s\r\n", max(1, n/100*100), body[:max(1, n/100*100)])
				}
			}
			if rest := n % 100; n >= 100 && rest > 0 {
				chunks += fmt.Sprintf("%x\r\n%s\r\n", rest, body[:rest])
			}
			for name, send := range map[string]string{
				"length": request("POST", path, fmt.Sprint("Content-Length: ", n)) + body,
				"chunks": request("POST", path, "Transfer-Encoding: chunked") + chunks + "0\r\n\r\n",
			} {
				p := v.dial(t).send(send)
				if n <= most || most == 1<<16 {
					p.want(200, "POST "+path+" "+body)
					continue
				}
				if r := p.want(413, "Content Too Large\n"); !r.Close {
					t.Errorf("%s of %d by %s: the connection goes on", path, n, name)
				}
				p.wantEOF()
			}
		}
	}
}

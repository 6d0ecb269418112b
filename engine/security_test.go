package engine_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// dressed is a server with default fields of the engine, the vhost and a mount. Its program
// adds the fields that a query asks for, as a=b&c=d.
func dressed(t *testing.T) *server {
	t.Helper()
	m := engine.Callback("/m", "test")
	m.Header = []http1.Field{{Name: "X-Both", Value: "mount"}, {Name: "X-Mount", Value: "m"}, {Name: "link", Value: "1"}, {Name: "Link", Value: "2"}}
	gone := engine.Redirect("/gone", 301, "/m")
	gone.Header = []http1.Field{{Name: "Location", Value: "/default"}}
	cfg := engine.Config{Loops: 1, Limits: quick, ServerString: "penstock", Vhosts: vhost(callbacks.Protocol{Name: "test", Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
		switch {
		case r == callbacks.AddHeaders:
			return s.AddHeader("X-Own", "101")
		case r != callbacks.HTTP:
			return nil
		case string(s.Request().Method()) == "DELETE":
			return s.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), callbacks.WriteHTTP)
		}
		for name, value := range http1.Pairs(s.Request().Query()) {
			if err := s.AddHeader(string(name), string(value)); err != nil {
				return err
			}
		}
		if err := s.Interim(103, http1.Field{Name: "Link", Value: "early"}); err != nil {
			return err
		}
		return s.Respond(200, "", nil)
	}})}
	cfg.Vhosts[0].Header = append(engine.SecurityHeader(), http1.Field{Name: "X-Both", Value: "vhost"}, http1.Field{Name: "X-Vhost", Value: "v"})
	cfg.Vhosts[0].Mounts = []engine.Mount{m, gone}
	return start(t, cfg)
}

func TestDefaultFields(t *testing.T) {
	v := dressed(t)
	p := v.dial(t)
	for _, c := range []struct {
		name, target string
		want         string // fields, in any order
	}{
		{"the vhost's", "/", "Server: penstock, X-Both: vhost, X-Vhost: v"},
		{"a mount's replace them", "/m", "Server: penstock, X-Both: mount, X-Vhost: v, X-Mount: m, Link: 1, Link: 2"},
		{"the program's replace those", "/m?x-both=own&X-New=n", "Server: penstock, X-Both: own, X-New: n, X-Vhost: v, X-Mount: m, Link: 1, Link: 2"},
		{"both of one name", "/m?Link=3", "Server: penstock, X-Both: mount, X-Vhost: v, X-Mount: m, Link: 3"},
		{"and the engine's", "/?Server=mine&X-Vhost=", "Server: mine, X-Both: vhost, X-Vhost: "},
		{"a name that begins like it", "/?X-Vhosts=1&X=X-Both:", "Server: penstock, X-Both: vhost, X-Vhost: v, X-Vhosts: 1, X: X-Both:"},
		{"two of the program's own", "/?X-Both=1&X-Both=2", "Server: penstock, X-Both: 1, X-Both: 2, X-Vhost: v"},
	} {
		p.send(get(c.target))
		if early, _ := p.response("GET"); early.StatusCode != 103 || len(early.Header) != 1 {
			t.Errorf("%s: 103 with %v", c.name, early.Header)
		}
		r := p.want(200, "")
		if got := fieldsOf(r.Header); got != sorted(strings.Split(c.want, ", ")) {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, sorted(strings.Split(c.want, ", ")))
		}
		for _, f := range engine.SecurityHeader() {
			if got := r.Header.Values(f.Name); len(got) != 1 || got[0] != f.Value {
				t.Errorf("%s: %s: %q", c.name, f.Name, got)
			}
		}
	}
	if r := p.send(get("/gone")).want(301, ""); !slices.Equal(r.Header.Values("Location"), []string{"/m"}) {
		t.Errorf("a redirect with a default Location: %q", r.Header)
	}
}

// fieldsOf are those of a response that are neither the engine's own nor SecurityHeader's.
func fieldsOf(h http.Header) string {
	var list []string
	for name, values := range h {
		own := slices.Contains([]string{"Date", "Content-Length", "Connection"}, name)
		if own || slices.ContainsFunc(engine.SecurityHeader(), func(f http1.Field) bool { return strings.EqualFold(f.Name, name) }) {
			continue
		}
		for _, v := range values {
			list = append(list, name+": "+v)
		}
	}
	return sorted(list)
}

func sorted(list []string) string {
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// TestDefaultFieldsOfErrors: what the engine answers has them too, whatever came before on
// the connection.
func TestDefaultFieldsOfErrors(t *testing.T) {
	v := dressed(t)
	p := v.dial(t).send(get("/m"))
	p.response("GET")
	p.want(200, "")
	r := p.send("GET / HTTP/1.1\r\nHost : x\r\n\r\n").want(400, "Bad Request\n")
	if r.Header.Get("X-Both") != "vhost" || r.Header.Get("X-Mount") != "" || r.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("%v", r.Header)
	}
}

// TestNoDefaultFields on 101, and on what the program writes itself.
func TestNoDefaultFields(t *testing.T) {
	v := dressed(t)
	_, r := v.upgrade(t)
	if r.Header.Get("X-Own") != "101" || r.Header.Get("X-Vhost") != "" || r.Header.Get("X-Frame-Options") != "" || r.Header.Get("Server") != "" {
		t.Errorf("101: %v", r.Header)
	}
	if r := v.dial(t).send(request("DELETE", "/")).want(200, ""); len(r.Header) != 1 {
		t.Errorf("raw: %v", r.Header)
	}
}

func TestFieldsThatCannotBe(t *testing.T) {
	for _, f := range []http1.Field{{Name: "Connection", Value: "close"}, {Name: "a b", Value: "c"}, {Name: "a", Value: "b\r\nc: d"}, {Name: "", Value: "x"}} {
		cfg := engine.Config{Vhosts: vhost(callbacks.Protocol{Callback: nothing})}
		cfg.Vhosts[0].Header = []http1.Field{f}
		if _, err := engine.New(cfg); !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%q: %v", f, err)
		}
	}
}

package engine

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"
)

// routed is a vhost with mounts at paths.
func routed(paths ...string) *vhost {
	v := &vhost{}
	for _, p := range paths {
		m := Mount{path: p}
		v.mounts = append(v.mounts, &mount{Mount: m, route: m.route()})
	}
	return v
}

func TestEverySpellingOfAPathLeadsToItsMount(t *testing.T) {
	v := routed("/a/admin", "/h\u00fc%20x", "/a", "/")
	for _, c := range []struct{ path, mount, rest string }{
		{"/a", "/a", ""},
		{"/a/", "/a", "/"},
		{"/ab", "/", "/ab"},
		{"/a/admin/x", "/a/admin", "/x"},
		{"/a/administrator", "/a", "/administrator"},
		{"/a/%61dmin/x", "/a/admin", "/x"},
		{"/%61/%61%64%6D%69%6e", "/a/admin", ""},
		{"//a/admin", "/a/admin", ""},
		{"/a//admin//x", "/a/admin", "//x"},
		{"/./a/./admin/./x", "/a/admin", "/./x"},
		{"/a/%2e/admin/x", "/a/admin", "/x"},
		{"/.//a/admin", "/a/admin", ""},
		{"/a/.admin/x", "/a", "/.admin/x"},
		{"/a%2Fadmin/x", "/a/admin", "/x"},
		{"/a%2fadmin%2fx", "/a/admin", "%2fx"},
		{"/%2fa/admin", "/a/admin", ""},
		{"/a/admin%20/x", "/a", "/admin%20/x"},
		{"/a/%2561dmin", "/a", "/%2561dmin"},
		{"/h%C3%BC%20x/y", "/h\u00fc%20x", "/y"},
		{"/a/b/../c", "/a", "/b/../c"},
		{"/a/admin/b/%2e%2e/c", "/a/admin", "/b/%2e%2e/c"},
		{"/A/admin", "/", "/A/admin"},
		{"*", "/", "*"},
	} {
		m, prefix, err := v.route([]byte(c.path))
		if err != nil || m == nil || m.path != c.mount || c.path[prefix:] != c.rest {
			t.Errorf("%s: got %+v and %q, %v; want %s and %q", c.path, m, c.path[prefix:], err, c.mount, c.rest)
		}
	}
	for _, p := range []string{"/x/../a/admin/s", "/a/x/../admin", "/a/x/%2e%2e/admin", "/a/admin/../s", "/a/admin/..", "/..%2fa", "/a/%2E./x"} {
		if m, _, err := v.route([]byte(p)); !errors.Is(err, errLeavesMount) {
			t.Errorf("%s: got %+v, %v", p, m, err)
		}
	}
}

func TestPathsWithoutAMount(t *testing.T) {
	v := routed("/a")
	for _, p := range []string{"/", "/b", "/%62", "//b", "/ab", "*"} {
		if m, prefix, err := v.route([]byte(p)); m != nil || prefix != 0 || err != nil {
			t.Errorf("%s: %+v, %d, %v", p, m, prefix, err)
		}
	}
	if _, _, err := routed().route([]byte("/a/../../b")); err != nil {
		t.Errorf("without mounts: %v", err)
	}
}

// FuzzRoute: whatever decodes and cleans a path cannot find itself in another mount than
// the one that the path was given to.
func FuzzRoute(f *testing.F) {
	for _, p := range []string{"/a/admin", "/%61/./admin", "//a%2fadmin/..", "/a/x/../admin", "/a/.%2e/a"} {
		f.Add(p)
	}
	v := routed("/a/admin", "/a", "/b c", "/")
	f.Fuzz(func(t *testing.T, p string) {
		decoded, err := url.PathUnescape(p)
		if !strings.HasPrefix(p, "/") || err != nil {
			return
		}
		m, prefix, err := v.route([]byte(p))
		if err != nil {
			return
		}
		clean := path.Clean(decoded)
		if want := v.mounted([]byte(clean)); m != want {
			t.Fatalf("%q is %q, which is %q's, and was given to %q", p, clean, want.path, m.path)
		}
		before, err := url.PathUnescape(p[:prefix])
		if err != nil || path.Clean(before+"/") != path.Clean(m.route+"/") {
			t.Fatalf("%q: %q is not the mount point %q: %v", p, before, m.route, err)
		}
	})
}

package engine

import (
	"net/http"
	"strings"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// appendCookies appends the one field that all cookies go in (RFC 6265 5.4): those
// of Header, of the program's AddHeader, and of the Jar.
func (d *dialRole) appendCookies(b []byte, s *session) ([]byte, error) {
	var all []string
	for _, f := range d.info.Header {
		if strings.EqualFold(f.Name, "Cookie") {
			all = append(all, f.Value)
		}
	}
	all = append(all, d.cookies...)
	if d.info.Jar != nil {
		kept, err := d.kept(s)
		if err != nil {
			return b, err
		}
		all = append(all, kept...)
	}
	if len(all) == 0 {
		return b, nil
	}
	return http1.AppendField(b, "Cookie", strings.Join(all, "; ")), nil
}

// kept are the Jar's cookies for the handshake. net/http writes them, so that what a
// Jar may hold is what a header may say.
func (d *dialRole) kept(s *session) (cookies []string, err error) {
	defer s.l.recovered(callbacks.ClientAppendHandshakeHeader, &err)
	u, err := d.info.url()
	if err != nil {
		return nil, err
	}
	r := http.Request{Header: http.Header{}}
	for _, c := range d.info.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	return r.Header["Cookie"], nil
}

// keep gives the Jar what the answer sets.
func (d *dialRole) keep(s *session) (err error) {
	defer s.l.recovered(callbacks.ClientFilterPreEstablish, &err)
	if d.info.Jar == nil {
		return nil
	}
	var set []*http.Cookie
	for line := range d.resp.Header().Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(string(line)); err == nil { // RFC 6265 5.2: else ignore it
			set = append(set, c)
		}
	}
	if len(set) == 0 {
		return nil
	}
	u, err := d.info.url()
	if err == nil {
		d.info.Jar.SetCookies(u, set)
	}
	return err
}

package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// redirectsMost is how many redirects in a row are followed; libwebsockets has the
// same bound.
const redirectsMost = 4

// errRedirected ends a link whose server has sent the client elsewhere. No program
// sees it, but as the cause of a wait that the server has asked for.
var errRedirected = errors.New("engine: redirected")

// isRedirect tells whether a response may be a redirect of a handshake (RFC 9110
// 15.4): every client that follows one asks again by GET, so all five mean the same.
func isRedirect(r *http1.Response) bool {
	switch r.Status() {
	case 301, 302, 303, 307, 308:
		return r.Header().Count("Location") == 1
	}
	return false
}

// follows tells whether an HTTP client goes where the response sends it: not with a
// body that it would have to send once more and does not have any more.
func (d *dialRole) follows() bool {
	if !isRedirect(&d.resp) || d.info.Flags&HTTPNoFollowRedirect != 0 {
		return false
	}
	_, body := d.info.after(d.resp.Status())
	return !body || d.x.facts&dialogueBegun == 0
}

// after is what a redirect with that status makes of the request (RFC 9110 15.4): its
// method, and whether it has a body.
func (i *ClientConnectInfo) after(status int) (method string, body bool) {
	switch {
	case status == 303 && i.Method != "HEAD", status <= 302 && i.Method == "POST":
		return "GET", false
	}
	return i.Method, i.BodyLength != 0
}

// redirect follows the response, or says why not. The link goes either way.
func (d *dialRole) redirect(s *session) error {
	location, _ := d.resp.Header().Get("Location")
	next, target, err := d.info.towards(string(location))
	refuse := func(text string) error {
		if d.info.http() {
			return &ResponseError{Status: d.resp.Status(), Text: text, Err: err}
		}
		return &HandshakeError{Status: d.resp.Status(), Text: text, Err: err}
	}
	switch {
	case err != nil:
		return refuse("a redirect that leads nowhere")
	case d.hops == redirectsMost:
		return refuse("too many redirects")
	case d.info.Flags&UseSSL != 0 && next.Flags&UseSSL == 0 && d.info.Flags&AcceptTLSDowngradeRedirects == 0:
		return refuse("a redirect away from TLS")
	}
	if err := d.tellOf(s, &d.resp, callbacks.ClientHTTPRedirect, target); err != nil {
		s.fail(err)
	}
	if s.state != stateOpen {
		return nil
	}
	d.heed(&d.resp)
	if d.info.http() {
		next.become(d.info.after(d.resp.Status()))
	}
	d.hops++
	d.hop = next
	if d.x != nil { // behind the event: what comes with the response must not be taken for the next
		s.later()
		return nil
	}
	s.shut(errRedirected)
	return nil
}

// become makes i a request with that method, and without what is about its body if it
// has none any more.
func (i *ClientConnectInfo) become(method string, body bool) {
	same := method == i.Method
	i.Method = method
	if body || same {
		return
	}
	i.BodyLength, i.ExpectContinue = 0, false
	i.Flags &^= HTTPXWWWFormURLEncoded
	i.Header = slices.DeleteFunc(slices.Clone(i.Header), func(f http1.Field) bool {
		return len(f.Name) > len("Content-") && strings.EqualFold(f.Name[:len("Content-")], "Content-")
	})
}

// redirected begins the attempt that a redirect asks for, in the place of the one
// that it has ended.
func (d *dialRole) redirected(s *session, to *ClientConnectInfo) bool {
	d.unlink(s)
	d.info = *to
	if n := d.line; n != nil && min(d.asked, n.policy.MaxRetryAfter) > 0 {
		return d.wait(s, n.policy.spread(min(d.asked, n.policy.MaxRetryAfter), s.l.jitter))
	}
	s.ext.err = nil
	d.dial(s)
	return true
}

// url is what the handshake asks for, by the scheme of HTTP.
func (i *ClientConnectInfo) url() (*url.URL, error) {
	scheme := "http://"
	if i.Flags&UseSSL != 0 {
		scheme = "https://"
	}
	return url.Parse(scheme + strings.ReplaceAll(i.host(), "%", "%25") + i.target()) // of an address's zone
}

// towards is where a Location leads, relative to i (RFC 3986 5), and as what URL.
func (i *ClientConnectInfo) towards(location string) (next *ClientConnectInfo, target string, err error) {
	base, err := i.url()
	if err != nil {
		return nil, "", err
	}
	to, err := url.Parse(location)
	if err != nil {
		return nil, "", err
	}
	switch to.Scheme {
	case "ws":
		to.Scheme = "http"
	case "wss":
		to.Scheme = "https"
	}
	to = base.ResolveReference(to)
	to.Fragment, to.RawFragment, to.User = "", "", nil
	j := *i
	j.Path = ascii(to.RequestURI())
	if to.Scheme != base.Scheme || !strings.EqualFold(authority(to), authority(base)) {
		if err := j.emigrate(to); err != nil {
			return nil, "", err
		}
	}
	if !i.http() {
		to.Scheme = map[string]string{"http": "ws", "https": "wss"}[to.Scheme]
	}
	return &j, to.String(), j.check()
}

// ascii is target with what RFC 9112 3.2 does not allow in one escaped.
func ascii(target string) string {
	var b []byte
	for i := range len(target) {
		if c := target[i]; c < 0x80 {
			b = append(b, c)
		} else {
			b = fmt.Appendf(b, "%%%02X", c)
		}
	}
	return string(b)
}

// authority is host and port of u.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// emigrate makes i lead to another origin, without what was meant for the first one.
func (i *ClientConnectInfo) emigrate(to *url.URL) error {
	i.Host, i.Port, i.abroad = "", 0, true
	i.Flags &= withoutTLS
	switch to.Scheme {
	case "http":
	case "https":
		i.Flags |= UseSSL
	default:
		return configErrorf("scheme %q", to.Scheme)
	}
	if port := to.Port(); port != "" {
		i.Port, _ = strconv.Atoi(port) // check sees its size
	}
	if i.Address = to.Hostname(); i.unix() {
		return configErrorf("host %q", i.Address)
	}
	i.Header = slices.DeleteFunc(slices.Clone(i.Header), func(f http1.Field) bool {
		return secret(f.Name)
	})
	if i.TLS != nil {
		i.TLS = foreign(i.TLS)
	}
	return nil
}

// secret tells whether a field says who this client is.
func secret(name string) bool {
	for _, s := range [...]string{"Authorization", "Proxy-Authorization", "Cookie"} {
		if strings.EqualFold(name, s) {
			return true
		}
	}
	return false
}

// foreign is cfg for an origin that it was not made for: whom it trusts stays, who it
// is, whom it expects and that it may not look do not.
func foreign(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	cfg.Certificates, cfg.GetClientCertificate = nil, nil
	cfg.ServerName, cfg.InsecureSkipVerify = "", false
	cfg.EncryptedClientHelloConfigList = nil
	return cfg
}

// heed notes for how long a response asks to be left alone.
func (d *dialRole) heed(r *http1.Response) { d.asked = retryAfter(r, time.Now()) }

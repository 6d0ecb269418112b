package engine

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/penstock-go/penstock/codec/http1"
)

// A handler may keep its Request for as long as it likes, so everything in one is made
// anew: of one string, which is the head as it came, and its substrings.

// newRequest is what the handler gets; its body is the caller's to set. It fails if
// net/url does not take the target, which is stricter than RFC 3986 about hosts.
func newRequest(q *http1.Request, ctx context.Context) (*http.Request, error) {
	head := string(q.Raw())
	line := head[strings.IndexByte(head, q.Method()[0]):] // empty lines may be before it
	method, target := line[:len(q.Method())], line[len(q.Method())+1:]
	target = target[:len(q.Target())]
	u, err := parseTarget(method, target)
	if err != nil {
		return nil, http1.NewError(http.StatusBadRequest, "net/url does not take the target: "+err.Error())
	}
	r := blank.WithContext(ctx)
	r.Method, r.URL, r.RequestURI = method, u, target
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, q.Minor()
	if r.ProtoMinor == 0 {
		r.Proto = "HTTP/1.0"
	}
	fields := line[strings.IndexByte(line, '\n')+1:]
	r.Header = requestHeader(q.Header(), fields)
	if r.Host = u.Host; r.Host == "" {
		r.Host = r.Header.Get("Host")
	}
	delete(r.Header, "Host")
	r.Close = !q.KeepAlive()
	frameRequest(r, q.Framing())
	return r, nil
}

// blank is what requests begin as: only WithContext gives one a context.
var blank http.Request

// parseTarget reads the target as net/http does: that of CONNECT is an authority.
func parseTarget(method, target string) (*url.URL, error) {
	if method != http.MethodConnect || strings.HasPrefix(target, "/") {
		return url.ParseRequestURI(target)
	}
	u, err := url.ParseRequestURI("http://" + target)
	if err == nil {
		u.Scheme = ""
	}
	return u, err
}

// requestHeader makes a map of the fields whose lines text begins with. The parser has
// seen them: each ends in CRLF, and there is no white space before a colon.
func requestHeader(h *http1.Header, text string) http.Header {
	n := h.Len()
	m := make(http.Header, n)
	values := make([]string, n)
	for i := range n {
		name, value := h.At(i)
		key := http.CanonicalHeaderKey(text[:len(name)])
		v := text[len(name)+1:]
		v = v[span(v):]
		values[i] = v[:len(value)]
		if had, ok := m[key]; ok {
			m[key] = append(had, values[i])
		} else {
			m[key] = values[i : i+1 : i+1]
		}
		text = v[len(value)+strings.IndexByte(v[len(value):], '\n')+1:]
	}
	return m
}

// span is how much white space v begins with.
func span(v string) (n int) {
	for n < len(v) && (v[n] == ' ' || v[n] == '\t') {
		n++
	}
	return n
}

// frameRequest takes the fields out of the header that say how the body is framed, and what
// else net/http's reading changes there.
func frameRequest(r *http.Request, f http1.Framing) {
	switch f.Kind {
	case http1.ContentLength:
		r.ContentLength = f.Length
	case http1.Chunked:
		r.ContentLength = -1
		r.TransferEncoding = []string{"chunked"}
		delete(r.Header, "Transfer-Encoding")
		announceTrailers(r)
	}
	if f.Empty() {
		r.Body = http.NoBody
	}
	if p := r.Header["Pragma"]; len(p) > 0 && p[0] == "no-cache" {
		if _, ok := r.Header["Cache-Control"]; !ok {
			r.Header["Cache-Control"] = []string{"no-cache"}
		}
	}
}

// announceTrailers makes the map that the trailers go to when they have come.
func announceTrailers(r *http.Request) {
	announced, ok := r.Header["Trailer"]
	if !ok {
		return
	}
	delete(r.Header, "Trailer")
	for _, list := range announced {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if !http1.ValidTrailer(name) {
				continue
			}
			if r.Trailer == nil {
				r.Trailer = make(http.Header)
			}
			r.Trailer[name] = nil
		}
	}
}

// connInfo is what handlers are told about a connection, kept for its next request.
type connInfo struct {
	remote string
	local  net.Addr
	tls    *tls.ConnectionState
	values *values // for the mount that had the last one
}

func newConnInfo(s *session) *connInfo {
	i := &connInfo{local: s.LocalAddr(), tls: s.TLS()}
	if p := s.link.Peer(); p.IsValid() {
		i.remote = p.String()
	} else if a := s.link.PeerAddr(); a != nil {
		i.remote = a.String()
	}
	return i
}

// base is the context of the contexts of one mount's requests.
func (i *connInfo) base(server *http.Server) context.Context {
	if i.values == nil || i.values.server != server {
		i.values = &values{context.Background(), server, i.local}
	}
	return i.values
}

// values has what net/http's server has in its contexts.
type values struct {
	context.Context
	server *http.Server
	local  net.Addr
}

// Value implements context.Context.
func (v *values) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return v.server
	case http.LocalAddrContextKey:
		return v.local
	}
	return nil
}

package engine

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/penstock-go/penstock/callbacks"
)

// AccessEntry is what Vhost.AccessLog hears of a request when it is over: it has been
// answered, refused, or given up. A request that was refused before its head could be
// read has those fields that are known: a malformed one has no Method, one whose head
// took too long neither. A connection over Limits.Connections has made no request.
//
// The entry and its slices are valid for the call.
type AccessEntry struct {
	// Time is when the request's head was complete, or refused, less what is before the
	// point: the first byte of a refused one.
	Time time.Time
	// Duration is the time from then until the last byte of the answer was written,
	// which is not when the client has it.
	Duration time.Duration
	// Session is the connection's Session.ID.
	Session uint64
	// Vhost is the name of the vhost that has answered.
	Vhost string
	// Remote is the client's address, invalid on a unix socket.
	Remote netip.AddrPort
	// TLS is the version, of crypto/tls's constants; 0 without TLS.
	TLS uint16
	// User is who Mount.BasicAuth has let in, nil if nobody was asked.
	User []byte

	// Method and Target are as they were sent. Whatever a client can send may be in
	// Target, User, Host, Referer and UserAgent but control characters: quotes, and
	// bytes that are no UTF-8.
	Method, Target []byte
	// Minor is the minor version of HTTP/1.
	Minor int
	// Host is what the request was for, Referer and UserAgent are its fields; nil if it
	// has none.
	Host, Referer, UserAgent []byte

	// Status is the answer's. It is 101 for what has become a WebSocket, whose life is not
	// logged, and 499, which nginx has made known, if the connection ended before an
	// answer was begun: its client went, or the program has closed it.
	Status int
	// Bytes is how much of the answer's body was written, without the framing. It is less
	// than the body if the connection ended inside.
	Bytes int64
}

// statusGone is the status of a request that has got none.
const statusGone = 499

// log tells the vhost's AccessLog about the transaction in hand, once.
func (h *httpRole) log(s *session) {
	f := s.vh.accessLog
	if f == nil || h.flags&httpLogged != 0 {
		return
	}
	h.flags |= httpLogged
	l := s.l
	e := &l.access
	*e = AccessEntry{Session: s.id, Vhost: s.vh.name, Status: h.answer, Bytes: h.sent, Remote: s.link.Peer()}
	since := l.r.Now()
	switch {
	case h.req != nil:
		since = h.begun
		h.describe(s, e)
	case h.own != nil:
		since = h.since
		e.Method, e.Target = h.own.Refused(l.refused)
	default:
		e.Method, e.Target = l.request.Refused(l.refused)
	}
	if e.Status == 0 {
		e.Status = statusGone
	}
	e.Duration = time.Duration(l.r.Now() - since)
	e.Time = time.Now().Add(-e.Duration)
	e.TLS = h.tlsVersion(s)
	l.logged(f, e)
	*e = AccessEntry{}
}

// tlsVersion is asked for once, since the answer is made of everything that TLS knows.
func (h *httpRole) tlsVersion(s *session) uint16 {
	if t, ok := s.link.(*secured); ok && h.tls == 0 {
		h.tls = t.tls.State().Version
	}
	return h.tls
}

// describe takes from the request's head.
func (h *httpRole) describe(s *session, e *AccessEntry) {
	q := h.req
	e.Method, e.Target, e.Minor, e.Host = q.Method(), q.Target(), q.Minor(), q.Host()
	e.Referer, _ = q.Header().Get("Referer")
	e.UserAgent, _ = q.Header().Get("User-Agent")
	if h.mount.authentication() != nil && h.flags&httpKnown != 0 {
		s.l.user, _ = q.AppendBasicAuth(s.l.user[:0])
		e.User, _, _ = bytes.Cut(s.l.user, []byte{':'})
	}
}

// logged calls the program.
func (l *loop) logged(f func(*AccessEntry), e *AccessEntry) {
	var err error
	defer l.recovered(callbacks.User, &err)
	f(e)
}

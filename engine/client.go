package engine

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/reactor"
)

// ClientFlags are libwebsockets' LCCSCF_ flags, with its values.
type ClientFlags uint32

// The flags of ClientConnectInfo. Those that allow something relax one check each:
// everything else about the certificate still has to be right.
const (
	// UseSSL connects with TLS.
	UseSSL ClientFlags = 1 << 0
	// AllowSelfSigned accepts a certificate that is self-signed, or ends in a CA
	// that is and that the server sends, though nobody here knows it.
	AllowSelfSigned ClientFlags = 1 << 1
	// SkipServerCertHostnameCheck accepts a certificate for another name.
	SkipServerCertHostnameCheck ClientFlags = 1 << 2
	// AllowExpired accepts certificates that are not valid any more, or not yet.
	AllowExpired ClientFlags = 1 << 3
	// AllowInsecure accepts any certificate.
	AllowInsecure ClientFlags = 1 << 4
	// HTTPXWWWFormURLEncoded gives an HTTP request the Content-Type of a form,
	// application/x-www-form-urlencoded.
	HTTPXWWWFormURLEncoded ClientFlags = 1 << 11
	// HTTPNoFollowRedirect takes a redirect for the refusal that it otherwise is not, and
	// in HTTP for the response.
	HTTPNoFollowRedirect ClientFlags = 1 << 12
	// Pipeline makes an HTTP request on a connection that an earlier one with this flag
	// has left, if there is one to the same origin, and leaves its own for the next.
	// Without it the connection is closed behind the response. One request follows the
	// other's response: what the name says in RFC 9112 9.3.2 is not done.
	Pipeline ClientFlags = 1 << 16
	// AcceptTLSDowngradeRedirects follows redirects from TLS to none, too: wss to ws,
	// https to http.
	AcceptTLSDowngradeRedirects ClientFlags = 1 << 29
)

// withoutTLS are the flags that mean something without UseSSL.
const withoutTLS = HTTPXWWWFormURLEncoded | HTTPNoFollowRedirect | Pipeline | AcceptTLSDowngradeRedirects

// ClientConnectInfo says where to connect and as what; the fields are those of
// libwebsockets' lws_client_connect_info.
//
// A server may answer with a redirect: 301, 302, 303, 307 or 308 with a Location, of
// which four in a row are followed, each announced by ClientHTTPRedirect. Another
// upstream is told nothing that was meant for the first: Host, the Authorization,
// Proxy-Authorization and Cookie of Header and of Session.AddHeader, and of TLS and
// ClientTLS the certificates and ServerName; nor do the flags that relax the
// verification hold there. Secrets in other fields are the program's to keep: it can
// refuse in ClientHTTPRedirect.
type ClientConnectInfo struct {
	// Address is a host name, an IP address, or "+/path" for a unix socket ("+@name"
	// for an abstract one). Required.
	Address string
	// Port is that of a TCP connection; 0 means 80, or 443 with UseSSL.
	Port int
	// Path is the request's target, with its query; "" means "/".
	Path string
	// Host is the Host field; "" means Address, with the port if it is not the usual
	// one. With TLS it is also who the server has to be, and what SNI says.
	Host string
	// Origin is the Origin field; "" sends none.
	Origin string
	// Protocol lists the subprotocols to offer, separated by commas; "" offers none.
	Protocol string
	// Method is "" for a WebSocket, "RAW" for a raw session, or that of an HTTP request:
	// any but CONNECT, which Proxy is for. With OPTIONS the Path may be "*".
	Method string
	// BodyLength is how long the body of an HTTP request is, 0 for none; a negative value
	// says that nobody knows, and the body is sent in chunks. ClientHTTPWriteable asks
	// for it.
	BodyLength int64
	// ExpectContinue has the server asked, by Expect: 100-continue (RFC 9110 10.1.1),
	// whether it wants the body; one that does not say within a second gets it. A body
	// of more than a megabyte is announced so in any case.
	ExpectContinue bool
	// Gzip asks for the response in gzip, if Accept-Encoding and Range are not among the
	// fields that the program sends, and decompresses what comes so. Session.Response is
	// as it came. Limits.Inflated bounds what becomes of it.
	Gzip bool
	// Timeout is how long an HTTP transaction may take, from Connect to
	// CompletedClientHTTP, with all redirects and further attempts; ErrTimeout. 0 is no
	// limit.
	Timeout time.Duration
	// Flags choose TLS and what it tolerates.
	Flags ClientFlags
	// TLS is what a connection with UseSSL is made with, for example with a client
	// certificate of its own, in the place of the vhost's ClientTLS, of which only
	// the CAs are left if RootCAs is nil. It is cloned by Connect. ServerName, if set,
	// replaces Host for SNI and verification. Sessions are resumed only if it has a
	// ClientSessionCache, which is not to block; see ClientTLS.Config.
	TLS *tls.Config
	// ALPN lists the protocols to offer in TLS, separated by commas; "" means the
	// NextProtos of TLS or ClientTLS.Config, and if there are none "http/1.1", or
	// nothing for a raw session.
	ALPN string
	// Header is sent with the handshake. What the engine writes itself cannot be
	// replaced.
	Header []http1.Field
	// Jar has the cookies to send, and is given those that a server sets with its
	// answer to the handshake, whatever that is. ws counts as http and wss as https. It
	// is called on the loop and must not block, and if clients on several loops share it,
	// by several goroutines; to it all unix sockets are localhost; nil is none. Cookies of Header and of
	// ClientAppendHandshakeHeader are sent before those of the Jar, in one field.
	Jar http.CookieJar
	// Proxy is where to connect to instead, and whom to ask for a connection to Address:
	// "http://user:password@host:port" by CONNECT (RFC 9110 9.3.6) with Basic
	// authentication, or "socks5://user:password@host:port" (RFC 1928 and 1929);
	// "socks5h" means the same. User and password may be left out, the port is 80 or
	// 1080 then. Names are resolved by the proxy. TLS is between this end and the
	// server. A proxy's refusal is a *ProxyError; its time is Limits.HandshakeTimeout.
	// Session.RemoteAddr is the proxy's address. Not for unix sockets; "" is none.
	Proxy string
	// Retry says what follows when the connection cannot be made, or is lost. nil
	// reports the first failure by ClientConnectionError, and connects once. Connect
	// copies it.
	Retry *RetryPolicy
	// Vhost names the vhost that the session belongs to; "" is the first.
	Vhost string
	// LocalProtocolName is the protocol whose Callback is called; "" means the one
	// agreed on, or the vhost's first.
	LocalProtocolName string
	// Iface is the source IP address; "" lets the system choose.
	Iface string
	// UserData is the session's first UserData.
	UserData any
	// Parent, a session in one of whose callbacks Connect is called, hears
	// ChildClosing when this session has ended, and lends it its loop.
	Parent callbacks.Session
	// ConnectTimeout replaces Limits.ConnectTimeout.
	ConnectTimeout time.Duration
	// Delay leaves Nagle's algorithm on.
	Delay bool
	// KeepAlive is the idle time before TCP keep-alive probes; 0 sends none.
	KeepAlive time.Duration

	abroad bool        // a redirect has led to another origin
	given  *tls.Config // TLS before it was cloned

	// Of a RoundTripper's requests.
	named   string // whom the certificate has to name, if that is not Host
	upgrade string // the Upgrade field: a 101 is welcome
	options string // of Connection, each with ", " behind it
	plainly bool   // Expect only if ExpectContinue
}

// ParseClientURL turns a ws, wss, http or https URL into what Connect needs: flags,
// address, port and path, and with the last two the Method GET.
func ParseClientURL(target string) (ClientConnectInfo, error) {
	var info ClientConnectInfo
	u, err := url.Parse(target)
	if err != nil {
		return info, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	switch u.Scheme {
	case "ws", "http":
		info.Port = 80
	case "wss", "https":
		info.Port, info.Flags = 443, UseSSL
	default:
		return info, configErrorf("%q is no ws, wss, http or https URL", target)
	}
	if u.Scheme[0] == 'h' {
		info.Method = "GET"
	}
	if p := u.Port(); p != "" {
		info.Port, _ = strconv.Atoi(p) // url.Parse has seen digits; check sees their size
	}
	info.Address, info.Path = u.Hostname(), u.RequestURI()
	return info, info.check()
}

// Connect begins to connect a client session and returns at once. Its callbacks
// come later, never from inside Connect: in the end either ClientEstablished and
// ClientClosed, or with an HTTP method EstablishedClientHTTP and ClosedClientHTTP, or
// ClientConnectionError, exactly once. The error is for what is wrong with info, or
// ErrClosed.
//
// With RetryPolicy.Reconnect the Handle, and the Session.Handle of all its sessions,
// refers to whichever session is the current one, and to none when there will be no
// other.
func (e *Engine) Connect(info ClientConnectInfo) (callbacks.Handle, error) {
	v := e.vhost(info.Vhost)
	if v == nil {
		return nil, configErrorf("no vhost %q to connect from", info.Vhost)
	}
	s, err := e.client(v, info)
	if err != nil {
		return nil, err
	}
	h := s.outside() // once it is posted, s is the loop's
	if err := s.launch(); err != nil {
		return nil, err
	}
	return h, nil
}

// client makes the session of a client on the loop that is to have it.
func (e *Engine) client(v *vhost, info ClientConnectInfo) (*session, error) {
	if err := info.check(); err != nil {
		return nil, err
	}
	if err := e.Listen(); err != nil {
		return nil, err
	}
	info.own()
	l, parent := e.loopFor(&info, v)
	s := l.newClient(v, info, newLine(l, &info), info.UserData)
	if parent != nil {
		s.extend().parent = parent
	}
	if s.proto == nil {
		return nil, configErrorf("vhost %q has no protocol %q", v.name, info.LocalProtocolName)
	}
	return s, nil
}

// launch has the loop begin with s.
func (s *session) launch() error {
	if s.l.r.Post(reactor.Func(func() { s.role.(*dialRole).start(s) })) != nil {
		return ErrClosed
	}
	return nil
}

// own makes i independent of what the caller has.
func (i *ClientConnectInfo) own() {
	i.Header = slices.Clone(i.Header)
	if i.given = i.TLS; i.TLS != nil {
		i.TLS = i.TLS.Clone()
	}
	if i.Retry != nil {
		i.Retry = i.Retry.withDefaults()
	}
}

// newClient makes the session of a client that has not begun. Its protocol is nil if
// there is none of its name.
func (l *loop) newClient(v *vhost, info ClientConnectInfo, n *line, user any) *session {
	d := &dialRole{info: info, line: n}
	s := &session{l: l, vh: v, role: d, flags: flagClient, user: user, id: l.e.lastID.Add(1)}
	s.proto = d.localProtocol(v)
	if n != nil {
		s.extend().line = n
		n.current = s
	}
	return s
}

func (e *Engine) vhost(name string) *vhost {
	if name == "" {
		return e.vhosts[0]
	}
	for _, v := range e.vhosts {
		if v.name == strings.ToLower(name) {
			return v
		}
	}
	return nil
}

// loopFor chooses the loop of a new client: its parent's, so that the two never
// cross threads, or that of a connection it can use, or the next one.
func (e *Engine) loopFor(info *ClientConnectInfo, v *vhost) (*loop, *session) {
	if p, ok := info.Parent.(*session); ok {
		return p.l, p
	}
	if info.http() && info.Flags&Pipeline != 0 {
		if i, ok := e.upstreams.prefer(info.key(v), e.limits.OriginConnections); ok {
			return e.loops[i], nil
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn++
	return e.loops[e.turn%len(e.loops)], nil
}

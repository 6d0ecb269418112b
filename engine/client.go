package engine

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
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
)

// ClientConnectInfo says where to connect and as what; the fields are those of
// libwebsockets' lws_client_connect_info.
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
	// Method is "" for a WebSocket, or "RAW" for a raw session.
	Method string
	// Flags choose TLS and what it tolerates.
	Flags ClientFlags
	// TLS is what a connection with UseSSL is made with, for example with a client
	// certificate of its own, in the place of the vhost's ClientTLS, of which only
	// the CAs are left if RootCAs is nil. It is cloned by Connect. ServerName, if set, replaces Host for SNI and verification. Sessions
	// are resumed only if it has a ClientSessionCache, which is not to block; see
	// ClientTLS.Config.
	TLS *tls.Config
	// ALPN lists the protocols to offer in TLS, separated by commas; "" means the
	// NextProtos of TLS or ClientTLS.Config, and if there are none "http/1.1", or
	// nothing for a raw session.
	ALPN string
	// Header is sent with the handshake. What the engine writes itself cannot be
	// replaced.
	Header []http1.Field
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
}

// ParseClientURL turns a ws or wss URL into what Connect needs: flags, address,
// port and path.
func ParseClientURL(target string) (ClientConnectInfo, error) {
	var info ClientConnectInfo
	u, err := url.Parse(target)
	if err != nil {
		return info, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	switch u.Scheme {
	case "ws":
		info.Port = 80
	case "wss":
		info.Port, info.Flags = 443, UseSSL
	default:
		return info, configErrorf("%q is no ws or wss URL", target)
	}
	if p := u.Port(); p != "" {
		info.Port, _ = strconv.Atoi(p) // url.Parse has seen digits; check sees their size
	}
	info.Address, info.Path = u.Hostname(), u.RequestURI()
	return info, info.check()
}

// Connect begins to connect a client session and returns at once. Its callbacks
// come later, never from inside Connect: in the end either ClientEstablished and
// ClientClosed, or ClientConnectionError, exactly once. The error is for what is
// wrong with info, or ErrClosed.
func (e *Engine) Connect(info ClientConnectInfo) (callbacks.Handle, error) {
	if err := info.check(); err != nil {
		return nil, err
	}
	if err := e.Listen(); err != nil {
		return nil, err
	}
	v := e.vhost(info.Vhost)
	if v == nil {
		return nil, configErrorf("no vhost %q to connect from", info.Vhost)
	}
	l, parent := e.loopFor(&info)
	info.Header = slices.Clone(info.Header)
	if info.TLS != nil {
		info.TLS = info.TLS.Clone()
	}
	d := &dialRole{info: info}
	s := &session{l: l, vh: v, role: d, flags: flagClient, user: info.UserData, id: e.lastID.Add(1)}
	if parent != nil {
		s.extend().parent = parent
	}
	if s.proto = d.localProtocol(v); s.proto == nil {
		return nil, configErrorf("vhost %q has no protocol %q", v.name, info.LocalProtocolName)
	}
	if l.r.Post(reactor.Func(func() { d.start(s) })) != nil {
		return nil, ErrClosed
	}
	return (*handle)(s), nil
}

func (i *ClientConnectInfo) check() error {
	switch {
	case i.Address == "":
		return configErrorf("no address to connect to")
	case i.Port < 0 || i.Port > 65535:
		return configErrorf("port %d", i.Port)
	case i.Flags != 0 && i.Flags&UseSSL == 0:
		return configErrorf("flags %#x without UseSSL", uint32(i.Flags))
	case i.Method != "" && i.Method != "RAW":
		return configErrorf("method %q: only WebSocket and RAW clients", i.Method)
	case strings.ContainsAny(i.Path, " \r\n\t#") || !http1.ValidValue(i.Path):
		return configErrorf("path %q", i.Path)
	case !http1.ValidValue(i.Host) || !http1.ValidValue(i.Origin):
		return configErrorf("host %q or origin %q", i.Host, i.Origin)
	}
	for _, name := range i.protocols() {
		if !http1.ValidName(name) {
			return configErrorf("protocol %q is no token", name)
		}
	}
	for _, f := range i.Header {
		if checkField(f.Name, f.Value) != nil {
			return configErrorf("header field %q: %q", f.Name, f.Value)
		}
	}
	if i.Iface != "" {
		if _, err := netip.ParseAddr(i.Iface); err != nil {
			return configErrorf("iface %q is no IP address", i.Iface)
		}
	}
	return nil
}

// protocols are the subprotocols to offer.
func (i *ClientConnectInfo) protocols() (names []string) { return list(i.Protocol) }

// list takes a list separated by commas apart.
func list(text string) (names []string) {
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func (i *ClientConnectInfo) port() int {
	if i.Port == 0 {
		return i.usualPort()
	}
	return i.Port
}

func (i *ClientConnectInfo) usualPort() int {
	if i.Flags&UseSSL != 0 {
		return 443
	}
	return 80
}

// host is the value of Host (RFC 9110 7.2).
func (i *ClientConnectInfo) host() string {
	switch {
	case i.Host != "":
		return i.Host
	case strings.HasPrefix(i.Address, "+"):
		return "localhost"
	case i.port() != i.usualPort():
		return net.JoinHostPort(i.Address, strconv.Itoa(i.port()))
	case strings.Contains(i.Address, ":"):
		return "[" + i.Address + "]"
	}
	return i.Address
}

// dialConfig is what the reactor needs to know.
func (i *ClientConnectInfo) dialConfig(lim *Limits) reactor.DialConfig {
	cfg := reactor.DialConfig{Network: "tcp", Host: i.Address, Port: uint16(i.port()), Timeout: lim.ConnectTimeout,
		Options: reactor.Options{Delay: i.Delay, KeepAlive: i.KeepAlive}}
	if path, ok := strings.CutPrefix(i.Address, "+"); ok {
		cfg.Network, cfg.Host = "unix", path
	}
	if i.ConnectTimeout > 0 {
		cfg.Timeout = i.ConnectTimeout
	}
	if i.Iface != "" {
		cfg.Local, _ = netip.ParseAddr(i.Iface) // checked
	}
	return cfg
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
// cross threads, or the next one.
func (e *Engine) loopFor(info *ClientConnectInfo) (*loop, *session) {
	if p, ok := info.Parent.(*session); ok {
		return p.l, p
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn++
	return e.loops[e.turn%len(e.loops)], nil
}

// HandshakeError says that a server did not open a WebSocket.
type HandshakeError struct {
	// Status is the response's, 0 if there was no good one.
	Status int
	// Text says what was wrong.
	Text string
}

// Error tells both.
func (h *HandshakeError) Error() string {
	if h.Status == 0 {
		return "engine: handshake: " + h.Text
	}
	return fmt.Sprintf("engine: handshake: status %d: %s", h.Status, h.Text)
}

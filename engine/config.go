package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/internal/kernel"
)

// Config is what an Engine is made of. New copies it; later changes have no
// effect.
type Config struct {
	// Vhosts are the servers, and what clients belong to. There is at least one.
	Vhosts []Vhost
	// Loops is the number of event loops; 0 means GOMAXPROCS.
	Loops int
	// Limits bounds everything remote.
	Limits Limits
	// Logger takes what goes wrong; nil means slog.Default().
	Logger *slog.Logger
	// ServerString is the value of a Server field in responses; "" sends none.
	ServerString string

	// Broker carries what is published; nil keeps it in the engine.
	Broker Broker

	kernel kernel.Kernel // tests run on a simulated one
}

// Vhost is one virtual host: where it listens and what it speaks. Vhosts that
// name the same address share its socket, and requests choose by Host; the
// first of them takes what matches none.
type Vhost struct {
	// Name is matched with a request's Host, without port, case and a dot at the end:
	// exactly, or as "*.example.com" for every name below, of which the longest wins. An
	// IPv6 address has its brackets. "" matches nothing and is for a vhost that is alone
	// or first.
	Name string
	// Listen are addresses: "tcp://:7681", "tcp4://127.0.0.1:80", "tcp6://[::1]:80",
	// "unix:///run/app.sock", "unix://@name" for an abstract one (Linux). Port 0
	// takes any; Engine.Addrs tells which. Empty is a vhost for clients only.
	Listen []string
	// Listeners are taken over beside: net.Listeners, or *os.Files from a service
	// manager. They are duplicated; close your own.
	Listeners []any
	// V6Only keeps "tcp6" listeners from taking IPv4 connections as well.
	V6Only bool
	// Protocols are what sessions can speak; see callbacks.Protocol for what the first one
	// is for. A vhost of mounts that are no Callbacks needs none, and then nobody can open
	// a WebSocket on it; every other vhost has at least one.
	Protocols []callbacks.Protocol
	// Mounts route paths. The longest prefix that ends at a slash wins, in whatever way a
	// request spells it: with escapes, double slashes, or segments of one dot. A path
	// whose ".." would lead from one mount to another is answered with 400.
	Mounts []Mount
	// Header is sent with every response to a request, and not with 101 and what else is
	// interim. A field that a mount has, or that the program adds, replaces one of
	// the same name. SecurityHeader is a list for it. What the program writes as a raw
	// response is left as it is.
	Header []http1.Field
	// ErrorPages are sent, by status, where the engine answers with an error itself or
	// for an error of a callback; 0 is for all that have none of their own. What
	// the program answers by Respond is the program's. Without, it is the phrase of the
	// status.
	ErrorPages map[int]ErrorPage
	// AccessLog hears of every request when it is over; CombinedLog and JSONLog make one.
	// It is called on the request's loop, and on several at the same time, so it must not
	// block. A panic ends no session.
	AccessLog func(*AccessEntry)
	// RawProtocol is the name of the protocol that connections of this vhost's
	// listeners speak from their first byte, without HTTP: libwebsockets'
	// listen_accept_role "raw-skt" with listen_accept_protocol.
	RawProtocol string
	// TLS makes the listeners speak TLS; nil leaves them without.
	TLS *ServerTLS
	// ClientTLS is for clients of this vhost that connect with UseSSL; nil trusts the
	// system's CAs, and does not raise OpenSSLLoadExtraClientVerifyCerts.
	ClientTLS *ClientTLS
	// KeepAlive is the idle time before TCP keep-alive probes; 0 sends none.
	KeepAlive time.Duration
	// Delay leaves Nagle's algorithm on.
	Delay bool
}

// ErrConfig is in every error of New.
var ErrConfig = errors.New("engine: bad configuration")

func configErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...)
}

// check finds what New refuses.
func (c *Config) check() error {
	if len(c.Vhosts) == 0 {
		return configErrorf("no vhost")
	}
	if !http1.ValidValue(c.ServerString) {
		return configErrorf("ServerString %q", c.ServerString)
	}
	for i := range c.Vhosts {
		if err := c.Vhosts[i].check(); err != nil {
			return fmt.Errorf("%w (vhost %d %q)", err, i, c.Vhosts[i].Name)
		}
	}
	return c.checkShared()
}

// checkShared finds vhosts that cannot share an address.
func (c *Config) checkShared() error {
	first, names := map[string]*Vhost{}, map[string]bool{}
	for i := range c.Vhosts {
		v := &c.Vhosts[i]
		if v.Name != "" && names[hostName(v.Name)] {
			return configErrorf("two vhosts %q", v.Name)
		}
		names[hostName(v.Name)] = true
		for _, a := range v.Listen {
			network, address, _ := splitListen(a) // has been checked
			key := network + "://" + address
			f := first[key]
			switch {
			case f == nil:
				first[key] = v
			case f == v:
				return configErrorf("vhost %q listens on %s twice", v.Name, a)
			case f.RawProtocol != v.RawProtocol || f.V6Only != v.V6Only || f.Delay != v.Delay || f.KeepAlive != v.KeepAlive ||
				(f.TLS == nil) != (v.TLS == nil):
				return configErrorf("vhosts %q and %q share %s and want different sockets", f.Name, v.Name, a)
			}
		}
	}
	return nil
}

func (v *Vhost) check() error {
	if len(v.Protocols) == 0 && (len(v.Mounts) == 0 || v.RawProtocol != "") {
		return configErrorf("no protocol, and no mount that needs none")
	}
	names := map[string]bool{}
	for _, p := range v.Protocols {
		switch {
		case p.Callback == nil:
			return configErrorf("protocol %q has no callback", p.Name)
		case p.Name != "" && !http1.ValidName(p.Name):
			return configErrorf("protocol name %q is no token", p.Name)
		case names[p.Name]:
			return configErrorf("two protocols %q", p.Name)
		}
		if p.Deflate != nil {
			if err := p.Deflate.Validate(); err != nil {
				return configErrorf("protocol %q: %w", p.Name, err)
			}
		}
		if _, err := newOrigins(p.Origins); err != nil {
			return fmt.Errorf("%w (protocol %q)", err, p.Name)
		}
		names[p.Name] = true
	}
	if err := v.checkWeb(); err != nil {
		return err
	}
	if v.RawProtocol != "" && !names[v.RawProtocol] {
		return configErrorf("RawProtocol %q is none of the protocols", v.RawProtocol)
	}
	for _, a := range v.Listen {
		if _, _, err := splitListen(a); err != nil {
			return err
		}
	}
	return v.checkMounts(names)
}

// checkWeb finds what is wrong about names and responses.
func (v *Vhost) checkWeb() error {
	if len(withoutPort([]byte(v.Name))) != len(v.Name) {
		return configErrorf("name %q has a port, or an IPv6 address without brackets", v.Name)
	}
	if err := checkHeader(v.Header); err != nil {
		return configErrorf("%w", err)
	}
	return checkErrorPages(v.ErrorPages)
}

func checkHeader(list []http1.Field) error {
	for _, f := range list {
		if err := checkField(f.Name, f.Value); err != nil {
			return fmt.Errorf("header field %q: %q: %w", f.Name, f.Value, err)
		}
	}
	return nil
}

func (v *Vhost) checkMounts(names map[string]bool) error {
	paths := map[string]bool{}
	for i := range v.Mounts {
		m := &v.Mounts[i]
		if err := m.check(names); err != nil {
			return err
		}
		path := m.route()
		if paths[path] {
			return configErrorf("two mounts at %q", m.path)
		}
		paths[path] = true
	}
	return nil
}

// splitListen takes a listen address apart.
func splitListen(a string) (network, address string, err error) {
	network, address, found := strings.Cut(a, "://")
	if !found {
		network, address = "tcp", a
	}
	switch network {
	case "tcp", "tcp4", "tcp6":
		_, port, err := net.SplitHostPort(address)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		if err != nil {
			return "", "", configErrorf("listen %q: %v", a, err)
		}
	case "unix":
		if address == "" {
			return "", "", configErrorf("listen %q: no path", a)
		}
	default:
		return "", "", configErrorf("listen %q: no such network", a)
	}
	return network, address, nil
}

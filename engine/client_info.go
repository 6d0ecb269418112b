package engine

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/internal/proxy"
	"github.com/penstock-go/penstock/reactor"
)

func (i *ClientConnectInfo) check() error {
	switch {
	case i.Address == "":
		return configErrorf("no address to connect to")
	case !i.unix() && (strings.ContainsAny(i.Address, " \t") || !http1.ValidValue(i.Address)):
		return configErrorf("address %q", i.Address)
	case i.Port < 0 || i.Port > 65535:
		return configErrorf("port %d", i.Port)
	case i.Flags&^withoutTLS != 0 && i.Flags&UseSSL == 0:
		return configErrorf("flags %#x without UseSSL", uint32(i.Flags))
	case !i.validPath():
		return configErrorf("path %q", i.Path)
	case i.Host != "" && !http1.ValidHost(i.Host), !http1.ValidValue(i.Origin):
		return configErrorf("host %q or origin %q", i.Host, i.Origin)
	case i.upgrade != "" && !validUpgrade(i.upgrade):
		return configErrorf("upgrade %q", i.upgrade)
	}
	for _, name := range i.protocols() {
		if !http1.ValidName(name) {
			return configErrorf("protocol %q is no token", name)
		}
	}
	for _, f := range i.Header {
		if i.checkField(f.Name, f.Value) != nil {
			return configErrorf("header field %q: %q", f.Name, f.Value)
		}
	}
	if err := i.checkMethod(); err != nil {
		return err
	}
	if i.Iface != "" {
		if _, err := netip.ParseAddr(i.Iface); err != nil {
			return configErrorf("iface %q is no IP address", i.Iface)
		}
	}
	if err := i.checkProxy(); err != nil {
		return err
	}
	return i.Retry.check()
}

func (i *ClientConnectInfo) validPath() bool {
	if i.Path == "*" && i.Method == "OPTIONS" { // RFC 9112 3.2.4
		return true
	}
	return i.target()[0] == '/' && !strings.ContainsAny(i.Path, " \t#") && http1.ValidValue(i.Path)
}

// http tells whether i asks for an HTTP transaction.
func (i *ClientConnectInfo) http() bool { return i.Method != "" && i.Method != "RAW" }

// checkMethod looks at what is about HTTP requests.
func (i *ClientConnectInfo) checkMethod() error {
	switch {
	case !i.http():
		if i.BodyLength != 0 || i.ExpectContinue || i.Gzip || i.Timeout != 0 {
			return configErrorf("a body or a Timeout without an HTTP method")
		}
	case !http1.ValidName(i.Method) || i.Method == "CONNECT":
		return configErrorf("method %q", i.Method)
	case i.Method == "TRACE" && i.BodyLength != 0: // RFC 9110 9.3.8
		return configErrorf("TRACE with a body")
	case i.ExpectContinue && i.BodyLength == 0:
		return configErrorf("ExpectContinue without a body")
	case i.Timeout < 0:
		return configErrorf("Timeout %v", i.Timeout)
	}
	return nil
}

// checkField refuses malformed fields and those that the engine writes itself.
func (i *ClientConnectInfo) checkField(name, value string) error {
	if !i.http() {
		return checkField(name, value)
	}
	return checkRequestField(name, value)
}

// checkProxy looks whether there is a way by the Proxy.
func (i *ClientConnectInfo) checkProxy() error {
	if i.Proxy == "" {
		return nil
	}
	if i.unix() {
		return configErrorf("a proxy for the unix socket %q", i.Address)
	}
	p, err := proxy.Parse(i.Proxy)
	if err == nil {
		err = p.Reaches(i.Address)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

// unix tells whether the address is that of a unix socket.
func (i *ClientConnectInfo) unix() bool { return strings.HasPrefix(i.Address, "+") }

// validUpgrade tells whether value is a list of protocols, each a token that may have a
// version, another token, behind it (RFC 9110 7.8).
func validUpgrade(value string) bool {
	names := list(value)
	for _, p := range names {
		name, version, versioned := strings.Cut(p, "/")
		if !http1.ValidName(name) || versioned && !http1.ValidName(version) {
			return false
		}
	}
	return len(names) > 0 && http1.ValidValue(value)
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

// target is the request's.
func (i *ClientConnectInfo) target() string {
	if i.Path == "" {
		return "/"
	}
	return i.Path
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
	case i.unix():
		return "localhost"
	case i.port() != i.usualPort():
		return net.JoinHostPort(i.Address, strconv.Itoa(i.port()))
	case strings.Contains(i.Address, ":"):
		return "[" + i.Address + "]"
	}
	return i.Address
}

// dialConfig is what the reactor needs to know; via is the proxy, or nil.
func (i *ClientConnectInfo) dialConfig(via *proxy.Server, lim *Limits) reactor.DialConfig {
	cfg := reactor.DialConfig{Network: "tcp", Host: i.Address, Port: uint16(i.port()), Timeout: lim.ConnectTimeout,
		Options: reactor.Options{Delay: i.Delay, KeepAlive: i.KeepAlive}}
	if path, ok := strings.CutPrefix(i.Address, "+"); ok {
		cfg.Network, cfg.Host = "unix", path
	}
	if via != nil {
		cfg.Host, cfg.Port = via.Host, via.Port
	}
	if i.ConnectTimeout > 0 {
		cfg.Timeout = i.ConnectTimeout
	}
	if i.Iface != "" {
		cfg.Local, _ = netip.ParseAddr(i.Iface) // checked
	}
	return cfg
}

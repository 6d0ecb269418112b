package engine

import (
	"net"
	"strconv"

	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/internal/proxy"
	"github.com/penstock-go/penstock/reactor"
)

// tunnel is what a client says to a proxy before the connection is to its server:
//
//	dig        the connection is there: the first message
//	tunnelled  each answer, until there is a way, or there is none
//	through    everything else goes as if there had been no proxy
type tunnel struct {
	via     *proxy.Server
	socks   proxy.Socks5
	resp    http1.Response
	interim int
}

// via is the way by a proxy, or nil.
func (i *ClientConnectInfo) via() *proxy.Server {
	if i.Proxy == "" {
		return nil
	}
	p, _ := proxy.Parse(i.Proxy) // checked
	return p
}

// dig begins to make a tunnel of the connection.
func (d *dialRole) dig(s *session, via *proxy.Server) {
	d.tunnel = &tunnel{via: via}
	b := s.begin()
	if via.Kind == proxy.HTTP {
		b = via.AppendConnect(b, net.JoinHostPort(d.info.Address, strconv.Itoa(d.info.port())))
	} else {
		b = d.tunnel.socks.Greet(b, via, d.info.Address, uint16(d.info.port()))
	}
	s.commit(b)
	s.deadlineIn(s.l.e.limits.HandshakeTimeout)
}

// tunnelled takes what the proxy says.
func (d *dialRole) tunnelled(s *session, b []byte) int {
	if d.tunnel.via.Kind == proxy.HTTP {
		return d.connectAnswered(s, b)
	}
	x := &d.tunnel.socks
	out, n, err := x.Next(s.begin(), b)
	s.commit(out)
	switch reply, failed := err.(proxy.Reply); {
	case failed:
		s.shut(&ProxyError{Reply: int(reply), Text: "no connection to the server", Err: reply})
	case err != nil:
		s.shut(&ProxyError{Err: err})
	case x.Done():
		d.through(s)
	}
	return n
}

// connectAnswered takes the response to CONNECT. One of 2xx has no body, whatever it
// says: what follows is the server's (RFC 9110 9.3.6).
func (d *dialRole) connectAnswered(s *session, b []byte) int {
	t := d.tunnel
	n, err := http1.ParseResponse(b, &t.resp, &s.l.e.limits.HTTP)
	if err != nil {
		s.shut(&ProxyError{Text: "the answer is no HTTP response", Err: err})
		return 0
	}
	if n == 0 {
		return 0
	}
	switch status := t.resp.Status(); {
	case status < 200:
		if t.interim++; t.interim > interimMost || status == 101 {
			s.shut(&ProxyError{Status: status, Text: "no final response"})
		}
		t.resp.Reset()
	case status < 300:
		d.through(s)
	default:
		p := &ProxyError{Status: status, Text: "no connection to the server"}
		d.refuse(s, &t.resp, "CONNECT", p, &p.Body)
	}
	return n
}

// through goes on with the server. What the proxy has sent behind its answer is the
// server's: the pump goes on with it, or leaves it to TLS, which asks for what was kept.
func (d *dialRole) through(s *session) {
	d.tunnel = nil
	s.deadlineAt(0)
	c := s.link.(*reactor.Conn)
	c.SetHandler(d.reached(s, c))
}

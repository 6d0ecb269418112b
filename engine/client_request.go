package engine

import (
	"strings"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
)

// connected sends the handshake (RFC 6455 4.1).
func (d *dialRole) connected(s *session) {
	if d.info.Method == "RAW" {
		s.openRaw(s.proto, callbacks.RawConnected)
		d.early.deliver()
		return
	}
	if err := s.tell(callbacks.ClientAppendHandshakeHeader, nil); err != nil {
		s.fail(err)
		return
	}
	if s.state != stateOpen { // the program has closed
		return
	}
	if d.info.http() {
		d.request(s)
		return
	}
	d.key = ws.NewKey()
	extension, err := d.offer(s, nil)
	if err != nil {
		s.fail(err)
		return
	}
	if s.state != stateOpen {
		return
	}
	cookies, err := d.appendCookies(nil, s)
	if err != nil {
		s.fail(err)
		return
	}
	s.commit(d.appendRequest(s.begin(), append(cookies, extension...)))
	s.deadlineIn(s.l.e.limits.HandshakeTimeout)
}

func (d *dialRole) appendRequest(b, more []byte) []byte {
	b = http1.AppendRequestLine(b, "GET", d.info.target())
	b = http1.AppendField(b, "Host", d.info.host())
	b = append(b, "Upgrade: websocket\r\nConnection: Upgrade\r\n"...)
	b = http1.AppendField(b, "Sec-WebSocket-Key", d.key)
	b = http1.AppendField(b, "Sec-WebSocket-Version", ws.Version)
	if d.info.Origin != "" {
		b = http1.AppendField(b, "Origin", d.info.Origin)
	}
	for i, name := range d.info.protocols() {
		if i == 0 {
			b = append(b, "Sec-WebSocket-Protocol: "...)
		} else {
			b = append(b, ", "...)
		}
		b = append(b, name...)
	}
	if len(d.info.protocols()) > 0 {
		b = append(b, "\r\n"...)
	}
	for _, f := range d.info.Header {
		if !strings.EqualFold(f.Name, "Cookie") {
			b = http1.AppendField(b, f.Name, f.Value)
		}
	}
	return http1.AppendEnd(append(append(b, more...), d.extra...))
}

func (d *dialRole) addHeader(name, value string) error {
	if err := d.info.checkField(name, value); err != nil {
		return err
	}
	if d.info.abroad && secret(name) {
		return nil
	}
	if strings.EqualFold(name, "Cookie") {
		d.cookies = append(d.cookies, value)
		return nil
	}
	d.plain = d.plain || againstGzip(name)
	d.extra = http1.AppendField(d.extra, name, value)
	return nil
}

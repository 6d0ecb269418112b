package engine

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/tlsbridge"
)

func TestSimClient(t *testing.T) {
	runSeeds(t, scenario{name: "client", config: withServers, play: func(w *world) {
		for i := range 1 + w.rng.IntN(4) {
			w.addServer(fmt.Sprintf("server %d", i))
		}
	}}, simCount)
}

// withServers lets engines connect to the peers that addServer adds.
func withServers(w *world, nc *simnet.Config, _ *Config) {
	nc.Connect = w.connecting
	nc.Hosts = make(map[string][]netip.Addr)
	for port := firstServer; port < firstServer+20; port++ {
		nc.Hosts[hostOf(port, 0, "one.example")] = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
		nc.Hosts[hostOf(port, 0, "two.example")] = []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1")}
		nc.Hosts[hostOf(port, 90, "example")] = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
		nc.Hosts[hostOf(port, 0, "empty.example")] = nil
	}
}

// firstServer is the port of the first server.
const firstServer = 5000

// hostOf is a name that is looked up in ms milliseconds and some nanoseconds, which
// are different for each server: no seed decides which of two lookups that end at
// once is first.
func hostOf(port, ms int, parent string) string {
	return fmt.Sprintf("%dms%dns.%s", ms, port, parent)
}

// server is a peer that one of the engine's clients connects to.
type server struct {
	w           *world
	p           *peer
	name        string
	port        int
	good        bool // the client is to be established
	raw         bool
	behave      []op
	messages    []message // that it sends and must get back
	pings       int
	code        int  // of the close frame that must come
	offered     bool // a connection to it is being made
	established bool
	gone        bool
	failed      error
}

// addServer adds a server and the client that looks for it.
func (w *world) addServer(name string) {
	s := &server{w: w, name: name, port: firstServer + len(w.servers)}
	w.servers[s.port] = s
	host := func(ms int, parent string) string { return hostOf(s.port, ms, parent) }
	info := ClientConnectInfo{
		Address: [...]string{"192.0.2.1", host(0, "one.example"), host(0, "two.example"), host(90, "example")}[w.rng.IntN(4)],
		Port:    s.port, Path: "/chat", Protocol: "echo", UserData: s}
	if w.tls != nil {
		info.Flags = UseSSL
	}
	switch w.rng.IntN(12) {
	case 0:
		info.Address = [...]string{host(0, "empty.example"), host(0, "nowhere.example"), host(70, "nowhere.example")}[w.rng.IntN(3)]
	case 1:
		info.Protocol = ""
		s.bad()
	case 2, 3, 4:
		s.bad()
	case 5:
		info.Method, s.raw, s.good = "RAW", true, true
		s.behave = s.rawly()
	default:
		s.good = true
		s.behave = s.well()
	}
	s.connects(info)
	w.checks = append(w.checks, s.check)
}

// connects adds the one who has the engine connect.
func (s *server) connects(info ClientConnectInfo) {
	s.w.add(s.name+"'s client", rest(time.Second), do(func(*peer) {
		if _, err := s.w.e.Connect(info); err != nil {
			s.gone = true
			if !s.w.cut {
				s.w.failf("%s: %v", s.name, err)
			}
		}
	}), s.settled())
}

// settled waits until the client is connected, or is not.
func (s *server) settled() op {
	known := func() bool { return s.established || s.gone }
	return func(*peer) (simnet.Next, bool) {
		return s.w.net.Until(known, patience), known()
	}
}

// connecting decides about a connection: to a good server at least the last
// address works.
func (w *world) connecting(to kernel.Target) simnet.Answer {
	s := w.servers[int(to.Addr.Port())]
	after := time.Duration(w.rng.IntN(400)) * time.Millisecond
	last := to.Addr.Addr().Is4() && (to.Addr.Addr() == netip.MustParseAddr("192.0.2.2") || w.rng.IntN(2) == 0)
	if !s.good {
		last = w.rng.IntN(2) == 0
	}
	if s.good && to.Addr.Addr() == netip.MustParseAddr("192.0.2.1") {
		last = true
	}
	if !last {
		return [...]simnet.Answer{{Now: unix.ENETUNREACH}, {After: after, Err: unix.ECONNREFUSED}, {After: -1}, {After: after, Err: unix.ETIMEDOUT}}[w.rng.IntN(4)]
	}
	if s.offered { // and wins
		return simnet.Answer{After: -1}
	}
	s.offered = true
	return simnet.Answer{After: after, Accepted: s.accepted}
}

func (s *server) accepted(end *simnet.End) {
	s.p = s.w.add(s.name, append([]op{shaken()}, s.behave...)...)
	s.p.frames.masked = true
	if !s.raw {
		s.p.scan = scanFrames
	}
	s.p.met(end, tlsbridge.Server)
	s.w.spoil(s.p, 0)
}

// well behaves like a server should: 101, frames, and an orderly end.
func (s *server) well() []op {
	w := s.w
	request := await("the request", func(p *peer) bool { return p.frames.head != nil })
	glued := w.rng.IntN(2) == 0
	var out []byte
	for range w.rng.IntN(6) {
		m := message{ws.OpText, w.text(w.size())}
		s.messages = append(s.messages, m)
		s.pings++
		n := w.rng.IntN(len(m.data) + 1)
		out = appendFrame(out, 0x01, false, [4]byte{}, m.data[:n])
		out = appendFrame(out, 0x89, false, [4]byte{}, "ping")
		out = appendFrame(out, 0x80, false, [4]byte{}, m.data[n:])
	}
	answer := sendLate(func(p *peer) []byte {
		b := append([]byte("HTTP/1.1 100 Continue\r\n\r\n"), switching(p.frames.head)...)
		if glued {
			b = append(b, out...)
		}
		return b
	})
	ops := []op{request, answer}
	if !glued {
		ops = append(ops, rest(time.Second), send(out))
	}
	ops = append(ops, await("the echoes", func(p *peer) bool { return len(p.frames.messages) >= len(s.messages) }))
	return append(ops, s.farewell()...)
}

// farewell closes, or has the client close.
func (s *server) farewell() []op {
	frame := func(first byte, data string) []byte { return appendFrame(nil, first, false, [4]byte{}, data) }
	closed := await("the close frame", func(p *peer) bool { return p.frames.closed })
	switch s.w.rng.IntN(4) {
	case 0:
		s.code = 4001
		return []op{send(frame(0x81, "!close 4001")), closed, send(frame(0x88, closeData(4001, ""))), closeBoth()}
	case 1:
		s.code = 1011
		return []op{send(frame(0x81, "!panic")), closed, send(frame(0x88, closeData(1011, ""))), closeWrite(), ended()}
	case 2: // it forgets to close TCP
		s.code = 1000
		return []op{send(frame(0x88, closeData(1000, "bye"))), closed, ended()}
	}
	s.code = 1000
	return []op{send(frame(0x88, closeData(1000, "bye"))), closed, closeBoth()}
}

// rawly echoes for a raw client.
func (s *server) rawly() []op {
	sent := s.w.text(1 + s.w.size())
	return []op{send([]byte(sent)), await("the echo", func(p *peer) bool { return len(p.got) >= len(sent) }), closeWrite(), ended(),
		do(func(p *peer) {
			if string(p.got) != sent && !s.w.cut {
				s.w.failf("%s: the raw echo is wrong: %.80q", s.name, p.got)
			}
		})}
}

// switching is the right answer to a client's handshake.
func switching(head []byte) []byte {
	_, key, _ := bytes.Cut(head, []byte("Sec-WebSocket-Key: "))
	key, _, _ = bytes.Cut(key, []byte("\r\n"))
	b := append([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: "),
		ws.AppendAccept(nil, key)...)
	return append(b, "\r\nSec-WebSocket-Protocol: echo\r\n\r\n"...)
}

// bad picks a way to misbehave before the handshake is over.
func (s *server) bad() {
	w := s.w
	answers := [...]string{"garbage\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
		strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 40), "HTTP/1.1 101 Switching", "", "HTTP/1.1 200 OK\r\n\r\n"}
	s.behave = []op{rest(time.Second), send([]byte(answers[w.rng.IntN(len(answers))])),
		[...]func() op{closeWrite, closeBoth, reset, vanish}[w.rng.IntN(4)]()}
	if w.rng.IntN(2) == 0 {
		s.behave = append([]op{await("the request", func(p *peer) bool { return p.frames.head != nil })}, s.behave...)
	}
}

// hear is the client program's part: it notes how it went.
func (s *server) hear(sess callbacks.Session, why callbacks.Reason) {
	switch why {
	case callbacks.ClientEstablished, callbacks.RawConnected:
		s.established = true
	case callbacks.WSIDestroy:
		s.gone = true
	case callbacks.ClientConnectionError:
		s.failed = sess.Err()
		if s.failed == nil {
			s.w.failf("%s: ClientConnectionError without an error", s.name)
		}
	}
}

// check compares how it went with how it should have.
func (s *server) check() {
	w := s.w
	if s.p != nil && s.p.frames.bad != "" {
		w.failf("%s: %s", s.name, s.p.frames.bad)
	}
	switch {
	case w.cut:
	case s.established != s.good || (s.failed != nil) == s.good:
		w.failf("%s: good %v, but established %v, failed %v", s.name, s.good, s.established, s.failed)
	case s.good && !s.raw:
		f := &s.p.frames
		same := len(f.messages) == len(s.messages)
		for i := 0; same && i < len(f.messages); i++ {
			same = f.messages[i] == s.messages[i]
		}
		if !same || f.code != s.code || len(f.pongs) != s.pings {
			w.failf("%s: %d of %d messages, %d pongs, closed with %d instead of %d", s.name,
				len(f.messages), len(s.messages), len(f.pongs), f.code, s.code)
		}
	}
}

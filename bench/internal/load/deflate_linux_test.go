package load

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// gorillaEcho echoes with permessage-deflate, on connections that go through wrap.
func gorillaEcho(t *testing.T, wrap func(net.Conn) net.Conn) netip.AddrPort {
	up := websocket.Upgrader{EnableCompression: true}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for err == nil {
			var p []byte
			if _, p, err = c.ReadMessage(); err == nil {
				err = c.WriteMessage(websocket.TextMessage, p)
			}
		}
	}))
	s.Listener = wrapping{s.Listener, wrap}
	s.Start()
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// gwsServer is one of gws, which knows takeover, and broadcasts.
func gwsServer(t *testing.T, e gws.Event, d gws.PermessageDeflate) netip.AddrPort {
	up := gws.NewUpgrader(e, &gws.ServerOption{PermessageDeflate: d})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r); err == nil {
			go c.ReadLoop()
		}
	}))
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) { _ = c.WriteMessage(m.Opcode, m.Bytes()) }

type gwsFan struct {
	gws.BuiltinEventHandler
	all *gws.ConcurrentMap[*gws.Conn, bool]
}

func (f gwsFan) OnOpen(c *gws.Conn)           { f.all.Store(c, true) }
func (f gwsFan) OnClose(c *gws.Conn, _ error) { f.all.Delete(c) }

func (f gwsFan) OnMessage(_ *gws.Conn, m *gws.Message) {
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	f.all.Range(func(c *gws.Conn, _ bool) bool { return b.Broadcast(c) == nil })
}

func TestRunCompressed(t *testing.T) {
	whole := func(c net.Conn) net.Conn { return c }
	crumbs := func(c net.Conn) net.Conn { return crumbs{c} }
	takeover := gws.PermessageDeflate{Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true}
	wide := takeover
	wide.ServerMaxWindowBits, wide.ClientMaxWindowBits = 15, 15
	gwsFan := func() gws.Event { return gwsFan{all: gws.NewConcurrentMap[*gws.Conn, bool]()} }
	for _, c := range []struct {
		name string
		addr netip.AddrPort
		cfg  Config
		want string // of what is agreed upon
	}{
		{"no takeover", gorillaEcho(t, whole), Config{Mode: WSZ, Conns: 20, Size: 1024, Depth: 3}, "server_no_context_takeover"},
		{"long messages", gwsServer(t, gwsEcho{}, gws.PermessageDeflate{Enabled: true}), Config{Mode: WSZ, Conns: 2, Size: 30 << 10, Depth: 4}, "permessage-deflate"},
		{"frames in pieces", gorillaEcho(t, crumbs), Config{Mode: WSZ, Conns: 2, Size: 500, Depth: 2}, "permessage-deflate"},
		{"answered uncompressed", gwsServer(t, gwsEcho{}, gws.PermessageDeflate{Enabled: true}), Config{Mode: WSZ, Conns: 10, Size: 100}, "permessage-deflate"},
		{"takeover", gwsServer(t, gwsEcho{}, takeover), Config{Mode: WSZ, Takeover: true, Conns: 10, Size: 1024, Depth: 2}, "client_max_window_bits=12"},
		{"takeover, whole windows", gwsServer(t, gwsEcho{}, wide), Config{Mode: WSZ, Takeover: true, Conns: 10, Size: 300}, "permessage-deflate"},
		{"to all", gwsServer(t, gwsFan(), gws.PermessageDeflate{}), Config{Mode: Fan, Conns: 30, Size: 1024}, ""},
		{"to all, compressed", gwsServer(t, gwsFan(), gws.PermessageDeflate{Enabled: true}), Config{Mode: FanZ, Conns: 30, Size: 1024}, "permessage-deflate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Addr = c.addr
			l, err := Open(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			r, err := l.Run(10*time.Millisecond, 30*time.Millisecond, noClock)
			if err != nil {
				t.Fatal(err)
			}
			if got := l.Extensions(); !strings.Contains(got, c.want) {
				t.Errorf("agreed upon %q, want %q", got, c.want)
			}
			whole := c.cfg.Mode.Fans() && r.Messages%c.cfg.Conns == 0
			if r.Messages == 0 || c.cfg.Mode.Fans() && !whole || r.Latency.count != r.Messages {
				t.Errorf("%d messages, %d latencies", r.Messages, r.Latency.count)
			}
			if per := r.ReceivedPerMessage(); per < 20 || c.cfg.Mode.Deflated() && c.cfg.Size > 512 && per > float64(c.cfg.Size)*0.6 {
				t.Errorf("answers of %.0f bytes", per)
			}
		})
	}
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

// accept opens a WebSocket from the server's side, and answers a ping if there is
// one to come.
func accept(c net.Conn, extensions string, fans bool) {
	if _, err := readHead(c); err != nil {
		return
	}
	answer := switching
	if extensions != "" {
		answer += "Sec-WebSocket-Extensions: " + extensions + "\r\n"
	}
	_, _ = io.WriteString(c, answer+"\r\n")
	if fans {
		_, _ = io.ReadFull(c, make([]byte, 6))
		_, _ = c.Write([]byte{pongFrame, 0})
	}
}

// TestRunNoticesWrongFrames: a server is not measured by what it should not do.
func TestRunNoticesWrongFrames(t *testing.T) {
	const agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	var z compressor
	all := texts(0, 100)
	right := appendFrame(nil, textFrame|compressed, z.compress(all[0], nil), false)
	for _, c := range []struct {
		name   string
		mode   Mode
		answer []byte
		want   string
	}{
		{"right", WSZ, right, "the server closed"},
		{"another message, compressed", WSZ, appendFrame(nil, textFrame|compressed, z.compress(all[1], nil), false), "inflated, it is another message"},
		{"more than the message", WSZ, appendFrame(nil, textFrame|compressed, z.compress(append(all[0][:100:100], '!'), nil), false), "inflated, it is another message"},
		{"no DEFLATE", WSZ, appendFrame(nil, textFrame|compressed, []byte("\xff\xff\xff"), false), "corrupt"},
		{"another message", WSZ, appendFrame(nil, textFrame, all[1], false), "another message"},
		{"too short", WSZ, appendFrame(nil, textFrame, all[0][:99], false), "99 bytes"},
		{"too long to be right", WSZ, appendFrame(nil, textFrame|compressed, make([]byte, 1000), false)[:4], "1000 bytes"},
		{"a length that is negative", WSZ, []byte{textFrame, 127, 0xff, 0, 0, 0, 0, 0, 0, 0}, "bytes of payload"},
		{"another kind", WSZ, appendFrame(nil, binaryFrame, all[0], false), "0x82"},
		{"a piece", WSZ, appendFrame(nil, 1, all[0], false), "0x1"},
		{"masked", WSZ, appendFrame(nil, textFrame, all[0], true), "masked"},
		{"too much", WSZ, append(right[:len(right):len(right)], right...), "nothing asked for"},
		{"compressed without being asked to", Fan, right, "0xc1"},
		{"nothing", Fan, nil, "the server closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := serve(t, func(conn net.Conn) {
				fans := c.mode.Fans()
				accept(conn, map[bool]string{false: agreed}[fans], fans)
				_, _ = conn.Read(make([]byte, 4096))
				if c.answer != nil {
					_, _ = conn.Write(c.answer)
					_, _ = conn.Read(make([]byte, 4096)) // until the client goes on, or away
				}
			})
			_, err := run(Config{Addr: addr, Mode: c.mode, Size: 100})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestGreeting: what is sent to all is not begun with a server that is not ready.
func TestGreeting(t *testing.T) {
	for _, c := range []struct {
		mode Mode
		pong []byte
		want string
	}{
		{Fan, []byte{textFrame, 0}, "a ping was answered with 8100"},
		{Fan, []byte{pongFrame}, "the server closed"},
		{RawFan, nil, "the server closed"},
	} {
		addr := serve(t, func(conn net.Conn) {
			if c.mode == Fan {
				_, _ = readHead(conn)
				_, _ = io.WriteString(conn, switching+"\r\n")
			}
			_, _ = conn.Read(make([]byte, 6))
			_, _ = conn.Write(c.pong)
		})
		if _, err := run(Config{Addr: addr, Mode: c.mode, Size: 100}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %x: error %v, want %q", c.mode, c.pong, err, c.want)
		}
	}
}

// TestTermsAreAsOffered: another amount of work would be compared.
func TestTermsAreAsOffered(t *testing.T) {
	plain, without, with := Config{Mode: WS}, Config{Mode: WSZ, Size: 1024}, Config{Mode: WSZ, Size: 1024, Takeover: true}
	oneWay := Config{Mode: WSZ, Size: 1024, Takeover: true, OneWay: true}
	for _, c := range []struct {
		cfg    Config
		answer string
		window int // 0 for a refusal
	}{
		{plain, "", 32 << 10},
		{plain, "permessage-deflate", 0},
		{without, "", 0},
		{without, "permessage-deflate", 0},
		{without, "permessage-deflate; server_no_context_takeover", 32 << 10},
		{without, "permessage-deflate;server_no_context_takeover;client_no_context_takeover", 32 << 10},
		{without, "x-deflate; server_no_context_takeover", 0},
		{with, "permessage-deflate", 32 << 10},
		{with, "permessage-deflate; client_no_context_takeover", 0},
		{oneWay, "permessage-deflate", 0},
		{oneWay, "permessage-deflate; server_no_context_takeover; client_no_context_takeover", 0},
		{with, "permessage-deflate; server_max_window_bits=9; client_max_window_bits=12", 4 << 10},
		{with, "permessage-deflate; client_max_window_bits=16", 0},
		{with, "permessage-deflate; client_max_window_bits=9", 0}, // the messages are longer
		{with, "permessage-deflate; client_no_context_takeover", 0},
		{with, "permessage-deflate; server_no_context_takeover", 0},
	} {
		got, err := c.cfg.parseTerms(c.answer)
		if (err == nil) != (c.window > 0) || err == nil && got.window != c.window {
			t.Errorf("offer %q, answer %q: %+v, %v", c.cfg.offer(), c.answer, got, err)
		}
	}
}

// TestTextsResembleJSON: what has to be compressed is neither random nor all the
// same, and no message comes twice within a window.
func TestTextsResembleJSON(t *testing.T) {
	for _, size := range []int{1, 64, 1024, 70 << 10} {
		all, seen := texts(1, size), map[string]bool{}
		for _, p := range all {
			if len(p) != size || !utf8.Valid(p) || p[0] != '{' {
				t.Fatalf("%d bytes: %.100q", size, p)
			}
			seen[string(p)] = true
		}
		if size < 64 {
			continue
		}
		if len(seen) != len(all) || len(all)*size <= defaultWindow+size {
			t.Errorf("%d bytes: %d messages, %d of them different", size, len(all), len(seen))
		}
		if bytes.Equal(all[0], texts(2, size)[0]) || !bytes.Equal(all[0], texts(1, size)[0]) {
			t.Errorf("%d bytes: the seed does not choose the messages", size)
		}
	}
	var z compressor
	p := texts(1, 1024)[0]
	if n := len(z.compress(p, nil)); n < 1024/5 || n > 1024/2 {
		t.Errorf("1024 bytes become %d", n)
	}
}

// TestOutgoingIsWhatServersInflate reads the stream of a connection as a server
// does, through the window that it has agreed to.
func TestOutgoingIsWhatServersInflate(t *testing.T) {
	for _, c := range []struct {
		name  string
		cfg   Config
		terms terms
		dict  int
	}{
		{"no takeover", Config{Mode: WSZ, Size: 900, Depth: 5}, terms{window: 32 << 10}, 0},
		{"takeover", Config{Mode: WSZ, Size: 900, Depth: 100, Takeover: true}, terms{window: 4 << 10}, 4<<10 - 900},
		{"takeover one way", Config{Mode: WSZ, Size: 900, Depth: 5, Takeover: true, OneWay: true}, terms{}, 0},
		{"a small window", Config{Mode: WSZ, Size: 900, Depth: 1, Takeover: true}, terms{window: 1 << 10}, 1<<10 - 900},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newTexted(3, &c.cfg, c.terms)
			stream, off, total := []byte(nil), 0, 3*len(x.plain)
			for k, owed := 0, 0; k < total; k++ {
				owed += x.out.size(k)
				for owed > 0 { // in pieces, as a socket takes it
					n := min(1+rand.IntN(700), owed, len(x.out.bytes)-off)
					stream = append(stream, x.out.bytes[off:off+n]...)
					off, owed = x.out.wrap(off+n), owed-n
				}
			}
			var before []byte
			for k := range total {
				want := x.plain[k%len(x.plain)]
				head, n := frameSizes(stream)
				p := unmask(stream[head:head+4], stream[head+4:head+4+n])
				stream = stream[head+4+n:]
				r := flate.NewReaderDict(strings.NewReader(string(p)+ending), before)
				if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("message %d: %v, %.80q, want %.80q", k, err, got, want)
				}
				before = append(before, want...)
				before = before[max(0, len(before)-c.dict):]
			}
		})
	}
}

func unmask(key, p []byte) []byte {
	out := bytes.Clone(p)
	for i := range out {
		out[i] ^= key[i%4]
	}
	return out
}

// TestFramesAreCutAnywhere: answers come as the network likes.
func TestFramesAreCutAnywhere(t *testing.T) {
	plain := texts(5, 150)
	var z, before compressor
	var stream []byte
	for k := range 4 {
		if k == 2 { // takes no part in what messages refer to
			stream = appendFrame(stream, textFrame, plain[k], false)
			continue
		}
		stream = appendFrame(stream, textFrame|compressed, z.compress(plain[k], before.out), false)
		before.out = append(before.out, plain[k]...)
	}
	for cut := range len(stream) {
		f := &framed{plain: plain[:4], z: new(inflater), longest: longestDeflated(150), deflated: true, recent: newRecent(150)}
		k := 0
		for _, b := range [][]byte{stream[:cut], stream[cut:]} {
			for len(b) > 0 {
				n, done, err := f.take(b, inflateEvery*k) // so that each is looked into
				if err != nil {
					t.Fatalf("cut at %d: %v", cut, err)
				}
				if b = b[n:]; done {
					k++
				}
			}
		}
		if k != 4 {
			t.Errorf("cut at %d: %d answers", cut, k)
		}
	}
}

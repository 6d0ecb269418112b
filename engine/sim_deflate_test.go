package engine

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/internal/simnet"
)

// TestSimDeflate: what one side sends compressed is what the other receives, by any
// terms, from clients and from servers, that compress and inflate by the standard
// library.
func TestSimDeflate(t *testing.T) {
	runSeeds(t, scenario{name: "deflate", config: withDeflate, play: func(w *world) {
		w.plainly = 0.3 * w.rng.Float64()
		for i := range 1 + w.rng.IntN(4) {
			if name := fmt.Sprintf("peer %d", i); w.rng.IntN(3) > 0 {
				w.addDeflateClient(name)
			} else {
				w.addDeflateServer(name)
			}
		}
	}}, simCount/4) // each compares many messages, and so takes long
}

// TestSimDeflateChaos has them leave in the middle, a program that does what it
// likes, and limits that are met.
func TestSimDeflateChaos(t *testing.T) { runSeeds(t, deflateChaos, simCount/2) }

var deflateChaos = scenario{
	name: "deflate chaos",
	config: func(w *world, nc *simnet.Config, cfg *Config) {
		chaos.config(w, nc, cfg)
		withDeflate(w, nc, cfg)
	},
	play: func(w *world) {
		w.cut, w.spoils = true, true
		w.plainly = 0.3 * w.rng.Float64()
		for i := range 2 + w.rng.IntN(4) {
			w.addDeflateServer(fmt.Sprintf("server %d", i))
			c := w.addDeflateClient(fmt.Sprintf("client %d", i))
			w.spoil(c.p, 2)
		}
		if w.rng.IntN(3) == 0 {
			w.shutdownWithin(20 * time.Second)
		}
		w.checks = nil
	},
}

// TestSimSilence: a session without takeover holds nothing once its messages are done
// with, and one that has been silent for the time of a ping only what its peer may
// refer to. What is sent after that is understood.
func TestSimSilence(t *testing.T) {
	runSeeds(t, scenario{name: "silence", config: func(w *world, nc *simnet.Config, cfg *Config) {
		withDeflate(w, nc, cfg)
		cfg.Limits.PingInterval, cfg.Limits.HangupTimeout = time.Hour, 5*time.Hour
	}, play: func(w *world) {
		held := make(map[*session]int)
		w.custom = func(s callbacks.Session, why callbacks.Reason, in []byte) error {
			switch r := s.(timed).Session.(*session); why {
			case callbacks.Receive:
				held[r]++
				return w.writeEcho(s, echoed{s.Kind(), in})
			case callbacks.Closed:
				delete(held, r)
			}
			return nil
		}
		c := w.addDeflateClient("client")
		c.p.patience = 20 * time.Hour
		look := func(what string, wrong func(a *agreement, d *deflating) bool) op {
			return do(func(*peer) {
				for s := range held {
					w := s.role.(*wsRole)
					if a := w.agreed(); a != nil && w.more.deflating != nil && wrong(a, w.more.deflating) {
						c.w.failf("%s: %+v is held by %+v", what, *w.more.deflating, *a)
					}
				}
			})
		}
		say := func(p string, kind callbacks.Kind) {
			for s := range held {
				if err := s.Write([]byte(p), kind); err != nil {
					w.failf("%v", err)
				}
				s.l.afterEvent()
			}
		}
		d := &deflatePeer{w: w, mask: true, most: 4000, sent: func(m message) { c.messages = append(c.messages, m) },
			pings: func(p string) { c.pings = append(c.pings, p) }}
		c.code = 1000
		c.p.ops = append(c.p.ops[:5], do(func(p *peer) { d.far = p.frames.deflate }),
			sendLate(func(*peer) []byte { return d.messages(5) }), c.awaitEchoes(),
			look("at rest", func(a *agreement, d *deflating) bool { return !a.in.Takeover && !a.out.Takeover }),
			wait(90*time.Minute), look("silent", func(a *agreement, d *deflating) bool { return !a.in.Takeover || d.sent.Size() > 0 }),
			do(func(*peer) {
				c.messages = append(c.messages, message{ws.OpText, "begun before, ended after the silence"})
				say("begun before, ", callbacks.WriteText|callbacks.NoFin)
			}),
			wait(90*time.Minute), do(func(*peer) { say("ended after the silence", callbacks.WriteContinuation) }), c.awaitEchoes(),
			sendLate(func(*peer) []byte { return d.messages(3) }), c.awaitEchoes(),
			send(appendFrame(nil, 0x88, true, w.key(), closeData(1000, ""))), ended())
	}}, simCount/4)
}

// withDeflate gives each protocol terms of its own.
func withDeflate(w *world, nc *simnet.Config, cfg *Config) {
	withServers(w, nc, cfg)
	if !w.big && w.rng.IntN(4) == 0 { // or few messages would be inflated in turns
		w.big = true
		w.grow(nc)
	}
	if l := &cfg.Limits; l.CloseTimeout == 0 { // time creeps on while others have much to say
		l.CloseTimeout, l.StallTimeout = 20*time.Minute, 20*time.Minute
	}
	for i := range cfg.Vhosts {
		list := slices.Clone(cfg.Vhosts[i].Protocols)
		for k := range list {
			if w.rng.IntN(8) > 0 {
				list[k].Deflate = w.deflateConfig()
			}
		}
		cfg.Vhosts[i].Protocols = list
	}
}

func (w *world) deflateConfig() *deflate.Config {
	direction := func() deflate.Direction {
		return deflate.Direction{Takeover: w.rng.IntN(2) == 0, WindowBits: [...]uint8{0, 8, 9, 10, 12, 15}[w.rng.IntN(6)]}
	}
	return &deflate.Config{Level: w.rng.IntN(10), Threshold: [...]int{0, 1, 50, 1000}[w.rng.IntN(4)], Server: direction(), Client: direction()}
}

// farEnd compresses and inflates for a peer. It keeps to the terms with a reader and
// a writer of compress/flate, which know of the past what they are given.
type farEnd struct {
	w              *world
	out, in        deflate.Direction
	sent, received []byte // of the past, as much as the windows
}

func newFarEnd(w *world, p deflate.Params, side ws.Side) *farEnd {
	other := ws.Client
	if side == ws.Client {
		other = ws.Server
	}
	return &farEnd{w: w, out: p.From(side), in: p.From(other)}
}

// keep is what may be referred to behind p.
func keep(past []byte, d deflate.Direction, p string) []byte {
	if !d.Takeover {
		return nil
	}
	past = append(past, p...)
	return bytes.Clone(past[max(0, len(past)-1<<d.WindowBits):])
}

// emptyStored is the end of a flush, which RFC 7692 7.2.1 takes off a message.
const emptyStored = "\x00\x00\xff\xff"

// inflate is the message that came as payload.
func (f *farEnd) inflate(payload string) (p, bad string) {
	r := flate.NewReaderDict(strings.NewReader(payload+emptyStored+"\x01"+emptyStored), f.received)
	b, err := io.ReadAll(r)
	if err != nil {
		return "", "is not compressed by the terms: " + err.Error()
	}
	f.received = keep(f.received, f.in, string(b))
	return string(b), ""
}

// deflate is the payload for p: in one block or in several, flushed in between,
// perhaps with a final block (7.2.3.4).
func (f *farEnd) deflate(p string) string {
	rng := f.w.rng
	var out bytes.Buffer
	level := [...]int{flate.HuffmanOnly, 0, 1, 6, 9}[rng.IntN(5)]
	if len(f.sent)+len(p) > 1<<f.out.WindowBits { // compress/flate knows of one window only
		level = flate.HuffmanOnly
	}
	z, _ := flate.NewWriter(&out, level)
	_, _ = z.Write(f.sent)
	_ = z.Flush()
	out.Reset() // the other side has this
	rest := p
	for rng.IntN(3) == 0 {
		n := rng.IntN(len(rest) + 1)
		_, _ = io.WriteString(z, rest[:n])
		_ = z.Flush()
		rest = rest[n:]
	}
	_, _ = io.WriteString(z, rest)
	f.sent = keep(f.sent, f.out, p)
	if rng.IntN(8) == 0 {
		_ = z.Close()
		return out.String() + "\x00"
	}
	_ = z.Flush()
	return strings.TrimSuffix(out.String(), emptyStored)
}

// deflatePeer is what a peer on either side sends and wants back.
type deflatePeer struct {
	w     *world
	far   *farEnd // nil if nothing was agreed
	mask  bool
	most  int
	sent  func(message)
	pings func(string)
}

// messages are some, compressed mostly, in frames cut anywhere.
func (d *deflatePeer) messages(n int) (out []byte) {
	for range n {
		m := d.w.deflateMessage(d.most)
		d.sent(m)
		data, first := m.data, byte(m.op)
		if d.far != nil && d.w.rng.IntN(5) > 0 {
			data, first = d.far.deflate(data), first|0x40
		}
		for d.w.rng.IntN(3) == 0 {
			k := d.w.rng.IntN(len(data) + 1)
			out = d.frame(out, first, data[:k])
			first, data = 0, data[k:]
			if d.w.rng.IntN(4) == 0 {
				ping := d.w.text(d.w.rng.IntN(126))
				d.pings(ping)
				out = d.frame(out, 0x89, ping)
			}
		}
		out = d.frame(out, 0x80|first, data)
	}
	return out
}

func (d *deflatePeer) frame(dst []byte, first byte, data string) []byte {
	if !d.mask {
		return appendFrame(dst, first, false, [4]byte{}, data)
	}
	return appendFrame(dst, first, true, d.w.key(), data)
}

// deflateMessage is text in which much comes again, now and then beyond every
// window, or bytes that do not compress.
func (w *world) deflateMessage(most int) message {
	size := min(w.size(), most, 300<<10)
	if w.rng.IntN(4) == 0 {
		b := make([]byte, size)
		for i := range b {
			if b[i] = byte(w.rng.Uint32()); b[i] == '!' { // an order, perhaps
				b[i] = '?'
			}
		}
		return message{ws.OpBinary, string(b)}
	}
	words := [...]string{"price", "quantity", "alice", "0.25", "{", "}", "penstock", "τιμή", "值", " "}
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(words[w.rng.IntN(len(words))])
	}
	return message{ws.OpText, strings.ToValidUTF8(b.String()[:size], "")}
}

// addDeflateClient adds a client that offers compression in some manner.
func (w *world) addDeflateClient(name string) *wsClient {
	protocol := [...]string{"", "echo", "pieces", "small"}[w.rng.IntN(4)]
	c := &wsClient{w: w}
	d := &deflatePeer{w: w, mask: true, most: 1 << 30, sent: func(m message) { c.messages = append(c.messages, m) },
		pings: func(p string) { c.pings = append(c.pings, p) }}
	if protocol == "small" {
		d.most = 4000
	}
	wish, offer := w.offer()
	head := handshakeHead + "Sec-WebSocket-Extensions: " + offer + "\r\n"
	if protocol != "" {
		head += "Sec-WebSocket-Protocol: " + protocol + "\r\n"
	}
	ops := []op{rest(time.Second), dial(httpPort), send([]byte(head + "\r\n")), await("101", func(p *peer) bool { return p.frames.head != nil }),
		do(func(p *peer) { d.agree(p, wish) })}
	for range w.rng.IntN(4) {
		n := w.rng.IntN(4)
		ops = append(ops, sendLate(func(*peer) []byte { return d.messages(n) }), rest(time.Duration(w.rng.IntN(2))*time.Second))
	}
	if w.rng.IntN(3) == 0 {
		ops = append(ops, c.awaitEchoes(), sendLate(func(*peer) []byte { return d.breach(c, protocol) }), ended())
	} else {
		ops = append(ops, c.orderly(protocol)...)
	}
	c.p = w.add(name, ops...)
	c.p.scan = scanFrames
	w.checks = append(w.checks, c.check)
	return c
}

// orderly is an ending without a breach, which is another one with compression.
func (c *wsClient) orderly(protocol string) []op {
	for {
		code := c.code
		if ops := c.ending(protocol); c.code != 1002 && c.code != 1007 && c.code != 1009 {
			return ops
		}
		c.code = code
	}
}

func (c *wsClient) awaitEchoes() op {
	return await("the echoes", func(p *peer) bool {
		return len(p.frames.messages) >= len(c.messages) && len(p.frames.pongs) >= len(c.pings)
	})
}

// offer is what a client may say, and what it means by it.
func (w *world) offer() (*deflate.Config, string) {
	all := deflate.Direction{Takeover: true}
	generous := &deflate.Config{Server: all, Client: all}
	switch w.rng.IntN(4) {
	case 0:
		return generous, deflate.Name
	case 1: // a browser's
		return generous, deflate.Name + "; client_max_window_bits"
	case 2:
		return generous, `x-other; a="b", permessage-deflate; server_max_window_bits=7, permessage-deflate; client_max_window_bits`
	}
	wish := w.deflateConfig()
	return wish, string(wish.AppendOffer(nil))
}

// agree reads the server's answer.
func (d *deflatePeer) agree(p *peer, wish *deflate.Config) {
	params, ok, err := wish.Confirm(extensions(p.frames.head))
	if err != nil && !d.w.cut {
		d.w.failf("%s: %v: %q", p.name, err, p.frames.head)
	}
	if ok {
		d.far = newFarEnd(d.w, params, ws.Client)
		p.frames.deflate = d.far
	}
}

// extensions are the values of a head's Sec-WebSocket-Extensions.
func extensions(head []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for line := range strings.SplitSeq(string(head), "\r\n") {
			if v, ok := strings.CutPrefix(line, "Sec-WebSocket-Extensions: "); ok && !yield([]byte(v)) {
				return
			}
		}
	}
}

// breach is bytes that no client may send, and sets the code for them.
func (d *deflatePeer) breach(c *wsClient, protocol string) []byte {
	if d.far == nil {
		c.code = 1002
		return d.frame(nil, 0xC1, "\xf2\x48\xcd\xc9\xc9\x07\x00")
	}
	packed := func(p string) []byte { return d.frame(nil, 0xC1, d.far.deflate(p)) }
	limit := 16 << 20
	if protocol == "small" {
		limit = 4000
	}
	switch d.w.rng.IntN(7) {
	case 0:
		c.code = 1002
		return d.frame(nil, 0xA1, "RSV2")
	case 1:
		c.code = 1002
		return d.frame(nil, 0xC9, "ping")
	case 2:
		c.code = 1002
		return d.frame(d.frame(nil, 0x41, ""), 0xC0, "continuation")
	case 3:
		c.code = 1007
		return d.frame(nil, 0xC2, "\x06 is no block")
	case 4: // text cut inside a character
		c.code = 1007
		return packed(strings.Repeat("text ", d.w.rng.IntN(100)) + "\xe5\x80")
	case 5:
		c.code = 1007
		return d.frame(nil, 0xC2, "\xf2\x48\xcd") // cut
	}
	c.code = 1009
	if limit > 4000 {
		return d.frame(nil, 0xC2, bomb(limit+1))
	}
	return packed(strings.Repeat("bomb ", 1000))
}

// bomb inflates to n zeros.
func bomb(n int) string {
	var c deflate.Compressor
	return string(c.Append(nil, make([]byte, n), true, deflate.Direction{}, nil))
}

// addDeflateServer adds a server that agrees to compress, if it is asked.
func (w *world) addDeflateServer(name string) {
	s := &server{w: w, name: name, port: firstServer + len(w.servers), good: true}
	w.servers[s.port] = s
	d := &deflatePeer{w: w, most: 1 << 30, sent: func(m message) { s.messages = append(s.messages, m) },
		pings: func(p string) { s.pings++ }}
	local := [...]string{"echo", "pieces"}[w.rng.IntN(2)]
	info := ClientConnectInfo{Address: "192.0.2.1", Port: s.port, Path: "/", Protocol: "echo", LocalProtocolName: local, UserData: s}
	if w.tls != nil {
		info.Flags = UseSSL
	}
	wish, n := w.deflateConfig(), w.rng.IntN(6)
	s.behave = []op{await("the request", func(p *peer) bool { return p.frames.head != nil }),
		sendLate(func(p *peer) []byte { return append(d.answer(p, wish), d.messages(n)...) }),
		await("the echoes", func(p *peer) bool { return len(p.frames.messages) >= len(s.messages) })}
	bye := s.farewell()
	for local == "pieces" && s.code != 1000 { // an order would come in pieces
		bye = s.farewell()
	}
	s.behave = append(s.behave, bye...)
	s.connects(info)
	w.checks = append(w.checks, s.check)
}

// answer is the 101, which says what was agreed.
func (d *deflatePeer) answer(p *peer, wish *deflate.Config) []byte {
	b := bytes.TrimSuffix(switching(p.frames.head), []byte("\r\n"))
	params, ok, err := wish.Accept(extensions(p.frames.head))
	if err != nil {
		d.w.failf("%s: %v: %q", p.name, err, p.frames.head)
	}
	if ok && d.w.rng.IntN(8) > 0 {
		d.far = newFarEnd(d.w, params, ws.Server)
		p.frames.deflate = d.far
		b = http1.AppendField(b, "Sec-WebSocket-Extensions", string(params.AppendResponse(nil)))
	}
	return append(b, "\r\n"...)
}

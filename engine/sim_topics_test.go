package engine

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/internal/simnet"
)

// TestSimTopics: whoever has subscribed gets what is published, once, in its order
// among what is written to them, in pieces or not, compressed or not; and if they are
// too slow for that, what Protocol.Overflow leaves of it.
func TestSimTopics(t *testing.T) { runSeeds(t, topicsScenario, simCount) }

var topicsScenario = scenario{
	name: "topics",
	config: func(w *world, nc *simnet.Config, cfg *Config) {
		withDeflate(w, nc, cfg)
		cfg.Limits.CloseTimeout, cfg.Limits.StallTimeout = 0, 0 // the deaf are to be given up before the peers' patience ends
		if w.rng.IntN(2) == 0 {
			cfg.Limits.SendHigh = 1 + w.rng.IntN(3000)
		}
		list := cfg.Vhosts[0].Protocols
		for i := range list {
			list[i].RxBufferSize = 0 // an order must not come in pieces
			list[i].Overflow = callbacks.Overflow(w.rng.IntN(4))
			list[i].SendQueue = [...]int{0, -1, 1000, 5000, 50_000}[w.rng.IntN(5)]
		}
	},
	play: func(w *world) {
		town := &town{w: w, residents: make(map[uint64]*resident)}
		w.custom = town.program
		for i := range 1 + w.rng.IntN(6) {
			if name := fmt.Sprintf("peer %d", i); w.rng.IntN(4) > 0 {
				town.addClient(name)
			} else {
				town.addServer(name)
			}
		}
		if w.rng.IntN(6) == 0 {
			w.cut = true
			w.shutdownWithin(10 * time.Second)
		}
		w.checks = append(w.checks, town.check)
	},
}

// town is a program whose sessions publish to each other, and what they should get.
type town struct {
	w         *world
	residents map[uint64]*resident
	order     []*resident
	peers     []*peer
	number    int
	dropped   int64 // writes
	published int64
	copies    int64 // that there should be of it, at most
}

// resident is a session of the town.
type resident struct {
	id       uint64
	limit    int
	overflow callbacks.Overflow
	topics   map[string]bool
	want     []wanted
	bytes    int  // of it, with all that comes with it
	open     int  // 1 + the index of the message that is being sent in pieces; 0 for none
	dropping bool // ... which is dropped
	closing  bool // nothing more is expected
	told     bool // ... because the program closed it
	rounds   int
}

type wanted struct {
	text   string
	direct bool
}

// program does what comes to its mind whenever it is called.
func (tn *town) program(s callbacks.Session, why callbacks.Reason, in []byte) error {
	if far, ok := s.UserData().(*server); ok {
		far.hear(s, why)
	}
	r := tn.residents[s.ID()]
	switch why {
	case callbacks.Established, callbacks.ClientEstablished:
		tn.settle(s)
	case callbacks.Receive, callbacks.ClientReceive:
		if string(in) == "bye" {
			r.closing, r.told = true, true
			return s.Close(4001, "")
		}
		tn.act(s, r)
	case callbacks.Timer, callbacks.ServerWriteable, callbacks.ClientWriteable:
		tn.act(s, r)
	case callbacks.WSPeerInitiatedClose:
		r.closing = true
	case callbacks.Closed, callbacks.ClientClosed:
		r.closing = true
		tn.publish(s, s.Publish, 0)
		if err := s.Subscribe("a"); !errors.Is(err, callbacks.ErrClosed) {
			tn.w.failf("session %d subscribed after its end: %v", r.id, err)
		}
	}
	return nil
}

// settle makes a resident of a session that has just opened. The first message tells
// the peer who it is.
func (tn *town) settle(s callbacks.Session) {
	r := &resident{id: s.ID(), limit: s.Protocol().SendQueue, overflow: s.Protocol().Overflow, topics: make(map[string]bool)}
	switch {
	case r.limit == 0:
		r.limit = 8 << 20
	case r.limit < 0:
		r.limit = math.MaxInt - 1<<20
	}
	tn.residents[r.id] = r
	tn.order = append(tn.order, r)
	tn.send(s, r, fmt.Sprintf("#%d", r.id))
	for range tn.w.rng.IntN(4) {
		tn.subscribe(s, r)
	}
}

// act does some things.
func (tn *town) act(s callbacks.Session, r *resident) {
	if r.rounds++; r.rounds > 40 || r.closing {
		return
	}
	rng := tn.w.rng
	for range 1 + rng.IntN(6) {
		switch rng.IntN(12) {
		case 0, 1, 2, 3:
			tn.publish(s, s.Publish, 0)
		case 4:
			tn.publish(s, s.PublishToOthers, r.id)
		case 5:
			tn.subscribe(s, r)
		case 6:
			topic := tn.topic()
			delete(r.topics, topic)
			tn.must(s.Unsubscribe(topic))
		case 7:
			tn.send(s, r, tn.text("direct"))
		case 8:
			tn.sendMessage(s, r, tn.text("prepared"))
		case 9:
			tn.sendPiece(s, r)
		case 10:
			s.RequestWriteable()
		case 11:
			s.SetTimer(time.Duration(rng.IntN(2000)) * time.Millisecond)
		}
		if n := s.Buffered(); n > r.limit+headRoom {
			tn.w.failf("session %d has %d bytes buffered, may have %d", r.id, n, r.limit)
		}
	}
}

func (tn *town) topic() string { return [...]string{"a", "b", "c"}[tn.w.rng.IntN(3)] }

// text is a message like no other.
func (tn *town) text(what string) string {
	tn.number++
	filler := tn.w.deflateMessage(20_000)
	return fmt.Sprintf("%s %d %s", what, tn.number, strings.ToValidUTF8(filler.data, "?"))
}

// must is for calls that have no reason to fail, unless the session has ended without
// the program's knowing yet.
func (tn *town) must(err error) {
	if err != nil && !errors.Is(err, callbacks.ErrClosed) {
		tn.w.failf("%v", err)
	}
}

func (tn *town) subscribe(s callbacks.Session, r *resident) {
	topic := tn.topic()
	if err := s.Subscribe(topic); err != nil {
		tn.must(err)
		return
	}
	r.topics[topic] = true
}

func (tn *town) publish(s callbacks.Session, publish func(string, *callbacks.Message) error, except uint64) {
	topic := tn.topic()
	text := tn.text("published to " + topic)
	kind := callbacks.WriteText
	if tn.w.rng.IntN(4) == 0 {
		kind |= callbacks.Uncompressed
	}
	if err := publish(topic, callbacks.NewMessage([]byte(text), kind)); err != nil {
		tn.w.failf("session %d publishes: %v", s.ID(), err)
	}
	tn.published++
	for _, r := range tn.order {
		if r.topics[topic] && !r.closing && r.id != except {
			tn.copies++
			r.expect(text, false)
		}
	}
}

// expect notes what should come, and what it takes at most.
func (r *resident) expect(text string, direct bool) {
	r.want = append(r.want, wanted{text, direct})
	r.bytes += grown(len(text)) + 500
}

// sent takes in the outcome of a write.
func (tn *town) sent(r *resident, o callbacks.Outcome, err error) (ok bool) {
	switch {
	case (o == callbacks.Sent || o == callbacks.Queued) && err == nil:
		return true
	case o == callbacks.Dropped && err == nil && r.overflow == callbacks.OverflowDropNewest:
		tn.dropped++
	case o == callbacks.Refused && err == callbacks.ErrSendQueueFull && !r.roomy():
	case o == callbacks.Refused && errors.Is(err, callbacks.ErrClosed):
		r.closing = true
	default:
		tn.w.failf("session %d, %v: %v, %v", r.id, r.overflow, o, err)
	}
	return false
}

// roomy tells whether all that the session ever got cannot have met its limit.
func (r *resident) roomy() bool { return r.bytes+22_000 < r.limit }

func (tn *town) send(s callbacks.Session, r *resident, text string) {
	if r.open > 0 || r.dropping {
		if o, err := s.Send([]byte(text), callbacks.WriteText); o != callbacks.Refused || err != callbacks.ErrFragment && !errors.Is(err, callbacks.ErrClosed) {
			tn.w.failf("a message inside another: %v, %v", o, err)
		}
		return
	}
	if o, err := s.Send([]byte(text), callbacks.WriteText); tn.sent(r, o, err) {
		r.expect(text, true)
	}
}

func (tn *town) sendMessage(s callbacks.Session, r *resident, text string) {
	if r.open > 0 || r.dropping {
		return
	}
	if o, err := s.WriteMessage(callbacks.NewMessage([]byte(text), callbacks.WriteText)); tn.sent(r, o, err) {
		r.expect(text, true)
	}
}

// sendPiece begins a message, goes on with it, or ends it.
func (tn *town) sendPiece(s callbacks.Session, r *resident) {
	kind, text := callbacks.WriteText|callbacks.NoFin, tn.text("piece")
	if r.open > 0 || r.dropping {
		kind = callbacks.WriteContinuation
		if tn.w.rng.IntN(2) == 0 {
			kind |= callbacks.NoFin
		}
	}
	o, err := s.Send([]byte(text), kind)
	if r.dropping {
		if (o != callbacks.Dropped || err != nil) && !errors.Is(err, callbacks.ErrClosed) {
			tn.w.failf("a piece of a message that is dropped: %v, %v", o, err)
		}
		r.dropping = !kind.Fin()
		return
	}
	first := r.open == 0
	switch {
	case o == callbacks.Dropped && !first:
		tn.w.failf("half a message was sent, and the rest of it dropped")
	case !tn.sent(r, o, err):
		r.dropping = o == callbacks.Dropped
		return
	case first:
		r.expect(text, true)
		r.open = len(r.want)
	default:
		r.want[r.open-1].text += text
		r.bytes += grown(len(text)) + 500
	}
	if kind.Fin() {
		r.open = 0
	}
}

// addClient adds a client of the town.
func (tn *town) addClient(name string) {
	w := tn.w
	d := &deflatePeer{w: w, mask: true}
	wish, offer := w.offer()
	head := handshakeHead
	if w.rng.IntN(3) > 0 {
		head += "Sec-WebSocket-Extensions: " + offer + "\r\n"
	}
	if p := [...]string{"", "echo", "pieces", "small"}[w.rng.IntN(4)]; p != "" {
		head += "Sec-WebSocket-Protocol: " + p + "\r\n"
	}
	ops := []op{rest(time.Second), dial(httpPort), send([]byte(head + "\r\n")), await("101", func(p *peer) bool { return p.frames.head != nil })}
	p := w.add(name, append(ops, tn.living(d)...)...)
	p.scan = func(p *peer) {
		if end := bytes.Index(p.got, []byte("\r\n\r\n")); end >= 0 && p.frames.head == nil && bytes.HasPrefix(p.got, []byte("HTTP/1.1 101 ")) {
			p.frames.head, p.frames.off = p.got[:end+4], end+4
			d.agree(p, wish) // before it looks at what came with the head
		}
		scanFrames(p)
	}
	tn.peers = append(tn.peers, p)
}

// addServer adds a server that the town connects to.
func (tn *town) addServer(name string) {
	w := tn.w
	s := &server{w: w, name: name, port: firstServer + len(w.servers), good: true}
	w.servers[s.port] = s
	d := &deflatePeer{w: w}
	info := ClientConnectInfo{Address: "192.0.2.1", Port: s.port, Path: "/", Protocol: "echo",
		LocalProtocolName: [...]string{"echo", "pieces"}[w.rng.IntN(2)], UserData: s}
	if w.tls != nil {
		info.Flags = UseSSL
	}
	wish := w.deflateConfig()
	s.behave = append([]op{await("the request", func(p *peer) bool { return p.frames.head != nil }),
		do(func(p *peer) { tn.peers = append(tn.peers, p) }),
		sendLate(func(p *peer) []byte { return d.answer(p, wish) })}, tn.living(d)...)
	s.connects(info)
}

// living is what a peer does until it goes: it gives the program occasions, listens or
// does not, and leaves in some manner or is left.
func (tn *town) living(d *deflatePeer) (ops []op) {
	rng := tn.w.rng
	for range rng.IntN(6) {
		if rng.IntN(4) == 0 {
			ops = append(ops, goDeaf())
		}
		ops = append(ops, sendLate(func(*peer) []byte { return d.frame(nil, 0x81, "go") }), rest(2*time.Second))
		if rng.IntN(4) == 0 {
			ops = append(ops, sendLate(func(*peer) []byte { return d.frame(nil, 0x89, "") }))
		}
	}
	ops = append(ops, hearAgain(), rest(time.Second))
	closed := await("the close frame", func(p *peer) bool { return p.frames.closed })
	switch rng.IntN(6) {
	case 0:
		return append(ops, reset())
	case 1:
		return append(ops, closeWrite(), ended())
	case 2:
		return append(ops, sendLate(func(*peer) []byte { return d.frame(nil, 0x88, closeData(1000, "")) }), closed, closeWrite(), ended())
	}
	return append(ops, sendLate(func(*peer) []byte { return d.frame(nil, 0x81, "bye") }), closed,
		sendLate(func(p *peer) []byte { return d.frame(nil, 0x88, closeData(p.frames.code, "")) }), closeWrite(), ended())
}

// check compares what came with what should have.
func (tn *town) check() {
	var delivered int64
	for _, p := range tn.peers {
		f := &p.frames
		if f.bad != "" {
			tn.w.failf("%s: %s", p.name, f.bad)
		}
		if len(f.messages) == 0 {
			continue
		}
		var id uint64
		_, _ = fmt.Sscanf(f.messages[0].data, "#%d", &id)
		r := tn.residents[id]
		if r == nil {
			tn.w.failf("%s began with %.40q", p.name, f.messages[0].data)
			continue
		}
		delivered += r.check(tn.w, p)
	}
	st := tn.w.e.Stats()
	if st.Subscriptions != 0 || st.Published != tn.published || st.Delivered < delivered || st.Delivered > tn.copies ||
		st.Dropped < tn.dropped || st.Delivered+st.Dropped > tn.copies+tn.dropped {
		tn.w.failf("%+v; published %d, for %d, of which %d came; %d writes dropped", st, tn.published, tn.copies, delivered, tn.dropped)
	}
}

// check looks at one and returns how much of what was published came.
func (r *resident) check(w *world, p *peer) (delivered int64) {
	f := &p.frames
	want, complete := r.want, r.told && f.closed && f.code == 4001
	if r.open > 0 { // nothing comes behind a message that was not finished
		want, complete = want[:r.open-1], false
	}
	gaps := !r.roomy() && r.overflow != callbacks.OverflowClose
	for _, m := range f.messages {
		i := slices.IndexFunc(want, func(x wanted) bool { return x.text == m.data && m.op == ws.OpText })
		if i < 0 {
			w.failf("%s, session %d: what it got is not for it, or too late, or twice: %.40q of %d bytes", p.name, r.id, m.data, len(m.data))
			return delivered
		}
		r.missing(w, p, want[:i], gaps)
		if !want[i].direct {
			delivered++
		}
		want = want[i+1:]
	}
	if complete {
		r.missing(w, p, want, gaps)
	}
	return delivered
}

// missing holds what did not come, though it should have been the next, to the policy.
func (r *resident) missing(w *world, p *peer, list []wanted, gaps bool) {
	for _, x := range list {
		if x.direct || !gaps {
			w.failf("%s, session %d, %v: %.40q did not come", p.name, r.id, r.overflow, x.text)
			return
		}
	}
}

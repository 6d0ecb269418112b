package deflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/codec/ws"
)

// FuzzExtensions: whatever the fields say, what was understood of them can be
// written down, and is understood as the same again. A server's answer to it is
// one that a client may get.
func FuzzExtensions(f *testing.F) {
	for _, list := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits",
		"permessage-deflate; server_max_window_bits=10; client_max_window_bits=\"12\", x; y=\"\\z\"",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover\npermessage-deflate",
		", ,a;b=c", "a; b=\"", "permessage-deflate; server_max_window_bits=08, permessage-deflate;client_max_window_bits=8",
	} {
		f.Add(list, byte(0), byte(0x7f))
	}
	f.Fuzz(func(t *testing.T, lines string, server, client byte) {
		values := strings.Split(lines, "\n")
		var w writer
		if err := parseExtensions(fields(values...), &w); err != nil {
			if err != ErrExtensionList {
				t.Fatal(err)
			}
			return
		}
		var again writer
		if err := parseExtensions(fields(w.list()), &again); err != nil || !slices.Equal(again.parts, w.parts) {
			t.Fatalf("%q: %q, then %q, %v", lines, w.parts, again.parts, err)
		}
		checkAnswer(t, values, wishes(server))
		checkConfirm(t, values, wishes(client))
	})
}

// wishes makes a Config of three bits a direction.
func wishes(b byte) *Config {
	one := func(b byte) Direction { return Direction{Takeover: b&1 != 0, WindowBits: minWindowBits + b>>1&7} }
	return &Config{Server: one(b), Client: one(b >> 4)}
}

// writer writes a list down as it was understood.
type writer struct{ parts []string }

func (w *writer) extension(name []byte) { w.parts = append(w.parts, ", "+string(name)) }

func (w *writer) param(name, value []byte) {
	part := "; " + string(name)
	if value != nil {
		part += "=" + string(value)
	}
	w.parts = append(w.parts, part)
}

func (w *writer) list() string { return strings.Join(w.parts, "") }

// checkAnswer: a response is valid, keeps the server's wishes, and says what the
// server does.
func checkAnswer(t *testing.T, offers []string, c *Config) {
	t.Helper()
	p, ok, err := c.Accept(fields(offers...))
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return
	}
	response := string(p.AppendResponse(nil))
	understood, ok, err := generous.Confirm(fields(response))
	if !ok || err != nil || describe(understood) != describe(p) {
		t.Fatalf("%q: %s is answered by %q, %v: %s", offers, describe(p), response, err, describe(understood))
	}
	if p.Server.Takeover && !c.Server.Takeover || p.Client.Takeover && !c.Client.Takeover || p.Server.WindowBits > c.Server.bits() {
		t.Fatalf("%+v is answered by %q", *c, response)
	}
}

// checkConfirm: what a client takes keeps its wishes as far as it can insist.
func checkConfirm(t *testing.T, answers []string, c *Config) {
	t.Helper()
	p, ok, err := c.Confirm(fields(answers...))
	if ok != (err == nil && p != Params{}) {
		t.Fatalf("%+v, ok %v, %v", p, ok, err)
	}
	if ok && (p.Client.Takeover && !c.Client.Takeover || p.Server.WindowBits > c.Server.bits() || p.Client.WindowBits > c.Client.bits() || p.Client.WindowBits < minWindowBits) {
		t.Fatalf("%+v took %q", *c, answers)
	}
}

// oracle is Inflater.Append by the standard library.
func oracle(p, past []byte, limit int) ([]byte, error) {
	if len(p) == 0 {
		return nil, nil
	}
	src := bytes.NewReader([]byte(string(p) + marker + stop))
	var out []byte
	for range maxStreams {
		known := append(bytes.Clone(past), out...)
		r := flate.NewReaderDict(src, known[max(0, len(known)-maxWindow):])
		more, err := io.ReadAll(io.LimitReader(r, int64(limit+1-len(out))))
		if out = append(out, more...); len(out) > limit {
			return nil, ws.ErrMessageTooBig
		}
		if err != nil {
			return nil, ErrCorrupt
		}
		if rest := src.Len(); rest == 0 || rest == len(marker)+len(stop) {
			return out, nil
		}
	}
	return nil, ErrTooManyStreams
}

// FuzzInflate: of arbitrary bytes, the Inflater makes what the standard library
// makes, and a Stream the same however they are cut.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), []byte{3}, []byte(nil), uint16(1000))
	f.Add([]byte("\xf2\x00\x11\x00\x00"), []byte{1}, []byte("Hello"), uint16(5))
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), []byte{8}, []byte("x"), uint16(4))
	f.Add([]byte("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), []byte{8, 5}, []byte(nil), uint16(9))
	f.Add([]byte("\xab\xab\x030\x030\x030\x03\x030\x030\x030I"), []byte{0xab}, []byte{0xab}, uint16(27)) // many final blocks
	f.Add(bomb(1<<16), []byte{20}, []byte(nil), uint16(30000))
	f.Add(append(stored([]byte("a\x00\x00\xff\xffb")), 0), []byte{10}, []byte(nil), uint16(0))
	var c Compressor
	f.Add(c.Append(nil, record(seeded(15), 600), true, takeover, nil), []byte{50}, []byte("\"id\""), uint16(700))
	var inf Inflater // no message may leave a trace in it
	f.Fuzz(func(t *testing.T, p, cuts, past []byte, limit uint16) {
		lim := int(limit) + 1
		past = past[max(0, len(past)-maxWindow):]
		want, wantErr := oracle(p, past, lim)
		h := &History{b: bytes.Clone(past)}
		got, err := inf.Append(make([]byte, 0, len(cuts)), p, takeover, h, int64(lim))
		if !sameOutcome(err, wantErr) || !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes %v, want %d bytes %v", len(got), err, len(want), wantErr)
		}
		if cap(got) > 8*(lim+maxWindow+len(p)+firstOutput) {
			t.Fatalf("room of %d for a limit of %d", cap(got), lim)
		}
		g := &History{b: bytes.Clone(past)}
		parts, err := streamCuts(&inf, p, cuts, g, int64(lim))
		if wantErr == error(ErrTooManyStreams) || isTooBig(err) && len(p) > lim+lim/8+maxOverhead {
			return // a Stream counts from flush to flush, and holds no more than that
		}
		if !sameOutcome(err, wantErr) || err == nil && (!bytes.Equal(parts, want) || !bytes.Equal(g.b, h.b)) {
			t.Fatalf("in pieces: got %d bytes %v, want %d bytes %v; histories of %d and %d", len(parts), err, len(want), wantErr, len(g.b), len(h.b))
		}
	})
}

// sameOutcome reports whether both failed or none. How matters less: a reader
// that has run further ahead sees the second fault of a message first.
func sameOutcome(a, b error) bool { return (a == nil) == (b == nil) }

// streamCuts gives p to a Stream in pieces as long as cuts say.
func streamCuts(f *Inflater, p, cuts []byte, h *History, limit int64) (out []byte, err error) {
	var s Stream
	defer s.Release()
	for i := 0; len(p) > 0 && i < len(cuts); i++ {
		n := min(int(cuts[i]), len(p))
		if out, err = s.Append(f, out, p[:n], false, takeover, h, limit); err != nil {
			return nil, err
		}
		p = p[n:]
	}
	return s.Append(f, out, p, true, takeover, h, limit)
}

// FuzzRoundTrip: script says which pieces of text become which messages of a
// connection by which terms. All inflate to what they were.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("\x00\xff\x01\x80\x00\x03"), record(seeded(16), 900), byte(0x1f), byte(1))
	f.Add([]byte("\xff\xff\xff\xff\x03\x03\x01\x01"), bytes.Repeat([]byte("0123456789abcdef"), 100), byte(0), byte(6))
	var inf Inflater // no message may leave a trace in these
	var compressors [6]Compressor
	f.Fuzz(func(t *testing.T, script, text []byte, terms, level byte) {
		d := Direction{Takeover: terms&1 != 0, WindowBits: minWindowBits + terms>>1&7}
		c := &compressors[level%6]
		c.Level = int(level%6) + 1
		var send, receive, pieces History
		var s Stream
		var payload, streamed, want []byte
		for i, b := range script {
			n := min(int(b)*4, len(text))
			p, final := text[:n], b&1 != 0 || i == len(script)-1
			text = text[n:]
			piece := c.Append(nil, p, final, d, &send)
			payload, want = append(payload, piece...), append(want, p...)
			var err error
			if streamed, err = s.Append(&inf, streamed, piece, final, d, &pieces, 0); err != nil || !bytes.Equal(streamed, want) {
				t.Fatalf("piece %d: %d of %d bytes, %v", i, len(streamed), len(want), err)
			}
			if !final {
				continue
			}
			if got := inflate(t, &inf, payload, d, &receive); !bytes.Equal(got, want) {
				t.Fatalf("piece %d: %d of %d bytes", i, len(got), len(want))
			}
			payload, streamed, want = nil, nil, nil
		}
		if send.Size() > sendHistory || receive.Size() > d.window() {
			t.Fatal(fmt.Sprint(send.Size(), receive.Size()))
		}
	})
}

// FuzzConnection: what one side sends the other receives, by any terms, whatever the
// frames and in whatever pieces they come. script has four bytes for each frame: what
// kind it is, its length, how much arrives at once, and whether the receiver lets
// others have their turn meanwhile.
func FuzzConnection(f *testing.F) {
	f.Add([]byte("\x01\xff\x20\x00\x02\x10\x01\x01\x05\x40\xff\x00\x08\x03\x02\x01"), record(seeded(22), 2000), byte(0x1f), byte(1), uint16(0))
	f.Add([]byte("\x00\xff\xff\x01\x00\xff\x03\x01\x01\xff\x09\x01\x04\xff\x09\x01"), noise(seeded(23), 30000), byte(0x01), byte(4), uint16(100))
	f.Add([]byte("\x02\x05\x01\x00\x01\x05\x01\x00\x0d\x05\x01\x00\x01\xff\x01\x00"), bytes.Repeat([]byte("penstock"), 3000), byte(0x10), byte(0), uint16(7))
	c := &connection{tools: new(tools)}
	f.Fuzz(func(t *testing.T, script, text []byte, terms, level byte, piece uint16) {
		c.start(terms, level, int(piece))
		for len(script) >= 4 {
			var in [4]byte
			script = script[copy(in[:], script):]
			n := min(int(in[1])<<(in[0]>>4), len(text))
			c.send(in[0], text[:n], len(script) < 4)
			text = text[n:]
			c.receive(t, 1+int(in[2])<<(in[3]>>4), in[3]&1 != 0)
		}
		if len(c.sent) != 0 || c.stream != (Stream{}) {
			t.Fatalf("%d messages did not come, the Stream holds %+v", len(c.sent), c.stream)
		}
	})
}

// tools are used for one connection after the other, which must leave no trace in them.
type tools struct {
	compressor      [6]Compressor
	inflater, turns Inflater
}

// connection has a sender on one side and on the other two receivers: one of whole
// messages, and one of pieces.
type connection struct {
	*tools
	d     Direction
	level int

	out        History
	wire       []byte
	sending    bool // a message has been begun
	compressed bool
	open       []byte
	sent       [][]byte

	reader, piecer  ws.Reader
	limits          ws.Limits
	assembler       ws.Assembler
	whole, inPieces History
	stream          Stream
	got             []byte // of the message that comes in pieces
}

func (c *connection) start(terms, level byte, piece int) {
	*c = connection{tools: c.tools, level: int(level % 6),
		d: Direction{Takeover: terms&1 != 0, WindowBits: minWindowBits + terms>>1&7}}
	c.compressor[c.level].Level = c.level + 1
	c.reader = ws.Reader{Compression: true, Side: ws.Side(terms >> 4 & 1)}
	c.piecer, c.limits.Piece = c.reader, piece
}

// send puts a frame on the wire: p with RSV1, without it, or in fragments.
func (c *connection) send(kind byte, p []byte, last bool) {
	op, fin := ws.OpBinary, kind&1 != 0 || last
	switch {
	case c.sending:
		op = ws.OpContinuation
	case kind&8 != 0:
		c.frame(ws.OpPing, true, false, p[:min(len(p), 125)])
		fallthrough
	default:
		c.compressed, c.open = kind&2 == 0, []byte{}
	}
	c.open = append(c.open, p...)
	rsv1 := c.compressed && !c.sending
	if c.compressed && !c.sending && fin && kind&4 != 0 {
		var ok bool
		if p, ok = c.compressor[c.level].AppendSmaller(nil, p, c.d, &c.out); !ok {
			p, rsv1 = c.open, false
		}
	} else if c.compressed {
		p = c.compressor[c.level].Append(nil, p, fin, c.d, &c.out)
	}
	c.frame(op, fin, rsv1, p)
	if c.sending = !fin; fin {
		c.sent = append(c.sent, c.open)
	}
}

func (c *connection) frame(op ws.OpCode, fin, rsv1 bool, p []byte) {
	if c.reader.Side == ws.Client {
		c.wire = append(ws.AppendHeader(c.wire, op, fin, rsv1, len(p)), p...)
		return
	}
	key := [4]byte{1, 2, 3, byte(len(p))}
	c.wire = append(ws.AppendMaskedHeader(c.wire, op, fin, rsv1, key, len(p)), p...)
	ws.MaskInPlace(c.wire[len(c.wire)-len(p):], key, 0)
}

// receive has the wire arrive in pieces of most bytes.
func (c *connection) receive(t *testing.T, most int, turns bool) {
	t.Helper()
	f := &c.inflater
	if turns {
		f = &c.turns
		f.Yield = func() bool {
			return string(inflate(t, &c.inflater, []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), Direction{}, nil)) == "Hello"
		}
	}
	var wholes, pieces [][]byte
	feed(t, &c.reader, &ws.Limits{}, bytes.Clone(c.wire), most, func(ev *ws.Event) error {
		msg, done, err := c.assembler.Add(ev, 0)
		if done && ev.Compressed {
			msg, err = f.Append(nil, msg, c.d, &c.whole, 0)
		}
		if done {
			wholes = append(wholes, bytes.Clone(msg))
			c.assembler.Release()
		}
		return err
	})
	feed(t, &c.piecer, &c.limits, c.wire, most, func(ev *ws.Event) (err error) {
		if c.got = append(c.got, ev.Payload...); ev.Compressed {
			c.got, err = c.stream.Append(f, c.got[:len(c.got)-len(ev.Payload)], ev.Payload, ev.Final, c.d, &c.inPieces, 0)
		}
		if ev.Final {
			pieces = append(pieces, c.got)
			c.got = nil
		}
		return err
	})
	c.wire = c.wire[:0]
	if !slices.EqualFunc(wholes, c.sent, bytes.Equal) || !slices.EqualFunc(pieces, c.sent, bytes.Equal) {
		t.Fatalf("%+v: sent %d messages, received %d whole and %d in pieces, or others", c.d, len(c.sent), len(wholes), len(pieces))
	}
	if c.sending && c.stream.failed == 0 && !bytes.Equal(c.got, c.open) { // else a marker was data
		t.Fatalf("%+v: of %d bytes in frames that have come, %d can be told", c.d, len(c.open), len(c.got))
	}
	c.sent = nil
	if !bytes.Equal(c.whole.b, c.inPieces.b) && !c.sending || c.out.Size() > sendHistory || c.whole.Size() > c.d.window() {
		t.Fatalf("%+v: histories of %d, %d and %d bytes", c.d, c.out.Size(), c.whole.Size(), c.inPieces.Size())
	}
}

// feed gives b to r, at most so much at a time, and its Data to f.
func feed(t *testing.T, r *ws.Reader, lim *ws.Limits, b []byte, most int, f func(ev *ws.Event) error) {
	t.Helper()
	var ev ws.Event
	for have := 0; len(b) > 0; {
		have = min(have+most, len(b))
		for have > 0 {
			n, err := r.Receive(b[:have], lim, &ev)
			if err == nil && ev.Kind == ws.Data {
				err = f(&ev)
			}
			if err != nil {
				t.Fatalf("%v, at a %v of %d bytes", err, ev.Kind, len(ev.Payload))
			}
			if n == 0 && ev.Kind == ws.None {
				break
			}
			b, have = b[n:], have-n
		}
		if have == len(b) && have > 0 {
			t.Fatalf("%d bytes are left", have)
		}
	}
}

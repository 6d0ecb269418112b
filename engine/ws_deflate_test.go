package engine_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/callbacks/callbackstest"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/engine"
)

// agreements is every combination of takeover and window, with levels, thresholds
// and manners of delivery in turns.
func agreements() (all []callbacks.Protocol) {
	for i := range 2 * 2 * 8 * 8 {
		c := &deflate.Config{Level: i % 10, Threshold: []int{0, 1, 2000}[i%3],
			Server: deflate.Direction{Takeover: i&1 != 0, WindowBits: uint8(8 + i>>2&7)},
			Client: deflate.Direction{Takeover: i&2 != 0, WindowBits: uint8(8 + i>>5&7)}}
		all = append(all, callbacks.Protocol{Name: "terms" + strconv.Itoa(i), Deflate: c,
			RxBufferSize: []int{0, 1000, 0, 1 << 20, 100}[i%5]})
	}
	return all
}

// TestEveryAgreementCarriesEveryMessage has an engine talk to itself by all terms.
// The server echoes what it gets as it gets it.
func TestEveryAgreementCarriesEveryMessage(t *testing.T) {
	step := over(t).stride()
	if raced {
		step *= 31 // odd, so that all that alternates does
	}
	list := agreements()
	ended := make(chan error, 1)
	var rec callbackstest.Recorder
	for i := range list {
		list[i].Callback = rec.Wrap(callbacks.WithState(func(s callbacks.Session, k *conversation, r callbacks.Reason, in []byte) error {
			return k.hear(s, i, r, in, ended)
		}))
	}
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(list...)})
	_, port, _ := net.SplitHostPort(v.addr)
	for i := 0; i < len(list); i += step {
		info, _ := engine.ParseClientURL(over(t).scheme() + "localhost/")
		info.Address, info.Protocol = "127.0.0.1", list[i].Name
		info.Port, _ = strconv.Atoi(port)
		if _, err := v.Connect(info); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Fatalf("%+v, pieces of %d: %v", *list[i].Deflate, list[i].RxBufferSize, err)
		}
	}
	eventually(t, "all sessions end", func() bool { return rec.Open() == 0 })
	if f := rec.Faults(); len(f) > 0 {
		t.Error(f)
	}
}

// conversation is a client's, with its echo; a server's has nothing in it.
type conversation struct {
	sent []said
	got  []byte // of the message that comes
	n    int    // that have come
}

type said struct {
	kind callbacks.Kind
	data []byte
}

func (k *conversation) hear(s callbacks.Session, seed int, r callbacks.Reason, in []byte, ended chan<- error) error {
	switch r {
	case callbacks.Receive:
		return s.Write(in, s.Kind())
	case callbacks.ClientFilterPreEstablish:
		if _, ok := s.Response().Header().Get("Sec-WebSocket-Extensions"); !ok {
			return fmt.Errorf("nothing was agreed: %v", s.Response().Header())
		}
	case callbacks.ClientEstablished:
		return k.speak(s, rand.New(rand.NewPCG(uint64(seed), 7692)))
	case callbacks.ClientReceive:
		return k.answered(s, in)
	case callbacks.ClientClosed, callbacks.ClientConnectionError:
		err := s.Err()
		if err == nil && (k.n < len(k.sent) || k.n == 0) {
			code, reason := s.CloseStatus()
			err = fmt.Errorf("%d of %d echoes, %d %q", k.n, len(k.sent), code, reason)
		}
		ended <- err
	}
	return nil
}

// speak sends messages of sizes around those of windows, buffers and thresholds.
func (k *conversation) speak(s callbacks.Session, r *rand.Rand) error {
	sizes := []int{300, 0, 1, 127, 128, 255, 300, 1999, 2000, 4097, 20, 33000, r.IntN(70_000), 500}
	if r.IntN(16) == 0 {
		sizes = append(sizes, 300<<10, 10)
	}
	for i, n := range sizes {
		m := said{callbacks.WriteText, text(r, n)}
		if i%4 == 3 {
			m = said{callbacks.WriteBinary, random(r, n)}
		}
		k.sent = append(k.sent, m)
		kind := m.kind
		if i%7 == 6 {
			kind |= callbacks.Uncompressed
		}
		if err := inPieces(s, m.data, kind, r.IntN(4)); err != nil {
			return err
		}
	}
	return nil
}

// inPieces writes p as one piece and some more, as a program that has them one by one.
func inPieces(s callbacks.Session, p []byte, kind callbacks.Kind, more int) error {
	for ; more > 0; more-- {
		n := len(p) / (more + 1)
		if err := s.Write(p[:n], kind|callbacks.NoFin); err != nil {
			return err
		}
		p, kind = p[n:], callbacks.WriteContinuation
	}
	return s.Write(p, kind)
}

func (k *conversation) answered(s callbacks.Session, in []byte) error {
	k.got = append(k.got, in...)
	if !s.IsFinalFragment() {
		return nil
	}
	want := k.sent[k.n]
	if kind := s.Kind(); !bytes.Equal(k.got, want.data) || s.IsFirstFragment() && kind != want.kind {
		return fmt.Errorf("message %d: %d bytes of kind %v came back for %d of kind %v, or others", k.n, len(k.got), kind, len(want.data), want.kind)
	}
	k.got = k.got[:0]
	if k.n++; k.n == len(k.sent) {
		return s.Close(ws.StatusNormalClosure, "")
	}
	return nil
}

// text is n bytes of UTF-8 in which much comes again.
func text(r *rand.Rand, n int) []byte {
	var b []byte
	for len(b) < n {
		b = fmt.Appendf(b, `{"id":%d,"name":"%s","price":%.2f},`, r.IntN(1000), []string{"alice", "bob", "Ζωή", "世界"}[r.IntN(4)], 100*r.Float64())
	}
	return slices.Concat(bytes.ToValidUTF8(b[:n], nil), bytes.Repeat([]byte{'.'}, n-len(bytes.ToValidUTF8(b[:n], nil))))
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestCompressedEchoAllocatesNothing, while nothing has to be remembered, or when the
// windows are full.
func TestCompressedEchoAllocatesNothing(t *testing.T) {
	for name, d := range map[string]deflate.Direction{"without takeover": {}, "with takeover": {Takeover: true}} {
		for _, pieces := range []int{0, 1000} {
			t.Run(fmt.Sprintf("%s, pieces of %d", name, pieces), func(t *testing.T) {
				v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: echoWS,
					RxBufferSize: pieces, Deflate: &deflate.Config{Server: d, Client: d}})})
				p, r := v.upgrade(t, "Sec-WebSocket-Extensions: permessage-deflate")
				if ext := r.Header.Get("Sec-WebSocket-Extensions"); ext == "" {
					t.Fatal("nothing was agreed")
				}
				var c deflate.Compressor
				m := text(rand.New(rand.NewPCG(1, 1)), 700)
				payload := c.Append(nil, m, true, deflate.Direction{}, nil)
				request := append(ws.AppendMaskedHeader(nil, ws.OpText, true, true, [4]byte{}, len(payload)), payload...)
				head, buf := make([]byte, 4), make([]byte, 4096)
				trip := func() {
					if _, err := p.Conn.Write(request); err != nil {
						t.Fatal(err)
					}
					if err := readFrame(p.Conn, head, buf); err != nil {
						t.Fatal(err)
					}
				}
				for range 64 << 10 / len(m) { // until the window is full
					trip()
				}
				if n := allocations(t, trip); n >= 1 {
					t.Errorf("%v allocations a message", n)
				}
			})
		}
	}
}

// readFrame reads a frame of a server's into buf, without a trace.
func readFrame(c net.Conn, head, buf []byte) error {
	if _, err := io.ReadFull(c, head[:2]); err != nil {
		return err
	}
	n := int(head[1])
	if n == 126 {
		if _, err := io.ReadFull(c, head[2:4]); err != nil {
			return err
		}
		n = int(head[2])<<8 | int(head[3])
	}
	_, err := io.ReadFull(c, buf[:n])
	return err
}

// compressing is a server that lets its clients compress, with a client that has
// agreed to.
func compressing(t *testing.T, p callbacks.Protocol, offer string, lim engine.Limits) *peer {
	t.Helper()
	if p.Callback == nil {
		p.Callback = echoWS
	}
	v := start(t, engine.Config{Loops: 1, Limits: lim, Vhosts: vhost(p)})
	c, r := v.upgrade(t, "Sec-WebSocket-Extensions: "+offer)
	if ext := r.Header.Get("Sec-WebSocket-Extensions"); (ext != "") != (p.Deflate != nil) {
		t.Fatalf("agreed on %q", ext)
	}
	return c
}

// rawFrame is a masked frame that begins with b0.
func rawFrame(b0 byte, payload string) string {
	f := ws.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{}, []byte(payload))
	f[0] = b0
	return string(f)
}

// squeeze is p as the payload of a compressed message.
func squeeze(p string) string {
	var c deflate.Compressor
	return string(c.Append(nil, []byte(p), true, deflate.Direction{}, nil))
}

// TestBreachesOfCompression: whatever is no compressed message ends its session with
// the code of the RFCs, however it is delivered and cut.
func TestBreachesOfCompression(t *testing.T) {
	const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"
	all := &deflate.Config{Server: deflate.Direction{Takeover: true}, Client: deflate.Direction{Takeover: true}}
	accent := squeeze("caf\xc3")
	for name, c := range map[string]struct {
		code   ws.StatusCode
		config *deflate.Config
		send   []string
	}{
		"compressed without an agreement":     {1002, nil, []string{rawFrame(0xc1, hello)}},
		"RSV1 on a continuation":              {1002, all, []string{rawFrame(0x41, hello[:3]), rawFrame(0xc0, hello[3:])}},
		"RSV1 on a continuation of a plain":   {1002, all, []string{rawFrame(0x01, "x"), rawFrame(0xc0, hello)}},
		"RSV1 on a ping":                      {1002, all, []string{rawFrame(0xc9, "")}},
		"RSV1 on a close frame":               {1002, all, []string{rawFrame(0xc8, "")}},
		"RSV2":                                {1002, all, []string{rawFrame(0xa1, "x")}},
		"RSV1 and RSV3":                       {1002, all, []string{rawFrame(0xd1, hello)}},
		"a reserved block type":               {1007, all, []string{rawFrame(0xc2, "\x06")}},
		"cut in a block":                      {1007, all, []string{rawFrame(0xc2, hello[:4])}},
		"lengths of a stored block that lie":  {1007, all, []string{rawFrame(0xc2, "\x00\x05\x00\xfb\xffHello\x00")}},
		"a reference before the beginning":    {1007, all, []string{rawFrame(0xc2, "\xf2\x00\x11\x00\x00")}},
		"a reference without takeover":        {1007, &deflate.Config{}, []string{rawFrame(0xc2, hello), rawFrame(0xc2, "\xf2\x00\x11\x00\x00")}},
		"text that is none":                   {1007, all, []string{rawFrame(0xc1, squeeze("\xff\xfe"))}},
		"text cut in a character":             {1007, all, []string{rawFrame(0xc1, accent)}},
		"text cut in a character, in frames":  {1007, all, []string{rawFrame(0x41, accent[:2]), rawFrame(0x00, accent[2:4]), rawFrame(0x80, accent[4:])}},
		"more final blocks than anybody does": {1008, all, []string{rawFrame(0xc2, string(bytes.Repeat([]byte("\x03\x00"), 1000))+"\x00")}},
		"a bomb":                              {1009, all, []string{rawFrame(0xc2, squeeze(string(make([]byte, 10<<20))))}},
		"one byte too much":                   {1009, all, []string{rawFrame(0xc2, squeeze(string(make([]byte, 1<<20+1))))}},
		"one byte too much, as it is":         {1009, all, []string{rawFrame(0x02, string(make([]byte, 1<<20+1)))[:20]}},
		"longer than it could have to be":     {1009, all, []string{rawFrame(0xc2, string(make([]byte, 1<<20+1<<17+65)))[:20]}},
	} {
		for _, pieces := range []int{0, 1, 1000} {
			for _, cut := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, pieces of %d, cut %v", name, pieces, cut), func(t *testing.T) {
					p := compressing(t, callbacks.Protocol{Deflate: c.config, RxBufferSize: pieces, MaxMessage: 1 << 20,
						Callback: func(callbacks.Session, callbacks.Reason, []byte) error { return nil }}, "permessage-deflate", quick)
					for _, f := range c.send {
						if cut && len(f) < 5000 {
							for i := range len(f) {
								p.send(f[i : i+1])
							}
						} else {
							_, _ = io.WriteString(p, f) // the server may have seen enough
						}
					}
					if got := p.read(); !bytes.HasPrefix([]byte(got), []byte(closeFrame(c.code, ""))) {
						t.Fatalf("got %q, want %d", got, c.code)
					}
				})
			}
		}
	}
}

// TestABombCostsWhatTheLimitAllows measures what the engine allocates for messages
// that would become 64 MiB.
func TestABombCostsWhatTheLimitAllows(t *testing.T) {
	const limit = 1 << 20
	bomb := rawFrame(0xc2, squeeze(string(make([]byte, 64<<20))))
	for _, pieces := range []int{0, 1000} {
		p := callbacks.Protocol{Callback: echoWS, Deflate: &deflate.Config{}, RxBufferSize: pieces, MaxMessage: limit}
		v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(p)})
		explode := func() {
			c, _ := v.upgrade(t, "Sec-WebSocket-Extensions: permessage-deflate")
			if got := c.send(bomb).read(); got != closeFrame(1009, "message too big") {
				t.Fatalf("got %q", got)
			}
		}
		explode()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const times = 10
		for range times {
			explode()
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / times; each > 6*limit {
			t.Errorf("pieces of %d: %d KiB allocated for a bomb with a limit of %d KiB", pieces, each>>10, limit>>10)
		} else {
			t.Logf("pieces of %d: %d KiB allocated for a bomb of %d KiB with a limit of %d KiB", pieces, each>>10, len(bomb)>>10, limit>>10)
		}
	}
}

// TestWhatIsNotCompressed: what is short, and what the program says.
func TestWhatIsNotCompressed(t *testing.T) {
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Deflate: &deflate.Config{},
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r != callbacks.Receive {
				return nil
			}
			how, size, _ := strings.Cut(string(in), " ")
			n, _ := strconv.Atoi(size)
			text, kind := bytes.Repeat([]byte("a"), n), callbacks.WriteText
			if strings.HasSuffix(how, "!") {
				kind |= callbacks.Uncompressed
			}
			switch how[0] {
			case 'm':
				_, err := s.WriteMessage(callbacks.NewMessage(text, kind))
				return err
			case 'p':
				if err := s.Write(text, kind|callbacks.NoFin); err != nil {
					return err
				}
				return s.Write(text, callbacks.WriteContinuation)
			}
			return s.Write(text, kind)
		}})})
	p, _ := v.upgrade(t, "Sec-WebSocket-Extensions: permessage-deflate")
	for _, c := range []struct {
		order string
		heads []byte
	}{
		{"w 511", []byte{0x81}}, {"w 512", []byte{0xC1}}, {"w! 5000", []byte{0x81}},
		{"m 511", []byte{0x81}}, {"m 512", []byte{0xC1}}, {"m! 5000", []byte{0x81}},
		{"p 5", []byte{0x41, 0x80}}, {"p! 5000", []byte{0x01, 0x80}},
	} {
		p.frame(ws.OpText, true, c.order)
		for _, want := range c.heads {
			head, err := p.r.Peek(1)
			if err != nil {
				t.Fatal(err)
			}
			if head[0] != want {
				t.Errorf("%s: a frame begins with %#x, not %#x", c.order, head[0], want)
			}
			p.read()
		}
	}
}

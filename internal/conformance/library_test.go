package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws/deflate"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// variant is a way to use the library that the examples have no flag for.
type variant struct {
	name  string
	proto callbacks.Protocol
}

// few is so small a piece that messages cost their length many times.
const few = 5

// variants are about what a session remembers of compressed messages, and about
// delivering them in pieces.
func variants() []variant {
	over := deflate.Direction{Takeover: true}
	both := &deflate.Config{Server: over, Client: over, Threshold: 1}
	windows := &deflate.Config{
		Server: deflate.Direction{Takeover: true, WindowBits: 9},
		Client: deflate.Direction{Takeover: true, WindowBits: 10},
		Level:  9,
	}
	return []variant{
		{"takeover", callbacks.Protocol{Deflate: both}},
		{"takeover in small windows", callbacks.Protocol{Deflate: windows}},
		{"pieces", callbacks.Protocol{Deflate: &deflate.Config{}, RxBufferSize: 1000}},
		{"pieces with the client's takeover", callbacks.Protocol{Deflate: &deflate.Config{Client: over}, RxBufferSize: 1000}},
		{"pieces with the server's takeover", callbacks.Protocol{Deflate: &deflate.Config{Server: over}, RxBufferSize: 1000}},
		{"pieces with takeover", callbacks.Protocol{Deflate: both, RxBufferSize: 4096}},
		{"pieces of few octets", callbacks.Protocol{Deflate: both, RxBufferSize: few}},
	}
}

// config is an engine of that variant, with the limits of the examples.
func (v variant) config(callback callbacks.Callback) engine.Config {
	v.proto.Callback = callback
	return engine.Config{
		Loops:  1,
		Limits: engine.Limits{Message: 64 << 20, SendQueue: 130 << 20},
		Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{v.proto}}},
	}
}

// TestLibraryServer runs the cases against servers within the test.
func TestLibraryServer(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			cfg := v.config(func(s callbacks.Session, r callbacks.Reason, in []byte) error {
				if r == callbacks.Receive {
					return s.Write(in, s.Kind())
				}
				return nil
			})
			cfg.Vhosts[0].Listen = []string{"tcp://127.0.0.1:0"}
			e := newEngine(t, cfg)
			g := &target{mode: v.mode(), addr: e.Addrs()[0].String()}
			runCases(t, "library server "+v.name, g, v.cases(g))
		})
	}
}

// TestLibraryClient runs them against clients within the test.
func TestLibraryClient(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			g := listen(t, v.mode())
			e := newEngine(t, v.config(clientCallback))
			g.dial = func(t *testing.T) running {
				l := &libraryClient{t: t, ended: make(chan struct{})}
				info, err := engine.ParseClientURL("ws://" + g.listen.Addr().String() + "/")
				if err != nil {
					t.Fatal(err)
				}
				info.UserData = l
				if _, err := e.Connect(info); err != nil {
					t.Fatal(err)
				}
				return l
			}
			runCases(t, "library client "+v.name, g, v.cases(g))
		})
	}
}

func (v variant) mode() mode {
	return mode{deflate: true, negotiated: true, pieces: v.proto.RxBufferSize > 0}
}

// cases are those that the variant can change, and of the sections 12 and 13 some,
// unless all was asked for.
func (v variant) cases(g *target) (out []tcase) {
	long := []string{"9", "10", "12", "13", "x.offer", "x.answer", "x.blocks.16 MiB"}
	some := []string{"12.1.4", "12.2.11", "12.5.18", "13.3.8", "13.5.11", "13.7.17"}
	for _, c := range slices.Concat(cases(g.mode), withDeflate(), v.takeover(g)) {
		begins := func(s string) bool { return strings.HasPrefix(c.id, s) }
		section := c.section()
		switch {
		case v.proto.RxBufferSize == few && slices.ContainsFunc(long, begins):
		case full() || section != "9" && section != "12" && section != "13" || slices.Contains(some, c.id):
			out = append(out, c)
		}
	}
	return out
}

// takeover are the cases about the directions in which the variant has it.
func (v variant) takeover(g *target) (out []tcase) {
	toPeer, fromPeer := v.proto.Deflate.Client.Takeover, v.proto.Deflate.Server.Takeover
	if g.listen != nil {
		toPeer, fromPeer = fromPeer, toPeer
	}
	if toPeer {
		out = append(out, remembered()...)
	}
	if fromPeer && v.proto.RxBufferSize != few { // pieces of few octets only grow
		out = append(out, recalled()...)
	}
	return out
}

// newEngine runs one until the test ends.
func newEngine(t *testing.T, cfg engine.Config) *engine.Engine {
	t.Helper()
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the engine: %v", err)
		}
	})
	return e
}

// running is a client that a case talks to.
type running interface {
	// wait waits for its end and returns its error.
	wait() error
	// printed is what it has said of its end.
	printed() string
}

// libraryClient is one within the test.
type libraryClient struct {
	t     *testing.T
	ended chan struct{}
	err   error
	said  string
}

func (l *libraryClient) wait() error {
	l.t.Helper()
	select {
	case <-l.ended:
	case <-time.After(wstest.Patience):
		l.t.Fatal("the client does not end")
	}
	return l.err
}

func (l *libraryClient) printed() string { return l.said }

func clientCallback(s callbacks.Session, r callbacks.Reason, in []byte) error {
	l, _ := s.UserData().(*libraryClient)
	switch r {
	case callbacks.ClientReceive:
		return s.Write(in, s.Kind())
	case callbacks.ClientConnectionError:
		l.err = s.Err()
		close(l.ended)
	case callbacks.ClientClosed:
		code, why := s.CloseStatus()
		l.said = fmt.Sprintf("closed: %d %s\n", code, why)
		close(l.ended)
	}
	return nil
}

// remembered are the cases of section x about what is behind a message in the
// window of the next.
func remembered() []tcase {
	var out []tcase
	add := func(id string, run func(p *peer)) {
		out = append(out, tcase{id: "x.takeover." + id, run: func(g *target, t *testing.T) {
			p := g.connect(t)
			if p.shared(); p.pack.reset {
				t.Fatal("takeover was not agreed on")
			}
			run(p)
		}})
	}
	add("Hello again", func(p *peer) {
		p.send(zipped(true, wstest.Text, helloFixed), zipped(true, wstest.Text, helloAgain))
		p.want(event{wstest.Text, "Hello"}, event{wstest.Text, "Hello"})
		p.closes()
	})
	add("from the far end of the window", func(p *peer) {
		far := p.pack.bytes()
		data := testData()[4].data[:far]
		var b, again blocks
		b.stored(false, data)
		b.flush()
		again.fixed(false)
		again.match(258, far)
		again.end()
		again.flush()
		p.send(zipped(true, wstest.Binary, strings.TrimSuffix(string(b.out), tail)),
			zipped(true, wstest.Binary, strings.TrimSuffix(string(again.out), tail)))
		p.want(event{wstest.Binary, data}, event{wstest.Binary, data[:258]})
		p.closes()
	})
	add("from beyond all that came", func(p *peer) {
		var b blocks
		b.fixed(false)
		b.match(3, 6)
		b.end()
		b.flush()
		p.send(zipped(true, wstest.Text, helloFixed), zipped(true, wstest.Text, strings.TrimSuffix(string(b.out), tail)))
		p.want(event{wstest.Text, "Hello"})
		p.failed(1007)
	})
	add("messages that came as they are do not count", func(p *peer) {
		p.send(zipped(true, wstest.Text, helloFixed), text("Other"), begin("Ot"), last("her"), zipped(true, wstest.Text, helloAgain))
		p.want(event{wstest.Text, "Hello"}, event{wstest.Text, "Other"}, event{wstest.Text, "Other"}, event{wstest.Text, "Hello"})
		p.closes()
	})
	add("fragments count once", func(p *peer) {
		for range 3 {
			p.send(zipped(false, wstest.Text, helloFixed[:2]), more(helloFixed[2:4]), ping(""), last(helloFixed[4:]), zipped(true, wstest.Text, helloAgain))
			p.want(event{wstest.Pong, ""}, event{wstest.Text, "Hello"}, event{wstest.Text, "Hello"})
		}
		p.closes()
	})
	add("behind a final block", func(p *peer) {
		for range 3 {
			p.send(zipped(true, wstest.Text, helloFinal), zipped(true, wstest.Text, helloAgain), zipped(true, wstest.Text, helloTwo), zipped(true, wstest.Text, helloAgain))
			p.want(slices.Repeat([]event{{wstest.Text, "Hello"}}, 4)...)
		}
		p.closes()
	})
	add("behind nothing", func(p *peer) {
		p.send(zipped(true, wstest.Text, helloFixed), zipped(true, wstest.Text, "\x00"), zipped(true, wstest.Text, helloAgain))
		p.want(event{wstest.Text, "Hello"}, event{wstest.Text, ""}, event{wstest.Text, "Hello"})
		p.closes()
	})
	add("a thousand messages", func(p *peer) {
		data := testData()[0].data
		for i := range messages(200, 1000) {
			s := data[i*97 : i*97+1+i*31%900]
			p.send(p.squeezed(wstest.Text, s, i%3*100)...)
			p.want(event{wstest.Text, s})
		}
		p.closes()
	})
	return out
}

// recalled is about what the peer compresses: it makes use of what went before.
func recalled() []tcase {
	return []tcase{{id: "x.recall.the same again", run: func(g *target, t *testing.T) {
		p := g.connect(t)
		p.shared()
		data := testData()[0].data[:400]
		p.send(text(data), text(data))
		p.want(event{wstest.Text, data})
		first := p.unpack.octets
		p.want(event{wstest.Text, data})
		if again := p.unpack.octets - first; p.unpack.reset || again > first/4 {
			t.Errorf("the same message took %d octets and then %d", first, again)
		}
		p.closes()
	}}}
}

// shared upgrades without a wish that would keep either side from takeover.
func (p *peer) shared() {
	p.t.Helper()
	if p.client != nil {
		p.answers()
	} else {
		p.offers(extensionName + "; " + clientWindow)
	}
}

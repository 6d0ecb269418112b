package interop

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
	"github.com/penstock-go/penstock/internal/wstest"
)

// The clients of other libraries against examples/echo, by TCP and by TLS.

// forEach runs f for every library, connected to url.
func forEach(t *testing.T, url string, f func(t *testing.T, c peer)) {
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			c, err := l.dial(url)
			if err != nil {
				t.Fatal(err)
			}
			defer c.drop()
			f(t, c)
		})
	}
}

// comesBack writes nothing and reads the one message.
func comesBack(t *testing.T, c peer, text bool, want []byte) {
	t.Helper()
	gotText, got, err := c.read()
	if err != nil || gotText != text || !bytes.Equal(got, want) {
		t.Fatalf("got text %v with %d bytes, %v; want %v with %d, or other bytes", gotText, len(got), err, text, len(want))
	}
}

func TestClientsEcho(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		forEach(t, p.url, func(t *testing.T, c peer) {
			for _, size := range []int{0, 1, 125, 126, 127, 4096, 65535, 65536, 1 << 20} {
				for _, text := range []bool{true, false} {
					want := bytes.Repeat([]byte("m"), size)
					if err := c.write(text, want); err != nil {
						t.Fatal(err)
					}
					comesBack(t, c, text, want)
				}
			}
		})
	})
}

func TestClientsFragments(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		forEach(t, p.url, func(t *testing.T, c peer) {
			long := bytes.Repeat([]byte("long "), 5000)
			for _, text := range []bool{true, false} {
				if err := c.fragments(text, []byte("frag"), nil, long, []byte("ments")); err != nil {
					t.Fatal(err)
				}
				comesBack(t, c, text, []byte("frag"+string(long)+"ments"))
			}
		})
	})
}

func TestClientsLargest(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		forEach(t, p.url, func(t *testing.T, c peer) {
			want := bytes.Repeat([]byte("0123456789abcdef"), 64<<20/16)
			sent := make(chan error, 1)
			go func() { sent <- c.write(false, want) }()
			comesBack(t, c, false, want)
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	})
}

func TestClientsPing(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		forEach(t, p.url, func(t *testing.T, c peer) {
			if err := c.ping(strings.Repeat("p", 125)); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestClientsSubprotocol(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		for _, l := range libraries {
			for want, offers := range map[string][]string{"echo-protocol": {"first", "echo-protocol"}, "": {"first", "second"}} {
				t.Run(l.name+"/"+want, func(t *testing.T) {
					c, err := l.dial(p.url, offers...)
					if err != nil {
						t.Fatal(err)
					}
					defer c.drop()
					if c.subprotocol() != want {
						t.Errorf("agreed on %q", c.subprotocol())
					}
				})
			}
		}
	})
}

func TestClientsClose(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		for _, test := range closes {
			forEach(t, p.url, func(t *testing.T, c peer) {
				code, reason, err := c.shut(test.code, test.reason)
				if err != nil || code != test.code || reason != test.reason {
					t.Errorf("%d %q came back as %d %q, %v", test.code, test.reason, code, reason, err)
				}
			})
		}
	})
}

var closes = []struct {
	code   int
	reason string
}{
	{0, ""}, {1000, ""}, {1000, "bye"}, {1001, "going"}, {3000, "library"}, {4999, strings.Repeat("r", 123)},
}

// closer closes with what it is told: "1000 bye".
func closer(s callbacks.Session, r callbacks.Reason, in []byte) error {
	if r != callbacks.Receive {
		return nil
	}
	number, reason, _ := strings.Cut(string(in), " ")
	code, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	return s.Close(ws.StatusCode(code), reason)
}

func TestServerCloses(t *testing.T) {
	overBoth(t, func(t *testing.T, x transport) {
		wstest.NoLeaks(t)
		addr, stop := x.engine(t, closer)
		for _, test := range closes {
			forEach(t, x.scheme("ws")+addr, func(t *testing.T, c peer) {
				if err := c.write(true, fmt.Appendf(nil, "%d %s", test.code, test.reason)); err != nil {
					t.Fatal(err)
				}
				code, reason, err := c.ended()
				if err != nil || code != test.code || reason != test.reason {
					t.Errorf("%d %q came as %d %q, %v", test.code, test.reason, code, reason, err)
				}
			})
		}
		stop()
	})
}

// engine runs an engine with one protocol in this process.
func (x transport) engine(t *testing.T, f callbacks.Callback) (addr string, stop func()) {
	t.Helper()
	e := newEngine(t, engine.Config{Vhosts: []engine.Vhost{{
		Listen:    []string{"tcp://127.0.0.1:0"},
		TLS:       x.server(t),
		Protocols: []callbacks.Protocol{{Callback: f}},
	}}})
	return e.Addrs()[0].String(), e.stop
}

type runningEngine struct {
	*engine.Engine
	stop func()
}

// newEngine runs an engine until stop is called or the test ends.
func newEngine(t *testing.T, cfg engine.Config) *runningEngine {
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
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return &runningEngine{e, stop}
}

func TestManyClientsAtOnce(t *testing.T) {
	overBoth(t, func(t *testing.T, x transport) {
		p := x.startEcho(t, "-loops", "2")
		const each, rounds = 20, 20
		var wg sync.WaitGroup
		for _, l := range libraries {
			for i := range each {
				wg.Go(func() {
					if err := converse(l, p.url, fmt.Sprintf("%s %d", l.name, i), rounds); err != nil {
						t.Errorf("%s %d: %v", l.name, i, err)
					}
				})
			}
		}
		wg.Wait()
	})
}

// converse has messages of its own echoed, of growing length.
func converse(l library, url, name string, rounds int) error {
	c, err := l.dial(url)
	if err != nil {
		return err
	}
	defer c.drop()
	for i := range rounds {
		want := strings.Repeat(name, 1+i*i)
		if err := c.write(true, []byte(want)); err != nil {
			return err
		}
		if _, got, err := c.read(); err != nil || string(got) != want {
			return fmt.Errorf("got %d bytes for %d: %w", len(got), len(want), err)
		}
	}
	_, _, err = c.shut(1000, "")
	return err
}

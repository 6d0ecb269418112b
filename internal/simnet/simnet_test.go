package simnet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// echoer is the smallest program on a Net: it accepts, echoes what fits, and
// closes at FIN.
type echoer struct {
	n        *Net
	p        kernel.Poller
	listener int
	conns    map[int]*held
	woken    []time.Duration
}

type held struct {
	left  []byte
	watch kernel.Interest
	fin   bool
}

func (e *echoer) Ready(fd int, ev kernel.Event) {
	c := e.conns[fd]
	switch {
	case fd == e.listener:
		if conn, _, errno := e.n.Accept(fd); errno == 0 {
			e.conns[conn] = &held{}
			e.watch(conn, kernel.WatchRead)
		}
	case c != nil:
		e.read(fd, c)
		e.write(fd, c)
	}
}

func (e *echoer) read(fd int, c *held) {
	if c.fin || len(c.left) > 0 {
		return
	}
	var b [100]byte
	got, errno := e.n.Read(fd, b[:])
	c.left = append(c.left, b[:got]...)
	c.fin = errno != errAgain && got == 0
}

func (e *echoer) write(fd int, c *held) {
	for len(c.left) > 0 {
		took, errno := e.n.Write(fd, c.left)
		if errno == errAgain {
			e.watch(fd, kernel.WatchWrite)
			return
		}
		if errno != 0 {
			c.fin, c.left = true, nil
			break
		}
		c.left = c.left[took:]
	}
	if c.fin {
		delete(e.conns, fd)
		e.n.Close(fd)
		return
	}
	e.watch(fd, kernel.WatchRead)
}

func (e *echoer) watch(fd int, to kernel.Interest) {
	c := e.conns[fd]
	moved, _ := e.p.Set(fd, c.watch, to)
	delete(e.conns, fd)
	c.watch = to
	e.conns[moved] = c
}

func (e *echoer) Woken() { e.woken = append(e.woken, time.Duration(e.n.Now())-time.Hour) }

// client sends, half-closes, and reads until the end.
type client struct {
	n    *Net
	port int
	end  *End
	send string
	got  []byte
}

func (c *client) Step() Next {
	switch {
	case c.end == nil:
		c.end = c.n.Dial(c.port)
	case c.send != "":
		c.send = c.send[c.end.Send([]byte(c.send)):]
		if c.send == "" {
			c.end.CloseWrite()
		}
	}
	if c.got = c.end.Recv(c.got, 1000); c.end.Over() {
		return Next{}
	}
	if c.send != "" {
		return c.n.Until(func() bool { return c.end.Room() || c.end.Readable() }, time.Hour)
	}
	return c.n.Until(c.end.Readable, time.Hour)
}

// stopper ends the loop when the others are done.
type stopper struct {
	n    *Net
	stop func() bool
	p    kernel.Poller
}

func (s *stopper) Step() Next {
	if s.stop() {
		s.p.Stop()
		return Next{}
	}
	return s.n.Until(s.stop, time.Hour)
}

// serve runs an echoer on a net of cfg with clients that send what they are
// given.
func serve(t *testing.T, cfg Config, sends ...string) (n *Net, clients []*client) {
	synctest.Test(t, func(t *testing.T) {
		n = New(cfg)
		p, _ := n.OpenPoller()
		fd, addr, err := n.Listen("tcp", "127.0.0.1:0", kernel.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p.Set(fd, 0, kernel.WatchRead)
		for _, s := range sends {
			var port int
			fmt.Sscanf(addr.String(), "127.0.0.1:%d", &port)
			clients = append(clients, &client{n: n, port: port, send: s})
			n.Add(clients[len(clients)-1])
		}
		n.Add(&stopper{n, func() bool { return n.left == 1 && len(n.Open()) == 1 }, p})
		if err := p.Run(&echoer{n: n, p: p, listener: fd, conns: make(map[int]*held)}); err != nil {
			t.Error(err)
		}
	})
	return n, clients
}

func TestBytesArriveInOrderWhateverFails(t *testing.T) {
	for seed := range uint64(200) {
		sends := []string{strings.Repeat("abcdefg", 300), "x", strings.Repeat("0123456789", 77)}
		cfg := Config{Seed: seed, Moves: seed%2 == 0, Buffer: int(seed % 50),
			Faults: Faults{ShortRead: 0.5, ShortWrite: 0.5, Again: 0.3, Spurious: 0.2, Accept: 0.3, Creep: 0.1}}
		_, clients := serve(t, cfg, sends...)
		for i, c := range clients {
			if string(c.got) != sends[i] || c.end.Broken() {
				t.Fatalf("seed %d: client %d got %d bytes of %d, broken %v", seed, i, len(c.got), len(sends[i]), c.end.Broken())
			}
		}
	}
}

func TestSeedDecides(t *testing.T) {
	run := func(seed uint64) (lines []string) {
		cfg := Config{Seed: seed, Faults: Faults{ShortRead: 0.5, Spurious: 0.3, Creep: 0.1},
			Trace: func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }}
		serve(t, cfg, strings.Repeat("abc", 100), "def")
		return lines
	}
	if a, b := run(7), run(7); !slices.Equal(a, b) {
		t.Error("one seed, two runs")
	}
	if a, b := run(7), run(8); slices.Equal(a, b) {
		t.Error("two seeds, one run")
	}
}

func TestDescriptorsAreUsedAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{})
		a, _, _ := n.Listen("tcp", "127.0.0.1:0", kernel.ListenOptions{})
		n.Listen("tcp", "127.0.0.1:0", kernel.ListenOptions{})
		n.Close(a)
		if b, _, _ := n.Listen("tcp", "127.0.0.1:0", kernel.ListenOptions{}); a != b {
			t.Errorf("%d was free, %d was taken", a, b)
		}
		if got := n.Open(); len(got) != 2 {
			t.Errorf("open: %v", got)
		}
	})
}

// pair is a connection that is accepted, and its far end.
func pair(n *Net) (fd int, far *End) {
	l, addr, _ := n.Listen("tcp", "127.0.0.1:0", kernel.ListenOptions{})
	_, port, _ := strings.Cut(addr.String(), ":")
	var p int
	fmt.Sscan(port, &p)
	far = n.Dial(p)
	fd, _, _ = n.Accept(l)
	return fd, far
}

func TestEndsOfAConnection(t *testing.T) {
	read := func(n *Net, fd int) (int, kernel.Errno) { return n.Read(fd, make([]byte, 10)) }
	for name, check := range map[string]func(t *testing.T, n *Net, fd int, far *End){
		"FIN is 0 bytes, after the bytes": func(t *testing.T, n *Net, fd int, far *End) {
			far.Send([]byte("last"))
			far.CloseWrite()
			if got, e := read(n, fd); got != 4 || e != 0 {
				t.Errorf("%d, %v", got, e)
			}
			if got, e := read(n, fd); got != 0 || e != 0 {
				t.Errorf("%d, %v", got, e)
			}
		},
		"RST is told once": func(t *testing.T, n *Net, fd int, far *End) {
			far.Reset()
			if _, e := read(n, fd); e != unix.ECONNRESET {
				t.Error(e)
			}
			if _, e := n.Write(fd, []byte("x")); e != unix.EPIPE {
				t.Error(e)
			}
		},
		"closing with unread bytes resets": func(t *testing.T, n *Net, fd int, far *End) {
			far.Send([]byte("unread"))
			n.Write(fd, []byte("lost"))
			if n.Close(fd); !far.Broken() {
				t.Error("it did not")
			}
		},
		"closing delivers what was taken": func(t *testing.T, n *Net, fd int, far *End) {
			n.Write(fd, []byte("kept"))
			n.Close(fd)
			if got := far.Recv(nil, 10); string(got) != "kept" || !far.FIN() {
				t.Errorf("%q", got)
			}
		},
		"nothing is written behind a FIN": func(t *testing.T, n *Net, fd int, far *End) {
			n.CloseWrite(fd)
			if _, e := n.Write(fd, []byte("x")); e != unix.EPIPE || !far.FIN() {
				t.Error(e)
			}
		},
		"a full pipe says EAGAIN": func(t *testing.T, n *Net, fd int, far *End) {
			if got, e := n.Write(fd, make([]byte, 100)); got != 64 || e != 0 {
				t.Errorf("%d, %v", got, e)
			}
			if _, e := n.Write(fd, []byte("x")); e != unix.EAGAIN || n.at(fd).w.events()&kernel.Writable != 0 {
				t.Error(e)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := New(Config{Buffer: 64})
				fd, far := pair(n)
				check(t, n, fd, far)
			})
		})
	}
}

func TestTimePassesOnlyWhenNothingElseCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{})
		p, _ := n.OpenPoller()
		e := &echoer{n: n, p: p}
		p.WakeAt(n.Now() + int64(time.Hour))
		p.WakeAt(n.Now() + int64(time.Minute))
		n.Add(&stopper{n, func() bool { return len(e.woken) == 1 }, p})
		if err := p.Run(e); err != nil || e.woken[0] != time.Minute {
			t.Errorf("%v, woken at %v", err, e.woken)
		}
	})
}

func TestARunWithoutEndIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Seed: 42, MaxSteps: 100})
		p, _ := n.OpenPoller()
		n.Add(spinner{n})
		err := p.Run(&echoer{n: n, p: p})
		<-n.Done()
		if err == nil || !strings.Contains(n.Err().Error(), "seed 42") || n.Steps() != 101 {
			t.Errorf("%v after %d steps", err, n.Steps())
		}
	})
}

type spinner struct{ n *Net }

func (s spinner) Step() Next { return s.n.Again() }

func TestConnectIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far *End
		answers := []Answer{{Now: unix.ENETUNREACH}, {Err: unix.ECONNREFUSED}, {Accepted: func(e *End) { far = e }}, {After: -1}}
		n := New(Config{Connect: func(kernel.Target) (a Answer) { a, answers = answers[0], answers[1:]; return a }})
		if _, e := n.Connect(kernel.Target{}); e != unix.ENETUNREACH {
			t.Error(e)
		}
		for _, want := range []kernel.Errno{unix.ECONNREFUSED, 0, unix.ENOTCONN} {
			fd, _ := n.Connect(kernel.Target{})
			if e := n.ConnectResult(fd); e != unix.ENOTCONN {
				t.Errorf("known at once: %v", e)
			}
			for _, ev := range n.events {
				ev.do()
			}
			n.events = nil
			if e := n.ConnectResult(fd); e != want {
				t.Errorf("%v instead of %v", e, want)
			}
		}
		if far == nil {
			t.Error("nobody met the one that was accepted")
		}
	})
}

func TestLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{})
		before := n.Now()
		if _, err := n.Lookup(context.Background(), "ip", "5s.example"); err == nil || n.Now()-before != int64(5*time.Second) {
			t.Errorf("%v after %v", err, time.Duration(n.Now()-before))
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := n.Lookup(ctx, "ip", "5s.example"); err != context.Canceled {
			t.Error(err)
		}
	})
}

package reactor

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
	"github.com/penstock-go/penstock/internal/wheel"
)

func TestEverythingIsDeliveredBeforeTheFIN(t *testing.T) {
	e := newEar(t)
	g, c, peer := pair(t, Config{Write: WriteLimits{Hard: 128 << 20}}, e)
	_ = peer.SetReadBuffer(32 << 10)
	b := pattern(64 << 20)
	g.on(c.Loop(), func() {
		if err := c.Write(b); err != nil {
			t.Errorf("write: %v", err)
		}
		c.Close()
		if err := c.Write(b); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after Close: %v", err)
		}
	})
	if len(e.ended) > 0 {
		t.Fatal("closed before the peer has read anything")
	}
	if got := receiveAll(t, peer); !bytes.Equal(got, b) {
		t.Errorf("received %d bytes of %d, or others", len(got), len(b))
	}
	_ = peer.Close()
	if err := await(t, "Closed", e.ended); err != nil {
		t.Errorf("closed with %v", err)
	}
}

// Unread bytes at close(2) would make the kernel send an RST, and that destroys what the peer has not read yet.
func TestClosingWhileThePeerSendsDestroysNothing(t *testing.T) {
	e := newEar(t)
	g, c, peer := pair(t, Config{}, e)
	g.on(c.Loop(), c.PauseRead)
	send(t, peer, make([]byte, 200_000)) // waits in our kernel
	b := pattern(4 << 20)
	g.on(c.Loop(), func() { _ = c.Write(b); c.Close() })
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := peer.Write(make([]byte, 10_000)); err != nil {
				t.Errorf("the peer's write: %v", err)
				return
			}
		}
	}()
	if got := receiveAll(t, peer); !bytes.Equal(got, b) {
		t.Errorf("received %d bytes of %d, or others", len(got), len(b))
	}
	close(stop)
	await(t, "the sender", stopped)
	_ = peer.Close()
	if err := await(t, "Closed", e.ended); err != nil {
		t.Errorf("closed with %v", err)
	}
}

func TestAStalledPeerIsCutOff(t *testing.T) {
	k := handMadeClock()
	open := closedSocket(k)
	e := newEar(t)
	g, c, peer := pair(t, Config{Kernel: k, Write: WriteLimits{Stall: time.Second, Chunk: 10}}, e)
	g.on(c.Loop(), func() {
		_ = c.Write(make([]byte, 1<<20))
		c.PauseRead() // the loop rests while the socket is closed, as good as it can
		c.Close()
	})
	g.advance(k, time.Second-1)
	if len(e.ended) > 0 {
		t.Fatal("too early")
	}
	open.Store(true)
	receive(t, peer, 10)
	open.Store(false)
	g.advance(k, wheel.Tick)
	g.advance(k, time.Second-wheel.Tick)
	if len(e.ended) > 0 {
		t.Fatal("cut off although the peer had read")
	}
	g.advance(k, 2*wheel.Tick)
	if err := await(t, "Closed", e.ended); err != ErrStalled {
		t.Errorf("closed with %v", err)
	}
	if _, err := io.Copy(io.Discard, peer); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the peer reads %v", err)
	}
}

func TestAnIdleQueueOfAnOpenConnectionIsNotStalled(t *testing.T) {
	k := handMadeClock()
	closedSocket(k)
	e := newEar(t)
	g, c, _ := pair(t, Config{Kernel: k, Write: WriteLimits{Stall: time.Second}}, e)
	g.on(c.Loop(), func() { _ = c.Write(make([]byte, 100)) })
	g.advance(k, time.Hour)
	if len(e.ended) > 0 {
		t.Errorf("closed with %v", <-e.ended)
	}
}

func TestLingeringEnds(t *testing.T) {
	k := handMadeClock()
	e := newEar(t)
	g, c, peer := pair(t, Config{Kernel: k}, e)
	g.on(c.Loop(), func() { _ = c.Write([]byte("bye")); c.Close() })
	if got := receiveAll(t, peer); string(got) != "bye" {
		t.Errorf("received %q", got)
	}
	send(t, peer, []byte("I never close")) // does not prolong it
	g.advance(k, lingerTimeout-1)
	if len(e.ended) > 0 {
		t.Fatal("too early")
	}
	g.advance(k, wheel.Tick)
	if err := await(t, "Closed", e.ended); err != nil {
		t.Errorf("closed with %v", err)
	}
}

func TestThePeersFINDoesNotEndAClosingConnection(t *testing.T) {
	k := bent()
	open := closedSocket(k)
	e := newEar(t)
	g, c, peer := pair(t, Config{Kernel: k}, e)
	g.on(c.Loop(), func() { _ = c.Write([]byte("the rest")); c.Close() })
	send(t, peer, []byte("thrown away"))
	_ = peer.CloseWrite()
	eventually(t, "the FIN is seen", func() bool {
		seen := false
		g.on(c.Loop(), func() { seen = c.EOFSeen() })
		return seen
	})
	open.Store(true)
	if got := receiveAll(t, peer); string(got) != "the rest" {
		t.Errorf("received %q", got)
	}
	if err := await(t, "Closed", e.ended); err != nil {
		t.Errorf("closed with %v", err)
	}
}

func TestAResetWhileClosingIsAnError(t *testing.T) {
	k := bent()
	closedSocket(k)
	e := newEar(t)
	g, c, peer := pair(t, Config{Kernel: k}, e)
	g.on(c.Loop(), func() { _ = c.Write([]byte("never delivered")); c.Close() })
	_ = peer.SetLinger(0)
	_ = peer.Close()
	if err := await(t, "Closed", e.ended); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("closed with %v", err)
	}
}

func TestHowThePeerLeavesALingeringConnectionDoesNotMatter(t *testing.T) {
	e := newEar(t)
	g, c, peer := pair(t, Config{}, e)
	g.on(c.Loop(), c.Close)
	receiveAll(t, peer)
	_ = peer.SetLinger(0)
	_ = peer.Close()
	if err := await(t, "Closed", e.ended); err != nil {
		t.Errorf("closed with %v", err)
	}
}

func TestThePeersFINLeavesOurSideOpen(t *testing.T) {
	e := newEar(t)
	eof := make(chan struct{}, 2)
	e.eof = func(*Conn) { eof <- struct{}{} }
	g, c, peer := pair(t, Config{}, e)
	_ = peer.CloseWrite()
	await(t, "EOF", eof)
	b := pattern(2 << 20)
	g.on(c.Loop(), func() {
		if !c.EOFSeen() {
			t.Error("EOFSeen is false")
		}
		if err := c.Write(b); err != nil {
			t.Errorf("write: %v", err)
		}
		c.Close()
	})
	if got := receiveAll(t, peer); !bytes.Equal(got, b) {
		t.Errorf("received %d bytes of %d, or others", len(got), len(b))
	}
	if err := await(t, "Closed", e.ended); err != nil {
		t.Errorf("closed with %v", err)
	}
	if len(eof) > 0 {
		t.Error("EOF was told twice")
	}
}

// A socket whose peer has sent its FIN is readable for ever.
func TestAConnectionAfterEOFDoesNotSpin(t *testing.T) {
	k := bent()
	var events atomic.Int64
	k.open = func() (kernel.Poller, error) {
		p, err := k.Kernel.OpenPoller()
		run := func(h kernel.Handler) error { return p.Run(readyCounter{h, &events}) }
		return &bentPoller{Poller: p, run: run}, err
	}
	e := newEar(t)
	eof := make(chan struct{}, 1)
	e.eof = func(*Conn) { eof <- struct{}{} }
	g, _, peer := pair(t, Config{Kernel: k}, e)
	_ = peer.CloseWrite()
	await(t, "EOF", eof)
	g.on(g.loops[0], func() {})
	before := events.Load()
	for range 100 {
		g.on(g.loops[0], func() {})
	}
	if n := events.Load() - before; n > 0 {
		t.Errorf("%d events after the end", n)
	}
}

// readyCounter counts the events for sockets on their way to a loop.
type readyCounter struct {
	kernel.Handler
	n *atomic.Int64
}

func (r readyCounter) Ready(fd int, ev kernel.Event) {
	r.n.Add(1)
	r.Handler.Ready(fd, ev)
}

func TestCloseWriteLeavesReadingOpen(t *testing.T) {
	e := newEar(t)
	got := make(chan string, 4)
	e.data = func(_ *Conn, b []byte) int { got <- string(b); return len(b) }
	g, c, peer := pair(t, Config{}, e)
	g.on(c.Loop(), func() {
		_ = c.Write([]byte("the last"))
		c.CloseWrite()
	})
	if b := receiveAll(t, peer); string(b) != "the last" {
		t.Errorf("received %q", b)
	}
	send(t, peer, []byte("an answer"))
	if s := await(t, "Data", got); s != "an answer" {
		t.Errorf("received %q", s)
	}
	_ = peer.Close()
	if err := await(t, "Closed", e.ended); err != nil {
		t.Errorf("closed with %v", err)
	}
}

// TestCloseWriteWaitsForTheQueue: FIN comes behind what is queued, once, and what is
// written after the call is refused.
func TestCloseWriteWaitsForTheQueue(t *testing.T) {
	for name, then := range map[string]func(*Conn){"and goes on": func(*Conn) {}, "and closes": (*Conn).Close} {
		t.Run(name, func(t *testing.T) {
			k := bent()
			open := closedSocket(k)
			e := newEar(t)
			got := make(chan string, 4)
			e.data = func(_ *Conn, b []byte) int { got <- string(b); return len(b) }
			g, c, peer := pair(t, Config{Kernel: k}, e)
			g.on(c.Loop(), func() {
				_ = c.Write([]byte("queued"))
				c.CloseWrite()
				c.CloseWrite()
				if err := c.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("write after CloseWrite: %v", err)
				}
				then(c)
				open.Store(true)
			})
			if b := receiveAll(t, peer); string(b) != "queued" {
				t.Errorf("received %q", b)
			}
			if name == "and goes on" {
				send(t, peer, []byte("an answer"))
				if s := await(t, "Data", got); s != "an answer" {
					t.Errorf("received %q", s)
				}
			}
			_ = peer.Close()
			if err := await(t, "Closed", e.ended); err != nil {
				t.Errorf("closed with %v", err)
			}
		})
	}
}

func TestAbortResets(t *testing.T) {
	errMine := errors.New("mine")
	for _, c := range []struct{ in, want error }{{errMine, errMine}, {nil, ErrAborted}} {
		e := newEar(t)
		g, conn, peer := pair(t, Config{}, e)
		g.on(conn.Loop(), func() {
			_ = conn.Write([]byte("lost"))
			conn.Abort(c.in)
			conn.Abort(io.EOF) // the first reason stays
			conn.Close()
			if err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("write after Abort: %v", err)
			}
			if conn.LocalAddr() != nil || conn.PeerAddr() != nil {
				t.Error("addresses after Abort")
			}
		})
		if err := await(t, "Closed", e.ended); err != c.want {
			t.Errorf("closed with %v, want %v", err, c.want)
		}
		if _, err := io.Copy(io.Discard, peer); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("the peer reads %v", err)
		}
	}
}

func TestAbortDropsWhatCloseWouldDeliver(t *testing.T) {
	k := bent()
	closedSocket(k)
	e := newEar(t)
	g, c, peer := pair(t, Config{Kernel: k}, e)
	g.on(c.Loop(), func() { _ = c.Write([]byte("queued")); c.Close() })
	g.on(c.Loop(), func() { c.Abort(nil) })
	if err := await(t, "Closed", e.ended); err != ErrAborted {
		t.Errorf("closed with %v", err)
	}
	if n, err := io.Copy(io.Discard, peer); n != 0 || !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the peer reads %d bytes, %v", n, err)
	}
}

// Every handler may end its connection; Closed comes once, and not from inside the call.
func TestAnyHandlerMayEndItsConnection(t *testing.T) {
	ways := map[string]func(*Conn){
		"close": (*Conn).Close,
		"abort": func(c *Conn) { c.Abort(nil) },
		"both":  func(c *Conn) { c.Close(); c.Close(); c.Abort(nil) },
	}
	for name, end := range ways {
		for _, in := range []string{"Data", "EOF", "Timeout", "Data that keeps"} {
			t.Run(name+" in "+in, func(t *testing.T) {
				e := newEar(t)
				ending := func(c *Conn) {
					end(c)
					if e.closed.Load() > 0 {
						t.Error("Closed from inside")
					}
				}
				endIn(e, in, ending)
				g, c, peer := pair(t, Config{}, e)
				g.on(c.Loop(), func() { c.Arm(c.Loop().Now() + alarmOnlyIn(in)) })
				send(t, peer, []byte("some bytes"))
				_ = peer.CloseWrite()
				await(t, "Closed", e.ended)
			})
		}
	}
}

// endIn makes e call ending in the handler of that name.
func endIn(e *ear, name string, ending func(*Conn)) {
	e.eof = func(*Conn) {}
	switch name {
	case "Data":
		e.data = func(c *Conn, b []byte) int { ending(c); return len(b) }
	case "Data that keeps":
		e.data = func(c *Conn, _ []byte) int { ending(c); c.Refeed(); return 0 }
	case "EOF":
		e.eof = ending
	case "Timeout":
		e.timeout = func(c *Conn, _ int64) { ending(c) }
	}
}

func alarmOnlyIn(name string) int64 {
	if name == "Timeout" {
		return int64(time.Millisecond)
	}
	return int64(time.Hour)
}

func TestCallsAfterTheEndDoNothing(t *testing.T) {
	e := newEar(t)
	g, c, _ := pair(t, Config{}, e)
	g.on(c.Loop(), func() { c.Arm(c.Loop().Now() + 1e12); c.Abort(nil) })
	await(t, "Closed", e.ended)
	g.on(c.Loop(), func() {
		if n := c.Loop().wheel.Len(); n != 0 {
			t.Errorf("%d alarms are left", n)
		}
		c.Close()
		c.Abort(io.EOF)
		c.PauseRead()
		c.ResumeRead()
		c.Refeed()
		c.Arm(c.Loop().Now())
		c.Disarm()
		c.SetOptions(Options{})
		c.CloseWrite()
		if c.Pending() != 0 || c.Kept() != 0 || !c.Peer().IsValid() {
			t.Errorf("pending %d, kept %d, peer %v", c.Pending(), c.Kept(), c.Peer())
		}
	})
}

func TestEachMayCloseAll(t *testing.T) {
	g := newRig(t, Config{})
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
	g.start()
	const n = 10
	for range n {
		checkEcho(t, dialTo(t, a))
	}
	g.on(g.loops[0], func() {
		seen := 0
		g.loops[0].Each(func(c *Conn) { seen++; c.Abort(nil) })
		if seen != n {
			t.Errorf("%d connections seen, want %d", seen, n)
		}
	})
	if left := g.Stats().Connections; left != 0 {
		t.Errorf("%d connections are left", left)
	}
}

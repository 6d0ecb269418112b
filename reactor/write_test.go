package reactor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// stingyWrites makes write(2) take 0 to most bytes; 0 is EAGAIN.
func stingyWrites(k *bentKernel, most int, rnd *rand.Rand) {
	k.write = func(fd int, b []byte) (int, kernel.Errno) {
		n := rnd.IntN(most + 1)
		if n == 0 {
			return 0, unix.EAGAIN
		}
		return k.Kernel.Write(fd, b[:min(n, len(b))])
	}
	k.writeTwo = func(fd int, a, b []byte) (int, kernel.Errno) {
		return k.write(fd, append(bytes.Clone(a), b...))
	}
}

func TestWritesKeepTheirOrderThroughShortWrites(t *testing.T) {
	for _, most := range []int{1, 10, 3000, 1 << 20} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(4, uint64(most)))
			k := bent()
			stingyWrites(k, most, rnd)
			n := min(2<<20, 5000*most)
			g, c, peer := pair(t, Config{Kernel: k}, newEar(t))
			g.on(c.Loop(), func() { writeInPieces(t, c, pattern(n), rnd) })
			if got := receiveAll(t, peer); !bytes.Equal(got, pattern(n)) {
				t.Errorf("received %d bytes of %d, or in another order", len(got), n)
			}
			if out := g.Stats().BytesOut; out != int64(n) {
				t.Errorf("Stats has %d bytes out, want %d", out, n)
			}
		})
	}
}

// writeInPieces writes b with Write and WriteTwo, scribbles over it as its owner may, and closes.
func writeInPieces(t *testing.T, c *Conn, b []byte, rnd *rand.Rand) {
	for len(b) > 0 {
		n := min(len(b), rnd.IntN(100_000))
		cut := rnd.IntN(n + 1)
		err := c.Write(b[:n])
		if rnd.IntN(2) == 0 || err != nil {
			if err != nil {
				t.Errorf("write: %v", err)
			}
			clear(b[:n])
			b = b[n:]
			continue
		}
		clear(b[:n])
		b = b[n:]
		n = min(len(b), n)
		cut = min(cut, n)
		if err := c.WriteTwo(b[:cut], b[cut:n]); err != nil {
			t.Errorf("write: %v", err)
		}
		clear(b[:n])
		b = b[n:]
	}
	c.Close()
}

func TestWriteTwoSendsBothInOneCall(t *testing.T) {
	k := bent()
	var calls atomic.Int32
	k.write = func(fd int, b []byte) (int, kernel.Errno) { calls.Add(1); return k.Kernel.Write(fd, b) }
	k.writeTwo = func(fd int, a, b []byte) (int, kernel.Errno) { calls.Add(1); return k.Kernel.WriteTwo(fd, a, b) }
	g, c, peer := pair(t, Config{Kernel: k}, newEar(t))
	g.on(c.Loop(), func() { _ = c.WriteTwo([]byte("head "), []byte("body")) })
	if got := receive(t, peer, 9); string(got) != "head body" || calls.Load() != 1 {
		t.Errorf("received %q in %d calls", got, calls.Load())
	}
}

func TestEmptyWritesDoNothing(t *testing.T) {
	g, c, peer := pair(t, Config{}, newEar(t))
	g.on(c.Loop(), func() {
		if err := errors.Join(c.Write(nil), c.WriteTwo(nil, nil), c.WriteTwo([]byte("a"), nil), c.WriteTwo(nil, []byte("b"))); err != nil {
			t.Errorf("write: %v", err)
		}
		if c.Pending() != 0 {
			t.Errorf("%d bytes are queued", c.Pending())
		}
	})
	if got := receive(t, peer, 2); string(got) != "ab" {
		t.Errorf("received %q", got)
	}
}

// closedSocket makes the socket take nothing until the gate is opened.
func closedSocket(k *bentKernel) (open *atomic.Bool) {
	open = new(atomic.Bool)
	k.write = func(fd int, b []byte) (int, kernel.Errno) {
		if !open.Load() {
			return 0, unix.EAGAIN
		}
		return k.Kernel.Write(fd, b)
	}
	k.writeTwo = func(fd int, a, b []byte) (int, kernel.Errno) {
		if !open.Load() {
			return 0, unix.EAGAIN
		}
		return k.Kernel.WriteTwo(fd, a, b)
	}
	return open
}

func TestTheHardLimitRefusesWholeWrites(t *testing.T) {
	k := bent()
	open := closedSocket(k)
	g, c, peer := pair(t, Config{Kernel: k, Write: WriteLimits{Hard: 100}}, newEar(t))
	g.on(c.Loop(), func() {
		if err := c.Write(make([]byte, 101)); err != ErrQueueFull || c.Pending() != 0 {
			t.Errorf("101 of 100 bytes: %v, %d queued", err, c.Pending())
		}
		if err := c.Write(bytes.Repeat([]byte("a"), 60)); err != nil || c.Pending() != 60 || c.Room() != 40 {
			t.Errorf("60 bytes: %v, %d queued, room for %d", err, c.Pending(), c.Room())
		}
		if err := c.Write(make([]byte, 41)); err != ErrQueueFull {
			t.Errorf("41 more: %v", err)
		}
		if err := c.WriteTwo(make([]byte, 40), make([]byte, 1)); err != ErrQueueFull || c.Pending() != 60 {
			t.Errorf("40 and 1 more: %v, %d queued", err, c.Pending())
		}
		if err := c.WriteTwo(bytes.Repeat([]byte("b"), 30), bytes.Repeat([]byte("c"), 10)); err != nil || c.Room() != 0 {
			t.Errorf("40 more: %v, room for %d", err, c.Room())
		}
		open.Store(true)
		c.Close()
	})
	want := append(bytes.Repeat([]byte("a"), 60), append(bytes.Repeat([]byte("b"), 30), bytes.Repeat([]byte("c"), 10)...)...)
	if got := receiveAll(t, peer); !bytes.Equal(got, want) {
		t.Errorf("received %q", got)
	}
}

func TestWritableFollowsHighOnce(t *testing.T) {
	k := bent()
	open := closedSocket(k)
	e := newEar(t)
	told := make(chan int, 10)
	e.writable = func(c *Conn) {
		if c.High() {
			t.Error("High inside Writable")
		}
		told <- c.Pending()
	}
	g, c, peer := pair(t, Config{Kernel: k, Write: WriteLimits{High: 1000, Low: 100, Chunk: 300}}, e)
	g.on(c.Loop(), func() {
		_ = c.Write(make([]byte, 999))
		if c.High() {
			t.Error("High below the mark")
		}
		_ = c.Write(make([]byte, 1))
		if !c.High() {
			t.Error("not High at the mark")
		}
		open.Store(true)
	})
	receive(t, peer, 1000)
	if pending := await(t, "Writable", told); pending > 100 {
		t.Errorf("Writable with %d bytes queued, low water is 100", pending)
	}
	g.on(c.Loop(), func() {})
	if len(told) > 0 || c.Pending() != 0 {
		t.Errorf("told %d times more; %d bytes are queued", len(told), c.Pending())
	}
}

func TestBelowHighNothingIsTold(t *testing.T) {
	k := bent()
	open := closedSocket(k)
	e := newEar(t)
	e.writable = func(*Conn) { t.Error("Writable") }
	g, c, peer := pair(t, Config{Kernel: k, Write: WriteLimits{High: 1000}}, e)
	g.on(c.Loop(), func() { _ = c.Write(make([]byte, 500)); open.Store(true) })
	receive(t, peer, 500)
	g.on(c.Loop(), func() {})
}

// A writer that was refused waits for Writable, whether the high water mark could be reached or not.
func TestWritableFollowsARefusedWrite(t *testing.T) {
	for _, lim := range []WriteLimits{{Hard: 1000}, {Hard: 1000, High: 5000}, {Hard: 1000, High: 1000, Low: 10}} {
		k := bent()
		open := closedSocket(k)
		e := newEar(t)
		told := make(chan struct{}, 1)
		e.writable = func(*Conn) { told <- struct{}{} }
		g, c, peer := pair(t, Config{Kernel: k, Write: lim}, e)
		g.on(c.Loop(), func() {
			_ = c.Write(make([]byte, 600))
			if err := c.Write(make([]byte, 600)); err != ErrQueueFull || !c.High() {
				t.Errorf("%+v: %v, High is %v", lim, err, c.High())
			}
			open.Store(true)
		})
		receive(t, peer, 600)
		await(t, "Writable", told)
	}
}

// A write that could never be queued is not followed by Writable: nothing would have changed.
func TestAWriteBeyondAllRoomPromisesNothing(t *testing.T) {
	g, c, _ := pair(t, Config{Write: WriteLimits{Hard: 1000}}, newEar(t))
	g.on(c.Loop(), func() {
		if err := c.Write(make([]byte, 1001)); err != ErrQueueFull || c.High() {
			t.Errorf("%v, High is %v", err, c.High())
		}
	})
}

func TestWritingInsideWritableGoesOn(t *testing.T) {
	e := newEar(t)
	const block, blocks = 100_000, 50
	left := blocks
	fill := func(c *Conn) {
		for ; left > 0 && !c.High(); left-- {
			_ = c.Write(pattern(block))
		}
		if left == 0 {
			c.Close()
		}
	}
	e.writable = fill
	g, c, peer := pair(t, Config{Write: WriteLimits{High: 150_000}}, e)
	g.on(c.Loop(), func() { fill(c) })
	if got := receiveAll(t, peer); !bytes.Equal(got, bytes.Repeat(pattern(block), blocks)) {
		t.Errorf("received %d bytes, or others", len(got))
	}
}

func TestChunkCapsEveryWrite(t *testing.T) {
	k := bent()
	var largest atomic.Int64
	note := func(n int) {
		if int64(n) > largest.Load() {
			largest.Store(int64(n))
		}
	}
	k.write = func(fd int, b []byte) (int, kernel.Errno) { note(len(b)); return k.Kernel.Write(fd, b) }
	k.writeTwo = func(fd int, a, b []byte) (int, kernel.Errno) {
		note(len(a) + len(b))
		return k.Kernel.WriteTwo(fd, a, b)
	}
	g, c, peer := pair(t, Config{Kernel: k, Write: WriteLimits{Chunk: 1000}}, newEar(t))
	b := pattern(25_000)
	g.on(c.Loop(), func() {
		_ = c.WriteTwo(b[:700], b[700:5000])
		_ = c.Write(b[5000:])
		c.Close()
	})
	if got := receiveAll(t, peer); !bytes.Equal(got, b) {
		t.Errorf("received %d bytes, or others", len(got))
	}
	if n := largest.Load(); n != 1000 {
		t.Errorf("the largest write(2) has %d bytes, want 1000", n)
	}
}

func TestALongQueueDoesNotHoldTheTurn(t *testing.T) {
	k := bent()
	open := closedSocket(k)
	var turn, most int64 // both of the loop
	k.write = func(_ int, b []byte) (int, kernel.Errno) {
		if !open.Load() {
			return 0, unix.EAGAIN
		}
		turn += int64(len(b)) // a reader of any speed
		most = max(most, turn)
		return len(b), 0
	}
	g, c, _ := pair(t, Config{Kernel: k}, newEar(t))
	g.on(c.Loop(), func() {
		c.Loop().AfterEvent = func() { turn = 0 }
		for range 80 {
			_ = c.Write(make([]byte, 64<<10))
		}
		open.Store(true)
	})
	eventually(t, "the queue drains", func() bool { return g.Stats().BytesOut == 80*64<<10 })
	g.on(c.Loop(), func() {
		if most > 1<<20 {
			t.Errorf("%d bytes in one turn, want a MiB at most", most)
		}
	})
}

func TestLimitsOfOneConnection(t *testing.T) {
	k := bent()
	closedSocket(k)
	g, c, _ := pair(t, Config{Kernel: k}, newEar(t))
	g.on(c.Loop(), func() {
		own := WriteLimits{Hard: 10}.WithDefaults()
		c.SetWriteLimits(&own)
		if err := c.Write(make([]byte, 11)); err != ErrQueueFull {
			t.Errorf("11 of 10 bytes: %v", err)
		}
	})
}

func TestDefaultsOfWriteLimits(t *testing.T) {
	for _, c := range []struct{ in, want WriteLimits }{
		{WriteLimits{}, WriteLimits{High: 256 << 10, Low: 64 << 10, Hard: 16 << 20, Stall: 30 * time.Second}},
		{WriteLimits{Hard: 1000}, WriteLimits{High: 1000, Low: 250, Hard: 1000, Stall: 30 * time.Second}},
		{WriteLimits{High: 8, Low: 4, Hard: 9, Chunk: 2, Stall: 1}, WriteLimits{High: 8, Low: 4, Hard: 9, Chunk: 2, Stall: 1}},
	} {
		if got := c.in.WithDefaults(); got != c.want {
			t.Errorf("%+v: got %+v, want %+v", c.in, got, c.want)
		}
	}
}

func TestAFailedWriteEndsTheConnection(t *testing.T) {
	for _, queued := range []bool{false, true} {
		k := bent()
		var fail atomic.Bool
		k.write = func(fd int, b []byte) (int, kernel.Errno) {
			if fail.Load() {
				return 0, unix.EPIPE
			}
			return 0, unix.EAGAIN
		}
		fail.Store(!queued)
		e := newEar(t)
		g, c, peer := pair(t, Config{Kernel: k}, e)
		g.on(c.Loop(), func() {
			if err := c.Write([]byte("x")); (err == nil) != queued {
				t.Errorf("write: %v", err)
			}
			fail.Store(true)
			if !queued && !errors.Is(c.Write([]byte("y")), net.ErrClosed) {
				t.Error("a second write is taken")
			}
		})
		if err := await(t, "Closed", e.ended); !errors.Is(err, unix.EPIPE) {
			t.Errorf("closed with %v", err)
		}
		if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) && err != io.EOF {
			t.Errorf("the peer reads %v", err)
		}
	}
}

package reactor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// stream checks that Data presents a pattern without gap or overlap: each call begins where the last one stopped.
type stream struct {
	t    *testing.T
	pos  int // used so far
	seen int // presented so far
	done chan struct{}
	want int
}

func newStream(t *testing.T, want int) *stream {
	return &stream{t: t, want: want, done: make(chan struct{})}
}

// take checks b and uses n bytes of it.
func (s *stream) take(b []byte, n int) int {
	if s.pos+len(b) < s.seen {
		s.t.Errorf("at %d: %d bytes, but %d had been presented", s.pos, len(b), s.seen-s.pos)
	}
	for i := range b {
		if b[i] != patternAt(s.pos+i) {
			s.t.Errorf("byte %d is %d, want %d", s.pos+i, b[i], patternAt(s.pos+i))
			break
		}
	}
	s.seen = s.pos + len(b)
	s.pos += n
	if s.pos == s.want {
		close(s.done)
	}
	return n
}

// choppedReads makes read(2) return 1 to most bytes.
func choppedReads(k *bentKernel, most int, rnd *rand.Rand) {
	k.read = func(fd int, b []byte) (int, kernel.Errno) {
		return k.Kernel.Read(fd, b[:min(len(b), 1+rnd.IntN(most))])
	}
}

func TestBytesArriveInOrderHoweverTheyAreChopped(t *testing.T) {
	for _, most := range []int{1, 7, 1000, 40_000, readSize} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, uint64(most)))
			k := bent()
			choppedReads(k, most, rnd)
			n := min(1<<20, 3000*most)
			s, e := newStream(t, n), newEar(t)
			e.data = func(_ *Conn, b []byte) int { return s.take(b, len(b)) }
			_, _, peer := pair(t, Config{Kernel: k}, e)
			send(t, peer, pattern(n))
			await(t, "all bytes", s.done)
		})
	}
}

// A record is used when it is whole: what Data leaves comes again in front of the next bytes, below and above the
// size from which on it is kept in place.
func TestWhatDataLeavesComesAgainInFront(t *testing.T) {
	for _, record := range []int{3, 1000, keptInPlace - 1, keptInPlace, keptInPlace + 1, 3 * keptInPlace, readSize + 1, 2 * readSize} {
		for _, most := range []int{max(100, record/20), 30_000, readSize} {
			t.Run(fmt.Sprint(record, " by ", most), func(t *testing.T) {
				n := record * max(3, 20_000/record)
				if n/most*record > 1<<28 {
					n = record // checking all that is presented costs the square
				}
				k := bent()
				choppedReads(k, most, rand.New(rand.NewPCG(2, uint64(record))))
				s, e := newStream(t, n), newEar(t)
				e.data = func(_ *Conn, b []byte) int { return s.take(b, len(b)/record*record) }
				_, _, peer := pair(t, Config{Kernel: k}, e)
				send(t, peer, pattern(n))
				await(t, "all bytes", s.done)
			})
		}
	}
}

func TestAnyPartMayBeUsed(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(3, seed))
		k := bent()
		choppedReads(k, 1+rnd.IntN(50_000), rnd)
		const n = 300_000
		s, e := newStream(t, n), newEar(t)
		e.data = func(c *Conn, b []byte) int {
			used := rnd.IntN(len(b) + 1)
			if used < len(b) {
				c.Refeed()
			}
			return s.take(b, used)
		}
		_, c, peer := pair(t, Config{Kernel: k}, e)
		send(t, peer, pattern(n))
		await(t, "all bytes", s.done)
		_ = peer.Close()
		await(t, "Closed", e.ended)
		if c.Kept() != 0 {
			t.Errorf("seed %d: %d bytes are kept at the end", seed, c.Kept())
		}
	}
}

// A large message that comes in small pieces must not be copied for each of them: the buffer it is presented in moves
// only when it doubles.
func TestALargeMessageInSmallPiecesIsNotCopiedForEach(t *testing.T) {
	k := bent()
	k.read = func(fd int, b []byte) (int, kernel.Errno) { return k.Kernel.Read(fd, b[:min(len(b), 1024)]) }
	const n = 2 << 20
	moves := 0
	var last *byte
	s, e := newStream(t, n), newEar(t)
	e.data = func(_ *Conn, b []byte) int {
		if p := unsafe.SliceData(b); p != last && len(b) > 2*keptInPlace {
			last = p
			moves++
		}
		if len(b) < n {
			return 0
		}
		return s.take(b, n)
	}
	_, _, peer := pair(t, Config{Kernel: k}, e)
	send(t, peer, pattern(n))
	await(t, "the message", s.done)
	if most := 12; moves > most {
		t.Errorf("the bytes moved %d times, want %d at most", moves, most)
	}
}

// What a handler takes piece by piece, each in a call of its own, must not be moved for each of them: a peer that
// pipelines small requests could make that cost the square of a read.
func TestWhatIsTakenInSmallPiecesIsNotCopiedForEach(t *testing.T) {
	const n, piece = 400_000, 40
	var end *byte // of what was presented: it stays where it is as long as nothing moves
	moved := 0
	s, e := newStream(t, n), newEar(t)
	e.data = func(c *Conn, b []byte) int {
		if s.pos+len(b) < n && s.pos == 0 {
			return 0 // until it is all there
		}
		if last := &b[len(b)-1]; last != end {
			moved += len(b)
			end = last
		}
		c.PauseRead()
		c.ResumeRead()
		return s.take1(b, min(piece, len(b)))
	}
	_, _, peer := pair(t, Config{}, e)
	send(t, peer, pattern(n))
	await(t, "all bytes", s.done)
	if moved > 4*n {
		t.Errorf("%d bytes were moved for %d", moved, n)
	}
}

// take1 is take for the first n bytes of b only.
func (s *stream) take1(b []byte, n int) int {
	s.seen = s.pos
	return s.take(b[:n], n)
}

func TestKeptTellsWhatWaits(t *testing.T) {
	e := newEar(t)
	got := make(chan struct{}, 1)
	e.data = func(c *Conn, b []byte) int {
		if len(b) == 10 {
			got <- struct{}{}
			return 3
		}
		return 0
	}
	g, c, peer := pair(t, Config{}, e)
	send(t, peer, pattern(10))
	await(t, "Data", got)
	g.on(c.Loop(), func() {
		if c.Kept() != 7 {
			t.Errorf("%d bytes are kept, want 7", c.Kept())
		}
	})
}

func TestAnIdleConnectionHoldsNoBuffer(t *testing.T) {
	e := newEar(t)
	whole := make(chan struct{}, 1)
	e.data = func(c *Conn, b []byte) int {
		if len(b) < 3*keptInPlace {
			return 0
		}
		whole <- struct{}{}
		return len(b)
	}
	g, c, peer := pair(t, Config{}, e)
	send(t, peer, pattern(3*keptInPlace))
	await(t, "Data", whole)
	g.on(c.Loop(), func() {
		if c.kept != nil || c.out != nil {
			t.Errorf("kept %v, out %v", c.kept, c.out)
		}
	})
}

func TestAPausedConnectionLeavesBytesInTheKernel(t *testing.T) {
	k := bent()
	const n = 32 << 20 // more than the buffers of both kernels' sides
	s, e := newStream(t, n), newEar(t)
	e.data = func(_ *Conn, b []byte) int { return s.take(b, len(b)) }
	g, c, peer := pair(t, Config{Kernel: k}, e)
	g.on(c.Loop(), func() {
		c.PauseRead()
		c.PauseRead() // twice is once
		if !c.Paused() {
			t.Error("not paused")
		}
	})
	before := k.reads.Load()
	var sent atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := pattern(n); len(b) > 0; {
			m, err := peer.Write(b[:64<<10])
			sent.Add(int64(m))
			if b = b[m:]; err != nil {
				return
			}
		}
	}()
	stalls(t, &sent, n)
	if r := k.reads.Load(); r != before {
		t.Errorf("%d reads from a paused connection", r-before)
	}
	g.on(c.Loop(), c.ResumeRead)
	await(t, "all bytes", s.done)
	await(t, "the sender", done)
}

// stalls waits until a sender that would send n bytes makes no more progress.
func stalls(t *testing.T, sent *atomic.Int64, n int64) {
	t.Helper()
	last, same := int64(-1), 0
	eventually(t, "the sender stalls", func() bool {
		now := sent.Load()
		if now == last && now > 0 {
			same++
		} else {
			last, same = now, 0
		}
		return same == 100 // milliseconds
	})
	if sent.Load() >= n {
		t.Fatalf("all %d bytes were taken from the sender", n)
	}
}

func TestResumeDeliversWhatWasKeptThenTheRest(t *testing.T) {
	const n = 100_000
	s, e := newStream(t, n), newEar(t)
	paused := make(chan struct{}, 1)
	e.data = func(c *Conn, b []byte) int {
		if s.pos == 0 {
			c.PauseRead()
			paused <- struct{}{}
			return s.take(b, 1)
		}
		return s.take(b, len(b))
	}
	g, c, peer := pair(t, Config{}, e)
	send(t, peer, pattern(n)[:20])
	await(t, "Data", paused)
	send(t, peer, pattern(n)[20:])
	g.on(c.Loop(), func() {
		if c.Kept() == 0 {
			t.Error("nothing is kept")
		}
		c.ResumeRead()
		c.ResumeRead() // twice is once
	})
	await(t, "all bytes", s.done)
}

func TestRefeedComesAfterTheEvent(t *testing.T) {
	e := newEar(t)
	calls := make(chan int, 10)
	inside := false
	e.data = func(c *Conn, b []byte) int {
		if inside {
			t.Error("Data from inside Data")
		}
		inside = true
		calls <- len(b)
		if len(b) > 1 {
			c.Refeed()
			c.Refeed() // twice is once
		}
		inside = false
		return 1
	}
	_, _, peer := pair(t, Config{}, e)
	send(t, peer, []byte("abc"))
	for want := 3; want > 0; want-- {
		if got := await(t, "Data", calls); got != want {
			t.Errorf("%d bytes, want %d", got, want)
		}
	}
}

func TestRefeedOfNothingDoesNothing(t *testing.T) {
	e := newEar(t)
	calls := 0
	e.data = func(c *Conn, b []byte) int { calls++; c.Refeed(); return len(b) }
	g, c, peer := pair(t, Config{}, e)
	g.on(c.Loop(), c.Refeed)
	send(t, peer, []byte("abc"))
	eventually(t, "Data", func() bool { return g.Stats().BytesIn == 3 })
	g.on(c.Loop(), func() {
		if calls != 1 {
			t.Errorf("%d calls of Data", calls)
		}
	})
}

// One record at a time, by Refeed: the peer's FIN, which is in the kernel already, must not overtake them.
func TestEOFComesBehindTheLastRefeed(t *testing.T) {
	const n = 20 * settleRounds
	e := newEar(t)
	used := 0
	eof := make(chan int, 1)
	e.data = func(c *Conn, b []byte) int {
		used++
		c.Refeed()
		return 1
	}
	e.eof = func(c *Conn) { eof <- used; c.Close() }
	k := bent()
	finThere := make(chan struct{})
	k.read = func(fd int, b []byte) (int, kernel.Errno) {
		<-finThere
		return k.Kernel.Read(fd, b)
	}
	_, _, peer := pair(t, Config{Kernel: k}, e)
	send(t, peer, pattern(n))
	_ = peer.CloseWrite()
	close(finThere)
	if got := await(t, "EOF", eof); got != n {
		t.Errorf("EOF after %d records of %d", got, n)
	}
}

func TestAHandlerThatAlwaysRefeedsDoesNotStarveOthers(t *testing.T) {
	g := newRig(t, Config{})
	greedy := &ear{data: func(c *Conn, _ []byte) int { c.Refeed(); return 0 }}
	next := []Handler{greedy, echo(nil)}
	accepted := make(chan struct{}, 2)
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, func(*Conn) Handler {
		h := next[0]
		next = next[1:]
		accepted <- struct{}{}
		return h
	})
	g.start()
	first := dialTo(t, a)
	await(t, "accept", accepted)
	send(t, first, []byte("again and again"))
	eventually(t, "Data", func() bool { return g.Stats().BytesIn > 0 })
	checkEcho(t, dialTo(t, a))
}

func TestTheHandlerMayChangeBetweenEvents(t *testing.T) {
	first, second := newEar(t), newEar(t)
	got := make(chan string, 2)
	first.data = func(c *Conn, b []byte) int {
		got <- "first"
		c.SetHandler(second)
		return len(b)
	}
	second.data = func(c *Conn, b []byte) int {
		if c.Handler() != Handler(second) {
			t.Error("Handler is another")
		}
		got <- "second"
		return len(b)
	}
	_, _, peer := pair(t, Config{}, first)
	for _, want := range []string{"first", "second"} {
		send(t, peer, []byte("x"))
		if s := await(t, "Data", got); s != want {
			t.Errorf("%s was told, want %s", s, want)
		}
	}
	_ = peer.Close()
	await(t, "Closed", second.ended)
}

func TestAResetOfThePeerIsSeen(t *testing.T) {
	for name, prepare := range map[string]func(*Conn){
		"reading": func(*Conn) {},
		"queued and paused": func(c *Conn) {
			c.PauseRead()
			_ = c.Write(make([]byte, 16<<20))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEar(t)
			g, c, peer := pair(t, Config{}, e)
			g.on(c.Loop(), func() { prepare(c) })
			_ = peer.SetLinger(0)
			_ = peer.Close()
			err := await(t, "Closed", e.ended)
			if !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
				t.Errorf("closed with %v", err)
			}
		})
	}
}

func TestTheEndIsSeenBehindWhatIsKept(t *testing.T) {
	for _, kept := range []int{10, 2 * keptInPlace} {
		for how, leave := range map[string]func(net.Conn){
			"FIN": func(c net.Conn) { _ = c.Close() },
			"RST": func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _ = c.Close() },
		} {
			e := newEar(t)
			all := make(chan struct{}, 1)
			e.data = func(_ *Conn, b []byte) int {
				if len(b) == kept {
					all <- struct{}{}
				}
				return 0
			}
			_, _, peer := pair(t, Config{}, e)
			send(t, peer, pattern(kept))
			await(t, "Data", all)
			leave(peer)
			if err := await(t, "Closed", e.ended); (err == nil) != (how == "FIN") {
				t.Errorf("%d kept, %s: closed with %v", kept, how, err)
			}
		}
	}
}

// TCP's urgent byte makes a socket "exceptionally" ready until somebody reads past it.
func TestAnUrgentByteDoesNotSpinTheLoop(t *testing.T) {
	k := bent()
	g, _, peer := pair(t, Config{Kernel: k}, newEar(t))
	rc, err := peer.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	cerr := rc.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil) })
	if err := errors.Join(cerr, err); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the loop reads", func() bool { return k.reads.Load() > 0 })
	for range 100 {
		g.on(g.loops[0], func() {})
	}
	if n := k.reads.Load(); n > 4 {
		t.Errorf("%d reads for one byte", n)
	}
}

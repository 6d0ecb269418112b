package reactor

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/wheel"
)

func TestLettersOfOneSenderKeepTheirOrder(t *testing.T) {
	g := newRig(t, Config{}).start()
	const senders, letters = 8, 5000
	var next [senders]int // the loop's
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range letters {
				_ = g.loops[0].Post(Func(func() {
					if next[s] != i {
						t.Errorf("sender %d: letter %d, want %d", s, i, next[s])
					}
					next[s] = i + 1
				}))
			}
		})
	}
	wg.Wait()
	g.on(g.loops[0], func() {
		for s, n := range next {
			if n != letters {
				t.Errorf("sender %d: %d letters", s, n)
			}
		}
	})
}

func TestLettersPostedBeforeStartAreDelivered(t *testing.T) {
	g := newRig(t, Config{})
	got := make(chan int, 3)
	for i := range 3 {
		_ = g.loops[0].Post(Func(func() { got <- i }))
	}
	g.start()
	for want := range 3 {
		if i := await(t, "letter", got); i != want {
			t.Errorf("letter %d, want %d", i, want)
		}
	}
}

func TestALetterThatPostsItselfDoesNotStarveSocketsOrTimers(t *testing.T) {
	g := newRig(t, Config{})
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
	g.start()
	l := g.loops[0]
	var again func()
	again = func() { _ = l.Post(Func(again)) }
	_ = l.Post(Func(again))
	c := dialTo(t, a)
	for range 10 {
		checkEcho(t, c)
	}
	rang := make(chan struct{})
	_ = l.Post(Func(func() {
		timer := &Timer{Owner: expireFunc(func(int64) { close(rang) })}
		l.Arm(timer, l.Now()+int64(time.Millisecond))
	}))
	await(t, "timer", rang)
}

func TestALoopsBatchOfMailIsBounded(t *testing.T) {
	g := newRig(t, Config{})
	l := g.loops[0]
	turns := make([]int, 1) // letters between two ticks of the wake-up
	l.AfterEvent = nil
	for range 3 * mailBudget {
		_ = l.Post(Func(func() { turns[len(turns)-1]++ }))
	}
	woken := 0
	m := &l.mail
	for more := true; more; woken++ {
		more = m.deliver(func() {})
		turns = append(turns, 0)
	}
	for i, n := range turns {
		if n > mailBudget {
			t.Errorf("%d letters in turn %d, want %d at most", n, i, mailBudget)
		}
	}
	if woken < 3 {
		t.Errorf("all in %d turns", woken)
	}
}

func TestAfterEventFollowsLettersDataAndTimers(t *testing.T) {
	e := newEar(t)
	owed := 0 // the loop's
	e.data = func(_ *Conn, b []byte) int { owed++; return len(b) }
	e.timeout = func(*Conn, int64) { owed++ }
	g, c, peer := pair(t, Config{}, e)
	flushed := make(chan int, 10)
	g.on(c.Loop(), func() {
		c.Loop().AfterEvent = func() {
			if owed > 0 {
				flushed <- owed
				owed = 0
			}
		}
	})
	for what, cause := range map[string]func(){
		"a letter": func() { _ = c.Loop().Post(Func(func() { owed++ })) },
		"data":     func() { send(t, peer, []byte("x")) },
		"a timer":  func() { _ = c.Loop().Post(Func(func() { c.Arm(c.Loop().Now()) })) },
	} {
		cause()
		if n := await(t, what, flushed); n != 1 {
			t.Errorf("%s: AfterEvent after %d", what, n)
		}
	}
}

func TestAlarmsRingOnTimeAndOnce(t *testing.T) {
	k := handMadeClock()
	e := newEar(t)
	rang := make(chan int64, 10)
	e.timeout = func(c *Conn, now int64) {
		if now != c.Loop().Now() {
			t.Errorf("told %d at %d", now, c.Loop().Now())
		}
		rang <- now
	}
	g, c, _ := pair(t, Config{Kernel: k}, e)
	at := noon + int64(time.Second)
	g.on(c.Loop(), func() { c.Arm(at) })
	g.advance(k, time.Second-1)
	if len(rang) > 0 {
		t.Fatal("too early")
	}
	g.advance(k, 1+wheel.Tick)
	if now := await(t, "alarm", rang); now < at || now > at+int64(wheel.Tick) {
		t.Errorf("armed for %d, rang at %d", at, now)
	}
	g.advance(k, time.Hour)
	if len(rang) > 0 {
		t.Error("rang again")
	}
}

func TestArmingAgainMovesTheAlarm(t *testing.T) {
	k := handMadeClock()
	e := newEar(t)
	var rang atomic.Int32
	e.timeout = func(*Conn, int64) { rang.Add(1) }
	g, c, _ := pair(t, Config{Kernel: k}, e)
	for _, to := range []time.Duration{2 * time.Second, time.Second, 3 * time.Second} {
		g.on(c.Loop(), func() { c.Arm(noon + int64(to)) })
	}
	g.advance(k, 3*time.Second-1)
	if n := rang.Load(); n != 0 {
		t.Fatalf("rang %d times before the last time it was armed for", n)
	}
	g.advance(k, 2*wheel.Tick)
	if n := rang.Load(); n != 1 {
		t.Errorf("rang %d times", n)
	}
	g.on(c.Loop(), func() { c.Arm(c.Loop().Now() + 1); c.Disarm() })
	g.advance(k, time.Hour)
	if n := rang.Load(); n != 1 {
		t.Errorf("rang %d times after Disarm", n)
	}
}

func TestALoopsTimerWakesTheLoop(t *testing.T) {
	g := newRig(t, Config{}).start()
	l := g.loops[0]
	const wait = 30 * time.Millisecond
	rang := make(chan time.Duration, 2)
	var start time.Time
	timer := &Timer{Owner: expireFunc(func(int64) { rang <- time.Since(start) })}
	gone := &Timer{Owner: expireFunc(func(int64) { t.Error("a disarmed timer rang") })}
	g.on(l, func() {
		start = time.Now()
		l.now = l.k.Now()
		l.Arm(gone, l.Now()+int64(wait/2))
		l.Arm(timer, l.Now()+int64(wait))
		l.Disarm(gone)
	})
	if after := await(t, "timer", rang); after < wait-time.Millisecond {
		t.Errorf("rang after %v, armed for %v", after, wait)
	}
}

func TestATimerMayArmItselfAgain(t *testing.T) {
	g := newRig(t, Config{}).start()
	l := g.loops[0]
	done := make(chan struct{})
	n := 0
	timer := new(Timer)
	timer.Owner = expireFunc(func(now int64) {
		if n++; n == 5 {
			close(done)
			return
		}
		l.Arm(timer, now+int64(time.Millisecond))
	})
	g.on(l, func() { l.Arm(timer, l.Now()) })
	await(t, "five times", done)
}

func TestStatsCount(t *testing.T) {
	g := newRig(t, Config{Loops: 2})
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, echo)
	g.start()
	if s := g.Stats(); s != (Stats{}) {
		t.Errorf("at the start: %+v", s)
	}
	first, second := dialTo(t, a), dialTo(t, a)
	checkEcho(t, first) // 13 bytes each way
	checkEcho(t, second)
	checkEcho(t, second)
	want := Stats{Connections: 2, Accepted: 2, BytesIn: 39, BytesOut: 39}
	g.on(g.loops[0], func() {}) // a loop counts what it has sent when the peer may have it already
	g.on(g.loops[1], func() {})
	if s := g.Stats(); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	_ = first.Close()
	want.Connections = 1
	eventually(t, "the connection is freed", func() bool { return g.Stats() == want })
}

func TestLoopsAreNumbered(t *testing.T) {
	g := newRig(t, Config{Loops: 3})
	for i, l := range g.Loops() {
		if l.ID() != i {
			t.Errorf("loop %d has the number %d", i, l.ID())
		}
	}
	if n := len(g.Loops()); n != 3 {
		t.Errorf("%d loops", n)
	}
}

func TestZeroLoopsMeansOnePerProcessor(t *testing.T) {
	r, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Discard()
	if len(r.Loops()) == 0 || r.cfg.Logger == nil || r.cfg.Write.Hard == 0 {
		t.Errorf("%d loops, config %+v", len(r.Loops()), r.cfg)
	}
}

func TestATableFindsWhatWasSet(t *testing.T) {
	var table table
	fds := []int{0, 5, pageSize - 1, pageSize, 10*pageSize + 3}
	for _, fd := range fds {
		table.set(fd, &Conn{fd: int32(fd)})
		table.set(fd, &Conn{fd: int32(fd)}) // replaces
	}
	if table.n != len(fds) {
		t.Errorf("%d are counted, want %d", table.n, len(fds))
	}
	for _, fd := range fds {
		if c := table.get(fd); c == nil || int(c.fd) != fd {
			t.Errorf("at %d: %v", fd, c)
		}
	}
	if table.get(1) != nil || table.get(3*pageSize) != nil || table.get(100*pageSize) != nil {
		t.Error("found what was not set")
	}
	table.each(func(c *Conn) { table.set(int(c.fd), nil) })
	table.set(7, nil)
	if table.n != 0 || table.get(5) != nil {
		t.Errorf("%d are left", table.n)
	}
}

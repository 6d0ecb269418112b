package engine_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

// orders is a program that does what its peers say: "+topic" and "-topic" subscribe
// and unsubscribe, "topic=text" publishes, "topic!text" does so to others, and anything
// else comes back. Each order is answered when it has been carried out.
func orders(s callbacks.Session, r callbacks.Reason, in []byte) error {
	if r != callbacks.Receive {
		return nil
	}
	order := string(in)
	i := strings.IndexAny(order, "=!")
	var err error
	switch {
	case order[0] == '+':
		err = s.Subscribe(order[1:])
	case order[0] == '-':
		err = s.Unsubscribe(order[1:])
	case i > 0 && order[i] == '=':
		err = s.Publish(order[:i], callbacks.NewMessage(in[i+1:], callbacks.WriteText))
	case i > 0:
		err = s.PublishToOthers(order[:i], callbacks.NewMessage(in[i+1:], callbacks.WriteText))
	}
	if err != nil {
		return s.Write([]byte(err.Error()), s.Kind())
	}
	return s.Write(in, s.Kind())
}

// order sends one and waits until it has been carried out.
func (p *peer) order(text string) *peer {
	p.t.Helper()
	p.frame(ws.OpText, true, text).wantFrames("1 " + text)
	return p
}

// TestPublishReachesSubscribers is the whole of it: who has subscribed gets it, once,
// and nobody else does.
func TestPublishReachesSubscribers(t *testing.T) {
	v := start(t, engine.Config{Loops: 2, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: orders})})
	var news, both, none *peer
	for _, p := range []**peer{&news, &both, &none} {
		*p, _ = v.upgrade(t)
	}
	news.order("+news").order("+news")
	both.order("+news").order("+sport")
	none.order("news=one")
	news.wantFrames("1 one")
	both.wantFrames("1 one")
	none.order("sport=two")
	both.wantFrames("1 two").frame(ws.OpText, true, "news=three").wantBoth("1 three", "1 news=three")
	news.wantFrames("1 three")
	both.order("news!four").order("-news")
	news.wantFrames("1 four").order("news!five").frame(ws.OpText, true, "news=six").wantBoth("1 six", "1 news=six")
	both.order("last")
	none.order("last")
}

// TestTopicCalls: what cannot be is refused, by name, and costs the session nothing.
func TestTopicCalls(t *testing.T) {
	long := strings.Repeat("x", callbacks.MaxTopic+1)
	hi := callbacks.NewMessage([]byte("hi"), callbacks.WriteText)
	errs := make(chan error, 100)
	v := start(t, engine.Config{Loops: 1, Limits: engine.Limits{Topics: 2, DrainTimeout: quick.DrainTimeout},
		Vhosts: vhost(callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			switch r {
			case callbacks.HTTP:
				errs <- errors.Join(want(s.Subscribe("a"), callbacks.ErrRole), want(s.Unsubscribe("a"), callbacks.ErrRole), s.Publish("a", hi))
				return s.Respond(200, "", nil)
			case callbacks.Established:
				errs <- errors.Join(want(s.Subscribe(""), callbacks.ErrTopic), want(s.Subscribe(long), callbacks.ErrTopic),
					want(s.Unsubscribe(""), callbacks.ErrTopic), want(s.Publish(long, hi), callbacks.ErrTopic),
					want(s.Publish("a", nil), callbacks.ErrKind), want(s.PublishToOthers("a", callbacks.NewMessage(nil, callbacks.WritePing)), callbacks.ErrKind),
					s.Unsubscribe("a"), s.Publish("nobody", hi),
					s.Subscribe("a"), s.Subscribe(long[1:]), s.Subscribe("a"), want(s.Subscribe("b"), callbacks.ErrTopics),
					s.Unsubscribe(long[1:]), s.Unsubscribe(long[1:]), s.Subscribe("b"))
			case callbacks.Closed:
				errs <- errors.Join(want(s.Subscribe("a"), callbacks.ErrClosed), want(s.Unsubscribe("a"), callbacks.ErrClosed), s.Publish("a", hi))
			}
			return nil
		}})})
	p, _ := v.upgrade(t)
	v.dial(t).send(get("/")).want(200, "")
	p.wantFrames("1 hi")
	q, _ := v.upgrade(t)
	_ = q.Conn.(wire).SetLinger(0)
	q.Close()
	p.wantFrames("1 hi") // the last words of q
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the statistics agree", func() bool {
		st := v.Stats()
		return st.Subscriptions == 2 && st.Published == 4 && st.Delivered == 2 && st.Dropped == 0
	})
}

// want is nil if err is what it should be.
func want(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("got %w, want %w", err, want)
}

// TestEnginePublish: from any goroutine, in its order, up to the shutdown, and not
// before or behind it.
func TestEnginePublish(t *testing.T) {
	cfg := engine.Config{Loops: 2, Vhosts: vhost(callbacks.Protocol{Callback: orders})}
	m := func(i int) *callbacks.Message { return callbacks.NewMessage(fmt.Append(nil, i), callbacks.WriteText) }
	idle, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := idle.Publish("t", m(0)); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("before Run: %v", err)
	}
	v := start(t, cfg)
	var peers []*peer
	for range 4 {
		p, _ := v.upgrade(t)
		peers = append(peers, p.order("+t"))
	}
	if err := errors.Join(want(v.Publish("", m(0)), callbacks.ErrTopic), want(v.Publish("t", nil), callbacks.ErrKind)); err != nil {
		t.Error(err)
	}
	for i := range 1000 {
		if err := v.Publish("t", m(i)); err != nil {
			t.Fatal(err)
		}
	}
	v.stop()
	for _, p := range peers {
		for i := range 1000 {
			p.wantFrames(fmt.Sprint("1 ", i))
		}
		p.wantFrames(closeFrame(ws.StatusGoingAway, "")).frame(ws.OpClose, true, "\x03\xe9").wantEOF()
		p.Close()
	}
	eventually(t, "Publish is refused", func() bool { return errors.Is(v.Publish("t", m(0)), engine.ErrClosed) })
}

var errGaveUp = errors.New("a subscriber gave up")

// TestPublishAcrossLoops: every subscriber on every loop gets all from every publisher,
// in the publisher's order, and all of them in one.
func TestPublishAcrossLoops(t *testing.T) {
	const publishers, each = 8, 25
	clients := 2000 / over(t).stride()
	if raced {
		clients /= 8 // which are enough to meet on all loops
	}
	v := start(t, engine.Config{Loops: 4, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: orders})})
	list := make([]*peer, clients)
	for i := range list {
		list[i], _ = v.upgrade(t)
		list[i].order("+t")
	}
	eventually(t, "all have subscribed", func() bool { return v.Stats().Subscriptions == int64(clients) })
	for i, p := range list[:publishers] {
		for n := range each {
			p.frame(ws.OpText, true, fmt.Sprintf("t=%d %d", i, n))
		}
	}
	done := make(chan error, clients)
	var all sync.Map
	for i, p := range list {
		_ = p.SetDeadline(time.Now().Add(2 * patience)) // the one it has is as old as its connection
		go func() {
			err := errGaveUp
			defer func() { done <- err }() // also when the peer ends its goroutine
			err = p.hears(i, publishers, each, &all)
		}()
	}
	for range list {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the statistics agree", func() bool {
		st := v.Stats()
		return st.Published == publishers*each && st.Delivered == int64(clients*publishers*each) && st.Dropped == 0
	})
}

// wantBoth reads two frames, in either order.
func (p *peer) wantBoth(a, b string) {
	p.t.Helper()
	if got := p.read(); got == b {
		p.wantFrames(a)
	} else if got != a {
		p.t.Fatalf("got frame %q, want %q or %q", got, a, b)
	} else {
		p.wantFrames(b)
	}
}

// hears reads what the i-th peer should: each of each publisher, in the order that
// all see, and of its own also that the order was carried out.
func (p *peer) hears(i, publishers, each int, all *sync.Map) error {
	next := make([]int, publishers)
	own, nth := 0, 0
	total := publishers * each
	if i < publishers {
		total += each
	}
	for range total {
		var from, n int
		text := strings.TrimPrefix(p.read(), "1 ")
		answer, ok := strings.CutPrefix(text, "t=")
		if _, err := fmt.Sscanf(answer, "%d %d", &from, &n); err != nil || from >= publishers {
			return fmt.Errorf("peer %d: %q", i, text)
		}
		switch {
		case ok && (from != i || n != own):
			return fmt.Errorf("peer %d: %q after %d and %d of its own", i, text, own, next[i])
		case ok:
			own++
		case next[from] != n:
			return fmt.Errorf("peer %d: %q, want %d", i, text, next[from])
		default:
			next[from]++
			if was, _ := all.LoadOrStore(nth, text); was != text {
				return fmt.Errorf("peer %d: %q, where another got %q", i, text, was)
			}
			nth++
		}
	}
	return nil
}

// TestSubscribersComeAndGo while others publish on all loops; in the end nobody has
// subscribed to anything.
func TestSubscribersComeAndGo(t *testing.T) {
	rounds := 60 / over(t).stride()
	v := start(t, engine.Config{Loops: 3, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: orders, SendQueue: 20_000,
		Overflow: callbacks.OverflowDropOldest})})
	stop := make(chan struct{})
	var publishing, coming sync.WaitGroup
	for i := range 2 {
		publishing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				_ = v.Publish([...]string{"a", "b"}[n%2], callbacks.NewMessage(fmt.Appendf(nil, "%d %d", i, n), callbacks.WriteText))
				runtime.Gosched()
			}
		})
	}
	for i := range 6 {
		coming.Go(func() {
			for n := range rounds {
				p, _ := v.upgrade(t)
				p.frame(ws.OpText, true, "+a").frame(ws.OpText, true, "+b").frame(ws.OpText, true, "a=x").frame(ws.OpText, true, "-b")
				for answers := 0; answers < 4; {
					if text := p.read(); strings.ContainsAny(text, "+-=") {
						answers++
					}
				}
				if (n+i)%3 == 0 {
					_ = p.Conn.(wire).SetLinger(0)
				}
				p.Close()
			}
		})
	}
	coming.Wait()
	close(stop)
	publishing.Wait()
	eventually(t, "nobody has subscribed", func() bool { st := v.Stats(); return st.Subscriptions == 0 && st.WebSockets == 0 })
}

// TestPublishAllocatesNothing: neither the message's way to the subscribers of the
// publisher's loop, nor what nobody has subscribed to.
func TestPublishAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector makes the loop's wake-up allocate")
	}
	const clients = 20
	m := callbacks.NewMessage([]byte("sixteen letters."), callbacks.WriteText)
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.Established:
			return s.Subscribe("t")
		case callbacks.Receive:
			if err := s.Publish("nobody", m); err != nil {
				return err
			}
			return s.Publish("t", m)
		}
		return nil
	})
	var peers []*peer
	for range clients {
		p, _ := v.upgrade(t)
		peers = append(peers, p)
	}
	request := ws.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{1, 2, 3, 4}, nil)
	reply := make([]byte, 18)
	trip := func() {
		if _, err := peers[0].Conn.Write(request); err != nil {
			t.Fatal(err)
		}
		for _, p := range peers {
			if _, err := io.ReadFull(p.Conn, reply); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := allocations(t, trip) - (clients-1)*over(t).clientAllocs(); n >= 1 {
		t.Errorf("%v allocations a message", n)
	}
}

// TestEnginePublishKeepsItsPlace in front of what a session publishes behind it.
func TestEnginePublishKeepsItsPlace(t *testing.T) {
	var running atomic.Pointer[server]
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.Established:
			return s.Subscribe("t")
		case callbacks.Receive:
			if err := running.Load().Publish("t", callbacks.NewMessage([]byte("engine"), callbacks.WriteText)); err != nil {
				return err
			}
			return s.Publish("t", callbacks.NewMessage([]byte("session"), callbacks.WriteText))
		}
		return nil
	}})})
	running.Store(v)
	p, _ := v.upgrade(t)
	for range 10 {
		p.frame(ws.OpText, true, "go").wantFrames("1 engine", "1 session")
	}
}

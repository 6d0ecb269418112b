package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

// exchange joins engines: what is published to any of them is brought to all that
// have subscribers, in one order, by one goroutine.
type exchange struct {
	t    *testing.T
	mu   sync.Mutex
	cond *sync.Cond
	mail []posted
	over bool
	wg   sync.WaitGroup
	all  []*branch
}

// posted is a publication that has not come round.
type posted struct {
	p    engine.Publication
	from *branch
}

// branch is the exchange's Broker for one engine.
type branch struct {
	x       *exchange
	deliver func(engine.Publication)
	topics  map[string]bool
	log     []string // what it was told
}

func newExchange(t *testing.T) *exchange {
	x := &exchange{t: t}
	x.cond = sync.NewCond(&x.mu)
	x.wg.Go(x.run)
	t.Cleanup(func() {
		x.mu.Lock()
		x.over = true
		x.mu.Unlock()
		x.cond.Signal()
		x.wg.Wait()
	})
	return x
}

func (x *exchange) branch() *branch {
	b := &branch{x: x, topics: make(map[string]bool)}
	x.all = append(x.all, b)
	return b
}

func (x *exchange) run() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		for len(x.mail) == 0 {
			if x.over {
				return
			}
			x.cond.Wait()
		}
		m := x.mail[0]
		x.mail = x.mail[1:]
		for _, b := range x.all {
			p := m.p
			if b != m.from {
				p.From = 0
			}
			if b.deliver != nil && b.topics[p.Topic] {
				b.deliver(p)
			}
		}
	}
}

func (b *branch) note(what string) {
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	b.log = append(b.log, what)
}

func (b *branch) Start(deliver func(engine.Publication)) error {
	b.note("start")
	b.deliver = deliver
	deliver(engine.Publication{})           // is nothing
	deliver(engine.Publication{Topic: "t"}) // neither
	deliver(engine.Publication{Topic: "nobody", Message: callbacks.NewMessage(nil, callbacks.WriteText)})
	return nil
}

func (b *branch) Stop() { b.note("stop") }

func (b *branch) Subscribed(topic string) { b.turn(topic, true) }

func (b *branch) Unsubscribed(topic string) { b.turn(topic, false) }

func (b *branch) turn(topic string, on bool) {
	b.note(fmt.Sprintf("%s %v", topic, on))
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	if b.topics[topic] == on {
		b.x.t.Errorf("%q: %v twice", topic, on)
	}
	b.topics[topic] = on
}

func (b *branch) Publish(p engine.Publication) (now bool) {
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	b.x.mail = append(b.x.mail, posted{p, b})
	b.x.cond.Signal()
	return false
}

// TestBrokerJoinsEngines: sessions of two engines publish to each other, and all of
// them see one order.
func TestBrokerJoinsEngines(t *testing.T) {
	const each = 50
	x := newExchange(t)
	var servers []*server
	var peers []*peer
	for range 2 {
		v := start(t, engine.Config{Loops: 2, Limits: quick, Broker: x.branch(), Vhosts: vhost(callbacks.Protocol{Callback: orders})})
		servers = append(servers, v)
		for range 4 {
			p, _ := v.upgrade(t)
			peers = append(peers, p.order("+t"))
		}
	}
	for n := range each {
		for i, p := range peers {
			p.frame(ws.OpText, true, fmt.Sprintf("t=%d %d", i, n))
		}
		_ = servers[n%2].Publish("t", callbacks.NewMessage(fmt.Appendf(nil, "8 %d", n), callbacks.WriteText))
	}
	order := peers[0].published(9*each, each)
	next := make([]int, 9)
	for _, text := range order {
		var i, n int
		if _, err := fmt.Sscanf(text, "%d %d", &i, &n); err != nil || n != next[i] && i < 8 {
			t.Fatalf("%q, want %d: %v", text, next[i], err)
		}
		next[i]++
	}
	for i, p := range peers[1:] {
		if got := p.published(9*each, each); !slices.Equal(got, order) {
			t.Fatalf("peer %d sees another order", i+1)
		}
	}
	peers[0].frame(ws.OpText, true, "t!not to me") // the other engine has a session of the same number
	for _, p := range peers[1:] {
		p.published(1, 0)
	}
	peers[0].published(0, 1)
	peers[0].frame(ws.OpText, true, "t=to all").published(1, 1)
	for _, v := range servers {
		v.stop()
	}
	for _, p := range peers {
		p.Close()
	}
	for i, v := range servers {
		err := <-v.done
		v.done <- err
		x.mu.Lock()
		if got := strings.Join(x.all[i].log, ", "); got != "start, t true, t false, stop" {
			t.Errorf("the broker of engine %d was told: %s", i, got)
		}
		x.mu.Unlock()
	}
}

// published reads so many messages that were published, and answers to orders.
func (p *peer) published(messages, answers int) (list []string) {
	p.t.Helper()
	for len(list) < messages || answers > 0 {
		text := strings.TrimPrefix(p.read(), "1 ")
		if strings.ContainsAny(text, "=!") {
			answers--
		} else {
			list = append(list, text)
		}
	}
	if len(list) != messages || answers != 0 {
		p.t.Fatalf("%d messages of %d, %d answers missing", len(list), messages, answers)
	}
	return list
}

// brokenBroker is a Broker that does not start.
type brokenBroker struct {
	branch
	err error
}

func (f *brokenBroker) Start(func(engine.Publication)) error { return f.err }
func (f *brokenBroker) Stop()                                { panic("stopped without having been started") }

func TestBrokerThatDoesNotStart(t *testing.T) {
	out := errors.New("out of order")
	e, err := engine.New(engine.Config{Broker: &brokenBroker{err: out}, Vhosts: vhost(callbacks.Protocol{Callback: orders})})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(context.Background()); !errors.Is(err, out) {
		t.Errorf("Run returned %v", err)
	}
	if err := e.Publish("t", callbacks.NewMessage(nil, callbacks.WriteText)); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Publish returned %v", err)
	}
}

// TestBrokerIsThereForProtocolInit: the program may publish while Run begins and ends,
// and a Run that fails after the Broker has been started stops it.
func TestBrokerIsThereForProtocolInit(t *testing.T) {
	x := newExchange(t)
	b := x.branch()
	no := errors.New("no")
	e, err := engine.New(engine.Config{Broker: b, Vhosts: vhost(callbacks.Protocol{
		Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
			if r != callbacks.ProtocolInit {
				return nil
			}
			if err := s.Publish("t", callbacks.NewMessage(nil, callbacks.WriteText)); err != nil {
				t.Error(err)
			}
			return no
		}})})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(context.Background()); !errors.Is(err, no) {
		t.Errorf("Run returned %v", err)
	}
	if got := strings.Join(b.log, ", "); got != "start, stop" {
		t.Errorf("the broker was told: %s", got)
	}
}

// deliveringBroker is told of a topic's last subscriber while it delivers under the lock
// that it wants then.
type deliveringBroker struct {
	mu      sync.Mutex
	deliver func(engine.Publication)
	told    chan struct{}
}

func (b *deliveringBroker) Start(deliver func(engine.Publication)) error {
	b.deliver = deliver
	return nil
}
func (b *deliveringBroker) Subscribed(string)               {}
func (b *deliveringBroker) Publish(engine.Publication) bool { return true }
func (b *deliveringBroker) Stop()                           {}

func (b *deliveringBroker) Unsubscribed(string) {
	close(b.told)
	b.mu.Lock()
	defer b.mu.Unlock()
}

func TestBrokerMayDeliverUnderItsLock(t *testing.T) {
	b := &deliveringBroker{told: make(chan struct{})}
	v := start(t, engine.Config{Loops: 1, Limits: quick, Broker: b, Vhosts: vhost(callbacks.Protocol{Callback: orders})})
	p, _ := v.upgrade(t)
	p.order("+t")
	b.mu.Lock()
	p.frame(ws.OpText, true, "-t")
	<-b.told
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.deliver(engine.Publication{Topic: "t", Message: callbacks.NewMessage([]byte("late"), callbacks.WriteText)})
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("delivering waits for the loop, which waits for the Broker")
	}
	b.mu.Unlock()
	p.wantFrames("1 -t")
}

package engine

import (
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/penstock-go/penstock/callbacks"
)

// Publication is a message on its way to the subscribers of a topic.
type Publication struct {
	// Topic is what it was published to.
	Topic string
	// Message is shared by all who receive it.
	Message *callbacks.Message
	// From is the ID of the session that does not get it, 0 for none. It means
	// something in the engine that has published only: a Broker that brings the
	// publication to another engine leaves it 0 there.
	From uint64
}

// Broker carries publications. An Engine has its own, for its own sessions; another
// one, as Config.Broker, can bring what is published in one process to the
// subscribers in others, and sessions notice nothing of it.
//
// Publish, Subscribed and Unsubscribed are called on the loops, several at once, and
// Publish by who calls Engine.Publish, too. They must not block: hand over to a
// goroutine and return. One Broker is for one Engine.
type Broker interface {
	// Start is called by Run before there is a session. deliver gives a publication to
	// the engine's own subscribers. It may be called from any goroutine until Stop
	// returns, and anywhere, also inside of the methods here and under locks that they
	// take; what one
	// goroutine delivers arrives in that order. An error makes Run fail, and Stop is not
	// called.
	Start(deliver func(Publication)) error
	// Subscribed says that the topic has got its first subscriber in the engine,
	// Unsubscribed that it has lost its last. Of one topic the two are called in turn,
	// beginning with Subscribed.
	Subscribed(topic string)
	// Unsubscribed is described with Subscribed.
	Unsubscribed(topic string)
	// Publish takes what a session of the engine or Engine.Publish publishes, whether
	// or not anybody here has subscribed to it. true lets the engine deliver it to its
	// own subscribers, now. false leaves that to the Broker, which calls deliver when
	// it has come round, so that all engines see the same order; a session's messages
	// should stay in theirs.
	Publish(p Publication) (now bool)
	// Stop is called when the last session has ended. Run waits for it.
	Stop()
}

// inProcess is the Broker of an engine that is by itself.
type inProcess struct{}

func (inProcess) Start(func(Publication)) error { return nil }
func (inProcess) Subscribed(string)             {}
func (inProcess) Unsubscribed(string)           {}
func (inProcess) Publish(Publication) bool      { return true }
func (inProcess) Stop()                         {}

// audiences knows which loops have subscribers of which topics. It is written when a
// loop gets its first subscriber of a topic or loses its last, under a lock that also
// keeps the Broker's news of that topic in order. Who publishes on a loop that has
// subscribers of its own finds the others through its topic, without this lock; others
// look here, in one of several shards, so that loops rarely meet.
type audiences struct {
	seed   maphash.Seed
	shards [32]shard
}

type shard struct {
	news   sync.Mutex // held by who writes, and while the Broker is told: see join
	mu     sync.RWMutex
	topics map[string]*audience
	_      [24]byte // of two shards in one line of the cache, each would slow down the other
}

// audience are the loops that have subscribers of one topic. The slice does not change.
type audience struct {
	loops atomic.Pointer[[]*loop]
	order sync.Mutex // held while a publication is posted to them, so that all get one order
}

func newAudiences() *audiences {
	a := &audiences{seed: maphash.MakeSeed()}
	for i := range a.shards {
		a.shards[i].topics = make(map[string]*audience)
	}
	return a
}

func (a *audiences) shard(topic string) *shard {
	return &a.shards[maphash.String(a.seed, topic)%uint64(len(a.shards))]
}

// set waits for who is posting to the loops there were.
func (x *audience) set(loops []*loop) {
	x.order.Lock()
	defer x.order.Unlock()
	x.loops.Store(&loops)
}

// of returns the topic's, nil for none. here is the loop that asks, or nil.
func (a *audiences) of(topic string, here *loop) *audience {
	if here != nil {
		if t := here.topics[topic]; t != nil {
			return t.audience
		}
	}
	s := a.shard(topic)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.topics[topic]
}

// join adds l. The Broker is told without the lock that publishers take: it may hold
// one of its own, which its deliveries hold too.
func (a *audiences) join(news Broker, topic string, l *loop) *audience {
	s := a.shard(topic)
	s.news.Lock()
	defer s.news.Unlock()
	x := s.topics[topic]
	if x == nil {
		x = new(audience)
		x.loops.Store(&[]*loop{l})
		s.set(topic, x)
		news.Subscribed(topic)
		return x
	}
	x.set(append(slices.Clone(*x.loops.Load()), l))
	return x
}

func (a *audiences) leave(news Broker, topic string, l *loop) {
	s := a.shard(topic)
	s.news.Lock()
	defer s.news.Unlock()
	x := s.topics[topic]
	left := slices.DeleteFunc(slices.Clone(*x.loops.Load()), func(other *loop) bool { return other == l })
	x.set(left)
	if len(left) == 0 {
		s.set(topic, nil)
		news.Unsubscribed(topic)
	}
}

// set writes an entry; nil takes it out.
func (s *shard) set(topic string, x *audience) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x == nil {
		delete(s.topics, topic)
		return
	}
	s.topics[topic] = x
}

func (e *Engine) startBroker() error {
	if err := e.broker.Start(e.deliver); err != nil {
		return fmt.Errorf("engine: the broker: %w", err)
	}
	e.publishing.Store(true)
	return nil
}

func (e *Engine) stopBroker() {
	e.stopping.Lock() // whoever publishes has done so
	e.publishing.Store(false)
	e.stopping.Unlock()
	e.broker.Stop()
}

// Publish sends m to every subscriber of topic, like Session.Publish, from any
// goroutine. What one goroutine publishes arrives in that order. Nothing holds back who
// publishes faster than the loops deliver, as sessions are held; Stats tells. The error is
// ErrClosed unless Run is at work, callbacks.ErrTopic or callbacks.ErrKind.
func (e *Engine) Publish(topic string, m *callbacks.Message) error {
	if err := e.publishable(topic, m); err != nil {
		return err
	}
	e.published.Add(1)
	e.stopping.RLock()
	defer e.stopping.RUnlock()
	if !e.publishing.Load() {
		return ErrClosed
	}
	if p := (Publication{Topic: topic, Message: m}); e.broker.Publish(p) {
		e.spread(p, nil)
	}
	return nil
}

// Publish implements callbacks.Session, and so does PublishToOthers. Every session may
// publish, also one that speaks HTTP or has ended: it is what Closed is good for.
func (s *session) Publish(topic string, m *callbacks.Message) error { return s.publish(topic, m, 0) }

func (s *session) PublishToOthers(topic string, m *callbacks.Message) error {
	return s.publish(topic, m, s.id)
}

func (s *session) publish(topic string, m *callbacks.Message, except uint64) error {
	s.l.assertHere()
	if err := s.l.e.publishable(topic, m); err != nil {
		return err
	}
	s.l.counters.publications++
	if p := (Publication{topic, m, except}); s.l.e.broker.Publish(p) {
		s.l.e.spread(p, s.l)
		s.l.pace.hold(s)
	}
	return nil
}

func (e *Engine) publishable(topic string, m *callbacks.Message) error {
	switch {
	case !callbacks.ValidTopic(topic):
		return callbacks.ErrTopic
	case !m.Valid():
		return callbacks.ErrKind
	case !e.publishing.Load():
		return ErrClosed
	}
	return nil
}

// deliver is what a Broker calls.
func (e *Engine) deliver(p Publication) {
	if callbacks.ValidTopic(p.Topic) && p.Message.Valid() { // a Broker may have it from the network
		e.spread(p, nil)
	}
}

// spread posts p to every loop that has subscribers. here is the loop that it is
// called on, nil for none. It gets its own by mail too, or its subscribers would see
// one message before, and those of another loop behind, what was published there at
// the same time; unless there is nobody to differ from.
func (e *Engine) spread(p Publication, here *loop) {
	x := e.audiences.of(p.Topic, here)
	if x == nil {
		return
	}
	if loops := *x.loops.Load(); here != nil && here.mailed.Load() == 0 && len(loops) == 1 && loops[0] == here {
		here.pace.adds += here.publish(p.Topic, p.Message, p.From)
		return
	}
	x.order.Lock()
	defer x.order.Unlock()
	for _, l := range *x.loops.Load() {
		d := deliveries.Get().(*delivery)
		l.mailed.Add(1)
		d.l, d.p, d.from = l, p, here
		if here != nil {
			here.pace.ahead.Add(1)
		}
		if l.r.Post(d) != nil { // it has no sessions any more
			d.release()
		}
	}
}

// delivery is a publication on its way to a loop.
type delivery struct {
	l    *loop
	p    Publication
	from *loop // whose session has published it, nil if none has
}

var deliveries = sync.Pool{New: func() any { return new(delivery) }}

// Deliver implements reactor.Letter.
func (d *delivery) Deliver() {
	d.l.publish(d.p.Topic, d.p.Message, d.p.From)
	d.release()
}

func (d *delivery) release() {
	d.l.mailed.Add(-1)
	if d.from != nil {
		d.from.delivered()
	}
	*d = delivery{}
	deliveries.Put(d)
}

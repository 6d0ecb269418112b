package engine

import (
	"slices"
	"strings"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/internal/invariant"
)

// The way of a published message:
//
//	Session.Publish, Engine.Publish   the Broker says whether now or when it has come round
//	Engine.spread                     one letter for each loop that has subscribers
//	loop.publish                      a reference in the backlog of each subscriber
//	loop.fanOut                       in the next turn, all of a backlog in one write
//	wsRole.resume                     what a slow subscriber had no room for, when it has
//
// This file knows who has subscribed to what on one loop, backlog.go what waits for
// whom, fanout.go when it is written, and broker.go which loops have subscribers.

// topic is one that has subscribers on this loop.
type topic struct {
	name     string
	places   []*place
	audience *audience // this loop among others
}

// place is a subscription: it stands in its topic's list and in its subscriber's, and
// knows where in each, so that it can be taken out without looking for it.
type place struct {
	b              *subscriber
	t              *topic
	inTopic, inSub int
	oldest, newest *waiting // of what waits because of it
}

// subscriber is what a WebSocket has once it has subscribed to anything.
type subscriber struct {
	s      *session
	w      *wsRole
	places []*place
	backlog
}

// The ledgers of the invariants build.
const (
	ledgerPlaces  = "engine.subscriptions"
	ledgerWaiting = "engine.waiting"
)

// subscriber returns what w has for topics, nil if it never subscribed.
func (w *wsRole) subscriber() *subscriber {
	if w.more == nil {
		return nil
	}
	return w.more.sub
}

// mayTopic is what stands before Subscribe and Unsubscribe.
func (s *session) mayTopic(name string) (*wsRole, error) {
	s.l.assertHere()
	w, ok := s.role.(*wsRole)
	switch {
	case !callbacks.ValidTopic(name):
		return nil, callbacks.ErrTopic
	case s.state > stateOpen || ok && w.flags&wsClosed != 0:
		return nil, callbacks.ErrClosed
	case !ok:
		return nil, callbacks.ErrRole
	}
	return w, nil
}

// Subscribe implements callbacks.Session, and so do the methods below.
func (s *session) Subscribe(name string) error {
	w, err := s.mayTopic(name)
	if err != nil {
		return err
	}
	b := w.subscriber()
	if b == nil {
		b = &subscriber{s: s, w: w}
		w.extend().sub = b
	}
	if b.at(s.l.topics[name]) != nil {
		return nil
	}
	if len(b.places) >= s.l.e.limits.Topics {
		return callbacks.ErrTopics
	}
	b.join(s.l.topic(name))
	return nil
}

func (s *session) Unsubscribe(name string) error {
	w, err := s.mayTopic(name)
	if err != nil {
		return err
	}
	if b := w.subscriber(); b != nil {
		if p := b.at(s.l.topics[name]); p != nil {
			s.l.leave(p)
		}
	}
	return nil
}

// topic finds or makes one. The first subscriber makes the loop one of those that
// are told of what is published to it.
func (l *loop) topic(name string) *topic {
	t := l.topics[name]
	if t == nil {
		t = &topic{name: strings.Clone(name)} // it may be a part of something long
		l.topics[t.name] = t
		t.audience = l.e.audiences.join(l.e.broker, t.name, l)
	}
	return t
}

// at returns b's place in t, or nil. It looks through the shorter of the two lists.
func (b *subscriber) at(t *topic) *place {
	if t == nil {
		return nil
	}
	if len(b.places) <= len(t.places) {
		if i := slices.IndexFunc(b.places, func(p *place) bool { return p.t == t }); i >= 0 {
			return b.places[i]
		}
		return nil
	}
	if i := slices.IndexFunc(t.places, func(p *place) bool { return p.b == b }); i >= 0 {
		return t.places[i]
	}
	return nil
}

func (b *subscriber) join(t *topic) {
	p := &place{b: b, t: t, inTopic: len(t.places), inSub: len(b.places)}
	t.places = append(t.places, p)
	b.places = append(b.places, p)
	b.s.l.counters.subscriptions++
	invariant.Count(ledgerPlaces, 1)
}

// leave takes p out of both its lists; in each the last one moves to where it was.
func (l *loop) leave(p *place) {
	t, b := p.t, p.b
	last := t.places[len(t.places)-1]
	t.places[p.inTopic], last.inTopic = last, p.inTopic
	t.places = shorter(t.places)

	last = b.places[len(b.places)-1]
	b.places[p.inSub], last.inSub = last, p.inSub
	b.places = shorter(b.places)

	l.counters.subscriptions--
	invariant.Count(ledgerPlaces, -1)
	if len(t.places) == 0 {
		delete(l.topics, t.name)
		l.e.audiences.leave(l.e.broker, t.name, l)
	}
}

// shorter returns list without its last element, which it forgets.
func shorter(list []*place) []*place {
	n := len(list) - 1
	list[n] = nil
	return list[:n]
}

// retire ends what w has to do with topics, when its link is gone.
func (w *wsRole) retire(s *session) {
	b := w.subscriber()
	if b == nil {
		return
	}
	for n := len(b.places); n > 0; n-- {
		s.l.leave(b.places[n-1])
	}
	b.dropAll()
	w.more.sub = nil
}

// publish puts m behind what waits for each subscriber of the topic but one, and
// returns how many there are.
func (l *loop) publish(name string, m *callbacks.Message, except uint64) int {
	t := l.topics[name]
	if t == nil {
		return 0
	}
	for _, p := range t.places {
		if p.b.s.id != except {
			p.b.add(p, m)
		}
	}
	return len(t.places)
}

package engine

import (
	"sync/atomic"

	"github.com/penstock-go/penstock/reactor"
)

// What a few bytes of a peer publish can be work for thousands of subscribers, on all
// loops. So a session that publishes faster than its publications are delivered is not
// read from until they are; otherwise one peer could fill the mailboxes with letters,
// and keep its own loop from its other sockets.

const (
	// aheadMost is how many publications of a loop's sessions may be on their way to the
	// loops that deliver them.
	aheadMost = 64

	// addsMost is how many backlogs a loop's sessions add to before other sockets get
	// their turn; each takes about a tenth of a microsecond.
	addsMost = 4096
)

// pace is how far a loop's publishers are ahead.
type pace struct {
	ahead   atomic.Int32 // letters that were not delivered yet, to this loop too
	waiting atomic.Bool  // who delivers the last of them but aheadMost/2 posts readPublishers
	adds    int          // to backlogs of this loop, since publishers were last held
	held    []*session   // are not read from
}

// hold stops s from reading if it is ahead.
func (p *pace) hold(s *session) {
	if p.adds < addsMost && p.ahead.Load() < aheadMost || s.state != stateOpen || s.paused&pausePublish != 0 {
		return
	}
	s.pause(pausePublish)
	p.held = append(p.held, s)
	if len(p.held) == 1 {
		s.l.r.Defer(s.l.readPublishers)
	}
}

// readPublishers reads on, a turn later or when other loops have caught up.
func (l *loop) readPublishers() {
	p := &l.pace
	p.adds = 0
	if p.ahead.Load() > aheadMost/2 {
		p.waiting.Store(true)
		if p.ahead.Load() > aheadMost/2 || !p.waiting.CompareAndSwap(true, false) {
			return
		}
	}
	list := p.held
	p.held = nil
	for _, s := range list {
		s.unpause(pausePublish)
	}
}

// delivered says that a letter of l's has arrived; on any loop.
func (l *loop) delivered() {
	if p := &l.pace; p.ahead.Add(-1) <= aheadMost/2 && p.waiting.CompareAndSwap(true, false) {
		_ = l.r.Post(reactor.Func(l.readPublishers)) // a loop that has ended reads from nobody
	}
}

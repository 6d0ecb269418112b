package simnet

import (
	"math"
	"time"
)

// Actor does one small thing each time it is stepped and says when it wants to
// be stepped again. Actors run on the loop's goroutine, one at a time.
type Actor interface {
	// Step must not block.
	Step() Next
}

// Next is when an actor wants its next step. The zero value is never: it is done.
type Next struct {
	at    int64 // not later than this
	ready func() bool
	alive bool
}

// Again wants a step as soon as the scheduler likes.
func (n *Net) Again() Next { return Next{alive: true} }

// Sleep wants a step after d.
func (n *Net) Sleep(d time.Duration) Next { return Next{alive: true, at: n.Now() + int64(d)} }

// Until wants a step when ready is true, which must stay so, or after most.
func (n *Net) Until(ready func() bool, most time.Duration) Next {
	return Next{alive: true, at: n.Now() + int64(most), ready: ready}
}

type actor struct {
	a    Actor
	next Next
}

// Add brings an actor in, before Run or from the loop's goroutine.
func (n *Net) Add(a Actor) {
	n.actors = append(n.actors, actor{a, n.Again()})
	n.left++
}

func (a *actor) runnable(now int64) bool {
	return a.next.alive && (a.next.at <= now || a.next.ready != nil && a.next.ready())
}

func (n *Net) step(i int) {
	next := n.actors[i].a.Step() // may add actors
	if !next.alive {
		next.at = math.MaxInt64
		n.left--
	}
	n.actors[i].next = next
	if n.left == 0 {
		n.finish()
	}
}

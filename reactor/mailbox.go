package reactor

import (
	"errors"
	"sync"
)

// mailBudget is how many letters a loop delivers before it looks at its sockets
// again. A letter that posts another must not starve them.
const mailBudget = 1024

// ErrStopped is the answer of a reactor that has been stopped.
var ErrStopped = errors.New("reactor: stopped")

// Letter is what one goroutine sends to a loop.
type Letter interface {
	// Deliver runs on the loop's goroutine.
	Deliver()
}

// Func is a function as a Letter.
type Func func()

// Deliver calls f.
func (f Func) Deliver() { f() }

// Post hands m to the loop. It is the one thing of a loop that any goroutine may
// call. Letters of one sender arrive in order; the loop is woken once for a
// batch. A letter that was taken is delivered, also by a loop that is stopping;
// ErrStopped means that it was not taken.
func (l *Loop) Post(m Letter) error {
	wake, err := l.mail.put(m)
	if wake {
		l.p.Wake()
	}
	return err
}

// mailbox is a queue with many senders and one receiver. A mutex around an
// append costs less than the lock-free lists it was compared with, and keeps
// the order of each sender.
type mailbox struct {
	mu     sync.Mutex
	box    []Letter
	open   bool // the loop runs: wake it
	closed bool

	// The receiver's own.
	batch []Letter
	next  int
}

func (m *mailbox) put(x Letter) (wake bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false, ErrStopped
	}
	m.box = append(m.box, x)
	return m.open && len(m.box) == 1, nil
}

// deliver hands out a budget of letters and calls after behind each. It reports
// whether there are more.
func (m *mailbox) deliver(after func()) (more bool) {
	for n := 0; n < mailBudget; n++ {
		if m.next == len(m.batch) && !m.take() {
			return false
		}
		x := m.batch[m.next]
		m.batch[m.next] = nil
		m.next++
		x.Deliver()
		after()
	}
	return true
}

// take swaps the empty batch for what has been posted.
func (m *mailbox) take() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open = true
	m.batch, m.box = m.box, m.batch[:0]
	m.next = 0
	return len(m.batch) > 0
}

// close takes no more letters and delivers what it has. In this order: a letter
// that posts itself would never let it end otherwise.
func (m *mailbox) close(after func()) {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	for m.deliver(after) {
	}
}

package main

import (
	"strconv"
	"sync"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// remembered is how many events a client that comes back can catch up with.
const remembered = 100

// feed is what everybody is told. Sessions of every loop and the clock's goroutine come
// here; what it holds of a session is its Handle.
type feed struct {
	mu     sync.Mutex
	last   uint64             // number of the newest event, from 1
	events [remembered][]byte // as they are sent, at their number's remainder
	wake   func(callbacks.Session) error
	here   map[callbacks.Handle]struct{}
	over   bool
}

// publish numbers an event, encodes it once for all and wakes everybody.
func (f *feed) publish(name, data string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(name, data)
}

func (f *feed) tell(name, data string) {
	b, err := http1.AppendEvent(nil, &http1.Event{ID: strconv.FormatUint(f.last+1, 10), Name: name, Data: data})
	if err != nil {
		return // a name of our own with a line end in it
	}
	f.last++
	f.events[f.last%remembered] = b
	for h := range f.here {
		_ = h.Post(f.wake) // who is gone is about to leave the feed, too
	}
}

// join adds a listener and returns the number of the first event that it is to get:
// what is behind the one it has seen last, or the newest if it has seen none.
func (f *feed) join(h callbacks.Handle, seen string) (first uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first = f.last + 1
	if n, err := strconv.ParseUint(seen, 10, 64); err == nil && n < f.last {
		first = max(n, f.last-min(f.last, remembered)) + 1
	} // one that is not known is of a server that ran before
	f.here[h] = struct{}{}
	f.tell("clients", strconv.Itoa(len(f.here)))
	if f.over {
		_ = h.Write(nil, callbacks.WriteHTTPFinal)
	}
	return first
}

func (f *feed) leave(h callbacks.Handle) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.here[h]; ok {
		delete(f.here, h)
		f.tell("clients", strconv.Itoa(len(f.here)))
	}
}

// end ends every stream: there is nothing more to come.
func (f *feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	for h := range f.here {
		_ = h.Write(nil, callbacks.WriteHTTPFinal)
	}
}

// since appends the events from number first on, as far as they are remembered, and
// returns the number of the one that will be next.
func (f *feed) since(dst []byte, first uint64) (_ []byte, next uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for first = max(first, f.last+1-min(f.last, remembered)); first <= f.last; first++ {
		dst = append(dst, f.events[first%remembered]...)
	}
	return dst, first
}

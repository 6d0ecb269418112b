package callbackstest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/penstock-go/penstock/callbacks"
)

// Event is one call of a callback.
type Event struct {
	// Session is its ID.
	Session uint64
	// Reason and In are the call's; In is a copy.
	Reason callbacks.Reason
	In     string
	// Err is what the callback returned.
	Err error
}

// String is "session reason in".
func (e Event) String() string { return fmt.Sprintf("%d %v %q", e.Session, e.Reason, e.In) }

// Recorder notes the calls of callbacks and checks their order. All protocols of a
// vhost must be wrapped by the same one, since a session's first and last reasons
// go to the vhost's first protocol. The zero value is ready, and all of it may be
// used from any goroutine.
type Recorder struct {
	mu       sync.Mutex
	events   []Event
	sessions map[uint64]*life
	faults   []string
}

// Wrap returns a callback that notes each call and then makes it; a nil callback
// returns nil.
func (r *Recorder) Wrap(f callbacks.Callback) callbacks.Callback {
	return func(s callbacks.Session, reason callbacks.Reason, in []byte) error {
		r.note(s.ID(), reason, in)
		if f == nil {
			return nil
		}
		err := f(s, reason, in)
		r.returned(s.ID(), reason, err)
		return err
	}
}

// Events returns the calls so far, of one session or, with 0, of all.
func (r *Recorder) Events(session uint64) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Event
	for _, e := range r.events {
		if session == 0 || e.Session == session {
			out = append(out, e)
		}
	}
	return out
}

// Reasons returns the names of a session's reasons, separated by spaces.
func (r *Recorder) Reasons(session uint64) string {
	var names []string
	for _, e := range r.Events(session) {
		names = append(names, e.Reason.String())
	}
	return strings.Join(names, " ")
}

// Open returns how many sessions have begun and not ended.
func (r *Recorder) Open() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.sessions {
		if l.created && !l.destroyed {
			n++
		}
	}
	return n
}

// Faults returns what was out of order, in words; nothing is good.
func (r *Recorder) Faults() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.faults...)
}

func (r *Recorder) note(id uint64, reason callbacks.Reason, in []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, Event{Session: id, Reason: reason, In: string(in)})
	if id == 0 {
		return // belongs to no session
	}
	if r.sessions == nil {
		r.sessions = make(map[uint64]*life)
	}
	l := r.sessions[id]
	if l == nil {
		l = &life{}
		r.sessions[id] = l
	}
	if fault := l.next(reason); fault != "" {
		r.faults = append(r.faults, fmt.Sprintf("session %d: %v: %s", id, reason, fault))
	}
}

func (r *Recorder) returned(id uint64, reason callbacks.Reason, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.events) - 1; i >= 0; i-- {
		if e := &r.events[i]; e.Session == id && e.Reason == reason {
			e.Err = err
			return
		}
	}
}

// life is what has happened to one session.
type life struct {
	created, destroyed      bool
	established, terminal   bool
	bound, served, peerDone bool
	responded, completed    bool // of an HTTP client
}

// next notes a reason and says what is wrong with it, if anything.
func (l *life) next(r callbacks.Reason) string {
	switch {
	case l.destroyed:
		return "after WSIDestroy"
	case r == callbacks.FilterNetworkConnection || r == callbacks.WSICreate:
		return l.begin(r)
	case !l.created:
		return "before WSICreate"
	case r == callbacks.WSIDestroy:
		return l.end()
	case l.terminal:
		return "after the terminal reason"
	}
	if fault := l.binding(r); fault != "" {
		return fault
	}
	return l.conversation(r)
}

func (l *life) begin(r callbacks.Reason) string {
	if l.created {
		return "twice, or late"
	}
	l.created = r == callbacks.WSICreate
	return ""
}

func (l *life) end() string {
	l.destroyed = true
	switch {
	case (l.established || l.served || l.responded) && !l.terminal:
		return "without a terminal reason"
	case l.bound:
		return "while bound to a protocol"
	}
	return ""
}

// binding checks that binds and drops come in pairs.
func (l *life) binding(r callbacks.Reason) string {
	switch r {
	case callbacks.HTTPBindProtocol, callbacks.WSServerBindProtocol, callbacks.WSClientBindProtocol, callbacks.ClientHTTPBindProtocol,
		callbacks.RawSktBindProtocol:
		if l.bound {
			return "bound twice"
		}
		l.bound = true
		l.served = l.served || r == callbacks.HTTPBindProtocol
	case callbacks.HTTPDropProtocol, callbacks.WSServerDropProtocol, callbacks.WSClientDropProtocol, callbacks.ClientHTTPDropProtocol,
		callbacks.RawSktDropProtocol:
		if !l.bound {
			return "dropped without a binding"
		}
		l.bound = false
	}
	return ""
}

// conversation checks what lies between establishing and closing.
func (l *life) conversation(r callbacks.Reason) string {
	switch r {
	case callbacks.Established, callbacks.ClientEstablished, callbacks.RawAdopt, callbacks.RawConnected:
		if l.established {
			return "established twice"
		}
		l.established = true
		l.served = false
	case callbacks.Receive, callbacks.ClientReceive, callbacks.ReceivePong, callbacks.ClientReceivePong, callbacks.RawRX:
		if l.peerDone {
			return "received after the peer's close"
		}
		if !l.established {
			return "received before it was established"
		}
	case callbacks.Connecting, callbacks.ClientRetrying, callbacks.ClientHTTPRedirect:
		if l.established || l.responded {
			return "of a session that was established"
		}
	case callbacks.WSPeerInitiatedClose:
		if l.peerDone {
			return "closed twice by the peer"
		}
		l.peerDone = true
	case callbacks.Closed, callbacks.ClientClosed, callbacks.RawClose:
		l.terminal = true
		if !l.established {
			return "closed before it was established"
		}
	case callbacks.ClientConnectionError, callbacks.ClosedHTTP:
		l.terminal = true
		if l.established || l.responded {
			return "of a session that was established"
		}
	}
	return l.response(r)
}

// response checks what an HTTP client hears of its response.
func (l *life) response(r callbacks.Reason) string {
	switch r {
	case callbacks.EstablishedClientHTTP:
		if l.responded {
			return "two responses"
		}
		l.responded = true
	case callbacks.ReceiveClientHTTP, callbacks.ReceiveClientHTTPRead, callbacks.CompletedClientHTTP:
		if !l.responded || l.completed {
			return "outside of the response"
		}
		l.completed = r == callbacks.CompletedClientHTTP
	case callbacks.ClientHTTPWriteable:
		if l.completed || !l.bound {
			return "outside of the transaction"
		}
	case callbacks.ClosedClientHTTP:
		l.terminal = true
		if !l.responded {
			return "closed before there was a response"
		}
	}
	return ""
}

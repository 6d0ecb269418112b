package engine

import (
	"fmt"
	"strings"
	"time"

	"github.com/penstock-go/penstock/callbacks"
)

// recorder stands between the engine and the program of a test, writes down
// every reason, and holds each session to the order that callbacks/doc.go
// promises.
type recorder struct {
	fail     func(format string, args ...any)
	trace    func(format string, args ...any)
	sessions map[uint64]*record
	most     int // of Session.Buffered
}

// record is what is known of one session.
type record struct {
	id          uint64
	reasons     []callbacks.Reason
	bound       callbacks.Reason // the bind reason that waits for its drop, 0 for none
	terminal    callbacks.Reason
	requests    int
	timers      int // asked for and not come
	client      bool
	filtered    bool
	created     bool
	established bool
	peerClosed  bool
	waits       bool // ClientRetrying has come, and no Connecting behind it
	asked       bool // HTTP has come in this transaction
	completed   bool // HTTPBodyCompletion has
	opened      bool // RawAdopt or RawConnected has come
	destroyed   bool
	responded   bool // EstablishedClientHTTP has come
}

func newRecorder(fail, trace func(string, ...any)) *recorder {
	return &recorder{fail: fail, trace: trace, sessions: make(map[uint64]*record)}
}

// wrap puts the recorder before a program's callback.
func (r *recorder) wrap(next callbacks.Callback) callbacks.Callback {
	return func(s callbacks.Session, why callbacks.Reason, in []byte) error {
		if s.ID() == 0 { // of the vhost
			return nil
		}
		rec := r.of(s)
		rec.reasons = append(rec.reasons, why)
		if r.trace != nil {
			r.trace("session %d: %v %.60q", rec.id, why, in)
		}
		if wrong := rec.step(why); wrong != "" {
			r.fail("session %d: %s: %v", rec.id, wrong, rec.reasons)
		}
		if n := s.Buffered(); r.most > 0 && n > r.most {
			r.fail("session %d: %d bytes buffered, more than %d", rec.id, n, r.most)
		}
		rec.filtered = why == callbacks.FilterNetworkConnection // unless it returns nil
		err := next(timed{s, rec}, why, in)
		rec.filtered = rec.filtered && err != nil
		return err
	}
}

func (r *recorder) of(s callbacks.Session) *record {
	rec := r.sessions[s.ID()]
	if rec == nil {
		rec = &record{id: s.ID(), client: s.Client()}
		r.sessions[s.ID()] = rec
	}
	return rec
}

// timed notes which timers were asked for.
type timed struct {
	callbacks.Session
	rec *record
}

func (t timed) SetTimer(d time.Duration) {
	t.rec.timers = 0
	if d >= 0 {
		t.rec.timers = 1
	}
	t.Session.SetTimer(d)
}

// drops pairs each bind with its drop.
var drops = map[callbacks.Reason]callbacks.Reason{
	callbacks.HTTPDropProtocol:     callbacks.HTTPBindProtocol,
	callbacks.WSServerDropProtocol: callbacks.WSServerBindProtocol,
	callbacks.WSClientDropProtocol: callbacks.WSClientBindProtocol,
	callbacks.RawSktDropProtocol:   callbacks.RawSktBindProtocol,

	callbacks.ClientHTTPDropProtocol: callbacks.ClientHTTPBindProtocol,
}

// step checks one reason against what came before.
func (c *record) step(why callbacks.Reason) (wrong string) {
	switch {
	case c.destroyed:
		return fmt.Sprintf("%v after WSIDestroy", why)
	case c.filtered:
		return fmt.Sprintf("%v after the connection was filtered out", why)
	case why == callbacks.FilterNetworkConnection:
		return c.only(len(c.reasons) == 1 && !c.client, "not the first reason of an accepted session")
	case why == callbacks.WSICreate:
		first := 2
		if c.client {
			first = 1
		}
		ok := len(c.reasons) == first
		c.created = true
		return c.only(ok, "WSICreate is not first")
	case !c.created:
		return fmt.Sprintf("%v before WSICreate", why)
	case why == callbacks.WSIDestroy:
		return c.destroy()
	case why == callbacks.ChildClosing || why == callbacks.EventWaitCancelled:
		return ""
	case c.terminal != 0:
		return fmt.Sprintf("%v after %v", why, c.terminal)
	case why == callbacks.Timer:
		c.timers--
		return c.only(c.timers >= 0, "a Timer that nobody asked for")
	}
	if wrong := c.binding(why); wrong != "" {
		return wrong
	}
	return c.inRole(why)
}

func (c *record) only(ok bool, wrong string) string {
	if ok {
		return ""
	}
	return wrong
}

// binding pairs binds and drops.
func (c *record) binding(why callbacks.Reason) (wrong string) {
	if bind, ok := drops[why]; ok {
		if c.bound != bind {
			return fmt.Sprintf("%v while bound by %v", why, c.bound)
		}
		c.bound = 0
		return ""
	}
	for _, bind := range drops {
		if why == bind {
			ok := c.bound == 0
			c.bound, c.asked, c.completed = why, false, false
			return c.only(ok, "bound twice")
		}
	}
	return ""
}

// inRole checks what a session may hear in its role.
func (c *record) inRole(why callbacks.Reason) (wrong string) {
	switch why {
	case callbacks.FilterHTTPConnection, callbacks.HTTPConfirmUpgrade:
		c.requests++
		return c.only(c.bound == 0 && !c.client, "a request inside another")
	case callbacks.CheckAccessRights, callbacks.HTTP, callbacks.HTTPBody, callbacks.HTTPBodyCompletion, callbacks.HTTPWriteable:
		return c.transaction(why)
	case callbacks.FilterProtocolConnection, callbacks.AddHeaders:
		return c.only(c.bound == callbacks.WSServerBindProtocol && !c.established, "out of order")
	case callbacks.OpenSSLPerformClientCertVerification:
		return c.only(!c.client && c.requests == 0 && c.bound == 0, "out of order")
	case callbacks.Connecting, callbacks.ClientRetrying:
		twice := c.waits && why == callbacks.ClientRetrying
		c.waits = why == callbacks.ClientRetrying
		return c.only(c.client && !c.established && !c.opened && !c.responded && !twice, "out of order")
	case callbacks.ClientAppendHandshakeHeader, callbacks.ClientFilterPreEstablish, callbacks.ClientHTTPRedirect,
		callbacks.OpenSSLPerformServerCertVerification:
		return c.only(c.client && !c.established && !c.responded && !c.waits, "out of order")
	case callbacks.Established, callbacks.ClientEstablished:
		ok := !c.established && !c.waits && (c.bound == callbacks.WSServerBindProtocol || c.bound == callbacks.WSClientBindProtocol)
		c.established = true
		return c.only(ok, "established twice or unbound")
	case callbacks.Receive, callbacks.ReceivePong, callbacks.ServerWriteable, callbacks.ClientReceive,
		callbacks.ClientReceivePong, callbacks.ClientWriteable, callbacks.WSPeerInitiatedClose:
		ok := c.established && c.bound != 0 && !c.peerClosed
		c.peerClosed = c.peerClosed || why == callbacks.WSPeerInitiatedClose
		return c.only(ok, "received while not open")
	case callbacks.RawAdopt, callbacks.RawConnected:
		ok := c.bound == callbacks.RawSktBindProtocol && !c.opened && !c.waits
		c.opened = true
		return c.only(ok, "opened twice or unbound")
	case callbacks.RawRX, callbacks.RawWriteable:
		return c.only(c.opened && c.bound != 0, "not open")
	}
	if c.bound == callbacks.ClientHTTPBindProtocol {
		return c.response(why)
	}
	return c.ending(why)
}

// response checks the reasons of an HTTP client's transaction.
func (c *record) response(why callbacks.Reason) (wrong string) {
	switch why {
	case callbacks.ClientHTTPBindProtocol:
		return ""
	case callbacks.ClientHTTPWriteable:
		return c.only(!c.completed && !c.waits, "a request's body outside of the transaction")
	case callbacks.EstablishedClientHTTP:
		ok := !c.responded && !c.waits
		c.responded = true
		return c.only(ok, "two responses")
	case callbacks.ReceiveClientHTTP, callbacks.ReceiveClientHTTPRead, callbacks.CompletedClientHTTP:
		ok := c.responded && !c.completed
		c.completed = why == callbacks.CompletedClientHTTP
		return c.only(ok, "outside of the response")
	}
	return fmt.Sprintf("%v in a client's transaction", why)
}

// transaction checks the reasons of a request.
func (c *record) transaction(why callbacks.Reason) (wrong string) {
	if c.bound != callbacks.HTTPBindProtocol {
		return fmt.Sprintf("%v outside of a transaction", why)
	}
	ok := true
	switch why {
	case callbacks.CheckAccessRights:
		ok = !c.asked
	case callbacks.HTTP:
		ok, c.asked = !c.asked, true
	case callbacks.HTTPBody:
		ok = c.asked && !c.completed
	case callbacks.HTTPBodyCompletion:
		ok, c.completed = c.asked && !c.completed, true
	}
	return c.only(ok, "out of order in its transaction")
}

// ending checks the reasons that end a session.
func (c *record) ending(why callbacks.Reason) (wrong string) {
	switch why {
	case callbacks.ClosedHTTP:
		c.terminal = why
		return c.only(!c.established && !c.opened && !c.client, "ClosedHTTP of no HTTP session")
	case callbacks.Closed, callbacks.ClientClosed:
		c.terminal = why
		return c.only(c.established && c.client == (why == callbacks.ClientClosed), "Closed without Established")
	case callbacks.ClientConnectionError:
		c.terminal = why
		return c.only(c.client && !c.established && !c.opened && !c.responded, "ClientConnectionError of an open session")
	case callbacks.ClosedClientHTTP:
		c.terminal = why
		return c.only(c.responded, "ClosedClientHTTP without a response")
	case callbacks.RawClose:
		c.terminal = why
	}
	return ""
}

// destroy checks that nothing is left open.
func (c *record) destroy() (wrong string) {
	c.destroyed = true
	var off []string
	if c.bound != 0 {
		off = append(off, c.bound.String()+" was not undone")
	}
	if c.terminal == 0 && (c.client || c.established || c.opened || c.requests > 0) {
		off = append(off, "no terminal reason")
	}
	if c.established && c.terminal != callbacks.Closed && c.terminal != callbacks.ClientClosed {
		off = append(off, "established but not closed")
	}
	return strings.Join(off, ", ")
}

// finish checks that every session has ended.
func (r *recorder) finish() {
	for _, c := range r.sessions {
		if !c.destroyed && !c.filtered {
			r.fail("session %d was not destroyed: %v", c.id, c.reasons)
		}
	}
}

package engine

import (
	"bytes"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
)

// httpPhase is where an HTTP server's connection stands:
//
//	head --a request--> body --all of it--> answer --answered--> head
//	  |                                        ^
//	  +--a request without a body--------------+   (an upgrade leaves for another role)
//
// One transaction is in hand at a time. While its answer is awaited the connection
// is not read, so pipelined requests wait in order, in the kernel.
type httpPhase uint8

const (
	phaseHead httpPhase = iota
	phaseBody
	phaseAnswer
)

// httpFlag is a set of facts about an HTTP connection; those of one transaction
// are cleared with it.
type httpFlag uint32

const (
	httpServed   httpFlag = 1 << iota // the connection has had a request
	httpReusable                      // the client lets it live on
	httpHeld                          // the program answers later
	httpAwaited                       // the client waits for 100 (Continue)
	httpUndue                         // ... and may wait on: the body's time has not begun
	httpStarted                       // the response has begun
	httpDone                          // ... and ended
	httpBodyless                      // the response has a head only: HEAD, 204, 304
	httpChunked                       // its body is chunked
	httpRaw                           // the program writes head and all
	httpCalling                       // inside a callback of the transaction
	httpOffered                       // HTTP has been raised: the program hears of the body
	httpLast                          // the client has sent FIN: no request follows
	httpLazy                          // a service says when it wants the body
	httpDated                         // a service has added a Date of its own
	httpLogged                        // AccessLog has heard of it
	httpKnown                         // the mount's BasicAuth has let its user in

	httpLasting = httpServed
)

// httpRole is the server side of an HTTP/1.1 connection.
type httpRole struct {
	port   *port
	req    *http1.Request // of the transaction in hand
	own    *http1.Request // where it lives once its buffer is gone, or while it is incomplete
	body   http1.Body
	mount  *mount    // that the request is for, nil if it is for none
	prefix int       // how much of its path is the mount point
	work   answering // nil if the program's callbacks answer, or nothing is left to do
	extra  []byte    // fields the program added to the response
	behind []byte    // and to its trailers
	raw    *rawResponse
	up     *upgrading // nil if it is no upgrade
	info   *connInfo  // for http.Handlers, nil before the first
	left   int64      // of the response's body; negative if not known
	taken  int64      // of the request's body
	wanted int64      // of that, before it was given up
	sent   int64      // of the response's body, before chunking
	since  int64      // when the request in hand began to arrive, or the wait for one
	begun  int64      // when its head was complete
	fed    int64      // when its body was asked for
	halted int64      // when reading was paused
	head   int        // where the response begins in the cork
	epoch  uint32     // ... while the cork has not been flushed since
	number uint32     // of the transaction, for Handles
	answer int        // the response's status, 0 before it
	phase  httpPhase
	flags  httpFlag
	tls    uint16 // the version, once it was asked for
}

func (h *httpRole) receive(s *session, b []byte) (int, error) {
	switch h.phase {
	case phaseHead:
		return h.receiveHead(s, b)
	case phaseBody:
		return h.receiveBody(s, b)
	}
	s.pause(pauseAnswer)
	return 0, nil
}

// receiveHead parses a request's head and begins its transaction.
func (h *httpRole) receiveHead(s *session, b []byte) (int, error) {
	l := s.l
	req := h.own
	if req == nil {
		req = l.request
		req.Reset()
	}
	n, err := http1.ParseRequest(b, req, &l.e.limits.HTTP)
	switch {
	case err != nil:
		l.refused = b
		h.refuse(s, err, 400)
		l.refused = nil
		return len(b), nil
	case n > 0:
		if h.own == nil {
			h.since = l.r.Now()
		}
		h.req = req
		h.begin(s)
		if n < len(b) {
			s.inTurn()
		}
	case h.own == nil:
		h.own = l.takeRequest()
		h.since = l.r.Now()
		h.await(s)
		return h.receiveHead(s, b) // once more, so that own remembers how far it got
	}
	return n, nil
}

// begin takes the request through its callbacks.
func (h *httpRole) begin(s *session) {
	s.l.counters.requests++
	h.flags = h.flags&httpLasting | httpServed
	req := h.req
	h.begun = s.l.r.Now()
	v := h.vhost(s)
	if !h.transport(s, v) {
		return
	}
	s.vh = v
	mount, prefix, err := v.route(req.Path())
	h.mount, h.prefix = mount, prefix
	if err != nil {
		h.refuse(s, err, 400)
		return
	}
	if req.KeepAlive() && !s.l.draining {
		h.flags |= httpReusable
	}
	if req.ExpectContinue() {
		h.flags |= httpAwaited | httpUndue
	}
	framing := req.Framing()
	if framing.Kind == http1.ContentLength && framing.Length > h.mount.bodyMost(&s.l.e.limits) {
		h.refuse(s, errBodyTooLong, 413)
		return
	}
	h.taken, h.wanted, h.left = 0, 0, 0
	h.fed = h.begun
	h.number++
	h.phase = phaseAnswer
	if !framing.Empty() {
		h.body.Start(framing, &s.l.e.limits.HTTP)
		h.phase = phaseBody
	}
	h.flags |= httpCalling
	switch {
	case !h.authorized(s): // and answered
	case !h.wantsWebSocket():
		h.serve(s)
	case h.upgrade(s):
		return // h is not the session's role any more
	}
	h.flags &^= httpCalling
	h.keepHead(s)
	h.proceed(s)
}

// vhost is the one that the request is for. A client of HTTP/1.0 may have sent no
// Host; it has said the name in SNI if there is TLS.
func (h *httpRole) vhost(s *session) *vhost {
	if host := h.req.Host(); len(host) > 0 || !s.secure() {
		return h.port.byHost(host)
	}
	return s.vh
}

// serve routes the request to its protocol.
func (h *httpRole) serve(s *session) {
	path := h.req.Path()
	if !h.ask(s, callbacks.FilterHTTPConnection, path, 403) {
		return
	}
	s.proto = h.protocol(s)
	if !h.ask(s, callbacks.HTTPBindProtocol, nil, 500) || !h.ask(s, callbacks.CheckAccessRights, path, 401) {
		return
	}
	if o := h.mount.options(); o != nil && !h.ask(s, callbacks.HTTPPMO, o, 500) {
		return
	}
	h.flags |= httpOffered
	path = path[h.prefix:]
	if svc := h.mount.service(); svc != nil {
		h.work = svc.serve(h, s, path)
		return
	}
	h.called(s, s.tell(callbacks.HTTP, path))
	if s.state == stateOpen && h.phase == phaseAnswer && h.flags&httpDone == 0 && expectsCompletion(h.req) {
		h.called(s, s.tell(callbacks.HTTPBodyCompletion, nil))
	}
}

// wantsWebSocket tells whether the engine is asked for an upgrade.
func (h *httpRole) wantsWebSocket() bool {
	if _, ok := h.req.Upgrade(); !ok || !h.req.Header().HasToken("Upgrade", "websocket") {
		return false
	}
	svc := h.mount.service()
	return svc == nil || !svc.upgrades()
}

// protocol is what the request's transaction is bound to.
func (h *httpRole) protocol(s *session) *callbacks.Protocol {
	if h.mount != nil {
		return h.mount.protocol
	}
	return s.vh.first()
}

// ask raises a reason that may refuse the request: by an error, which is answered
// with its status or the given one, by an answer of its own, or by closing.
func (h *httpRole) ask(s *session, r callbacks.Reason, in []byte, status int) (goOn bool) {
	if err := s.tell(r, in); err != nil {
		if s.state == stateOpen {
			h.refuse(s, err, status)
		}
		return false
	}
	return s.state == stateOpen && h.flags&(httpStarted|httpRaw|httpHeld) == 0
}

// expectsCompletion tells the requests that have a body, if of no length, and
// those whose method means one: a program that answers in HTTPBodyCompletion
// answers them also when the body is missing.
func expectsCompletion(q *http1.Request) bool {
	switch string(q.Method()) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return q.Framing().Kind != http1.NoBody
}

// called looks at what a callback of the transaction returned.
func (h *httpRole) called(s *session, err error) {
	if err != nil && s.state == stateOpen {
		h.fail(s, err)
	}
}

// keepHead gives a transaction that goes on memory of its own for its head, which
// has none either when it came in parts: it was parsed into h.own from the buffer
// in hand.
func (h *httpRole) keepHead(s *session) {
	over := s.state == stateOpen && h.phase == phaseAnswer && h.flags&httpDone != 0
	if h.req == nil || over {
		return
	}
	if h.own == nil { // the loop's: the program may have a pointer to it by now
		h.own = h.req
		s.l.request = s.l.takeRequest()
	}
	h.own.Own()
}

// proceed moves the transaction on after a callback, or after an answer that came
// from elsewhere.
func (h *httpRole) proceed(s *session) {
	if s.state != stateOpen || h.req == nil {
		return
	}
	switch {
	case h.phase == phaseBody:
		h.wantBody(s)
	case h.flags&httpDone != 0:
		h.end(s)
	case h.flags&(httpStarted|httpHeld|httpRaw) == 0:
		h.unanswered(s)
	}
	// Otherwise the answer is to come. What arrives meanwhile pauses reading;
	// until then the socket is watched, so that a client who goes is noticed.
}

// unanswered answers for a program that did not: nobody knows the path, or the
// program forgot.
func (h *httpRole) unanswered(s *session) {
	status := 404
	if !http1.KnownMethod(h.req.Method()) {
		status = 501
	} else if h.taken > 0 || expectsCompletion(h.req) {
		status = 500
		s.l.e.log.Warn("engine: a request was not answered", "protocol", s.proto.Name, "path", string(h.req.Path()))
	}
	h.status(s, status)
	h.end(s)
}

// end finishes the transaction and makes the connection ready for the next.
func (h *httpRole) end(s *session) {
	last := h.flags&httpLast != 0
	h.drop(s)
	if h.flags&httpReusable == 0 || last || s.l.draining {
		s.shut(nil)
		return
	}
	h.phase = phaseHead
	h.since = s.l.r.Now()
	h.await(s)
	s.unpause(pauseAnswer)
}

// drop lets go of what belongs to the transaction.
func (h *httpRole) drop(s *session) {
	if h.req == nil {
		return
	}
	h.log(s)
	if h.up != nil {
		h.unbind(s)
	} else if s.proto != nil {
		if h.work != nil {
			h.work.dropped(s)
		}
		_ = s.tell(callbacks.HTTPDropProtocol, nil)
	}
	h.req, h.work, h.mount = nil, nil, nil
	s.flags &^= flagWriteable // the next request has not asked for it
	h.answer, h.sent = 0, 0
	if h.own != nil {
		s.l.giveRequest(h.own)
		h.own = nil
	}
	h.extra, h.behind, h.raw = h.extra[:0], h.behind[:0], nil
	h.flags &= httpLasting | httpReusable
	s.proto = nil
}

func (h *httpRole) writeable(s *session) {
	if h.req == nil || s.proto == nil || h.up != nil {
		return
	}
	h.flags |= httpCalling
	if h.work != nil {
		h.work.writeable(h, s)
	} else {
		h.called(s, s.tell(callbacks.HTTPWriteable, nil))
	}
	h.flags &^= httpCalling
	if h.flags&httpDone != 0 {
		h.proceed(s)
	}
}

// settle follows an answer that came from outside the transaction's callbacks.
func (h *httpRole) settle(s *session) {
	if h.req != nil && h.flags&httpDone != 0 {
		h.proceed(s)
	}
}

func (h *httpRole) goodbye(s *session) {
	h.flags &^= httpReusable
	if h.phase == phaseHead && h.own == nil {
		s.shut(nil)
	}
}

func (h *httpRole) closed(s *session) {
	served := h.flags&httpServed != 0
	proto := s.proto
	h.drop(s)
	if served {
		s.proto = proto
		_ = s.tell(callbacks.ClosedHTTP, nil)
	}
	if h.own != nil {
		s.l.giveRequest(h.own)
	}
	s.l.giveHTTPRole(h)
}

// close ends the connection when what was answered is delivered.
func (h *httpRole) close(s *session, _ ws.StatusCode, _ string) error {
	h.fail(s, callbacks.ErrClose)
	return nil
}

// isHead tells whether the response must have no body because of the request.
func (h *httpRole) isHead() bool { return h.req != nil && bytes.Equal(h.req.Method(), []byte("HEAD")) }

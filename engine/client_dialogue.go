package engine

import (
	"strings"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/internal/proxy"
	"github.com/penstock-go/penstock/reactor"
)

// dialogue is a client's HTTP request on its way out, and the response to it. The two
// go on side by side, each on its own way:
//
//	request    head --> (waits for 100) --> body --> sent
//	                                         +-----> stopped: the answer does not need it
//	response   (1xx) --> head --> body --> done
//
// Until the response's head is there the session's role is dialRole, and the attempt
// may be followed by another; then it is clientRole.
type dialogue struct {
	resp   http1.Response // a copy of the final head
	body   http1.Body     // of the response
	zip    *gunzipper     // nil if the response's body is not to be decompressed
	left   int64          // of the request's body; negative while it is chunked
	behind []byte         // the request's trailer fields
	since  int64          // when the request was complete
	facts  dialogueFact
}

// dialogueFact is a set of facts about a dialogue.
type dialogueFact uint16

const (
	dialogueHeld     dialogueFact = 1 << iota // the body waits for 100 (Continue)
	dialogueBegun                             // some of the body has been written: the program cannot send it again
	dialogueSent                              // the request is complete
	dialogueStopped                           // ... or nobody wants the rest of it
	dialogueHeard                             // something has come from the server
	dialogueDone                              // the response is complete
	dialogueReusable                          // the connection may be used again
	dialogueStalled                           // the stall clock runs
	dialogueLost                              // the server has closed without a response
	dialogueStale                             // ... a connection of before
	dialogueTunnel                            // both ways are another protocol's
)

const (
	// expectFrom is the length from which on a body is announced by Expect:
	// 100-continue, so that a refusal does not cost its transfer; curl's is the same.
	expectFrom = 1 << 20

	// expectWait is how long the server may take to say 100. RFC 9110 10.1.1 has the
	// client not wait for ever, as many servers never say it; curl's is the same.
	expectWait = time.Second
)

// dialogue returns the session's, or nil.
func (s *session) dialogue() *dialogue {
	switch r := s.role.(type) {
	case *dialRole:
		return r.x
	case *clientRole:
		return r.d.x
	}
	return nil
}

// open tells whether the request's body can be written; x may be nil.
func (x *dialogue) open() bool {
	return x != nil && x.facts&(dialogueHeld|dialogueSent|dialogueStopped) == 0
}

// request sends the head, and begins with the body.
func (d *dialRole) request(s *session) {
	cookies, err := d.appendCookies(nil, s)
	if err != nil {
		s.fail(err)
		return
	}
	x := &dialogue{left: d.info.BodyLength}
	if d.info.Flags&Pipeline != 0 {
		x.facts |= dialogueReusable
	}
	s.setWriteLimits()
	s.commit(d.appendHead(s.begin(), cookies))
	if s.state != stateOpen { // what was too long for the cork has met a broken link
		return
	}
	d.x = x
	switch {
	case d.info.BodyLength == 0:
		x.sent(s)
		d.early.deliver()
	case d.info.expects():
		x.facts |= dialogueHeld
		s.deadlineIn(expectWait)
	default:
		d.goAhead(s)
	}
}

// goAhead begins with the body.
func (d *dialRole) goAhead(s *session) {
	d.x.facts &^= dialogueHeld
	s.deadlineAt(0)
	d.early.deliver()
	d.x.pump(s)
}

// pump asks the program for some of the body.
func (x *dialogue) pump(s *session) {
	if x.open() && s.state == stateOpen {
		s.tellOrFail(callbacks.ClientHTTPWriteable, nil)
	}
}

// expects tells whether the server is asked first.
func (i *ClientConnectInfo) expects() bool {
	return i.ExpectContinue || i.BodyLength > expectFrom && !i.plainly
}

// formType is what HTTPXWWWFormURLEncoded stands for.
const formType = "application/x-www-form-urlencoded"

// appendHead appends the request's head.
func (d *dialRole) appendHead(b, cookies []byte) []byte {
	i := &d.info
	b = http1.AppendRequestLine(b, i.Method, i.prefix()+i.target())
	b = http1.AppendField(b, "Host", i.host())
	if i.Origin != "" {
		b = http1.AppendField(b, "Origin", i.Origin)
	}
	if i.Flags&HTTPXWWWFormURLEncoded != 0 {
		b = http1.AppendField(b, "Content-Type", formType)
	}
	b = i.appendFraming(b)
	b = i.appendConnection(b)
	if d.asksForGzip() {
		b = append(b, "Accept-Encoding: gzip\r\n"...)
	}
	for _, f := range i.Header {
		if !strings.EqualFold(f.Name, "Cookie") {
			b = http1.AppendField(b, f.Name, f.Value)
		}
	}
	return http1.AppendEnd(append(append(b, cookies...), d.extra...))
}

// appendConnection appends what is about the connection.
func (i *ClientConnectInfo) appendConnection(b []byte) []byte {
	if i.direct() {
		b = i.via().AppendAuthorization(b)
	}
	switch {
	case i.upgrade != "":
		b = http1.AppendField(b, "Connection", i.options+"Upgrade")
		b = http1.AppendField(b, "Upgrade", i.upgrade)
	case i.Flags&Pipeline == 0:
		b = http1.AppendField(b, "Connection", i.options+"close")
	case i.options != "":
		b = http1.AppendField(b, "Connection", strings.TrimSuffix(i.options, ", "))
	}
	return b
}

// direct tells whether the request itself is for a proxy, which makes it in its own
// name: where no TLS keeps it from reading, that is what proxies are used to, and many
// allow CONNECT only to port 443.
func (i *ClientConnectInfo) direct() bool {
	if i.Proxy == "" || i.Flags&UseSSL != 0 || !i.http() {
		return false
	}
	return i.via().Kind == proxy.HTTP
}

// prefix makes the target's absolute form (RFC 9112 3.2.2) for a proxy.
func (i *ClientConnectInfo) prefix() string {
	if i.direct() {
		return "http://" + i.host()
	}
	return ""
}

// appendFraming appends how long the body is. A method that means one says so also
// when there is none (RFC 9110 8.6).
func (i *ClientConnectInfo) appendFraming(b []byte) []byte {
	switch {
	case i.BodyLength < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case i.BodyLength > 0 || i.Method == "POST" || i.Method == "PUT" || i.Method == "PATCH":
		b = http1.AppendContentLength(b, i.BodyLength)
	}
	if i.expects() {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	return b
}

// checkRequestField refuses malformed fields of a request, and those that the engine
// writes itself because they decide about framing, routing and the connection.
func checkRequestField(name, value string) error {
	if !http1.ValidName(name) || !http1.ValidValue(value) {
		return callbacks.ErrHeader
	}
	for _, own := range [...]string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect",
		"Keep-Alive", "Proxy-Connection"} {
		if strings.EqualFold(name, own) {
			return callbacks.ErrHeader
		}
	}
	return nil
}

// addTrailer keeps a field for the end of a chunked body.
func (x *dialogue) addTrailer(name, value string) error {
	switch {
	case !http1.ValidTrailer(name) || !http1.ValidValue(value):
		return callbacks.ErrHeader
	case x.facts&(dialogueSent|dialogueStopped) != 0:
		return callbacks.ErrAnswered
	}
	x.behind = http1.AppendField(x.behind, name, value)
	return nil
}

// write sends a piece of the request's body.
func (x *dialogue) write(s *session, p []byte, kind callbacks.Kind) error {
	final := kind == callbacks.WriteHTTPFinal
	switch {
	case kind != callbacks.WriteHTTP && !final:
		return callbacks.ErrKind
	case x.facts&dialogueStopped != 0:
		return callbacks.ErrAnswered
	case x.facts&dialogueHeld != 0:
		return callbacks.ErrRole
	case x.facts&dialogueSent != 0 && len(p) == 0:
		return nil
	case x.facts&dialogueSent != 0, x.left >= 0 && int64(len(p)) > x.left:
		return callbacks.ErrTooLong
	}
	if err := s.room(len(p) + len(x.behind) + chunkRoom); err != nil {
		return err
	}
	x.facts |= dialogueBegun
	if x.facts&dialogueTunnel != 0 {
		s.appendBytes(p)
		return nil
	}
	if x.left < 0 {
		x.writeChunk(s, p, final)
		return nil
	}
	s.appendBytes(p)
	x.left -= int64(len(p))
	switch {
	case x.left == 0:
		x.sent(s)
	case final: // only the end of the connection tells the server
		s.abort(callbacks.ErrTooShort)
		return callbacks.ErrTooShort
	}
	return nil
}

// chunkRoom is more than what frames a chunk and the end of all.
const chunkRoom = 64

func (x *dialogue) writeChunk(s *session, p []byte, final bool) {
	if len(p) >= largeWrite {
		s.commitWith(http1.AppendChunkSize(s.begin(), int64(len(p))), p)
		s.commit(append(s.begin(), "\r\n"...))
	} else {
		s.commit(http1.AppendChunk(s.begin(), p))
	}
	if final {
		s.commit(http1.AppendEnd(append(append(s.begin(), "0\r\n"...), x.behind...)))
		x.sent(s)
	}
}

// sent says that the request is complete: it is the server's turn.
func (x *dialogue) sent(s *session) {
	x.facts |= dialogueSent
	x.since = s.l.r.Now()
	s.written()
	if _, ok := s.role.(*dialRole); ok {
		s.deadlineIn(s.l.e.limits.ResponseTimeout)
	}
}

// stop says that nobody wants the rest of the body, if there is any. What follows on
// this connection could not be told from it.
func (x *dialogue) stop() {
	if x.facts&dialogueSent == 0 {
		x.facts |= dialogueStopped
	}
}

// stall starts the clock of a server that does not read. Unlike other sessions this
// one goes on reading, as what it waits for may be the answer that it need not send
// more; nor can the server make the queue grow by what it sends.
func (x *dialogue) stall(s *session) {
	if x.facts&dialogueStalled == 0 {
		x.facts |= dialogueStalled
		s.link.Progressed() // from here on
		s.deadlineIn(s.l.e.limits.StallTimeout)
	}
}

// stalls judges a server that has not taken all that it was sent, and tells whether it
// is one.
func (x *dialogue) stalls(s *session) bool {
	switch {
	case s.link.Pending() == 0:
		x.facts &^= dialogueStalled
		return false
	case !s.link.Progressed():
		s.abort(ErrStalled)
	default:
		x.since = s.l.r.Now() // the time for an answer begins when it has been asked
		s.deadlineIn(s.l.e.limits.StallTimeout)
	}
	return true
}

// requestTimeout is that of a request whose answer is awaited.
func (d *dialRole) requestTimeout(s *session) {
	x := d.x
	switch {
	case x.facts&dialogueHeld != 0:
		d.goAhead(s)
	case x.stalls(s):
	case x.facts&dialogueSent == 0: // it is the program's turn
	default:
		if due := x.since + int64(s.l.e.limits.ResponseTimeout); due > s.l.r.Now() {
			s.deadlineAt(due)
		} else {
			s.abort(ErrResponseTimeout)
		}
	}
}

// repeatable tells whether the attempt may be followed by another: the request has
// not left, or may arrive twice (RFC 9110 9.2.2) and has no body that is gone.
func (d *dialRole) repeatable() bool {
	return d.x == nil || d.x.facts&dialogueBegun == 0 && idempotent(d.info.Method)
}

// stale tells whether the server has closed a connection of before just when it was
// used again, so that the request may be made on a new one (RFC 9112 9.3.1).
func (d *dialRole) stale(s *session) bool {
	if !d.reused || d.x == nil || d.x.facts&dialogueHeard != 0 || s.state != stateOpen && d.x.facts&dialogueLost == 0 {
		return false // in the last case it is this side that has ended it
	}
	d.x.facts |= dialogueStale
	return d.repeatable()
}

// leave ends an exchange whose response is complete, or does not matter: the
// connection is kept, if it can be, and the session ends, or goes on elsewhere.
func (d *dialRole) leave(s *session) {
	s.flush()
	if s.state != stateOpen {
		return
	}
	if !d.keepable(s) {
		s.shut(nil)
		return
	}
	d.idle(s)
	s.ended(nil)
}

// keepable tells whether the connection is in a state in which another request can
// follow: nothing is on its way in either direction, and the server has not said that
// it closes.
func (d *dialRole) keepable(s *session) bool {
	x := d.x
	const want = dialogueSent | dialogueReusable | dialogueDone
	return x.facts&(want|dialogueStopped) == want && !s.l.draining && s.link.Pending() == 0 && s.quiet() && !s.l.contested(d.slot)
}

// quiet tells whether nothing has come that the session has not been given.
func (s *session) quiet() bool {
	switch k := s.link.(type) {
	case *secured:
		return k.Kept()+k.c.Kept() == 0 && k.flags&(securedOver|securedFIN|securedResting) == 0 && !k.c.EOFSeen()
	case *reactor.Conn:
		return k.Kept() == 0 && !k.EOFSeen()
	}
	return false
}

// idempotent tells the methods that mean the same once and twice (RFC 9110 9.2.2).
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// hurry begins the time that the whole transaction has.
func (d *dialRole) hurry(s *session) {
	if t := d.info.Timeout; t > 0 && t < noTimeLimit {
		d.whole.Owner = (*hurried)(s)
		s.l.r.Arm(&d.whole, s.l.r.Now()+int64(t))
	}
}

// hurried is a session as the owner of that alarm.
type hurried session

// Expire is for the wheel only.
func (p *hurried) Expire(int64) {
	s := (*session)(p)
	s.forgo()
	switch r := s.role.(type) {
	case *dialRole:
		r.fail(s, ErrTimeout)
	case *clientRole:
		s.abort(ErrTimeout)
	}
}

// bind and drop are the reasons for a protocol of such a client.
func (i *ClientConnectInfo) bind() callbacks.Reason {
	if i.http() {
		return callbacks.ClientHTTPBindProtocol
	}
	return callbacks.WSClientBindProtocol
}

func (i *ClientConnectInfo) drop() callbacks.Reason {
	if i.http() {
		return callbacks.ClientHTTPDropProtocol
	}
	return callbacks.WSClientDropProtocol
}

package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
)

// ErrCloseTimeout ends a WebSocket whose peer did not answer the close frame
// within its CloseTimeout.
var ErrCloseTimeout = errors.New("engine: the peer did not finish the close handshake")

// wsFlag is a set of facts about a WebSocket.
type wsFlag uint8

const (
	wsClosed   wsFlag = 1 << iota // our close frame is sent, nothing may follow it
	wsPeerDone                    // the peer's close frame has come
	wsSending                     // a fragmented message is being sent
	wsDropping                    // ... or rather, by Protocol.Overflow, is not
	wsIdles                       // the protocol has an IdleTimeout
	wsBreached                    // the peer's close frame is not waited for
)

// wsRole is a WebSocket, on either side:
//
//	open --Close, error: our frame--> closing --the peer's frame--> done --> TCP closes
//	  |                                  |                           ^       (server: now;
//	  +--the peer's frame: we echo it----+---------------------------+       client: waits for FIN)
//	                                     +--CloseTimeout--> abort
type wsRole struct {
	reader ws.Reader
	more   *wsMore

	// See liveness.go.
	pinged    uint32 // when the first of our pings without an answer left, 0 for none; microseconds
	rtt       uint32 // the last round trip's microseconds, 0 before there was one
	allowance uint32 // of control frames: when it will be full again

	code  ws.StatusCode // what ended it, 0 while it is open
	flags wsFlag
}

// wsMore is what few WebSockets need.
type wsMore struct {
	msg       ws.Assembler // of a message that comes in pieces
	agreed    *agreement   // on compression
	deflating *deflating
	sub       *subscriber // to topics

	ping, hangup time.Duration // by SetLiveness; 0 for neither
	moved        int64         // when a message, or some of one, came or went; with IdleTimeout only
	leaving      bool          // the send queue was, when leaves last looked
	left         uint32        // of the send queue when closing last looked; 0 if it has not
}

func (w *wsRole) extend() *wsMore {
	if w.more == nil {
		w.more = new(wsMore)
	}
	return w.more
}

// release gives back what a message in hand holds.
func (w *wsRole) release() {
	if w.more == nil {
		return
	}
	if w.more.deflating != nil {
		w.more.deflating.release()
	}
	w.more.msg.Release()
}

// controlMost is the longest payload of a control frame (RFC 6455 5.5).
const controlMost = 125

// piece is what Session.Kind and its neighbours tell about the message in hand.
type piece struct {
	s            *session
	first, final bool
	remaining    uint64
}

// openWS makes s a WebSocket, that compresses by a if there is one.
func (s *session) openWS(a *agreement) *wsRole {
	w := &wsRole{}
	if s.isClient() {
		w.reader.Side = ws.Client
	}
	if a != nil {
		w.compresses(a)
	}
	s.become(w)
	s.l.counters.websockets++
	w.begin(s)
	return w
}

func (w *wsRole) receive(s *session, b []byte) (int, error) {
	l := s.l
	lim := ws.Limits{Frame: l.e.limits.Frame, Message: l.e.limits.Message}
	if m := s.proto.MaxMessage; m > 0 {
		if lim.Frame == lim.Message || lim.Frame > m {
			lim.Frame = m
		}
		lim.Message = m
	}
	lim.Piece = s.proto.RxBufferSize
	n, err := w.reader.Receive(b, &lim, &l.event)
	if err != nil {
		w.breach(s, err)
		return n, nil
	}
	switch ev := &l.event; ev.Kind {
	case ws.Data:
		err = w.data(s, ev, lim.Message)
		l.piece.s = nil
	case ws.Ping, ws.Pong:
		err = w.peerControl(s, ev)
	case ws.Close:
		err = w.peerClose(s, ev)
	}
	return n, err
}

// peerControl answers a ping, and tells the program of a pong that answers none of
// the engine's own pings.
func (w *wsRole) peerControl(s *session, ev *ws.Event) error {
	switch {
	case !w.allowed(s):
		w.breach(s, ErrControlFrames)
	case ev.Kind == ws.Ping:
		w.control(s, ws.OpPong, ev.Payload)
	case !w.answers(s, ev.Payload):
		return s.lend(w.pick(callbacks.ReceivePong, callbacks.ClientReceivePong), ev.Payload)
	}
	return nil
}

// pick chooses between the reasons of the two sides.
func (w *wsRole) pick(server, client callbacks.Reason) callbacks.Reason {
	if w.reader.Side == ws.Client {
		return client
	}
	return server
}

// data delivers a piece of a message, or the message when it is whole.
func (w *wsRole) data(s *session, ev *ws.Event, limit int64) error {
	if w.flags&wsClosed != 0 {
		return nil // the program has closed; RFC 6455 5.5.1 lets us drop the rest
	}
	w.moved(s)
	s.l.piece = piece{s: s, first: true, final: true}
	whole := s.proto.RxBufferSize <= 0
	switch {
	case ev.Compressed:
		return w.inflated(s, ev, limit)
	case !whole:
		return w.pieces(s, piece{s: s, first: ev.First, final: ev.Final, remaining: ev.Remaining}, ev.Payload)
	case ev.First && ev.Final:
		return w.message(s, ev.Payload)
	}
	msg, done, err := w.extend().msg.Add(ev, limit)
	if err != nil {
		w.breach(s, err)
	}
	if !done {
		return nil
	}
	err = w.message(s, msg)
	w.more.msg.Release()
	return err
}

// message delivers a whole message.
func (w *wsRole) message(s *session, msg []byte) error {
	s.l.counters.messagesIn++
	return s.lend(w.pick(callbacks.Receive, callbacks.ClientReceive), msg)
}

// pieces delivers b, of which all tells what it is, in parts of RxBufferSize.
func (w *wsRole) pieces(s *session, all piece, b []byte) error {
	p := &s.l.piece
	*p = all
	for most := s.proto.RxBufferSize; ; p.first = false {
		part := b[:min(len(b), most)]
		b = b[len(part):]
		p.final = all.final && len(b) == 0
		p.remaining = all.remaining + uint64(len(b))
		if p.final {
			s.l.counters.messagesIn++
		}
		err := s.lend(w.pick(callbacks.Receive, callbacks.ClientReceive), part)
		if err != nil || len(b) == 0 || w.flags&wsClosed != 0 {
			return err
		}
	}
}

// peerClose answers the peer's close frame and ends the session.
func (w *wsRole) peerClose(s *session, ev *ws.Event) error {
	w.flags |= wsPeerDone
	w.because(s, ev.Code, string(ev.Reason))
	if w.flags&wsClosed == 0 {
		var in [controlMost]byte
		raw := closePayload(in[:0], ev)
		if err := s.tell(callbacks.WSPeerInitiatedClose, raw); err != nil && !errors.Is(err, callbacks.ErrClose) {
			code, reason := s.closeFor(err)
			w.sendClose(s, code, reason)
		}
		w.sendClose(s, ev.Code, string(ev.Reason))
	}
	w.done(s, nil)
	return nil
}

// closePayload is the payload of a close frame as it was on the wire.
func closePayload(dst []byte, ev *ws.Event) []byte {
	if ev.Code == ws.StatusNoStatusRcvd {
		return nil
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(ev.Code)), ev.Reason...)
}

// done ends TCP after both close frames: the server closes, the client waits for
// that (RFC 6455 7.1.1) but not for ever.
func (w *wsRole) done(s *session, err error) {
	s.because(err)
	w.curtail()
	if w.reader.Side == ws.Server {
		s.shut(nil)
		return
	}
	s.deadlineIn(s.closeTimeout())
}

// onlyWaits tells a client that has both close frames, and to which the end of TCP is
// no news, however it comes.
func (w *wsRole) onlyWaits() bool {
	return w.reader.Side == ws.Client && w.flags&wsClosed != 0 && w.flags&wsPeerDone != 0
}

// sendClose sends our close frame, once.
func (w *wsRole) sendClose(s *session, code ws.StatusCode, reason string) {
	if w.flags&wsClosed != 0 {
		return
	}
	waits := w.closeWaits()
	w.flags |= wsClosed
	if s.l.piece.s != s { // else the program has the message in hand; data releases it
		w.release()
	}
	if waits {
		w.more.sub.farewell = w.appendClose(nil, s.l, code, reason)
		return
	}
	s.commit(w.appendClose(s.begin(), s.l, code, reason))
}

func (w *wsRole) appendClose(dst []byte, l *loop, code ws.StatusCode, reason string) []byte {
	if w.reader.Side == ws.Client {
		return ws.AppendMaskedClose(dst, l.keys.Next(), code, reason)
	}
	return ws.AppendClose(dst, code, reason)
}

// closeWith begins the close handshake.
func (w *wsRole) closeWith(s *session, code ws.StatusCode, reason string) {
	if code == 0 { // a reason cannot be without one
		code, reason = ws.StatusNoStatusRcvd, ""
	}
	if w.flags&(wsClosed|wsPeerDone) == 0 {
		w.because(s, code, ws.CutReason(reason))
	}
	again := w.flags&wsClosed != 0
	w.sendClose(s, code, reason)
	if w.flags&wsPeerDone == 0 && !again {
		s.unpause(pauseUser) // or the peer's answer could not be seen
		s.flush()            // which may find the queue full and set the clock for that
		s.deadlineIn(s.closeTimeout())
	}
}

func (w *wsRole) close(s *session, code ws.StatusCode, reason string) error {
	if w.flags&wsClosed != 0 {
		return callbacks.ErrClosed
	}
	w.closeWith(s, code, reason)
	return nil
}

// because notes the code and reason that end the session.
func (w *wsRole) because(s *session, code ws.StatusCode, reason string) {
	w.code = code
	if reason != s.closeReason() {
		s.extend().reason = reason
	}
}

// breach answers a peer that broke the protocol or a limit. There is no point in
// waiting for its close frame (RFC 6455 7.1.7).
func (w *wsRole) breach(s *session, err error) {
	var c *ws.CloseError
	if !errors.As(err, &c) {
		c = ws.ErrReservedOpCode
	}
	if w.flags&wsClosed == 0 {
		w.because(s, c.Code, c.Reason)
	}
	w.flags |= wsBreached
	w.curtail()
	w.sendClose(s, c.Code, c.Reason)
	s.shut(err)
}

// fail sends the close frame that a program's error stands for.
func (w *wsRole) fail(s *session, err error) {
	if !errors.Is(err, callbacks.ErrClose) {
		s.because(err)
	}
	code, reason := s.closeFor(err)
	w.closeWith(s, code, reason)
}

func (w *wsRole) eof(s *session) {
	switch {
	case w.flags&wsPeerDone != 0 && w.flags&wsClosed != 0:
		s.shut(nil)
	default:
		w.because(s, ws.StatusAbnormalClosure, "")
		w.curtail()
		s.shut(errTruncated)
	}
}

var errTruncated = fmt.Errorf("engine: the peer closed the connection without a close frame: %w", io.ErrUnexpectedEOF)

func (w *wsRole) writeable(s *session) {
	if w.flags&wsClosed == 0 {
		s.tellOrFail(w.pick(callbacks.ServerWriteable, callbacks.ClientWriteable), nil)
	}
}

// closing judges a peer that has not answered our close frame. It has the time for
// that from when it can have read the frame: until then, like every peer that is
// being flushed, it only has to read.
func (w *wsRole) closing(s *session) {
	pending := uint32(min(uint64(s.link.Pending()), math.MaxUint32))
	was := w.extend().left
	w.more.left = pending
	switch moved := s.link.Progressed(); {
	case pending > 0 && (was == 0 || moved):
		s.deadlineIn(s.l.e.limits.StallTimeout)
	case pending == 0 && was > 0:
		s.deadlineIn(s.closeTimeout())
	default:
		w.because(s, ws.StatusAbnormalClosure, "")
		s.abort(ErrCloseTimeout)
	}
}

func (w *wsRole) settle(*session) {}

func (w *wsRole) goodbye(s *session) { w.closeWith(s, ws.StatusGoingAway, "") }

func (w *wsRole) closed(s *session) {
	w.release()
	w.retire(s)
	s.l.counters.websockets--
	if w.code == 0 || w.flags&(wsClosed|wsPeerDone|wsBreached) == wsClosed { // our frame was not answered
		w.because(s, ws.StatusAbnormalClosure, "")
	}
	_ = s.tell(w.pick(callbacks.WSServerDropProtocol, callbacks.WSClientDropProtocol), nil)
	_ = s.tell(w.pick(callbacks.Closed, callbacks.ClientClosed), nil)
}

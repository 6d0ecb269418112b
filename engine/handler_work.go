package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/internal/bufpool"
	"github.com/penstock-go/penstock/internal/invariant"
)

// A handling is a request in the hands of an http.Handler. It is the answering of the
// loop, the Job of the worker, and the letter between them:
//
//	loop    serve      makes it, and begins it
//	worker  Run        the handler; its writes gather in the reply
//	worker  hand       head, bytes and wishes, under the mutex, and the letter
//	loop    Deliver    takes all of it and writes it to the session
//	loop    body       what comes of the request's body, for the worker
//	loop    dropped    it is over for the loop, and everything the worker does fails
//
// Run outlives the connection if the handler does, dropped comes once and may come first.
type handling struct {
	conduit
	service  *handlerService
	req      *http.Request
	cancel   context.CancelFunc // of its context
	reply    reply
	began    time.Time   // to wait for a worker
	bodyMost int64       // as long may it be
	trailer  http.Header // that came behind it; written before inErr
	awaited  bool        // the client waits for 100 (Continue), and Read has not been called

	// Under the conduit's mutex, on their way to the loop.
	interim []byte
	head    replyHead
	behind  []byte // the trailers

	conn *hijackedConn // what Hijack waits for
}

func newHandling(v *handlerService, h *httpRole, s *session) (*handling, error) {
	if h.info == nil {
		h.info = newConnInfo(s)
	}
	ctx, cancel := context.WithCancel(h.info.base(v.server))
	req, err := newRequest(h.req, ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	req.RemoteAddr, req.TLS = h.info.remote, h.info.tls
	x := &handling{service: v, req: req, cancel: cancel, bodyMost: h.mount.bodyMost(&s.l.e.limits), began: time.Now()}
	x.init(s, x)
	x.awaited = h.flags&httpAwaited != 0
	x.reply.init(x, x.awaited)
	if req.Body == nil {
		req.Body = (*requestBody)(x)
	} else {
		x.inErr = io.EOF
	}
	return x, nil
}

// Run implements workers.Job.
func (x *handling) Run() {
	returned := false
	defer func() {
		if !returned {
			x.failed(recover())
		}
		x.cancel()
		x.stopReading(http.ErrBodyReadAfterClose)
		if f := x.req.MultipartForm; f != nil {
			_ = f.RemoveAll()
		}
	}()
	switch {
	case x.isOver(): // while it waited for a worker
	case time.Since(x.began) > x.s.l.e.limits.QueueTimeout:
		x.want(wantBusy)
	default:
		x.service.h.ServeHTTP(&x.reply, x.req)
		x.reply.finish()
	}
	returned = true
}

// isOver tells whether nobody waits for the answer any more.
func (x *handling) isOver() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.outErr != nil
}

// failed follows a panic of the handler, or its runtime.Goexit. A connection that it has
// hijacked has nobody else to close it, or has, and then that is done twice.
func (x *handling) failed(v any) {
	if v == nil {
		v = errors.New("engine: the goroutine was ended")
	}
	if v != http.ErrAbortHandler {
		x.s.l.e.log.Error("engine: a handler panicked", "remote", x.req.RemoteAddr, "panic", v, "stack", string(debug.Stack()))
	}
	if x.conn != nil {
		_ = x.conn.Close()
	}
	x.reply.abort(v != http.ErrAbortHandler)
}

// Left tells the workers that the goroutine is not one of theirs any more.
func (x *handling) Left() bool { return x.reply.flags&replyHijacked != 0 }

// parcel is what a letter of a handling brings.
type parcel struct {
	wants   wants
	interim []byte
	head    replyHead // none if its status is 0
	out     *bufpool.Buffer
	behind  []byte
}

// Deliver implements reactor.Letter.
func (x *handling) Deliver() {
	s := x.s
	h, ok := s.role.(*httpRole)
	if !ok || h.work != answering(x) || s.state != stateOpen {
		return // dropped has told the worker, or will
	}
	x.mu.Lock()
	x.posted = false
	if n := x.waiting(); n > 0 && !h.fits(s, n) {
		x.full = true
		x.mu.Unlock()
		s.RequestWriteable()
		return
	}
	d := parcel{x.wants, x.interim, x.head, x.out, x.behind}
	x.wants, x.interim, x.head, x.out, x.behind = 0, nil, replyHead{}, nil, nil
	x.mu.Unlock()
	x.act(h, &d)
}

// waiting is how much waits for the loop. Under mu.
func (x *handling) waiting() int {
	n := len(x.interim)
	if x.out != nil {
		n += len(x.out.B)
	}
	return n
}

// fits tells whether n bytes may be written. What can never fit is tried and fails.
func (h *httpRole) fits(s *session, n int) bool {
	return s.room(n+h.headRoom(s)) == nil || s.link.Pending() == 0
}

// act does what the letter asks for.
func (x *handling) act(h *httpRole, d *parcel) {
	s := x.s
	h.flags |= httpCalling
	if d.wants&wantDue != 0 {
		h.bodyDue(s)
	}
	if d.wants&wantContinued != 0 {
		h.flags &^= httpAwaited
	}
	if d.wants&(wantBody|wantContinued) != 0 {
		h.flags &^= httpLazy
	}
	if d.wants&wantMore != 0 {
		s.unpause(pauseService)
	}
	err := x.transmit(h, d)
	if d.out != nil {
		bufpool.Put(d.out)
	}
	switch {
	case s.state != stateOpen:
	case err != nil: // there is no room, and never will be
		h.cutOff(s, err)
	case d.wants&wantHijack != 0:
		x.hijack(h)
		return // h is not the session's role any more
	case d.wants&wantRefusal != 0:
		h.refuse(s, errHandlerPanic, http.StatusInternalServerError)
	case d.wants&wantBusy != 0:
		x.giveUpBody(h)
		h.busy(s)
	case d.wants&wantAbort != 0:
		x.abort(h)
	case (d.out != nil || d.interim != nil) && d.wants&wantEnd == 0:
		x.sent()
	}
	h.flags &^= httpCalling
	h.proceed(s)
}

var errHandlerPanic = http1.NewError(http.StatusInternalServerError, "a handler panicked")

// errAborted ends the connection of a handler that did not end its answer.
var errAborted = fmt.Errorf("engine: %w", http.ErrAbortHandler)

// abort cuts the answer off.
func (x *handling) abort(h *httpRole) {
	s := x.s
	if h.flags&(httpStarted|httpBodyless) != httpStarted || h.left == 0 {
		s.shut(errAborted) // nothing was sent, and nothing will be, or all of it
		return
	}
	h.cutOff(s, errAborted)
}

// portion is what the handler has room for of b, which comes behind its request's head.
func (h *httpRole) portion(b []byte) []byte {
	x, ok := h.work.(*handling)
	if !ok || !h.wantsBody() {
		return b
	}
	n := x.takes()
	invariant.Check(n > 0, "engine: the body is read though its handler has no room for it")
	return b[:min(len(b), n)]
}

// body implements answering, and so do the methods below.
func (x *handling) body(h *httpRole, s *session, p []byte) {
	if _, pause := x.bring(p); pause {
		s.pause(pauseService)
	}
}

func (x *handling) bodyEnd(h *httpRole, _ *session) {
	if t := h.body.Trailer(); t != nil {
		x.trailer = make(http.Header, t.Len())
		for i := range t.Len() {
			name, value := t.At(i)
			x.trailer.Add(string(name), string(value))
		}
	}
	x.end(io.EOF)
}

func (x *handling) writeable(_ *httpRole, _ *session) {
	x.mu.Lock()
	x.full = false
	pending := !x.posted && (x.waiting() > 0 || x.wants != 0)
	x.canWrite.Broadcast()
	x.mu.Unlock()
	if pending {
		x.Deliver()
	}
}

func (x *handling) left(*httpRole, *session) { x.cancel() }

func (x *handling) dropped(s *session) {
	x.over(x.bodyError(s.Err()), errGone)
	x.cancel()
	s.unpause(pauseService) // the worker's letter that asks for it would find nobody
}

// errGone is what a handler's writes get when there is nobody to write to any more.
var errGone = fmt.Errorf("engine: the request is over: %w", net.ErrClosed)

// bodyError is what reading a body gets that ended before its end because of err.
func (x *handling) bodyError(err error) error {
	switch {
	case errors.Is(err, errBodyTooLong):
		return &http.MaxBytesError{Limit: x.bodyMost}
	case err == nil || errors.Is(err, http1.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("engine: the body is cut off: %w: %w", io.ErrUnexpectedEOF, err)
}

package engine

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/penstock-go/penstock/internal/bufpool"
)

// replyBuffer is how much of a body gathers before it leaves, with the head before it.
// What ends within it gets a Content-Length. Twice net/http's: the buffer is pooled, and
// what does not fit costs chunks and another letter.
const replyBuffer = 4 << 10

// sniffMost is how much of a body tells its type.
const sniffMost = 512

// reply is the http.ResponseWriter of a handling, and all else that net/http's is. It is
// the worker's.
type reply struct {
	x        *handling
	header   http.Header
	buf      *bufpool.Buffer // the fields of the head, and what there is of the body behind
	head     replyHead       // as far as it is known
	seen     headerFacts
	declared int64 // Content-Length, negative if there was none
	written  int64 // of the body
	trailers []string
	err      error // of the first write that failed
	flags    replyFlag
	expected atomic.Bool // the client waits for 100 (Continue), and nothing has been said yet
}

type replyFlag uint8

const (
	replyWrote replyFlag = 1 << iota // WriteHeader was called
	replyBegun                       // ... and the head is on its way
	replyDone                        // the handler has returned
	replyHijacked
	replyIsHead // the request's method is HEAD
	replyTunnel // ... is CONNECT
	replyOld    // HTTP/1.0
)

var (
	_ http.ResponseWriter = (*reply)(nil)
	_ http.Flusher        = (*reply)(nil)
	_ http.Hijacker       = (*reply)(nil)
	_ io.ReaderFrom       = (*reply)(nil)
	_ io.StringWriter     = (*reply)(nil)
)

func (w *reply) init(x *handling, expected bool) {
	w.x, w.declared = x, -1
	w.header = make(http.Header)
	w.expected.Store(expected)
	switch x.req.Method {
	case http.MethodHead:
		w.flags |= replyIsHead
	case http.MethodConnect:
		w.flags |= replyTunnel
	}
	if x.req.ProtoMinor == 0 {
		w.flags |= replyOld
	}
}

// Header implements http.ResponseWriter. What is changed behind WriteHeader counts for
// trailers only.
func (w *reply) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *reply) WriteHeader(status int) {
	switch {
	case w.flags&replyHijacked != 0:
		w.complain("WriteHeader on a hijacked connection")
		return
	case w.flags&replyWrote != 0:
		w.complain("superfluous WriteHeader")
		return
	case status < 100 || status > 999:
		panic("engine: a handler's status has three digits")
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.interim(status)
		return
	}
	w.expected.Store(false)
	w.flags |= replyWrote
	w.head.status = status
	w.snapshot()
}

// complain logs a handler's mistake with where it was made.
func (w *reply) complain(what string) {
	where := ""
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for more := true; more && where == ""; {
		var f runtime.Frame
		f, more = frames.Next()
		if !strings.Contains(f.Function, "/engine.(*reply).") {
			where = f.Function
		}
	}
	w.x.s.l.e.log.Warn("engine: "+what, "caller", where)
}

// Write implements http.ResponseWriter.
func (w *reply) Write(p []byte) (int, error) {
	if err := w.admit(len(p)); err != nil {
		return 0, err
	}
	return put(w, p)
}

// WriteString implements io.StringWriter.
func (w *reply) WriteString(p string) (int, error) {
	if err := w.admit(len(p)); err != nil {
		return 0, err
	}
	return put(w, p)
}

// admit says whether n bytes may be written.
func (w *reply) admit(n int) error {
	if w.flags&replyHijacked != 0 {
		if n > 0 {
			w.complain("Write on a hijacked connection")
		}
		return http.ErrHijacked
	}
	if w.flags&replyWrote == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case n == 0:
		return nil
	case !bodyAllowed(w.head.status):
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.declared >= 0 && w.written > w.declared {
		return http.ErrContentLength
	}
	return w.err
}

// text is what can be written.
type text interface{ []byte | string }

// put puts p behind what waits, or hands all of it over.
func put[T text](w *reply, p T) (int, error) {
	b := w.buffer()
	waiting := len(b.B) - w.head.fields
	switch {
	case w.flags&replyIsHead != 0: // only what tells its type is of interest
		if n := min(sniffMost-waiting, len(p)); n > 0 && w.flags&replyBegun == 0 {
			b.B = append(b.B, p[:n]...)
		}
		return len(p), nil
	case waiting+len(p) <= replyBuffer:
		b.B = append(b.B, p...)
		return len(p), nil
	}
	done := 0
	if w.flags&replyBegun == 0 && waiting < sniffMost {
		done = min(sniffMost-waiting, len(p))
		b.B = append(b.B, p[:done]...)
	}
	if err := w.hand(0); err != nil {
		return 0, err
	}
	if p = p[done:]; len(p) <= replyBuffer {
		w.buffer().B = append(w.buffer().B, p...)
		return done + len(p), nil
	}
	n, err := deposit(&w.x.conduit, p)
	w.err = firstError(w.err, err)
	return done + n, err
}

func (w *reply) buffer() *bufpool.Buffer {
	if w.buf == nil {
		w.buf = bufpool.Get()
	}
	return w.buf
}

// hand gives what waits to the loop, with the head if that has not been, and wishes.
func (w *reply) hand(last wants) error {
	x := w.x
	begins := w.flags&replyBegun == 0
	if begins {
		w.settle(last != 0)
	}
	b := w.buf
	w.buf = nil
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, err := x.room(); err != nil {
		if b != nil {
			bufpool.Put(b)
		}
		w.err = firstError(w.err, err)
		return err
	}
	if begins {
		x.head = w.head
		w.head.fields = 0
		w.flags |= replyBegun
	}
	switch {
	case b == nil:
	case x.out == nil:
		x.out = b
	default:
		x.out.B = append(x.out.B, b.B...)
		bufpool.Put(b)
	}
	if last != 0 {
		x.behind = w.trailer()
		x.outErr = errGone // what a goroutine writes that the handler has left behind
	}
	x.wants |= last
	x.post()
	return nil
}

// Flush implements http.Flusher.
func (w *reply) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController. What was written is on its way when
// it returns, which is not to say that it has left.
func (w *reply) FlushError() error {
	switch {
	case w.flags&replyHijacked != 0:
		return http.ErrHijacked
	case w.flags&replyWrote == 0:
		w.WriteHeader(http.StatusOK)
	}
	if w.flags&replyBegun != 0 && (w.buf == nil || w.flags&replyIsHead != 0) {
		return w.err
	}
	return w.hand(0)
}

// ReadFrom implements io.ReaderFrom.
func (w *reply) ReadFrom(src io.Reader) (n int64, err error) {
	b := bufpool.Get()
	defer bufpool.Put(b)
	if cap(b.B) < copyBuffer {
		b.B = make([]byte, 0, copyBuffer)
	}
	p := b.B[:copyBuffer]
	for {
		k, rerr := src.Read(p)
		if k > 0 {
			m, err := w.Write(p[:k])
			n += int64(m)
			if err != nil {
				return n, err
			}
		}
		switch {
		case rerr == io.EOF:
			return n, nil
		case rerr != nil:
			return n, rerr
		}
	}
}

// copyBuffer is what ReadFrom reads at once, as much as io.Copy does.
const copyBuffer = 32 << 10

// finish follows the handler.
func (w *reply) finish() {
	if w.flags&replyHijacked != 0 {
		return
	}
	if w.flags&replyWrote == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.flags |= replyDone
	if w.err != nil {
		w.abort(false)
		return
	}
	if w.hand(wantEnd) != nil {
		w.abort(false)
	}
}

// abort ends an answer that is not whole. What the handler has not flushed is forgotten.
func (w *reply) abort(answer bool) {
	if w.flags&replyHijacked != 0 {
		return
	}
	if w.buf != nil {
		bufpool.Put(w.buf)
		w.buf = nil
	}
	w.flags |= replyDone
	if answer && w.flags&replyBegun == 0 {
		w.x.want(wantRefusal)
	} else {
		w.x.want(wantAbort)
	}
}

// SetReadDeadline is for http.ResponseController, and so are the next two.
func (w *reply) SetReadDeadline(t time.Time) error { return w.x.setReadDeadline(t) }

// SetWriteDeadline makes writing fail that waits for the client.
func (w *reply) SetWriteDeadline(t time.Time) error { return w.x.setWriteDeadline(t) }

// EnableFullDuplex has nothing to do.
func (w *reply) EnableFullDuplex() error { return nil }

// CloseNotify implements http.CloseNotifier, which old programs want.
func (w *reply) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	context.AfterFunc(w.x.req.Context(), func() { gone <- true })
	return gone
}

// Hijack implements http.Hijacker.
func (w *reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.flags&(replyHijacked|replyDone) != 0 {
		return nil, nil, http.ErrHijacked
	}
	w.expected.Store(false)
	if w.flags&replyWrote != 0 {
		if err := w.FlushError(); err != nil {
			return nil, nil, err
		}
	}
	c, err := w.x.takeConn()
	if err != nil {
		return nil, nil, err
	}
	w.flags |= replyHijacked
	if w.buf != nil {
		bufpool.Put(w.buf)
		w.buf = nil
	}
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), nil
}

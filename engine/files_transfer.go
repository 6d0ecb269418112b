package engine

import (
	"github.com/penstock-go/penstock/callbacks"
)

// The way of a file:
//
//	open      on a worker: what is at the path, from the cache or opened
//	found     on the loop: choose, ask the conditions, begin the response  (files_answer.go)
//	send      by sendfile(2), all at once in the connection's queue, or    (files_send.go)
//	pump      piece by piece: from memory, or read by a worker, as the client takes it
//	complete  HTTPFileCompletion
//
// A transfer belongs to its loop, and while off is under way to a worker, but for the
// fields that say so.

// transfer answers one request with a file. It is the request's answering, the job of
// a worker and the letter that this or a flight comes back with.
type transfer struct {
	m       *fileMount
	h       *httpRole // nil once the request is over; only the loop looks at it
	s       *session
	want    filePath
	program bool      // Session.ServeFile began it: the program hears of the body
	waits   bool      // for Session.RequestWriteable
	was     *resource // what the cache had, held, and needs a look
	r       *resource // held
	rep     *representation

	work func()          // what the worker is to do
	then func()          // what comes of it, on the loop
	err  error           // the worker's
	got  *resource       // of opening, held
	made *representation // of compress
	page string          // listing's

	sending
}

var _ answering = (*transfer)(nil)

// off lets a worker do work, and then comes back to the loop. A transfer that has begun
// is not refused, however busy the workers are: each has one thing to do at most.
func (t *transfer) off(work, then func()) {
	t.work, t.then, t.err = work, then, nil
	t.s.l.e.fileWorkers.Continue(t)
}

// Run is the worker's part.
func (t *transfer) Run() {
	if err := t.s.l.e.safely(t.work); err != nil {
		t.err = err
	}
	t.comeBack()
}

// comeBack is the worker's last act.
func (t *transfer) comeBack() {
	if t.s.l.r.Post(t) != nil { // the loop has ended, and the request with it
		t.discard()
	}
}

// Deliver is the way back.
func (t *transfer) Deliver() {
	then := t.then
	t.work, t.then = nil, nil
	switch {
	case t.h == nil:
		t.discard()
	case t.s.state == stateOpen:
		then()
	}
}

// idle tells whether no worker has t.
func (t *transfer) idle() bool { return t.then == nil }

// open finds out what there is, or answers 503 if the workers are busy beyond measure.
func (t *transfer) open() {
	t.h.flags |= httpHeld
	key := flightKey{path: t.want.key()}
	if t.m.opt.Recheck <= 0 { // others may have looked before the last change
		key.alone = t
	}
	m, want, was, now := t.m, t.want, t.was, t.s.l.r.Now()
	if !t.join(t.s.l.e.fileWorkers, key, func() landing { return m.opening(want, was, now) }, t.opened) {
		t.fail(503, nil)
	}
}

// opening is the worker's part.
func (m *fileMount) opening(want filePath, was *resource, now int64) (o landing) {
	if o.r, o.err = m.find(want, was, now); o.err != nil || !m.fallsBack(want, o.r.plan) {
		return o
	}
	o.r.release()
	was = m.cache.get(rootPath.key())
	o.r, o.err = m.find(rootPath, was, now)
	was.release()
	return o
}

// find is what there is for w, held: was if it is that still, or opened. What is known of
// it is from now, or later.
func (m *fileMount) find(w filePath, was *resource, now int64) (*resource, error) {
	p := m.look(w)
	switch {
	case was != nil && was.plan.equal(p):
		was.checked.Store(now)
		return was.hold(), nil
	case len(p.files) == 0:
		if was != nil {
			m.cache.forget(was)
		}
		return m.findNothing(w, p, now), nil
	}
	r, err := m.openPlan(w.key(), p)
	if err != nil {
		return nil, err
	}
	r.checked.Store(now)
	m.absent.remove(r.key)
	m.cache.put(r)
	return r, nil
}

// findNothing is a resource without files, which is kept if it may last.
func (m *fileMount) findNothing(w filePath, p plan, now int64) *resource {
	r := &resource{key: w.key(), plan: p, bytes: int64(len(w.key()))}
	r.refs.Store(1)
	r.checked.Store(now)
	switch p.status {
	case 301, 403, 404:
		m.absent.put(r)
	}
	return r
}

// opened goes on with what there is.
func (t *transfer) opened() {
	r := t.got
	t.got = nil
	t.was.release()
	t.was = nil
	if t.err != nil {
		t.fail(statusOfFile(t.err), t.err)
		return
	}
	t.found(r)
}

// fail answers with a status if there is no answer yet, and cuts the connection if half
// of one has gone.
func (t *transfer) fail(status int, err error) {
	s, h := t.s, t.h
	t.end()
	if status == 500 && err != nil {
		s.l.e.log.Error("engine: a file cannot be served", "name", t.want.name, "err", err)
	}
	switch {
	case h.flags&httpStarted == 0:
		if status == 503 {
			_ = h.addHeader("Retry-After", "1")
		}
		h.status(s, status)
	case h.flags&httpDone == 0:
		s.abort(err)
	}
}

// complete follows the last byte: the response has ended.
func (t *transfer) complete() {
	s, h := t.s, t.h
	t.end()
	if h.flags&httpDone == 0 {
		h.finish(s)
	}
	h.called(s, s.tell(callbacks.HTTPFileCompletion, nil))
}

// end parts t from its request, and lets go of what it holds as soon as nothing is under
// way any more.
func (t *transfer) end() {
	if t.h == nil {
		return
	}
	if t.h.work == t {
		t.h.work = nil
	}
	t.h = nil
	if t.idle() {
		t.discard()
	}
}

// discard lets go of everything, once.
func (t *transfer) discard() {
	t.then = nil
	if t.queued {
		return // the reactor has the file, and says when not
	}
	t.dropSource()
	t.was.release()
	t.got.release()
	t.r.release()
	t.was, t.got, t.r = nil, nil, nil
}

// body implements answering, and so do the methods below. A file's request has no use
// for a body; a program that calls ServeFile may have.
func (t *transfer) body(h *httpRole, s *session, p []byte) {
	switch {
	case t.program:
		h.called(s, s.lend(callbacks.HTTPBody, p))
	case h.taken > drainMost:
		s.shut(nil)
	}
}

func (t *transfer) bodyEnd(h *httpRole, s *session) {
	if t.program {
		h.called(s, s.tell(callbacks.HTTPBodyCompletion, nil))
	}
}

func (t *transfer) writeable(h *httpRole, s *session) {
	switch {
	case t.waits:
		t.waits = false
		t.pump()
	case t.program:
		h.called(s, s.tell(callbacks.HTTPWriteable, nil))
	}
}

func (t *transfer) left(*httpRole, *session) {}

func (t *transfer) dropped(*session) { t.end() }

// filesKept is how many descriptors the mounts of files may take beside those of their
// transfers.
func (e *Engine) filesKept() int {
	n := min(e.limits.FileWorkers, 1<<30)
	for _, v := range e.vhosts {
		for _, m := range v.mounts {
			if f, ok := m.service().(*fileMount); ok {
				n = min(n+f.keeps(), 1<<30)
			}
		}
	}
	return n
}

// closeMounts lets go of what services keep, when nothing runs any more.
func (e *Engine) closeMounts() {
	for _, v := range e.vhosts {
		for _, m := range v.mounts {
			if c, ok := m.service().(interface{ close() }); ok {
				c.close()
			}
		}
	}
}

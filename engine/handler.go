package engine

import (
	"errors"
	"net/http"
)

// Handler mounts an http.Handler: it gets the requests for path and all below it, with
// the whole path, as net/http's own server would give them to it; what is behind the
// mount point is http.StripPrefix's to find. Requests for a WebSocket come to it as they
// are, for it to upgrade by Hijack.
//
// It runs on one of the engine's workers (Limits.Workers) and may block. A request for
// which there is no room, or no worker within Limits.QueueTimeout, is answered with 503.
// What net/http promises its handlers holds, with these differences:
//
//   - A handler may read the body while it answers, as after EnableFullDuplex.
//   - A request that turns out to be malformed is answered by the engine with 400, 408 or
//     413, and closed, unless the handler's answer has begun. It hears of that from
//     Request.Body, whose error for a body over Mount.Body or Limits.Body is a
//     *http.MaxBytesError, and from its context.
//   - http.MaxBytesReader does not close the connection; a rest of more than 256 KiB does.
//   - A panic with anything but http.ErrAbortHandler is answered with 500 if nothing of
//     the answer has left.
//   - A connection that was hijacked belongs to the engine still: it has its
//     Limits.StallTimeout, and it is told of a Shutdown by io.EOF and reset when that is over.
//     A worker that has hijacked one does not count as one any more.
//   - The value of http.ServerContextKey is an *http.Server that does not serve.
//
// OPTIONS * is answered by the engine, as net/http's server does by default. CONNECT is answered without a body and the connection closed, unless the handler
// hijacks it.
func Handler(path string, h http.Handler) Mount {
	return Mount{path: path, to: target{service: &handlerService{h: h, server: &http.Server{Handler: h}}}}
}

// handlerService is the service of Handler.
type handlerService struct {
	h      http.Handler
	server *http.Server // what handlers find in their contexts
}

func (v *handlerService) check() error {
	if v.h == nil {
		return errors.New("no http.Handler")
	}
	return nil
}

func (v *handlerService) upgrades() bool { return true }

// busyWait is what a client is told by Retry-After that finds all workers at work and
// the queue before them full. The queue is short in time if it is long.
const busyWait = "1"

func (v *handlerService) serve(h *httpRole, s *session, _ []byte) answering {
	if string(h.req.Path()) == "*" { // OPTIONS of the server as a whole, RFC 9110 9.3.7
		h.called(s, h.respond(s, http.StatusOK, "", nil))
		return nil
	}
	x, err := newHandling(v, h, s)
	if err != nil {
		h.refuse(s, err, 400)
		return nil
	}
	if !s.l.e.workers.Begin(x) {
		h.busy(s)
		return nil
	}
	h.flags |= httpHeld | httpLazy
	return x
}

// busy answers a request for which there is no worker.
func (h *httpRole) busy(s *session) {
	_ = h.addHeader("Retry-After", busyWait)
	h.status(s, http.StatusServiceUnavailable)
}

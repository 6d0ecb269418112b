package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penstock-go/penstock/callbacks"
)

// RoundTripperConfig is what Engine.RoundTripper makes its requests with. The zero
// value keeps connections and asks for gzip, as http.DefaultTransport does, and knows
// no proxy.
type RoundTripperConfig struct {
	// Vhost names the vhost whose ClientTLS counts; "" is the first.
	Vhost string
	// TLS replaces it; see ClientConnectInfo.TLS.
	TLS *tls.Config
	// Flags relax the verification of certificates; others mean nothing.
	Flags ClientFlags
	// Proxy returns the proxy for a request, or nil, as http.ProxyFromEnvironment does.
	// Its scheme is http, socks5 or socks5h.
	Proxy func(*http.Request) (*url.URL, error)
	// Iface and ConnectTimeout are those of ClientConnectInfo.
	Iface          string
	ConnectTimeout time.Duration
	// DisableCompression does not ask for gzip on its own. What was asked for that way
	// is decompressed on the way to the caller, and Response.Uncompressed set.
	DisableCompression bool
	// DisableKeepAlives makes a connection for each request.
	DisableKeepAlives bool
}

// RoundTripper makes the requests of net/http's clients on an engine's loops: it is an
// http.RoundTripper, for http.Client, httputil.ReverseProxy and the like. It does what
// http.Transport does for HTTP/1.1, where these differ:
//
//   - The limits and times are the engine's: Limits.ResponseTimeout,
//     ResponseBodyTimeout, OriginConnections and so on.
//   - The functions of an httptrace.ClientTrace are called on a loop, and must not
//     block; GotConnInfo.Conn can only tell the addresses. GetConn, GotConn, WroteRequest,
//     Got100Continue, Got1xxResponse and GotFirstResponseByte are.
//   - A request whose connection turns out to be closed is repeated if it is idempotent
//     by RFC 9110 9.2.2 or has an Idempotency-Key, PUT and DELETE too, and its body can
//     be had again.
//
// The engine has to run. Requests before Run wait for it, and those behind its end fail
// with ErrClosed. RoundTrip waits, so it cannot be called on a loop: in callbacks there
// is Engine.Connect.
type RoundTripper struct {
	e   *Engine
	v   *vhost // of its own, so that all reasons are for it
	cfg RoundTripperConfig
	err error
}

// RoundTripper makes one; what is wrong with cfg is the error of its requests.
func (e *Engine) RoundTripper(cfg RoundTripperConfig) *RoundTripper {
	rt := &RoundTripper{e: e, cfg: cfg}
	v := e.vhost(cfg.Vhost)
	if v == nil {
		rt.err = configErrorf("no vhost %q to connect from", cfg.Vhost)
		return rt
	}
	rt.v = &vhost{name: v.name, clientTLS: v.clientTLS,
		protocols: []*callbacks.Protocol{{Name: "roundtrip", Callback: hearTrip}}}
	return rt
}

// RoundTrip implements http.RoundTripper.
func (rt *RoundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	ask := req
	for {
		t, err := rt.start(ask, req)
		if err != nil {
			return nil, err
		}
		<-t.ready
		if t.err == nil {
			return t.resp, nil
		}
		if !t.stale.Load() || !replayable(req) || req.Context().Err() != nil {
			return nil, t.err
		}
		if ask, err = rewound(req); err != nil {
			return nil, err
		}
	}
}

// CloseIdleConnections closes those that wait for their next request.
func (rt *RoundTripper) CloseIdleConnections() {
	if rt.err == nil {
		rt.e.closeIdle(func(k upstreamKey) bool { return k.vhost == rt.v })
	}
}

// start begins to ask. Whatever happens, the body of ask is closed in the end.
func (rt *RoundTripper) start(ask, req *http.Request) (*trip, error) {
	t := &trip{rt: rt, req: req, body: outgoing{r: ask.Body}, ready: make(chan struct{}), gone: make(chan struct{}), wrote: make(chan bool, 1)}
	t.down.cond.L = &t.down.mu
	t.trace = httptrace.ContextClientTrace(req.Context())
	s, err := t.prepare(ask)
	if err == nil {
		err = context.Cause(req.Context())
	}
	if err != nil {
		t.body.close()
		return nil, err
	}
	t.h = s.outside()
	if err := s.launch(); err != nil {
		t.body.close()
		return nil, err
	}
	t.watch(context.AfterFunc(req.Context(), t.cancelled))
	return t, nil
}

// replayable tells whether req can be made once more when nobody knows whether the
// server has heard of it.
func replayable(req *http.Request) bool {
	_, key := req.Header["Idempotency-Key"]
	_, xkey := req.Header["X-Idempotency-Key"]
	return (idempotent(methodOf(req)) || key || xkey) && (noBody(req) || req.GetBody != nil)
}

// rewound is req with its body from the beginning.
func rewound(req *http.Request) (*http.Request, error) {
	if noBody(req) {
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	again := *req
	again.Body = body
	return &again, nil
}

func noBody(req *http.Request) bool { return req.Body == nil || req.Body == http.NoBody }

func methodOf(req *http.Request) string {
	if req.Method == "" {
		return "GET"
	}
	return req.Method
}

// trip is one attempt at a request: a session's UserData, and what the goroutines
// outside have of it.
//
//	start --> (connected) --> upload, if there is a body
//	  |            |
//	  |            +--> respond: RoundTrip returns --> put, put ... complete, or broken
//	  +--> failed: RoundTrip returns
type trip struct {
	rt    *RoundTripper
	req   *http.Request
	h     callbacks.Handle
	trace *httptrace.ClientTrace // nil if there is none
	body  outgoing
	gzip  bool // it was not the program who has asked for it

	once  sync.Once
	ready chan struct{} // closed when resp or err is there
	resp  *http.Response
	err   error
	stale atomic.Bool // the connection was one of before, and closed

	down  flow
	whole bool // all of the response has come; the loop's

	gone   chan struct{} // closed when the session has ended
	wrote  chan bool     // what became of a piece that was sent
	waits  bool          // ... which is to be told when there is room; the loop's
	held   []byte        // ... and which has found none, or nil; the loop's
	last   bool          // ... and is the last one
	upload bool          // the loop's: the body is on its way
	length int64         // of the body, negative if it is not known

	mu   sync.Mutex
	stop func() bool // of the context's
	over bool
}

// watch notes how to stop waiting for the context.
func (t *trip) watch(stop func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stop = stop; t.over {
		stop()
	}
}

// finished says that the context means nothing any more.
func (t *trip) finished() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over = true; t.stop != nil {
		t.stop()
	}
}

// cancelled is the end of the request's context.
func (t *trip) cancelled() { t.breakOff(context.Cause(t.req.Context())) }

// breakOff ends the trip, whatever it is at.
func (t *trip) breakOff(err error) {
	t.resolve(nil, err)
	t.down.fail(err)
	t.abandon(err)
}

// abandon ends the session.
func (t *trip) abandon(err error) {
	_ = t.h.Post(func(s callbacks.Session) error {
		switch r := s.(*session).role.(type) {
		case *dialRole:
			r.fail(s.(*session), err)
		case *clientRole:
			s.(*session).abort(err)
		}
		return nil
	})
}

// resolve is what RoundTrip returns; the first one stays.
func (t *trip) resolve(resp *http.Response, err error) {
	t.once.Do(func() {
		t.resp, t.err = resp, err
		close(t.ready)
	})
}

// outward is the error of a session as RoundTrip and a Body tell it.
func outward(err error) error {
	switch {
	case errors.Is(err, ErrTLSTimeout), errors.Is(err, ErrHandshakeTimeout):
		return &slowError{err}
	case err == nil:
		return ErrClosed
	}
	return err
}

// slowError is an error that is a timeout to those who ask.
type slowError struct{ error }

func (e *slowError) Unwrap() error        { return e.error }
func (e *slowError) Timeout() bool        { return true }
func (e *slowError) Temporary() bool      { return true }
func (e *slowError) Is(target error) bool { return (&timeoutError{}).Is(target) }

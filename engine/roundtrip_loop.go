package engine

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// This file is the loop's part of a trip.

// hearTrip is the Callback of all sessions of RoundTrippers.
func hearTrip(cs callbacks.Session, r callbacks.Reason, in []byte) error {
	s := cs.(*session)
	t, ok := s.user.(*trip)
	if !ok {
		return nil
	}
	switch r {
	case callbacks.ClientAppendHandshakeHeader:
		t.connected(s)
	case callbacks.ClientHTTPWriteable:
		t.writeable(s)
	case callbacks.EstablishedClientHTTP:
		t.respond(s)
	case callbacks.ReceiveClientHTTPRead:
		if t.down.put(in) {
			s.PauseReading()
		}
	case callbacks.Timer: // nobody reads the body, and the rest of it takes too long
		s.abort(callbacks.ErrClosed)
	case callbacks.CompletedClientHTTP:
		t.complete(s)
	case callbacks.ClientConnectionError:
		d := s.role.(*dialRole)
		t.stale.Store(d.x != nil && d.x.facts&dialogueStale != 0)
		t.resolve(nil, outward(s.Err()))
	case callbacks.ClosedClientHTTP:
		if t.whole {
			t.down.end()
		}
		t.down.fail(outward(s.Err()))
	case callbacks.WSIDestroy:
		t.ended(s)
	}
	return nil
}

func (t *trip) connected(s *session) {
	if t.trace != nil && t.trace.GotConn != nil {
		t.trace.GotConn(httptrace.GotConnInfo{Reused: s.role.(*dialRole).reused, WasIdle: s.role.(*dialRole).reused,
			Conn: addresses{s.LocalAddr(), s.RemoteAddr()}})
	}
}

// addresses is a net.Conn that has nothing but its ends.
type addresses struct{ local, remote net.Addr }

// traced tells a trace what is on the wire.
func (d *dialRole) traced(s *session, status int) {
	t, ok := s.user.(*trip)
	if !ok || t.trace == nil {
		return
	}
	switch {
	case status == 0:
		if f := t.trace.GotFirstResponseByte; f != nil {
			f()
		}
	case status < 200:
		if f := t.trace.Got100Continue; f != nil && status == 100 {
			f()
		}
		if f := t.trace.Got1xxResponse; f != nil {
			_ = f(status, textproto.MIMEHeader(headerOf(d.resp.Header())))
		}
	}
}

// written tells a trace that the request is complete.
func (s *session) written() {
	if t, ok := s.user.(*trip); ok && t.trace != nil && t.trace.WroteRequest != nil {
		t.trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
}

// respond makes the response that RoundTrip returns.
func (t *trip) respond(s *session) {
	r := &s.dialogue().resp
	resp := &http.Response{Status: strings.TrimRight(strconv.Itoa(r.Status())+" "+string(r.Phrase()), " "), StatusCode: r.Status(),
		Proto: "HTTP/1." + strconv.Itoa(r.Minor()), ProtoMajor: 1, ProtoMinor: r.Minor(),
		Header: headerOf(r.Header()), Request: t.req, TLS: s.TLS(), Close: !r.KeepAlive()}
	framing, _ := r.Framing(methodOf(t.req)) // it has been read before
	t.frame(resp, framing)
	if names := resp.Header["Trailer"]; names != nil {
		delete(resp.Header, "Trailer")
		resp.Trailer = announced(names)
	}
	if s.dialogue().facts&dialogueStopped != 0 {
		t.halt()
	}
	t.resolve(resp, nil)
}

// frame gives resp its body.
func (t *trip) frame(resp *http.Response, f http1.Framing) {
	delete(resp.Header, "Transfer-Encoding")
	b := &tripBody{t: t, resp: resp}
	switch {
	case resp.StatusCode == 101:
		resp.Body = &tripConn{tripBody: b}
		return
	case f.Empty() && methodOf(t.req) == "HEAD":
		resp.Body, resp.ContentLength = http.NoBody, -1
		if v := resp.Header.Get("Content-Length"); v != "" {
			resp.ContentLength, _ = strconv.ParseInt(v, 10, 64) // the parser has looked at it
		}
		return
	case f.Empty():
		resp.Body = http.NoBody
		return
	case f.Kind == http1.Chunked:
		resp.ContentLength, resp.TransferEncoding = -1, []string{"chunked"}
	case f.Kind == http1.UntilClose:
		resp.ContentLength, resp.Close = -1, true
	default:
		resp.ContentLength = f.Length
	}
	t.down.left = resp.ContentLength
	resp.Body = b
	if t.gzip && strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		resp.Body = &gunzip{body: b}
		delete(resp.Header, "Content-Encoding")
		delete(resp.Header, "Content-Length")
		resp.ContentLength, resp.Uncompressed = -1, true
	}
}

// headerOf is h in net/http's form.
func headerOf(h *http1.Header) http.Header {
	out := make(http.Header, h.Len())
	for i := range h.Len() {
		name, value := h.At(i)
		key := textproto.CanonicalMIMEHeaderKey(string(name))
		out[key] = append(out[key], string(value))
	}
	return out
}

// announced are the trailers that a Trailer field promises, without their values.
func announced(lists []string) http.Header {
	out := http.Header{}
	for _, l := range lists {
		for _, name := range list(l) {
			if http1.ValidTrailer(name) {
				out[textproto.CanonicalMIMEHeaderKey(name)] = nil
			}
		}
	}
	return out
}

// complete has all of the response. Its reader hears of that when the connection is there
// for the next request, unless it is still needed for this one's body.
func (t *trip) complete(s *session) {
	if tr := s.Trailer(); tr != nil {
		t.down.keep(headerOf(tr))
	}
	if t.whole = true; s.dialogue().facts&dialogueSent == 0 {
		t.down.end()
	}
	t.finished()
}

// ended is the last that the session says.
func (t *trip) ended(s *session) {
	t.resolve(nil, outward(s.Err()))
	t.down.fail(outward(s.Err()))
	close(t.gone)
	t.finished()
	if t.upload { // it may be reading, and nobody wants that any more
		go t.body.close()
	} else {
		t.body.close()
	}
}

// writeable begins to send the body, or goes on.
func (t *trip) writeable(s *session) {
	switch {
	case !t.upload && t.body.r != nil:
		t.upload = true
		go t.send()
	case t.held != nil:
		p := t.held
		t.waits, t.held = false, nil
		t.write(s, p, t.last)
	case t.waits:
		t.waits = false
		t.wrote <- true
	}
}

// halt says that the rest of the body is not wanted.
func (t *trip) halt() {
	if t.waits {
		t.waits, t.held = false, nil
		t.wrote <- false
	}
}

// write sends a piece of the body, and tells when the next may come. One that finds no
// room waits for it.
func (t *trip) write(s *session, p []byte, final bool) {
	kind := callbacks.WriteHTTP
	if final {
		kind = callbacks.WriteHTTPFinal
		t.trail(s.dialogue())
	}
	err := s.role.write(s, p, kind)
	if errors.Is(err, callbacks.ErrSendQueueFull) && s.corked() > 0 { // by the pieces of this event
		s.flush()
		err = s.role.write(s, p, kind)
	}
	switch {
	case errors.Is(err, callbacks.ErrSendQueueFull) && s.state == stateOpen && s.link.High():
		t.waits, t.held, t.last = true, p, final
		s.stall()
		s.RequestWriteable()
	case err != nil:
		t.wrote <- false
		if !errors.Is(err, callbacks.ErrAnswered) && !errors.Is(err, callbacks.ErrClosed) {
			t.breakOff(err)
		}
	case s.state == stateOpen && s.link.High() && !final:
		t.waits = true
		s.RequestWriteable()
	default:
		t.wrote <- true
	}
}

// trail adds the request's trailers, once; x may be nil.
func (t *trip) trail(x *dialogue) {
	if x == nil || t.length >= 0 || x.behind != nil {
		return
	}
	for name, values := range t.req.Trailer {
		for _, v := range values {
			_ = x.addTrailer(name, v) // those that may not be there are left out
		}
	}
}

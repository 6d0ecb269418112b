package engine

import (
	"strconv"
	"strings"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// The way of a response:
//
//	respond      head and body at once
//	start        a head; the body follows by write
//	write        a piece of the body, framed as the head said; or a raw response
//	finish       the last byte: the transaction can end

// addHeader keeps a field for the response.
func (h *httpRole) addHeader(name, value string) error {
	if err := checkField(name, value); err != nil {
		return err
	}
	h.extra = http1.AppendField(h.extra, name, value)
	return nil
}

// checkField refuses malformed fields and those that decide about framing, which
// the engine writes itself.
func checkField(name, value string) error {
	if !http1.ValidName(name) || !http1.ValidValue(value) {
		return callbacks.ErrHeader
	}
	for _, own := range [...]string{"Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Date", "Upgrade",
		"Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Host"} {
		if strings.EqualFold(name, own) {
			return callbacks.ErrHeader
		}
	}
	return nil
}

// addTrailer keeps a field for the end of a chunked response.
func (h *httpRole) addTrailer(name, value string) error {
	if !http1.ValidTrailer(name) || !http1.ValidValue(value) {
		return callbacks.ErrHeader
	}
	h.behind = http1.AppendField(h.behind, name, value)
	return nil
}

// interim sends a response that is not the answer (RFC 9110 15.2). A client of
// HTTP/1.0 has never heard of such.
func (h *httpRole) interim(s *session, status int, fields []http1.Field) error {
	switch {
	case h.flags&httpStarted != 0 || h.raw != nil:
		return callbacks.ErrAnswered
	case status < 100 || status > 199 || status == 101:
		return http1.NewError(500, "an interim response's status is 100 or 102 to 199")
	}
	n := headRoom
	for _, f := range fields {
		if err := checkField(f.Name, f.Value); err != nil {
			return err
		}
		n += len(f.Name) + len(f.Value) + len(": \r\n")
	}
	if h.req.Minor() == 0 || status == 100 && h.flags&httpAwaited == 0 {
		return nil // nobody waits for it, or it has been sent
	}
	if err := s.room(n); err != nil {
		return err
	}
	if status == 100 {
		h.continued(s)
	}
	b := http1.AppendStatusLine(s.begin(), status)
	for _, f := range fields {
		b = http1.AppendField(b, f.Name, f.Value)
	}
	s.commit(http1.AppendEnd(b))
	return nil
}

// respond sends a whole response.
func (h *httpRole) respond(s *session, status int, contentType string, body []byte) error {
	if err := h.mayStart(s, status, contentType); err != nil {
		return err
	}
	if status == 205 { // RFC 9110 15.3.6
		body = nil
	}
	if err := s.room(len(body) + h.headRoom(s)); err != nil {
		return err
	}
	b := h.appendHead(s, status, contentType, int64(len(body)))
	h.sent = int64(len(body))
	switch {
	case h.flags&httpBodyless != 0:
		h.sent = 0
		s.commit(b)
	case len(body) >= largeWrite:
		s.commitWith(b, body)
	default:
		s.commit(append(b, body...))
	}
	h.finish(s)
	return nil
}

// headRoom is more than a response's head takes without the program's fields.
const headRoom = 512

// headRoom is more than the response's head takes.
func (h *httpRole) headRoom(s *session) int {
	return len(h.extra) + len(h.defaults(s).all) + headRoom
}

// status answers with the vhost's error page, or a status and its phrase, and what fields
// the program added.
func (h *httpRole) status(s *session, status int) {
	if page := s.vh.errorPage(status); page != nil {
		_ = h.respond(s, status, page.ContentType, page.Body)
		return
	}
	var text [64]byte
	b := append(text[:0], http1.StatusText(status)...)
	if len(b) == 0 {
		b = strconv.AppendInt(b, int64(status), 10)
	}
	_ = h.respond(s, status, "text/plain", append(b, '\n'))
}

// start sends a response's head.
func (h *httpRole) start(s *session, status int, contentType string, length int64) error {
	if err := h.mayStart(s, status, contentType); err != nil {
		return err
	}
	if status == 205 {
		length = 0
	}
	if err := s.room(h.headRoom(s)); err != nil {
		return err
	}
	h.continueFor(s, status, length)
	s.commit(h.appendHead(s, status, contentType, length))
	if h.left == 0 || status == 204 || status == 304 || h.flags&httpBodyless != 0 && !h.isHead() {
		h.finish(s)
	}
	return nil
}

func (h *httpRole) mayStart(s *session, status int, contentType string) error {
	switch {
	case h.flags&httpStarted != 0 || h.raw != nil:
		return callbacks.ErrAnswered
	case status < 200 || status > 599: // 1xx is for interim
		return http1.NewError(500, "a response's status is 200 to 599")
	case !http1.ValidValue(contentType):
		return callbacks.ErrHeader
	}
	return nil
}

// appendHead writes the head and settles how the body is framed. Once a request
// has gone wrong so far that there is none, the answer is that of HTTP/1.1.
func (h *httpRole) appendHead(s *session, status int, contentType string, length int64) []byte {
	h.flags |= httpStarted
	h.left, h.answer = length, status
	b := s.begin()
	h.head, h.epoch = len(b), s.l.cork.epoch
	b = http1.AppendStatusLine(b, status)
	if h.flags&httpDated == 0 {
		b = s.l.appendDate(b)
	}
	if contentType != "" {
		b = http1.AppendField(b, "Content-Type", contentType)
	}
	b = h.appendFraming(b, status, length)
	b = h.appendConnection(b)
	b = h.defaults(s).append(b, h.extra)
	b = append(b, h.extra...)
	return http1.AppendEnd(b)
}

// appendFraming follows RFC 9110 8.6 and RFC 9112 6: no Content-Length on 204,
// one on all else that has a known length, chunks or the close otherwise.
func (h *httpRole) appendFraming(b []byte, status int, length int64) []byte {
	if status == 204 || status == 304 || h.isHead() {
		h.flags |= httpBodyless
	}
	if h.req != nil && string(h.req.Method()) == "CONNECT" && status/100 == 2 {
		h.flags = h.flags&^httpReusable | httpBodyless // RFC 9110 9.3.6: what follows is a tunnel, and there is none
		return b
	}
	switch {
	case status == 204 || status == 304 && length <= 0:
		return b
	case length >= 0:
		return http1.AppendContentLength(b, length)
	case h.req != nil && h.req.Minor() == 0:
		h.flags &^= httpReusable
		return b
	}
	h.flags |= httpChunked
	return append(b, "Transfer-Encoding: chunked\r\n"...)
}

// appendConnection says whether the connection goes on. A body that the client
// holds back until it hears 100 will not come after this answer, and nobody
// could tell it from the next request.
func (h *httpRole) appendConnection(b []byte) []byte {
	if h.flags&httpAwaited != 0 && h.phase == phaseBody {
		h.flags &^= httpReusable
	}
	switch {
	case h.flags&httpReusable == 0:
		return append(b, "Connection: close\r\n"...)
	case h.req.Minor() == 0:
		return append(b, "Connection: keep-alive\r\n"...)
	}
	return b
}

// write sends a piece of the body.
func (h *httpRole) write(s *session, p []byte, kind callbacks.Kind) error {
	if kind != callbacks.WriteHTTP && kind != callbacks.WriteHTTPFinal {
		return callbacks.ErrKind
	}
	final := kind == callbacks.WriteHTTPFinal
	switch {
	case h.req == nil:
		return callbacks.ErrRole
	case h.flags&(httpDone|httpRaw) == httpDone|httpRaw && h.isHead():
		return nil // the rest of what would go to GET, see writeRaw
	case h.flags&httpDone != 0:
		return callbacks.ErrAnswered
	case h.flags&httpStarted == 0 || h.flags&httpRaw != 0:
		return h.writeRaw(s, p, final)
	case h.flags&httpBodyless != 0:
		return h.skip(s, p, final)
	case h.flags&httpChunked != 0:
		return h.writeChunk(s, p, final)
	}
	return h.writeCounted(s, p, final)
}

// skip takes a piece of a body that is not sent. It counts it, so that the answer
// to HEAD ends where that to GET would, and the program need not know.
func (h *httpRole) skip(s *session, p []byte, final bool) error {
	if h.left >= 0 && int64(len(p)) > h.left {
		return callbacks.ErrTooLong
	}
	if h.left >= 0 {
		h.left -= int64(len(p))
	}
	if h.left == 0 || final {
		h.finish(s)
	}
	return nil
}

func (h *httpRole) writeChunk(s *session, p []byte, final bool) error {
	if err := s.room(len(p) + len(h.behind) + headRoom); err != nil {
		return err
	}
	if len(p) >= largeWrite {
		s.commitWith(http1.AppendChunkSize(s.begin(), int64(len(p))), p)
		s.commit(append(s.begin(), "\r\n"...))
	} else if len(p) > 0 {
		s.commit(http1.AppendChunk(s.begin(), p))
	}
	h.sent += int64(len(p))
	if final {
		s.commit(http1.AppendEnd(append(append(s.begin(), "0\r\n"...), h.behind...)))
		h.finish(s)
	}
	return nil
}

// writeCounted sends a piece of a body with a Content-Length, or of one that ends
// with the connection.
func (h *httpRole) writeCounted(s *session, p []byte, final bool) error {
	if h.left >= 0 && int64(len(p)) > h.left {
		return callbacks.ErrTooLong
	}
	if err := s.room(len(p)); err != nil {
		return err
	}
	s.appendBytes(p)
	h.sent += int64(len(p))
	if h.left >= 0 {
		h.left -= int64(len(p))
	}
	switch {
	case h.left == 0 || h.left < 0 && final:
		h.finish(s)
	case final: // only closing tells the client
		s.shut(callbacks.ErrTooShort)
		return callbacks.ErrTooShort
	}
	return nil
}

// appendBytes sends p as it is.
func (s *session) appendBytes(p []byte) {
	if len(p) >= largeWrite {
		s.commitWith(s.begin(), p)
	} else {
		s.commit(append(s.begin(), p...))
	}
}

// finish notes that the response is complete. The transaction ends when the
// callback in hand has returned, or after the event if there is none.
func (h *httpRole) finish(s *session) {
	h.flags |= httpDone
	if h.flags&httpCalling == 0 {
		s.later()
	}
}

// rawResponse follows a response that the program writes itself, so that the
// engine knows where it ends and whether the connection goes on.
type rawResponse struct {
	head []byte // what there is of an incomplete head
	resp http1.Response
	body http1.Body
	data int64 // of the body, so far
}

// writeRaw sends bytes of a raw response. What goes beyond its end, as its head
// and the request's method tell it, is not sent.
func (h *httpRole) writeRaw(s *session, p []byte, final bool) error {
	if err := s.room(len(p)); err != nil {
		return err
	}
	if h.raw == nil {
		h.raw = new(rawResponse)
		h.flags |= httpRaw
	}
	body, err := h.rawHead(s, p)
	if err != nil {
		h.raw, h.flags = nil, h.flags&^httpRaw
		return err
	}
	if h.flags&httpStarted == 0 {
		return nil // until the head is complete, nobody knows that it is one
	}
	n, done, err := h.raw.follow(body, final)
	if err != nil {
		return err
	}
	h.sent = h.raw.data
	s.appendBytes(body[:n])
	if done {
		h.finish(s)
	} else if final {
		s.shut(callbacks.ErrTooShort)
		return callbacks.ErrTooShort
	}
	if n < len(body) && h.req != nil && !h.isHead() {
		return callbacks.ErrTooLong
	}
	return nil
}

// rawHead sends the head once it is complete, interim responses before it, and
// returns what p has behind it.
func (h *httpRole) rawHead(s *session, p []byte) (body []byte, err error) {
	if h.flags&httpStarted != 0 {
		return p, nil
	}
	w := h.raw
	w.head = append(w.head, p...)
	for {
		n, err := http1.ParseResponse(w.head, &w.resp, nil)
		if err != nil {
			return nil, http1.NewError(500, "the program's response is malformed: "+err.Error())
		}
		if n == 0 {
			return nil, nil
		}
		status := w.resp.Status()
		if status >= 200 {
			if err := h.rawStart(s); err != nil {
				return nil, err
			}
		}
		if status >= 200 || h.rawInterim(s, status) {
			s.commit(append(s.begin(), w.head[:n]...))
		}
		w.head = w.head[n:]
		switch {
		case status >= 200:
			return w.head, nil
		case status == 101:
			return nil, http1.NewError(500, "the program's response switches protocols")
		}
		w.resp.Reset()
	}
}

// rawInterim tells whether an interim response of the program's is sent.
func (h *httpRole) rawInterim(s *session, status int) bool {
	if status == 100 && h.flags&httpAwaited != 0 {
		h.continued(s)
		return true
	}
	return status > 101 && h.req.Minor() > 0
}

// rawStart notes what the program's head says about framing and the connection.
func (h *httpRole) rawStart(s *session) error {
	w := h.raw
	framing, err := w.resp.Framing(string(h.req.Method()))
	if err != nil {
		return err
	}
	h.flags |= httpStarted
	h.answer = w.resp.Status()
	h.continueFor(s, h.answer, framing.Length)
	h.head, h.epoch = len(s.begin()), s.l.cork.epoch
	h.answer, h.sent = w.resp.Status(), 0
	if !w.resp.KeepAlive() || framing.Kind == http1.UntilClose {
		h.flags &^= httpReusable
	}
	w.body.Start(framing, nil)
	return nil
}

// follow reads the body through p and returns how much of p belongs to it.
func (w *rawResponse) follow(p []byte, final bool) (used int, done bool, err error) {
	for {
		n, data, done, err := w.body.Next(p[used:])
		used += n
		w.data += int64(len(data))
		if err != nil || done {
			return used, done, err
		}
		if used == len(p) {
			return used, final && w.body.EOF() == nil, nil
		}
	}
}

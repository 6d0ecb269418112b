package engine

import (
	"net/http"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// This is the loop's side of a handler's answer; reply is the worker's. The worker has
// decided about framing, the loop writes it.

// replyHead is a response's head as the worker leaves it.
type replyHead struct {
	status      int // 0 if there is none
	fields      int // so many bytes of them are in front of the body
	length      int64
	contentType string // if net/http would have guessed it, else it is among the fields
	connection  string // what the handler says besides close
	framing     replyFraming
	dated       bool // there is a Date among the fields, or shall be none
	close       bool
}

// replyFraming is how the end of a response's body is told.
type replyFraming uint8

const (
	framedNot   replyFraming = iota // there is no body
	framedCount                     // Content-Length
	framedChunks
	framedClose
)

// transmit writes what the letter brings of the answer.
func (x *handling) transmit(h *httpRole, d *parcel) error {
	var b []byte
	if d.out != nil {
		b = d.out.B
	}
	last := d.wants&wantEnd != 0
	if last {
		x.giveUpBody(h)
	}
	if len(d.interim) > 0 {
		if err := x.s.room(len(d.interim)); err != nil {
			return err
		}
		x.s.appendBytes(d.interim)
	}
	if d.head.status != 0 {
		if err := x.s.room(len(b) + h.headRoom(x.s)); err != nil {
			return err
		}
		h.startReply(x.s, &d.head, b[:d.head.fields])
		b = b[d.head.fields:]
	}
	if len(d.behind) > 0 {
		h.behind = append(h.behind[:0], d.behind...)
	}
	if len(b) == 0 && !last {
		return nil
	}
	return h.replyPiece(x.s, b, last)
}

// startReply writes a head.
func (h *httpRole) startReply(s *session, r *replyHead, fields []byte) {
	h.flags |= httpStarted
	h.answer, h.left = r.status, -1
	if r.close {
		h.flags &^= httpReusable
	}
	b := s.begin()
	h.head, h.epoch = len(b), s.l.cork.epoch
	b = http1.AppendStatusLine(b, r.status)
	if !r.dated {
		b = s.l.appendDate(b)
	}
	if r.contentType != "" {
		b = http1.AppendField(b, "Content-Type", r.contentType)
	}
	b = h.frameReply(b, r)
	b = h.connectReply(b, r)
	b = h.defaults(s).append(b, fields)
	b = append(b, fields...)
	s.commit(http1.AppendEnd(b))
}

func (h *httpRole) frameReply(b []byte, r *replyHead) []byte {
	switch r.framing {
	case framedNot:
		h.flags |= httpBodyless
		if r.length < 0 {
			return b
		}
		h.left = r.length
		return http1.AppendContentLength(b, r.length)
	case framedCount:
		h.left = r.length
		return http1.AppendContentLength(b, r.length)
	case framedChunks:
		h.flags |= httpChunked
		return append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	h.flags &^= httpReusable
	return b
}

// connectReply says what the handler says about the connection, and what has to be said.
func (h *httpRole) connectReply(b []byte, r *replyHead) []byte {
	if r.connection == "" {
		return h.appendConnection(b)
	}
	if r.status == http.StatusSwitchingProtocols {
		h.flags &^= httpReusable // unless it is hijacked, there is nothing behind
		return http1.AppendField(b, "Connection", r.connection)
	}
	own := len(b)
	b = h.appendConnection(b)
	if len(b) == own || h.flags&httpReusable != 0 {
		b = http1.AppendField(b[:own], "Connection", r.connection)
	}
	return b
}

// replyPiece writes a piece of the body. A response of known length does not end with
// its last byte but with its handler.
func (h *httpRole) replyPiece(s *session, p []byte, last bool) error {
	switch {
	case h.flags&httpChunked != 0:
		return h.writeChunk(s, p, last)
	case h.flags&httpBodyless != 0:
	case h.left >= 0 && int64(len(p)) > h.left:
		return callbacks.ErrTooLong // the reply counts, too: it would be taken for the next response
	case len(p) > 0:
		if err := s.room(len(p)); err != nil {
			return err
		}
		s.appendBytes(p)
		h.sent += int64(len(p))
		if h.left >= 0 {
			h.left -= int64(len(p))
		}
	}
	switch {
	case !last:
	case h.left > 0 && h.flags&httpBodyless == 0: // only closing tells the client
		s.shut(callbacks.ErrTooShort)
	default:
		h.finish(s)
	}
	return nil
}

// giveUpBody follows the end of the handler. What it has left of the body is read and
// forgotten if that is worth the connection.
func (x *handling) giveUpBody(h *httpRole) {
	if h.phase != phaseBody {
		return
	}
	if f := h.req.Framing(); f.Kind == http1.ContentLength && f.Length-h.taken > drainMost {
		h.flags &^= httpReusable
	}
	h.wanted = h.taken // drainMost counts from here
	x.s.unpause(pauseService)
}

package engine

import (
	"cmp"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// permessage-deflate (RFC 7692) in four steps:
//
//	extension, offer   what is agreed on in the handshake, the server's and the client's side
//	inflated           a message that came compressed, between Reader and program; see ws_inflate.go
//	deflated           a message that leaves, between program and frame
//
// Compressor, Inflater and buffers are the loop's. A session has a pointer to what
// was agreed, and more only while a message is on its way in pieces, or with
// takeover, which is about remembering.

// agreement is what the two ends of a WebSocket have agreed on. Sessions of a loop
// that agreed on the same share one.
type agreement struct {
	terms
	in, out deflate.Direction
	text    string // as in the server's response
}

// terms are what tells agreements apart.
type terms struct {
	side             ws.Side
	level, threshold int
	params           deflate.Params
}

// deflating is what compression holds for one session.
type deflating struct {
	received, sent deflate.History
	stream         deflate.Stream
	text           ws.Validator // of the message that is being received in pieces
	receiving      bool         // a compressed message has begun and not ended
	begun          bool         // some of it was delivered
	sending        bool         // the message that is being sent in pieces is compressed
	turn           *turn        // the long message that is being inflated
}

// agree finds or makes the agreement.
func (l *loop) agree(side ws.Side, cfg *deflate.Config, p deflate.Params) *agreement {
	key := terms{side, cmp.Or(cfg.Level, deflate.DefaultLevel), cfg.Threshold, p}
	a := l.agreements[key]
	if a == nil {
		other := ws.Client
		if side == ws.Client {
			other = ws.Server
		}
		a = &agreement{terms: key, in: p.From(other), out: p.From(side), text: string(p.AppendResponse(nil))}
		if len(l.agreements) < freeKeep {
			l.agreements[key] = a
		}
	}
	return a
}

// extension answers the client's offers: with an agreement, with none, or with an
// error for a field that is malformed (RFC 6455 9.1).
func (h *httpRole) extension(s *session) (*agreement, error) {
	f := h.req.Header()
	if f.Count("Sec-WebSocket-Extensions") == 0 {
		return nil, nil
	}
	cfg := s.proto.Deflate
	if cfg == nil {
		cfg = &deflate.Config{} // to look at the field
	}
	p, ok, err := cfg.Accept(f.Values("Sec-WebSocket-Extensions"))
	if err != nil {
		return nil, &http1.Error{Status: 400, Text: "Sec-WebSocket-Extensions is malformed", Remote: true}
	}
	if !ok || s.proto.Deflate == nil || s.tell(callbacks.ConfirmExtensionOkay, []byte(deflate.Name)) != nil {
		return nil, nil
	}
	return s.l.agree(ws.Server, cfg, p), nil
}

// offer asks the program what to offer, and appends the field.
func (d *dialRole) offer(s *session, b []byte) ([]byte, error) {
	d.offered = nil
	if s.proto.Deflate == nil || s.tell(callbacks.ClientConfirmExtensionSupported, []byte(deflate.Name)) != nil || s.state != stateOpen {
		return b, nil
	}
	cfg := *s.proto.Deflate
	s.l.handshake = handshake{s: s, deflate: &cfg}
	err := s.tell(callbacks.WSExtDefaults, []byte(deflate.Name))
	s.l.handshake = handshake{}
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return b, err
	}
	d.offered = &cfg
	b = append(b, "Sec-WebSocket-Extensions: "...)
	return append(cfg.AppendOffer(b), "\r\n"...), nil
}

// extension holds the server's answer against what was offered.
func (d *dialRole) extension(s *session) (*agreement, error) {
	f := d.resp.Header()
	if d.offered == nil {
		if f.Count("Sec-WebSocket-Extensions") > 0 {
			return nil, &HandshakeError{Status: d.resp.Status(), Text: "the server chose an extension that was not offered"}
		}
		return nil, nil
	}
	p, ok, err := d.offered.Confirm(f.Values("Sec-WebSocket-Extensions"))
	if err != nil {
		return nil, &HandshakeError{Status: d.resp.Status(), Text: "the answer to the offer of an extension", Err: err}
	}
	if !ok {
		return nil, nil
	}
	return s.l.agree(ws.Client, d.offered, p), nil
}

// agreed is what was agreed on, nil for nothing.
func (w *wsRole) agreed() *agreement {
	if w.more == nil {
		return nil
	}
	return w.more.agreed
}

// compresses makes w compress by a.
func (w *wsRole) compresses(a *agreement) {
	w.extend().agreed = a
	w.reader.Compression = true
}

// deflating returns what compression holds for w; it has something to hold.
func (w *wsRole) deflating() *deflating {
	m := w.extend()
	if m.deflating == nil {
		m.deflating = new(deflating)
	}
	return m.deflating
}

// rest drops what nothing is needed of until the next message.
func (w *wsRole) rest(a *agreement) {
	d := w.more.deflating
	if d != nil && !a.in.Takeover && !a.out.Takeover && !d.sending && !d.receiving && d.turn == nil {
		w.more.deflating = nil
	}
}

// forget drops what only makes messages smaller, of a session that has been silent for
// so long that its peer is asked whether it is there. What the peer may refer to stays.
func (w *wsRole) forget() {
	a := w.agreed()
	if a == nil || w.more.deflating == nil || w.more.deflating.sending {
		return
	}
	w.more.deflating.sent.Release()
	if d := w.more.deflating; !a.in.Takeover && !d.receiving && d.turn == nil {
		w.more.deflating = nil
	}
}

// received is the history of what comes in; nil if there is nothing to remember.
func (w *wsRole) received(a *agreement) *deflate.History {
	if !a.in.Takeover {
		return nil
	}
	return &w.deflating().received
}

// deflated returns p as it goes into its frame, and whether that has RSV1. What it
// returns is the loop's, and has to be sent: with takeover the peer will be
// expected to know it.
func (w *wsRole) deflated(s *session, p []byte, kind callbacks.Kind) (out []byte, rsv1 bool) {
	a, l := w.more.agreed, s.l
	whole := kind.Fin() && kind.Base() != callbacks.WriteContinuation
	if whole {
		if kind&callbacks.Uncompressed != 0 || !a.worth(len(p)) {
			return p, false
		}
		var h *deflate.History
		if a.out.Takeover {
			h = &w.deflating().sent
		}
		out, rsv1 = l.compressor(a.level).AppendSmaller(l.deflated[:0], p, a.out, h)
		if !rsv1 {
			return p, false
		}
		l.keepDeflated(out)
		return out, true
	}
	d := w.deflating()
	if first := kind.Base() != callbacks.WriteContinuation; first {
		d.sending = kind&callbacks.Uncompressed == 0
		rsv1 = d.sending
	}
	if d.sending {
		p = l.compressor(a.level).Append(l.deflated[:0], p, kind.Fin(), a.out, &d.sent)
		l.keepDeflated(p)
		d.sending = !kind.Fin()
	}
	w.rest(a)
	return p, rsv1
}

// grown is how long n bytes can become by being sent in a compressed message.
func grown(n int) int { return n + n/8 + 64 }

func (a *agreement) worth(n int) bool {
	cfg := deflate.Config{Threshold: a.threshold}
	return cfg.Worth(n, a.out)
}

func (l *loop) keepDeflated(b []byte) {
	l.deflated = scratch(b)
}

// compressor is the loop's for a level.
func (l *loop) compressor(level int) *deflate.Compressor {
	if l.compressors[level] == nil {
		l.compressors[level] = &deflate.Compressor{Level: level}
	}
	return l.compressors[level]
}

package engine

import (
	"strings"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/http1/content"
)

// found answers with r, which t holds from here on.
func (t *transfer) found(r *resource) {
	t.r = r
	switch {
	case t.h.flags&httpStarted != 0: // the program has changed its mind
		t.end()
	case len(r.plan.files) > 0:
		t.choose()
	case r.plan.status == 301:
		_ = t.h.addHeader("Location", t.want.location(t.m.prefix, t.h.req.Query()))
		t.fail(301, nil)
	case r.plan.status == 200:
		t.h.flags |= httpHeld
		t.off(t.listing, t.listed)
	default:
		t.fail(r.plan.status, nil)
	}
}

// choose picks the representation, which may have to be made.
func (t *transfer) choose() {
	r := t.r
	ranged := t.reads() && t.h.req.Header().Count("Range") > 0
	t.rep = r.reps[len(r.reps)-1]
	if !r.varies || t.h.req.Header().Count("Accept-Encoding") == 0 {
		t.answer(ranged)
		return
	}
	var room [6]string
	offers := room[:0]
	for _, p := range r.reps[:len(r.reps)-1] {
		offers = append(offers, p.coding)
	}
	if r.compress && !ranged {
		offers = append(offers, makings[:]...)
	}
	i := content.Choose(t.field("Accept-Encoding"), append(offers, "identity")...)
	switch {
	case i < 0:
		t.h.extra = append(t.h.extra, varyByCoding...)
		t.fail(406, nil)
	case i < len(r.reps)-1:
		t.rep = r.reps[i]
		t.answer(ranged)
	case i < len(offers):
		t.make(i - (len(r.reps) - 1))
	default:
		t.answer(ranged)
	}
}

// make goes on with the representation that is made the nth way.
func (t *transfer) make(nth int) {
	if p := t.r.made[nth].Load(); p != nil {
		t.rep = p
		t.answer(false)
		return
	}
	t.h.flags |= httpHeld
	m, r := t.m, t.r
	if !t.join(t.s.l.e.compressors, flightKey{of: r, nth: nth}, func() landing { return m.compress(r, nth) }, t.compressed) {
		t.answer(false) // better long than not at all
	}
}

// compressed goes on with what was made.
func (t *transfer) compressed() {
	if t.err != nil {
		t.fail(statusOfFile(t.err), t.err)
		return
	}
	t.rep = t.made
	t.answer(false)
}

// reads tells GET and HEAD, for which 304 is and no other method.
func (t *transfer) reads() bool {
	m := t.h.req.Method()
	return string(m) == "GET" || string(m) == "HEAD"
}

// field is a request's field, its lines joined.
func (t *transfer) field(name string) string {
	header := t.h.req.Header()
	if header.Count(name) <= 1 {
		v, _ := header.Get(name)
		return string(v)
	}
	var all []string
	for v := range header.Values(name) {
		all = append(all, string(v))
	}
	return strings.Join(all, ", ")
}

// answer asks the conditions and begins the response.
func (t *transfer) answer(ranged bool) {
	c := content.Conditions{IfMatch: t.field("If-Match"), IfNoneMatch: t.field("If-None-Match"),
		IfModifiedSince: t.field("If-Modified-Since"), IfUnmodifiedSince: t.field("If-Unmodified-Since")}
	h, p := t.h, t.rep
	switch c.Evaluate(t.reads(), p.v) {
	case content.NotModified:
		h.extra = append(h.extra, p.fields...)
		t.respond(304, "", nil)
		return
	case content.PreconditionFailed:
		t.fail(412, nil)
		return
	}
	// Only GET has ranges (RFC 9110 14.2).
	if !ranged || p.made || h.isHead() || !t.reads() {
		t.whole()
		return
	}
	if c.IfRange = t.field("If-Range"); c.IfRange != "" {
		if !c.RangeHolds(p.v) {
			t.whole()
			return
		}
	}
	var room [4]content.Range
	list, verdict := content.ParseRanges(room[:0], t.field("Range"), p.size)
	switch {
	case verdict == content.RangeUnsatisfiable:
		h.extra = append(h.extra, "Content-Range: bytes */"...)
		h.extra = append(appendInt(h.extra, p.size), "\r\n"...)
		t.fail(416, nil)
	case verdict == content.RangeIgnored || !p.reaches(list):
		t.whole()
	case len(list) == 1:
		t.part(list[0])
	default:
		t.multipart(list)
	}
}

// reaches tells whether the ranges can be read at reasonable cost: in what can only be
// read from its beginning, each one that lies before its predecessor is a new beginning.
func (p *representation) reaches(list []content.Range) bool {
	if p.data != nil || p.at != nil || p.seeks {
		return true
	}
	skipped, pos := int64(0), int64(0)
	for _, r := range list {
		if r.Start < pos {
			pos = 0
		}
		skipped += r.Start - pos
		pos = r.Start + r.Length
	}
	return skipped <= skipMost
}

// respond sends a response that is short or has no body, and ends.
func (t *transfer) respond(status int, contentType string, body []byte) {
	h, s := t.h, t.s
	t.end()
	h.called(s, h.respond(s, status, contentType, body))
}

// whole begins 200.
func (t *transfer) whole() {
	h, p := t.h, t.rep
	h.extra = append(append(h.extra, p.fields...), p.coded...)
	t.begin(200, t.r.kind, p.size, filePiece{span: content.Range{Length: p.size}})
}

// part begins 206 with one range (RFC 9110 15.3.7.1).
func (t *transfer) part(r content.Range) {
	h, p := t.h, t.rep
	h.extra = append(append(h.extra, p.fields...), p.coded...)
	h.extra = append(content.AppendContentRange(append(h.extra, "Content-Range: "...), r, p.size), "\r\n"...)
	t.begin(206, t.r.kind, r.Length, filePiece{span: r})
}

// multipart begins 206 with several (RFC 9110 15.3.7.2).
func (t *transfer) multipart(list []content.Range) {
	h, p := t.h, t.rep
	boundary := t.boundary()
	pieces, length := make([]filePiece, 0, len(list)+1), int64(0)
	for i, r := range list {
		var b []byte
		if i > 0 {
			b = append(b, "\r\n"...)
		}
		b = append(append(append(b, "--"...), boundary...), "\r\n"...)
		b = http1.AppendField(b, "Content-Type", t.r.kind)
		b = append(content.AppendContentRange(append(b, "Content-Range: "...), r, p.size), "\r\n\r\n"...)
		pieces = append(pieces, filePiece{b, r})
		length += int64(len(b)) + r.Length
	}
	tail := []byte("\r\n--" + boundary + "--\r\n")
	pieces = append(pieces, filePiece{head: tail})
	h.extra = append(append(h.extra, p.fields...), p.coded...)
	t.begin(206, "multipart/byteranges; boundary="+boundary, length+int64(len(tail)), pieces...)
}

// begin starts the response and sends what there is to send.
func (t *transfer) begin(status int, contentType string, length int64, pieces ...filePiece) {
	h, s, p := t.h, t.s, t.rep
	first := pieces[0]
	if len(pieces) == 1 && p.data != nil && length <= readFile && !h.isHead() {
		t.end()
		if err := h.respond(s, status, contentType, p.data[first.span.Start:][:length]); err != nil {
			h.called(s, err)
			return
		}
		h.called(s, s.tell(callbacks.HTTPFileCompletion, nil))
		return
	}
	err := h.start(s, status, contentType, length)
	switch {
	case err != nil:
		t.end()
		h.called(s, err)
	case h.isHead():
		t.end()
		if h.flags&httpDone == 0 {
			h.finish(s)
		}
	case h.flags&httpDone != 0: // there is nothing in it
		t.complete()
	default:
		h.flags |= httpHeld
		t.pieces = pieces
		t.send()
	}
}

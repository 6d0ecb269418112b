package engine

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-go/penstock/codec/http1"
)

// headerFacts is what snapshot has seen in a handler's header besides fields to send.
type headerFacts uint8

const (
	sawType     headerFacts = 1 << iota // Content-Type, also an empty list of values
	sawEncoding                         // Content-Encoding that says something
	sawTransfer                         // Transfer-Encoding, chunked
	sawIdentity                         // Transfer-Encoding: identity, net/http's word for no chunks
	sawTrailers                         // fields will come behind the body
)

// bodyAllowed tells whether a response with this status may have a body.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// snapshot takes the header as it is now: as the lines that will be sent, in order, but
// for the fields about framing and the connection, which it takes note of.
func (w *reply) snapshot() {
	b := w.buffer()
	var few [12]string
	for _, name := range sortedNames(w.header, few[:0]) {
		values := w.header[name]
		if w.special(name, values) {
			continue
		}
		for _, v := range values {
			b.B = appendClean(b.B, name, v)
		}
	}
	w.head.fields = len(b.B)
}

func sortedNames(h http.Header, list []string) []string {
	for name := range h {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// special takes note of a field that is not sent as it stands, and of what others say.
func (w *reply) special(name string, values []string) (kept bool) {
	first := ""
	if len(values) > 0 {
		first = values[0]
	}
	switch name {
	case "Content-Length":
		w.declare(first)
		return true
	case "Transfer-Encoding":
		if w.seen |= sawTransfer; first == "identity" {
			w.seen |= sawIdentity
		}
		return true
	case "Connection":
		w.connect(values)
		return true
	case "Content-Type":
		w.seen |= sawType
		return w.head.status == http.StatusNotModified
	case "Content-Encoding":
		if first != "" {
			w.seen |= sawEncoding
		}
	case "Date":
		w.head.dated = true
	case "Trailer":
		w.announce(values)
	}
	if strings.HasPrefix(name, http.TrailerPrefix) {
		w.seen |= sawTrailers
		return true
	}
	return false
}

func (w *reply) declare(v string) {
	if v == "" {
		return
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		w.complain("invalid Content-Length " + strconv.Quote(v))
		return
	}
	w.declared = n
}

// connect reads Connection: close is acted upon, the rest is passed on.
func (w *reply) connect(values []string) {
	for _, list := range values {
		for token := range strings.SplitSeq(list, ",") {
			token = strings.TrimSpace(token)
			switch {
			case strings.EqualFold(token, "close"):
				w.head.close = true
			case token != "" && http1.ValidName(token) && !strings.EqualFold(token, "keep-alive"):
				if w.head.connection != "" {
					w.head.connection += ", "
				}
				w.head.connection += token
			}
		}
	}
}

// announce takes note of the trailers that Trailer names.
func (w *reply) announce(values []string) {
	w.seen |= sawTrailers
	for _, list := range values {
		for name := range strings.SplitSeq(list, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); http1.ValidTrailer(name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
}

// settle decides about framing, and about what the body says of itself, when the first
// of it leaves. If the handler has returned, that is all of it.
func (w *reply) settle(all bool) {
	r := &w.head
	var body []byte
	if w.buf != nil {
		body = w.buf.B[r.fields:]
	}
	if bodyAllowed(r.status) && w.seen&(sawType|sawEncoding|sawTransfer) == 0 && len(body) > 0 {
		r.contentType = http.DetectContentType(body)
	}
	r.length = w.declared
	switch {
	case w.flags&replyTunnel != 0 && r.status/100 == 2: // RFC 9110 9.3.6: there is no body, and no tunnel
		r.length, r.framing, r.close = -1, framedNot, true
	case !bodyAllowed(r.status):
		r.length, r.framing = -1, framedNot
	case w.flags&replyIsHead != 0:
		if r.framing = framedNot; all && r.length < 0 && w.written > 0 && w.written <= replyBuffer && w.seen&(sawTransfer|sawTrailers) == 0 {
			r.length = w.written
		}
	case w.seen&sawIdentity != 0 && r.length < 0:
		r.framing, r.close = framedClose, true
	case r.length >= 0:
		r.framing = framedCount
	case all && w.seen&(sawTransfer|sawTrailers) == 0:
		r.framing, r.length = framedCount, int64(len(body))
	case w.flags&replyOld != 0:
		r.framing, r.close = framedClose, true
	default:
		r.framing = framedChunks
	}
	if r.framing == framedNot && w.buf != nil {
		w.buf.B = w.buf.B[:r.fields]
	}
}

// trailer returns the fields behind the body: those that were announced, and those
// whose names have the prefix.
func (w *reply) trailer() (b []byte) {
	if w.seen&sawTrailers == 0 && !hasPrefixed(w.header) {
		return nil
	}
	for _, name := range w.trailers {
		for _, v := range w.header[name] {
			b = appendClean(b, name, v)
		}
	}
	for _, key := range sortedNames(w.header, nil) {
		name, ok := strings.CutPrefix(key, http.TrailerPrefix)
		if !ok || !http1.ValidTrailer(name) {
			continue
		}
		for _, v := range w.header[key] {
			b = appendClean(b, name, v)
		}
	}
	return b
}

func hasPrefixed(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// appendClean appends a field if its name is one. Bytes that must not be in its value
// (RFC 9110 5.5), line ends above all, become spaces.
func appendClean(b []byte, name, value string) []byte {
	if !http1.ValidName(name) {
		return b
	}
	value = strings.Trim(value, " \t\r\n")
	if http1.ValidValue(value) {
		return http1.AppendField(b, name, value)
	}
	clean := []byte(value)
	for i, c := range clean {
		if c < ' ' && c != '\t' || c == 0x7f {
			clean[i] = ' '
		}
	}
	return http1.AppendField(b, name, string(clean))
}

// interim sends a response before the answer, with the header as it is now. A client of
// HTTP/1.0 has never heard of such.
func (w *reply) interim(status int) {
	if status == http.StatusContinue {
		w.expected.Store(false)
	}
	if w.flags&replyOld != 0 {
		return
	}
	b := http1.AppendStatusLine(nil, status)
	for _, name := range sortedNames(w.header, nil) {
		switch name {
		case "Content-Length", "Transfer-Encoding":
			continue
		}
		for _, v := range w.header[name] {
			b = appendClean(b, name, v)
		}
	}
	b = http1.AppendEnd(b)
	x := w.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.roomForInterim(len(b)) != nil {
		return // the next Write says so
	}
	x.interim = append(x.interim, b...)
	if status == http.StatusContinue {
		x.wants |= wantContinued
	}
	x.post()
}

// roomForInterim waits as Write does: until the client has read of what there is for it.
// An interim response that is longer than what may wait goes alone. Under mu.
func (x *handling) roomForInterim(n int) error {
	for {
		if _, err := x.room(); err != nil {
			return err
		}
		if len(x.interim) == 0 || len(x.interim)+n <= x.most {
			return nil
		}
		x.canWrite.Wait()
	}
}

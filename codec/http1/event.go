package http1

import (
	"strconv"
	"strings"
	"time"
)

// EventStream is the Content-Type of a stream of server-sent events.
const EventStream = "text/event-stream"

// Event is a server-sent event (WHATWG HTML 9.2), as a browser's EventSource
// receives it.
type Event struct {
	// ID is what the client sends as Last-Event-ID when it comes back; "" leaves the
	// one before.
	ID string
	// Name is the event's type, for which the page has a listener; "" is "message".
	Name string
	// Data is the text. Its line ends, CR, LF or CRLF, all arrive as LF.
	Data string
	// Retry is how long the client waits before it connects again; 0 leaves it as it
	// is.
	Retry time.Duration
}

// ErrEvent is the answer to an Event whose ID or Name has a line end or a NUL in it:
// it would be another event, or none.
var ErrEvent = NewError(500, "line end or NUL in an event's ID or name")

// AppendEvent appends e. An event with neither Name nor Data is not dispatched: it only
// sets the ID and Retry. After ErrEvent dst is as it was.
func AppendEvent(dst []byte, e *Event) ([]byte, error) {
	const broken = "\r\n\x00"
	if strings.ContainsAny(e.ID, broken) || strings.ContainsAny(e.Name, broken) {
		return dst, ErrEvent
	}
	if e.ID != "" {
		dst = appendEventLine(dst, "id: ", e.ID)
	}
	if e.Name != "" {
		dst = appendEventLine(dst, "event: ", e.Name)
	}
	if e.Retry > 0 {
		dst = strconv.AppendInt(append(dst, "retry: "...), int64(max(e.Retry.Milliseconds(), 1)), 10)
		dst = append(dst, '\n')
	}
	if e.Data != "" || e.Name != "" {
		dst = appendEventLines(dst, "data: ", e.Data)
	}
	return append(dst, '\n'), nil
}

// AppendEventComment appends text that the client ignores. One every 15 s or so keeps
// proxies from taking a quiet stream for a dead one, and tells the server when it is.
func AppendEventComment(dst []byte, text string) []byte {
	return appendEventLines(dst, ": ", text)
}

// appendEventLines appends each line of text behind mark.
func appendEventLines(dst []byte, mark, text string) []byte {
	for {
		i := strings.IndexAny(text, "\r\n")
		if i < 0 {
			return appendEventLine(dst, mark, text)
		}
		dst = appendEventLine(dst, mark, text[:i])
		if strings.HasPrefix(text[i:], "\r\n") {
			i++
		}
		text = text[i+1:]
	}
}

func appendEventLine(dst []byte, mark, line string) []byte {
	return append(append(append(dst, mark...), line...), '\n')
}

package engine

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"strconv"
	"sync"
)

// CombinedLog returns a Vhost.AccessLog that writes a line for each request to w, in the
// combined format of NCSA's and Apache's servers:
//
//	192.0.2.1 - ann [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 2326 "http://ref/" "agent/1.0"
//
// What is not known is "-". Nothing that a client sends can end a field or a line:
// quotes and backslashes have a backslash in front, control characters and what is not
// ASCII are \xhh, and in names of users spaces are too. Each line is one Write, from any
// loop: w must not block, which a LogWriter does not.
func CombinedLog(w io.Writer) func(*AccessEntry) {
	lines := sync.Pool{New: func() any { return new([]byte) }}
	return func(e *AccessEntry) {
		line := lines.Get().(*[]byte)
		*line = e.AppendCombined((*line)[:0])
		_, _ = w.Write(*line)
		lines.Put(line)
	}
}

// AppendCombined appends what CombinedLog writes, with its line feed.
func (e *AccessEntry) AppendCombined(b []byte) []byte {
	if e.Remote.IsValid() {
		b = e.Remote.Addr().Unmap().AppendTo(b)
	} else {
		b = append(b, '-')
	}
	b = append(b, " - "...)
	b = appendLogged(b, e.User, ' ')
	b = append(b, " ["...)
	b = e.Time.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, "] \""...)
	if len(e.Method) > 0 {
		b = appendLogged(b, e.Method, '"')
		b = append(b, ' ')
		b = appendLogged(b, e.Target, '"')
		b = append(b, " HTTP/1."...)
		b = strconv.AppendInt(b, int64(e.Minor), 10)
	} else {
		b = append(b, '-')
	}
	b = append(b, "\" "...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, e.Bytes, 10)
	b = append(b, " \""...)
	b = appendLogged(b, e.Referer, '"')
	b = append(b, "\" \""...)
	b = appendLogged(b, e.UserAgent, '"')
	return append(b, "\"\n"...)
}

// appendLogged appends a field that end ends.
func appendLogged(b, text []byte, end byte) []byte {
	const hex = "0123456789abcdef"
	if len(text) == 0 {
		return append(b, '-')
	}
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c > '~' || c == end:
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}

// JSONLog returns a Vhost.AccessLog that writes a line of JSON for each request to w, by
// log/slog: AccessEntry.LogAttrs with time, level and the message "request". w is as for
// CombinedLog.
func JSONLog(w io.Writer) func(*AccessEntry) {
	return HandlerLog(slog.NewJSONHandler(w, nil))
}

// HandlerLog returns a Vhost.AccessLog for a slog.Handler, which must not block and not
// keep what it is given: the record's time is that of the request.
func HandlerLog(h slog.Handler) func(*AccessEntry) {
	ctx := context.Background()
	return func(e *AccessEntry) {
		if !h.Enabled(ctx, slog.LevelInfo) {
			return
		}
		r := slog.NewRecord(e.Time, slog.LevelInfo, "request", 0)
		r.AddAttrs(e.LogAttrs()...)
		_ = h.Handle(ctx, r)
	}
}

// LogAttrs are the entry's fields for log/slog, as copies. Those that are not known are
// left out.
func (e *AccessEntry) LogAttrs() []slog.Attr {
	list := make([]slog.Attr, 0, 16)
	list = append(list, slog.Uint64("session", e.Session))
	text := func(key, value string) {
		if value != "" {
			list = append(list, slog.String(key, value))
		}
	}
	text("vhost", e.Vhost)
	if e.Remote.IsValid() {
		text("remote", e.Remote.String())
	}
	text("user", string(e.User))
	text("method", string(e.Method))
	text("target", string(e.Target))
	if len(e.Method) > 0 {
		text("proto", "HTTP/1."+strconv.Itoa(e.Minor))
	}
	text("host", string(e.Host))
	list = append(list, slog.Int("status", e.Status), slog.Int64("bytes", e.Bytes))
	list = append(list, slog.Float64("duration_ms", float64(e.Duration.Microseconds())/1000))
	text("referer", string(e.Referer))
	text("agent", string(e.UserAgent))
	if e.TLS != 0 {
		text("tls", tls.VersionName(e.TLS))
	}
	return list
}

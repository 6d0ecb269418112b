package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// entry is one with everything.
func entry() *AccessEntry {
	return &AccessEntry{
		Time: time.Date(2026, 10, 10, 13, 55, 36, 0, time.FixedZone("", -7*3600)), Duration: 1234567 * time.Nanosecond, Session: 7, Vhost: "site.test",
		Remote: netip.MustParseAddrPort("192.0.2.1:1234"), TLS: tls.VersionTLS13, User: []byte("frank"),
		Method: []byte("GET"), Target: []byte("/apache_pb.gif"), Minor: 1, Host: []byte("site.test:80"), Referer: []byte("http://example.com/start.html"),
		UserAgent: []byte("Mozilla/4.08 [en] (Win98; I ;Nav)"), Status: 200, Bytes: 2326,
	}
}

func TestCombinedFormat(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(e *AccessEntry)
		want   string
	}{
		{"as Apache writes it", func(*AccessEntry) {},
			`192.0.2.1 - frank [10/Oct/2026:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.1" 200 2326 "http://example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"`},
		{"nothing known", func(e *AccessEntry) { *e = AccessEntry{Time: e.Time, Status: 400} },
			`- - - [10/Oct/2026:13:55:36 -0700] "-" 400 0 "-" "-"`},
		{"IPv6", func(e *AccessEntry) {
			*e = AccessEntry{Time: e.Time, Remote: netip.MustParseAddrPort("[2001:db8::1]:5")}
		},
			`2001:db8::1 - - [10/Oct/2026:13:55:36 -0700] "-" 0 0 "-" "-"`},
		{"IPv4 in IPv6", func(e *AccessEntry) {
			*e = AccessEntry{Time: e.Time, Remote: netip.MustParseAddrPort("[::ffff:192.0.2.1]:5")}
		}, `192.0.2.1 - - [10/Oct/2026:13:55:36 -0700] "-" 0 0 "-" "-"`},
		{"what would end a field", func(e *AccessEntry) {
			e.User, e.Target, e.Referer, e.UserAgent = []byte(`a b"c`), []byte(`/"\`), []byte("x\" 200 0 \"\r\n"), []byte("\\\x00\t\x7fé")
		}, `192.0.2.1 - a\x20b\"c [10/Oct/2026:13:55:36 -0700] "GET /\"\\ HTTP/1.1" 200 2326 "x\" 200 0 \"\x0d\x0a" "\\\x00\x09\x7f\xc3\xa9"`},
	} {
		e := entry()
		c.change(e)
		if got := string(e.AppendCombined([]byte("kept "))); got != "kept "+c.want+"\n" {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// FuzzCombinedFormat: whatever the fields have, there is one line of printable ASCII, and
// who undoes the escapes has the fields again.
func FuzzCombinedFormat(f *testing.F) {
	f.Add([]byte("GET"), []byte("/"), []byte("ann"), []byte("http://r/"), []byte("x/1"))
	f.Add([]byte("G\""), []byte("/\\\""), []byte("a b"), []byte("\r\n"), []byte("\\\\\""))
	f.Fuzz(func(t *testing.T, method, target, user, referer, agent []byte) {
		if len(method) == 0 || bytes.ContainsAny(method, " ") || len(target) == 0 {
			return
		}
		e := entry()
		e.Method, e.Target, e.User, e.Referer, e.UserAgent = method, target, user, referer, agent
		line := string(e.AppendCombined(nil))
		for i := range len(line) - 1 {
			if line[i] < ' ' || line[i] > '~' {
				t.Fatalf("%q", line)
			}
		}
		var got []string
		for rest := line; rest != "\n"; {
			var field string
			if field, rest = nextLogged(rest); rest == "" {
				t.Fatalf("it does not end: %q", line)
			}
			got = append(got, field)
		}
		known := func(b []byte) string {
			if len(b) == 0 {
				return "-"
			}
			return string(b)
		}
		want := []string{"192.0.2.1", "-", known(user), "[10/Oct/2026:13:55:36", "-0700]", string(method) + " " + string(target) + " HTTP/1.1",
			"200", "2326", known(referer), known(agent)}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("\nline %s got %q\nwant %q", line, got, want)
		}
	})
}

// nextLogged takes a field off a line, as a reader of logs does.
func nextLogged(line string) (field, rest string) {
	line = strings.TrimPrefix(line, " ")
	end := byte(' ')
	if line[0] == '"' {
		end, line = '"', line[1:]
	}
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == end:
			return b.String(), line[i+1:]
		case c == '\n':
			return b.String(), line[i:]
		case c != '\\':
			b.WriteByte(c)
		case line[i+1] == 'x':
			n, _ := strconv.ParseUint(line[i+2:i+4], 16, 8)
			b.WriteByte(byte(n))
			i += 3
		default:
			i++
			b.WriteByte(line[i])
		}
	}
	return b.String(), ""
}

func TestJSONLog(t *testing.T) {
	var out bytes.Buffer
	log := JSONLog(&out)
	log(entry())
	log(&AccessEntry{Time: entry().Time, Status: 400, UserAgent: []byte("a\"\n\xff")})
	var got [2]map[string]any
	d := json.NewDecoder(&out)
	for i := range got {
		if err := d.Decode(&got[i]); err != nil {
			t.Fatal(err)
		}
	}
	if d.More() {
		t.Error("there is more")
	}
	want := []string{
		"map[agent:Mozilla/4.08 [en] (Win98; I ;Nav) bytes:2326 duration_ms:1.234 host:site.test:80 level:INFO method:GET msg:request proto:HTTP/1.1 " +
			"referer:http://example.com/start.html remote:192.0.2.1:1234 session:7 status:200 target:/apache_pb.gif time:2026-10-10T13:55:36-07:00 tls:TLS 1.3 user:frank vhost:site.test]",
		"map[agent:a\"\n\ufffd bytes:0 duration_ms:0 level:INFO msg:request session:0 status:400 time:2026-10-10T13:55:36-07:00]",
	}
	for i := range got {
		if text := fmt.Sprint(got[i]); text != want[i] {
			t.Errorf("\n got %s\nwant %s", text, want[i])
		}
	}
}

// TestHandlerLogAsksFirst: a handler that is not interested gets nothing.
func TestHandlerLogAsksFirst(t *testing.T) {
	h := &countingHandler{Handler: slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn})}
	HandlerLog(h)(entry())
	if h.n != 0 {
		t.Error("it got an entry")
	}
}

type countingHandler struct {
	slog.Handler
	n int
}

func (h *countingHandler) Handle(context.Context, slog.Record) error { h.n++; return nil }

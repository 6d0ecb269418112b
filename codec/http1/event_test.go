package http1

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// dispatched is an event as a client sees it.
type dispatched struct{ id, name, data string }

// eventSource reads a stream as WHATWG HTML 9.2.6 says.
type eventSource struct {
	events []dispatched
	lastID string
	retry  time.Duration

	name, data string
}

func (s *eventSource) read(stream string) {
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(stream, "\n")
	for _, line := range lines[:len(lines)-1] { // what has no line end is not complete
		if line == "" {
			s.dispatch()
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		s.field(field, strings.TrimPrefix(value, " "))
	}
}

func (s *eventSource) field(field, value string) {
	switch field {
	case "event":
		s.name = value
	case "data":
		s.data += value + "\n"
	case "id":
		if !strings.Contains(value, "\x00") {
			s.lastID = value
		}
	case "retry":
		if ms, err := strconv.ParseUint(value, 10, 63); err == nil {
			s.retry = time.Duration(ms) * time.Millisecond
		}
	}
}

func (s *eventSource) dispatch() {
	if s.data != "" {
		if s.name == "" {
			s.name = "message"
		}
		s.events = append(s.events, dispatched{s.lastID, s.name, strings.TrimSuffix(s.data, "\n")})
	}
	s.name, s.data = "", ""
}

func TestAppendEvent(t *testing.T) {
	for name, c := range map[string]struct {
		e    Event
		want string
	}{
		"data only":                      {Event{Data: "hello"}, "data: hello\n\n"},
		"all of it":                      {Event{ID: "7", Name: "tick", Data: "x", Retry: 1500 * time.Millisecond}, "id: 7\nevent: tick\nretry: 1500\ndata: x\n\n"},
		"lines end in three ways":        {Event{Data: "a\nb\rc\r\nd"}, "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		"the last line is empty":         {Event{Data: "a\n"}, "data: a\ndata: \n\n"},
		"a leading space stays":          {Event{Data: " a"}, "data:  a\n\n"},
		"a name needs no data":           {Event{Name: "ping"}, "event: ping\ndata: \n\n"},
		"an ID alone dispatches none":    {Event{ID: "8"}, "id: 8\n\n"},
		"retry alone dispatches none":    {Event{Retry: time.Second}, "retry: 1000\n\n"},
		"retry is a millisecond or more": {Event{Retry: time.Microsecond}, "retry: 1\n\n"},
		"data that looks like a field":   {Event{Data: "id: 9\n\nevent: x"}, "data: id: 9\ndata: \ndata: event: x\n\n"},
	} {
		got, err := AppendEvent([]byte("before "), &c.e)
		if string(got) != "before "+c.want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestEventsThatWouldBeOthers(t *testing.T) {
	for _, bad := range []string{"a\nb", "a\rb", "\x00", "a\r\ndata: b"} {
		for _, e := range []Event{{ID: bad, Data: "x"}, {Name: bad, Data: "x"}} {
			if got, err := AppendEvent([]byte("before"), &e); err != ErrEvent || string(got) != "before" {
				t.Errorf("%+v: %q, %v", e, got, err)
			}
		}
	}
}

func TestAppendEventComment(t *testing.T) {
	b := AppendEventComment(nil, "still\nhere\r\ndata: no")
	if want := ": still\n: here\n: data: no\n"; string(b) != want {
		t.Errorf("%q", b)
	}
	var s eventSource
	if s.read(string(b) + "\n\n"); len(s.events) != 0 {
		t.Errorf("a comment was dispatched: %v", s.events)
	}
}

// FuzzEvent: what a client makes of an event is what was meant, and nothing else,
// whatever comes before and behind it.
func FuzzEvent(f *testing.F) {
	f.Add("1", "tick", "a\nb", int64(1000), "note")
	f.Add("", "", "\r\n\r\nid: 3\n\n", int64(0), "\n\ndata: x")
	f.Add(" x", ":", ":", int64(-1), "\r")
	f.Fuzz(func(t *testing.T, id, name, data string, retry int64, comment string) {
		e := Event{ID: id, Name: name, Data: data, Retry: time.Duration(retry)}
		b := AppendEventComment(nil, comment)
		b, err := AppendEvent(b, &e)
		if err != nil {
			if !strings.ContainsAny(id+name, "\r\n\x00") {
				t.Fatalf("refused %q %q", id, name)
			}
			return
		}
		b, _ = AppendEvent(AppendEventComment(b, comment), &Event{Data: "behind"})
		var s eventSource
		s.read(string(b))
		var want []dispatched
		text := strings.ReplaceAll(strings.ReplaceAll(data, "\r\n", "\n"), "\r", "\n")
		if name == "" && data != "" {
			want = append(want, dispatched{id, "message", text})
		} else if name != "" {
			want = append(want, dispatched{id, name, text})
		}
		want = append(want, dispatched{id, "message", "behind"})
		if !slices.Equal(s.events, want) {
			t.Fatalf("%q is read as %q, want %q", b, s.events, want)
		}
		if retry > 0 && s.retry != max(e.Retry.Truncate(time.Millisecond), time.Millisecond) || retry <= 0 && s.retry != 0 {
			t.Fatalf("retry %v is read as %v", e.Retry, s.retry)
		}
	})
}

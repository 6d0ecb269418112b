package main

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
)

const (
	longestName = 32 // characters, of people and rooms
	mostRooms   = 1000
	remembered  = 64 << 10 // bytes of what was said that who joins is told
)

// event is what members are told, as JSON.
type event struct {
	// Number counts a room's events: who joins may be told of one twice.
	Number uint64    `json:"number"`
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"` // "joined", "left" or "said"
	Name   string    `json:"name"`
	Text   string    `json:"text,omitempty"`
	People []string  `json:"people,omitempty"` // all who are in the room now
}

// house is all rooms; sessions of every loop come here.
type house struct {
	mu    sync.Mutex
	rooms map[string]*room
}

// room is one topic and what was said in it last.
type room struct {
	last   uint64
	said   [][]byte       // events
	size   int            // of them all
	people map[string]int // how often somebody of that name is here
}

// member is the state of a session.
type member struct {
	room, name string
	inside     bool
}

func (h *house) callback(s callbacks.Session, m *member, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.HTTP:
		if string(s.Request().Path()) == "/" {
			return s.Respond(200, "text/html; charset=utf-8", page)
		}
	case callbacks.FilterProtocolConnection:
		return m.ask(s)
	case callbacks.Established:
		return h.join(s, m)
	case callbacks.Receive:
		return h.say(s, m, in)
	case callbacks.Closed:
		h.leave(s, m)
	}
	return nil
}

// ask looks at who wants to go where.
func (m *member) ask(s callbacks.Session) error {
	values, err := url.ParseQuery(string(s.Request().Query()))
	if err != nil {
		return s.Respond(400, "text/plain", []byte("the query is malformed\n"))
	}
	m.room, m.name = strings.TrimSpace(values.Get("room")), strings.TrimSpace(values.Get("name"))
	for _, name := range []string{m.room, m.name} {
		if n := utf8.RuneCountInString(name); n == 0 || n > longestName || !utf8.ValidString(name) {
			return s.Respond(400, "text/plain", []byte("a room and a name are needed, of 32 characters at most\n"))
		}
	}
	return nil
}

// join tells the member what was said last, and the room that there is a member
// more. Subscribing, looking back and publishing are one step for the room, so
// nothing is missed in between.
func (h *house) join(s callbacks.Session, m *member) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[m.room]
	if r == nil {
		if len(h.rooms) >= mostRooms {
			return &ws.CloseError{Code: ws.StatusTryAgainLater, Reason: "no more rooms"}
		}
		if h.rooms == nil {
			h.rooms = make(map[string]*room)
		}
		r = &room{people: make(map[string]int)}
		h.rooms[m.room] = r
	}
	if err := s.Subscribe(m.room); err != nil {
		return err
	}
	for _, e := range r.said {
		if err := s.Write(e, callbacks.WriteText); err != nil {
			return err
		}
	}
	m.inside = true
	r.people[m.name]++
	return r.publish(s, m, event{Kind: "joined", People: r.present()})
}

func (h *house) say(s callbacks.Session, m *member, text []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[m.room].publish(s, m, event{Kind: "said", Text: string(text)})
}

// leave forgets a member, and a room that nobody is in.
func (h *house) leave(s callbacks.Session, m *member) {
	if !m.inside {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[m.room]
	if r.people[m.name]--; r.people[m.name] == 0 {
		delete(r.people, m.name)
	}
	if len(r.people) == 0 {
		delete(h.rooms, m.room)
		return
	}
	_ = r.publish(s, m, event{Kind: "left", People: r.present()})
}

// publish tells the room, in the order of the numbers: the house is locked.
func (r *room) publish(s callbacks.Session, m *member, e event) error {
	r.last++
	e.Number, e.At, e.Name = r.last, time.Now().UTC(), m.name
	text, _ := json.Marshal(e) // nothing in it can fail
	if e.Kind == "said" {
		r.said = append(r.said, text)
		for r.size += len(text); r.size > remembered; r.said = r.said[1:] {
			r.size -= len(r.said[0])
		}
	}
	return s.Publish(m.room, callbacks.NewMessage(text, callbacks.WriteText))
}

func (r *room) present() []string { return slices.Sorted(maps.Keys(r.people)) }

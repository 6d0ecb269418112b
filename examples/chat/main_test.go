package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/internal/wstest"
)

// guest is a member of a room as a browser is one.
type guest struct {
	*wstest.Conn
	t *testing.T
}

func enter(t *testing.T, p *wstest.Program, room, name string) guest {
	t.Helper()
	c := wstest.Connect(t, p.Addr)
	c.Upgrade("/?"+url.Values{"room": {room}, "name": {name}}.Encode(), "Sec-WebSocket-Protocol: chat", "Origin: http://localhost")
	return guest{c, t}
}

func (g guest) says(text string) { g.Frame(true, wstest.Text, []byte(text)) }

// hears reads events, each as "kind name text people".
func (g guest) hears(want ...string) {
	g.t.Helper()
	for _, w := range want {
		op, b := g.Message()
		var e event
		if err := json.Unmarshal(b, &e); err != nil || op != wstest.Text {
			g.t.Fatalf("%d %q: %v", op, b, err)
		}
		if got := strings.TrimSpace(fmt.Sprintf("%s %s %s%s", e.Kind, e.Name, e.Text, strings.Join(e.People, ","))); got != w {
			g.t.Fatalf("heard %q, want %q", got, w)
		}
	}
}

func TestRoom(t *testing.T) {
	wstest.NoLeaks(t)
	p := wstest.Serve(t, run, "-loops", "3")
	ada := enter(t, p, "engines", "ada")
	ada.hears("joined ada ada")
	bob := enter(t, p, "engines", "bob")
	bob.hears("joined bob ada,bob")
	ada.hears("joined bob ada,bob")
	bob.says("grüße, 水 & <b>tags</b>")
	for _, g := range []guest{ada, bob} {
		g.hears("said bob grüße, 水 & <b>tags</b>")
	}
	bob.CloseFrame(1000, "")
	bob.ExpectClose(1000, "")
	_ = bob.Close()
	ada.hears("left bob ada")
	_ = ada.Close()
	p.Interrupt()
	if err := p.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
}

// Members of a room are on different loops, and hear everything in one order.
func TestOneOrder(t *testing.T) {
	p := wstest.Serve(t, run, "-loops", "3")
	const people, each = 8, 40
	guests := make([]guest, people)
	for i := range guests {
		guests[i] = enter(t, p, "r", fmt.Sprint("g", i))
		guests[i].until(fmt.Sprint("joined g", i))
	}
	for n := range each {
		for _, g := range guests {
			g.says(fmt.Sprint("m", n))
		}
	}
	var first []uint64
	for _, g := range guests {
		numbers := g.numbers(people * each)
		if first == nil {
			first = numbers
		}
		if !slices.Equal(numbers, first) || !slices.IsSorted(numbers) {
			t.Fatalf("heard %v, others %v", numbers, first)
		}
	}
}

// until reads up to an event that begins so.
func (g guest) until(want string) {
	g.t.Helper()
	for {
		_, b := g.Message()
		var e event
		if err := json.Unmarshal(b, &e); err != nil {
			g.t.Fatal(err)
		}
		if e.Kind+" "+e.Name == want {
			return
		}
	}
}

// numbers reads as many events in which something was said.
func (g guest) numbers(n int) (numbers []uint64) {
	g.t.Helper()
	for len(numbers) < n {
		_, b := g.Message()
		var e event
		if err := json.Unmarshal(b, &e); err != nil {
			g.t.Fatal(err)
		}
		if e.Kind == "said" && !slices.Contains(numbers, e.Number) {
			numbers = append(numbers, e.Number)
		}
	}
	return numbers
}

func TestRoomsAreApart(t *testing.T) {
	p := wstest.Serve(t, run)
	ada, bob := enter(t, p, "a", "ada"), enter(t, p, "b", "bob")
	ada.hears("joined ada ada")
	bob.hears("joined bob bob")
	ada.says("to a")
	bob.says("to b")
	ada.hears("said ada to a")
	bob.hears("said bob to b")
}

// Who joins hears what was said last, as far as it is remembered.
func TestLookingBack(t *testing.T) {
	p := wstest.Serve(t, run)
	ada := enter(t, p, "r", "ada")
	ada.hears("joined ada ada")
	long := strings.Repeat("x", mostSaid-100)
	const said = 40
	for i := range said {
		ada.says(fmt.Sprint(i, long))
		ada.hears(fmt.Sprint("said ada ", i, long))
	}
	bob := enter(t, p, "r", "bob")
	_, b := bob.Message()
	var first event
	if err := json.Unmarshal(b, &first); err != nil {
		t.Fatal(err)
	}
	oldest := int(first.Number) - 2 // the first event was that ada joined
	if n, least, most := said-oldest, remembered/(mostSaid+200), remembered/(mostSaid-100); n < least || n > most {
		t.Errorf("%d messages are remembered", n)
	}
	for i := oldest + 1; i < said; i++ {
		bob.hears(fmt.Sprint("said ada ", i, long))
	}
	bob.hears("joined bob ada,bob")
}

// A room that nobody is in is forgotten with what was said in it.
func TestEmptyRoom(t *testing.T) {
	p := wstest.Serve(t, run)
	ada := enter(t, p, "r", "ada")
	ada.says("anybody?")
	ada.hears("joined ada ada", "said ada anybody?")
	ada.CloseFrame(1000, "")
	ada.ExpectClose(1000, "")
	_ = ada.Close()
	wstest.Eventually(t, "a new room", func() bool {
		bob := enter(t, p, "r", "bob")
		_, b := bob.Message()
		_ = bob.Close()
		return !strings.Contains(string(b), "ada")
	})
}

func TestPage(t *testing.T) {
	p := wstest.Serve(t, run)
	c := wstest.Connect(t, p.Addr)
	c.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp, body := c.Body("GET"); resp.StatusCode != 200 || body != string(page) {
		t.Errorf("%s, %d bytes", resp.Status, len(body))
	}
	c.Send("GET /other HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp, _ := c.Body("GET"); resp.StatusCode != 404 {
		t.Errorf("another path: %s", resp.Status)
	}
}

func TestWhoIsTurnedAway(t *testing.T) {
	p := wstest.Serve(t, run)
	long := strings.Repeat("x", longestName+1)
	for _, c := range []struct {
		name, target, origin string
		status               int
	}{
		{"no room", "/?name=ada", "http://h", 400},
		{"no name", "/?room=r", "http://h", 400},
		{"blanks are no name", "/?room=r&name=%20", "http://h", 400},
		{"a name too long", "/?room=r&name=" + long, "http://h", 400},
		{"a room too long", "/?name=n&room=" + long, "http://h", 400},
		{"no UTF-8", "/?room=r&name=%ff", "http://h", 400},
		{"a malformed query", "/?room=%zz&name=n", "http://h", 400},
		{"another site's page", "/?room=r&name=n", "http://elsewhere", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := wstest.Connect(t, p.Addr)
			conn.Send("GET " + c.target + " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: " + c.origin +
				"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
			resp := conn.Response("GET")
			_, _ = io.Copy(io.Discard, resp.Body)
			if resp.StatusCode != c.status {
				t.Errorf("%s", resp.Status)
			}
		})
	}
}

func TestLongMessageEndsTheMember(t *testing.T) {
	p := wstest.Serve(t, run)
	ada := enter(t, p, "r", "ada")
	ada.hears("joined ada ada")
	ada.says(strings.Repeat("x", mostSaid))
	ada.hears("said ada " + strings.Repeat("x", mostSaid))
	ada.says(strings.Repeat("x", mostSaid+1))
	ada.ExpectClose(1009, "frame too big")
}

func TestRoomWithTLS(t *testing.T) {
	cert := wstest.MakeCertificate(t)
	p := wstest.Serve(t, run, "-cert", cert.Both)
	c := wstest.ConnectTLS(t, p.Addr, cert.Trust)
	c.Upgrade("/?room=r&name=ada", "Origin: https://localhost")
	ada := guest{c, t}
	ada.says("hi")
	ada.hears("joined ada ada", "said ada hi")
	if !strings.HasPrefix(p.Output(), "https://") {
		t.Errorf("printed %q", p.Output())
	}
}

func TestBadFlag(t *testing.T) {
	if err := wstest.Run(t, run, "-nonsense").Wait(); err == nil {
		t.Error("no error")
	}
}

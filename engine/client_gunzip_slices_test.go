package engine

import (
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws/deflate"
)

// gunzipping is a session of a loop that does not run, in the middle of a gzip body.
func gunzipping(t *testing.T) (*session, *clientRole) {
	t.Helper()
	program := callbacks.Protocol{Name: "none", Callback: func(callbacks.Session, callbacks.Reason, []byte) error { return nil }}
	e, err := New(Config{Loops: 1, Vhosts: []Vhost{{Listen: []string{}, Protocols: []callbacks.Protocol{program}}}})
	if err == nil {
		err = e.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.r.Discard)
	l := e.loops[0]
	c := &clientRole{new(dialRole)}
	c.d.x = &dialogue{zip: newGunzipper()}
	s := &session{l: l, vh: e.vhosts[0], proto: e.vhosts[0].protocols[0], link: sink{}, state: stateOpen, role: c}
	t.Cleanup(c.d.x.zip.stop)
	return s, c
}

// emptyBlocks is the beginning of a gzip member that decompresses to nothing, n bytes of it.
func emptyBlocks(n int) []byte {
	return []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + strings.Repeat("\x00\x00\x00\xff\xff", n/5))[:n]
}

// TestGunzipRestsBehindWhatItReads: a turn of the loop reads no more than one of a
// compressed message, also where it brings nothing.
func TestGunzipRestsBehindWhatItReads(t *testing.T) {
	s, c := gunzipping(t)
	body := emptyBlocks(512 << 10)
	left := len(body)
	all, err := c.inflate(s, body)
	clear(body) // it was lent
	for turns := 1; ; turns++ {
		if err != nil || s.state != stateOpen {
			t.Fatalf("%v, with %d bytes left", err, left)
		}
		g := c.d.x.zip
		if now := len(g.in) + len(g.rest); left-now > deflate.Slice || now >= left && left > 0 {
			t.Fatalf("turn %d reads from %d bytes on to %d", turns, left, now)
		} else {
			left = now
		}
		if s.paused == 0 {
			break
		}
		s.l.takeTurns()
	}
	if all || left != 0 {
		t.Errorf("%d bytes are left; all at once: %v", left, all)
	}
}

// TestGunzipCountsChunks: an event's chunks are one slice together.
func TestGunzipCountsChunks(t *testing.T) {
	s, c := gunzipping(t)
	body := emptyBlocks(512 << 10)
	read := 0
	for s.paused == 0 && read < len(body) {
		if _, err := c.inflate(s, body[read:read+1<<10]); err != nil {
			t.Fatal(err)
		}
		read += 1 << 10
	}
	if read != deflate.Slice {
		t.Errorf("it rests behind %d bytes, not %d", read, deflate.Slice)
	}
}

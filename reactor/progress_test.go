//go:build linux

package reactor

import (
	"io"
	"testing"
)

// TestProgressIsWhatThePeerReads: the socket's buffer is full and asks for no
// more, but a peer that reads a little of it is no peer that reads nothing.
func TestProgressIsWhatThePeerReads(t *testing.T) {
	g, c, peer := pair(t, Config{}, newEar(t))
	progressed := func() (yes bool) {
		g.on(c.Loop(), func() { yes = c.Progressed() })
		return yes
	}
	if !progressed() {
		t.Error("a connection without a queue has not progressed")
	}
	g.on(c.Loop(), func() {
		if err := c.Write(make([]byte, 14<<20)); err != nil || c.Pending() == 0 {
			t.Errorf("write: %v, %d pending", err, c.Pending())
		}
	})
	progressed()
	for progressed() { // the kernels of both ends are still moving bytes
	}
	buf := make([]byte, 64<<10)
	for !progressed() {
		if _, err := io.ReadFull(peer, buf); err != nil {
			t.Fatal(err)
		}
	}
}

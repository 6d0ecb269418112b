package reactor

import (
	"errors"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// TestAHangUpIsReportedOnce to who is watched for its end only, whatever it came behind.
func TestAHangUpIsReportedOnce(t *testing.T) {
	for _, before := range interests {
		w := newWatcher(t)
		w.set(before)
		w.set(kernel.WatchEnd)
		w.checkEvents(0)
		if _, err := unix.Write(w.far, []byte("bytes are no end")); err != nil {
			t.Fatal(err)
		}
		w.checkEvents(0)
		_ = unix.Close(w.far)
		w.far = -1
		if ev := await(t, "the end", w.ready); ev&kernel.HungUp == 0 {
			t.Errorf("watched for %b before: events %b", before, ev)
		}
		w.checkEvents(0)
	}
}

// TestAResetIsSeenByWhoDoesNotRead: a connection that is not read from, and has nothing
// to send, ends with its peer.
func TestAResetIsSeenByWhoDoesNotRead(t *testing.T) {
	for name, c := range map[string]struct {
		shut  bool // the peer has sent FIN
		pause bool
		send  int // behind that, and unread
	}{
		"nothing to read": {pause: true},
		"a byte":          {pause: true, send: 1},
		"much to read":    {pause: true, send: 1 << 20},
		"behind its FIN":  {shut: true},
		"... and paused":  {shut: true, pause: true},
	} {
		t.Run(name, func(t *testing.T) {
			e, shut := newEar(t), make(chan struct{})
			e.eof = func(*Conn) { close(shut) }
			g, conn, peer := pair(t, Config{}, e)
			if c.shut {
				_ = peer.CloseWrite()
				await(t, "EOF", shut)
			}
			if c.pause {
				g.on(conn.Loop(), conn.PauseRead)
			}
			if c.send > 0 {
				send(t, peer, make([]byte, c.send))
			}
			_ = peer.SetLinger(0)
			_ = peer.Close()
			err := await(t, "Closed", e.ended)
			if !errors.Is(err, unix.ECONNRESET) && (!c.shut || !errors.Is(err, unix.EPIPE)) {
				t.Errorf("closed with %v", err)
			}
		})
	}
}

// TestAPauseHasNoEndByFIN: what came in front of a FIN is read when reading goes on,
// also where FIN has gone both ways.
func TestAPauseHasNoEndByFIN(t *testing.T) {
	for name, ours := range map[string]bool{"the peer's": false, "both ways": true} {
		t.Run(name, func(t *testing.T) {
			const n = 30_000 // with the FIN, in the kernel
			k := bent()
			turns := new(atomic.Int64)
			k.open = func() (kernel.Poller, error) {
				p, err := k.Kernel.OpenPoller()
				return countingPoller{p, turns}, err
			}
			s, e := newStream(t, n), newEar(t)
			e.data = func(_ *Conn, b []byte) int { return s.take(b, len(b)) }
			g, c, peer := pair(t, Config{Kernel: k}, e)
			g.on(c.Loop(), c.PauseRead)
			send(t, peer, pattern(n))
			_ = peer.CloseWrite()
			if ours {
				g.on(c.Loop(), func() { c.CloseWrite() })
				receiveAll(t, peer)
			}
			g.on(c.Loop(), func() {}) // what was on its way has been reported
			before := turns.Load()
			for range 10 {
				g.on(c.Loop(), func() {})
			}
			if got := turns.Load() - before; got > 1 {
				t.Errorf("%d events of a connection that waits", got)
			}
			g.on(c.Loop(), c.ResumeRead)
			await(t, "all bytes", s.done)
			if err := await(t, "Closed", e.ended); err != nil {
				t.Error(err)
			}
		})
	}
}

// countingPoller counts the events of descriptors.
type countingPoller struct {
	kernel.Poller
	n *atomic.Int64
}

func (p countingPoller) Run(h kernel.Handler) error { return p.Poller.Run(countingHandler{h, p.n}) }

type countingHandler struct {
	kernel.Handler
	n *atomic.Int64
}

func (h countingHandler) Ready(fd int, ev kernel.Event) {
	h.n.Add(1)
	h.Handler.Ready(fd, ev)
}

package engine_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/ws"
	"github.com/penstock-go/penstock/engine"
)

// TestPublisherDoesNotKeepTheLoop: what one peer has published in one segment is spread
// over many turns, in which others are served.
func TestPublisherDoesNotKeepTheLoop(t *testing.T) {
	const subscribers, orders = 100, 2000
	gate, seen := make(chan struct{}), 0
	v := start(t, engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.Established:
			return s.Subscribe("t")
		case r != callbacks.Receive:
		case string(in) == "wait":
			<-gate
		case string(in) == "how many?":
			return s.Write(strconv.AppendInt(nil, int64(seen), 10), callbacks.WriteText)
		default:
			seen++
			return s.Publish("t", callbacks.NewMessage(in, callbacks.WriteBinary))
		}
		return nil
	}})})
	list := make([]*peer, subscribers)
	for i := range list {
		list[i], _ = v.upgrade(t)
	}
	// All of it is there when the loop looks again.
	list[0].frame(ws.OpText, true, "wait")
	order := string(ws.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{1}, []byte("x")))
	list[1].send(strings.Repeat(order, orders))
	list[2].frame(ws.OpText, true, "how many?")
	close(gate)
	var all sync.WaitGroup
	for i, p := range list {
		all.Go(func() {
			for got := 0; got < orders; {
				if text := p.read(); text == "2 x" {
					got++
				} else if n, err := strconv.Atoi(strings.TrimPrefix(text, "1 ")); err != nil || n > 100 || i != 2 {
					t.Errorf("peer %d: %q", i, text)
				}
			}
		})
	}
	all.Wait()
}

// TestPublisherWaitsForOtherLoops: while a loop does not deliver, the peers of another
// cannot fill its mailbox.
func TestPublisherWaitsForOtherLoops(t *testing.T) {
	const orders = 5000
	gate, waits := make(chan struct{}), make(chan struct{})
	listen := []string{"unix://" + filepath.Join(t.TempDir(), "s")}
	v := start(t, engine.Config{Loops: 2, Limits: quick, Vhosts: []engine.Vhost{{Listen: listen, Protocols: []callbacks.Protocol{{Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.Established:
			return s.Subscribe("t")
		case r != callbacks.Receive:
		case string(in) == "wait":
			close(waits)
			<-gate
		case string(in) == "ping":
			return s.Write(in, callbacks.WriteText)
		default:
			return s.Publish("t", callbacks.NewMessage(in, callbacks.WriteBinary))
		}
		return nil
	}}}}}})
	// A unix socket's connections are dealt out in turn.
	one, _ := v.upgrade(t)
	other, _ := v.upgrade(t)
	third, _ := v.upgrade(t)
	other.frame(ws.OpText, true, "wait")
	<-waits
	third.frame(ws.OpText, true, "ping").wantFrames("1 ping")
	order := string(ws.AppendMaskedFrame(nil, ws.OpText, true, [4]byte{1}, []byte("x")))
	one.send(strings.Repeat(order, orders))
	eventually(t, "something is published", func() bool { return v.Stats().Published > 0 })
	for range 50 { // turns of the loop
		third.frame(ws.OpText, true, "ping")
		for third.read() == "2 x" {
		}
	}
	if n := v.Stats().Published; n > 64 {
		t.Errorf("%d were published", n)
	}
	close(gate)
	for range orders {
		for _, p := range []*peer{one, other} {
			if text := p.read(); text != "2 x" {
				t.Fatalf("%q", text)
			}
		}
	}
}

// TestWriteableBehindABacklog: it comes also when what the peer sends has emptied the
// backlog that it waited for.
func TestWriteableBehindABacklog(t *testing.T) {
	big := callbacks.NewMessage(make([]byte, 200<<10), callbacks.WriteBinary)
	lim := quick
	lim.ControlFrames = -1
	v := start(t, engine.Config{Loops: 1, Limits: lim, Vhosts: vhost(callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.Established:
			return s.Subscribe("t")
		case callbacks.Receive:
			for range 40 {
				if err := s.Publish("t", big); err != nil {
					return err
				}
			}
			s.RequestWriteable()
		case callbacks.ServerWriteable:
			return s.Write([]byte("now"), callbacks.WriteText)
		}
		return nil
	}})})
	p, _ := v.upgrade(t)
	for range 3 {
		p.frame(ws.OpText, true, "go")
		done := make(chan struct{})
		var pings sync.WaitGroup
		pings.Go(func() {
			ping := ws.AppendMaskedFrame(nil, ws.OpPing, true, [4]byte{1}, nil)
			for {
				select {
				case <-done:
					return
				default:
					if _, err := p.Write(ping); err != nil {
						return
					}
				}
			}
		})
		for p.read() != "1 now" {
		}
		close(done)
		pings.Wait()
	}
}

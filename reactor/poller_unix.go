//go:build unix

package reactor

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// poller is gnet's netpoll.Poller behind the kernel.Poller contract, level
// triggered. Its task queue is not used: it is drained until empty before the
// next poll, so a task that posts itself would starve every socket. A pipe
// watched like any other descriptor wakes the loop instead, and is as fair.
type poller struct {
	k       *systemKernel
	p       *netpoll.Poller
	pa      netpoll.PollAttachment // refilled for every call; netpoll keeps no pointer to it
	handler kernel.Handler
	stopped bool

	wakeRead, wakeWrite int
	wakeMu              sync.Mutex  // held while wakeWrite is written to or closed
	woken               atomic.Bool // a byte is in the pipe, or about to be
	alarm               *time.Timer
	alarmAt             int64 // when alarm fires; 0 = not set
}

func openPoller(k *systemKernel) (kernel.Poller, error) {
	p, err := netpoll.OpenPoller()
	if err != nil {
		return nil, err
	}
	w := &poller{k: k, p: p}
	w.alarm = time.AfterFunc(time.Hour, w.Wake)
	w.alarm.Stop()
	var pipe [2]int
	if err := unix.Pipe(pipe[:]); err != nil {
		_ = p.Close()
		return nil, err
	}
	w.wakeRead, w.wakeWrite = pipe[0], pipe[1]
	for _, fd := range pipe {
		unix.CloseOnExec(fd)
		_ = unix.SetNonblock(fd, true)
	}
	if _, e := w.Set(w.wakeRead, 0, kernel.WatchRead); e != 0 {
		w.Close()
		return nil, e
	}
	return w, nil
}

func (w *poller) Run(h kernel.Handler) error {
	w.handler = h
	err := w.p.Polling(w.ready)
	if errors.Is(err, gneterrors.ErrEngineShutdown) {
		return nil
	}
	return err
}

// ready translates one event. netpoll ends its loop on ErrEngineShutdown.
func (w *poller) ready(fd int, event netpoll.IOEvent, flags netpoll.IOFlags) error {
	if fd == w.wakeRead {
		w.clearWake()
		w.handler.Woken()
	} else {
		w.handler.Ready(fd, translate(event, flags))
	}
	if w.stopped {
		return gneterrors.ErrEngineShutdown
	}
	return nil
}

// clearWake empties the pipe before the flag falls, so that a Wake that comes
// in between is either seen by the Woken that follows or writes a new byte.
func (w *poller) clearWake() {
	var b [8]byte
	_, _ = unix.Read(w.wakeRead, b[:])
	w.woken.Store(false)
	if w.alarmAt != 0 && w.alarmAt <= w.k.Now() {
		w.alarmAt = 0
	}
}

func (w *poller) Wake() {
	if w.woken.Swap(true) {
		return
	}
	w.wakeMu.Lock()
	defer w.wakeMu.Unlock()
	if w.wakeWrite >= 0 {
		_, _ = unix.Write(w.wakeWrite, []byte{1})
	}
}

func (w *poller) WakeAt(at int64) {
	if w.alarmAt != 0 && w.alarmAt <= at {
		return
	}
	w.alarmAt = at
	w.alarm.Reset(time.Duration(max(at-w.k.Now(), 1)))
}

func (w *poller) Stop() { w.stopped = true }

func (w *poller) Close() {
	w.alarm.Stop()
	_ = unix.Close(w.wakeRead)
	w.wakeMu.Lock() // a late Wake must not write to a descriptor that is someone else's by now
	_ = unix.Close(w.wakeWrite)
	w.wakeWrite = -1
	w.wakeMu.Unlock()
	_ = w.p.Close()
}

func (w *poller) attach(fd int) *netpoll.PollAttachment {
	w.pa.FD = fd
	return &w.pa
}

// add watches a descriptor that is not watched for anything yet.
func (w *poller) add(fd int, to kernel.Interest) error {
	switch to {
	case kernel.WatchRead:
		return w.p.AddRead(w.attach(fd), false)
	case kernel.WatchWrite:
		return w.p.AddWrite(w.attach(fd), false)
	case kernel.WatchRead | kernel.WatchWrite:
		return w.p.AddReadWrite(w.attach(fd), false)
	case kernel.WatchEnd:
		return w.p.AddWrite(w.attach(fd), true)
	}
	return nil
}

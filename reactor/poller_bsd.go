//go:build unix && !linux

package reactor

import (
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/socket"
	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// Set maps a change of interest to the calls netpoll has for kqueue: it can add
// either filter and delete the write filter, and its Delete does nothing. So a
// socket that must no longer be read moves to a duplicate descriptor; closing
// the old one drops its filters.
//
// WatchEnd is the write filter with EV_CLEAR. It has EV_EOF when this side cannot
// send any more, as after a reset, and not for the peer's FIN. A filter that is there
// cannot be made level triggered, so it is deleted first.
func (w *poller) Set(fd int, from, to kernel.Interest) (int, kernel.Errno) {
	var err error
	dropRead := from&kernel.WatchRead != 0 && to&kernel.WatchRead == 0
	if dropRead {
		var moved int
		if moved, err = socket.Dup(fd); err != nil {
			return fd, errnoOf(err)
		}
		_ = unix.SetNonblock(moved, true)
		_ = unix.Close(fd)
		fd, from = moved, 0
	}
	const writes = kernel.WatchWrite | kernel.WatchEnd
	if from&writes != 0 && from&writes != to&writes {
		err = w.p.ModRead(w.attach(fd), false) // it deletes the write filter
	}
	if add := to &^ from; err == nil && add != 0 {
		err = w.add(fd, add)
	}
	return fd, errnoOf(err)
}

// translate reports the end of the stream or an error as both, like epoll's.
func translate(event netpoll.IOEvent, flags netpoll.IOFlags) kernel.Event {
	if netpoll.IsErrorEvent(event, flags) {
		return kernel.Readable | kernel.Writable | kernel.HungUp
	}
	if netpoll.IsWriteEvent(event) {
		return kernel.Writable
	}
	return kernel.Readable
}

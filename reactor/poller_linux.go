package reactor

import (
	"github.com/panjf2000/gnet/v2/pkg/netpoll"

	"github.com/penstock-go/penstock/internal/kernel"
)

// Set maps a change of interest to the calls netpoll has. It has none for
// "write only" on a watched descriptor and none for "nothing", so those take
// it out of the epoll set first.
//
// WatchEnd is "write only", edge triggered: EPOLLERR and EPOLLHUP come with every
// mask, but level triggered an EPOLLHUP that nobody can act on would come in every
// turn. Arriving bytes do not wake who asks for EPOLLOUT, and there is no writing
// that would make room anew, so that a paused connection costs one event in vain.
func (w *poller) Set(fd int, from, to kernel.Interest) (int, kernel.Errno) {
	var err error
	switch {
	case from == to:
	case from == 0:
		err = w.add(fd, to)
	case to == 0:
		err = w.p.Delete(fd)
	case to == kernel.WatchRead:
		err = w.p.ModRead(w.attach(fd), false)
	case to == kernel.WatchRead|kernel.WatchWrite:
		err = w.p.ModReadWrite(w.attach(fd), false)
	default:
		if err = w.p.Delete(fd); err == nil {
			err = w.add(fd, to)
		}
	}
	return fd, errnoOf(err)
}

// translate reports an error or hang-up as both readable and writable: the
// read(2) or write(2) that follows says which.
func translate(event netpoll.IOEvent, _ netpoll.IOFlags) kernel.Event {
	if event&netpoll.ErrEvents != 0 {
		return kernel.Readable | kernel.Writable | kernel.HungUp
	}
	var ev kernel.Event
	if event&netpoll.ReadEvents != 0 {
		ev |= kernel.Readable
	}
	if event&netpoll.WriteEvents != 0 {
		ev |= kernel.Writable
	}
	return ev
}

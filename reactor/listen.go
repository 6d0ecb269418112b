package reactor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

const (
	// acceptBudget is how many connections one listener may take in one turn, so
	// that a storm of them does not keep the established ones waiting.
	acceptBudget = 64

	// acceptPause is how long a listener rests when accept(2) fails and will go on
	// failing, as in a process that is out of descriptors. It is one of the sleeps
	// of net/http's back-off (5 ms to 1 s), long enough not to spin and short
	// enough not to be felt.
	acceptPause = 100 * time.Millisecond
)

// Accept decides about a connection that was accepted: it returns its handler,
// or nil to refuse it, and runs on the loop that will own it.
type Accept func(c *Conn) Handler

// ListenConfig says how to listen.
type ListenConfig struct {
	// V6Only keeps an IPv6 socket from taking IPv4 connections.
	V6Only bool
	// OneLoop makes a single loop accept and deal the connections out, also where
	// every loop could have a socket of its own.
	OneLoop bool
	// Options are applied to every connection.
	Options Options
}

// listener is one loop's listening socket.
type listener struct {
	l      *Loop
	fd     int
	accept Accept
	cfg    ListenConfig
	deal   bool // hand connections to the loops in turn
	turn   int
	starve bool // an episode of failing accepts has been logged
	path   string
	watch  kernel.Interest
	pause  Timer
}

// Listen listens on network ("tcp", "tcp4", "tcp6" or "unix"; for a unix socket
// the address is its path, or "@name" for an abstract one on Linux) and returns
// the address with its real port. It is called before Start.
//
// Where the kernel balances between sockets that share a port (Linux, FreeBSD,
// DragonFly), every loop gets one of its own; elsewhere, and for unix sockets,
// one loop accepts for all.
func (r *Reactor) Listen(network, address string, cfg ListenConfig, accept Accept) (net.Addr, error) {
	n, opts := 1, kernel.ListenOptions{V6Only: cfg.V6Only}
	if len(r.loops) > 1 && !cfg.OneLoop && network != "unix" && kernelBalances() {
		n, opts.ReusePort = len(r.loops), true
		if err := r.probe(network, address); err != nil {
			return nil, err
		}
	}
	var bound net.Addr
	for i := range n {
		ln := &listener{accept: accept, cfg: cfg, deal: n == 1}
		addr, err := r.loops[i].open(ln, network, address, opts)
		if err != nil {
			for _, l := range r.loops[:i] {
				l.stopLast()
			}
			return nil, fmt.Errorf("reactor: listen %s %s: %w", network, address, err)
		}
		bound, address = addr, addr.String() // port 0 is chosen once
	}
	return bound, nil
}

// AdoptListener accepts on a listener that exists already: a net.Listener, or an
// *os.File from a service manager or a parent process. The descriptor is
// duplicated; the caller may close its own. The path of an adopted unix socket is
// left alone: neither that Close nor Stop removes it. It is called before Start.
func (r *Reactor) AdoptListener(from any, cfg ListenConfig, accept Accept) (net.Addr, error) {
	if f, ok := from.(*os.File); ok {
		l, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("reactor: adopt %s: %w", f.Name(), err)
		}
		defer l.Close()
		from = l
	}
	l, ok := from.(net.Listener)
	if !ok {
		return nil, fmt.Errorf("reactor: a %T is no listener", from)
	}
	fd, err := dupListener(l)
	if err != nil {
		return nil, err
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return l.Addr(), r.loops[0].listen(&listener{fd: fd, accept: accept, cfg: cfg, deal: true})
}

// probe finds out whether somebody else listens on the address: with
// SO_REUSEPORT a second server of the same user would bind it without a word,
// and the kernel would share the connections between the two.
func (r *Reactor) probe(network, address string) error {
	if strings.HasSuffix(address, ":0") {
		return nil
	}
	fd, _, err := r.k.Listen(network, address, kernel.ListenOptions{})
	if err != nil {
		return fmt.Errorf("reactor: listen %s %s: %w", network, address, err)
	}
	r.k.Close(fd)
	return nil
}

func kernelBalances() bool {
	switch runtime.GOOS {
	case "linux", "freebsd", "dragonfly":
		return true
	}
	return false
}

// open binds ln and listens.
func (l *Loop) open(ln *listener, network, address string, o kernel.ListenOptions) (net.Addr, error) {
	fd, addr, err := l.k.Listen(network, address, o)
	if err != nil {
		return nil, err
	}
	ln.fd = fd
	if network == "unix" && !strings.HasPrefix(addr.String(), "@") {
		ln.path = addr.String()
	}
	return addr, l.listen(ln)
}

// listen watches ln, or closes it.
func (l *Loop) listen(ln *listener) error {
	ln.l = l
	ln.pause.Owner = ln
	l.listeners = append(l.listeners, ln)
	if e := ln.rewatch(kernel.WatchRead); e != 0 {
		l.stopLast()
		return os.NewSyscallError("poll", e)
	}
	return nil
}

// stopLast undoes the last listen.
func (l *Loop) stopLast() {
	last := len(l.listeners) - 1
	l.listeners[last].close()
	l.listeners = l.listeners[:last]
}

func (ln *listener) rewatch(to kernel.Interest) kernel.Errno {
	fd, e := ln.l.p.Set(ln.fd, ln.watch, to)
	ln.fd = fd
	if e == 0 {
		ln.watch = to
	}
	return e
}

func (l *Loop) stopListening() {
	for _, ln := range l.listeners {
		ln.close()
	}
	l.listeners = nil
}

func (ln *listener) close() {
	ln.l.wheel.Disarm(&ln.pause)
	ln.l.k.Close(ln.fd)
	if ln.path != "" {
		_ = os.Remove(ln.path)
	}
}

// acceptOn handles an event on a descriptor that is no connection's.
func (l *Loop) acceptOn(fd int) {
	for _, ln := range l.listeners {
		if ln.fd == fd {
			if !l.wheel.Armed(&ln.pause) { // or the event is stale
				ln.acceptAll()
			}
			return
		}
	}
}

// acceptAll takes what is waiting, within the budget.
func (ln *listener) acceptAll() {
	for range acceptBudget {
		fd, peer, e := ln.l.k.Accept(ln.fd)
		switch {
		case e == 0:
			ln.starve = false
			ln.place(fd, peer)
		case e == unix.EAGAIN:
			return
		case lasting(e):
			ln.rest(e)
			return
		}
		// Anything else (ECONNABORTED, EINTR, EPROTO, EPERM from a firewall, ...)
		// is that one connection's trouble.
	}
}

// place gives the connection to the loop that shall own it.
func (ln *listener) place(fd int, peer netip.AddrPort) {
	loops, to := ln.l.r.loops, ln.l
	if ln.deal {
		ln.turn = (ln.turn + 1) % len(loops)
		to = loops[ln.turn]
	}
	if to == ln.l {
		to.accepted(ln, fd, peer)
		return
	}
	if to.Post(Func(func() { to.accepted(ln, fd, peer) })) != nil {
		ln.l.k.Close(fd)
	}
}

func (l *Loop) accepted(ln *listener, fd int, peer netip.AddrPort) {
	c := l.newConn(fd, peer, stateOpen)
	l.counters.accepted.add(1)
	c.SetOptions(ln.cfg.Options)
	if c.h = ln.accept(c); c.h == nil {
		c.refuse()
	}
	c.rewatch()
}

// rest stops accepting for a while. The connections wait in the backlog.
func (ln *listener) rest(e kernel.Errno) {
	l := ln.l
	l.counters.acceptErrors.add(1)
	if !ln.starve {
		ln.starve = true
		l.r.cfg.Logger.Error("reactor: cannot accept; pausing", "err", e, "loop", l.id)
	}
	_ = ln.rewatch(0) // if that fails, acceptOn looks away
	l.arm(&ln.pause, l.now+int64(acceptPause))
}

// Expire ends a pause, unless the poller has run out of something too; it is for
// the wheel only.
func (ln *listener) Expire(now int64) {
	if ln.rewatch(kernel.WatchRead) != 0 {
		ln.l.arm(&ln.pause, now+int64(acceptPause))
	}
}

// lasting tells the errors of accept(2) that the next call will give too: for
// want of resources, or because the socket is no listener any more (somebody who
// shares it has shut it down).
func lasting(e kernel.Errno) bool {
	switch e {
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EINVAL, unix.EBADF, unix.ENOTSOCK:
		return true
	}
	return false
}

// refuse ends a connection that got no handler.
func (c *Conn) refuse() {
	c.h = refused{}
	c.Abort(nil)
}

// refused is the handler of a connection that nobody wants.
type refused struct{}

func (refused) Data(_ *Conn, b []byte) int { return len(b) }
func (refused) EOF(*Conn)                  {}
func (refused) Writable(*Conn)             {}
func (refused) Timeout(*Conn, int64)       {}
func (refused) Closed(*Conn, error)        {}

var errNoAddress = errors.New("reactor: the name has no address")

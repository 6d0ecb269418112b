//go:build linux

package load

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Clock reads how long the server has been running on processors.
type Clock func() (time.Duration, error)

// Load is a set of connections to one server. It belongs to one goroutine.
type Load struct {
	cfg     Config
	epoll   int
	conns   []*conn
	events  []unix.EpollEvent
	buf     []byte
	base    time.Time
	result  Result
	asking  bool // every answer is followed by another message
	waiting int  // messages in flight

	extensions string
}

const (
	// eventsPerWait bounds what is handled between two looks at the clock.
	eventsPerWait = 256

	// readBuffer takes what a connection of any mode here has in flight.
	readBuffer = 256 << 10
)

// Open connects to a server that accepts already.
func Open(c Config) (*Load, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &Load{cfg: c, epoll: epoll, events: make([]unix.EpollEvent, eventsPerWait), buf: make([]byte, readBuffer), base: time.Now()}
	if err := l.connect(); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Load) connect() (err error) {
	d := dialogues{cfg: &l.cfg}
	if l.cfg.Mode.Plain() == HTTP {
		if d.model, err = learn(&l.cfg); err != nil {
			return err
		}
	}
	for i := range l.cfg.Conns {
		fd, w, extensions, err := open(&l.cfg, i)
		if err != nil {
			return fmt.Errorf("load: connection %d: %w", i, err)
		}
		c := &conn{wire: w, fd: fd, id: i, sent: make([]time.Duration, l.cfg.Depth)}
		l.conns = append(l.conns, c)
		if err := d.agree(i, extensions); err != nil {
			return fmt.Errorf("load: connection %d: %w", i, err)
		}
		c.out, c.replies = d.of(i)
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
	l.extensions = d.terms.header
	return nil
}

// Close resets the connections, so that no port stays in TIME_WAIT.
func (l *Load) Close() {
	for _, c := range l.conns {
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(c.fd)
	}
	unix.Close(l.epoll)
	l.conns = nil
}

// TLS tells what the first connection has agreed upon: version, cipher suite and
// key exchange. It is empty without TLS.
func (l *Load) TLS() string {
	if s, ok := l.conns[0].wire.(*secure); ok {
		return describe(s.ConnectionState())
	}
	return ""
}

// Extensions is what the server has agreed upon in Sec-WebSocket-Extensions.
func (l *Load) Extensions() string { return l.extensions }

// Run keeps every connection busy for warm and then for measured, and waits for
// the last answers. server is read at both ends of the measured time.
func (l *Load) Run(warm, measured time.Duration, server Clock) (*Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := l.begin(); err != nil {
		return nil, err
	}
	if err := l.until(warm); err != nil {
		return nil, err
	}
	before, err := server()
	if err != nil {
		return nil, err
	}
	l.result = Result{}
	start := l.now()
	if err := l.until(measured); err != nil {
		return nil, err
	}
	after, err := server()
	if err != nil {
		return nil, err
	}
	r := l.result
	r.Elapsed, r.CPU = l.now()-start, after-before
	return &r, l.drain()
}

func (l *Load) now() time.Duration { return time.Since(l.base) }

// begin sends the first messages.
func (l *Load) begin() error {
	l.asking = true
	if l.cfg.Mode.Fans() {
		return nil // turn does
	}
	for _, c := range l.conns {
		if err := l.ask(c, l.cfg.Depth, l.now()); err != nil {
			return err
		}
		if err := l.watch(c); err != nil {
			return err
		}
	}
	return nil
}

// publisher is the connection that sends, where one sends to all.
const publisher = 0

// publish sends a message that comes back on all connections.
func (l *Load) publish() error {
	now := l.now()
	for _, c := range l.conns {
		c.expect(1, now)
	}
	l.waiting += len(l.conns)
	from := l.conns[publisher]
	if err := from.ask(1); err != nil {
		return err
	}
	return l.watch(from)
}

// until turns the loop for d, and where one sends to all, until all have it.
func (l *Load) until(d time.Duration) error {
	for end := l.now() + d; l.now() < end || l.cfg.Mode.Fans() && l.waiting > 0; {
		if err := l.turn(); err != nil {
			return err
		}
	}
	return nil
}

// drain lets the messages in flight come home.
func (l *Load) drain() error {
	l.asking = false
	for end := l.now() + patience; l.waiting > 0; {
		if l.now() > end {
			return fmt.Errorf("load: %d messages were never answered", l.waiting)
		}
		if err := l.turn(); err != nil {
			return err
		}
	}
	return nil
}

// turn handles what is ready.
func (l *Load) turn() error {
	if l.cfg.Mode.Fans() && l.waiting == 0 && l.asking {
		if err := l.publish(); err != nil {
			return err
		}
	}
	n, err := l.ready()
	if err != nil {
		return err
	}
	for _, ev := range l.events[:n] {
		if err := l.serve(l.conns[ev.Fd], ev.Events); err != nil {
			return err
		}
	}
	return nil
}

var errSilent = errors.New("load: the server does not answer any more")

// ready looks first and only then sleeps, so that a busy loop never meets the
// scheduler.
func (l *Load) ready() (int, error) {
	for _, timeout := range []time.Duration{0, patience} {
		n, err := unix.EpollWait(l.epoll, l.events, int(timeout.Milliseconds()))
		switch {
		case err == unix.EINTR:
			return 0, nil
		case err != nil:
			return 0, os.NewSyscallError("epoll_wait", err)
		case n > 0:
			return n, nil
		}
	}
	return 0, errSilent
}

func (l *Load) serve(c *conn, events uint32) error {
	if events&unix.EPOLLOUT != 0 {
		if err := c.write(); err != nil {
			return err
		}
	}
	if events&^unix.EPOLLOUT != 0 {
		if err := l.read(c); err != nil {
			return err
		}
	}
	return l.watch(c)
}

// read takes answers and sends as many messages, or has turn send one to all.
func (l *Load) read(c *conn) error {
	now := l.now()
	done, err := c.read(l.buf, now, &l.result)
	l.result.Messages += done
	l.waiting -= done
	if err != nil || done == 0 || !l.asking || l.cfg.Mode.Fans() {
		return err
	}
	return l.ask(c, done, now)
}

// ask sends n more messages and waits for their answers.
func (l *Load) ask(c *conn, n int, now time.Duration) error {
	l.waiting += n
	c.expect(n, now)
	return c.ask(n)
}

// watch asks for writability while the socket is full.
func (l *Load) watch(c *conn) error {
	if c.armed == c.full {
		return nil
	}
	c.armed = !c.armed
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.id)}
	if c.armed {
		ev.Events |= unix.EPOLLOUT
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, c.fd, &ev))
}

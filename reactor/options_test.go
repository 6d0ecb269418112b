package reactor

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func (c *Conn) option(t *testing.T, level, name int) int {
	t.Helper()
	v, err := unix.GetsockoptInt(int(c.fd), level, name)
	if err != nil {
		t.Errorf("getsockopt: %v", err)
	}
	return v
}

func TestOptionsReachTheSocket(t *testing.T) {
	for _, o := range []Options{{}, {Delay: true}, {KeepAlive: time.Minute}, {KeepAlive: time.Millisecond}} {
		g := newRig(t, Config{})
		got := make(chan *Conn, 1)
		a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{Options: o}, func(c *Conn) Handler { got <- c; return echo(c) })
		g.start()
		cfg := to(a)
		cfg.Options = o
		d, _ := g.dial(cfg)
		for _, c := range []*Conn{await(t, "accept", got), await(t, "Dialed", d.dialed)} {
			g.on(c.Loop(), func() {
				if noDelay := c.option(t, unix.IPPROTO_TCP, unix.TCP_NODELAY) != 0; noDelay == o.Delay {
					t.Errorf("%+v: TCP_NODELAY is %v", o, noDelay)
				}
				if alive := c.option(t, unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0; alive != (o.KeepAlive > 0) {
					t.Errorf("%+v: SO_KEEPALIVE is %v", o, alive)
				}
			})
		}
	}
}

func TestDescriptorsAreNotInheritedAndDoNotBlock(t *testing.T) {
	g := newRig(t, Config{Loops: 2})
	got := make(chan *Conn, 1)
	a := g.listen("tcp4", "127.0.0.1:0", ListenConfig{}, func(c *Conn) Handler { got <- c; return echo(c) })
	g.start()
	d, _ := g.dial(to(a))
	accepted, dialed := await(t, "accept", got), await(t, "Dialed", d.dialed)
	fds := map[string]int{"accepted": int(accepted.fd), "dialed": int(dialed.fd), "listening": g.loops[0].listeners[0].fd}
	p := g.loops[0].p.(*poller)
	fds["waking"], fds["woken"] = p.wakeWrite, p.wakeRead
	for name, fd := range fds {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: a child would inherit it (%v)", name, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%s: it blocks (%v)", name, err)
		}
	}
}

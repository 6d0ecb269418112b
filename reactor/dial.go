package reactor

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// The way to a connection of our own:
//
//	Dial      on the chosen loop; a name goes to resolve, an address straight on
//	resolve   off the loop; the addresses come back by mail
//	next      starts one attempt; the following one starts after attemptDelay, or
//	          at once when this one fails (Happy Eyeballs, RFC 8305)
//	Writable  an attempt has its result: the first that connects wins
//	fail      nothing is left to try, the time is up, or Cancel

const (
	// attemptDelay is RFC 8305's Connection Attempt Delay.
	attemptDelay = 250 * time.Millisecond

	// defaultDialTimeout is libwebsockets' connect_timeout_secs.
	defaultDialTimeout = 20 * time.Second

	// resolversMost bounds the host names being resolved at once, each of which
	// occupies a goroutine; more of them wait.
	resolversMost = 64
)

// Dialer is told how a Dial ended. Exactly one of its methods is called, once,
// on the loop and never from inside Dial.
type Dialer interface {
	// Dialed hands the connection over and wants its handler; nil resets it.
	Dialed(c *Conn) Handler
	// DialFailed gives the error: a *net.OpError around that of the last attempt,
	// the resolver's *net.DNSError, context.DeadlineExceeded inside a *net.OpError
	// for a timeout, or what Cancel was given.
	DialFailed(err error)
}

// DialConfig says where to connect.
type DialConfig struct {
	// Network is "tcp", "tcp4", "tcp6" or "unix".
	Network string
	// Host is a name or an IP address, or the path of a unix socket.
	Host string
	// Port is that of a TCP connection.
	Port uint16
	// Local is the source address; the zero value lets the kernel choose.
	Local netip.Addr
	// Timeout bounds the whole of it, resolving included; 0 means 20 s.
	Timeout time.Duration
	// Options are applied to the connection.
	Options Options
}

// Dialing is a Dial that has not ended yet.
type Dialing struct {
	l        *Loop
	cfg      DialConfig
	to       Dialer
	todo     []kernel.Target
	attempts []*Conn
	timeout  Timer
	again    Timer // the delay before the next attempt
	err      error // of the last attempt
	cancel   context.CancelFunc
	done     bool
	number   uint64 // in the order of their beginning
}

// Dial starts to connect and returns at once.
func (l *Loop) Dial(cfg DialConfig, to Dialer) *Dialing {
	d := &Dialing{l: l, cfg: cfg, to: to}
	d.err = d.opError(errNoAddress) // until an attempt has one
	if cfg.Timeout <= 0 {
		d.cfg.Timeout = defaultDialTimeout
	}
	l.dialed++
	d.number = l.dialed
	l.dials[d] = struct{}{}
	d.timeout.Owner = expireFunc(func(int64) { d.fail(d.opError(context.DeadlineExceeded)) })
	d.again.Owner = expireFunc(func(int64) { d.next() })
	l.arm(&d.timeout, l.now+int64(d.cfg.Timeout))
	if cfg.Network == "unix" {
		d.later([]kernel.Target{{Path: cfg.Host}})
	} else if a, err := netip.ParseAddr(cfg.Host); err == nil {
		d.later(d.targets([]netip.Addr{a}))
	} else {
		d.resolve()
	}
	return d
}

// Cancel ends the attempt: DialFailed is called with err, unless it has ended
// already.
func (d *Dialing) Cancel(err error) { d.fail(err) }

// later tries the targets when the caller of Dial has returned.
func (d *Dialing) later(todo []kernel.Target) {
	_ = d.l.Post(Func(func() { // a loop that has stopped has failed every dial
		d.todo = todo
		d.next()
	}))
}

func (d *Dialing) resolve() {
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	network := map[string]string{"tcp4": "ip4", "tcp6": "ip6"}[d.cfg.Network]
	if network == "" {
		network = "ip"
	}
	d.l.r.wg.Go(func() {
		select {
		case d.l.r.resolving <- struct{}{}:
			defer func() { <-d.l.r.resolving }()
		case <-ctx.Done():
			return
		}
		addrs, err := d.l.k.Lookup(ctx, network, d.cfg.Host)
		_ = d.l.Post(Func(func() { d.resolved(addrs, err) }))
	})
}

func (d *Dialing) resolved(addrs []netip.Addr, err error) {
	if err != nil {
		d.fail(err)
		return
	}
	d.todo = d.targets(addrs)
	d.next()
}

// suits tells whether the network is one of a's family.
func (d *Dialing) suits(a netip.Addr) bool {
	return a.Is4() && d.cfg.Network != "tcp6" || a.Is6() && d.cfg.Network != "tcp4"
}

// targets puts the addresses that suit the network in the order of RFC 8305: as
// the resolver sorted them, the families taking turns.
func (d *Dialing) targets(addrs []netip.Addr) []kernel.Target {
	var first, second []kernel.Target
	for _, a := range addrs {
		a = a.Unmap()
		t := kernel.Target{Addr: netip.AddrPortFrom(a, d.cfg.Port), Local: d.cfg.Local}
		if !d.suits(a) {
			continue
		}
		if a.Is4() == addrs[0].Unmap().Is4() {
			first = append(first, t)
		} else {
			second = append(second, t)
		}
	}
	var out []kernel.Target
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(second) {
			out = append(out, second[i])
		}
	}
	return out
}

// next starts attempts until one is under way.
func (d *Dialing) next() {
	for !d.done && len(d.todo) > 0 {
		to := d.todo[0]
		d.todo = d.todo[1:]
		fd, e := d.l.k.Connect(to)
		if e != 0 {
			d.err = d.opErrorTo(to, os.NewSyscallError("connect", e))
			continue
		}
		c := d.l.newConn(fd, to.Addr, stateConnecting)
		c.h = d
		d.attempts = append(d.attempts, c)
		c.rewatch()
		if len(d.todo) > 0 {
			d.l.arm(&d.again, d.l.now+int64(attemptDelay))
		}
		return
	}
	d.failIfOver()
}

func (d *Dialing) failIfOver() {
	if !d.done && len(d.attempts) == 0 && len(d.todo) == 0 {
		d.fail(d.err)
	}
}

// Writable says that an attempt has its result. It, and the following, are the
// Handler of a connection that is connecting.
func (d *Dialing) Writable(c *Conn) {
	e := d.l.k.ConnectResult(int(c.fd))
	switch {
	case d.done || e == unix.ENOTCONN || e == unix.EINPROGRESS:
	case e != 0:
		d.err = d.opErrorTo(kernel.Target{Addr: c.Peer()}, os.NewSyscallError("connect", e))
		c.end(d.err, false)
	default:
		d.won(c)
	}
}

func (d *Dialing) won(c *Conn) {
	d.finish()
	for _, other := range d.attempts {
		if other != c {
			other.end(nil, false)
		}
	}
	c.state = stateOpen
	c.SetOptions(d.cfg.Options)
	d.l.counters.dialed.add(1)
	if c.h = d.to.Dialed(c); c.h == nil {
		c.refuse()
	}
	c.rewatch()
}

// Closed says that an attempt is gone.
func (d *Dialing) Closed(c *Conn, _ error) {
	for i, a := range d.attempts {
		if a == c {
			d.attempts = append(d.attempts[:i], d.attempts[i+1:]...)
			break
		}
	}
	if !d.done {
		d.next()
	}
}

// Data, EOF and Timeout do not happen before a connection is made.
func (d *Dialing) Data(_ *Conn, b []byte) int { return len(b) }

// EOF does nothing.
func (d *Dialing) EOF(*Conn) {}

// Timeout does nothing: the Dialing has its own.
func (d *Dialing) Timeout(*Conn, int64) {}

func (d *Dialing) fail(err error) {
	if d.done {
		return
	}
	d.finish()
	for _, c := range d.attempts {
		c.end(nil, false)
	}
	d.to.DialFailed(err)
}

// finish ends the search, whatever its outcome.
func (d *Dialing) finish() {
	d.done = true
	d.l.wheel.Disarm(&d.timeout)
	d.l.wheel.Disarm(&d.again)
	delete(d.l.dials, d)
	if d.cancel != nil {
		d.cancel()
	}
}

func (d *Dialing) opError(err error) error {
	return &net.OpError{Op: "dial", Net: d.cfg.Network, Addr: dialAddr{d.cfg.Network, d.cfg.hostPort()}, Err: err}
}

func (d *Dialing) opErrorTo(to kernel.Target, err error) error {
	if !to.Addr.IsValid() {
		return d.opError(err)
	}
	return &net.OpError{Op: "dial", Net: d.cfg.Network, Addr: net.TCPAddrFromAddrPort(to.Addr), Err: err}
}

func (c *DialConfig) hostPort() string {
	if c.Network == "unix" {
		return c.Host
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}

// dialAddr is an address that has not been resolved, for error messages.
type dialAddr struct{ network, text string }

func (a dialAddr) Network() string { return a.network }
func (a dialAddr) String() string  { return a.text }

// expireFunc is a function as a timer's owner.
type expireFunc func(now int64)

func (f expireFunc) Expire(now int64) { f(now) }

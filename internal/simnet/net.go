package simnet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-go/penstock/internal/kernel"
)

// firstFD is the lowest descriptor: below are those that a process has anyway.
const firstFD = 3

// Config is what a Net is made of.
type Config struct {
	// Seed decides everything that is left to chance.
	Seed uint64
	// Faults are what goes wrong and how often.
	Faults Faults
	// Buffer is the kernel's room in bytes for each direction of a connection;
	// 0 picks one for each, up to 64 KiB.
	Buffer int
	// Moves gives a descriptor that is no longer watched for reading a new number,
	// as on kqueue.
	Moves bool
	// Connect decides about connections that the code under test starts; nil
	// refuses them.
	Connect func(to kernel.Target) Answer
	// Hosts are what Lookup knows; a name with no address is not found after the
	// time of its first label, if that is a duration ("5s.example").
	Hosts map[string][]netip.Addr
	// MaxSteps ends a run that comes to no end; 0 means 2 million.
	MaxSteps int
	// Trace, if set, is told what happens.
	Trace func(format string, args ...any)
}

// Faults are chances of 0 to 1, each for one call or step.
type Faults struct {
	// ShortRead and ShortWrite move fewer bytes than they could.
	ShortRead, ShortWrite float64
	// Again refuses a read or write on a ready socket with EAGAIN.
	Again float64
	// Spurious reports an event that is not due: of a descriptor that is not
	// ready, paused or closed, or a wake-up that nobody asked for.
	Spurious float64
	// Accept fails an accept for want of descriptors or memory.
	Accept float64
	// Aborted fails an accept because the connection is gone.
	Aborted float64
	// Poll fails to watch a descriptor for more than before, for want of memory.
	Poll float64
	// Creep lets time pass, up to 50 ms and rarely 2 s, while there is work.
	Creep float64
}

// Answer is what becomes of a connection that the code under test starts.
type Answer struct {
	// Now refuses it at once, from Connect.
	Now kernel.Errno
	// After is when the outcome is known; negative is never.
	After time.Duration
	// Err is the outcome, 0 for connected.
	Err kernel.Errno
	// Accepted is given the far end of a connection that was made.
	Accepted func(*End)
}

// Net is a simulated system. New makes it inside the bubble where it is used;
// after that all of it but Wake, Now and Lookup belongs to the loop's goroutine.
type Net struct {
	cfg    Config
	rng    *rand.Rand
	start  time.Time
	poller *poller
	socks  []*socket // by descriptor, from firstFD
	actors []actor
	events []event
	port   uint16
	steps  int
	done   chan struct{}
	left   int // actors that are not done
	err    error
}

var _ kernel.Kernel = (*Net)(nil)

// New makes a system without sockets or actors.
func New(cfg Config) *Net {
	if cfg.MaxSteps == 0 {
		cfg.MaxSteps = 2 << 20
	}
	return &Net{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x51ed)), start: time.Now(),
		port: 10000, done: make(chan struct{})}
}

// Now implements kernel.Kernel: the bubble's time since New, and an hour.
func (n *Net) Now() int64 { return int64(time.Since(n.start) + time.Hour) }

// Done is closed when every actor is done, or the run has failed.
func (n *Net) Done() <-chan struct{} { return n.done }

// Err is why the run had to be given up, after Done.
func (n *Net) Err() error { return n.err }

// Steps counts what the scheduler did.
func (n *Net) Steps() int { return n.steps }

// Open lists the descriptors that are in use, for a test's leak check.
func (n *Net) Open() (fds []int) {
	for i, s := range n.socks {
		if s != nil {
			fds = append(fds, i+firstFD)
		}
	}
	return fds
}

// Chance is true with probability p.
func (n *Net) Chance(p float64) bool { return p > 0 && n.rng.Float64() < p }

func (n *Net) trace(format string, args ...any) {
	if n.cfg.Trace != nil {
		n.cfg.Trace("%12s  "+format, append([]any{time.Since(n.start)}, args...)...)
	}
}

// socket is a descriptor's.
type socket struct {
	watch   kernel.Interest
	told    ending  // by an event, since it is watched for WatchEnd
	backlog []*wire // of a listener
	listens bool
	w       *wire // of a connection
	addr    netip.AddrPort
}

// open gives s the lowest free number, as Unix does: one that was closed is
// used again at once.
func (n *Net) open(s *socket) int {
	for i, old := range n.socks {
		if old == nil {
			n.socks[i] = s
			return i + firstFD
		}
	}
	n.socks = append(n.socks, s)
	return len(n.socks) - 1 + firstFD
}

// at finds what fd is; using a descriptor that is closed is a bug of the code
// under test.
func (n *Net) at(fd int) *socket {
	if s := n.peek(fd); s != nil {
		return s
	}
	panic(fmt.Sprintf("simnet: descriptor %d is not open", fd))
}

func (n *Net) peek(fd int) *socket {
	if i := fd - firstFD; i >= 0 && i < len(n.socks) {
		return n.socks[i]
	}
	return nil
}

// event is something that happens by itself, at its time or later.
type event struct {
	at int64
	do func()
}

func (n *Net) later(d time.Duration, do func()) {
	n.events = append(n.events, event{n.Now() + int64(d), do})
}

// Lookup implements kernel.Kernel. It runs on goroutines of its own.
func (n *Net) Lookup(ctx context.Context, _, host string) ([]netip.Addr, error) {
	addrs, known := n.cfg.Hosts[host]
	if d := delayOf(host); d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if !known {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addrs, nil
}

func delayOf(host string) time.Duration {
	for i := range len(host) {
		if host[i] == '.' {
			d, _ := time.ParseDuration(host[:i])
			return d
		}
	}
	return 0
}

// fail gives the run up.
func (n *Net) fail(format string, args ...any) {
	if n.err == nil {
		n.err = fmt.Errorf("simnet: seed %d: "+format, append([]any{n.cfg.Seed}, args...)...)
	}
	n.finish()
}

func (n *Net) finish() {
	select {
	case <-n.done:
	default:
		close(n.done)
	}
}

// errAgain is what a call on a socket that is not ready gets.
const errAgain = unix.EAGAIN

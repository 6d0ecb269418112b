package reactor

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penstock-go/penstock/internal/kernel"
)

// bentKernel is the real system but for what a test bends. The functions are set before the reactor starts.
type bentKernel struct {
	kernel.Kernel
	open      func() (kernel.Poller, error)
	listen    func(network, address string, o kernel.ListenOptions) (int, net.Addr, error)
	accept    func(fd int) (int, netip.AddrPort, kernel.Errno)
	connect   func(to kernel.Target) (int, kernel.Errno)
	lookup    func(ctx context.Context, network, host string) ([]netip.Addr, error)
	read      func(fd int, b []byte) (int, kernel.Errno)
	write     func(fd int, b []byte) (int, kernel.Errno)
	writeTwo  func(fd int, a, b []byte) (int, kernel.Errno)
	handMade  bool         // the clock stands still but for advance
	clock     atomic.Int64 // when handMade
	reads     atomic.Int64
	accepts   atomic.Int64
	mu        sync.Mutex
	connected []kernel.Target
}

// noon is where a hand-made clock starts: so far ahead of the real one that no alarm of the poller goes off by itself.
const noon = int64(12 * time.Hour)

func bent() *bentKernel { return &bentKernel{Kernel: newSystemKernel()} }

func handMadeClock() *bentKernel {
	k := bent()
	k.handMade = true
	k.clock.Store(noon)
	return k
}

// advance moves the hand-made clock and lets the loops look at it.
func (g *rig) advance(k *bentKernel, d time.Duration) {
	g.t.Helper()
	k.clock.Add(int64(d))
	for _, l := range g.loops {
		g.on(l, func() {})
		g.on(l, func() {}) // timers come behind the mail of their turn
	}
}

func (k *bentKernel) Now() int64 {
	if k.handMade {
		return k.clock.Load()
	}
	return k.Kernel.Now()
}

func (k *bentKernel) OpenPoller() (kernel.Poller, error) {
	if k.open != nil {
		return k.open()
	}
	return k.Kernel.OpenPoller()
}

func (k *bentKernel) Listen(network, address string, o kernel.ListenOptions) (int, net.Addr, error) {
	if k.listen != nil {
		return k.listen(network, address, o)
	}
	return k.Kernel.Listen(network, address, o)
}

func (k *bentKernel) Accept(fd int) (int, netip.AddrPort, kernel.Errno) {
	k.accepts.Add(1)
	if k.accept != nil {
		return k.accept(fd)
	}
	return k.Kernel.Accept(fd)
}

func (k *bentKernel) Connect(to kernel.Target) (int, kernel.Errno) {
	k.mu.Lock()
	k.connected = append(k.connected, to)
	k.mu.Unlock()
	if k.connect != nil {
		return k.connect(to)
	}
	return k.Kernel.Connect(to)
}

// targets are those of all Connects so far.
func (k *bentKernel) targets() []kernel.Target {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]kernel.Target(nil), k.connected...)
}

func (k *bentKernel) Lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if k.lookup != nil {
		return k.lookup(ctx, network, host)
	}
	return k.Kernel.Lookup(ctx, network, host)
}

func (k *bentKernel) Read(fd int, b []byte) (int, kernel.Errno) {
	k.reads.Add(1)
	if k.read != nil {
		return k.read(fd, b)
	}
	return k.Kernel.Read(fd, b)
}

func (k *bentKernel) Write(fd int, b []byte) (int, kernel.Errno) {
	if k.write != nil {
		return k.write(fd, b)
	}
	return k.Kernel.Write(fd, b)
}

func (k *bentKernel) WriteTwo(fd int, a, b []byte) (int, kernel.Errno) {
	if k.writeTwo != nil {
		return k.writeTwo(fd, a, b)
	}
	return k.Kernel.WriteTwo(fd, a, b)
}

// bentPoller is a real poller but for what a test bends.
type bentPoller struct {
	kernel.Poller
	run func(h kernel.Handler) error
	set func(fd int, from, to kernel.Interest) (int, kernel.Errno)
}

func (p *bentPoller) Run(h kernel.Handler) error {
	if p.run != nil {
		return p.run(h)
	}
	return p.Poller.Run(h)
}

func (p *bentPoller) Set(fd int, from, to kernel.Interest) (int, kernel.Errno) {
	if p.set != nil {
		return p.set(fd, from, to)
	}
	return p.Poller.Set(fd, from, to)
}

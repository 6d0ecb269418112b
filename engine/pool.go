package engine

import (
	"crypto/tls"
	"slices"
	"sync"
	"time"

	"github.com/penstock-go/penstock/reactor"
)

// An HTTP client's connection belongs to one transaction after the other:
//
//	dial --> admit: room --> Dialed ... response complete --> leave --> idle --> take, by the next
//	  |        +--- no room: waits for one that is left or released        |
//	  +--> take: an idle connection of this loop                           +--> its time is up, FIN, anything: released
//
// Connections stay on their loop. What loops share is the count for each origin, and
// who waits, under one lock that is held for a few instructions.

// upstreamKey says which connections are as good as one another.
type upstreamKey struct {
	vhost   *vhost
	address string
	port    int
	proxy   string
	iface   string
	secure  bool
	flags   ClientFlags // those that relax the verification
	name    string      // whom the certificate has to name
	alpn    string
	tls     *tls.Config // as Connect was given it
	abroad  bool
}

// key is i's.
func (i *ClientConnectInfo) key(v *vhost) upstreamKey {
	k := upstreamKey{vhost: v, address: i.Address, port: i.port(), proxy: i.Proxy, iface: i.Iface}
	if i.Flags&UseSSL != 0 {
		k.secure, k.flags, k.name = true, i.Flags&relaxing, i.serverName()
		k.alpn, k.tls, k.abroad = i.ALPN, i.given, i.abroad
	}
	return k
}

// relaxing are the flags that relax the verification.
const relaxing = AllowSelfSigned | SkipServerCertHostnameCheck | AllowExpired | AllowInsecure

// upstreams are the servers of an engine's HTTP clients.
type upstreams struct {
	mu   sync.Mutex
	m    map[upstreamKey]*upstream
	idle int
}

// upstream is one of them. It is there for as long as something is counted in it.
type upstream struct {
	key   upstreamKey
	open  int // connections, idle ones and those that are being made among them
	idle  int
	loops []upstreamShare
}

// upstreamShare is a loop's part of an origin.
type upstreamShare struct {
	open, idle int
	waiting    []waiter // in the order in which they came
}

// waiter is a client that waits for room, and since when.
type waiter struct {
	s     *session
	since int64
}

// starveMost is how long the clients of a loop that has no connection to an origin wait
// for those of loops that have: these can go on with what there is, those need a new
// one, and somebody has to close one for them.
const starveMost = 100 * time.Millisecond

// shift takes the first out of the queue.
func (y *upstreamShare) shift() *session {
	s := y.waiting[0].s
	y.waiting = slices.Delete(y.waiting, 0, 1)
	return s
}

func (o *upstreams) of(key upstreamKey, loops int) *upstream {
	x := o.m[key]
	if x == nil {
		if o.m == nil {
			o.m = make(map[upstreamKey]*upstream)
		}
		x = &upstream{key: key, loops: make([]upstreamShare, loops)}
		o.m[key] = x
	}
	return x
}

// forget drops an origin that counts nothing.
func (o *upstreams) forget(x *upstream) {
	if x.open > 0 || x.waiters() > 0 {
		return
	}
	delete(o.m, x.key)
}

func (x *upstream) waiters() (n int) {
	for i := range x.loops {
		n += len(x.loops[i].waiting)
	}
	return n
}

// admit counts one more connection of s's, or puts s behind those that wait.
func (l *loop) admit(s *session, key upstreamKey) *upstream {
	o := &l.e.upstreams
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.of(key, len(l.e.loops))
	share := &x.loops[l.r.ID()]
	if x.open >= l.e.limits.OriginConnections {
		share.waiting = append(share.waiting, waiter{s, l.r.Now()})
		return nil
	}
	x.open++
	share.open++
	return x
}

// quit takes s out of the queue.
func (l *loop) quit(s *session, key upstreamKey) {
	o := &l.e.upstreams
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.m[key]
	if x == nil {
		return
	}
	share := &x.loops[l.r.ID()]
	if i := slices.IndexFunc(share.waiting, func(w waiter) bool { return w.s == s }); i >= 0 {
		share.waiting = slices.Delete(share.waiting, i, i+1)
		o.forget(x)
	}
}

// release says that a connection to x is gone. Whoever waits may make another.
func (l *loop) release(x *upstream) {
	o := &l.e.upstreams
	o.mu.Lock()
	defer o.mu.Unlock()
	me := l.r.ID()
	x.open--
	x.loops[me].open--
	i := x.next(me, l.r.Now())
	if i < 0 || x.open >= l.e.limits.OriginConnections {
		o.forget(x)
		return
	}
	share := &x.loops[i]
	s := share.shift()
	x.open++
	share.open++
	// A loop that has ended has ended its sessions, and needs no room.
	_ = s.l.r.Post(reactor.Func(func() { s.admitted(x) }))
}

// next is the loop whose turn it is when a connection of loop me's is not needed any
// more: one that has none and whose clients have waited for long, or the same, or any.
func (x *upstream) next(me int, now int64) int {
	found := -1
	for i := range x.loops {
		switch share := &x.loops[i]; {
		case len(share.waiting) == 0:
		case share.open == 0 && share.waiting[0].since+int64(starveMost) < now:
			return i
		case i == me || found < 0:
			found = i
		}
	}
	return found
}

// contested tells whether somebody waits for a connection to x who cannot have one of
// loop me's as it is: it is to be closed in their favour.
func (l *loop) contested(x *upstream) bool {
	o := &l.e.upstreams
	o.mu.Lock()
	defer o.mu.Unlock()
	i := x.next(l.r.ID(), l.r.Now())
	return i >= 0 && !x.inherits(i, l.r.ID())
}

// heir takes the client that a connection which is not needed any more goes to, or nil.
func (l *loop) heir(x *upstream) *session {
	o := &l.e.upstreams
	o.mu.Lock()
	defer o.mu.Unlock()
	me := l.r.ID()
	i := x.next(me, l.r.Now())
	if i < 0 || !x.inherits(i, me) {
		return nil
	}
	return x.loops[me].shift()
}

// inherits tells whether the first who waits on loop i can have a connection of loop
// me's. What its session is about does not change while it waits.
func (x *upstream) inherits(i, me int) bool {
	return i == me && x.loops[i].waiting[0].s.role.(*dialRole).info.Flags&Pipeline != 0
}

// mayIdle counts one more idle connection, if there is room for it.
func (l *loop) mayIdle(x *upstream) bool {
	o, lim := &l.e.upstreams, &l.e.limits
	o.mu.Lock()
	defer o.mu.Unlock()
	if x.idle >= lim.OriginIdle || o.idle >= lim.ClientIdle {
		return false
	}
	x.countIdle(o, l.r.ID(), 1)
	return true
}

func (x *upstream) countIdle(o *upstreams, loop, n int) {
	o.idle += n
	x.idle += n
	x.loops[loop].idle += n
}

// unidle counts one less.
func (l *loop) unidle(x *upstream) {
	o := &l.e.upstreams
	o.mu.Lock()
	x.countIdle(o, l.r.ID(), -1)
	o.mu.Unlock()
}

// prefer is the loop where a client of this origin is served soonest: that with the
// most idle connections or, if no more can be made, with the shortest queue for those
// that it has. It is a hint: things change before the client gets there.
func (o *upstreams) prefer(key upstreamKey, most int) (loop int, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.m[key]
	if x == nil {
		return 0, false
	}
	best, full := -1, x.open >= most
	for i := range x.loops {
		share := &x.loops[i]
		switch {
		case share.open == 0:
		case x.idle > 0:
			if share.idle > 0 && (best < 0 || share.idle > x.loops[best].idle) {
				best = i
			}
		case full:
			if best < 0 || len(share.waiting)*x.loops[best].open < len(x.loops[best].waiting)*share.open {
				best = i
			}
		}
	}
	return best, best >= 0
}

package engine

import (
	"crypto/tls"
	"time"

	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/tlsbridge"
)

// patience is how long a peer waits for what must come. It is longer than every
// timeout of the engine's in these tests.
const patience = 30 * time.Minute

// op is a line of a peer's script: it is stepped until it is done.
type op func(p *peer) (next simnet.Next, done bool)

// peer is a scripted far end. It writes by its script and reads all the time, at
// its own pace.
type peer struct {
	w    *world
	name string
	end  far
	ops  []op
	got  []byte
	scan func(p *peer) // looks at what has come, if set

	readMost int           // in one go
	readWait time.Duration // between two
	deaf     bool          // does not read for now
	left     bool          // has closed or reset, or will not come back
	closes   bool          // leaves when the other side has
	over     time.Duration // when it learned of the end, since the connection was made
	metAt    int64
	patience time.Duration
	frames   frames

	// With TLS:
	tune     func(*tls.Config) // changes its end's configuration, if set
	mischief *mischief         // that it is up to, if it is
	spoilt   bool              // what becomes of its connection does not matter
	forger   bool              // its records are forged
	bare     bool              // it does without
}

// add brings a peer into the world, with random manners of reading.
func (w *world) add(name string, ops ...op) *peer {
	p := &peer{w: w, name: name, ops: ops, readMost: 1 << w.rng.IntN(17), closes: true, patience: patience}
	if w.big {
		p.readMost = max(p.readMost, 4096)
	}
	if w.rng.IntN(3) == 0 {
		p.readWait = time.Duration(w.rng.IntN(20)) * time.Millisecond
		p.readMost = max(p.readMost, 64)
	}
	w.peers = append(w.peers, p)
	w.net.Add(p)
	return p
}

// Step goes on with the script.
func (p *peer) Step() simnet.Next {
	if len(p.ops) == 0 {
		return simnet.Next{}
	}
	next, done := p.ops[0](p)
	if !done {
		return next
	}
	p.ops = p.ops[1:]
	return p.w.net.Again()
}

// met starts the peer on a connection, as the given side of TLS if there is TLS.
func (p *peer) met(end *simnet.End, role tlsbridge.Role) {
	p.end, p.metAt = end, p.w.net.Now()
	if p.w.tls != nil && !p.bare {
		p.end = p.secured(end, role)
	}
	p.w.net.Add(&reader{p, p.metAt})
}

// reader is the reading half of a peer.
type reader struct {
	p     *peer
	heard int64 // when something came last
}

func (r *reader) Step() simnet.Next {
	p := r.p
	n := p.w.net
	switch {
	case p.left:
		return simnet.Next{}
	case p.deaf && len(p.ops) == 0:
		p.left = true
		return simnet.Next{}
	case p.deaf:
		return n.Until(func() bool { return !p.deaf || p.left }, p.patience)
	case !p.end.Readable() && len(p.ops) == 0 && n.Now()-r.heard > int64(p.patience):
		p.giveUp("the end")
		return simnet.Next{}
	case !p.end.Readable():
		return n.Until(func() bool { return p.end.Readable() || p.deaf || p.left }, p.patience)
	}
	r.heard = n.Now()
	before := len(p.got)
	p.got = p.end.Recv(p.got, p.readMost)
	if p.scan != nil && len(p.got) > before {
		p.scan(p)
	}
	if p.end.Over() {
		p.over = time.Duration(n.Now() - p.metAt)
		if p.closes {
			p.end.Close()
		}
		return simnet.Next{}
	}
	if p.readWait > 0 {
		return n.Sleep(p.readWait)
	}
	return n.Again()
}

// dial connects to a port of the engine's.
func dial(port func(*world) int) op {
	secured := shaken()
	return func(p *peer) (simnet.Next, bool) {
		if p.end == nil {
			end := p.w.net.Dial(port(p.w))
			if end == nil { // shut down already
				p.ops = p.ops[:1]
				return simnet.Next{}, true
			}
			p.met(end, tlsbridge.Client)
		}
		return secured(p)
	}
}

// shaken waits for the end of the TLS handshake, if there is one.
func shaken() op {
	return await("the TLS handshake", func(p *peer) bool {
		e, ok := p.end.(*tlsEnd)
		return !ok || e.tls.Secured() || p.left
	})
}

// send sends b in pieces, with pauses now and then.
func send(b []byte) op { return sendLate(func(*peer) []byte { return b }) }

// sendLate sends what is known only when its turn has come.
func sendLate(make func(p *peer) []byte) op {
	var b []byte
	begun, waiting := false, false
	most := 0
	return func(p *peer) (simnet.Next, bool) {
		n := p.w.net
		if !begun {
			b, begun = make(p), true
			most = p.w.pieces()
		}
		switch {
		case len(b) == 0 || p.end.Shut() || p.left:
			return simnet.Next{}, true
		case !p.end.Room() && waiting:
			p.giveUp("being read")
			return simnet.Next{}, true
		case !p.end.Room():
			waiting = true
			return n.Until(func() bool { return p.end.Room() || p.left }, p.patience), false
		case !p.w.calm && p.w.rng.IntN(50) == 0:
			return n.Sleep(time.Duration(p.w.rng.IntN(100)) * time.Millisecond), false
		}
		waiting = false
		b = b[p.end.Send(b[:1+p.w.rng.IntN(min(len(b), most))]):]
		return n.Again(), len(b) == 0
	}
}

// pieces is how large the pieces of one message are at most: often all of it.
func (w *world) pieces() int {
	if w.big {
		return 1000 << w.rng.IntN(12)
	}
	switch w.rng.IntN(8) {
	case 0:
		return 1
	case 1, 2:
		return 1 + w.rng.IntN(20)
	}
	return 1 << 20
}

// await waits until ok, or for the end of the connection.
func await(what string, ok func(p *peer) bool) op {
	waiting := false
	return func(p *peer) (simnet.Next, bool) {
		if ok(p) || p.end.Over() {
			return simnet.Next{}, true
		}
		if waiting {
			p.giveUp(what)
			return simnet.Next{}, true
		}
		waiting = true
		return p.w.net.Until(func() bool { return ok(p) || p.end.Over() }, p.patience), false
	}
}

// giveUp leaves because something did not come, which is wrong unless all is.
func (p *peer) giveUp(what string) {
	if !p.w.cut && !p.spoilt {
		p.w.failf("%s waited in vain for %s; got %.300q", p.name, what, p.got)
	}
	p.end.Reset()
	p.left = true
}

// ended waits for the end of the connection.
func ended() op {
	return await("the end of the connection", func(*peer) bool { return false })
}

// wait waits for d.
func wait(d time.Duration) op {
	slept := false
	return func(p *peer) (simnet.Next, bool) {
		if slept {
			return simnet.Next{}, true
		}
		slept = true
		return p.w.net.Sleep(d), false
	}
}

// rest waits up to d.
func rest(d time.Duration) op {
	slept := false
	return func(p *peer) (simnet.Next, bool) {
		if slept || d == 0 {
			return simnet.Next{}, true
		}
		slept = true
		return p.w.net.Sleep(time.Duration(p.w.rng.Int64N(int64(d)))), false
	}
}

// do is an op of one step.
func do(f func(p *peer)) op {
	return func(p *peer) (simnet.Next, bool) {
		f(p)
		return simnet.Next{}, true
	}
}

func closeWrite() op { return do(func(p *peer) { p.end.CloseWrite() }) }
func closeBoth() op  { return do(func(p *peer) { p.end.Close(); p.left = true }) }
func reset() op      { return do(func(p *peer) { p.end.Reset(); p.left = true }) }
func goDeaf() op     { return do(func(p *peer) { p.deaf = true }) }
func hearAgain() op  { return do(func(p *peer) { p.deaf = false }) }

// vanish is a host that died: no more bytes, no FIN.
func vanish() op { return do(func(p *peer) { p.left = true }) }

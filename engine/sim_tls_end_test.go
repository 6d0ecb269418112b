package engine

import (
	"io"

	"github.com/penstock-go/penstock/internal/simnet"
	"github.com/penstock-go/penstock/tlsbridge"
)

// far is a peer's end of a connection: a *simnet.End as it is, or TLS on one.
type far interface {
	Send(b []byte) int
	Shut() bool
	Room() bool
	Recv(dst []byte, most int) []byte
	Readable() bool
	FIN() bool
	Broken() bool
	Over() bool
	CloseWrite()
	Close()
	Reset()
}

// tlsEnd is a far end that speaks TLS. It has no goroutine: Recv opens what comes,
// Send seals, and the handshake goes on as records arrive. An actor of its own
// sends what there is to be sent.
type tlsEnd struct {
	*simnet.End
	p      *peer
	tls    tlsbridge.Conn
	role   tlsbridge.Role
	forger *forger // makes the records, if set
	in     []byte  // has come and was not opened yet
	out    []byte  // is sealed and was not sent yet
	record int     // how much plaintext goes into a record
	mute   bool    // says nothing more
	said   bool    // close_notify is in out, or gone
	fin    bool    // ... and FIN is to follow it
	heard  bool    // close_notify has come
	err    error
}

// secured puts TLS on a connection that has been made.
func (p *peer) secured(end *simnet.End, role tlsbridge.Role) *tlsEnd {
	w := p.w
	e := &tlsEnd{End: end, p: p, role: role, record: tlsbridge.RecordMost}
	if !w.calm && w.rng.IntN(2) == 0 {
		e.record = 1 + w.rng.IntN(1<<w.rng.IntN(8))
	}
	if w.big {
		e.record = max(e.record, 1000)
	}
	cfg := w.peerConfig(role)
	if p.tune != nil {
		p.tune(cfg)
	}
	if p.forger || !w.calm && w.rng.IntN(4) == 0 {
		e.forge(cfg)
	}
	e.tls.Init(role, cfg, nil, nil)
	if role == tlsbridge.Client {
		e.shake()
		if !w.calm && w.rng.IntN(3) == 0 {
			e.out = inPieces(e.out, 1+w.rng.IntN(50))
		}
	}
	if w.spoils && w.rng.IntN(3) == 0 {
		p.mischief = w.mischief()
	}
	w.tls.ends = append(w.tls.ends, e)
	w.net.Add(e)
	return e
}

// Step sends, at its own pace.
func (e *tlsEnd) Step() simnet.Next {
	w := e.p.w
	if e.mute {
		e.out, e.fin = nil, false
	}
	switch {
	case e.idle():
		e.tls.Cancel()
		return simnet.Next{}
	case len(e.out) > 0 && e.End.Room():
		most := w.pieces()
		if w.calm {
			most = len(e.out)
		}
		if !w.calm {
			most = 1 + w.rng.IntN(min(len(e.out), most))
		}
		n := e.transmit(e.out[:most])
		e.out = e.out[n:]
		return w.net.Again()
	case len(e.out) == 0 && e.said && e.fin:
		e.fin = false
		e.End.CloseWrite()
	}
	return w.net.Until(func() bool {
		return e.idle() || len(e.out) > 0 && e.End.Room() || len(e.out) == 0 && e.fin
	}, e.p.patience)
}

// idle tells whether there is nothing more to send.
func (e *tlsEnd) idle() bool {
	return e.End.Shut() || e.p.left || len(e.p.ops) == 0 && len(e.out) == 0 && !e.fin
}

// shake goes on with the handshake.
func (e *tlsEnd) shake() {
	r := e.tls.Step(e.in)
	e.in = e.in[r.Used:]
	e.out = append(e.out, r.Output...)
	if r.Status == tlsbridge.Failed {
		e.fail(r.Err)
	}
}

// fail notes that TLS has failed. If everybody may be cut off the connection may
// end anywhere, but what comes until then has to be right.
func (e *tlsEnd) fail(err error) {
	e.err = err
	if e.p.spoilt {
		return
	}
	mad := e.p.w.mad > 0 && err.Error() == "tlsbridge: remote error: tls: bad certificate" // says the program
	if !e.p.w.cut || err != io.ErrUnexpectedEOF && !mad {
		e.p.w.failf("%s: %v", e.p.name, err)
	}
}

// Recv takes up to most bytes from the wire and appends what is in them to dst.
func (e *tlsEnd) Recv(dst []byte, most int) []byte {
	e.in = e.End.Recv(e.in, most)
	for !e.tls.Secured() && e.err == nil && tlsbridge.Whole(e.in) > 0 {
		e.shake()
	}
	if e.tls.Secured() && e.err == nil && len(e.in) > 0 && !e.heard {
		var used int
		var err error
		dst, used, err = e.tls.Open(dst, e.in)
		e.in = e.in[used:]
		e.out = append(e.out, e.tls.Output()...)
		switch err {
		case nil:
		case io.EOF:
			e.heard = true
		default:
			e.fail(err)
		}
	}
	if e.End.FIN() && !e.heard && e.err == nil {
		e.fail(io.ErrUnexpectedEOF)
	}
	return dst
}

// Send seals as much of b as there is room for.
func (e *tlsEnd) Send(b []byte) int {
	if e.Shut() || !e.Room() {
		return 0
	}
	n := min(len(b), 100*e.record)
	for rest := b[:n]; len(rest) > 0; {
		size := min(len(rest), e.record)
		if e.p.w.rng.IntN(4) == 0 {
			size = 1 + e.p.w.rng.IntN(size)
		}
		if e.seal(rest[:size]); e.err != nil {
			return n
		}
		rest = rest[size:]
	}
	return n
}

// seal makes a record of b.
func (e *tlsEnd) seal(b []byte) {
	if f := e.forging(); f != nil {
		e.sprinkle(f)
		e.out = f.append(e.out, recordData, string(b))
		return
	}
	var err error
	if e.out, err = e.tls.Seal(e.out, b); err != nil {
		e.fail(err)
	}
}

// sayBye is close_notify.
func (e *tlsEnd) sayBye() {
	e.said = true
	if f := e.forging(); f != nil && e.err == nil {
		e.out = f.append(e.out, recordAlert, closeNotify)
		return
	}
	e.out = e.tls.CloseNotify(e.out)
}

func (e *tlsEnd) Shut() bool { return e.End.Shut() || e.said || e.err != nil }
func (e *tlsEnd) Room() bool { return e.Shut() || e.tls.Secured() && len(e.out) == 0 }
func (e *tlsEnd) Over() bool { return e.End.Over() || e.err != nil }
func (e *tlsEnd) FIN() bool  { return e.End.FIN() && e.heard }

// CloseWrite says that nothing more comes, and sends FIN or leaves it at that.
func (e *tlsEnd) CloseWrite() {
	if !e.tls.Secured() {
		e.End.CloseWrite()
		return
	}
	if !e.said {
		e.fin = e.p.w.rng.IntN(3) > 0
		e.sayBye()
	}
}

// Close leaves. What does not fit is not waited for.
func (e *tlsEnd) Close() {
	if !e.said && e.tls.Secured() {
		e.sayBye()
	}
	e.End.Send(e.out)
	e.out, e.fin = nil, false
	e.End.Close()
}

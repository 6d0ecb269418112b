package engine

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"

	"github.com/penstock-go/penstock/internal/bufpool"
	"github.com/penstock-go/penstock/reactor"
	"github.com/penstock-go/penstock/tlsbridge"
)

// A secured connection has one more station on each way. In:
//
//	Data     ciphertext, as reactor.Conn brings it
//	open     all complete records into the loop's plain buffer, behind what was kept
//	deliver  session.received, as without TLS; what it does not use is kept
//	settle   the peer's close_notify, when everything before it was delivered
//
// and out:
//
//	Write    asks for room first: what is sealed has to be sent
//	seal     into the loop's sealed buffer, full records where there is enough
//	         and one write to the reactor.Conn

const (
	// keptInPlace is the size of kept plaintext from which on new plaintext is
	// appended to it instead of it being copied in front; the reactor has the same
	// for the same reason.
	keptInPlace = 16 << 10

	// openChunk is how much ciphertext is opened at once, or one record if that is
	// longer. If it carries less than a quarter of its length, the rest waits for the
	// loop's next turn: records of nothing, KeyUpdates above all, cost up to a quarter
	// of a microsecond for each byte, and a full read of them a tenth of a second.
	openChunk = 8 << 10

	// sealChunk is how much is sealed before it is written.
	sealChunk = 8 * tlsbridge.RecordMost

	// scratchKeep is the largest of the loop's buffers for TLS that stays.
	scratchKeep = 1 << 20
)

// secured is the TLS between a session and its connection: the session's link,
// and the connection's Handler.
type secured struct {
	s     *session
	c     *reactor.Conn
	tls   tlsbridge.Conn
	kept  *bufpool.Buffer // plaintext that the role did not use; nil while there is none
	front int             // what of kept the role has used
	hs    *securing       // nil once the handshake is done
	skip  int             // how much of what Data brings the handshake has used
	flags securedFlag
}

// securedFlag is a set of facts about a secured connection.
type securedFlag uint8

const (
	securedOver    securedFlag = 1 << iota // nothing more can be opened
	securedTold                            // ... and the session knows
	securedFIN                             // the peer's FIN is behind what the handshake has left
	securedResting                         // what is left to open waits for the next turn
	securedOpening                         // inside deliver, which may be about kept
	securedMute                            // close_notify was said, and the reading goes on
)

// Data implements reactor.Handler, and so do the next four.
func (t *secured) Data(_ *reactor.Conn, b []byte) int {
	n := min(t.skip, len(b))
	t.skip -= n
	if t.hs != nil {
		return n + t.hs.received(b[n:])
	}
	if len(b) > n {
		t.s.seen = t.s.l.r.Now() // part of a record is a sign of life, too
	}
	return n + t.open(b[n:])
}

func (t *secured) EOF(*reactor.Conn) {
	if t.hs != nil {
		t.hs.ended()
		return
	}
	t.cut()
	t.settle(nil)
}

// cut says that no record comes any more.
func (t *secured) cut() {
	if t.flags&securedOver == 0 { // RFC 8446 6.1: somebody may have cut the data short
		t.flags |= securedOver
		t.s.flags |= flagCutShort
	}
}

func (t *secured) Writable(*reactor.Conn) { t.s.drained() }

func (t *secured) Timeout(_ *reactor.Conn, now int64) { t.s.expired(now) }

func (t *secured) Closed(_ *reactor.Conn, err error) {
	if t.hs != nil {
		t.hs.closed()
	}
	t.dropKept()
	if t.s.link == t { // else the session has parted from it
		t.s.ended(err)
	}
}

func (t *secured) session() *session { return t.s }

// open is the way in.
func (t *secured) open(b []byte) (used int) {
	inPlace := t.kept != nil && (t.Kept() >= keptInPlace || len(b) == 0)
	plain := t.plain(inPlace)
	used = len(b)
	var err error
	if t.flags&securedOver == 0 {
		plain, used, err = t.openSome(plain, b)
		t.control()
	}
	if inPlace {
		t.kept.B = plain
	} else {
		t.s.l.plain = scratch(plain)
	}
	if err == nil && t.flags&(securedFIN|securedResting) == securedFIN {
		t.cut()
	}
	t.flags |= securedOpening
	t.deliver(plain, inPlace)
	t.flags &^= securedOpening
	t.settle(err)
	return used
}

// openSome opens what a turn may take.
func (t *secured) openSome(plain, b []byte) (_ []byte, used int, err error) {
	t.flags &^= securedResting
	for err == nil {
		chunk := b[used:min(used+openChunk, len(b))]
		if len(chunk) == openChunk && tlsbridge.Whole(chunk) == 0 {
			chunk = b[used:min(used+tlsbridge.LongestRecord, len(b))]
		}
		before, n := len(plain), 0
		plain, n, err = t.tls.Open(plain, chunk)
		used += n
		if n == 0 || used == len(b) {
			break
		}
		if len(plain)-before < n/4 {
			t.flags |= securedResting
			t.c.PauseRead()
			t.s.l.r.Defer(t.goOn)
			break
		}
	}
	if err != nil {
		used = len(b)
	}
	return plain, used, err
}

// goOn follows a turn that openSome has cut short.
func (t *secured) goOn() {
	if t.s.paused == 0 {
		t.c.ResumeRead()
	}
}

// plain is where plaintext goes, with what was kept in it.
func (t *secured) plain(inPlace bool) []byte {
	b := t.s.l.plain[:0]
	switch {
	case inPlace:
		return t.kept.B
	case t.kept != nil:
		b = append(b, t.kept.B[t.front:]...)
	}
	return b
}

// scratch is b to be used again, unless it has grown too long.
func scratch(b []byte) []byte {
	if cap(b) > scratchKeep {
		return nil
	}
	return b[:0]
}

// deliver gives the session what it can take now.
func (t *secured) deliver(plain []byte, inPlace bool) {
	if inPlace {
		plain = plain[t.front:]
	}
	if len(plain) == 0 {
		return
	}
	used := len(plain)
	if t.s.state == stateOpen {
		used = t.s.received(plain)
	}
	if inPlace {
		t.kept, t.front = bufpool.Consume(t.kept, t.front, used)
		return
	}
	rest := plain[used:]
	switch {
	case len(rest) == 0:
		t.dropKept()
		return
	case t.kept == nil:
		t.kept = bufpool.Get()
	}
	t.kept.B, t.front = append(t.kept.B[:0], rest...), 0
}

func (t *secured) dropKept() {
	if t.kept != nil {
		bufpool.Put(t.kept)
		t.kept, t.front = nil, 0
	}
}

// settle acts on what ended the peer's data: a failure at once, close_notify when
// the session has seen all that came before it.
func (t *secured) settle(err error) {
	s := t.s
	if err != nil {
		t.flags |= securedOver
	}
	switch {
	case err != nil && err != io.EOF:
		t.flags |= securedTold
		s.shut(err)
	case t.flags&(securedOver|securedTold) == securedOver && s.paused == 0:
		t.flags |= securedTold
		s.peerClosed()
	}
}

// control sends what TLS itself has to say. It counts like an answer, so that a
// peer cannot ask for more of it than it reads.
func (t *secured) control() {
	if out := t.tls.Output(); len(out) > 0 && t.flags&securedMute == 0 {
		t.s.sent(t.c.Write(out))
	}
}

// Write implements link, and so do the methods below.
func (t *secured) Write(b []byte) error {
	if !t.Fits(len(b)) {
		return reactor.ErrQueueFull
	}
	return t.seal(b)
}

// WriteTwo fills the record that a ends in with the beginning of b.
func (t *secured) WriteTwo(a, b []byte) error {
	if !t.Fits(len(a) + len(b)) {
		return reactor.ErrQueueFull
	}
	n := min(len(b), tlsbridge.RecordMost-len(a)%tlsbridge.RecordMost)
	l := t.s.l
	joined := append(append(l.joined[:0], a...), b[:n]...)
	l.joined = scratch(joined)
	if err := t.seal(joined); err != nil || n == len(b) {
		return err
	}
	return t.seal(b[n:])
}

func (t *secured) seal(b []byte) error {
	l := t.s.l
	for len(b) > 0 {
		n := min(len(b), sealChunk)
		sealed, err := t.tls.Seal(l.sealed[:0], b[:n])
		l.sealed = scratch(sealed)
		if err == nil {
			err = t.c.Write(sealed)
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// SendFile is for what the kernel may send as it is.
func (t *secured) SendFile([]byte, *reactor.File) (bool, error) {
	return false, errors.ErrUnsupported
}

// Fits counts what sealing adds.
func (t *secured) Fits(n int) bool { return t.c.Fits(tlsbridge.Sealed(n)) }

// Close says close_notify before FIN (RFC 8446 6.1).
func (t *secured) Close() {
	if t.hs == nil {
		if out := t.tls.CloseNotify(t.s.l.sealed[:0]); len(out) > 0 {
			_ = t.c.Write(out)
		}
	}
	if t.flags&securedOpening == 0 {
		t.dropKept()
	}
	t.c.Close()
}

// CloseWrite says close_notify behind what was sealed, and FIN behind that, as Close does.
func (t *secured) CloseWrite() {
	if out := t.tls.CloseNotify(t.s.l.sealed[:0]); len(out) > 0 {
		_ = t.c.Write(out)
	}
	t.flags |= securedMute
	t.c.CloseWrite()
}

// finRoom is more than a close_notify takes.
const finRoom = 64

// PauseRead is about the session's bytes, not those of the handshake.
func (t *secured) PauseRead() {
	if t.hs == nil {
		t.c.PauseRead()
	}
}

// ResumeRead brings what was kept before anything new.
func (t *secured) ResumeRead() {
	if t.hs != nil {
		return
	}
	if t.kept != nil || t.flags&(securedOver|securedTold) == securedOver || t.flags&securedFIN != 0 {
		t.c.Redeliver()
	}
	t.c.ResumeRead()
}

// Kept does not count the beginning of a record: that one is cut short is told by
// flagCutShort.
func (t *secured) Kept() int {
	if t.kept == nil {
		return 0
	}
	return len(t.kept.B) - t.front
}

func (t *secured) Pending() int                            { return t.c.Pending() }
func (t *secured) High() bool                              { return t.c.High() }
func (t *secured) HighMark() int                           { return t.c.HighMark() }
func (t *secured) Progressed() bool                        { return t.c.Progressed() }
func (t *secured) Arm(at int64)                            { t.c.Arm(at) }
func (t *secured) Abort(err error)                         { t.c.Abort(err) }
func (t *secured) Peer() netip.AddrPort                    { return t.c.Peer() }
func (t *secured) PeerAddr() net.Addr                      { return t.c.PeerAddr() }
func (t *secured) LocalAddr() net.Addr                     { return t.c.LocalAddr() }
func (t *secured) SetWriteLimits(lim *reactor.WriteLimits) { t.c.SetWriteLimits(lim) }

// tlsState is what Session.TLS returns: nothing while the handshake goes on, which
// a worker may be at, unless it asks.
func (t *secured) tlsState() *tls.ConnectionState {
	if t.hs != nil && t.hs.phase != securingAsks {
		return nil
	}
	st := t.tls.State()
	return &st
}

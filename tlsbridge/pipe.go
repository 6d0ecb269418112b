package tlsbridge

import (
	"net"
	"time"
)

// pipe is a Conn as the net.Conn that its tls.Conn reads from and writes to.
type pipe Conn

// Read gives no more than the rest of one record, so that crypto/tls, which reads
// ahead as far as its buffer reaches, holds nothing of the next one: what it did
// not need is still the caller's.
func (p *pipe) Read(b []byte) (int, error) {
	for len(p.in) == 0 {
		if p.hs == nil {
			return 0, errEmpty
		}
		if !p.hs.yield(More) {
			return 0, ErrCancelled
		}
	}
	if p.cut == 0 {
		p.cut = firstOf(p.in)
	}
	n := copy(b, p.in[:p.cut])
	p.in = p.in[n:]
	p.cut -= n
	return n, nil
}

// Write takes everything: an error here would be the end of the tls.Conn.
func (p *pipe) Write(b []byte) (int, error) {
	p.out = append(p.out, b...)
	return len(b), nil
}

// Close does nothing. What a tls.Conn does on its own before it calls this is in
// out.
func (p *pipe) Close() error { return nil }

// LocalAddr is for the callbacks of a tls.Config, as RemoteAddr is.
func (p *pipe) LocalAddr() net.Addr {
	if p.hs == nil || p.hs.local == nil {
		return noAddr{}
	}
	return p.hs.local
}

func (p *pipe) RemoteAddr() net.Addr {
	if p.hs == nil || p.hs.remote == nil {
		return noAddr{}
	}
	return p.hs.remote
}

// The timeouts are the caller's.

func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// noAddr is what a callback sees that has kept a net.Conn it should not, or that
// Init was not given an address for.
type noAddr struct{}

func (noAddr) Network() string { return "tls" }
func (noAddr) String() string  { return "" }

// empty is the error of a Read that finds nothing. crypto/tls forgets errors
// that call themselves temporary, and no others.
type empty struct{}

func (empty) Error() string   { return "tlsbridge: no record is there" }
func (empty) Timeout() bool   { return true }
func (empty) Temporary() bool { return true }

var errEmpty net.Error = empty{}

package engine

import (
	"net"
	"net/netip"

	"github.com/penstock-go/penstock/reactor"
)

// link is what carries a session's bytes: a reactor.Conn as it is, or a TLS
// layer on one. Nothing above it knows which, nor that there is a socket.
type link interface {
	Write(b []byte) error
	WriteTwo(a, b []byte) error
	// SendFile is reactor.Conn's. A link that has to see the bytes refuses with
	// errors.ErrUnsupported, and has sent nothing then.
	SendFile(head []byte, f *reactor.File) (done bool, err error)
	Pending() int
	Fits(n int) bool
	High() bool
	HighMark() int
	Kept() int
	Progressed() bool
	PauseRead()
	ResumeRead()
	Arm(at int64)
	Close()
	CloseWrite()
	Abort(err error)
	Peer() netip.AddrPort
	PeerAddr() net.Addr
	LocalAddr() net.Addr
	SetWriteLimits(lim *reactor.WriteLimits)
}

// plainHandler hears a connection without TLS. It is the session itself under
// another type, so that it costs nothing.
type plainHandler session

func (p *plainHandler) session() *session { return (*session)(p) }

func (p *plainHandler) Data(_ *reactor.Conn, b []byte) int { return (*session)(p).received(b) }
func (p *plainHandler) EOF(*reactor.Conn)                  { (*session)(p).peerClosed() }
func (p *plainHandler) Writable(*reactor.Conn)             { (*session)(p).drained() }
func (p *plainHandler) Timeout(_ *reactor.Conn, now int64) { (*session)(p).expired(now) }
func (p *plainHandler) Closed(_ *reactor.Conn, err error)  { (*session)(p).ended(err) }

// nobody hears a connection that ends without its session.
type nobody struct{}

func (nobody) Data(_ *reactor.Conn, b []byte) int { return len(b) }
func (nobody) EOF(*reactor.Conn)                  {}
func (nobody) Writable(*reactor.Conn)             {}
func (nobody) Timeout(*reactor.Conn, int64)       {}
func (nobody) Closed(*reactor.Conn, error)        {}

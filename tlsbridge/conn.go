package tlsbridge

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/penstock-go/penstock/internal/invariant"
)

// Conn is one end of a TLS connection. The zero value is of no use; make one
// with Init. Its methods must not be called at once.
type Conn struct {
	tls *tls.Conn
	hs  *handshake // nil once it is done
	in  []byte     // records that were passed in and not read yet
	cut int        // how much of in belongs to a record that has been read in part
	out []byte     // records to be sent
	err error      // what Open found to be the end
}

// Role is the side of the connection.
type Role bool

// The two sides.
const (
	Server Role = false
	Client Role = true
)

// Init makes c one end of a new connection. cfg is kept and must not change; its
// DynamicRecordSizingDisabled should be set, for Sealed counts on full records.
// The addresses are for the callbacks of cfg. A client's Renegotiation is taken as
// RenegotiateNever: a second handshake has no coroutine to run in. One without a
// ServerName does not resume sessions of TLS 1.3.
func (c *Conn) Init(role Role, cfg *tls.Config, local, remote net.Addr) {
	c.hs = &handshake{local: local, remote: remote}
	if role == Client {
		if cfg.Renegotiation != tls.RenegotiateNever {
			cfg = cfg.Clone()
			cfg.Renegotiation = tls.RenegotiateNever
		}
		c.tls = tls.Client((*pipe)(c), cfg)
	} else {
		c.tls = tls.Server((*pipe)(c), cfg)
	}
}

// Of returns the Conn whose handshake asks a callback of its tls.Config about
// hello.
func Of(hello *tls.ClientHelloInfo) *Conn {
	p, _ := hello.Conn.(*pipe)
	return (*Conn)(p)
}

// Secured tells whether the handshake is done.
func (c *Conn) Secured() bool { return c.hs == nil }

// State describes the connection. While the handshake asks, it is what Ask was
// given; before that there is nothing to describe.
func (c *Conn) State() tls.ConnectionState {
	switch {
	case c.hs == nil:
		return c.tls.ConnectionState()
	case c.hs.asked != nil:
		return *c.hs.asked
	}
	return tls.ConnectionState{}
}

// Open decrypts the complete records at the front of b, in place, and appends
// what they carry to dst. It returns how many bytes of b it used; the rest is the
// beginning of a record. io.EOF says that the peer has sent close_notify: there
// is nothing more to read, but writing goes on. Any other error is the end of the
// connection, and stays. In both cases plaintext may come with it, and all of b is
// used. The peer may have to be told something: see Output.
func (c *Conn) Open(dst, b []byte) (plain []byte, used int, err error) {
	if err := c.ready(); err != nil {
		return dst, len(b), err
	}
	used = Whole(b)
	if used == 0 {
		return dst, 0, nil
	}
	c.lend(b[:used:used])
	for err == nil {
		dst = slices.Grow(dst, RecordMost)
		var n int
		n, err = c.tls.Read(dst[len(dst) : len(dst)+RecordMost])
		dst = dst[:len(dst)+n]
		if n > 0 && err == nil && c.unread() == 0 {
			break
		}
	}
	c.takeBack()
	if err == nil || errors.Is(err, errEmpty) {
		return dst, used, nil
	}
	if err != io.EOF {
		err = &Error{err}
		c.err = err
	}
	return dst, len(b), err
}

// ready returns the error of a connection that has failed, or is not secured yet:
// crypto/tls would begin a handshake then.
func (c *Conn) ready() error {
	invariant.Check(c.hs == nil, "tlsbridge: data before the handshake is done")
	if c.hs != nil {
		return errNotSecured
	}
	return c.err
}

var errNotSecured = &Error{errors.New("the handshake is not done")}

// Seal appends p as records to dst, behind what Output would have returned. The
// error is that of a connection which has been closed or has failed; there is
// nothing to send then.
func (c *Conn) Seal(dst, p []byte) ([]byte, error) {
	if err := c.ready(); err != nil {
		return dst, err
	}
	c.out = append(dst, c.out...)
	_, err := c.tls.Write(p)
	dst = c.Output()
	if err != nil {
		return dst, &Error{err}
	}
	return dst, nil
}

// CloseNotify appends the alert that ends this side's data (RFC 8446 6.1) to dst,
// behind what Output would have returned. Nothing can be sealed behind it. Before
// the handshake is done, and behind a failure, there is none.
func (c *Conn) CloseNotify(dst []byte) []byte {
	if c.hs != nil || c.err != nil {
		return dst
	}
	c.out = append(dst, c.out...)
	_ = c.tls.CloseWrite()
	return c.Output()
}

// Output returns what has to be sent to the peer by itself: the flight of a
// handshake, the answer to a KeyUpdate, an alert. It belongs to the caller.
func (c *Conn) Output() []byte {
	b := c.out
	c.out = nil
	return b
}

// Error is an error of crypto/tls.
type Error struct {
	// Err is what crypto/tls, or a callback of its Config, said.
	Err error
}

// Error returns its text.
func (e *Error) Error() string { return "tlsbridge: " + e.Err.Error() }

// Unwrap returns what crypto/tls said.
func (e *Error) Unwrap() error { return e.Err }

//go:build linux

package load

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// secure is a connection with TLS. crypto/tls waits as long as what is below it
// waits; below a wire, that is a queue.
type secure struct {
	*tls.Conn
	fd    int
	below *network
	queue queue
}

// network is what crypto/tls takes for a net.Conn. It reads and writes; of the
// other methods crypto/tls needs none here.
type network struct {
	net.Conn // nil
	io.ReadWriter
}

func (n *network) Read(b []byte) (int, error)  { return n.ReadWriter.Read(b) }
func (n *network) Write(b []byte) (int, error) { return n.ReadWriter.Write(b) }

// newSecure shakes hands with the server and believes whatever it says it is.
func newSecure(fd int, t TLS) (*secure, error) {
	below := &network{ReadWriter: patient(fd)}
	s := &secure{Conn: tls.Client(below, t.config()), fd: fd, below: below, queue: queue{socket: socket(fd)}}
	if err := s.Handshake(); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return s, nil
}

func (s *secure) wire() (wire, error) {
	s.below.ReadWriter = &s.queue
	return s, unix.SetNonblock(s.fd, true)
}

// read returns one record at most.
func (s *secure) read(b []byte) (n int, more bool, err error) {
	n, err = s.Read(b)
	if err == errAgain {
		return n, false, nil
	}
	return n, true, err
}

func (s *secure) write(b []byte) (int, error) { return s.Write(b) }

func (s *secure) flush() (bool, error) { return s.queue.flush() }

// queue lets crypto/tls believe that a socket which does not wait never needs to.
// Between two flushes it sends nothing, so that the records of a message, or of
// many, leave by one write(2).
type queue struct {
	socket  socket
	out     []byte
	drained bool // the last read took all there was
}

// Read ends with errAgain once for every time that the socket is empty; after a
// short read it does not ask.
func (q *queue) Read(b []byte) (int, error) {
	if q.drained {
		q.drained = false
		return 0, errAgain
	}
	n, _, err := q.socket.read(b)
	if n == 0 && err == nil {
		err = errAgain
	}
	q.drained = n > 0 && n < len(b)
	return n, err
}

// Write takes all, because crypto/tls cannot go on with a record that it has
// written in part.
func (q *queue) Write(b []byte) (int, error) {
	q.out = append(q.out, b...)
	return len(b), nil
}

func (q *queue) flush() (sent bool, err error) {
	if len(q.out) == 0 {
		return true, nil
	}
	n, err := q.socket.write(q.out)
	q.out = q.out[:copy(q.out, q.out[n:])]
	return len(q.out) == 0, err
}

// errAgain says that nothing has come. It is temporary, which is what makes
// crypto/tls go on where it was when it is asked again.
var errAgain net.Error = again{}

type again struct{}

func (again) Error() string   { return "nothing has come yet" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

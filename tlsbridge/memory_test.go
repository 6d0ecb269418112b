package tlsbridge

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// queue is one direction of a connection in memory. It never blocks its writer.
type queue struct {
	mu     sync.Mutex
	filled sync.Cond
	b      []byte
	closed bool
}

func newQueue() *queue {
	q := new(queue)
	q.filled.L = &q.mu
	return q
}

// end is a net.Conn over two queues.
type end struct {
	in, out *queue
	most    int   // how much a Read brings; 0 is no limit
	empty   error // of a Read that finds nothing; nil blocks
	broken  error // of the next Write
	reads   int   // how many ended in empty
	writes  int
}

func ends() (a, b *end) {
	ab, ba := newQueue(), newQueue()
	return &end{in: ba, out: ab}, &end{in: ab, out: ba}
}

func (e *end) Read(b []byte) (int, error) {
	q := e.in
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.b) == 0 {
		switch {
		case q.closed:
			return 0, io.EOF
		case e.empty != nil:
			e.reads++
			return 0, e.empty
		}
		q.filled.Wait()
	}
	if e.most > 0 {
		b = b[:min(len(b), e.most)]
	}
	n := copy(b, q.b)
	q.b = q.b[:copy(q.b, q.b[n:])]
	return n, nil
}

func (e *end) Write(b []byte) (int, error) {
	if err := e.broken; err != nil {
		e.broken = nil
		return 0, err
	}
	e.writes++
	e.out.put(b)
	return len(b), nil
}

func (q *queue) put(b []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.b = append(q.b, b...)
	q.filled.Signal()
}

// take empties the queue.
func (q *queue) take() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.b
	q.b = nil
	return b
}

func (e *end) Close() error {
	q := e.out
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Signal()
	return nil
}

func (e *end) LocalAddr() net.Addr              { return noAddr{} }
func (e *end) RemoteAddr() net.Addr             { return noAddr{} }
func (e *end) SetDeadline(time.Time) error      { return nil }
func (e *end) SetReadDeadline(time.Time) error  { return nil }
func (e *end) SetWriteDeadline(time.Time) error { return nil }

// stock is a pair of plain tls.Conns, for what crypto/tls does by itself.
type stock struct {
	server, client       *tls.Conn
	serverEnd, clientEnd *end
}

// newStock shakes hands, with blocking reads. Afterwards the ends do not block,
// and the client has not read the tickets of TLS 1.3.
func newStock(t testing.TB, server, client *tls.Config) *stock {
	t.Helper()
	s := new(stock)
	s.serverEnd, s.clientEnd = ends()
	s.server, s.client = tls.Server(s.serverEnd, server), tls.Client(s.clientEnd, client)
	failed := make(chan error, 1)
	go func() {
		err := s.server.Handshake()
		if err != nil {
			_ = s.serverEnd.Close()
		}
		failed <- err
	}()
	clientErr := s.client.Handshake()
	if err := <-failed; err != nil || clientErr != nil {
		t.Fatalf("server: %v; client: %v", err, clientErr)
	}
	s.serverEnd.empty, s.clientEnd.empty = errEmpty, errEmpty
	return s
}

package engine

import (
	"crypto/rand"
	"errors"
	"io"
	"strconv"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1/content"
	"github.com/penstock-go/penstock/internal/bufpool"
	"github.com/penstock-go/penstock/reactor"
)

const (
	// fileChunk is how much of a file a worker reads at once where the system cannot send
	// it by itself. Two are in memory at most: one read, one in the connection's queue.
	fileChunk = 128 << 10

	// pumpBudget is what a transfer from memory sends before other sockets have their turn.
	pumpBudget = 1 << 20
)

// filePiece is a part of a response's body: some bytes, and some of the file behind them.
type filePiece struct {
	head []byte
	span content.Range
}

// filePart is a part of a file in the connection's queue.
type filePart struct {
	reactor.File
	t    *transfer
	size int64
}

// sending is the state of a transfer that has begun.
type sending struct {
	pieces []filePiece // still to be begun, the first perhaps half sent
	parts  int         // filePart that the reactor has
	chunk  *bufpool.Buffer
	chunkN int // bytes of it
	src    io.ReaderAt
	closes func() // src
}

// send begins to send.
func (t *transfer) send() {
	if t.rep.fd >= 0 && t.sendFiles() {
		return
	}
	t.pump()
}

// sendFiles puts all pieces into the connection's queue. It returns false if files have
// no way into that.
func (t *transfer) sendFiles() bool {
	s := t.s
	t.parts++ // for this call, so that nothing completes in it
	for i, p := range t.pieces {
		if len(p.head) > 0 {
			t.h.sent += int64(len(p.head))
			t.h.left -= int64(len(p.head))
			s.commit(append(s.begin(), p.head...))
			t.pieces[i].head = nil
		}
		if p.span.Length == 0 {
			continue
		}
		f := &filePart{reactor.File{FD: t.rep.fd, Offset: p.span.Start, Length: p.span.Length}, t, p.span.Length}
		f.Sent = f
		done, err := s.sendFile(&f.File)
		switch {
		case i == 0 && errors.Is(err, errors.ErrUnsupported):
			t.parts--
			return false
		case err != nil: // the connection has ended, and says so itself
			t.parts--
			return true
		case done:
			t.h.sent += f.size
			t.h.left -= f.size
		default:
			t.parts++
		}
	}
	t.pieces = nil
	t.parts--
	if t.parts == 0 {
		t.complete()
	}
	return true
}

// sent counts a part that has gone, and ends with the last.
func (t *transfer) sent(n int64) {
	t.h.sent += n
	t.h.left -= n
	if t.parts == 0 {
		t.complete()
	}
}

// sendFile sends f behind what is in the cork.
func (s *session) sendFile(f *reactor.File) (done bool, err error) {
	b := s.begin()
	done, err = s.link.SendFile(b, f)
	if errors.Is(err, errors.ErrUnsupported) {
		return false, err
	}
	k := &s.l.cork
	k.owner = nil
	k.keep(b)
	s.sent(err)
	return done, err
}

// pump sends piece after piece for as long as the client takes them.
func (t *transfer) pump() {
	for budget := pumpBudget; t.h != nil && t.s.state == stateOpen && len(t.pieces) > 0; {
		switch {
		case budget <= 0 || t.s.link.High():
			t.wait()
			return
		case len(t.pieces[0].head) > 0:
			if !t.put(t.pieces[0].head) {
				return
			}
			t.pieces[0].head = nil
		case t.pieces[0].span.Length == 0:
			t.pieces = t.pieces[1:]
		case t.rep.data != nil:
			r := &t.pieces[0].span
			n := min(r.Length, int64(t.chunkSize()))
			if !t.put(t.rep.data[r.Start:][:n]) {
				return
			}
			t.advance(int(n))
			budget -= int(n)
		case t.chunk != nil:
			if !t.put(t.chunk.B) {
				return
			}
			t.advance(len(t.chunk.B))
			bufpool.Put(t.chunk)
			t.chunk = nil
		default:
			t.chunkN = int(min(t.pieces[0].span.Length, int64(t.chunkSize())))
			if !t.off(t.read, t.arrived) {
				t.wait() // the workers are busy: the next turn may find one
			}
			return
		}
	}
	if t.h != nil && t.s.state == stateOpen {
		t.complete()
	}
}

// advance leaves n bytes of the first piece's file behind.
func (t *transfer) advance(n int) {
	r := &t.pieces[0].span
	r.Start += int64(n)
	r.Length -= int64(n)
}

// chunkSize is how much is put into the queue at once: less than what makes it full.
func (t *transfer) chunkSize() int { return min(fileChunk, max(t.s.link.HighMark()/2, 1<<10)) }

func (t *transfer) wait() {
	t.waits = true
	t.s.RequestWriteable()
}

// put sends a piece of the body. It returns false if there is no room yet, or it has
// failed.
func (t *transfer) put(b []byte) bool {
	err := t.h.write(t.s, b, callbacks.WriteHTTP)
	switch {
	case err == nil:
		return t.s.state == stateOpen
	case errors.Is(err, callbacks.ErrSendQueueFull) && t.s.link.High():
		t.wait()
	default:
		t.fail(500, err)
	}
	return false
}

// read is the worker's part.
func (t *transfer) read() {
	if t.src == nil {
		if t.src, t.closes, t.err = t.m.source(t.rep); t.err != nil {
			return
		}
	}
	b := bufpool.Get()
	if cap(b.B) < t.chunkN {
		b.B = make([]byte, t.chunkN)
	}
	b.B = b.B[:t.chunkN]
	t.chunk = b
	n, err := t.src.ReadAt(b.B, t.pieces[0].span.Start)
	if n < t.chunkN {
		t.err = err
		if err == nil || err == io.EOF {
			t.err = reactor.ErrFileShort
		}
	}
}

// arrived sends what was read.
func (t *transfer) arrived() {
	if t.err != nil {
		t.fail(500, t.err)
		return
	}
	t.pump()
}

// dropSource gives back what reading needed.
func (t *transfer) dropSource() {
	if t.chunk != nil {
		bufpool.Put(t.chunk)
		t.chunk = nil
	}
	if t.closes != nil {
		t.closes()
		t.src, t.closes = nil, nil
	}
}

// boundary is a line that no file has in it, as nobody knows it before.
func (t *transfer) boundary() string { return rand.Text() }

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

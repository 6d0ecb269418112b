package engine

import (
	"crypto/rand"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1/content"
	"github.com/penstock-go/penstock/internal/bufpool"
	"github.com/penstock-go/penstock/reactor"
)

const (
	// fileChunk is how much of a file a worker reads at once where the system cannot send
	// it by itself. Two are in memory at most: one read, one in the connection's queue.
	fileChunk = 128 << 10

	// fileWindow is how much of a file the reactor is given at once. Before each window the
	// kernel is asked whether it has it in memory.
	fileWindow = 4 << 20

	// warmFor is how long a file of one window that was in memory is taken to be there
	// still: what is sent all the time is the last that the kernel drops.
	warmFor = time.Second

	// pumpBudget is what a transfer from memory sends before other sockets have their turn.
	pumpBudget = 1 << 20
)

// filePiece is a part of a response's body: some bytes, and some of the file behind them.
type filePiece struct {
	head []byte
	span content.Range
}

// sending is the state of a transfer that has begun.
type sending struct {
	pieces []filePiece  // still to be sent, the first perhaps half of it
	file   reactor.File // what the reactor has of it
	length int64        // of file, when it was given away
	queued bool         // the reactor has it still
	warmTo int64        // as far as that a worker has fetched the file from the disk
	chunk  *bufpool.Buffer
	chunkN int // bytes of it
	src    io.ReaderAt
	closes func() // src
}

// send begins to send.
func (t *transfer) send() {
	if t.rep.fd < 0 || !t.sendFiles() {
		t.pump()
	}
}

// sendFiles gives the reactor one window of the file after the other, each when the one
// before has gone. It returns false if files cannot be sent on this connection.
func (t *transfer) sendFiles() bool {
	s := t.s
	for !t.queued && t.h != nil && s.state == stateOpen && len(t.pieces) > 0 {
		p := &t.pieces[0]
		if n := int64(len(p.head)); n > 0 {
			t.count(n)
			s.commit(append(s.begin(), p.head...))
			p.head = nil
		}
		if p.span.Length == 0 {
			t.pieces = t.pieces[1:]
			continue
		}
		t.length = min(p.span.Length, fileWindow)
		if p.span.Start >= t.warmTo && !t.rep.inMemory(p.span.Start, t.length, s.l.r.Now()) {
			t.off(t.warm, t.warmed)
			return true
		}
		t.file = reactor.File{FD: t.rep.fd, Offset: p.span.Start, Length: t.length, Sent: t}
		done, err := s.sendFile(&t.file)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return false
		case err != nil: // the connection has ended, and says so itself
			return true
		case done:
			t.count(t.length)
		default:
			t.queued = true
		}
		t.advance(int(t.length))
	}
	if !t.queued && t.h != nil && s.state == stateOpen {
		t.complete()
	}
	return true
}

// inMemory tells whether n bytes at off seem to be in the kernel's memory. That all of a
// file was there is good for warmFor.
func (p *representation) inMemory(off, n, now int64) bool {
	if until := p.warm.Load(); now < until {
		return true
	}
	if !inMemory(p.fd, off, n) {
		return false
	}
	if n == p.size {
		p.warm.Store(now + int64(warmFor))
	}
	return true
}

// FileSent implements reactor.FileSent.
func (t *transfer) FileSent(_ *reactor.File, err error) {
	t.queued = false
	switch {
	case t.h == nil:
		if t.idle() {
			t.discard()
		}
	case err == nil:
		t.count(t.length)
		t.sendFiles()
	}
}

// count notes that n more bytes of the body are as good as sent.
func (t *transfer) count(n int64) {
	t.h.sent += n
	t.h.left -= n
}

// warm is the worker's part where the file is not in memory yet: the loop shall not wait
// for a disk.
func (t *transfer) warm() {
	p := t.pieces[0].span
	fetchFile(t.rep.fd, p.Start, min(p.Length, fileWindow))
}

// warmed goes on without asking again: what was fetched may be gone already, and some
// file systems never say that it is there.
func (t *transfer) warmed() {
	p := t.pieces[0].span
	t.warmTo = p.Start + min(p.Length, fileWindow)
	t.sendFiles()
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
			t.off(t.read, t.arrived)
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

package engine

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	// logDelay is how long a line may wait for more of them. One write for all lines of a
	// fraction of a second makes logging cheap, and nobody reads faster.
	logDelay = 250 * time.Millisecond

	// logBatch is what is written without waiting for more.
	logBatch = 64 << 10

	// DefaultLogRoom is how many bytes may wait for a LogWriter's file.
	DefaultLogRoom = 1 << 20
)

// LogWriter is a writer for logs that never makes its caller wait: what is written is
// kept, and goes to another writer, a file say, from a goroutine that is there only
// while there is something. If that writer is slow, lines are dropped and counted.
// All methods may be called from any goroutine.
type LogWriter struct {
	to   io.Writer
	room int

	mu      sync.Mutex
	settled sync.Cond // a batch has been written
	queue   []byte
	spare   []byte
	timer   *time.Timer // of the next write, nil if none is due
	writing bool
	begun   int64 // batches
	ended   int64
	closed  bool
	dropped int64
	err     error // the last write's
}

// NewLogWriter returns a LogWriter in front of w that keeps room bytes at most, or
// DefaultLogRoom if that is 0. What is being written counts until it is.
func NewLogWriter(w io.Writer, room int) *LogWriter {
	if room <= 0 {
		room = DefaultLogRoom
	}
	l := &LogWriter{to: w, room: room / 2}
	l.settled.L = &l.mu
	return l
}

// Write takes all of p, some whole lines, or drops it for want of room, which is no error.
// After Close it is net.ErrClosed.
func (l *LogWriter) Write(p []byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return 0, net.ErrClosed
	case len(l.queue)+len(p) > l.room:
		l.dropped++
		return len(p), nil
	}
	l.queue = append(l.queue, p...)
	switch {
	case l.writing: // and takes this afterwards
	case len(l.queue) >= min(logBatch, l.room/2):
		l.start()
	case l.timer == nil:
		l.timer = time.AfterFunc(logDelay, l.due)
	}
	return len(p), nil
}

func (l *LogWriter) due() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = nil
	if !l.writing && len(l.queue) > 0 {
		l.start()
	}
}

// start begins to write. l.mu is held.
func (l *LogWriter) start() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.writing = true
	go l.write()
}

// write is the life of the goroutine.
func (l *LogWriter) write() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 {
		batch := l.queue
		l.queue = l.spare[:0]
		l.begun++
		l.mu.Unlock()
		_, err := l.to.Write(batch)
		l.mu.Lock()
		l.spare = batch
		if err != nil {
			l.err = err
		}
		l.ended++
		l.settled.Broadcast()
	}
	l.writing = false
}

// Flush waits until everything that was taken before has been written, and returns the
// error of the last write that had one since the Flush before.
func (l *LogWriter) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := l.begun
	if len(l.queue) > 0 {
		until++ // all of the queue is one batch
		if !l.writing {
			l.start()
		}
	}
	for l.ended < until {
		l.settled.Wait()
	}
	err := l.err
	l.err = nil
	return err
}

// Close takes no more and flushes. The writer below is left open.
func (l *LogWriter) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	return l.Flush()
}

// Dropped returns how many Writes there was no room for.
func (l *LogWriter) Dropped() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

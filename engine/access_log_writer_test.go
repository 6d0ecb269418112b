package engine

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a writer that writes when it may.
type gate struct {
	open  chan struct{} // closed, or given one token for each write
	mu    sync.Mutex
	text  []byte
	calls int
	err   error
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	g.text = append(g.text, p...)
	g.calls++
	return len(p), g.err
}

// written returns what has been, and in how many writes.
func (g *gate) written() (text string, calls int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return string(g.text), g.calls
}

func opened() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func writeLog(t *testing.T, w *LogWriter, line string) {
	t.Helper()
	p := []byte(line)
	if n, err := w.Write(p); n != len(p) || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	clear(p) // it was lent
}

// TestLogWriterWaitsALittle: lines of a moment are one write, and none waits for long.
func TestLogWriterWaitsALittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := opened()
		w := NewLogWriter(g, 0)
		for range 2 {
			writeLog(t, w, "a\n")
			<-time.After(logDelay / 2)
			writeLog(t, w, "b\n")
			synctest.Wait()
			_, was := g.written()
			<-time.After(logDelay/2 + time.Millisecond)
			synctest.Wait()
			if _, calls := g.written(); calls != was+1 {
				t.Errorf("%d writes after the delay, %d before", calls, was)
			}
		}
		if text, _ := g.written(); text != "a\nb\na\nb\n" {
			t.Errorf("%q", text)
		}
	})
}

// TestLogWriterDoesNotWaitForMany: a batch is written at once.
func TestLogWriterDoesNotWaitForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, line := opened(), strings.Repeat("x", 1023)+"\n"
		w := NewLogWriter(g, 0)
		start := time.Now()
		for range logBatch >> 10 {
			writeLog(t, w, line)
		}
		synctest.Wait()
		if text, _ := g.written(); len(text) != logBatch || time.Since(start) != 0 {
			t.Errorf("%d bytes are written after %v", len(text), time.Since(start))
		}
		<-time.After(time.Hour) // the timer that was set is no trouble
		synctest.Wait()
		if _, calls := g.written(); calls != 1 {
			t.Errorf("%d writes", calls)
		}
	})
}

// TestLogWriterDrops: what there is no room for, whole lines, and is itself again later.
func TestLogWriterDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := NewLogWriter(g, 200)
		for range 50 {
			writeLog(t, w, "nine byte\n") // never blocks
		}
		synctest.Wait()
		// The first batch is at the gate. Of the room of 200 each half is a batch's.
		for range 50 {
			writeLog(t, w, "nine byte\n")
		}
		if w.Dropped() < 70 {
			t.Errorf("%d were dropped", w.Dropped())
		}
		close(g.open)
		if err := w.Flush(); err != nil {
			t.Error(err)
		}
		lines := int64(bytes.Count(g.text, []byte("nine byte\n")))
		if lines+w.Dropped() != 100 || lines*10 != int64(len(g.text)) || len(g.text) > 200 {
			t.Errorf("%d lines in %d bytes, %d dropped", lines, len(g.text), w.Dropped())
		}
		was := w.Dropped()
		writeLog(t, w, "again\n")
		if err := w.Close(); err != nil || w.Dropped() != was || !bytes.HasSuffix(g.text, []byte("again\n")) {
			t.Errorf("%v, %q", err, g.text)
		}
	})
}

// TestLogWriterFlushDoesNotWaitForOthers: what comes behind a Flush is not its business.
func TestLogWriterFlushDoesNotWaitForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := NewLogWriter(g, 0)
		writeLog(t, w, "first\n")
		flushed := make(chan error, 1)
		go func() { flushed <- w.Flush() }()
		synctest.Wait() // the first is at the gate
		writeLog(t, w, "second\n")
		g.open <- struct{}{}
		synctest.Wait()
		select {
		case err := <-flushed:
			if text, _ := g.written(); err != nil || text != "first\n" {
				t.Errorf("%v, %q", err, text)
			}
		default:
			t.Error("Flush waits for the second")
		}
		close(g.open)
		if err := w.Close(); err != nil || string(g.text) != "first\nsecond\n" {
			t.Errorf("%v, %q", err, g.text)
		}
	})
}

func TestLogWriterErrors(t *testing.T) {
	g := opened()
	g.err = errors.New("disk full")
	w := NewLogWriter(g, 0)
	writeLog(t, w, "a\n")
	if err := w.Flush(); err != g.err {
		t.Errorf("Flush: %v", err)
	}
	if err := w.Flush(); err != nil {
		t.Errorf("Flush once more: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := w.Write([]byte("b\n")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
}

// TestLogWriterOfMany: lines of several goroutines stay whole.
func TestLogWriterOfMany(t *testing.T) {
	g := opened()
	w := NewLogWriter(g, 0)
	var wg sync.WaitGroup
	for _, line := range []string{"one\n", "three\n", "nine times nine\n"} {
		wg.Go(func() {
			for range 1000 {
				_, _ = w.Write([]byte(line))
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(g.text)) {
		counts[line]++
	}
	if len(counts) != 3 || counts["one\n"] != 1000 || counts["three\n"] != 1000 || counts["nine times nine\n"] != 1000 {
		t.Errorf("%v", counts)
	}
}

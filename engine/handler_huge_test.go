package engine_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-go/penstock/engine"
)

const (
	hugeConns = 100
	hugeSize  = 1 << 30

	// hugeMemory is what a connection may cost that carries a huge body to or from a
	// handler: what waits for the one or the other side, twice because buffers grow by
	// doubling, and the stacks of the two goroutines of this test and of the handler's.
	// An upload has inMost and one read of the loop's, 768 KiB; a download SendHigh, what
	// the loop has not taken, and what is written, 384 KiB.
	hugeMemory = 2 * 768 << 10
)

// hugePart is how much of each body is carried in the end: all of it takes minutes.
func hugePart() int64 {
	if os.Getenv("PENSTOCK_HUGE") != "" {
		return hugeSize
	}
	return 8 << 20
}

// memory is what the process uses now, without what is free or in a sync.Pool, which
// survives one collection.
func memory() int64 {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// standsStill waits until nothing moves any more.
func standsStill(t *testing.T, what string, moved *atomic.Int64) {
	t.Helper()
	was, since := int64(-1), time.Now()
	eventually(t, what+" stand still", func() bool {
		if now := moved.Load(); now != was {
			was, since = now, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond
	})
}

// TestHugeUploads: a hundred bodies of 1 GiB each, at once and to handlers that are slow,
// cost what may wait for each, and no more.
func TestHugeUploads(t *testing.T) {
	var moved atomic.Int64
	var inside sync.WaitGroup
	goOn := make(chan struct{})
	conns := hugeConns / over(t).stride()
	inside.Add(conns)
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1<<10)
		inside.Done()
		<-goOn
		n, err := io.Copy(io.Discard, io.LimitReader(r.Body, hugePart()-1<<10))
		fmt.Fprint(w, n+1<<10, err)
	}), engine.Limits{Body: -1, BodyTimeout: time.Hour, RequestTimeout: -1, StallTimeout: time.Hour})
	before := memory()
	peers := make([]*peer, conns)
	for i := range peers {
		peers[i] = v.dial(t)
		_ = peers[i].SetDeadline(time.Now().Add(time.Hour))
	}
	var clients sync.WaitGroup
	for _, p := range peers {
		clients.Go(func() {
			_, _ = fmt.Fprintf(p, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", hugeSize)
			piece := make([]byte, 16<<10)
			for sent := 0; sent < hugeSize; {
				n, err := p.Write(piece)
				moved.Add(int64(n))
				if sent += n; err != nil {
					return // it has its answer
				}
			}
		})
	}
	inside.Wait()
	standsStill(t, "the uploads", &moved)
	checkHuge(t, "an upload", before, conns, moved.Load())
	close(goOn)
	for _, p := range peers {
		p.want(200, fmt.Sprint(hugePart(), nil))
		p.Close()
	}
	clients.Wait()
	t.Logf("%d MiB were sent in all", moved.Load()>>20)
}

// TestHugeDownloads is the same the other way: to clients who are slow.
func TestHugeDownloads(t *testing.T) {
	var moved atomic.Int64
	conns := hugeConns / over(t).stride()
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(hugeSize))
		piece := make([]byte, 16<<10)
		for written := 0; written < hugeSize; {
			n, err := w.Write(piece)
			moved.Add(int64(n))
			if written += n; err != nil {
				return // the client has had enough
			}
		}
	}), engine.Limits{StallTimeout: time.Hour})
	before := memory()
	peers := make([]*peer, conns)
	for i := range peers {
		peers[i] = v.dial(t)
		_ = peers[i].SetDeadline(time.Now().Add(time.Hour))
		peers[i].send(get("/"))
	}
	eventually(t, "all have begun", func() bool { return v.Stats().Requests == int64(conns) })
	standsStill(t, "the downloads", &moved)
	checkHuge(t, "a download", before, conns, moved.Load())
	var clients sync.WaitGroup
	for _, p := range peers {
		clients.Go(func() {
			defer p.Close()
			r, err := http.ReadResponse(p.r, nil)
			if err != nil || r.ContentLength != hugeSize {
				t.Errorf("%v, %v", r, err)
				return
			}
			if n, err := io.CopyN(io.Discard, r.Body, hugePart()); err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	}
	clients.Wait()
	t.Logf("%d MiB were written in all", moved.Load()>>20)
}

func checkHuge(t *testing.T, what string, before int64, conns int, moved int64) {
	t.Helper()
	per := (memory() - before) / int64(conns)
	t.Logf("%d at once, %d MiB on their way: %d KiB of memory for each", conns, moved>>20, per>>10)
	if moved >= int64(conns)*hugeSize/2 {
		t.Fatal("nothing holds them back")
	}
	if per > hugeMemory {
		t.Errorf("%s costs %d KiB, more than %d", what, per>>10, hugeMemory>>10)
	}
}

// queuedMemory is what the body of a request may cost that waits for a worker: what goes
// to it before the handler reads, twice because buffers grow by doubling, what came in
// the same read, and the client's goroutine.
const queuedMemory = 2*64<<10 + 192<<10

// TestBodiesOfRequestsThatWait: as long as a request has no worker, little of its body is
// taken, and when it has one, all of it.
func TestBodiesOfRequestsThatWait(t *testing.T) {
	const body = 4 << 20
	var moved atomic.Int64
	goOn := make(chan struct{})
	conns := 4 + hugeConns/over(t).stride()/2
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-goOn
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	}), engine.Limits{Workers: 1, WorkQueue: conns})
	before := memory()
	peers := make([]*peer, conns)
	var clients sync.WaitGroup
	for i := range peers {
		p := v.dial(t)
		peers[i] = p
		clients.Go(func() {
			_, _ = fmt.Fprintf(p, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", body)
			piece := make([]byte, 16<<10)
			for range body / len(piece) {
				n, _ := p.Write(piece)
				moved.Add(int64(n))
			}
		})
	}
	eventually(t, "all have begun", func() bool { return v.Stats().Requests == int64(conns) })
	standsStill(t, "the bodies", &moved)
	per := (memory() - before) / int64(conns)
	t.Logf("%d KiB for each of %d", per>>10, conns)
	if per > queuedMemory {
		t.Errorf("a request that waits costs %d KiB, more than %d", per>>10, queuedMemory>>10)
	}
	close(goOn)
	for _, p := range peers {
		p.want(200, fmt.Sprint(body, nil))
	}
	clients.Wait()
}

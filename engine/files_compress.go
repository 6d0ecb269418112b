package engine

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/penstock-go/penstock/reactor"
)

// compressQueue is how many files wait for each processor that compresses: about a second,
// for text of usual length.
const compressQueue = 16

// compress makes a representation of r in the nth way, unless a flight before this one
// has. It runs on a worker.
func (m *fileMount) compress(r *resource, nth int) landing {
	if p := r.made[nth].Load(); p != nil {
		return landing{rep: p}
	}
	plain := r.reps[len(r.reps)-1]
	src, done, err := m.source(plain)
	if err != nil {
		return landing{err: err}
	}
	defer done()
	var out bytes.Buffer
	read, err := compressors[nth](&out, io.NewSectionReader(src, 0, plain.size))
	if err == nil && read < plain.size {
		err = reactor.ErrFileShort
	}
	if err != nil {
		return landing{err: err}
	}
	p := &representation{coding: makings[nth], size: int64(out.Len()), data: bytes.Clone(out.Bytes()), fd: -1, made: true}
	p.v = plain.v
	if tag := plain.v.ETag; tag != "" {
		// Another version of the compressor may make other bytes of it (RFC 9110 8.8.1).
		p.v.ETag = "W/" + strings.TrimSuffix(strings.TrimPrefix(tag, "W/"), `"`) + "-" + p.coding + `"`
	}
	if int64(out.Len()) >= plain.size {
		p = plain // what is said to be text is not
	} else {
		m.spell(r, p)
	}
	r.made[nth].Store(p)
	if p != plain {
		m.cache.grown(r, len(p.data))
	}
	return landing{rep: p}
}

// compressors are those of makings. What they compress with is used again: it is long.
var compressors = [...]func(io.Writer, io.Reader) (int64, error){compressZstd, compressGzip}

var (
	zstdWriters = sync.Pool{New: func() any {
		// Level and window are what browsers take, which have 8 MiB at most (RFC 9659).
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		return w
	}}
	gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
)

func compressZstd(dst io.Writer, src io.Reader) (int64, error) {
	w := zstdWriters.Get().(*zstd.Encoder)
	defer zstdWriters.Put(w)
	w.Reset(dst)
	return copyAndClose(w, src)
}

func compressGzip(dst io.Writer, src io.Reader) (int64, error) {
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	w.Reset(dst)
	return copyAndClose(w, src)
}

func copyAndClose(w io.WriteCloser, src io.Reader) (int64, error) {
	n, err := io.Copy(w, src)
	if err == nil {
		err = w.Close()
	}
	return n, err
}

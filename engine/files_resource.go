package engine

import (
	"io"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/http1/content"
)

// resource is what a worker has found at a path: files that are open, or in memory. It
// does not change but for what is compressed of it, and any number of transfers may use
// it at once. Who holds one has counted itself in refs.
type resource struct {
	key     string
	plan    plan
	reps    []*representation // those in store, in the order in which they are preferred
	made    [2]atomic.Pointer[representation]
	checked atomic.Int64 // when it was last looked at
	refs    atomic.Int32

	kind     string // media type
	varies   bool   // clients may get different representations
	compress bool   // clients may get one that is made

	newer, older *resource // in the cache
	bytes        int64     // counted there
}

// representation is the resource's content under one coding.
type representation struct {
	coding string // "identity" for none
	size   int64
	ready  fs.File      // nil if data has it all
	fd     int          // of ready, -1 if the system cannot send from it
	at     io.ReaderAt  // ready, nil if each transfer must open its own
	again  string       // the name to open it by, then
	seeks  bool         // ... and it can begin anywhere
	data   []byte       // all of it, or nil
	made   bool         // anew each time, so that there are no parts that fit together
	warm   atomic.Int64 // until then all of it is taken to be in the kernel's memory
	v      content.Validators
	fields []byte // of 200, 206 and 304: validators, Cache-Control, Vary
	coded  []byte // Content-Encoding and Accept-Ranges, of 200 and 206
}

// made on the fly, in the order in which they are preferred.
var makings = [...]string{"zstd", "gzip"}

// fresh tells whether r need not be looked at again. Whoever is told that it must is the
// one to look.
func (r *resource) fresh(now int64, recheck time.Duration) bool {
	was := r.checked.Load()
	return now-was < int64(recheck) || !r.checked.CompareAndSwap(was, now)
}

func (r *resource) hold() *resource {
	r.refs.Add(1)
	return r
}

// release closes the files when nobody is left who uses them. Closing a file that was
// only read does not wait.
func (r *resource) release() {
	if r != nil && r.refs.Add(-1) == 0 {
		for _, p := range r.reps {
			if p.ready != nil {
				_ = p.ready.Close()
			}
		}
	}
}

// open is how many files r has open.
func (r *resource) open() (n int) {
	for _, p := range r.reps {
		if p.ready != nil {
			n++
		}
	}
	return n
}

// plan is what a look at the file system has found for a path, before anything is opened.
type plan struct {
	status int // of the answer if there is no file for it: 301, 404 and so on; 200 for a listing
	files  []seen
}

// seen is a file of a plan: the one asked for is first, then those beside it.
type seen struct {
	name, coding string
	size         int64
	modified     time.Time
	settled      bool // it cannot change without its time changing
}

// settledAfter is how long after its last change a file's time tells the next: times are
// as coarse as a clock tick, or, on some file systems, two seconds.
const settledAfter = 2 * time.Second

func seenAs(name, coding string, info fs.FileInfo) seen {
	return seen{name, coding, info.Size(), info.ModTime(), info.ModTime().IsZero() || time.Since(info.ModTime()) >= settledAfter}
}

func (p plan) equal(q plan) bool {
	return p.status == q.status && slices.EqualFunc(p.files, q.files, func(a, b seen) bool {
		return a.name == b.name && a.size == b.size && a.modified.Equal(b.modified) && a.settled == b.settled
	})
}

// codings are those of files beside another, by preference.
var codings = [...]struct{ name, ext string }{{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}}

// look makes a plan. It runs on a worker.
func (m *fileMount) look(w filePath) plan {
	info, err := m.stat(w.name)
	switch {
	case err != nil:
		return plan{status: statusOfFile(err)}
	case info.IsDir():
		return m.lookInto(w)
	case w.slash || !info.Mode().IsRegular():
		return plan{status: 404}
	}
	return m.lookBeside(w.name, info)
}

// lookInto finds what stands for a folder.
func (m *fileMount) lookInto(w filePath) plan {
	index := m.opt.Index
	if w.name != "." {
		index = w.name + "/" + index
	}
	info, err := m.stat(index)
	there := err == nil && info.Mode().IsRegular()
	switch {
	case !there && !m.opt.Listing:
		return plan{status: 404}
	case !w.slash:
		return plan{status: 301}
	case !there:
		return plan{status: 200}
	}
	return m.lookBeside(index, info)
}

// lookBeside finds the compressed neighbours of a file.
func (m *fileMount) lookBeside(name string, info fs.FileInfo) plan {
	p := plan{files: []seen{seenAs(name, "identity", info)}}
	if m.opt.NoPrecompressed {
		return p
	}
	for _, c := range codings {
		beside, err := m.stat(name + c.ext)
		if err == nil && beside.Mode().IsRegular() && !beside.ModTime().Before(info.ModTime()) {
			p.files = append(p.files, seenAs(name+c.ext, c.name, beside))
		}
	}
	return p
}

// stat and open are the file system's. When the process has no descriptor left, they
// try again without some of the files that are only kept.
func (m *fileMount) stat(name string) (info fs.FileInfo, err error) {
	if info, err = fs.Stat(m.fsys, name); err != nil && statusOfFile(err) == 503 && m.cache.shed() {
		info, err = fs.Stat(m.fsys, name)
	}
	return info, err
}

func (m *fileMount) open(name string) (f fs.File, err error) {
	if f, err = m.fsys.Open(name); err != nil && statusOfFile(err) == 503 && m.cache.shed() {
		f, err = m.fsys.Open(name)
	}
	return f, err
}

const (
	// smallFile is the size up to which a file's content is kept in memory rather than the
	// file open: from there on, as measured, copying costs more than a second system call.
	smallFile = 16 << 10

	// readFile is the same for files that have to be read, by a worker, to be sent.
	readFile = 64 << 10

	// hashMost is the size up to which a file without a time is recognized by its content.
	hashMost = 16 << 20

	// skipMost is how much of a file that can only be read from its beginning is read in
	// vain for a range.
	skipMost = 16 << 20
)

// openPlan opens what look has found. It runs on a worker.
func (m *fileMount) openPlan(key string, p plan) (*resource, error) {
	r := &resource{key: key, plan: p}
	r.refs.Store(1)
	for i, f := range p.files {
		rep, err := m.openFile(f)
		if err != nil {
			if i > 0 && statusOfFile(err) != 503 {
				continue // a neighbour that is gone since
			}
			r.release()
			return nil, err
		}
		r.reps = append(r.reps, rep)
	}
	if err := m.describe(r); err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

// openFile opens one.
func (m *fileMount) openFile(f seen) (*representation, error) {
	file, err := m.open(f.name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	f = seenAs(f.name, f.coding, info) // it may have changed since the look
	rep := &representation{coding: f.coding, size: f.size, ready: file, fd: -1, again: f.name}
	rep.v.Modified, rep.v.Settled = f.modified, f.settled
	rep.at, _ = file.(io.ReaderAt)
	_, rep.seeks = file.(io.Seeker)
	if f, ok := file.(*os.File); ok { // not what has one in it and may read otherwise
		rep.fd = int(f.Fd())
	}
	most := int64(readFile)
	if rep.fd >= 0 {
		most = smallFile
	}
	if rep.size <= most && m.opt.Memory > 0 && m.opt.OpenFiles > 0 {
		rep.load()
	}
	if rep.ready != nil && rep.at == nil {
		_ = rep.ready.Close()
		rep.ready = nil
	}
	return rep, nil
}

// load takes the content into memory and closes the file, unless it changes meanwhile.
func (p *representation) load() {
	b := make([]byte, p.size+1)
	n, err := io.ReadFull(io.NewSectionReader(p.reader(), 0, p.size+1), b)
	if err != io.ErrUnexpectedEOF && err != io.EOF || int64(n) != p.size {
		return
	}
	if info, err := p.ready.Stat(); err != nil || !info.ModTime().Equal(p.v.Modified) {
		return
	}
	p.data = b[:n:n]
	_ = p.ready.Close()
	p.ready, p.at, p.fd = nil, nil, -1
}

// reader reads a file that was just opened.
func (p *representation) reader() io.ReaderAt {
	if p.at != nil {
		return p.at
	}
	return &sequential{f: p.ready, lent: true}
}

// describe works out what the responses say of r.
func (m *fileMount) describe(r *resource) error {
	first := r.reps[0]
	kind, err := m.mediaType(first)
	if err != nil {
		return err
	}
	r.kind = kind
	r.compress = first.size >= int64(m.opt.CompressFrom) && first.size <= int64(m.opt.CompressTo) && content.Compressible(kind)
	r.varies = r.compress || len(r.reps) > 1
	for _, p := range r.reps {
		if p.v.ETag, err = m.entityTag(p); err != nil {
			return err
		}
		m.spell(r, p)
	}
	r.reps = append(r.reps[1:], first) // those beside it are preferred
	return nil
}

// spell makes the fields of p's responses.
func (m *fileMount) spell(r *resource, p *representation) {
	b := make([]byte, 0, 160)
	if p.v.ETag != "" {
		b = http1.AppendField(b, "ETag", p.v.ETag)
	}
	if !p.v.Modified.IsZero() {
		b = append(http1.AppendDate(append(b, "Last-Modified: "...), p.v.Modified), "\r\n"...)
	}
	if m.opt.CacheControl != "" {
		b = http1.AppendField(b, "Cache-Control", m.opt.CacheControl)
	}
	if r.varies {
		b = append(b, varyByCoding...)
	}
	p.fields = b
	if p.coding != "identity" {
		p.coded = http1.AppendField(p.coded, "Content-Encoding", p.coding)
	}
	if !p.made {
		p.coded = append(p.coded, "Accept-Ranges: bytes\r\n"...)
	}
}

const varyByCoding = "Vary: Accept-Encoding\r\n"

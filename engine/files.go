package engine

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// Files mounts the files of fsys: GET and HEAD, with all of RFC 9110's conditions and
// ranges, and the index file where the path is a folder's. Mount.Files says how. What is
// asked for often stays open, and small files in memory; opening, reading and compressing
// never happen on a loop. Files of the operating system go from its cache to a
// connection without TLS without being copied.
//
// Two sources for a folder: os.DirFS follows symbolic links wherever they lead, so they
// are for whoever may write there to be trusted with; Dir does not follow those that lead
// out of it. An embed.FS has no times, so that its files' entity-tags come from what is
// in them.
//
// When a file, or ranges of it, has been sent, HTTPFileCompletion is raised for the
// vhost's first protocol, and before all of that what may refuse a request.
//
// There is a file or there is 404: for a folder without an index too, for what is no
// regular file, for hidden files (see FileOptions.Dotfiles), and for a path that has
// "..", a backslash or an escaped slash in it. The path of a folder without its slash is
// redirected, the query with it. Several slashes are one.
func Files(path string, fsys fs.FS) Mount {
	return Mount{path: path, to: target{service: &fileMount{fsys: fsys}}}
}

// FileOptions is how Files serves. The zero value is meant for a web site as it is
// built; what the field says of zero is the default.
type FileOptions struct {
	// Index is the name of the file that stands for its folder. Default "index.html".
	Index string
	// Listing shows the contents of a folder that has no index.
	Listing bool
	// Fallback answers with the root's index file, and 200, what would be 404 and looks
	// like a page: one whose last path element has no dot. It is for programs that run in
	// the browser and make their own paths; a missing script is missing still.
	Fallback bool
	// Dotfiles serves what has an element in its path that begins with a dot. The folder
	// .well-known in the root (RFC 8615) is served in any case, but no hidden file in it.
	Dotfiles bool

	// CacheControl is the Cache-Control of what is there: of 200, 206 and 304. "" sends
	// none, and caches then decide by the file's age (RFC 9111 4.2.2).
	CacheControl string
	// Types are media types by extension, such as ".wasm"; they come before the engine's
	// own. A file whose extension nobody knows is looked at.
	Types map[string]string

	// NoPrecompressed leaves files alone that lie beside another and have .br, .zst or .gz
	// behind its name. Without it they are what clients get who can decode them, if they
	// are not older than the other.
	NoPrecompressed bool
	// CompressFrom is the size in bytes from which on text is compressed, by zstd or gzip,
	// where there is no compressed file beside it. Default 1400, which is a packet;
	// negative is never. It is done once and kept with what else is in memory.
	CompressFrom int
	// CompressTo is the size up to which: compressing needs that much memory. What is longer
	// is better compressed beforehand. GOMAXPROCS less one are compressed at once, and one
	// at least; when many wait for that, others get theirs as they are. Default 8 MiB.
	CompressTo int

	// OpenFiles is how many files stay open, or in memory, while nobody asks for them. One
	// that is not small takes a descriptor, and counts for as many more as it has compressed
	// neighbours that are open. Limits.Connections leaves room for them. Default 256;
	// negative is none.
	OpenFiles int
	// Memory is how many bytes of files, small ones and compressed ones, stay in memory.
	// Default 32 MiB; negative is none.
	Memory int64
	// Recheck is how long what is known about a file is good without a look at it, and that
	// there is none. Default one second; negative is none at all.
	Recheck time.Duration
}

func (o *FileOptions) check() error {
	if o.Index != "" && (!fs.ValidPath(o.Index) || strings.Contains(o.Index, "/")) {
		return configErrorf("Files.Index %q is no file's name", o.Index)
	}
	if !http1.ValidValue(o.CacheControl) {
		return configErrorf("Files.CacheControl %q", o.CacheControl)
	}
	for ext, t := range o.Types {
		if !strings.HasPrefix(ext, ".") || t == "" || !http1.ValidValue(t) {
			return configErrorf("Files.Types: %q for %q", t, ext)
		}
	}
	return nil
}

// withDefaults is a copy with every zero and negative field settled.
func (o FileOptions) withDefaults() FileOptions {
	if o.Index == "" {
		o.Index = "index.html"
	}
	length(&o.CompressFrom, 1400)
	length(&o.CompressTo, 8<<20)
	if o.OpenFiles == 0 {
		o.OpenFiles = 256
	}
	if o.Memory == 0 {
		o.Memory = 32 << 20
	}
	if o.Recheck == 0 {
		o.Recheck = time.Second
	}
	o.Types = maps.Clone(o.Types)
	return o
}

// fileMount is the service of Files. New makes one of its own for each mount in use, with
// the mount's options and what stays open for it.
type fileMount struct {
	fsys   fs.FS
	prefix string // the mount point, without a slash at its end
	opt    FileOptions
	cache  fileCache // of what is there
	absent fileCache // of what is not, which whoever asks at random cannot drive that out by

	flights flights
}

func (m *fileMount) check() error {
	if m.fsys == nil {
		return configErrorf("no files")
	}
	return nil
}

// use is m for a mount in use.
func (m *fileMount) use(of *Mount) service {
	u := &fileMount{fsys: m.fsys, prefix: of.path, opt: of.Files.withDefaults()}
	u.cache.init(u.opt.OpenFiles, u.opt.Memory)
	if u.opt.Recheck > 0 {
		u.absent.init(absentMost, absentBytes)
	}
	return u
}

// keeps is how many descriptors stay open.
func (m *fileMount) keeps() int { return max(m.opt.OpenFiles, 0) }

// close gives back what is open.
func (m *fileMount) close() {
	m.cache.close()
	m.absent.close()
}

func (m *fileMount) upgrades() bool { return false }

// serve answers what is in the cache, or nothing to be opened for, and leaves the rest
// to a worker.
func (m *fileMount) serve(h *httpRole, s *session, path []byte) answering {
	switch string(h.req.Method()) {
	case "GET", "HEAD":
	case "OPTIONS":
		_ = h.addHeader("Allow", fileMethods)
		h.called(s, h.respond(s, 204, "", nil))
		return nil
	default:
		_ = h.addHeader("Allow", fileMethods)
		h.status(s, 405)
		return nil
	}
	want, status := pathOfFile(path, m.opt.Dotfiles)
	if status != 0 {
		h.status(s, status)
		return nil
	}
	t := &transfer{m: m, h: h, s: s, want: want}
	r, fresh := m.known(want, s.l.r.Now())
	if fresh {
		t.found(r)
	} else {
		t.was = r
		t.open()
	}
	if t.h == nil {
		return nil
	}
	return t
}

// known is what is kept for w, held, and whether that is good without a look at it.
func (m *fileMount) known(w filePath, now int64) (r *resource, fresh bool) {
	if r = m.cache.get(w.key()); r != nil {
		return r, r.fresh(now, m.opt.Recheck)
	}
	if r = m.absent.get(w.key()); r == nil {
		return nil, false
	}
	fresh = r.fresh(now, m.opt.Recheck)
	if fresh && !m.fallsBack(w, r.plan) {
		return r, true
	}
	r.release()
	if fresh {
		if r, fresh = m.known(rootPath, now); fresh {
			return r, true
		}
		r.release()
	}
	return nil, false
}

// fallsBack tells whether the root's index stands for w.
func (m *fileMount) fallsBack(w filePath, p plan) bool {
	return m.opt.Fallback && p.status == 404 && w.page() && w != rootPath
}

const fileMethods = "GET, HEAD, OPTIONS"

// Dir is the folder path as a source for Files that nobody gets out of: a symbolic link
// that leads elsewhere is not followed, and neither is "..". It opens path anew for every
// file, so that the folder may be replaced.
func Dir(path string) fs.FS { return dir(path) }

type dir string

// Open implements fs.FS, and so do the next two fs.StatFS and fs.ReadDirFS.
func (d dir) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, err := os.OpenInRoot(string(d), name)
	if err != nil {
		return nil, insideOnly(err) // not f, which would be an interface with a nil pointer
	}
	return f, nil
}

func (d dir) Stat(name string) (fs.FileInfo, error) {
	var info fs.FileInfo
	err := d.in(func(fsys fs.FS) (err error) { info, err = fs.Stat(fsys, name); return })
	return info, err
}

func (d dir) ReadDir(name string) ([]fs.DirEntry, error) {
	var list []fs.DirEntry
	err := d.in(func(fsys fs.FS) (err error) { list, err = fs.ReadDir(fsys, name); return })
	return list, err
}

// in lends f the folder.
func (d dir) in(f func(fs.FS) error) error {
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return err
	}
	defer root.Close()
	return insideOnly(f(root.FS()))
}

// insideOnly says of what leads out of a folder that it is not there. It is the one error
// of an os.Root that is not the system's, and it has no name.
func insideOnly(err error) error {
	var path *fs.PathError
	var e syscall.Errno
	if errors.As(err, &path) && !errors.As(err, &e) {
		return &fs.PathError{Op: path.Op, Path: path.Path, Err: fs.ErrNotExist}
	}
	return err
}

// ServeFile implements callbacks.Session.
func (s *session) ServeFile(fsys fs.FS, name string) error {
	h, err := s.inHand()
	switch {
	case err != nil:
		return err
	case h.flags&httpStarted != 0 || h.raw != nil || h.work != nil:
		return callbacks.ErrAnswered
	case !fs.ValidPath(name):
		return &fs.PathError{Op: "serve", Path: name, Err: fs.ErrInvalid}
	}
	m := &fileMount{fsys: fsys, opt: FileOptions{NoPrecompressed: true, CompressFrom: -1, OpenFiles: -1, Memory: -1}.withDefaults()}
	m.cache.init(m.opt.OpenFiles, m.opt.Memory)
	t := &transfer{m: m, h: h, s: s, want: filePath{name: name}, program: true}
	h.work = t
	t.open()
	return nil
}

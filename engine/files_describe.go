package engine

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"syscall"

	"github.com/penstock-go/penstock/codec/http1/content"
)

// mediaType is a file's: by the program's table, the engine's, or what its first bytes
// look like.
func (m *fileMount) mediaType(p *representation) (string, error) {
	ext := path.Ext(p.again)
	if t, ok := m.opt.Types[ext]; ok {
		return t, nil
	}
	if t := content.TypeByExtension(ext); t != "" {
		return t, nil
	}
	var head [512]byte
	n, err := m.readAt(p, head[:], 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	return http.DetectContentType(head[:n]), nil
}

// entityTag is from the time, which changes with every write, and the size, or from the
// content where there is no time. It is weak as long as the file could change again
// without its time changing (RFC 9110 8.8.1), strong afterwards. The coding is in it, for it must differ
// between representations of the same thing (RFC 9110 8.8.3.3).
func (m *fileMount) entityTag(p *representation) (string, error) {
	b := make([]byte, 0, 48)
	if !p.v.Settled {
		b = append(b, "W/"...)
	}
	b = append(b, '"')
	switch {
	case !p.v.Modified.IsZero():
		b = strconv.AppendInt(b, p.size, 36)
		b = append(b, '-')
		b = strconv.AppendInt(b, p.v.Modified.UnixNano(), 36)
	case p.size > hashMost:
		return "", nil
	default:
		sum, err := m.sum(p)
		if err != nil {
			return "", err
		}
		b = base64.RawURLEncoding.AppendEncode(b, sum[:15])
	}
	if p.coding != "identity" {
		b = append(append(b, '-'), p.coding...)
	}
	return string(append(b, '"')), nil
}

func (m *fileMount) sum(p *representation) ([]byte, error) {
	all := sha256.New()
	src, done, err := m.source(p)
	if err != nil {
		return nil, err
	}
	defer done()
	_, err = io.Copy(all, io.NewSectionReader(src, 0, p.size))
	return all.Sum(nil), err
}

// readAt reads from p as a worker may.
func (m *fileMount) readAt(p *representation, b []byte, off int64) (int, error) {
	src, done, err := m.source(p)
	if err != nil {
		return 0, err
	}
	defer done()
	return src.ReadAt(b, off)
}

// source is where p is read from, until done.
func (m *fileMount) source(p *representation) (src io.ReaderAt, done func(), err error) {
	switch {
	case p.data != nil:
		return memory(p.data), func() {}, nil
	case p.at != nil:
		return p.at, func() {}, nil
	}
	q := &sequential{open: func() (fs.File, error) { return m.open(p.again) }}
	return q, q.close, nil
}

// memory is a ReaderAt.
type memory []byte

func (m memory) ReadAt(b []byte, off int64) (int, error) {
	if off >= int64(len(m)) {
		return 0, io.EOF
	}
	n := copy(b, m[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// sequential reads a file that may have no other way than from its beginning to its end.
// It belongs to one transfer.
type sequential struct {
	open func() (fs.File, error)
	f    fs.File
	pos  int64
	lent bool // whoever opened f closes it
}

// ReadAt reads on if it can, seeks if the file can, skips ahead, or begins anew.
func (q *sequential) ReadAt(b []byte, off int64) (int, error) {
	if err := q.goTo(off); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(q.f, b)
	q.pos += int64(n)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

func (q *sequential) goTo(off int64) (err error) {
	if s, ok := q.f.(io.Seeker); ok && q.pos != off {
		q.pos, err = s.Seek(off, io.SeekStart)
		return err
	}
	if q.f == nil || off < q.pos {
		if q.open == nil {
			return errors.ErrUnsupported
		}
		q.close()
		if q.f, err = q.open(); err != nil {
			q.f = nil
			return err
		}
		q.pos = 0
		if off > 0 {
			return q.goTo(off)
		}
	}
	if off > q.pos {
		n, err := io.CopyN(io.Discard, q.f, off-q.pos)
		q.pos += n
		return err
	}
	return nil
}

func (q *sequential) close() {
	if q.f != nil && !q.lent {
		_ = q.f.Close()
	}
	q.f, q.pos = nil, 0
}

// statusOfFile answers for a file that cannot be had.
func statusOfFile(err error) int {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG),
		errors.Is(err, syscall.ELOOP):
		return 404
	case errors.Is(err, fs.ErrPermission):
		return 403
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return 503
	}
	return 500
}

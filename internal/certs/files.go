package certs

import (
	"crypto/tls"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
)

// Files is a certificate and its key on disk, where some tool replaces them now and then.
//
//	OpenFiles ──> in place ──Changed: files differ, pair loads───────> in place (the new one), true
//	                 │  ^
//	  Changed: pair  │  │ Changed: pair loads
//	  does not load  v  │
//	              waiting ── the old one stays in place; each Changed reads again
//
// It holds no open file. All methods may be called from any goroutine.
type Files struct {
	paths   []string // the certificate's, and the key's if it has its own
	current atomic.Pointer[tls.Certificate]

	mu     sync.Mutex    // held by Changed, across its reading
	seen   []os.FileInfo // as of the last reading; nil for a file that was not there
	failed string        // the error of the last reading
}

// OpenFiles reads a certificate chain and its key, in the forms that Pair takes. An empty key means that the key is in
// the file of the certificate. The error is Pair's or that of reading a file, and names the file.
func OpenFiles(cert, key string) (*Files, error) {
	f := &Files{paths: []string{cert}}
	if key != "" {
		f.paths = append(f.paths, key)
	}
	if _, err := f.Changed(); err != nil {
		return nil, err
	}
	return f, nil
}

// Certificate returns the current pair, which is never nil. It does not block, and the caller must not change the pair.
func (f *Files) Certificate() *tls.Certificate { return f.current.Load() }

// Changed looks at the files and puts a new pair in place. It is true if Certificate now returns another pair, and
// false if the files are as they were or hold the same certificates as before.
//
// Files that cannot be read or do not belong together, as when the second of two is about to be replaced, leave the
// current pair in place. The error says so once: as long as the files stay the same and so does what is wrong with
// them, Changed reads them again at each call and returns false and nil. Each further change that is no better
// returns an error again.
//
// A file that is replaced by one of the same size, modification time and inode is not noticed. It blocks for the disk.
func (f *Files) Changed() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// Before the reading: a file that changes in between is then seen as changed next time.
	now := stat(f.paths)
	same := f.seen != nil && slices.EqualFunc(now, f.seen, sameFile)
	if same && f.failed == "" {
		return false, nil
	}
	f.seen = now
	pair, err := f.read()
	if err != nil {
		repeated := same && err.Error() == f.failed
		f.failed = err.Error()
		if repeated {
			return false, nil
		}
		return false, err
	}
	f.failed = ""
	if old := f.current.Load(); old != nil && slices.EqualFunc(pair.Certificate, old.Certificate, slices.Equal) {
		return false, nil // the same certificate has the same key
	}
	f.current.Store(&pair)
	return true, nil
}

// read loads the pair, whatever it is now.
func (f *Files) read() (tls.Certificate, error) {
	var data [2][]byte
	for i, path := range f.paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("certs: %w", err) // names the file itself
		}
		data[i] = b
	}
	pair, err := Pair(data[0], data[1])
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w, in %q", err, f.paths)
	}
	return pair, nil
}

// stat follows links, so that a link that is turned to another file counts as a change.
func stat(paths []string) []os.FileInfo {
	out := make([]os.FileInfo, len(paths))
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			out[i] = info
		}
	}
	return out
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

package form

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/codec/http1"
)

// closer is a writer without CloseWithError.
type closer struct {
	write  func(p []byte) (int, error)
	close  error
	closed int
}

func (c *closer) Write(p []byte) (int, error) { return c.write(p) }
func (c *closer) Close() error                { c.closed++; return c.close }

func feed(t *testing.T, body string, onFile func(*File) (io.WriteCloser, error)) error {
	t.Helper()
	f, err := New(request(t, "multipart/form-data; boundary=x"), nil, onFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	if err := f.Write([]byte(body)); err != nil {
		return err
	}
	return f.Close()
}

// cutFile ends in the middle of a file.
var cutFile, _, _ = strings.Cut(parts(filePart("f", "n", "abc|def")), "|")

var errFull = errors.New("disk full")

func TestErrorsOfWriters(t *testing.T) {
	all := func(p []byte) (int, error) { return len(p), nil }
	for name, c := range map[string]struct {
		sink closer
		want error
	}{
		"takes all":    {closer{write: all}, nil},
		"fails":        {closer{write: func([]byte) (int, error) { return 0, errFull }}, errFull},
		"writes short": {closer{write: func(p []byte) (int, error) { return len(p) - 1, nil }}, io.ErrShortWrite},
		"close fails":  {closer{write: all, close: errFull}, errFull},
	} {
		t.Run(name, func(t *testing.T) {
			err := feed(t, parts(filePart("f", "n", "abc")), func(*File) (io.WriteCloser, error) { return &c.sink, nil })
			if err != c.want || c.sink.closed != 1 {
				t.Errorf("%v, closed %d times", err, c.sink.closed)
			}
		})
	}
}

func TestFilesThatNobodyWants(t *testing.T) {
	body := parts(filePart("f", "n", "abc"), textPart("a", "b"))
	if err := feed(t, body, nil); err != nil {
		t.Errorf("without a function: %v", err)
	}
	if err := feed(t, body, func(*File) (io.WriteCloser, error) { return nil, nil }); err != nil {
		t.Errorf("without a writer: %v", err)
	}
	if err := feed(t, body, func(*File) (io.WriteCloser, error) { return nil, errFull }); err != errFull {
		t.Errorf("refused: %v", err)
	}
}

// TestAbortTellsTheFile: an upload that stops in the middle must not look complete.
func TestAbortTellsTheFile(t *testing.T) {
	r := new(recorder)
	f, err := New(request(t, "multipart/form-data; boundary=x"), nil, r.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write([]byte(cutFile)); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	f.Abort()
	if want := []string{`f<n;text/plain>"abc" cut`}; !slices.Equal(r.events, want) {
		t.Errorf("%q", r.events)
	}
	if err := f.Write([]byte("x")); err != ErrIncomplete {
		t.Errorf("behind the end: %v", err)
	}
	if err := f.Close(); err != ErrIncomplete {
		t.Errorf("Close: %v", err)
	}
}

func TestAbortAfterTheEnd(t *testing.T) {
	f, _ := New(request(t, "application/x-www-form-urlencoded"), nil, nil)
	if err := errors.Join(f.Write([]byte("a=b")), f.Close()); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	if err := f.Close(); err != nil {
		t.Errorf("Close once more: %v", err)
	}
	if err := f.Write([]byte("&c=d")); err != ErrIncomplete || f.Len() != 1 {
		t.Errorf("Write behind the end: %v", err)
	}
}

// TestPipe: a file can be read from another goroutine, which learns how it ends.
func TestPipe(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		err  error
	}{
		"whole": {parts(filePart("f", "n", "abc")), nil},
		"cut":   {cutFile, ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := io.Pipe()
			type result struct {
				text string
				err  error
			}
			read := make(chan result, 1)
			go func() {
				b, err := io.ReadAll(r)
				read <- result{string(b), err}
			}()
			if err := feed(t, c.body, func(*File) (io.WriteCloser, error) { return w, nil }); err != c.err {
				t.Errorf("the form says %v", err)
			}
			if got := <-read; got != (result{"abc", c.err}) {
				t.Errorf("the reader has %+v", got)
			}
		})
	}
}

func TestFileHeader(t *testing.T) {
	var got *File
	err := feed(t, parts("X-Other: y\n"+filePart("f", "n", "")), func(f *File) (io.WriteCloser, error) {
		got = f
		return nil, nil
	})
	want := []http1.Field{{Name: "X-Other", Value: "y"}, {Name: "Content-Disposition", Value: `form-data; name="f"; filename="n"`}, {Name: "Content-Type", Value: "text/plain"}}
	if err != nil || !slices.Equal(got.Header, want) {
		t.Errorf("%v %q", err, got.Header)
	}
}

func TestValues(t *testing.T) {
	f, _ := New(request(t, "application/x-www-form-urlencoded"), nil, nil)
	if err := errors.Join(f.Write([]byte("a=1&b=2&a=3&c")), f.Close()); err != nil {
		t.Fatal(err)
	}
	if f.Value("a") != "1" || f.Value("b") != "2" || f.Value("x") != "" || f.Len() != 4 {
		t.Errorf("%q", f.list)
	}
	if !f.Has("c") || f.Has("x") || !slices.Equal(f.Values("a"), []string{"1", "3"}) || f.Values("x") != nil {
		t.Errorf("%q", f.list)
	}
}

// TestErrorsHaveTheirAnswer: what a callback returns becomes the right status.
func TestErrorsHaveTheirAnswer(t *testing.T) {
	for status, list := range map[int][]*http1.Error{
		400: {ErrContentType, ErrEscape, ErrBoundary, ErrHeader, ErrIncomplete},
		413: {ErrFields, ErrName, ErrValue, ErrMemory, ErrPartHeader, ErrFile},
		415: {ErrType, ErrEncoding},
	} {
		for _, err := range list {
			if err.Status != status || !err.Remote || !strings.HasPrefix(err.Error(), "http1: form: ") {
				t.Errorf("%+v", err)
			}
		}
	}
}

// TestFilesAllocateNothing: what streams through costs nothing for its length.
func TestFilesAllocateNothing(t *testing.T) {
	f, err := New(request(t, "multipart/form-data; boundary=x"), nil, func(*File) (io.WriteCloser, error) {
		return &closer{write: func(p []byte) (int, error) { return len(p), nil }}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	if err := f.Write([]byte("--x\r\n" + strings.ReplaceAll(strings.TrimSuffix(filePart("f", "n", ""), "\n\n"), "\n", "\r\n") + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	piece := append(bytes.Repeat([]byte("content\r\n--"), 1000), "\r\n-"...)
	if n := testing.AllocsPerRun(100, func() {
		if err := f.Write(piece); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a piece of %d bytes", n, len(piece))
	}
}

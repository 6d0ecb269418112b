package engine_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// siteTime is when all files of a site were written.
var siteTime = time.Date(2024, 5, 6, 7, 8, 9, 500_000_000, time.UTC)

const siteTimeText = "Mon, 06 May 2024 07:08:09 GMT"

// prose is n bytes that a compressor likes.
func prose(n int) string { return strings.Repeat("All work and no play. ", n/22+1)[:n] }

// noise is n bytes that it does not, and of which each place can be told.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return string(b)
}

// site is a folder with the files.
func site(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(data), 0o644))
		if err = errors.Join(err, os.Chtimes(path, siteTime, siteTime)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// withFiles serves mounts.
func withFiles(t *testing.T, mounts ...engine.Mount) *server {
	t.Helper()
	return start(t, engine.Config{Loops: 1, Limits: quick,
		Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{{Callback: nothing}}, Mounts: mounts}}})
}

// ask sends a request with more lines and returns the answer.
func (p *peer) ask(method, target string, lines ...string) (*http.Response, string) {
	p.t.Helper()
	p.send(method + " " + target + " HTTP/1.1\r\nHost: test\r\n" + strings.Join(append(lines, "", ""), "\r\n"))
	return p.response(method)
}

// fieldsAlike are those that Files and http.FileServer say the same of.
var fieldsAlike = []string{"Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified"}

// TestFilesAnswerAsFileServer: where net/http does what the RFC says, or what everybody
// does, it is the same.
func TestFilesAnswerAsFileServer(t *testing.T) {
	dir := site(t, map[string]string{"index.html": "<p>home", "hello.txt": "hello, world", "empty.txt": "", "big.bin": noise(300_000),
		"with space.txt": "space", "ä.txt": "umlaut", "sub/index.html": "<p>sub", "sub/page.css": "p{}", "noext": "just text", "a:b.txt": "colon"})
	theirs := http.FileServer(http.Dir(dir))
	p := withFiles(t, engine.Files("/", os.DirFS(dir))).dial(t)
	for _, c := range []struct{ method, target, lines string }{
		{"GET", "/", ""}, {"HEAD", "/", ""}, {"GET", "/hello.txt", ""}, {"HEAD", "/hello.txt", ""}, {"GET", "/empty.txt", ""}, {"HEAD", "/empty.txt", ""},
		{"GET", "/big.bin", ""}, {"HEAD", "/big.bin", ""}, {"GET", "/with%20space.txt", ""}, {"GET", "/%C3%A4.txt", ""}, {"GET", "/sub/", ""},
		{"GET", "/sub/page.css", ""}, {"GET", "/sub//page.css", ""}, {"GET", "/sub/./page.css", ""}, {"GET", "/noext", ""}, {"GET", "/a:b.txt", ""},
		{"GET", "/hello.txt?query", ""}, {"GET", "/missing", ""}, {"HEAD", "/missing", ""}, {"GET", "/hello.txt/x", ""},
		{"GET", "/hello.txt", "Range: bytes=0-4"}, {"GET", "/hello.txt", "Range: bytes=-5"}, {"GET", "/hello.txt", "Range: bytes=7-"},
		{"GET", "/hello.txt", "Range: bytes=5-500"}, {"GET", "/hello.txt", "Range: bytes=500-"}, {"GET", "/empty.txt", "Range: bytes=0-"},
		{"GET", "/big.bin", "Range: bytes=100000-250000"}, {"GET", "/big.bin", "Range: bytes=-1"},
		{"GET", "/hello.txt", "Range: bytes=0-4\r\nIf-Range: " + siteTimeText}, {"GET", "/hello.txt", "Range: bytes=0-4\r\nIf-Range: Mon, 06 May 2024 07:08:08 GMT"},
		{"GET", "/hello.txt", `Range: bytes=0-4` + "\r\n" + `If-Range: "other"`},
		{"GET", "/hello.txt", "If-Modified-Since: " + siteTimeText}, {"GET", "/hello.txt", "If-Modified-Since: Mon, 06 May 2024 07:08:08 GMT"},
		{"HEAD", "/hello.txt", "If-Modified-Since: " + siteTimeText}, {"GET", "/hello.txt", "If-Modified-Since: never"},
		{"GET", "/hello.txt", "If-Unmodified-Since: " + siteTimeText}, {"GET", "/hello.txt", "If-Unmodified-Since: Mon, 06 May 2024 07:08:08 GMT"},
		{"GET", "/hello.txt", "If-None-Match: *"}, {"GET", "/hello.txt", `If-Match: "other"`}, {"GET", "/hello.txt", "If-Match: *"},
		{"GET", "/hello.txt", `If-None-Match: "other"` + "\r\nIf-Modified-Since: " + siteTimeText},
	} {
		lines := strings.Split(c.lines, "\r\n")
		if c.lines == "" {
			lines = nil
		}
		got, body := p.ask(c.method, c.target, lines...)
		w := httptest.NewRecorder()
		r := httptest.NewRequest(c.method, c.target, nil)
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		theirs.ServeHTTP(w, r)
		want := w.Result()
		if got.StatusCode != want.StatusCode {
			t.Errorf("%s %s %q: %d, want %d", c.method, c.target, lines, got.StatusCode, want.StatusCode)
			continue
		}
		if want.StatusCode >= 300 {
			continue // pages of errors differ
		}
		if whole := w.Body.String(); body != whole {
			t.Errorf("%s %s %q: %d bytes, want %d", c.method, c.target, lines, len(body), len(whole))
		}
		for _, name := range fieldsAlike {
			if got.Header.Get(name) != want.Header.Get(name) {
				t.Errorf("%s %s %q: %s is %q, want %q", c.method, c.target, lines, name, got.Header.Get(name), want.Header.Get(name))
			}
		}
	}
}

// TestFilesByTheirSource: the same answers, whatever the source can do.
func TestFilesByTheirSource(t *testing.T) {
	small, large := "hello, world", noise(700_000)
	dir := site(t, map[string]string{"small.txt": small, "large.bin": large, "empty": ""})
	memory := fstest.MapFS{"small.txt": {Data: []byte(small), ModTime: siteTime}, "large.bin": {Data: []byte(large), ModTime: siteTime}, "empty": {ModTime: siteTime}}
	for name, fsys := range map[string]fs.FS{"os.DirFS": os.DirFS(dir), "Dir": engine.Dir(dir), "a map": memory,
		"files that only read": onlyReads{os.DirFS(dir)}, "files that read and seek": onlyReads{memory}} {
		for keeping, files := range map[string]engine.FileOptions{"kept": {}, "kept nowhere": {OpenFiles: -1, Memory: -1}, "looked at each time": {Recheck: -1}} {
			t.Run(name+", "+keeping, func(t *testing.T) {
				m := engine.Files("/files", fsys)
				m.Files = files
				p := withFiles(t, m).dial(t)
				for range 2 { // the second time from the cache
					askForParts(t, p, "/files/small.txt", small)
					askForParts(t, p, "/files/large.bin", large)
					if r, body := p.ask("GET", "/files/empty"); r.StatusCode != 200 || body != "" || r.ContentLength != 0 {
						t.Fatalf("an empty file: %s, %q", r.Status, body)
					}
				}
			})
		}
	}
}

// askForParts wants a file whole and in parts.
func askForParts(t *testing.T, p *peer, path, data string) {
	t.Helper()
	n := len(data)
	first, body := p.ask("GET", path)
	if first.StatusCode != 200 || body != data || first.ContentLength != int64(n) || first.Header.Get("Last-Modified") != siteTimeText {
		t.Fatalf("%s: %s, %d bytes, %v", path, first.Status, len(body), first.Header)
	}
	tag := first.Header.Get("ETag")
	if !strings.HasPrefix(tag, `"`) {
		t.Fatalf("%s: no strong ETag: %q", path, tag)
	}
	if r, body := p.ask("HEAD", path); r.StatusCode != 200 || body != "" || r.ContentLength != int64(n) || r.Header.Get("ETag") != tag {
		t.Fatalf("%s: HEAD: %s, %v", path, r.Status, r.Header)
	}
	r, body := p.ask("GET", path, fmt.Sprintf("Range: bytes=3-%d", n/2), "If-Range: "+tag)
	if r.StatusCode != 206 || body != data[3:n/2+1] || r.Header.Get("Content-Range") != fmt.Sprintf("bytes 3-%d/%d", n/2, n) {
		t.Fatalf("%s: a range: %s, %d bytes, %v", path, r.Status, len(body), r.Header)
	}
	if r, body := p.ask("GET", path, "If-None-Match: "+tag); r.StatusCode != 304 || body != "" || r.Header.Get("ETag") != tag {
		t.Fatalf("%s: not modified: %s, %v", path, r.Status, r.Header)
	}
	if r, _ := p.ask("GET", path, "Range: bytes=99999999-"); r.StatusCode != 416 || r.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", n) {
		t.Fatalf("%s: beyond the end: %s, %v", path, r.Status, r.Header)
	}
}

// onlyReads hides that a file can do more than fs.File asks for.
type onlyReads struct{ fs.FS }

func (o onlyReads) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if m, ok := f.(io.Seeker); ok && strings.Contains(fmt.Sprintf("%T", f), "fstest") {
		return struct {
			fs.File
			io.Seeker
		}{f, m}, nil
	}
	return struct{ fs.File }{f}, nil
}

// TestSeveralRanges is RFC 9110 14.6 and 15.3.7.2.
func TestSeveralRanges(t *testing.T) {
	small, large := noise(10_000), noise(2_000_000)
	p := withFiles(t, engine.Files("/", os.DirFS(site(t, map[string]string{"small.bin": small, "large.bin": large})))).dial(t)
	for path, data := range map[string]string{"/small.bin": small, "/large.bin": large} {
		r, body := p.ask("GET", path, "Range: bytes=5000-5999, 0-9, -1")
		kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if r.StatusCode != 206 || err != nil || kind != "multipart/byteranges" || r.ContentLength != int64(len(body)) || r.Header.Get("Content-Range") != "" {
			t.Fatalf("%s: %s, %v", path, r.Status, r.Header)
		}
		parts := multipart.NewReader(strings.NewReader(body), params["boundary"])
		n := len(data)
		for _, want := range []struct{ span, data string }{
			{fmt.Sprintf("bytes 5000-5999/%d", n), data[5000:6000]},
			{fmt.Sprintf("bytes 0-9/%d", n), data[:10]},
			{fmt.Sprintf("bytes %d-%d/%d", n-1, n-1, n), data[n-1:]},
		} {
			part, err := parts.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(part)
			if err != nil || string(got) != want.data || part.Header.Get("Content-Range") != want.span || part.Header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("%s: %v, %v; %d bytes", path, err, part.Header, len(got))
			}
		}
		if _, err := parts.NextRawPart(); err != io.EOF {
			t.Errorf("%s: behind the last part: %v", path, err)
		}
		if r, body := p.ask("GET", path, "Range: bytes=10-19,15-29"); r.StatusCode != 206 || body != data[10:30] {
			t.Errorf("%s: overlapping ranges: %s, %d bytes", path, r.Status, len(body))
		}
	}
}

// TestPathsThatGetNowhere: whatever the path, nothing outside of the folder is served,
// nothing hidden in it, and no path has two meanings.
func TestPathsThatGetNowhere(t *testing.T) {
	dir := site(t, map[string]string{"web/index.html": "home", "web/file.txt": "file", "web/.hidden": "hidden", "web/.git/config": "hidden", "secret.txt": "secret",
		"web/.well-known/security.txt": "well known", "web/.well-known/.hidden": "hidden", "web/sub/file.txt": "sub", "web/empty/.keep": "hidden"})
	for link, to := range map[string]string{"web/inside.txt": "file.txt", "web/outside.txt": "../secret.txt", "web/up": ".."} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	listed := engine.Files("/list", engine.Dir(filepath.Join(dir, "web")))
	listed.Files.Listing = true
	p := withFiles(t, listed, engine.Files("/www", engine.Dir(filepath.Join(dir, "web"))), engine.Files("/linked", os.DirFS(filepath.Join(dir, "web")))).dial(t)
	for path, want := range map[string]int{
		"/www/": 200, "/www/file.txt": 200, "/www//file.txt": 200, "/www/./file.txt": 200, "/www/%66ile.txt": 200, "/www/inside.txt": 200,
		"/www/.well-known/security.txt": 200, "/www": 301, "/www/sub/file.txt": 200,
		"/www/sub": 404, "/www/sub/": 404, "/www/empty/": 404, "/www/file.txt/": 404, "/www/File.txt": 404,
		"/www/../secret.txt": 400, "/www/..%2fsecret.txt": 400, "/www/%2e%2e/secret.txt": 400, "/www/%2E%2E%2Fsecret.txt": 400,
		"/www/sub/../file.txt": 404, "/www/sub/%2e%2e/file.txt": 404, "/www/sub%2ffile.txt": 404, "/www/sub%2Ffile.txt": 404,
		"/www/..%5csecret.txt": 404, "/www/sub%5cfile.txt": 404, "/www/%252e%252e/secret.txt": 404, "/www/%252e%252e%252fsecret.txt": 404,
		"/www/....//secret.txt": 404, "/www/.../secret.txt": 404, "/www/..;/secret.txt": 404, "/www/%c0%ae%c0%ae/secret.txt": 404, "/www/%ff": 404,
		"/www/.hidden": 404, "/www/%2ehidden": 404, "/www/.git/config": 404, "/www/sub/.hidden": 404, "/www/.well-known/.hidden": 404, "/www/sub/.well-known/x": 404,
		"/www/file.txt%00": 400, "/www/%00": 400,
		"/www/outside.txt": 404, "/www/up/secret.txt": 404, "/www/up/web/file.txt": 404,
		"/list/sub/": 200, "/list/up/": 404, "/list/up": 404, "/list/.git/": 404,
		"/linked/outside.txt": 200, "/linked/inside.txt": 200, "/linked/../secret.txt": 400, "/www/sub/../../secret.txt": 400,
		"/wwwfile.txt": 404, "/www/" + strings.Repeat("x", 300): 404, "/www/" + strings.Repeat("x/", 3000): 404,
	} {
		r, body := p.ask("GET", path)
		if r.Close {
			p = withFilesAgain(t, p)
		}
		if r.StatusCode != want {
			t.Errorf("%s: %s %q, want %d", path, r.Status, body, want)
		}
		if strings.Contains(body, "hidden") || strings.Contains(body, "secret") && !strings.HasPrefix(path, "/linked") {
			t.Errorf("%s: got %q", path, body)
		}
	}
}

// withFilesAgain connects to where p was.
func withFilesAgain(t *testing.T, p *peer) *peer {
	return (&server{addr: p.RemoteAddr().String()}).dial(t)
}

// TestFoldersAreRedirected: to their slash, with the query, and to no other host.
func TestFoldersAreRedirected(t *testing.T) {
	dir := site(t, map[string]string{"index.html": "home", "sub/index.html": "sub", "a b/index.html": "a b", "evil.com/index.html": "x"})
	p := withFiles(t, engine.Files("/", os.DirFS(dir)), engine.Files("/m", os.DirFS(dir))).dial(t)
	for target, want := range map[string]string{
		"/sub": "/sub/", "/sub?x=1&y=%20": "/sub/?x=1&y=%20", "/a%20b": "/a%20b/", "/m": "/m/", "/m?q": "/m/?q", "/m/sub": "/m/sub/",
		"//evil.com": "/evil.com/", "//sub": "/sub/", "/m//evil.com": "/m/evil.com/",
	} {
		if r, _ := p.ask("GET", target); r.StatusCode != 301 || r.Header.Get("Location") != want {
			t.Errorf("%s: %s to %q, want %q", target, r.Status, r.Header.Get("Location"), want)
		}
	}
}

func TestMethodsOfFiles(t *testing.T) {
	p := withFiles(t, engine.Files("/", os.DirFS(site(t, map[string]string{"f.txt": "x"})))).dial(t)
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 204, "POST": 405, "PUT": 405, "DELETE": 405} {
		lines := []string{}
		if method == "POST" || method == "PUT" {
			lines = append(lines, "Content-Length: 0")
		}
		r, _ := p.ask(method, "/f.txt", lines...)
		if r.StatusCode != want || want != 200 && r.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: %s, Allow %q", method, r.Status, r.Header.Get("Allow"))
		}
	}
	if r, body := p.send("GET /f.txt HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody").response("GET"); r.StatusCode != 200 || body != "x" {
		t.Errorf("GET with a body: %s", r.Status)
	}
	if r, body := p.ask("GET", "/f.txt"); r.StatusCode != 200 || body != "x" {
		t.Errorf("behind a body: %s", r.Status)
	}
}

// TestPrecompressedFiles: who can decode gets what lies beside the file, if it is no older.
func TestPrecompressedFiles(t *testing.T) {
	dir := site(t, map[string]string{"app.js": prose(5000), "app.js.br": "brotli", "app.js.gz": "gzip", "old.js": prose(5000), "old.js.gz": "older", "only.js.gz": "x"})
	if err := os.Chtimes(filepath.Join(dir, "old.js"), siteTime, siteTime.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	m := engine.Files("/", os.DirFS(dir))
	m.Files.CompressFrom = -1
	p := withFiles(t, m).dial(t)
	tags := map[string]bool{}
	for accept, want := range map[string]struct{ coding, body string }{
		"gzip, deflate, br, zstd": {"br", "brotli"}, "gzip": {"gzip", "gzip"}, "br;q=0.5, gzip": {"gzip", "gzip"}, "": {"", prose(5000)},
		"zstd": {"", prose(5000)}, "br;q=0": {"", prose(5000)}, "*": {"br", "brotli"},
	} {
		r, body := p.ask("GET", "/app.js", "Accept-Encoding: "+accept)
		if body != want.body || r.Header.Get("Content-Encoding") != want.coding || r.Header.Get("Vary") != "Accept-Encoding" ||
			r.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || r.Header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("%q: %q, %v", accept, body[:min(len(body), 20)], r.Header)
		}
		tags[r.Header.Get("ETag")] = true
	}
	if len(tags) != 3 {
		t.Errorf("three representations have the ETags %v", tags)
	}
	if r, _ := p.ask("GET", "/app.js", "Accept-Encoding: identity;q=0, zstd"); r.StatusCode != 406 || r.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("nothing acceptable: %s", r.Status)
	}
	if r, body := p.ask("GET", "/app.js", "Accept-Encoding: gzip", "Range: bytes=1-2"); r.StatusCode != 206 || body != "zi" || r.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("a range is of what is sent: %s %q", r.Status, body)
	}
	if r, _ := p.ask("GET", "/old.js", "Accept-Encoding: gzip"); r.Header.Get("Content-Encoding") != "" {
		t.Error("a compressed file from before a change was sent")
	}
	if r, body := p.ask("GET", "/only.js.gz"); body != "x" || r.Header.Get("Content-Type") != "application/gzip" || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("a compressed file that was asked for: %q, %v", body, r.Header)
	}
}

// TestCompressionOnTheFly: of text, from a size on, and only if it gets shorter.
func TestCompressionOnTheFly(t *testing.T) {
	long := prose(700_000)
	dir := site(t, map[string]string{"long.txt": long, "short.txt": prose(1000), "image.png": prose(5000), "noise.txt": noise(5000), "huge.txt": prose(300)})
	m := engine.Files("/", os.DirFS(dir))
	p := withFiles(t, m).dial(t)
	for range 2 {
		for accept, decode := range map[string]func(io.Reader) (io.Reader, error){
			"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
			"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
		} {
			r, body := p.ask("GET", "/long.txt", "Accept-Encoding: "+accept)
			in, err := decode(strings.NewReader(body))
			if err != nil {
				t.Fatalf("%s: %v, %v", accept, err, r.Header)
			}
			plain, err := io.ReadAll(in)
			if err != nil || string(plain) != long || r.Header.Get("Content-Encoding") != accept || r.ContentLength != int64(len(body)) ||
				!strings.HasPrefix(r.Header.Get("ETag"), `W/"`) || r.Header.Get("Accept-Ranges") != "" || r.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: %v, %d bytes, %v", accept, err, len(plain), r.Header)
			}
			if again, _ := p.ask("GET", "/long.txt", "Accept-Encoding: "+accept, "If-None-Match: "+r.Header.Get("ETag")); again.StatusCode != 304 {
				t.Errorf("%s: the ETag again: %s", accept, again.Status)
			}
			if head, _ := p.ask("HEAD", "/long.txt", "Accept-Encoding: "+accept); head.ContentLength != r.ContentLength || head.Header.Get("Content-Encoding") != accept {
				t.Errorf("%s: HEAD: %v", accept, head.Header)
			}
		}
		if r, body := p.ask("GET", "/long.txt", "Accept-Encoding: gzip", "Range: bytes=10-19"); r.StatusCode != 206 || body != long[10:20] || r.Header.Get("Content-Encoding") != "" {
			t.Errorf("a range: %s, %v", r.Status, r.Header)
		}
		for _, name := range []string{"/short.txt", "/image.png", "/noise.txt"} {
			if r, _ := p.ask("GET", name, "Accept-Encoding: gzip"); r.StatusCode != 200 || r.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s was compressed: %v", name, r.Header)
			}
		}
	}
}

// TestFileOptions: what each of them does.
func TestFileOptions(t *testing.T) {
	dir := site(t, map[string]string{"index.html": "home", "start.htm": "start", ".hidden/f.txt": "hidden", "f.own": "own", "f.wasm": "w", "assets/app.js": "js",
		"list/a&b.txt": "1", "list/x:y.txt": "2", "list/sub/f.txt": "3", "list/.hidden": "4"})
	with := func(set func(*engine.FileOptions)) *peer {
		m := engine.Files("/", os.DirFS(dir))
		set(&m.Files)
		return withFiles(t, m).dial(t)
	}
	p := with(func(o *engine.FileOptions) { o.Index = "start.htm" })
	if _, body := p.ask("GET", "/"); body != "start" {
		t.Errorf("Index: %q", body)
	}
	p = with(func(o *engine.FileOptions) { o.Dotfiles = true })
	if _, body := p.ask("GET", "/.hidden/f.txt"); body != "hidden" {
		t.Errorf("Dotfiles: %q", body)
	}
	p = with(func(o *engine.FileOptions) { o.CacheControl = "max-age=60" })
	r, _ := p.ask("GET", "/f.own")
	again, _ := p.ask("GET", "/f.own", "If-None-Match: *")
	if missing, _ := p.ask("GET", "/no"); r.Header.Get("Cache-Control") != "max-age=60" || again.Header.Get("Cache-Control") != "max-age=60" || missing.Header.Get("Cache-Control") != "" {
		t.Errorf("CacheControl: %v, %v, %v", r.Header, again.Header, missing.Header)
	}
	p = with(func(o *engine.FileOptions) { o.Types = map[string]string{".own": "application/x-own", ".wasm": "a/b"} })
	for path, want := range map[string]string{"/f.own": "application/x-own", "/f.wasm": "a/b", "/assets/app.js": "text/javascript; charset=utf-8"} {
		if r, _ := p.ask("GET", path); r.Header.Get("Content-Type") != want {
			t.Errorf("Types: %s is %q", path, r.Header.Get("Content-Type"))
		}
	}
	p = with(func(o *engine.FileOptions) { o.Fallback = true })
	for path, want := range map[string]int{"/some/page": 200, "/some/page/": 200, "/assets/app.js": 200, "/assets/gone.js": 404, "/x.html": 404, "/.hidden/page": 404} {
		if r, body := p.ask("GET", path); r.StatusCode != want || want == 200 && body != map[bool]string{true: "js", false: "home"}[strings.HasSuffix(path, ".js")] {
			t.Errorf("Fallback: %s: %s %q", path, r.Status, body)
		}
	}
	p = with(func(o *engine.FileOptions) { o.Listing = true })
	r, body := p.ask("GET", "/list/")
	for _, want := range []string{`<a href="a&amp;b.txt">a&amp;b.txt</a>`, `<a href="./x:y.txt">x:y.txt</a>`, `<a href="sub/">sub/</a>`, `<a href="../">`} {
		if !strings.Contains(body, want) {
			t.Errorf("Listing: no %s in %s", want, body)
		}
	}
	if r.Header.Get("Content-Type") != "text/html; charset=utf-8" || strings.Contains(body, "hidden") {
		t.Errorf("Listing: %v, %s", r.Header, body)
	}
	if r, _ := p.ask("GET", "/list"); r.StatusCode != 301 {
		t.Errorf("Listing: %s without the slash", r.Status)
	}
	if r, body := p.ask("HEAD", "/list/"); r.StatusCode != 200 || body != "" {
		t.Errorf("Listing: HEAD %s", r.Status)
	}
	for name, set := range map[string]func(*engine.FileOptions){
		"an index with a path": func(o *engine.FileOptions) { o.Index = "a/b" },
		"a line break":         func(o *engine.FileOptions) { o.CacheControl = "a\r\nb: c" },
		"a type without a dot": func(o *engine.FileOptions) { o.Types = map[string]string{"js": "a/b"} },
	} {
		m := engine.Files("/", os.DirFS(dir))
		set(&m.Files)
		_, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{Protocols: []callbacks.Protocol{{Callback: nothing}}, Mounts: []engine.Mount{m}}}})
		if !errors.Is(err, engine.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestChangesAreSeen: at once, or within Recheck.
func TestChangesAreSeen(t *testing.T) {
	dir := site(t, map[string]string{"f.txt": "one", "big.txt": prose(200_000)})
	m := engine.Files("/", os.DirFS(dir))
	m.Files.Recheck = -1
	p := withFiles(t, m).dial(t)
	first, _ := p.ask("GET", "/f.txt")
	big, _ := p.ask("GET", "/big.txt")
	for name, data := range map[string]string{"f.txt": "two", "big.txt": prose(200_001)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r, body := p.ask("GET", "/f.txt", "If-None-Match: "+first.Header.Get("ETag")); r.StatusCode != 200 || body != "two" {
		t.Errorf("changed: %s %q", r.Status, body)
	}
	if r, body := p.ask("GET", "/big.txt", "If-None-Match: "+big.Header.Get("ETag")); r.StatusCode != 200 || body != prose(200_001) {
		t.Errorf("changed: %s, %d bytes", r.Status, len(body))
	}
	if err := os.Remove(filepath.Join(dir, "f.txt")); err != nil {
		t.Fatal(err)
	}
	if r, _ := p.ask("GET", "/f.txt"); r.StatusCode != 404 {
		t.Errorf("removed: %s", r.Status)
	}
}

// TestFilesWithoutATime: what embed has is told apart by what is in it.
func TestFilesWithoutATime(t *testing.T) {
	tag := func(data string) string {
		m := engine.Files("/", fstest.MapFS{"f.txt": {Data: []byte(data)}})
		r, _ := withFiles(t, m).dial(t).ask("GET", "/f.txt")
		if r.Header.Get("Last-Modified") != "" {
			t.Errorf("Last-Modified: %s", r.Header.Get("Last-Modified"))
		}
		return r.Header.Get("ETag")
	}
	if a, b := tag("one"), tag("two"); a == b || a == "" || a != tag("one") {
		t.Errorf("ETags %s and %s", a, b)
	}
}

// TestServeFile: a program answers with a file.
func TestServeFile(t *testing.T) {
	dir := site(t, map[string]string{"f.txt": "file", "large.bin": noise(400_000)})
	var done, dropped atomic.Int32
	program := func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch r {
		case callbacks.HTTP:
			switch string(in) {
			case "/":
				_ = s.AddHeader("X-Own", "own")
				if err := s.ServeFile(os.DirFS(dir), "f.txt"); err != nil {
					return err
				}
				if err := s.ServeFile(os.DirFS(dir), "f.txt"); err != callbacks.ErrAnswered {
					t.Errorf("a second one: %v", err)
				}
				return nil
			case "/later":
				s.Hold()
				return s.Handle().Post(func(s callbacks.Session) error { return s.ServeFile(os.DirFS(dir), "large.bin") })
			case "/missing":
				return s.ServeFile(os.DirFS(dir), "missing")
			case "/folder":
				return s.ServeFile(os.DirFS(dir), ".")
			case "/up":
				if err := s.ServeFile(os.DirFS(dir), "../f.txt"); !errors.Is(err, fs.ErrInvalid) {
					t.Errorf("a path that leads out: %v", err)
				}
				return s.Respond(200, "", nil)
			}
		case callbacks.HTTPFileCompletion:
			done.Add(1)
		case callbacks.HTTPBodyCompletion:
			return s.ServeFile(os.DirFS(dir), "f.txt")
		case callbacks.HTTPDropProtocol:
			dropped.Add(1)
		}
		return nil
	}
	p := serve(t, program).dial(t)
	if r, body := p.ask("GET", "/"); r.StatusCode != 200 || body != "file" || r.Header.Get("X-Own") != "own" || r.Header.Get("ETag") == "" {
		t.Errorf("%s %q, %v", r.Status, body, r.Header)
	}
	if r, body := p.ask("GET", "/later", "Range: bytes=100000-399999"); r.StatusCode != 206 || body != noise(400_000)[100_000:] {
		t.Errorf("later: %s, %d bytes", r.Status, len(body))
	}
	for target, want := range map[string]int{"/missing": 404, "/folder": 404, "/up": 200} {
		if r, _ := p.ask("GET", target); r.StatusCode != want {
			t.Errorf("%s: %s", target, r.Status)
		}
	}
	if r, body := p.send("POST /post HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody").response("POST"); r.StatusCode != 200 || body != "file" {
		t.Errorf("POST: %s %q", r.Status, body)
	}
	p.send("GET /close HTTP/1.0\r\n\r\n").want(404, "Not Found\n")
	p.wantEOF()
	if done.Load() != 3 || dropped.Load() != 7 {
		t.Errorf("%d files were completed, and %d requests", done.Load(), dropped.Load())
	}
}

// TestPipelinedFiles keep their order, whatever way each takes.
func TestPipelinedFiles(t *testing.T) {
	large := noise(3_000_000)
	v := withFiles(t, engine.Files("/", os.DirFS(site(t, map[string]string{"small.txt": "small", "large.bin": large}))))
	p := v.dial(t)
	var all bytes.Buffer
	for range 5 {
		all.WriteString(get("/large.bin") + get("/small.txt") + get("/missing") + "HEAD /large.bin HTTP/1.1\r\nHost: test\r\n\r\n")
	}
	p.send(all.String())
	for range 5 {
		p.want(200, large)
		p.want(200, "small")
		p.want(404, "Not Found\n")
		if r, body := p.response("HEAD"); r.ContentLength != int64(len(large)) || body != "" {
			t.Fatalf("HEAD: %v", r.Header)
		}
	}
	p.send("GET /large.bin HTTP/1.0\r\n\r\n").want(200, large)
	p.wantEOF()
}

package http1

import (
	"testing"
	"time"
)

// TestHotPathsAllocateNothing, once the first message has made room.
func TestHotPathsAllocateNothing(t *testing.T) {
	browser, bad, server := []byte(browserHead), []byte(get("Foo : bar")), []byte(serverHead)
	var r, held, refused Request
	var resp Response
	for name, f := range map[string]func(){
		"request": func() { ParseRequest(browser, &r, nil) },
		"request byte by byte": func() {
			for i := range len(browser) + 1 {
				ParseRequest(browser[:i], &r, nil)
			}
		},
		"refused request": func() { refused.Reset(); ParseRequest(bad, &refused, nil) },
		"copy":            func() { ParseRequest(browser, &r, nil); r.CopyTo(&held) },
		"response":        func() { ParseResponse(server, &resp, nil) },
		"framing":         func() { resp.Framing(string(r.Method())) },
		"encoders":        encodeAll(make([]byte, 0, 1024)),
	} {
		t.Run(name, func(t *testing.T) { noAllocs(t, f) })
	}
}

func TestLookupsAllocateNothing(t *testing.T) {
	r := parse(t, browserHead)
	path := make([]byte, 0, 100)
	for name, f := range map[string]func(){
		"Get":      func() { r.Header().Get("sec-fetch-dest") },
		"Count":    func() { r.Header().Count("cookie") },
		"HasToken": func() { r.Header().HasToken("connection", "upgrade") },
		"Values": func() {
			for range r.Header().Values("accept") {
				continue
			}
		},
		"Cookie":       func() { Cookie(r.Header(), "session") },
		"UnescapePath": func() { UnescapePath(path, r.Path()) },
		"accessors":    func() { _, _, _, _, _ = r.Method(), r.Path(), r.Query(), r.Host(), r.KeepAlive() },
	} {
		t.Run(name, func(t *testing.T) { noAllocs(t, f) })
	}
}

func TestBodiesAllocateNothing(t *testing.T) {
	in := AppendLastChunk(AppendChunk(AppendChunk(nil, []byte("hello")), []byte("world")))
	ext := []byte("5;a=\"b\"\r\nhello\r\n0\r\n\r\n")
	var b Body
	read := func(p []byte, size int) {
		b.Start(Framing{Kind: Chunked}, nil)
		for done := false; !done; {
			var n int
			var err error
			if n, _, done, err = b.Next(p[:min(size, len(p))]); err != nil {
				t.Fatal(err)
			}
			p = p[n:]
		}
	}
	for name, f := range map[string]func(){
		"chunks":              func() { read(in, 1000) },
		"chunks byte by byte": func() { read(in, 1) },
		"extensions":          func() { read(ext, 1000) },
		"length":              func() { b.Start(Framing{ContentLength, 5}, nil); b.Next(in); b.EOF() },
		"refused":             func() { b.Start(Framing{Kind: Chunked}, nil); b.Next([]byte("x")) },
	} {
		t.Run(name, func(t *testing.T) { noAllocs(t, f) })
	}
}

func encodeAll(dst []byte) func() {
	data, now := []byte("hello"), time.Unix(784111777, 0)
	return func() {
		b := AppendStatusLine(dst, 404)
		b = AppendField(b, "A", "b")
		b = AppendFieldBytes(b, data, data)
		b = AppendContentLength(b, 1<<40)
		b = AppendDate(b, now)
		b = AppendEnd(b)
		b = AppendChunk(b, data)
		b = AppendTrailer(b, Field{"A", "b"})
		AppendRequestLine(AppendLastChunk(b), "GET", "/")
	}
}

func noAllocs(t *testing.T, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

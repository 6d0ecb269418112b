package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Each fuzz input brings its own chop sizes, and any chopping must give what the
// whole gives. What is accepted goes through net/http, which must read the same.

// chopper returns piece sizes out of chops, over and over; whole without any.
func chopper(chops []byte) func() int {
	i := 0
	return func() int {
		if len(chops) == 0 {
			return 1 << 30
		}
		i++
		return 1 + int(chops[(i-1)%len(chops)])
	}
}

func FuzzRequest(f *testing.F) {
	for _, c := range goodRequests {
		f.Add([]byte(c.in), []byte{0})
	}
	for _, c := range badRequests {
		f.Add([]byte(c.in), []byte{3, 9})
	}
	f.Fuzz(func(t *testing.T, in, chops []byte) {
		var r, chopped Request
		n, err := ParseRequest(in, &r, nil)
		m, chopErr := feed(in, chopper(chops), func(b []byte) (int, error) { return ParseRequest(b, &chopped, nil) })
		if n != m || (err == nil) != (chopErr == nil) {
			t.Fatalf("whole %d, %v; chopped %d, %v", n, err, m, chopErr)
		}
		if n == 0 {
			return
		}
		equal(t, "chopped", describe(&chopped), describe(&r))
		requestReencodes(t, &r)
		requestDiffers(t, &r)
	})
}

// feed presents ever more of in until parse decides.
func feed(in []byte, size func() int, parse func([]byte) (int, error)) (n int, err error) {
	for end := 0; n == 0 && err == nil && end < len(in); {
		end = min(end+size(), len(in))
		n, err = parse(bytes.Clone(in[:end]))
	}
	return n, err
}

// requestReencodes writes r anew and expects to read the same.
func requestReencodes(t *testing.T, r *Request) {
	out := AppendRequestLine(nil, string(r.Method()), string(r.Target()))
	if r.Minor() == 0 {
		out = bytes.Replace(out, []byte(" HTTP/1.1\r"), []byte(" HTTP/1.0\r"), 1)
	}
	out = appendHeader(out, r.Header())
	again := parse(t, string(out))
	strip := func(s string) string { return s[:strings.LastIndex(s, " raw ")] }
	equal(t, "re-encoded", strip(describe(again)), strip(describe(r)))
}

func appendHeader(dst []byte, h *Header) []byte {
	for i := range h.Len() {
		name, value := h.At(i)
		dst = AppendFieldBytes(dst, name, value)
	}
	return AppendEnd(dst)
}

// requestDiffers reads r with net/http.
func requestDiffers(t *testing.T, r *Request) {
	raw := bytes.TrimLeft(r.Raw(), "\r\n") // net/http forgives no empty line
	theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		if knownDifference(r, err) {
			return
		}
		t.Fatalf("net/http refuses %q: %v", raw, err)
	}
	equal(t, "method", theirs.Method, string(r.Method()))
	equal(t, "target", theirs.RequestURI, string(r.Target()))
	if bytes.IndexByte(r.Host(), '%') < 0 { // net/url decodes the host of an absolute-form
		equal(t, "host", theirs.Host, string(r.Host()))
	}
	equal(t, "minor", min(theirs.ProtoMinor, 1), r.Minor())
	equal(t, "chunked", len(theirs.TransferEncoding) > 0, r.Framing().Kind == Chunked)
	if r.Framing().Kind != Chunked {
		equal(t, "length", theirs.ContentLength, r.Framing().Length)
	}
	sameFields(t, r.Header(), theirs.Header, "Host")
}

// knownDifference knows where net/url under net/http is stricter than RFC 3986
// about hosts: it takes no escapes of ASCII in them, among others.
func knownDifference(r *Request, err error) bool {
	return r.Target()[0] != '/' && strings.HasPrefix(err.Error(), "parse ")
}

// sameFields compares every field but those that net/http takes out.
func sameFields(t *testing.T, ours *Header, theirs http.Header, taken ...string) {
	taken = append(taken, "Transfer-Encoding", "Trailer", "Connection")
	want := http.Header{}
	for i := range ours.Len() {
		name, value := ours.At(i)
		want.Add(string(name), string(value))
	}
	for _, name := range taken {
		want.Del(name)
		theirs.Del(name)
	}
	if _, ok := theirs["Cache-Control"]; ok && want["Cache-Control"] == nil {
		theirs.Del("Cache-Control") // net/http derives it from Pragma
	}
	equal(t, "number of fields", len(theirs), len(want))
	for name, values := range want {
		equal(t, name, strings.Join(theirs[name], "\n"), strings.Join(values, "\n"))
	}
}

func FuzzResponse(f *testing.F) {
	for _, c := range goodResponses {
		f.Add([]byte(c.in), []byte{0})
	}
	for _, c := range badResponses {
		f.Add([]byte(c.in), []byte{3, 9})
	}
	f.Fuzz(func(t *testing.T, in, chops []byte) {
		var r, chopped Response
		n, err := ParseResponse(in, &r, nil)
		m, chopErr := feed(in, chopper(chops), func(b []byte) (int, error) { return ParseResponse(b, &chopped, nil) })
		if n != m || (err == nil) != (chopErr == nil) {
			t.Fatalf("whole %d, %v; chopped %d, %v", n, err, m, chopErr)
		}
		if n == 0 {
			return
		}
		equal(t, "chopped", describeResponse(&chopped), describeResponse(&r))
		framing, err := r.Framing("GET")
		if err != nil {
			return // net/http refuses unknown codings too, but as a parse error
		}
		responseDiffers(t, &r, framing)
	})
}

// responseDiffers reads r with net/http.
func responseDiffers(t *testing.T, r *Response, framing Framing) {
	theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(r.Raw())), nil)
	if err != nil {
		if framing.Kind == NoBody && strings.Contains(err.Error(), "unsupported transfer encoding") {
			return // 6.3 step 1: such a response ends with its head whatever it says
		}
		t.Fatalf("net/http refuses %q: %v", r.Raw(), err)
	}
	equal(t, "status", theirs.StatusCode, r.Status())
	equal(t, "minor", min(theirs.ProtoMinor, 1), r.Minor())
	// A chunked 204 or 304 has no body for net/http either, but it says so late.
	if r.Status() >= 200 && r.Status() != 204 && r.Status() != 304 {
		equal(t, "chunked", len(theirs.TransferEncoding) > 0, framing.Kind == Chunked)
	}
	if framing.Kind == ContentLength {
		equal(t, "length", theirs.ContentLength, framing.Length)
	}
	sameFields(t, r.Header(), theirs.Header)
}

func FuzzBody(f *testing.F) {
	for _, c := range goodChunks {
		f.Add([]byte(c.in), []byte{0}, int64(-1))
	}
	for _, c := range badChunks {
		f.Add([]byte(c.in), []byte{3, 9}, int64(-1))
	}
	f.Add([]byte("hello"), []byte{1}, int64(5))
	f.Add([]byte("hello"), []byte{1}, int64(0))
	f.Add([]byte("hello"), []byte{1}, int64(-2))
	f.Fuzz(func(t *testing.T, in, chops []byte, length int64) {
		framing := Framing{Kind: Chunked}
		switch {
		case length >= 0:
			framing = Framing{ContentLength, length}
		case length == -2:
			framing = Framing{Kind: UntilClose}
		}
		lim := &Limits{ChunkExtension: 100, Trailer: 200, Fields: 5}
		want := drain(t, framing, lim, string(in), whole())
		got := drain(t, framing, lim, string(in), chopper(chops))
		if want.err != nil && got.err != nil {
			got.used, got.err = want.used, want.err // which of two faults is found first may differ
		}
		equal(t, "chopped", got, want)
		if framing.Kind == Chunked && want.done {
			chunksReencode(t, want)
			chunksDiffer(t, in[:want.used], want)
		}
	})
}

// chunksReencode writes the data as other chunks and expects it back.
func chunksReencode(t *testing.T, want outcome) {
	half := len(want.data) / 2
	out := AppendChunk(nil, []byte(want.data[:half]))
	out = AppendChunk(out, []byte(want.data[half:]))
	out = AppendLastChunk(out)
	got := drain(t, Framing{Kind: Chunked}, nil, string(out), pieces(5))
	equal(t, "re-encoded", got, outcome{data: want.data, used: len(out), done: true})
}

// chunksDiffer reads the body with net/http.
func chunksDiffer(t *testing.T, in []byte, want outcome) {
	message := head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + string(in)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(message)))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		if bytes.Contains(in, []byte(" ;")) || bytes.Contains(in, []byte("\t;")) {
			return // RFC 9112 7.1.1 allows BWS there, net/http does not
		}
		t.Fatalf("net/http refuses %q: %v", in, err)
	}
	equal(t, "data in net/http", string(data), want.data)
}

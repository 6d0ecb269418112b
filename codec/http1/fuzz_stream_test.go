package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Whole connections against net/http: one message after the other, heads, bodies and
// trailers. Whatever is accepted, at any chopping, net/http reads the same way: what
// the head says, the body's bytes, the trailers, and where the next message begins.
// The known differences are in differences, each with its reason.

// message as both sides tell it.
type told struct {
	head    string // without fields
	fields  http.Header
	data    string
	trailer http.Header
	end     int // where the next message begins
}

func FuzzRequestStream(f *testing.F) {
	for _, s := range requestStreams() {
		f.Add([]byte(s), []byte{}, false)
		f.Add([]byte(s), []byte{0, 6, 40}, true)
	}
	f.Fuzz(func(t *testing.T, in, chops []byte, loose bool) {
		lim := &Limits{StrictTarget: !loose}
		ours, refused := ourRequests(t, in, lim, whole())
		chopped, refusedChopped := ourRequests(t, in, lim, chopper(chops))
		equal(t, "chopped", fmt.Sprint(chopped), fmt.Sprint(ours))
		equal(t, "refused when chopped", refusedChopped, refused)
		theirRequests(t, in, ours)
	})
}

func FuzzResponseStream(f *testing.F) {
	for _, s := range responseStreams() {
		f.Add([]byte(s), []byte{}, false)
		f.Add([]byte(s), []byte{0, 6, 40}, true)
	}
	f.Fuzz(func(t *testing.T, in, chops []byte, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		ours, refused := ourResponses(t, in, method, whole())
		chopped, refusedChopped := ourResponses(t, in, method, chopper(chops))
		equal(t, "chopped", fmt.Sprint(chopped), fmt.Sprint(ours))
		equal(t, "refused when chopped", refusedChopped, refused)
		theirResponses(t, in, method, ours)
	})
}

// requestStreams are the tables' heads and bodies, one behind the other.
func requestStreams() (all []string) {
	const chunked = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, c := range goodRequests {
		all = append(all, c.in, get()+c.in, c.in+"\r\n"+get())
	}
	for _, c := range badRequests {
		all = append(all, c.in, get()+c.in)
	}
	for _, c := range goodChunks {
		all = append(all, chunked+c.in+get())
	}
	for _, c := range badChunks {
		all = append(all, get()+chunked+c.in)
	}
	body := "POST /b HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello"
	return append(all,
		body+body+get(),
		head("GET http://%00/ HTTP/1.1", "Host: a"),
		body+chunked+"5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n"+get(),
		head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Trailer: X-Sum, Y")+"0\r\nx-sum: 5\r\nX-SUM: 6\r\n\r\n"+body,
		head("POST / HTTP/1.0", "Connection: keep-alive", "Content-Length: 5")+"hello"+head("GET / HTTP/1.0"),
	)
}

func responseStreams() (all []string) {
	for _, c := range goodResponses {
		all = append(all, c.in, ok200("Content-Length: 2")+"hi"+c.in+"rest")
	}
	for _, c := range badResponses {
		all = append(all, c.in, ok200("Content-Length: 0")+c.in)
	}
	for _, c := range goodChunks {
		all = append(all, ok200("Transfer-Encoding: chunked")+c.in+ok200())
	}
	for _, c := range badChunks {
		all = append(all, ok200("Transfer-Encoding: chunked")+c.in)
	}
	return append(all,
		head("HTTP/1.1 100 Continue")+head("HTTP/1.1 103 Early Hints", "Link: </a>")+ok200("Content-Length: 2")+"hi",
		head("HTTP/1.1 204 No Content", "Content-Length: 5")+ok200("Content-Length: 0"),
		head("HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked")+ok200()+"until the end",
		ok200("Transfer-Encoding: gzip", "Transfer-Encoding: chunked")+ok200(),
		head("HTTP/1.1 204 No Content", "Transfer-Encoding: gzip")+ok200(),
		ok200("Trailer: X, Y", "Transfer-Encoding: chunked")+"0\r\nX: 1\r\n\r\n"+head("HTTP/1.0 200 OK")+"x",
	)
}

// arrival is a connection's bytes as they come.
type arrival struct {
	in   []byte
	at   int // what is before it was used
	end  int // what is before it has come
	size func() int
}

// more lets more bytes come, if there are any.
func (a *arrival) more() bool {
	was := a.end
	a.end = min(a.end+a.size(), len(a.in))
	return a.end > was
}

// head presents what has come to parse, until that decides or nothing more comes.
func (a *arrival) head(parse func([]byte) (int, error)) (ok bool, err error) {
	for {
		n, err := parse(bytes.Clone(a.in[a.at:a.end]))
		if n > 0 || err != nil {
			a.at += n
			return n > 0, err
		}
		if !a.more() {
			return false, nil
		}
	}
}

// body reads a body through; the end of the input may be its end.
func (a *arrival) body(t *testing.T, f Framing) (data string, trailer http.Header, ok bool, err error) {
	var b Body
	var all []byte
	b.Start(f, nil)
	for done := f.Empty(); !done; {
		if a.at == a.end && !a.more() {
			ok := b.EOF() == nil
			return string(all), values(b.Trailer()), ok, nil
		}
		p := a.in[a.at:a.end]
		n, piece, over, err := b.Next(p)
		checkNext(t, p, n, piece, over, err)
		if err != nil {
			return "", nil, false, err
		}
		all, a.at, done = append(all, piece...), a.at+n, over
	}
	return string(all), values(b.Trailer()), true, nil
}

// values is h as net/http has it.
func values(h *Header) http.Header {
	v := http.Header{}
	for i := range h.orNone().Len() {
		name, value := h.At(i)
		v.Add(string(name), string(value))
	}
	return v
}

func (h *Header) orNone() *Header {
	if h == nil {
		return new(Header)
	}
	return h
}

// ourRequests are the complete ones that in begins with, and whether what follows
// is refused.
func ourRequests(t *testing.T, in []byte, lim *Limits, size func() int) (all []told, refused bool) {
	a := &arrival{in: in, size: size}
	for {
		var r Request
		if ok, err := a.head(func(b []byte) (int, error) { return ParseRequest(b, &r, lim) }); !ok {
			return all, err != nil
		}
		r.Own()
		host := string(r.Host())
		if strings.Contains(host, "%") && r.Target()[0] != '/' {
			host = "*" // net/url decodes the host of an absolute-form
		}
		m := told{
			head:   fmt.Sprintf("%q %q host %q minor %d keep %v", r.Method(), r.Target(), host, r.Minor(), r.KeepAlive()),
			fields: values(r.Header()),
		}
		framing := r.Framing()
		m.head += fmt.Sprintf(" chunked %v length %d path %q query %q", framing.Kind == Chunked, framing.Length, decoded(r.Path()), r.Query())
		var ok bool
		var err error
		if m.data, m.trailer, ok, err = a.body(t, framing); !ok {
			return all, err != nil
		}
		m.end = a.at
		all = append(all, m)
	}
}

// decoded is the path as net/url has it. A NUL is what UnescapePath refuses.
func decoded(path []byte) []byte {
	parts := bytes.Split(path, []byte("%00"))
	for i, p := range parts {
		parts[i], _ = UnescapePath(nil, p)
	}
	return bytes.Join(parts, []byte{0})
}

func ourResponses(t *testing.T, in []byte, method string, size func() int) (all []told, refused bool) {
	a := &arrival{in: in, size: size}
	for {
		var r Response
		if ok, err := a.head(func(b []byte) (int, error) { return ParseResponse(b, &r, nil) }); !ok {
			return all, err != nil
		}
		framing, err := r.Framing(method)
		if err != nil {
			return all, true
		}
		m := told{
			head: fmt.Sprintf("%d %q minor %d keep %v", r.Status(), strings.Trim(string(r.Phrase()), " "), r.Minor(),
				r.KeepAlive() && framing.Kind != UntilClose),
			fields: values(r.Header()),
		}
		if framing.Kind != NoBody {
			m.head += fmt.Sprintf(" chunked %v length %d", framing.Kind == Chunked, framing.Length)
		}
		var ok bool
		if m.data, m.trailer, ok, err = a.body(t, framing); !ok {
			return all, err != nil
		}
		m.end = a.at
		all = append(all, m)
	}
}

// consumed tells how much of in a reader of it has used.
func consumed(in []byte, under *bytes.Reader, r *bufio.Reader) int {
	return len(in) - under.Len() - r.Buffered()
}

// theirRequests reads with net/http what was accepted, and compares.
func theirRequests(t *testing.T, in []byte, ours []told) {
	under := bytes.NewReader(in)
	r := bufio.NewReaderSize(under, 1<<16)
	for i, m := range ours {
		skipEmptyLines(r)
		q, err := http.ReadRequest(r)
		if err != nil {
			if differences.request(m, err) {
				return
			}
			t.Fatalf("net/http refuses request %d of %q: %v", i, in, err)
		}
		data, err := io.ReadAll(q.Body)
		if err != nil {
			if differences.body(in[:m.end], err) {
				return
			}
			t.Fatalf("net/http refuses the body of request %d of %q: %v", i, in, err)
		}
		host := q.Host
		if strings.Contains(m.head, `host "*"`) {
			host = "*"
		}
		theirs := told{
			head: fmt.Sprintf("%q %q host %q minor %d keep %v", q.Method, q.RequestURI, host, min(q.ProtoMinor, 1), !q.Close) +
				fmt.Sprintf(" chunked %v length %d path %q query %q", len(q.TransferEncoding) > 0, max(q.ContentLength, 0), pathOf(q), q.URL.RawQuery),
			fields: q.Header, data: string(data), trailer: q.Trailer, end: consumed(in, under, r),
		}
		same(t, theirs, m, "Host")
	}
}

func theirResponses(t *testing.T, in []byte, method string, ours []told) {
	under := bytes.NewReader(in)
	r := bufio.NewReaderSize(under, 1<<16)
	for i, m := range ours {
		q, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			if differences.response(m, err) {
				return
			}
			t.Fatalf("net/http refuses response %d of %q: %v", i, in, err)
		}
		data, err := io.ReadAll(q.Body)
		if err != nil {
			if differences.body(in[:m.end], err) {
				return
			}
			t.Fatalf("net/http refuses the body of response %d of %q: %v", i, in, err)
		}
		phrase := strings.Trim(q.Status[3:], " ")
		keep := !q.Close
		theirs := told{
			head:   fmt.Sprintf("%d %q minor %d keep %v", q.StatusCode, phrase, min(q.ProtoMinor, 1), keep),
			fields: q.Header, data: string(data), trailer: q.Trailer, end: consumed(in, under, r),
		}
		if strings.Contains(m.head, " chunked ") {
			theirs.head += fmt.Sprintf(" chunked %v length %d", len(q.TransferEncoding) > 0, max(q.ContentLength, 0))
		}
		same(t, theirs, m)
	}
}

// pathOf is the request's path; net/url knows that none means "/" (RFC 9110 4.2.3)
// and does not say so.
func pathOf(q *http.Request) string {
	if q.URL.Path == "" && q.URL.Scheme != "" {
		return "/"
	}
	return q.URL.Path
}

func skipEmptyLines(r *bufio.Reader) {
	for {
		if b, _ := r.Peek(2); string(b) != "\r\n" {
			return
		}
		_, _ = r.Discard(2)
	}
}

// same compares a message, but for the fields that net/http takes out of its headers.
func same(t *testing.T, theirs, ours told, taken ...string) {
	t.Helper()
	if _, ok := theirs.fields["Cache-Control"]; ok && ours.fields["Cache-Control"] == nil {
		theirs.fields.Del("Cache-Control") // net/http derives it from Pragma
	}
	for _, name := range append(taken, "Transfer-Encoding", "Trailer", "Connection") {
		theirs.fields.Del(name)
		ours.fields.Del(name)
	}
	for name, v := range theirs.trailer {
		if v == nil {
			delete(theirs.trailer, name) // announced, and not sent
		}
	}
	equal(t, "head", theirs.head, ours.head)
	equal(t, "fields", fmt.Sprint(theirs.fields), fmt.Sprint(ours.fields))
	equal(t, "body", theirs.data, ours.data)
	equal(t, "trailers", fmt.Sprint(map[string][]string(theirs.trailer)), fmt.Sprint(map[string][]string(ours.trailer)))
	equal(t, "the next message's beginning", theirs.end, ours.end)
}

// differences are the ones that are known and right.
var differences knownDifferences

type knownDifferences struct{}

// request: net/url is stricter than RFC 3986 about the hosts of absolute-forms and
// authority-forms, in which it takes no escapes of ASCII, among others.
func (knownDifferences) request(m told, err error) bool {
	origin := strings.Contains(m.head, `" "/`) // the target, behind the method
	return strings.HasPrefix(err.Error(), "parse ") && !origin
}

// response: one without a body ends with its head, whatever that says about codings
// (RFC 9112 6.3 step 1).
func (knownDifferences) response(m told, err error) bool {
	return !strings.Contains(m.head, " chunked ") && strings.Contains(err.Error(), "transfer encoding")
}

// body: RFC 9112 7.1.1 allows white space before the semicolon of a chunk extension,
// and RFC 9110 5.6.3 wants it to be read.
func (knownDifferences) body(in []byte, err error) bool {
	return strings.Contains(err.Error(), "invalid byte in chunk length") && (bytes.Contains(in, []byte(" ;")) || bytes.Contains(in, []byte("\t;")))
}

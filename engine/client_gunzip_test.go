package engine_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// zip compresses text.
func zip(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

// TestClientGunzips: what was asked for in gzip comes as it was before, in pieces of a
// bounded length, and is not complete if the gzip is not.
func TestClientGunzips(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 500_000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	long := strings.Repeat("0123456789", 300_000)
	random := string(noise)
	const start, end = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "\x01\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"
	blocks := start + strings.Repeat("\x00\x00\x00\xff\xff", 100_000) + end // RFC 1951 3.2.4
	head := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }
	for name, c := range map[string]struct{ answer, body, err string }{
		"short":            {head(zip("text")), "text", ""},
		"empty":            {head(zip("")), "", ""},
		"nothing":          {"Content-Length: 0\r\n\r\n", "", ""},
		"long":             {head(zip(long)), long, ""},
		"noise":            {head(zip(random)), random, ""},
		"chunked":          {"Transfer-Encoding: chunked\r\n\r\n" + chunks(zip(random), 100), random, ""},
		"byte by byte":     {"Transfer-Encoding: chunked\r\n\r\n" + chunks(zip(long), 1), long, ""},
		"until close":      {"\r\n" + zip(random), random, ""},
		"two members":      {head(zip("one") + zip("two")), "onetwo", ""},
		"empty blocks":     {head(blocks), "", ""},
		"in chunks":        {"Transfer-Encoding: chunked\r\n\r\n" + chunks(blocks, 1000), "", ""},
		"cut short":        {head(zip(random)[:1000]), "", "unexpected EOF"},
		"garbage":          {head("no gzip at all"), "", "gzip: invalid header"},
		"garbage behind":   {head(zip("text") + "garbage and more"), "text", "gzip: invalid header"},
		"a wrong checksum": {head(strings.Replace(zip("text"), "\x04\x00\x00\x00", "\x05\x00\x00\x00", 1)), "text", "gzip: invalid checksum"},
	} {
		for _, pauses := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " pauses ", pauses), func(t *testing.T) {
				info := httpInfo(t, scripted(t, "HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\n"+c.answer), "GET")
				info.Gzip = true
				var got strings.Builder
				n := 0
				end := transact(t, info, &fetcher{also: func(s callbacks.Session, r callbacks.Reason, in []byte) error {
					switch r {
					case callbacks.ReceiveClientHTTPRead:
						got.Write(in)
						if n++; len(in) > 32<<10 {
							t.Errorf("a piece of %d bytes", len(in))
						}
						if pauses && n%20 == 1 {
							s.PauseReading()
							s.SetTimer(0)
						}
					case callbacks.Timer:
						s.ResumeReading()
					}
					return nil
				}})
				if c.err == "" && (got.String() != c.body || !end.completed || end.err != nil) {
					t.Errorf("%d bytes of %d, %v", got.Len(), len(c.body), end.err)
				}
				if c.err != "" && (end.completed || end.err == nil || !strings.Contains(end.err.Error(), c.err)) {
					t.Errorf("completed %v, %v, want %q", end.completed, end.err, c.err)
				}
			})
		}
	}
}

// TestClientAsksForGzip only if nobody else has said anything about it.
func TestClientAsksForGzip(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Asked", strings.Join(r.Header["Accept-Encoding"], "|"))
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, zip("text"))
	})
	for name, c := range map[string]struct {
		gzip   bool
		header http1.Field
		late   bool
		asked  string
		plain  bool
	}{
		"asked":      {true, http1.Field{Name: "X", Value: "y"}, false, "gzip", true},
		"not":        {false, http1.Field{Name: "X", Value: "y"}, false, "", false},
		"by Header":  {true, http1.Field{Name: "accept-encoding", Value: "gzip, br"}, false, "gzip, br", false},
		"AddHeader":  {true, http1.Field{Name: "Accept-Encoding", Value: "gzip"}, true, "gzip", false},
		"for a part": {true, http1.Field{Name: "Range", Value: "bytes=0-1"}, true, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			info := httpInfo(t, addr, "GET")
			info.Gzip = c.gzip
			if !c.late {
				info.Header = []http1.Field{c.header}
			}
			got := transact(t, info, &fetcher{also: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
				if r == callbacks.ClientAppendHandshakeHeader && c.late {
					return s.AddHeader(c.header.Name, c.header.Value)
				}
				return nil
			}})
			if want := "X-Asked: " + c.asked + "\r\n"; !strings.Contains(got.head, want) || (got.body == "text") != c.plain {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestClientLimitsWhatItInflates: a bomb costs what the limit allows.
func TestClientLimitsWhatItInflates(t *testing.T) {
	bomb := zip(strings.Repeat("\x00", 64<<20))
	c := newClients(t, 1, engine.Limits{Inflated: 1 << 20})
	info := httpInfo(t, scripted(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(bomb), bomb)), "GET")
	info.Gzip = true
	got := c.do(t, info)
	if got.completed || len(got.body) > 1<<20 || got.err == nil || !strings.Contains(got.err.Error(), "Limits.Inflated") {
		t.Errorf("%d bytes, %v", len(got.body), got.err)
	}
}

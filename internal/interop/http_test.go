package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/wstest"
)

// net/http's client against examples/echo, by TCP and by TLS.

// newClient is net/http's client with connections of its own.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{ExpectContinueTimeout: wstest.Patience, TLSClientConfig: trust()}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: wstest.Patience}
}

// fetch makes a request and returns the response with its whole body.
func fetch(t *testing.T, c *http.Client, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestKeepAlive(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		transport := &http.Transport{MaxConnsPerHost: 1, TLSClientConfig: trust()}
		t.Cleanup(transport.CloseIdleConnections)
		dials := 0
		transport.DialContext = countingDial(&dials)
		c := &http.Client{Transport: transport, Timeout: wstest.Patience}
		for i := range 50 {
			if _, body := fetch(t, c, request(t, "GET", p.base+"/plain", nil)); body != "Hello, World!" {
				t.Fatalf("got %q", body)
			}
			want := strings.Repeat("x", i*100)
			if _, body := fetch(t, c, request(t, "POST", p.base+"/echo", strings.NewReader(want))); body != want {
				t.Fatalf("got %d bytes for %d", len(body), len(want))
			}
			if resp, _ := fetch(t, c, request(t, "HEAD", p.base+"/plain", nil)); resp.ContentLength != 13 {
				t.Fatalf("HEAD says %d bytes", resp.ContentLength)
			}
		}
		if dials != 1 {
			t.Errorf("%d connections for one", dials)
		}
	})
}

// countingDial is a transport's DialContext that counts.
func countingDial(n *int) func(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		*n++
		return d.DialContext(ctx, network, addr)
	}
}

// Each piece of the upload is back before the next one is sent, in both framings.
func TestStreamingEcho(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		for name, length := range map[string]int64{"chunked": -1, "length": 30_000} {
			t.Run(name, func(t *testing.T) {
				r, w := io.Pipe()
				req := request(t, "POST", p.base+"/echo", r)
				req.ContentLength = length
				resp, err := newClient(t).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				for i := range 3 {
					piece := bytes.Repeat([]byte{byte('a' + i)}, 10_000)
					if _, err := w.Write(piece); err != nil {
						t.Fatal(err)
					}
					got := make([]byte, len(piece))
					if _, err := io.ReadFull(resp.Body, got); err != nil || !bytes.Equal(got, piece) {
						t.Fatalf("piece %d: %v", i, err)
					}
				}
				_ = w.Close()
				if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 || resp.ContentLength != length {
					t.Errorf("length %d, then %q %v", resp.ContentLength, rest, err)
				}
			})
		}
	})
}

func TestExpectContinue(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		req := request(t, "POST", p.base+"/echo", strings.NewReader("hello"))
		req.Header.Set("Expect", "100-continue")
		started := time.Now()
		if resp, body := fetch(t, newClient(t), req); resp.StatusCode != 200 || body != "hello" {
			t.Errorf("%s %q", resp.Status, body)
		}
		if time.Since(started) > wstest.Patience/2 {
			t.Error("the client was never told to continue")
		}
	})
}

func TestCancelInTheMiddle(t *testing.T) {
	withEcho(t, func(t *testing.T, p *process) {
		c := newClient(t)
		for range 10 {
			ctx, cancel := context.WithCancel(context.Background())
			r, w := io.Pipe()
			req := request(t, "POST", p.base+"/echo", r).WithContext(ctx)
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, "half of it"); err != nil {
				t.Fatal(err)
			}
			cancel()
			_, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		if _, body := fetch(t, c, request(t, "GET", p.base+"/plain", nil)); body != "Hello, World!" {
			t.Errorf("afterwards: %q", body)
		}
	})
}

func TestPipelineOfThousands(t *testing.T) {
	overBoth(t, func(t *testing.T, x transport) { pipelineOfThousands(t, x.connect(t, x.startEcho(t).addr)) })
}

func pipelineOfThousands(t *testing.T, c *wstest.Conn) {
	t.Helper()
	const n = 5000
	sent := make(chan error, 1)
	go func() {
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n%04d", i)
		}
		_, err := io.WriteString(c.Conn, all.String())
		sent <- err
	}()
	for i := range n {
		if _, body := c.Body("POST"); body != fmt.Sprintf("%04d", i) {
			t.Fatalf("answer %d is %q", i, body)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

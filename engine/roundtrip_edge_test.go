package engine_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/engine"
)

// TestRoundTripClosesBesideARead: another goroutine may close the Body that one reads.
func TestRoundTripClosesBesideARead(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000000")
		for range 100 {
			if _, err := w.Write(make([]byte, 1000)); err != nil {
				return
			}
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	for range 10 {
		r, err := client.Get(urlOf(t, addr))
		if err != nil {
			t.Fatal(err)
		}
		reading, done := make(chan struct{}), make(chan error)
		go func() {
			_, _ = io.ReadFull(r.Body, make([]byte, 1000))
			close(reading)
			_, err := io.Copy(io.Discard, r.Body)
			done <- err
		}()
		<-reading
		_ = r.Body.Close()
		if err := <-done; err == nil {
			t.Error("the rest was read without an error")
		}
	}
	v.eventuallyIdle(t)
}

// TestRoundTripConnectionOptions: fields that are for the next recipient only are said to
// be (RFC 9110 7.6.1), and TE always is (10.1.4).
func TestRoundTripConnectionOptions(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q %q", r.Header["Connection"], r.Header["Te"], r.Header["X-Hop"])
	})
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	for given, want := range map[string]string{
		"TE":                       `["TE"]`,
		"X-Hop, keep-alive, TE":    `["X-Hop, TE"]`,
		"close, X-Hop":             `["X-Hop, close"]`,
		"keep-alive":               `[]`,
		"no token, TE, a\u00fcb, ": `["TE"]`,
	} {
		req, _ := http.NewRequest("GET", urlOf(t, addr), nil)
		req.Header["Connection"] = strings.Split(given, "; ")
		req.Header.Set("TE", "trailers")
		req.Header.Set("X-Hop", "1")
		r, err := client.Do(req)
		if got := all(t, r, err); got != want+` ["trailers"] ["1"]` {
			t.Errorf("%q: %s", given, got)
		}
	}
	v.eventuallyIdle(t)
}

// TestRoundTripRangesAreNotCompressed: a range of what is compressed is another one.
func TestRoundTripRangesAreNotCompressed(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Accept-Encoding")) })
	client, _ := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	for field, want := range map[string]string{"Range": "", "X-Range": "gzip"} {
		req, _ := http.NewRequest("GET", urlOf(t, addr), nil)
		req.Header.Set(field, "bytes=0-9")
		r, err := client.Do(req)
		if got := all(t, r, err); got != want {
			t.Errorf("with %s the server is asked for %q", field, got)
		}
	}
}

// TestRoundTripUpgradeAndHost: what a program passes on from elsewhere can be refused, but
// never becomes another field, or another request.
func TestRoundTripUpgradeAndHost(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %q %s", r.URL.Path, r.Header["Upgrade"], r.Host)
	})
	client, v := tripper(t, 1, engine.Limits{}, engine.RoundTripperConfig{})
	for _, c := range []struct {
		upgrade, host string
		ok            bool
	}{
		{"websocket", "", true},
		{"a, HTTP/2.0", "", true},
		{"", "b", true},
		{"", "[::1]:80", true},
		{"x\r\nEvil: 1\r\n\r\nGET /smuggled HTTP/1.1", "", false},
		{"x\r\n", "", false},
		{"x\x00", "", false},
		{"a b", "", false},
		{"a/b/c", "", false},
		{"a/", "", false},
		{"/a", "", false},
		{",", "", false},
		{"", "a\r\nb: c", false},
		{"", "a b", false},
		{"", "a@b", false},
		{"", "a/b", false},
		{"", "a:b", false},
		{"", ":80", false},
	} {
		req, _ := http.NewRequest("GET", urlOf(t, addr)+"/asked", nil)
		upgrades, host := "[]", req.Host
		if c.upgrade != "" {
			req.Header.Set("Connection", "upgrade")
			req.Header.Set("Upgrade", c.upgrade)
			upgrades = fmt.Sprintf("%q", []string{c.upgrade})
		}
		if c.host != "" {
			req.Host, host = c.host, c.host
		}
		r, err := client.Transport.RoundTrip(req)
		if !c.ok {
			if !errors.Is(err, engine.ErrConfig) {
				t.Errorf("Upgrade %q, Host %q: %v, want ErrConfig", c.upgrade, c.host, err)
			}
			continue
		}
		if got := all(t, r, err); got != "/asked "+upgrades+" "+host {
			t.Errorf("Upgrade %q, Host %q: %s", c.upgrade, c.host, got)
		}
	}
	v.eventuallyIdle(t)
}

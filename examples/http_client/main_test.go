package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/internal/wstest"
)

// see answers with what it sees of the request.
func see(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/moved":
		http.Redirect(w, r, "/there", http.StatusFound)
		return
	case "/missing":
		http.NotFound(w, r)
		return
	case "/cut":
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "cut")
		return
	case "/slow":
		<-r.Context().Done()
		return
	}
	body, _ := io.ReadAll(r.Body)
	if len(body) > 1000 {
		body = fmt.Appendf(nil, "%d bytes", len(body))
	}
	fmt.Fprintf(w, "%s %s %s %d %q %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.ContentLength, body, r.Header.Get("X-Mine"))
}

// call runs the program and returns what it has printed, and its exit code.
func call(t *testing.T, stdin string, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := run(ctx, args, strings.NewReader(stdin), &out)
	if err != nil {
		t.Logf("run: %v", err)
	}
	return out.String(), exitCode(err)
}

func TestRequests(t *testing.T) {
	wstest.NoLeaks(t)
	v := httptest.NewServer(http.HandlerFunc(see))
	defer v.Close()
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		args  string
		stdin string
		want  string
		code  int
	}{
		{"URL/a", "", `GET /a  0 "" `, 0},
		{"-X HEAD URL/a", "", "", 0},
		{"-X DELETE -H X-Mine:yes URL/a", "", `DELETE /a  0 "" yes`, 0},
		{"-d a=b URL/a", "", `POST /a ` + form + ` 3 "a=b" `, 0},
		{"-d a=b -X PUT -H Content-Type:text/plain URL/a", "", `PUT /a text/plain 3 "a=b" `, 0},
		{"-d @" + file + " URL/a", "", `POST /a ` + form + ` 11 "from a file" `, 0},
		{"-d - URL/a", "from stdin", `POST /a ` + form + ` -1 "from stdin" `, 0},
		{"-d - -length 10 URL/a", "from stdin", `POST /a ` + form + ` 10 "from stdin" `, 0},
		{"-d - URL/a", strings.Repeat("x", 1_000_000), `POST /a ` + form + ` -1 "1000000 bytes" `, 0},
		{"-d - -length 11 URL/a", "from stdin", "", 1},
		{"URL/moved", "", `GET /there  0 "" `, 0},
		{"-stay -fail URL/moved", "", "<a href=\"/there\">Found</a>.\n\n", 0},
		{"URL/missing", "", "404 page not found\n", 0},
		{"-fail URL/missing", "", "", 22},
		{"URL/cut", "", "cut", 1},
		{"-timeout 30ms URL/slow", "", "", 1},
		{"http://127.0.0.1:1/", "", "", 1},
		{"ftp://a", "", "", 2},
		{"ws://a", "", "", 2},
		{"-d @/no/such/file URL/a", "", "", 2},
		{"-ca /no/such/file URL/a", "", "", 2},
		{"-H X-Mine:a -H Host:b URL/a", "", "", 2},
	} {
		got, code := call(t, c.stdin, strings.Fields(strings.ReplaceAll(c.args, "URL", v.URL))...)
		if got != c.want || code != c.code {
			t.Errorf("%s: got %q and %d, want %q and %d", c.args, got, code, c.want, c.code)
		}
	}
	for _, args := range [][]string{{}, {"a", "b"}, {"-H", "none", v.URL}, {"-nonsense"}} {
		if _, code := call(t, "", args...); code != 2 {
			t.Errorf("%q: %d", args, code)
		}
	}
}

func TestIncludesTheHead(t *testing.T) {
	v := httptest.NewServer(http.HandlerFunc(see))
	defer v.Close()
	got, code := call(t, "", "-i", v.URL+"/a")
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\nGET /a  0 \"\" ") || code != 0 {
		t.Errorf("%d %q", code, got)
	}
}

func TestCertificates(t *testing.T) {
	wstest.NoLeaks(t)
	cert := wstest.MakeCertificate(t)
	pair, err := tls.LoadX509KeyPair(cert.Cert, cert.Key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &http.Server{Handler: http.HandlerFunc(see), TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}
	v.ErrorLog = nil
	ended := make(chan error, 1)
	go func() { ended <- v.ServeTLS(l, "", "") }()
	defer func() {
		_ = v.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	url := "https://" + l.Addr().String() + "/a"
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{url}, 1}, {[]string{"-insecure", url}, 0}, {[]string{"-ca", cert.Cert, url}, 0},
	} {
		got, code := call(t, "", c.args...)
		if code != c.code || (got == `GET /a  0 "" `) != (code == 0) {
			t.Errorf("%q: %d %q", c.args, code, got)
		}
	}
}

func TestInterrupt(t *testing.T) {
	asked := make(chan struct{})
	v := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer v.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	var out bytes.Buffer
	if err := run(ctx, []string{v.URL}, strings.NewReader(""), &out); exitCode(err) != 1 {
		t.Errorf("ended with %v", err)
	}
}

package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/http1/form"
	"github.com/penstock-go/penstock/engine"
)

// club is a small web server: /login takes a form and gives a cookie, /upload takes files
// from who has one.
type club struct{}

// visit is what a request needs to be remembered of it.
type visit struct{ form *form.Form }

func (v club) callback(s callbacks.Session, st *visit, r callbacks.Reason, in []byte) error {
	switch r {
	case callbacks.HTTP:
		return v.begin(s, st, string(in))
	case callbacks.HTTPBody:
		if st.form != nil {
			return st.form.Write(in)
		}
	case callbacks.HTTPBodyCompletion:
		if st.form == nil {
			return nil
		}
		if err := st.form.Close(); err != nil {
			return err
		}
		return v.finish(s, st.form)
	case callbacks.HTTPDropProtocol: // however the request has ended
		if st.form != nil {
			st.form.Abort()
		}
	}
	return nil
}

func (v club) begin(s callbacks.Session, st *visit, path string) (err error) {
	switch {
	case string(s.Request().Method()) != "POST" || path != "/login" && path != "/upload":
		return nil // nobody answers: 404, or 500 to a POST
	case path == "/upload" && !v.known(s):
		return http1.NewError(403, "who uploads has logged in")
	}
	st.form, err = form.New(s.Request(), &form.Limits{Fields: 20, File: 1 << 20}, v.file)
	return err
}

func (club) known(s callbacks.Session) bool {
	token, _ := s.Request().Cookie("token")
	return string(token) == "t0ken" // a real one is random, and kept
}

// file says where an upload goes: here its length is printed.
func (club) file(f *form.File) (io.WriteCloser, error) {
	return &parcel{name: f.FileName}, nil
}

func (club) finish(s callbacks.Session, f *form.Form) error {
	if string(s.Request().Path()) == "/upload" {
		return s.Respond(200, "text/plain", []byte("thank you for "+f.Value("title")))
	}
	if f.Value("name") != "ann" || f.Value("password") != "secret" {
		return s.Respond(403, "text/plain", []byte("try again"))
	}
	if err := callbacks.SetCookie(s, &http.Cookie{Name: "token", Value: "t0ken", HttpOnly: true, SameSite: http.SameSiteLaxMode}); err != nil {
		return err
	}
	return s.Respond(200, "text/plain", []byte("welcome"))
}

type parcel struct {
	name string
	n    int
}

func (c *parcel) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }

func (c *parcel) Close() error {
	fmt.Printf("%s has %d bytes\n", c.name, c.n)
	return nil
}

// A web server with a login form, uploads, an access log, error pages, a statistics page
// behind a password, and the headers that make browsers careful.
func Example_web() {
	lines := engine.NewLogWriter(os.Stdout, 0) // a file, in real life
	stats := engine.Callback("/stats", "stats")
	stats.BasicAuth = &engine.BasicAuth{Realm: "statistics", Users: map[string]string{"admin": "hunter2"}}
	e, err := engine.New(engine.Config{Vhosts: []engine.Vhost{{
		Listen: []string{"tcp://127.0.0.1:0"},
		Protocols: []callbacks.Protocol{
			{Name: "club", Callback: callbacks.WithState(club{}.callback)},
			{Name: "stats", Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
				if r == callbacks.HTTP {
					return s.Respond(200, "text/plain", []byte("all is well"))
				}
				return nil
			}},
		},
		Mounts:     []engine.Mount{stats, engine.RedirectBelow("/files", 301, "/upload")},
		Header:     engine.SecurityHeader(),
		ErrorPages: map[int]engine.ErrorPage{404: {ContentType: "text/plain", Body: []byte("there is nothing here")}},
		AccessLog:  sameEveryDay(engine.CombinedLog(lines)),
	}}})
	if err != nil {
		log.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	browse("http://" + e.Addrs()[0].String())
	stop()
	<-done
	if err := lines.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 404 there is nothing here
	// 401 Unauthorized
	// 200 all is well
	// 403 try again
	// 200 welcome
	// photo.jpg has 1000 bytes
	// 200 thank you for Holidays
	// 127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /nothing HTTP/1.1" 404 21 "-" "example/1.0"
	// 127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /stats HTTP/1.1" 401 13 "-" "example/1.0"
	// 127.0.0.1 - admin [10/Oct/2026:13:55:36 +0000] "GET /stats HTTP/1.1" 200 11 "-" "example/1.0"
	// 127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "POST /login HTTP/1.1" 403 9 "-" "example/1.0"
	// 127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "POST /login HTTP/1.1" 200 7 "-" "example/1.0"
	// 127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "POST /upload HTTP/1.1" 200 22 "-" "example/1.0"
}

// sameEveryDay makes a log whose lines can be compared.
func sameEveryDay(log func(*engine.AccessEntry)) func(*engine.AccessEntry) {
	return func(e *engine.AccessEntry) {
		e.Time = time.Date(2026, 10, 10, 13, 55, 36, 0, time.UTC)
		log(e)
	}
}

// browse is what a browser does.
func browse(base string) {
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	do := func(method, path, contentType string, body []byte, password string) {
		r, _ := http.NewRequest(method, base+path, bytes.NewReader(body))
		r.Header.Set("User-Agent", "example/1.0")
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		if password != "" {
			r.SetBasicAuth("admin", password)
		}
		resp, err := client.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		fmt.Println(resp.StatusCode, string(bytes.TrimSpace(text)))
	}
	do("GET", "/nothing", "", nil, "")
	do("GET", "/stats", "", nil, "")
	do("GET", "/stats", "", nil, "hunter2")
	const urlencoded = "application/x-www-form-urlencoded"
	do("POST", "/login", urlencoded, []byte("name=ann&password=guess"), "")
	do("POST", "/login", urlencoded, []byte(url.Values{"name": {"ann"}, "password": {"secret"}}.Encode()), "")

	var upload bytes.Buffer
	w := multipart.NewWriter(&upload)
	_ = w.WriteField("title", "Holidays")
	photo, _ := w.CreateFormFile("photo", "photo.jpg")
	_, _ = photo.Write(make([]byte, 1000))
	_ = w.Close()
	do("POST", "/upload", w.FormDataContentType(), upload.Bytes(), "")
}

package engine_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1/form"
	"github.com/penstock-go/penstock/engine"
)

// storage is what a server has been given: a message for each file, when it ends.
type storage chan string

// stored is a file.
type stored struct {
	name string
	text strings.Builder
	to   storage
}

func (f *stored) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "virus") {
		return 0, errors.New("no thanks")
	}
	return f.text.Write(p)
}

func (f *stored) Close() error { return f.CloseWithError(nil) }

func (f *stored) CloseWithError(err error) error {
	text := f.text.String()
	if len(text) > 20 {
		text = fmt.Sprintf("%d bytes", len(text))
	}
	f.to <- fmt.Sprintf("%s: %s (%v)", f.name, text, err)
	return nil
}

// receiver is a server that takes forms of 100 KiB, and answers with their fields.
func receiver(t *testing.T) (*server, storage) {
	t.Helper()
	to := make(storage, 10)
	m := engine.Callback("/form", "form")
	m.Body = 100 << 10
	type state struct{ form *form.Form }
	cfg := engine.Config{Loops: 1, Limits: quick, Vhosts: vhost(callbacks.Protocol{Name: "form", Callback: callbacks.WithState(
		func(s callbacks.Session, st *state, r callbacks.Reason, in []byte) (err error) {
			switch r {
			case callbacks.HTTP:
				st.form, err = form.New(s.Request(), &form.Limits{Value: 10}, func(f *form.File) (io.WriteCloser, error) {
					return &stored{name: f.FileName, to: to}, nil
				})
			case callbacks.HTTPBody:
				err = st.form.Write(in)
			case callbacks.HTTPBodyCompletion:
				if err = st.form.Close(); err == nil {
					var text []string
					for name, value := range st.form.All() {
						text = append(text, name+"="+value)
					}
					err = s.Respond(200, "", []byte(strings.Join(text, "|")))
				}
			case callbacks.HTTPDropProtocol:
				if st.form != nil {
					st.form.Abort()
				}
			}
			return err
		})})}
	cfg.Vhosts[0].Mounts = []engine.Mount{m}
	return start(t, cfg), to
}

const (
	urlencodedType = "Content-Type: application/x-www-form-urlencoded"
	multipartType  = "Content-Type: multipart/form-data; boundary=cut"
)

// upload is a form with a field and a file.
func upload(field, content string) string {
	return "--cut\r\nContent-Disposition: form-data; name=field\r\n\r\n" + field +
		"\r\n--cut\r\nContent-Disposition: form-data; name=file; filename=name.txt\r\n\r\n" + content + "\r\n--cut--\r\n"
}

func (s storage) want(t *testing.T, want string) {
	t.Helper()
	if want == "" {
		select {
		case got := <-s:
			t.Errorf("file %q", got)
		default:
		}
	} else if got := <-s; got != want {
		t.Errorf("file %q, want %q", got, want)
	}
}

// postForm is a request with a body by its length.
func postForm(contentType, body string) string {
	return request("POST", "/form", contentType, fmt.Sprint("Content-Length: ", len(body))) + body
}

func TestForms(t *testing.T) {
	v, files := receiver(t)
	long := strings.Repeat("0123456789", 9000)
	for _, c := range []struct {
		name, send string
		status     int
		body, file string
	}{
		{"urlencoded", postForm(urlencodedType, "a=1+2&b=%C3%B6"), 200, "a=1 2|b=ö", ""},
		{"urlencoded and empty", postForm(urlencodedType, ""), 200, "", ""},
		{"multipart", postForm(multipartType, upload("a", "text")), 200, "field=a", "name.txt: text (<nil>)"},
		{"a long file", postForm(multipartType, upload("a", long)), 200, "field=a", "name.txt: 90000 bytes (<nil>)"},
		{"byte by byte in chunks", request("POST", "/form", multipartType, "Transfer-Encoding: chunked") + bytewise(upload("a", "text")) + "0\r\n\r\n", 200, "field=a", "name.txt: text (<nil>)"},
		{"no form", postForm("Content-Type: text/plain", "a=b"), 415, "Unsupported Media Type\n", ""},
		{"no type", postForm("X: y", "a=b"), 415, "Unsupported Media Type\n", ""},
		{"no boundary", postForm("Content-Type: multipart/form-data", "a=b"), 400, "Bad Request\n", ""},
		{"a bad escape", postForm(urlencodedType, "a=%"), 400, "Bad Request\n", ""},
		{"not complete", postForm(multipartType, strings.TrimSuffix(upload("a", "text"), "--cut--\r\n")), 400, "Bad Request\n", "name.txt: text (http1: form: the form is not complete)"},
		{"a long value", postForm(urlencodedType, "a=12345678901"), 413, "Content Too Large\n", ""},
		{"a long value in front of a file", postForm(multipartType, upload("12345678901", "text")), 413, "Content Too Large\n", ""},
		{"a file that is refused", postForm(multipartType, upload("a", "virus")), 500, "Internal Server Error\n", "name.txt:  (no thanks)"},
		{"a body over the mount's limit", postForm(multipartType, upload("a", strings.Repeat("x", 101<<10))), 413, "Content Too Large\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := v.dial(t).send(c.send)
			if r, body := p.response("POST"); r.StatusCode != c.status || body != c.body {
				t.Errorf("%s %q", r.Status, body)
			}
			_ = p.Close() // until then the session is kept, so that the answer is not lost
			files.want(t, c.file)
		})
	}
}

func bytewise(body string) string {
	var b strings.Builder
	for i := range len(body) {
		b.WriteString("1\r\n" + body[i:i+1] + "\r\n")
	}
	return b.String()
}

// TestUploadsThatStop: a file that does not come to its end is not taken for whole.
func TestUploadsThatStop(t *testing.T) {
	v, files := receiver(t)
	body, _, _ := strings.Cut(upload("a", "text|more"), "|")
	p := v.dial(t).send(request("POST", "/form", multipartType, "Content-Length: 1000"), body)
	_ = p.Close()
	files.want(t, "name.txt: text (http1: form: the form is not complete)")

	p = v.dial(t).send(request("POST", "/form", multipartType, "Transfer-Encoding: chunked"), fmt.Sprintf("%x\r\n%s\r\nx\r\n", len(body), body))
	p.want(400, "Bad Request\n")
	_ = p.Close()
	files.want(t, "name.txt: text (http1: form: the form is not complete)")

	piece := strings.Repeat("x", 100<<10) // by chunks it is over the mount's limit when it comes
	p = v.dial(t).send(request("POST", "/form", multipartType, "Transfer-Encoding: chunked"), fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s", len(body), body, len(piece), piece))
	p.want(413, "Content Too Large\n")
	_ = p.Close()
	if got := <-files; !strings.HasSuffix(got, "(http1: form: the form is not complete)") {
		t.Errorf("file %q", got)
	}
}

package engine_test

import (
	"io"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
)

// TestAnswersBeforeABrokenRequest still go out when a later one is cut off.
func TestAnswersBeforeABrokenRequest(t *testing.T) {
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.HTTP && string(in) == "/half":
			_ = s.StartResponse(200, "", 10)
			return callbacks.ErrClose
		case r == callbacks.HTTP:
			return s.Respond(200, "", in)
		}
		return nil
	})
	p := v.dial(t).send(get("/1") + get("/2") + get("/half"))
	p.want(200, "/1")
	p.want(200, "/2")
	if rest, err := io.ReadAll(p.r); err != nil || !strings.Contains(string(rest), "Content-Length: 10\r\n") {
		t.Errorf("the third is %q, %v", rest, err)
	}
}

func TestRawResponsesThatEndShort(t *testing.T) {
	errs := make(chan error, 2)
	v := serve(t, func(s callbacks.Session, r callbacks.Reason, in []byte) error {
		switch {
		case r == callbacks.HTTP && string(in) == "/short":
			errs <- s.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), callbacks.WriteHTTP)
			errs <- s.Write(nil, callbacks.WriteHTTPFinal)
		case r == callbacks.HTTP: // half a head, the rest later
			s.RequestWriteable()
			return s.Write([]byte("HTTP/1.1 200 OK\r\nContent-Le"), callbacks.WriteHTTP)
		case r == callbacks.HTTPWriteable:
			return s.Write([]byte("ngth: 2\r\n\r\nok"), callbacks.WriteHTTP)
		}
		return nil
	})
	p := v.dial(t).send(get("/later") + get("/later") + get("/short"))
	p.want(200, "ok")
	p.want(200, "ok")
	if rest, err := io.ReadAll(p.r); err != nil || !strings.HasSuffix(string(rest), "\r\n\r\nabc") {
		t.Errorf("%q, %v", rest, err)
	}
	if a, b := <-errs, <-errs; a != nil || b != callbacks.ErrTooShort {
		t.Errorf("the writes said %v and %v", a, b)
	}
}

// TestConnectIsNoTunnel: a 2xx to CONNECT has no length, and nothing behind it is
// read as a request.
func TestConnectIsNoTunnel(t *testing.T) {
	v := serve(t, echoHTTP)
	p := v.dial(t).send("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + get("/smuggled"))
	r, _ := p.response("CONNECT")
	if r.StatusCode != 200 || r.Header.Get("Content-Length") != "" {
		t.Errorf("%s %v", r.Status, r.Header)
	}
	if rest, _ := io.ReadAll(p.r); len(rest) > 0 {
		t.Errorf("then came %q", rest)
	}
}

package engine_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

// TestRefusalsTellTheirBody: what a server says instead of 101 can be read, however
// its body is framed.
func TestRefusalsTellTheirBody(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 200)
	for name, c := range map[string]struct {
		say  []string
		open bool // the server does not close
		want string
	}{
		"by length":             {[]string{"Content-Length: 5\r\n\r\nno, n", "ever"}, true, "no, n"},
		"in two parts":          {[]string{"Content-Length: 9\r\n\r\nno, n", "ever"}, true, "no, never"},
		"chunked":               {[]string{"Transfer-Encoding: chunked\r\n\r\n3\r\nno,", "\r\n6;x=y\r\n never\r\n0\r\n\r\n"}, true, "no, never"},
		"until it closes":       {[]string{"\r\nno,", " never"}, false, "no, never"},
		"cut short":             {[]string{"Content-Length: 9\r\n\r\nno,"}, false, "no,"},
		"none":                  {[]string{"Content-Length: 0\r\n\r\n"}, true, ""},
		"broken chunks":         {[]string{"Transfer-Encoding: chunked\r\n\r\n3\r\nno,", "never"}, true, "no,"},
		"in an unknown coding":  {[]string{"Transfer-Encoding: gzip\r\n\r\nxyz"}, true, ""},
		"longer than 1 KiB":     {[]string{"Content-Length: 999999999\r\n\r\n", long}, true, long[:1024]},
		"chunks beyond 1 KiB":   {[]string{"Transfer-Encoding: chunked\r\n\r\n", "c80\r\n" + long}, true, long[:1024]},
		"1 KiB until it closes": {[]string{"\r\n", long[:1024]}, true, long[:1024]},
	} {
		t.Run(name, func(t *testing.T) {
			f := answers(t, over(t).listen(t), func(end *farConn, _ int) {
				end.say("HTTP/1.1 403 Forbidden\r\n")
				for _, part := range c.say {
					end.say(part)
				}
				if c.open {
					_, _ = io.Copy(io.Discard, end)
				}
			})
			fateOf(t, clientInfo(t, f.addr()), nil).wantHandshakeError(t, 403, c.want)
		})
	}
}

// TestRefusalWithoutAnEnd: what has come until HandshakeTimeout has to do.
func TestRefusalWithoutAnEnd(t *testing.T) {
	f := answers(t, over(t).listen(t), func(c *farConn, _ int) {
		c.say("HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nwell, ")
		_, _ = io.Copy(io.Discard, c)
	})
	got := make(chan error, 1)
	v := start(t, engine.Config{Loops: 1, Limits: engine.Limits{HandshakeTimeout: 50 * time.Millisecond, DrainTimeout: quick.DrainTimeout},
		Vhosts: vhost(callbacks.Protocol{Callback: func(s callbacks.Session, r callbacks.Reason, _ []byte) error {
			if r == callbacks.ClientConnectionError {
				got <- s.Err()
			}
			return nil
		}})})
	if _, err := v.Connect(clientInfo(t, f.addr())); err != nil {
		t.Fatal(err)
	}
	var h *engine.HandshakeError
	if err := receive(t, "an error", got); !errors.As(err, &h) || h.Status != 500 || string(h.Body) != "well, " {
		t.Errorf("%#v", err)
	}
}

// TestHandshakeErrorsHaveTheirCause: what is wrong with a response is an error, and
// not only its text.
func TestHandshakeErrorsHaveTheirCause(t *testing.T) {
	for text, want := range map[string]error{
		"nonsense\r\n\r\n": http1.ErrStatusLine,
		"HTTP/1.1 101 Yes\r\nContent-Length: x\r\n\r\n": http1.ErrContentLength,
		"HTTP/1.1 101 Yes\r\nbroken field\r\n\r\n":      http1.ErrFieldName,
	} {
		f := answers(t, over(t).listen(t), func(c *farConn, _ int) { c.say(text) })
		o := fateOf(t, clientInfo(t, f.addr()), nil)
		var h *engine.HandshakeError
		if !errors.As(o.err, &h) || h.Status != 0 || !errors.Is(o.err, want) || !strings.Contains(o.err.Error(), want.Error()) {
			t.Errorf("%q: failed by %v, want %v", text, o.err, want)
		}
	}
}

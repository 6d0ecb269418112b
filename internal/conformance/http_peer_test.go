package conformance

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// netHTTPDiffers are the beginnings of the names of valid cases that net/http answers
// otherwise, and why that is no reason to do the same.
var netHTTPDiffers = map[string]string{
	"9112 2.2 ":                       "it refuses the empty lines that a server should ignore",
	"9110 9.3.6 CONNECT":              "it leaves CONNECT to its handler",
	"9112 3.2.3 CONNECT":              "it leaves CONNECT to its handler",
	"9110 9.3.8 TRACE":                "it leaves TRACE to its handler",
	"9110 5.6.3 white space before":   "it refuses white space before a semicolon, which has to be read",
	"9110 5.6.3 tabs around":          "as above",
	"9110 5.6.3 white space between":  "as above",
	"9112 9.3 close beats keep-alive": "its server believes keep-alive first",
	"9110 10.1.1 others are ignored":  "it expects something of HTTP/1.0",
}

// TestNetHTTPAgrees plays the valid cases against a server of another make, so that
// the tables cannot take for valid what nobody else does.
func TestNetHTTPAgrees(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(echoByNetHTTP))
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	g := &target{addr: server.Listener.Addr().String()}
	for _, part := range httpSuite {
		for _, c := range part.cases {
			if c.ending > closes || differs(c.name) {
				continue
			}
			t.Run(part.name+"/"+c.name, func(t *testing.T) {
				x := c.connect(g, t)
				if c.fin {
					x.send(c.in)
				} else {
					x.send(c.in + probe)
				}
				x.finish(true)
				if c.ending == stays {
					x.expect(probed)
				}
			})
		}
	}
}

func differs(name string) bool {
	for beginning := range netHTTPDiffers {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}

// echoByNetHTTP does what examples/echo does.
func echoByNetHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	switch {
	case err != nil:
		panic(http.ErrAbortHandler)
	case q.URL.Path == "/plain" && len(body) == 0 && q.Method == "GET":
		body = []byte(plain.body)
	}
	_, _ = w.Write(body)
}

package engine_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/engine"
)

// TestHandlersOfClientsThatHaveGone end, whatever their clients have sent that nobody
// reads: they would keep their workers for ever.
func TestHandlersOfClientsThatHaveGone(t *testing.T) {
	for name, request := range map[string]string{
		"nothing":                    get("/poll"),
		"a byte of the next request": get("/poll") + "G",
		"the next requests":          strings.Repeat(get("/poll"), 3),
		"much of a body": fmt.Sprintf("POST /poll HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s",
			64<<20, strings.Repeat("x", 1<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			in := make(chan struct{}, 1)
			v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/poll" {
					in <- struct{}{}
					<-r.Context().Done()
				}
			}), engine.Limits{Workers: 2})
			for range 2 {
				p := v.dial(t)
				_ = p.SetWriteDeadline(time.Now().Add(patience))
				if _, err := io.WriteString(p, request); err != nil {
					t.Fatal(err)
				}
				receive(t, "the handler", in)
				_ = p.Conn.(wire).SetLinger(0)
				_ = p.Close()
			}
			v.dial(t).send(get("/")).want(200, "")
		})
	}
}

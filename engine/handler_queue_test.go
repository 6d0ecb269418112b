package engine_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/penstock-go/penstock/engine"
)

// TestHandlersAreNotForTheGone: a request whose client has left while it waited for a
// worker costs none.
func TestHandlersAreNotForTheGone(t *testing.T) {
	var ran atomic.Int32
	in, gate := make(chan struct{}), make(chan struct{})
	v := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			close(in)
			<-gate
		}
		ran.Add(1)
	}), engine.Limits{Workers: 1})
	first := v.dial(t).send(get("/first"))
	<-in
	for range 20 {
		p := v.dial(t).send(get("/gone"))
		eventually(t, "it waits", func() bool { return v.Stats().Requests > 1 })
		_ = p.Conn.(wire).SetLinger(0)
		p.Close()
	}
	eventually(t, "they are gone", func() bool { return v.Stats().Sessions == 1 })
	close(gate)
	first.want(200, "")
	v.dial(t).send(get("/last")).want(200, "")
	if n := ran.Load(); n != 2 {
		t.Errorf("the handler ran %d times", n)
	}
}

package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/engine"
)

// TestRoundTripUploadsThroughAShortQueue: a body is cut to what SendQueue has room for.
func TestRoundTripUploadsThroughAShortQueue(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err, len(r.Trailer["A"]))
	})
	client, v := tripper(t, 1, engine.Limits{SendQueue: 16 << 10}, engine.RoundTripperConfig{})
	for _, length := range []int64{3 << 20, -1} {
		ctx, stop := context.WithTimeout(t.Context(), patience)
		req, _ := http.NewRequestWithContext(ctx, "POST", urlOf(t, addr), io.LimitReader(bytes.NewReader(make([]byte, 3<<20)), 3<<20))
		want := "3145728 <nil> 0"
		if req.ContentLength = length; length < 0 {
			req.Trailer = http.Header{"A": {"b"}}
			want = "3145728 <nil> 1"
		}
		r, err := client.Do(req)
		if got := all(t, r, err); got != want {
			t.Errorf("of length %d: %s", length, got)
		}
		stop()
	}
	v.eventuallyIdle(t)
}

// TestRoundTripWritesThatNeverFit: what SendQueue has no room for ends the request.
func TestRoundTripWritesThatNeverFit(t *testing.T) {
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	client, v := tripper(t, 1, engine.Limits{SendQueue: 16 << 10}, engine.RoundTripperConfig{})
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	req, _ := http.NewRequestWithContext(ctx, "POST", urlOf(t, addr), io.LimitReader(strings.NewReader("text"), 4))
	req.Trailer = http.Header{"A": {strings.Repeat("b", 32<<10)}}
	if _, err := client.Do(req); !errors.Is(err, callbacks.ErrSendQueueFull) {
		t.Errorf("%v, want ErrSendQueueFull", err)
	}
	v.eventuallyIdle(t)
}

// TestRoundTripClosedBodiesHaveTheirTime: a server that dribbles what is left of a response
// does not keep its connection.
func TestRoundTripClosedBodiesHaveTheirTime(t *testing.T) {
	gone := make(chan struct{}, 1)
	addr := serveNet(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "30000")
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte{'x'})
			_ = http.NewResponseController(w).Flush()
			<-tick.C
		}
		gone <- struct{}{}
	})
	client, v := tripper(t, 1, engine.Limits{OriginConnections: 1}, engine.RoundTripperConfig{})
	r, err := client.Get(urlOf(t, addr))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	v.eventuallyIdle(t)
	receive(t, "the server notices", gone)
}

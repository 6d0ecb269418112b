package bench

import (
	"testing"

	"github.com/penstock-go/penstock/bench/internal/load"
	"github.com/penstock-go/penstock/bench/internal/versus"
)

// handlerBudget is what a request to an http.Handler may cost behind engine.Handler, as a
// multiple of what it costs behind net/http's own server: what the way to a worker and
// back costs, the loop has saved.
const handlerBudget = 1.15

// TestHandlerCost: a short answer to many connections that are kept alive, which is
// nearly all server and hardly any handler.
func TestHandlerCost(t *testing.T) {
	needDescriptors(t, 2*500)
	server := build(t, ".", "./cmd/rivals/handler")
	c := load.Config{Mode: load.HTTP, Path: "/plain", Conns: 500}
	hold(t, handlerBudget, []versus.Entrant{
		{Name: "net/http", Args: []string{server, "-addr", "{addr}"}, Load: c},
		{Name: "penstock", Args: []string{server, "-addr", "{addr}", "-engine"}, Load: c},
	})
}

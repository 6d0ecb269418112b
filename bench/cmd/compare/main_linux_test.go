package main

import (
	"slices"
	"testing"

	"github.com/penstock-go/penstock/bench/internal/load"
)

func TestServerFlag(t *testing.T) {
	e, err := parse("floor:raw=bin/floor -addr {addr} -x=y")
	if err != nil || e.Name != "floor" || e.Load.Mode != load.Raw || !slices.Equal(e.Args, []string{"bin/floor", "-addr", "{addr}", "-x=y"}) {
		t.Fatalf("%+v, %v", e, err)
	}
	for _, v := range []string{"", "floor", "floor=", "floor= "} {
		if _, err := parse(v); err == nil {
			t.Errorf("%q is accepted", v)
		}
	}
}

// TestRawGetsAsManyBytes: what the others get as a masked frame.
func TestRawGetsAsManyBytes(t *testing.T) {
	c := configFor(load.Raw, load.Config{Mode: load.WS, Size: 64})
	if c.Mode != load.Raw || c.Size != 64+6 {
		t.Errorf("%+v", c)
	}
}

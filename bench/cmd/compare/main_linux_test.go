package main

import (
	"reflect"
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

// TestRawGetsAsManyBytes: what the others get as a masked frame, or if all get it,
// what they are sent.
func TestRawGetsAsManyBytes(t *testing.T) {
	ws := load.Config{Mode: load.WS, Size: 64}
	for _, c := range []struct {
		name string
		own  load.Mode
		of   load.Config
		want load.Config
	}{
		{"an echo", load.Raw, ws, load.Config{Mode: load.Raw, Size: 64 + 6}},
		{"a broadcast", load.RawFan, load.Config{Mode: load.Fan, Size: 1024}, load.Config{Mode: load.RawFan, Size: 1024 + 4}},
		{"no takeover", load.WS, load.Config{Mode: load.WSZ, Size: 64, Takeover: true}, ws},
	} {
		if got := configFor(c.own, c.of); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

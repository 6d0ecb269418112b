package engine

import (
	"runtime"
	"testing"
	"time"
)

// TestTLSLimitDefaults are those of TLS.
func TestTLSLimitDefaults(t *testing.T) {
	l := Limits{}.withDefaults()
	if l.TLSHandshakes != 1024 || l.TLSHandshakesPerIP != 256 || l.TLSHandshakeTimeout != 10*time.Second {
		t.Errorf("%+v", l)
	}
	l = Limits{TLSHandshakes: -1, TLSHandshakesPerIP: -1, TLSHandshakeTimeout: -1}.withDefaults()
	if l.TLSHandshakes < 1<<30 || l.TLSHandshakesPerIP < 1<<30 || l.TLSHandshakeTimeout < 1<<60 {
		t.Errorf("negative is no limit, and not %+v", l)
	}
	for _, steps := range []int{0, -1} { // goroutines are never without limit
		if got := (Limits{TLSHandshakeSteps: steps}).withDefaults().TLSHandshakeSteps; got != max(runtime.GOMAXPROCS(0)-1, 1) {
			t.Errorf("TLSHandshakeSteps %d: %d", steps, got)
		}
	}
}

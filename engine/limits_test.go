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

// TestLimitDefaults are what the documentation says.
func TestLimitDefaults(t *testing.T) {
	l := Limits{}.withDefaults()
	for _, c := range []struct {
		name      string
		got, want time.Duration
	}{
		{"PingInterval", l.PingInterval, 30 * time.Second}, {"HangupTimeout", l.HangupTimeout, 40 * time.Second},
		{"CloseTimeout", l.CloseTimeout, 5 * time.Second}, {"StallTimeout", l.StallTimeout, 30 * time.Second},
		{"ConnectTimeout", l.ConnectTimeout, 20 * time.Second}, {"HandshakeTimeout", l.HandshakeTimeout, 15 * time.Second},
		{"DrainTimeout", l.DrainTimeout, 10 * time.Second}, {"HeaderTimeout", l.HeaderTimeout, 15 * time.Second},
		{"BodyTimeout", l.BodyTimeout, 20 * time.Second}, {"IdleTimeout", l.IdleTimeout, time.Minute},
		{"ClientIdleTimeout", l.ClientIdleTimeout, 50 * time.Second}, {"ResponseTimeout", l.ResponseTimeout, time.Minute},
		{"ResponseBodyTimeout", l.ResponseBodyTimeout, time.Minute},
		{"RequestTimeout", l.RequestTimeout, noTimeLimit}, {"QueueTimeout", l.QueueTimeout, 10 * time.Second},
	} {
		if c.got != c.want {
			t.Errorf("%s is %v, not %v", c.name, c.got, c.want)
		}
	}
	if l.OriginConnections < 1<<30 || l.OriginIdle != 64 || l.ClientIdle != 512 || l.Inflated != 1<<30 {
		t.Errorf("%+v", l)
	}
	if l.Topics != 1024 || l.ControlFrames != 1000 || l.SendQueue != 16<<20 || l.SendHigh != 256<<10 || l.Message != 16<<20 || l.Frame != 16<<20 || l.Body != 64<<20 ||
		l.Pipelined != 256 || l.BodyRate != 100 || l.FileWorkers != max(32, 2*runtime.GOMAXPROCS(0)) {
		t.Errorf("%+v", l)
	}
}

// TestHangupFollowsPing: whoever lengthens only the interval of pings does not give up
// peers that were never pinged.
func TestHangupFollowsPing(t *testing.T) {
	if l := (Limits{PingInterval: time.Minute}).withDefaults(); l.HangupTimeout != 70*time.Second {
		t.Errorf("the engine's is %v", l.HangupTimeout)
	}
	if l := (Limits{PingInterval: -1}).withDefaults(); l.HangupTimeout < time.Hour {
		t.Errorf("without pings it is %v", l.HangupTimeout)
	}
	l := Limits{}.withDefaults()
	for ping, want := range map[time.Duration]time.Duration{10 * time.Second: 40 * time.Second, 30 * time.Second: 40 * time.Second, time.Minute: 70 * time.Second} {
		if got := afterPing(ping, &l); got != want {
			t.Errorf("behind a ping after %v it is %v, not %v", ping, got, want)
		}
	}
	if got := afterPing(noTimeLimit, &l); got < time.Hour {
		t.Errorf("behind no ping it is %v", got)
	}
}
